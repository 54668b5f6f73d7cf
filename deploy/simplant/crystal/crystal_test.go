package crystal_test

import (
	"fmt"
	"hash/fnv"
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
	}{{"demo", plants.Living, 6, 14}, {"1gw", plants.OneGW, 1, 8}} {
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

// checkLots: what goes in comes out, to the gram; nothing is taken before it was made, or twice.
func checkLots(t *testing.T, w *world.World, b *book) {
	t.Helper()
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

// checkScrap: what is found later was made by the unit that it is said of.
func checkScrap(t *testing.T, w *world.World, b *book) {
	t.Helper()
	kinds := map[string]int{}
	ids := map[string]bool{}
	for _, r := range b.records {
		if err := r.Check(); err != nil || ids[r.ID] {
			t.Errorf("record %s, known before: %v: %v", r.ID, ids[r.ID], err)
		}
		ids[r.ID] = true
		u, ok := w.Unit(r.Unit)
		if !ok {
			t.Fatalf("record %s is of unit %q", r.ID, r.Unit)
		}
		if kg := madeIn(u, calendar.Interval{From: r.From, To: r.To}); kg+0.01 < r.Quantity.Float() {
			t.Errorf("record %s says %s kg, but %v were made in %s to %s", r.ID, r.Quantity, kg, r.From, r.To)
		}
		if late := r.ReportedAt.Sub(r.To); late < 20*time.Minute || late > 72*time.Hour {
			t.Errorf("record %s is reported %s later", r.ID, late)
		}
		kinds[r.Reason]++
	}
	t.Log(kinds)
	for _, reason := range []string{"crown", "tail"} {
		if kinds[reason] < 10 {
			t.Errorf("only %d records of a %s", kinds[reason], reason)
		}
	}
	if len(w.Units()) > 100 && (kinds["structure loss"] < 10 || kinds["resistivity out of specification"] < 10) {
		t.Errorf("records by reason: %v", kinds)
	}
}

// madeIn is what the truth says that a unit made.
func madeIn(u *world.Unit, v calendar.Interval) (pieces float64) {
	for _, s := range u.Segments() {
		pieces += s.Total * s.Meet(v).Duration().Seconds()
	}
	return pieces
}

func checkFigures(t *testing.T, w *world.World, b *book) {
	t.Helper()
	cz, pullers := figuresOf(w, "cz_puller")
	scrap := 0.0
	for _, r := range b.records {
		scrap += r.Quantity.Float()
	}
	between(t, "kWh per kg of boule", cz.kwh/cz.pieces, 25, 32)
	between(t, "kg a day of a puller", cz.pieces/cz.hours*24, 160, 200)
	between(t, "OEE of the pullers", (cz.pieces-scrap)*432/3600/cz.hours, 0.78, 0.92)
	between(t, "availability of the pullers", cz.run/cz.hours, 0.9, 0.99)
	for i, one := range pullers {
		between(t, fmt.Sprintf("kWh per kg of puller %d", i), one.kwh/one.pieces, 23, 38)
	}
	bm, _ := figuresOf(w, "brick_machine")
	brick, ingot := world.Quantity(0), world.Quantity(0)
	for _, s := range b.steps {
		if !strings.HasPrefix(s.ID, "CROPPING") {
			continue
		}
		ingot += s.Inputs[0].Quantity
		for _, o := range s.Outputs {
			if b.lots[o.Lot].Kind == "brick" {
				brick += o.Quantity
			}
		}
	}
	between(t, "brick per ingot", brick.Float()/ingot.Float(), 0.54, 0.63)
	between(t, "kWh per kg of brick", bm.kwh/brick.Float(), 0.75, 1.15)
	t.Logf("brick machines run %.2f, idle %.2f; on stock off-cuts %s, ingots %s, poly %s", bm.run/bm.hours, bm.idle/bm.hours,
		w.Stock("offcut").Have(), w.Stock("ingot").Have(), w.Stock("poly").Have())
}

func checkSignals(t *testing.T, s *watcher) {
	t.Helper()
	if s.balance > 0.03 {
		t.Errorf("crystal and melt differ from the charge by %v kg", s.balance)
	}
	for _, want := range []string{"cz_puller run ", "cz_puller setup ", "cz_puller stop fault", "brick_machine stop tool", "brick_machine run "} {
		if !s.reasons[want] {
			t.Errorf("nothing was %q: %v", want, reasonsOf(s))
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
		w := plantOf(t, plants.Living, 7)
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

// checkReasons: what people say about a stop is of a stop.
func checkReasons(t *testing.T, w *world.World, b *book) {
	t.Helper()
	for _, r := range b.stops {
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
	if len(b.stops) == 0 {
		t.Error("nobody says why anything stood")
	}
}
