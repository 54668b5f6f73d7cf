package upstream_test

import (
	"fmt"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/upstream"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// models are the plants in which all must hold.
func models() map[string][]byte {
	return map[string][]byte{"demo": plants.Demo, "1gw": plants.OneGW, "2gw": plants.TwoGW}
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
	w, err := world.New(world.Options{Model: m, Seed: seed, Start: begin(t), KeepSegments: true, Process: upstream.Process})
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

// tally is what happened in any of the plants.
type tally struct {
	stops                    map[string]bool // class and reason
	rejected, reasons, whole int
}

// TestTwoWeeks lives through two weeks of several plants, and looks at them from all sides.
func TestTwoWeeks(t *testing.T) {
	all := tally{stops: map[string]bool{}}
	for name, text := range models() {
		for seed := range uint64(5) {
			w := newWorld(t, text, seed)
			var b book
			w.Observe(b.observer(), world.AsTheModelSays)
			advance(t, w, 14*day)
			for what, check := range map[string]func(*testing.T, *world.World, *book, *tally){
				"mass": mass, "genealogy": genealogy, "steps": followEachOther, "records": records, "energy": energy, "batches": batches, "reasons": reasons,
			} {
				t.Run(fmt.Sprintf("%s/%d/%s", name, seed, what), func(t *testing.T) { check(t, w, &b, &all) })
			}
		}
	}
	for _, want := range []string{"arc_furnace electrode", "arc_furnace fault", "siemens_reactor ground fault", "siemens_reactor hydrogen leak", "siemens_reactor fault", "tcs_unit fault"} {
		if !all.stops[want] {
			t.Errorf("%s never happened", want)
		}
	}
	if all.rejected < 20 || all.reasons < 20 || all.whole < 40 {
		t.Errorf("%d rejections, %d reasons of stops, %d whole batches", all.rejected, all.reasons, all.whole)
	}
}

// book is all that was entered.
type book struct {
	lots    map[string]world.Lot
	order   []world.Lot
	steps   []world.Step
	records []record.Record
}

// made are the lots that a step is known to have made, by lot.
func (b *book) made() map[string]*world.Step {
	out := map[string]*world.Step{}
	for i := range b.steps {
		for _, p := range b.steps[i].Outputs {
			out[p.Lot] = &b.steps[i]
		}
	}
	return out
}

func (b *book) observer() world.Observer {
	b.lots = map[string]world.Lot{}
	return world.Observer{
		Lot:    func(l *world.Lot) { b.lots[l.ID], b.order = *l, append(b.order, *l) },
		Step:   func(s *world.Step) { b.steps = append(b.steps, *s) },
		Record: func(r *record.Record) { b.records = append(b.records, *r) },
	}
}

// driven are the units that upstream has scripts for.
func driven(w *world.World) []*world.Unit {
	var out []*world.Unit
	for _, u := range w.Units() {
		if upstream.Process(u) != nil {
			out = append(out, u)
		}
	}
	return out
}

// lived is what a unit did in all.
type lived struct {
	run, all, pieces, kwh float64
}

func live(u *world.Unit) lived {
	var l lived
	for _, s := range u.Segments() {
		sec := s.Duration().Seconds()
		l.all += sec
		l.pieces += s.Total * sec
		l.kwh += (s.KW*sec + s.Slope*sec*sec/2) / 3600
		if s.Category == plant.Run {
			l.run += sec
		}
	}
	return l
}
