package site_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/site"
	"kvarts/deploy/simplant/upstream"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// scripts are those of the furnace and reactors, and of the site for all else.
func scripts(u *world.Unit) world.Process {
	if p := upstream.Process(u); p != nil {
		return p
	}
	return site.Process(u)
}

func begin(t *testing.T) world.Instant {
	t.Helper()
	at, err := calendar.ParseTime("2026-11-02T07:00:00+05:00", nil)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func newWorld(t *testing.T, text []byte, seed uint64) *world.World {
	t.Helper()
	m, err := plant.Parse("model.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: seed, Start: begin(t), KeepSegments: true, Process: scripts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func advance(t *testing.T, w *world.World, d time.Duration) {
	t.Helper()
	if err := w.Advance(begin(t).Add(d)); err != nil {
		t.Fatal(err)
	}
}

func meters(w *world.World) []*world.Unit {
	var out []*world.Unit
	for _, u := range w.Units() {
		if u.Meter != "" {
			out = append(out, u)
		}
	}
	return out
}

// own is the energy in kWh of the unit alone, without what it measures.
func own(u *world.Unit) float64 {
	kwh := 0.0
	for _, s := range u.Segments() {
		sec := s.Duration().Seconds()
		kwh += (s.KW*sec + s.Slope*sec*sec/2) / 3600
	}
	return kwh
}

// Every kilowatt hour of a machine goes through the incomer once, and once through each meter on its way.
func TestTheIncomerMeasuresAll(t *testing.T) {
	for name, text := range map[string][]byte{"demo": plants.Living, "1gw": plants.OneGW, "2gw": plants.TwoGW} {
		w := newWorld(t, text, 7)
		advance(t, w, 2*day)
		sum, losses := 0.0, 0.0
		for _, u := range w.Units() {
			sum += own(u)
		}
		top, ok := w.Unit("EM-SITE")
		if !ok {
			t.Fatalf("%s: no EM-SITE", name)
		}
		if got := top.EnergyNow(); math.Abs(got-sum) > 1e-3 {
			t.Errorf("%s: the incomer counted %.3f kWh, all machines and meters used %.3f", name, got, sum)
		}
		for _, u := range meters(w) {
			m, _ := w.Model().Meter(u.Meter)
			below := 0.0
			for _, c := range w.Model().Meters {
				if c.Parent == m.ID {
					o, _ := w.Unit(c.Source)
					below += o.EnergyNow()
				}
			}
			for _, id := range m.Behind {
				o, _ := w.Unit(id)
				below += o.EnergyNow()
			}
			if m.ID != "EM-SITE" && u.EnergyNow() < below-1e-6 && len(m.Behind) > 0 {
				t.Errorf("%s: %s counted %.3f kWh, less than the %.3f below it", name, m.ID, u.EnergyNow(), below)
			}
			if m.Kind == plant.Direct {
				o, _ := w.Unit(m.Units[0])
				if u.EnergyNow() != o.EnergyNow() {
					t.Errorf("%s: %s counted %v kWh of %s, which used %v", name, m.ID, u.EnergyNow(), o.ID, o.EnergyNow())
				}
			}
			losses += own(u)
		}
		if part := losses / sum; part < 0.01 || part > 0.2 {
			t.Errorf("%s: losses and utilities are %.1f %% of all", name, 100*part)
		}
		fmt.Println(name, sum, losses/sum)
	}
}

var _ = record.CounterSwap
var _ = exact.Frac
