package crystal_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/crystal"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = func() world.Instant {
	t, err := calendar.ParseTime("2026-11-16T00:00:00+05:00", nil)
	if err != nil {
		panic(err)
	}
	return t
}()

// reactor stands for the reactors: polysilicon comes as fast as so many pullers need it.
type reactor struct{ kgADay int }

func (r reactor) Run(u *world.Unit) {
	for u.Number == 1 {
		u.Wait(24 * time.Hour)
		w := u.World()
		id := w.Serial("HARV")
		w.AddLot(world.Lot{ID: id, Kind: "harvest", Quantity: world.Whole(r.kgADay), UnitOf: "kg"})
		w.Stock("poly").Put(world.Held{Lot: id, Quantity: world.Whole(r.kgADay)})
	}
}

// plantOf makes the plant of a model, with what this package drives.
func plantOf(t *testing.T, model []byte, seed uint64) *world.World {
	t.Helper()
	m, err := plant.Parse("model.yaml", model)
	if err != nil {
		t.Fatal(err)
	}
	pullers := 0
	for _, u := range m.Units {
		if u.Class.Name == "cz_puller" {
			pullers++
		}
	}
	w, err := world.New(world.Options{Model: m, Seed: seed, Start: start, KeepSegments: true, Process: func(u *world.Unit) world.Process {
		if u.Class.Name == "siemens_reactor" {
			return reactor{kgADay: 150 * pullers}
		}
		return crystal.Process(u)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// book is what was entered.
type book struct {
	lots    map[string]world.Lot
	steps   []world.Step
	records []record.Record
}

func (b *book) observer(sample func(*world.Sample)) world.Observer {
	b.lots = map[string]world.Lot{}
	return world.Observer{
		Sample: sample,
		Lot:    func(l *world.Lot) { b.lots[l.ID] = *l },
		Step:   func(s *world.Step) { b.steps = append(b.steps, *s) },
		Record: func(r *record.Record) { b.records = append(b.records, *r) },
	}
}

func advance(t *testing.T, w *world.World, d time.Duration) {
	t.Helper()
	if err := w.Advance(start.Add(d)); err != nil {
		t.Fatal(err)
	}
}

// seldom looks at what is measured every ten minutes.
func seldom(_ *world.Unit, s *plant.Signal) time.Duration {
	if s.Kind == plant.State || s.Kind == plant.Text {
		return 0
	}
	return 10 * time.Minute
}

const days = 14

// each runs two models with several seeds and lets check look at each.
func each(t *testing.T, check func(t *testing.T, w *world.World, b *book, samples *watcher)) {
	for name, model := range map[string][]byte{"demo": plants.Living, "1gw": plants.OneGW} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				w := plantOf(t, model, seed)
				b, s := &book{}, newWatcher(t)
				w.Observe(b.observer(s.sample), seldom)
				advance(t, w, days*24*time.Hour)
				check(t, w, b, s)
			})
		}
	}
}

// watcher looks at every sample.
type watcher struct {
	t        *testing.T
	batch    map[string]string  // of a puller
	progress map[string]float64 // of its batch
	state    map[string]bool    // "class code"
	reasons  map[string]bool
	weight   map[string]float64
	melt     map[string]float64
	balance  float64 // largest difference of crystal + melt and charge
	charge   map[string]float64
}

func newWatcher(t *testing.T) *watcher {
	return &watcher{t: t, batch: map[string]string{}, progress: map[string]float64{}, state: map[string]bool{}, reasons: map[string]bool{},
		weight: map[string]float64{}, melt: map[string]float64{}, charge: map[string]float64{}}
}

func (s *watcher) sample(x *world.Sample) {
	if n := x.Unit.Class.Name; n != "cz_puller" && n != "brick_machine" {
		return
	}
	v := x.Value.Float() + float64(x.Value.Int())
	if math.IsNaN(v) || math.IsInf(v, 0) {
		s.t.Fatalf("%s.%s is %v", x.Unit.ID, x.Signal.Name, v)
	}
	if r := x.Signal.Range; r != nil && x.Signal.Kind == plant.Analog && (v < r.Low.Float() || v > r.High.Float()) {
		s.t.Errorf("%s.%s is %v at %s, out of [%v, %v]", x.Unit.ID, x.Signal.Name, v, x.At, r.Low, r.High)
	}
	id, c := x.Unit.ID, x.Unit.Class
	switch x.Signal {
	case c.State:
		codes, _ := x.Unit.States.At(x.At)
		m, ok := codes[x.Value.String()]
		if !ok {
			s.t.Errorf("%s shows state %s, which its map lacks", id, x.Value)
		}
		s.reasons[c.Name+" "+string(m.Category)+" "+m.Reason] = true
	case c.Batch:
		s.batch[id], s.progress[id] = x.Value.String(), 0
	case c.Progress:
		if v < s.progress[id] {
			s.t.Errorf("%s: progress falls from %v to %v in batch %s", id, s.progress[id], v, s.batch[id])
		}
		s.progress[id] = v
	}
	switch x.Signal.Name {
	case "charge_mass_kg":
		s.charge[id] = v
	case "crystal_weight_kg":
		s.weight[id] = v
	case "remaining_melt_kg": // after the crystal's weight, at the same moment
		if s.weight[id] > 0 {
			s.balance = max(s.balance, math.Abs(s.weight[id]+v-s.charge[id]))
		}
	}
}

func TestLotsBalanceToTheGram(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, b *book, _ *watcher) {
		made, taken := map[string]bool{}, map[string]world.Quantity{}
		last := map[string]time.Time{}
		for _, s := range b.steps {
			var in, out world.Quantity
			for _, p := range s.Inputs {
				l, ok := b.lots[p.Lot]
				if !ok || p.Quantity <= 0 || !made[p.Lot] && l.Embodied == nil && l.Kind != "harvest" {
					t.Fatalf("%s takes %s %s, which is not there (yet)", s.ID, p.Quantity, p.Lot)
				}
				if taken[p.Lot] += p.Quantity; taken[p.Lot] > l.Quantity {
					t.Errorf("%s: %s were taken of %s, which had %s", s.ID, taken[p.Lot], p.Lot, l.Quantity)
				}
				in += p.Quantity
			}
			for _, p := range s.Outputs {
				if l, ok := b.lots[p.Lot]; !ok || l.Quantity != p.Quantity || p.Quantity <= 0 || made[p.Lot] {
					t.Errorf("%s makes %s of %s, a lot of %s", s.ID, p.Quantity, p.Lot, b.lots[p.Lot].Quantity)
				}
				made[p.Lot] = true
				out += p.Quantity
			}
			if in != out {
				t.Errorf("%s takes %s and makes %s", s.ID, in, out)
			}
			if s.To.Before(s.From) || s.From.Before(last[s.Unit]) {
				t.Errorf("%s: from %s to %s, after one that ends at %s", s.ID, s.From, s.To, last[s.Unit])
			}
			last[s.Unit] = s.To
		}
		stocked := w.Stock("brick").Have()
		if bricks := sum(b, "brick", made) - taken0(b, "brick", taken); bricks != stocked {
			t.Errorf("%s of bricks in the book, %s on stock", bricks, stocked)
		}
		if len(b.steps) < 20 {
			t.Errorf("only %d steps", len(b.steps))
		}
	})
}

// sum is the quantity of all lots of a kind that a step made.
func sum(b *book, kind string, made map[string]bool) (q world.Quantity) {
	for id, l := range b.lots {
		if l.Kind == kind && made[id] {
			q += l.Quantity
		}
	}
	return q
}

func taken0(b *book, kind string, taken map[string]world.Quantity) (q world.Quantity) {
	for id, n := range taken {
		if b.lots[id].Kind == kind {
			q += n
		}
	}
	return q
}

// figures of a class's units over all segments.
type figures struct {
	pieces, kwh, hours, run, idle float64
}

func figuresOf(w *world.World, class string) (f figures, each []figures) {
	for _, u := range w.Units() {
		if u.Class.Name != class {
			continue
		}
		one := figures{kwh: u.EnergyNow()}
		for _, s := range u.Segments() {
			h := s.Duration().Hours()
			one.hours += h
			one.pieces += s.Total * h * 3600
			switch s.Category {
			case plant.Run:
				one.run += h
			case plant.Idle, plant.Planned:
				one.idle += h
			}
		}
		f.pieces, f.kwh, f.hours, f.run, f.idle = f.pieces+one.pieces, f.kwh+one.kwh, f.hours+one.hours, f.run+one.run, f.idle+one.idle
		each = append(each, one)
	}
	return f, each
}

func TestFiguresAreBelievable(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, b *book, s *watcher) {
		cz, _ := figuresOf(w, "cz_puller")
		scrap := 0.0
		for _, r := range b.records {
			scrap += r.Quantity.Float()
		}
		between(t, "kWh per kg of boule", cz.kwh/cz.pieces, 25, 38)
		between(t, "kg a day of a puller", cz.pieces/cz.hours*24, 160, 200)
		between(t, "OEE of the pullers", (cz.pieces-scrap)*432/3600/cz.hours, 0.75, 0.92)
		between(t, "availability of the pullers", cz.run/cz.hours, 0.85, 0.99)
		bm, _ := figuresOf(w, "brick_machine")
		var brick, ingot, off world.Quantity
		for _, s := range b.steps {
			if strings.HasPrefix(s.ID, "CROPPING") {
				ingot += s.Inputs[0].Quantity
				for _, o := range s.Outputs {
					switch b.lots[o.Lot].Kind {
					case "brick":
						brick += o.Quantity
					case "offcut":
						off += o.Quantity
					}
				}
			}
		}
		between(t, "brick per ingot", brick.Float()/ingot.Float(), 0.52, 0.63)
		t.Logf("%.1f kWh/kg brick, brick machines run %.2f, idle %.2f; off-cuts on stock %s, ingots %s, poly %s", bm.kwh/brick.Float(), bm.run/bm.hours,
			bm.idle/bm.hours, w.Stock("offcut").Have(), w.Stock("ingot").Have(), w.Stock("poly").Have())
		if s.balance > 0.03 {
			t.Errorf("crystal and melt differ from the charge by %v kg", s.balance)
		}
		t.Log(reasonsOf(s))
	})
}

func reasonsOf(s *watcher) (out []string) {
	for r := range s.reasons {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

func between(t *testing.T, what string, x, low, high float64) {
	t.Helper()
	t.Logf("%s: %.4g", what, x)
	if !(x >= low && x <= high) {
		t.Errorf("%s is %v, want %v to %v", what, x, low, high)
	}
}
