package cells_test

import (
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/cells"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// In a plant of 1 GW tools of several lines work side by side, etch after diffusion, and test apart.
func TestChain(t *testing.T) {
	m, err := plant.Parse("chain-1gw.yaml", plants.OneGW)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: 3, Start: begin, KeepSegments: true, Process: func(u *world.Unit) world.Process {
		if u.Class.Name == "wafer_sorter" {
			return feeder{every: 55 * time.Minute} // three of them: 330,000 a day
		}
		return cells.Process(u)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	b := newBook()
	w.Observe(b.observer(t), world.AsTheModelSays)
	if err := w.Advance(begin.Add(5 * 24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	of := map[string]float64{} // pieces of good lots by stage of the chain
	for _, s := range b.steps {
		for _, p := range s.Outputs {
			if !p.Scrap {
				of[p.Lot[:3]] += p.Quantity.Float()
			}
		}
	}
	t.Log(of)
	for _, prefix := range []string{"TEX", "DIF", "ETC", "COA", "PRT", "CEL"} {
		if perDay := of[prefix] / 5; perDay < 280_000 || perDay > 400_000 {
			t.Errorf("%s: %.0f cells a day of 330,000 wafers", prefix, perDay)
		}
	}
	if perDay := of["MOD"] / 5; perDay < 4_000 || perDay > 5_500 {
		t.Errorf("%.0f modules a day", perDay)
	}
	times := map[plant.Category]time.Duration{}
	for _, u := range mine(w) {
		for _, s := range u.Segments() {
			times[s.Category] += s.Duration()
		}
	}
	if busy := times[plant.Run] + times[plant.Stop] + times[plant.Setup]; times[plant.Run].Hours()/busy.Hours() < 0.9 {
		t.Errorf("times %v", times)
	}
}
