package wafering_test

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
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
	}{{"demo", plants.Living, 6, 12}, {"1gw", plants.OneGW, 1, 7}} {
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
			})
		}
	}
}

func checkLots(t *testing.T, w *world.World, x *watcher) {
	made, taken, last := map[string]bool{}, map[string]world.Quantity{}, map[string]time.Time{}
	for _, s := range x.steps {
		var in, out world.Quantity
		for _, p := range s.Inputs {
			l, ok := x.lots[p.Lot]
			if !ok || p.Quantity <= 0 || !made[p.Lot] && l.Embodied == nil && l.Why == "" {
				t.Fatalf("%s takes %s %s, which is not there (yet)", s.ID, p.Quantity, p.Lot)
			}
			if taken[p.Lot] += p.Quantity; taken[p.Lot] != l.Quantity {
				t.Errorf("%s: %s were taken of %s, which had %s", s.ID, taken[p.Lot], p.Lot, l.Quantity)
			}
			in += p.Quantity
		}
		for _, p := range s.Outputs {
			if l, ok := x.lots[p.Lot]; !ok || l.Quantity != p.Quantity || p.Quantity <= 0 || made[p.Lot] {
				t.Errorf("%s makes %s of %s, a lot of %s", s.ID, p.Quantity, p.Lot, x.lots[p.Lot].Quantity)
			}
			made[p.Lot] = true
			out += p.Quantity
		}
		if !strings.HasPrefix(s.ID, "SAWING") && in != out {
			t.Errorf("%s takes %s and makes %s", s.ID, in, out)
		}
		if mm := in.Float() / 0.0769; strings.HasPrefix(s.ID, "SAWING") && math.Abs(out.Float()-mm*1000/182) > 4 {
			t.Errorf("%s makes %s wafers of %.1f mm", s.ID, out, mm)
		}
		if s.To.Before(s.From) || s.From.Before(last[s.Unit]) {
			t.Errorf("%s: from %s to %s, after one that ends at %s", s.ID, s.From, s.To, last[s.Unit])
		}
		last[s.Unit] = s.To
	}
	var wafers world.Quantity
	for id := range made {
		if l := x.lots[id]; l.Kind == "wafer" && l.Product != "broken wafers" {
			wafers += l.Quantity
			if l.WpNominal == nil || math.Abs(l.WpNominal.Float()/l.Quantity.Float()-8.25) > 1e-6 {
				t.Errorf("%s has %v watts", id, l.WpNominal)
			}
		}
	}
	if have := w.Stock("wafer").Have(); have != wafers || wafers == 0 {
		t.Errorf("%s wafers in the book, %s on stock", wafers, have)
	}
}

func checkScrap(t *testing.T, w *world.World, x *watcher) {
	cuts := map[string]world.Step{}
	for _, s := range x.steps {
		if strings.HasPrefix(s.ID, "SAWING-") {
			cuts[strings.TrimPrefix(s.ID, "SAWING-")] = s
		}
	}
	kinds := map[string]int{}
	for _, r := range x.records {
		if err := r.Check(); err != nil {
			t.Errorf("record %s: %v", r.ID, err)
		}
		cut := strings.TrimPrefix(r.Why, "wafers of cut ")
		s, ok := cuts[cut]
		if !ok || s.Unit != r.Unit || r.From.Time().Before(s.From) || r.To.Time().After(s.To) {
			t.Errorf("record %s is of %s, %s to %s: no cut", r.ID, r.Unit, r.From, r.To)
		}
		if late := r.ReportedAt.Sub(r.To); late < 30*time.Minute || late > 48*time.Hour || r.KnownAt > r.ReportedAt || r.KnownAt < r.ReportedAt-1000 {
			t.Errorf("record %s is reported %s after the cut, and known at %s", r.ID, late, r.KnownAt)
		}
		kinds[r.Reason]++
	}
	t.Log(kinds)
	if kinds["saw marks"] < 50 || kinds["thickness"] < 50 || kinds["wire break"] == 0 && len(cuts) > 300 {
		t.Errorf("records by reason: %v", kinds)
	}
}

// figures of all units of a class.
type figures struct{ pieces, scrap, kwh, hours, run, planned float64 }

func figuresOf(w *world.World, class string) (f figures) {
	for _, u := range w.Units() {
		if u.Class.Name != class {
			continue
		}
		f.kwh += u.EnergyNow()
		for _, s := range u.Segments() {
			h := s.Duration().Hours()
			f.hours += h
			f.pieces += s.Total * h * 3600
			f.scrap += s.Scrap * h * 3600
			switch s.Category {
			case plant.Run:
				f.run += h
			case plant.Planned:
				f.planned += h
			}
		}
	}
	return f
}

func checkFigures(t *testing.T, w *world.World, x *watcher) {
	ideal := func(class string) float64 {
		for _, u := range w.Units() {
			if u.Class.Name == class {
				s, _ := u.Ideal("M10").At(start)
				return s.Float()
			}
		}
		return 0
	}
	f := figuresOf(w, "wire_saw")
	late := 0.0
	for _, r := range x.records {
		late += r.Quantity.Float()
	}
	between(t, "kWh per wafer", f.kwh/f.pieces, 0.055, 0.068)
	between(t, "OEE of the saws", (f.pieces-late)*ideal("wire_saw")/3600/(f.hours-f.planned), 0.5, 0.85)
	between(t, "availability of the saws", f.run/(f.hours-f.planned), 0.5, 0.92)
	between(t, "late scrap", late/f.pieces, 0.005, 0.04)
	f = figuresOf(w, "clean_line")
	between(t, "OEE of the cleaning lines", (f.pieces-f.scrap)*ideal("clean_line")/3600/f.hours, 0.3, 0.9)
	between(t, "breakage", f.scrap/f.pieces, 0.015, 0.025)
	f = figuresOf(w, "wafer_sorter")
	between(t, "OEE of the sorters", (f.pieces-f.scrap)*ideal("wafer_sorter")/3600/f.hours, 0.3, 0.85)
	between(t, "rejects", f.scrap/f.pieces, 0.01, 0.04)
	t.Logf("on stock %s kg of bricks, %s cut and %s cleaned wafers", w.Stock("brick").Have(), w.Stock("cutwafer").Have(), w.Stock("cleanwafer").Have())
}

func checkStates(t *testing.T, x *watcher) {
	t.Helper()
	if x.rolled != 2 {
		t.Errorf("%d counters rolled over, want 2", x.rolled)
	}
	for _, want := range []string{
		"wire_saw run ", "wire_saw setup ", "wire_saw planned ", "wire_saw stop fault", "wire_saw stop wire break",
		"clean_line run Execute", "clean_line idle Idle", "clean_line stop stopped", "wafer_sorter run Execute", "wafer_sorter idle Idle",
		"wafer_sorter code 0", "wafer_sorter code 11", "wafer_sorter code 12", "wafer_sorter code 14",
	} {
		if !x.reasons[want] {
			t.Errorf("nothing was %q: %v", want, slices.Sorted(maps.Keys(x.reasons)))
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
		w := plantOf(t, plants.Living, 7)
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

// checkReasons: what people say about a stop is of a stop.
func checkReasons(t *testing.T, w *world.World, x *watcher) {
	t.Helper()
	for _, r := range x.stops {
		u, _ := w.Unit(r.Unit)
		if err := r.Check(); err != nil || r.Kind != record.DowntimeReason || u == nil {
			t.Fatalf("record %s of %s: %v", r.ID, r.Unit, err)
		}
		stood := time.Duration(0)
		for _, s := range u.Segments() {
			if s.Category == plant.Stop {
				stood += s.Meet(calendar.Interval{From: r.From, To: r.To}).Duration()
			}
		}
		if stood != r.To.Sub(r.From) {
			t.Errorf("%s says %s from %s to %s, of which %s were a stop", r.ID, r.Reason, r.From, r.To, stood)
		}
	}
	if len(x.stops) == 0 {
		t.Error("nobody says why anything stood")
	}
}
