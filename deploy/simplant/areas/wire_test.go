package areas

import (
	"math"
	"slices"
	"testing"

	"kvarts/configs/plants"
	"kvarts/historian/plant"

	"pgregory.net/rapid"
)

func TestConversions(t *testing.T) {
	m, err := plant.Parse("chain-1gw.yaml", plants.OneGW)
	if err != nil {
		t.Fatal(err)
	}
	ws, err := newWires(m)
	if err != nil {
		t.Fatal(err)
	}
	furnace, _ := m.Class("arc_furnace")
	w := ws.of(furnace.Power)
	if furnace.Power.SourceUnit != "MW" || w.said(18_500) != 18.5 || w.stored(18.5) != 18_500 {
		t.Errorf("18.5 MW are said as %v, stored as %v", w.said(18_500), w.stored(18.5))
	}
	if none := ws.of(furnace.State); none.said(7) != 7 {
		t.Error("a state is converted")
	}
}

// What is said is stored as what it was, but for the last bit.
func TestThereAndBack(t *testing.T) {
	kinds := []wire{{}, {scale: 1000, divisor: 1}, {scale: 1, divisor: 1000}, {scale: 1, divisor: 1, offset: -273.15}, {scale: 101325, divisor: 760}}
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SampledFrom(kinds).Draw(t, "wire")
		x := float64(float32(rapid.Float64Range(-1e6, 1e6).Draw(t, "x")))
		back := w.stored(w.said(x))
		if near := math.Abs(back - x); near > 4e-10 {
			t.Fatalf("%v comes back as %v", x, back)
		}
	})
}

func TestNamesOfStates(t *testing.T) {
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := m.Unit("SAW-1")
	if got, want := statesOf(u, u.Class.State), []string{"idle", "run", "setup", "stop: wire break", "stop: fault", "planned"}; !slices.Equal(got, want) {
		t.Errorf("states %q, want %q", got, want)
	}
	phase, _ := u.Class.Signal("cut_phase")
	if got := statesOf(u, phase); len(got) != 8 || got[7] != "Break" {
		t.Errorf("phases %q", got)
	}
	number, _ := u.Class.Signal("cut_no")
	if got := statesOf(u, number); got != nil {
		t.Errorf("a counter has states %q", got)
	}
	lost, _ := u.Class.Signal("jump_wire_alarm")
	if got := statesOf(u, lost); got != nil {
		t.Errorf("an alarm has states %q", got)
	}
}

// Units that UNECE does not know are few, and known.
func TestUnitsAreUNECE(t *testing.T) {
	unknown := map[string]bool{}
	for _, text := range [][]byte{plants.Demo, plants.TwoGW} {
		m, err := plant.Parse("model", text)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Classes {
			for i := range c.Signals {
				if u := unitOf(&c.Signals[i]); u != nil && u.Code == "" {
					unknown[u.Name] = true
				}
			}
		}
	}
	for _, u := range []string{"slm", "slpm", "sccm", "Ω/sq", "MΩ·cm", "Pa/min"} {
		delete(unknown, u)
	}
	if len(unknown) > 0 {
		t.Errorf("units without code: %v", unknown)
	}
}
