package wafering_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/wafering"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = func() world.Instant {
	t, err := calendar.ParseTime("2026-11-19T00:00:00+05:00", nil)
	if err != nil {
		panic(err)
	}
	return t
}()

// cropper stands for the brick machines.
type cropper struct{ every time.Duration }

func (c cropper) Run(u *world.Unit) {
	w := u.World()
	for u.Number == 1 {
		u.Wait(c.every)
		id, mm := w.Serial("BRK"), 798+u.Rand().Float64()*4
		kg := world.Amount(mm * 0.0769)
		w.AddLot(world.Lot{ID: id, Kind: "brick", Quantity: kg, UnitOf: "kg", Why: "made here"})
		w.Stock("brick").Put(world.Held{Lot: id, Quantity: kg, Note: world.BrickNote{LengthMM: mm}})
	}
}

func isOurs(u *world.Unit) bool {
	return slices.Contains([]string{"wire_saw", "clean_line", "wafer_sorter"}, u.Class.Name)
}

// plantOf makes the plant of a model, with bricks for what this package drives.
func plantOf(t *testing.T, model []byte, seed uint64) *world.World {
	t.Helper()
	m, err := plant.Parse("model.yaml", model)
	if err != nil {
		t.Fatal(err)
	}
	bricks := 0.0 // a second
	for _, u := range m.Units {
		if u.Class.Name == "cz_puller" {
			bricks += 1.75 / 86_400
		}
	}
	w, err := world.New(world.Options{Model: m, Seed: seed, Start: start, KeepSegments: true, Process: func(u *world.Unit) world.Process {
		if u.Class.Name == "brick_machine" {
			return cropper{every: time.Duration(1e9 / bricks).Truncate(time.Second)}
		}
		return wafering.Process(u)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func advance(t *testing.T, w *world.World, d time.Duration) {
	t.Helper()
	if err := w.Advance(start.Add(d)); err != nil {
		t.Fatal(err)
	}
}

// seldom looks at what is measured every seven minutes.
func seldom(u *world.Unit, s *plant.Signal) time.Duration {
	if !isOurs(u) {
		return 1000 * time.Hour
	}
	if s.Kind == plant.State || s.Kind == plant.Text {
		return 0
	}
	return 7 * time.Minute
}

// watcher writes down all that is seen and entered.
type watcher struct {
	t        *testing.T
	lots     map[string]world.Lot
	steps    []world.Step
	records  []record.Record // of scrap
	stops    []record.Record // what people say about them
	progress map[string]float64
	counted  map[string]int64 // by unit and signal
	rolled   int
	reasons  map[string]bool
}

func watch(t *testing.T, w *world.World) *watcher {
	x := &watcher{t: t, lots: map[string]world.Lot{}, progress: map[string]float64{}, counted: map[string]int64{}, reasons: map[string]bool{}}
	w.Observe(world.Observer{
		Sample: x.sample,
		Lot:    func(l *world.Lot) { x.lots[l.ID] = *l },
		Step:   func(s *world.Step) { x.steps = append(x.steps, *s) },
		Record: func(r *record.Record) { x.enter(r) },
	}, seldom)
	return x
}

func (x *watcher) sample(s *world.Sample) {
	if !isOurs(s.Unit) {
		return
	}
	v := s.Value.Float() + float64(s.Value.Int())
	if math.IsNaN(v) || math.IsInf(v, 0) {
		x.t.Fatalf("%s.%s is %v", s.Unit.ID, s.Signal.Name, v)
	}
	if r := s.Signal.Range; r != nil && s.Signal.Kind == plant.Analog && (v < r.Low.Float() || v > r.High.Float()) {
		x.t.Errorf("%s.%s is %v at %s, out of [%v, %v]", s.Unit.ID, s.Signal.Name, v, s.At, r.Low, r.High)
	}
	id, c := s.Unit.ID, s.Unit.Class
	switch s.Signal {
	case c.State:
		codes, _ := s.Unit.States.At(s.At)
		m, ok := codes[s.Value.String()]
		if !ok {
			x.t.Errorf("%s shows state %s, which its map lacks", id, s.Value)
		}
		x.reasons[c.Name+" "+string(m.Category)+" "+m.Reason] = true
	case c.Batch:
		x.progress[id] = 0
	case c.Progress:
		if v < x.progress[id] {
			x.t.Errorf("%s: progress falls from %v to %v within a cut", id, x.progress[id], v)
		}
		x.progress[id] = v
	case c.Total, c.Good, c.Scrap:
		key := id + "." + s.Signal.Name
		if n := s.Value.Int(); n < x.counted[key] {
			if x.counted[key]-n < 1<<31 {
				x.t.Errorf("%s falls from %d to %d", key, x.counted[key], n)
			}
			x.rolled++
		}
		x.counted[key] = s.Value.Int()
	case c.Reason:
		x.reasons[c.Name+" code "+s.Value.String()] = true
	}
}

// TestWafers lives through days of two plants, with several seeds.
func TestWafers(t *testing.T) {
	for _, c := range []struct {
		name  string
		model []byte
		seeds uint64
		days  int
	}{{"demo", plants.Demo, 6, 12}, {"1gw", plants.OneGW, 1, 7}} {
		for seed := range c.seeds {
			t.Run(fmt.Sprintf("%s/%d", c.name, seed), func(t *testing.T) {
				w := plantOf(t, c.model, seed)
				x := watch(t, w)
				advance(t, w, time.Duration(c.days)*24*time.Hour)
				checkLots(t, w, x)
				checkScrap(t, w, x)
				checkReasons(t, w, x)
				checkFigures(t, w, x)
				checkStates(t, x)
				checkPace(t, w)
			})
		}
	}
}

// TestSawsAreNotInStep: cuts are at all depths at once, and the weekly cleaning waits for the end of a cut.
func TestSawsAreNotInStep(t *testing.T) {
	w := plantOf(t, plants.OneGW, 3)
	depth := map[string]float64{}
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		if s.Signal == s.Unit.Class.Progress && isOurs(s.Unit) {
			depth[s.Unit.ID] = s.Value.Float()
		}
	}}, seldom)
	for hour := range 30 {
		advance(t, w, time.Duration(20+hour)*time.Hour)
		var parts [4]int
		for _, mm := range depth {
			parts[int(min(3, mm/48))]++
		}
		if len(depth) != 12 || slices.Max(parts[:]) > 9 {
			t.Errorf("hour %d: saws by depth %v", hour, parts)
		}
	}
	w.Observe(world.Observer{}, nil)
	advance(t, w, 10*24*time.Hour)
	for _, u := range w.Units() {
		if u.Class.Name != "wire_saw" {
			continue
		}
		segments, cleanings := u.Segments(), 0
		for i, s := range segments {
			if s.Category != plant.Planned {
				continue
			}
			cleanings++
			if i > 0 && segments[i-1].Total > 0 {
				t.Errorf("%s is cleaned in the middle of a cut at %s", u.ID, s.From)
			}
		}
		if cleanings > 2 {
			t.Errorf("%s was cleaned %d times", u.ID, cleanings)
		}
	}
}

// TestStepsChangeNothing: the same plant, whatever the steps in which time is let go on.
func TestStepsChangeNothing(t *testing.T) {
	diary := func(step time.Duration) uint64 {
		w := plantOf(t, plants.Demo, 7)
		advance(t, w, 30*time.Hour)
		h, n := fnv.New64a(), 0
		x := watch(t, w)
		o := world.Observer{
			Sample: func(s *world.Sample) {
				if n++; isOurs(s.Unit) {
					fmt.Fprintln(h, s.At, s.Unit.ID, s.Signal.Name, s.Value)
				}
			},
			Step:   func(s *world.Step) { x.steps = append(x.steps, *s) },
			Record: func(r *record.Record) { x.enter(r) },
		}
		w.Observe(o, func(u *world.Unit, s *plant.Signal) time.Duration {
			return min(seldom(u, s), max(time.Second, world.AsTheModelSays(u, s)))
		})
		for at := 30 * time.Hour; at < 32*time.Hour; at += step {
			advance(t, w, min(32*time.Hour, at+step))
		}
		o.Sample = nil
		w.Observe(o, nil)
		advance(t, w, 5*24*time.Hour)
		fmt.Fprintln(h, x.steps, x.records)
		if n < 10_000 || len(x.steps) < 50 {
			t.Errorf("only %d samples, %d steps", n, len(x.steps))
		}
		return h.Sum64()
	}
	if diary(2*time.Hour) != diary(733*time.Millisecond) {
		t.Error("small steps give another plant")
	}
}

func between(t *testing.T, what string, x, low, high float64) {
	t.Helper()
	t.Logf("%s: %.4g", what, x)
	if !(x >= low && x <= high) {
		t.Errorf("%s is %v, want %v to %v", what, x, low, high)
	}
}

// enter keeps scrap, and checks what people say about stops.
func (x *watcher) enter(r *record.Record) {
	if r.Kind == record.Scrap {
		x.records = append(x.records, *r)
		return
	}
	x.stops = append(x.stops, *r)
}
