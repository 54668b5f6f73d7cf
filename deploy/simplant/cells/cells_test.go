package cells_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/cells"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = func() world.Instant {
	t, err := calendar.ParseTime("2026-11-02T08:00:00+05:00", nil)
	if err != nil {
		panic(err)
	}
	return t
}()

// feeder puts a lot of wafers on stock every so often, as a wafer plant does.
type feeder struct{ every time.Duration }

func (f feeder) Run(u *world.Unit) {
	for {
		u.State(plant.Run, "")
		u.Wait(f.every)
		id := u.World().Serial("WAF")
		l := world.Lot{ID: id, Kind: "wafer", UnitOf: "wafer", Quantity: world.Whole(4200)}
		u.World().AddLot(l)
		u.World().Stock("wafer").Put(world.Held{Lot: id, Quantity: l.Quantity})
	}
}

// book is what was entered.
type book struct {
	lots    map[string]world.Lot // latest revision
	steps   []world.Step
	records []record.Record
	taken   map[string]world.Quantity
	made    map[string]string // lot → step
	open    map[string]bool
}

func newBook() *book {
	return &book{lots: map[string]world.Lot{}, taken: map[string]world.Quantity{}, made: map[string]string{}, open: map[string]bool{}}
}

func (b *book) observer(t *testing.T) world.Observer {
	return world.Observer{
		Lot: func(l *world.Lot) {
			if old, ok := b.lots[l.ID]; ok && (l.Revision != old.Revision+1 || l.Quantity != old.Quantity) {
				t.Errorf("lot %s: revision %d of %s after %d of %s", l.ID, l.Revision, l.Quantity, old.Revision, old.Quantity)
			}
			b.lots[l.ID] = *l
			if len(l.Embodied) > 0 {
				b.open[l.ID] = true
			}
		},
		Step:   func(s *world.Step) { b.add(t, s) },
		Record: func(r *record.Record) { b.records = append(b.records, *r) },
	}
}

// add checks that a step balances and takes no more than there is.
func (b *book) add(t *testing.T, s *world.Step) {
	b.steps = append(b.steps, *s)
	var in, out world.Quantity
	for _, p := range s.Inputs {
		in += p.Quantity
		b.taken[p.Lot] += p.Quantity
		if l, ok := b.lots[p.Lot]; !ok || b.taken[p.Lot] > l.Quantity {
			t.Errorf("step %s takes %s of lot %s, of which there were %s", s.ID, p.Quantity, p.Lot, l.Quantity)
		}
	}
	for _, p := range s.Outputs {
		out += p.Quantity
		if l, ok := b.lots[p.Lot]; !ok || l.Quantity != p.Quantity || b.made[p.Lot] != "" {
			t.Errorf("step %s makes %s of lot %s: %+v", s.ID, p.Quantity, p.Lot, l)
		}
		b.made[p.Lot] = s.ID
	}
	if strings.Contains(s.Unit, "STR-") {
		if extra := in - out*72; extra < 0 || extra > world.Whole(40) {
			t.Errorf("step %s makes %s modules of %s cells", s.ID, out, in)
		}
	} else if in != out {
		t.Errorf("step %s makes %s of %s", s.ID, out, in)
	}
	if !s.From.Before(s.To) {
		t.Errorf("step %s from %s to %s", s.ID, s.From, s.To)
	}
}

// simulate lives through days of the demo's cell and module lines.
func simulate(t *testing.T, seed uint64, days int, see func(*world.Sample)) (*world.World, *book) {
	t.Helper()
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: seed, Start: begin, KeepSegments: true, Process: func(u *world.Unit) world.Process {
		if u.Class.Name == "wafer_sorter" {
			return feeder{every: 114 * time.Minute} // 53,000 a day
		}
		return cells.Process(u)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	b := newBook()
	o := b.observer(t)
	o.Sample = see
	cadence := world.AsTheModelSays
	if see != nil {
		cadence = func(u *world.Unit, s *plant.Signal) time.Duration {
			return max(world.AsTheModelSays(u, s), 10*time.Minute)
		}
	}
	w.Observe(o, cadence)
	if err := w.Advance(begin.Add(time.Duration(days) * 24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	return w, b
}

// mine are the units whose scripts are tested.
func mine(w *world.World) []*world.Unit {
	var out []*world.Unit
	for _, u := range w.Units() {
		if cells.Process(u) != nil {
			out = append(out, u)
		}
	}
	return out
}

func TestFortnights(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, b := simulate(t, seed, 14, nil)
			if len(mine(w)) != 6 {
				t.Fatalf("%d units", len(mine(w)))
			}
			believable(t, w)
			checkWatts(t, b)
			for _, r := range b.records {
				if err := r.Check(); err != nil {
					t.Errorf("record of %s: %v", r.Unit, err)
				}
			}
			if len(b.records) < 5 {
				t.Errorf("only %d records", len(b.records))
			}
			for id := range b.lots {
				if b.made[id] == "" && !b.open[id] && !strings.HasPrefix(id, "WAF") {
					t.Errorf("lot %s comes from nowhere", id)
				}
			}
		})
	}
}

// believable looks at what each unit did with its time and material.
func believable(t *testing.T, w *world.World) {
	t.Helper()
	for _, u := range mine(w) {
		times := map[plant.Category]time.Duration{}
		made, scrap, kwh := 0.0, 0.0, 0.0
		for _, s := range u.Segments() {
			times[s.Category] += s.Duration()
			made += s.Total * s.Duration().Seconds()
			scrap += s.Scrap * s.Duration().Seconds()
			kwh += s.KW * s.Duration().Hours()
		}
		busy := times[plant.Run] + times[plant.Stop] + times[plant.Setup]
		available := times[plant.Run].Seconds() / busy.Seconds()
		if available < 0.85 || available > 0.995 {
			t.Errorf("%s: available %.3f: %v", u.ID, available, times)
		}
		product, _ := u.Product.At(begin)
		ideal, _ := u.Ideal(product).At(begin)
		if p := made * ideal.Float() / times[plant.Run].Seconds(); p < 0.85 || p > 0.99 {
			t.Errorf("%s: performance %.3f", u.ID, p)
		}
		if q := scrap / made; q < 0.0003 || q > 0.05 {
			t.Errorf("%s: scrap %.4f of %.0f", u.ID, q, made)
		}
		if kwh < 1000 {
			t.Errorf("%s: %.0f kWh", u.ID, kwh)
		}
		t.Logf("%s made %.0f, scrap %.4f, available %.3f, ran %.2f of the time, %.3f kWh a piece", u.ID, made, scrap/made, available, times[plant.Run].Hours()/14/24, kwh/made)
	}
}

// checkWatts compares nominal and realised watts of the cells and modules.
func checkWatts(t *testing.T, b *book) {
	t.Helper()
	var low, high, late, sum, n float64 = 2, 0, 0, 0, 0
	modules := 0
	for _, l := range b.lots {
		if l.WpNominal == nil || b.open[l.ID] {
			continue
		}
		switch {
		case l.WpRealised == nil:
			late++
			continue
		case l.Kind == "module":
			modules++
			if r := l.WpRealised.Float() / l.WpNominal.Float(); r < 0.97 || r > 1.02 {
				t.Errorf("pallet %s realises %.4f", l.ID, r)
			}
			continue
		case l.Revision != 2:
			t.Errorf("lot %s is realised at revision %d", l.ID, l.Revision)
		}
		r := l.WpRealised.Float() / l.WpNominal.Float()
		low, high, sum, n = min(low, r), max(high, r), sum+r, n+1
	}
	if late > 3 || low < 0.96 || high > 1.02 || high-low < 0.005 || sum/n < 0.985 || sum/n > 1.005 || modules < 100 {
		t.Errorf("of %.0f lots realised %.4f to %.4f, mean %.4f; %.0f not tested yet; %d pallets", n, low, high, sum/n, late, modules)
	}
}

// The counters count what the lots have, to the piece.
func TestCountersAndLotsAgree(t *testing.T) {
	last := map[string]map[string]int64{}
	w, b := simulate(t, 7, 7, func(s *world.Sample) {
		for _, role := range []*plant.Signal{s.Unit.Class.Total, s.Unit.Class.Good, s.Unit.Class.Scrap} {
			if role == s.Signal {
				if last[s.Unit.ID] == nil {
					last[s.Unit.ID] = map[string]int64{}
				}
				last[s.Unit.ID][s.Signal.Name] = s.Value.Int()
			}
		}
	})
	for _, u := range mine(w) {
		var total, scrap, biggest int64
		for _, s := range b.steps {
			for _, p := range s.Outputs {
				if s.Unit == u.ID {
					n := int64(p.Quantity / world.Whole(1))
					total += n
					biggest = max(biggest, n)
					if p.Scrap {
						scrap += n
					}
				}
			}
		}
		c := u.Class
		running := int64(2400) // what is in the machine at the end
		if d := last[u.ID][c.Total.Name] - total; d < 0 || d > running {
			t.Errorf("%s counted %d, lots have %d", u.ID, last[u.ID][c.Total.Name], total)
		}
		bad := last[u.ID][c.Total.Name]
		if c.Scrap != nil {
			bad = last[u.ID][c.Scrap.Name]
		} else {
			bad -= last[u.ID][c.Good.Name]
		}
		if d := bad - scrap; d < 0 || d > 60 {
			t.Errorf("%s counted %d scrap, lots have %d", u.ID, bad, scrap)
		}
		if c.Total.Reporting == plant.PerBatch && last[u.ID][c.Total.Name] != total {
			t.Errorf("%s shows %d at the end of a boat, lots have %d", u.ID, last[u.ID][c.Total.Name], total)
		}
	}
}

func TestSeedsDecide(t *testing.T) {
	digest := func(seed uint64) string {
		h := sha256.New()
		_, b := simulate(t, seed, 3, func(s *world.Sample) { fmt.Fprint(h, s.At, s.Unit.ID, s.Signal.Name, s.Value) })
		for _, s := range b.steps {
			fmt.Fprint(h, s)
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	first := digest(1)
	if again := digest(1); again != first {
		t.Error("a seed gives two plants")
	}
	if first == digest(2) {
		t.Error("two seeds give one plant")
	}
}
