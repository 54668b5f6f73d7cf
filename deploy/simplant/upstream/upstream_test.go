package upstream_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/upstream"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// models are the plants in which all must hold.
func models() map[string][]byte { return map[string][]byte{"demo": plants.Living, "1gw": plants.OneGW, "2gw": plants.TwoGW} }

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

// book is all that was entered.
type book struct {
	lots    map[string]world.Lot
	steps   []world.Step
	records []record.Record
}

func (b *book) observer() world.Observer {
	b.lots = map[string]world.Lot{}
	return world.Observer{
		Lot:    func(l *world.Lot) { b.lots[l.ID] = *l },
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

func TestDebug(t *testing.T) {
	for name, text := range models() {
		for seed := range uint64(3) {
			w := newWorld(t, text, seed)
			var b book
			w.Observe(b.observer(), world.AsTheModelSays)
			t0 := time.Now()
			advance(t, w, 14*day)
			fmt.Println(name, seed, time.Since(t0), len(b.lots), len(b.steps), len(b.records), w.Stock("mg").Have(), w.Stock("tcs").Have(), w.Stock("poly").Have(), w.Stock("quartz").Have())
			for _, u := range driven(w) {
				l := live(u)
				product, _ := u.Product.At(w.Now())
				id, _ := u.Ideal(product).At(w.Now())
				fmt.Printf("  %s run %.3f oee %.3f pieces %.0f kwh/kg %.2f meankw %.0f reasons", u.ID, l.run/l.all, l.pieces*id.Float()/l.all, l.pieces, l.kwh/l.pieces, l.kwh/l.all*3600)
				m := map[string]float64{}
				for _, s := range u.Segments() {
					m[string(s.Category)+"/"+s.Reason] += s.Duration().Hours()
				}
				fmt.Println(m)
			}
		}
	}
	_ = math.Abs
	_ = slices.Max[[]int]
	_ = strings.Cut
	_ = telemetry.Instant(0)
}
