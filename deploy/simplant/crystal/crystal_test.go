package crystal_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
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
	records []record.Record // of scrap
	stops   []record.Record // what people say about them
}

func (b *book) observer(sample func(*world.Sample)) world.Observer {
	b.lots = map[string]world.Lot{}
	return world.Observer{
		Sample: sample,
		Lot:    func(l *world.Lot) { b.lots[l.ID] = *l },
		Step:   func(s *world.Step) { b.steps = append(b.steps, *s) },
		Record: func(r *record.Record) { b.enter(r) },
	}
}

func advance(t *testing.T, w *world.World, d time.Duration) {
	t.Helper()
	if err := w.Advance(start.Add(d)); err != nil {
		t.Fatal(err)
	}
}

// ours says that the package drives the unit.
func ours(u *world.Unit) bool { return u.Class.Name == "cz_puller" || u.Class.Name == "brick_machine" }

// seldom looks at what is measured every half hour.
func seldom(u *world.Unit, s *plant.Signal) time.Duration {
	switch {
	case !ours(u):
		return 10_000 * time.Hour
	case s.Kind == plant.State || s.Kind == plant.Text:
		return 0
	default:
		return 30 * time.Minute
	}
}

// TestCrystals lives through days of two plants, with several seeds.
func TestCrystals(t *testing.T) {
	for _, c := range []struct {
		name  string
		model []byte
		seeds uint64
		days  int
	}{{"demo", plants.Demo, 6, 14}, {"1gw", plants.OneGW, 1, 8}} {
		for seed := range c.seeds {
			t.Run(fmt.Sprintf("%s/%d", c.name, seed), func(t *testing.T) {
				w := plantOf(t, c.model, seed)
				b, s := &book{}, newWatcher(t)
				w.Observe(b.observer(s.sample), seldom)
				advance(t, w, time.Duration(c.days)*24*time.Hour)
				checkLots(t, w, b)
				checkScrap(t, w, b)
				checkReasons(t, w, b)
				checkFigures(t, w, b)
				checkSignals(t, s)
				checkPace(t, w)
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
	if !ours(x.Unit) {
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

// TestFleetIsNotInStep: at no moment do most pullers do the same but pull a body, and bodies are of all lengths.
func TestFleetIsNotInStep(t *testing.T) {
	w := plantOf(t, plants.OneGW, 3)
	phase, weight := map[string]int64{}, map[string]float64{}
	w.Observe(world.Observer{Sample: func(x *world.Sample) {
		switch x.Signal.Name {
		case "phase":
			if x.Unit.Class.Name == "cz_puller" {
				phase[x.Unit.ID] = x.Value.Int()
			}
		case "crystal_weight_kg":
			weight[x.Unit.ID] = x.Value.Float()
		}
	}}, seldom)
	for day := 1; day <= 4; day++ {
		advance(t, w, time.Duration(day)*24*time.Hour)
		count := map[int64]int{}
		var tenths [5]int
		for id, p := range phase {
			count[p]++
			tenths[int(min(4, weight[id]/80))]++
		}
		if len(phase) != 56 || slices.Max(tenths[:]) > 28 || slices.Min(tenths[:]) < 3 {
			t.Errorf("day %d: crystals by 80 kg %v", day, tenths)
		}
		const body = 9
		for p, n := range count {
			if p != body && n > 12 {
				t.Errorf("day %d: %d pullers are in phase %d", day, n, p)
			}
		}
	}
}

// TestStepsChangeNothing: the same plant, whatever the steps in which time is let go on.
func TestStepsChangeNothing(t *testing.T) {
	diary := func(step time.Duration) uint64 {
		w := plantOf(t, plants.Demo, 7)
		advance(t, w, 60*time.Hour)
		h, n := fnv.New64a(), 0
		b := &book{}
		o := b.observer(func(x *world.Sample) {
			if n++; ours(x.Unit) {
				fmt.Fprintln(h, x.At, x.Unit.ID, x.Signal.Name, x.Value)
			}
		})
		w.Observe(o, func(u *world.Unit, s *plant.Signal) time.Duration {
			return min(seldom(u, s), max(time.Second, world.AsTheModelSays(u, s)))
		})
		for at := 60 * time.Hour; at < 62*time.Hour; at += step {
			advance(t, w, min(62*time.Hour, at+step))
		}
		o.Sample = nil
		w.Observe(o, nil)
		advance(t, w, 10*24*time.Hour)
		fmt.Fprintln(h, b.steps, b.records, len(b.lots))
		if n < 10_000 || len(b.steps) < 10 {
			t.Errorf("only %d samples, %d steps", n, len(b.steps))
		}
		return h.Sum64()
	}
	if diary(4*time.Hour) != diary(733*time.Millisecond) {
		t.Error("small steps give another plant")
	}
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

// enter keeps scrap, and checks what people say about stops.
func (b *book) enter(r *record.Record) {
	if r.Kind == record.Scrap {
		b.records = append(b.records, *r)
		return
	}
	b.stops = append(b.stops, *r)
}
