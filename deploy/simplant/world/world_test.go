package world_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const model = `
plant: test
site: test
zone: Asia/Almaty
areas: [{id: a}]
calendars:
  - name: day
    shifts: [{name: day, begin: "08:00", end: "20:00"}]
products:
  - {name: p, ideal: {maker: 1}}
classes:
  - name: maker
    piece: piece
    hold: 1m
    roles: {state: state, total: total, good: good, scrap: scrap, energy: energy_kwh, power: power_kw, reason: why}
    reasons: {"7": jam}
    state_maps: [{codes: {0: idle, 1: run, 3: {category: stop, reason: jam}, 4: {category: stop, reason: other}, 5: planned}}]
    signals:
      - {name: state, kind: state}
      - {name: why, kind: state}
      - {name: total, kind: counter}
      - {name: good, kind: counter}
      - {name: scrap, kind: counter}
      - {name: energy_kwh, kind: register, unit: kWh, counter: {rule: rollover, modulus: 1000}}
      - {name: power_kw, unit: kW, range: [0, 100]}
      - {name: position_mm, unit: mm, range: [0, 1000]}
      - {name: valve, kind: state}
      - {name: recipe, kind: text}
units:
  - {id: "m{n}", count: 2, class: maker, area: a, calendar: day, product: p}
`

// maker makes pieces out of what is on stock, forever; the first one fills the stock of the second.
type maker struct{ first bool }

func (m maker) Run(u *world.Unit) {
	w := u.World()
	u.Standby(2)
	u.Hazards(world.Hazard{Category: plant.Stop, Reason: "jam", Every: time.Hour, Lasts: 10 * time.Minute, Least: time.Minute})
	for {
		if !m.first {
			u.State(plant.Idle, "")
			for _, h := range w.Stock("pieces").Take(u, world.Whole(90)) {
				w.AddStep(world.Step{ID: w.Serial("S"), Unit: u.ID, Inputs: []world.Portion{{Lot: h.Lot, Quantity: h.Quantity}}})
			}
		}
		u.Ready()
		u.State(plant.Run, "")
		u.Load(20, 0.01)
		u.Follow("position_mm", world.Line(0, 1))
		u.Make(100, 1, 10)
		u.Load(5, 0)
		u.Wait(time.Second)
		if m.first {
			lot := w.Serial("LOT")
			w.AddLot(world.Lot{ID: lot, Quantity: world.Whole(90), UnitOf: "piece"})
			w.Stock("pieces").Put(world.Held{Lot: lot, Quantity: world.Whole(90)})
		}
	}
}

var start = func() world.Instant {
	t, err := calendar.ParseTime("2026-11-02T07:00:00+05:00", nil)
	if err != nil {
		panic(err)
	}
	return t
}()

func make1(t *testing.T, seed uint64, faults ...world.Fault) *world.World {
	t.Helper()
	m, err := plant.Parse("test.yaml", []byte(model))
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: seed, Start: start, KeepSegments: true, Faults: faults,
		Process: func(u *world.Unit) world.Process { return maker{first: u.Number == 1} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// diary writes down what happens, in steps of a length, seen from begin on.
func diary(t *testing.T, w *world.World, begin, step, length time.Duration) []string {
	t.Helper()
	advance(t, w, start.Add(begin))
	var out []string
	w.Observe(world.Observer{
		Sample: func(s *world.Sample) {
			out = append(out, fmt.Sprint(s.At, s.Unit.ID, s.Signal.Name, s.Value, s.Status))
		},
		Lot:  func(l *world.Lot) { out = append(out, fmt.Sprint(*l)) },
		Step: func(s *world.Step) { out = append(out, fmt.Sprint(*s)) },
	}, world.AsTheModelSays)
	for at := begin; at < length; {
		at = min(length, at+step)
		advance(t, w, start.Add(at))
	}
	return out
}

func advance(t *testing.T, w *world.World, to world.Instant) {
	t.Helper()
	if err := w.Advance(to); err != nil {
		t.Fatal(err)
	}
}

func TestStepsAndLookingChangeNothing(t *testing.T) {
	whole := diary(t, make1(t, 1), 0, 5*time.Hour, 5*time.Hour)
	if len(whole) < 10_000 {
		t.Fatalf("only %d entries", len(whole))
	}
	if steps := diary(t, make1(t, 1), 0, 377*time.Millisecond, 5*time.Hour); !slices.Equal(whole, steps) {
		t.Error("small steps give another plant")
	}
	if other := diary(t, make1(t, 2), 0, 5*time.Hour, 5*time.Hour); slices.Equal(whole, other) {
		t.Error("another seed gives the same plant")
	}
	late := diary(t, make1(t, 1), 4*time.Hour, time.Second, 5*time.Hour)
	from := slices.Index(whole, late[len(late)-2000])
	if from < 0 || !slices.Equal(whole[from:], late[len(late)-2000:]) {
		t.Error("who looks later sees another plant")
	}
}

func TestTruthAgreesWithWhatIsShown(t *testing.T) {
	w := make1(t, 3)
	last := map[string]float64{}
	text := map[string]int{}
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		v := s.Value.Float() + float64(s.Value.Int())
		key := s.Unit.ID + "." + s.Signal.Name
		if s.Signal.Kind == plant.Counter && v < last[key] {
			t.Errorf("%s falls from %v to %v", key, last[key], v)
		}
		last[key] = v
		text[key]++
	}}, world.AsTheModelSays)
	advance(t, w, start.Add(26*time.Hour))
	for _, u := range w.Units() {
		var total, scrap, energy float64
		stops, at := 0, start
		for _, s := range u.Segments() {
			if s.From != at || s.To < s.From {
				t.Fatalf("%s: segment from %s after %s", u.ID, s.From, at)
			}
			at = s.To
			sec := s.Duration().Seconds()
			total, scrap = total+s.Total*sec, scrap+s.Scrap*sec
			energy += (s.KW*sec + s.Slope*sec*sec/2) / 3600
			if s.Category == plant.Stop {
				stops++
			}
			if s.Total > 0 && s.Category != plant.Run {
				t.Errorf("%s makes pieces while %s", u.ID, s.Category)
			}
		}
		if math.Abs(energy-u.EnergyNow()) > 1e-6 || energy < 100 {
			t.Errorf("%s: segments have %v kWh, the register counted %v", u.ID, energy, u.EnergyNow())
		}
		if got := last[u.ID+".total"]; math.Abs(got-total) > 2 || // the last second was not looked at yet
			total < 10_000 {
			t.Errorf("%s: segments have %v pieces, the counter %v", u.ID, total, got)
		}
		if got := last[u.ID+".good"]; math.Abs(got-(total-scrap)) > 2 {
			t.Errorf("%s: segments have %v good pieces, the counter %v", u.ID, total-scrap, got)
		}
		if stops < 4 || text[u.ID+".why"] < 8 {
			t.Errorf("%s: %d stops, %d reasons shown", u.ID, stops, text[u.ID+".why"])
		}
		if text[u.ID+".recipe"] < 100 || text[u.ID+".valve"] < 100 {
			t.Errorf("%s: signals without a script stand still", u.ID)
		}
	}
}

func TestCalendarInterruptsWork(t *testing.T) {
	w := make1(t, 4)
	advance(t, w, start.Add(24*time.Hour))
	u, _ := w.Unit("m1")
	c, _ := w.Model().Calendar("day")
	work := c.Rules.Scheduled(calendar.Interval{From: start, To: start.Add(24 * time.Hour)})
	for _, s := range u.Segments() {
		if s.Category == plant.Run && work.Clip(s.Interval).Duration() != s.Duration() {
			t.Errorf("runs %s outside of the shift", s.Interval)
		}
	}
}

func TestFaults(t *testing.T) {
	at := func(h, m int) world.Instant {
		return start.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
	}
	w := make1(t, 5,
		world.Fault{Kind: world.Silent, Unit: "m1", Interval: calendar.Interval{From: at(2, 0), To: at(2, 10)}},
		world.Fault{Kind: world.Stuck, Unit: "m1", Signal: "power_kw", Interval: calendar.Interval{From: at(3, 0), To: at(3, 10)}},
		world.Fault{Kind: world.Failed, Unit: "m1", Signal: "total", Interval: calendar.Interval{From: at(4, 0), To: at(4, 10)}},
		world.Fault{Kind: world.Skewed, Unit: "m1", Signal: "good", Interval: calendar.Interval{From: at(5, 0), To: at(5, 10)}, Skew: 3 * time.Hour},
	)
	within := func(t world.Instant, h int) bool { return t >= at(h, 0) && t < at(h, 10) }
	seen, true1, stuck, bad, skewed, again := 0, 0, map[string]bool{}, 0, 0, 0
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		switch {
		case s.Unit.ID != "m1":
		case within(w.Now(), 2):
			seen++
		case w.Now() == at(2, 10):
			again++
		case within(w.Now(), 3) && s.Signal.Name == "power_kw":
			stuck[s.Value.String()] = true
		case within(w.Now(), 4) && s.Status != 0:
			bad++
		case s.At != w.Now():
			skewed++
		}
	}, True: func(s *world.Sample) {
		if s.Unit.ID == "m1" && within(w.Now(), 2) {
			true1++
		}
	}}, world.AsTheModelSays)
	advance(t, w, start.Add(6*time.Hour))
	if seen != 0 || true1 < 500 || len(stuck) != 1 || bad < 5 || skewed < 5 || again < 8 {
		t.Errorf("seen %d, true %d, stuck at %d values, bad %d, skewed %d, told again %d", seen, true1, len(stuck), bad, skewed, again)
	}
}

func TestFaultOnTheWay(t *testing.T) {
	w := make1(t, 5)
	begin := start.Add(2 * time.Hour)
	bad := map[world.Instant]bool{}
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		if s.Status != 0 {
			bad[s.At] = true
		}
	}}, world.AsTheModelSays)
	advance(t, w, begin)
	f := world.Fault{Kind: world.Failed, Unit: "m1", Signal: "power_kw", Interval: calendar.Interval{From: begin, To: begin.Add(time.Minute)}}
	if err := w.AddFault(f); err != nil {
		t.Fatal(err)
	}
	if f.Unit = "m9"; w.AddFault(f) == nil {
		t.Error("a fault of nobody was taken")
	}
	advance(t, w, begin.Add(time.Hour))
	for at := range bad {
		if !f.Holds(at) {
			t.Errorf("bad at %s", at)
		}
	}
	if len(bad) != 60 {
		t.Errorf("%d bad samples in a minute, want one a second", len(bad))
	}
}

func TestQuantity(t *testing.T) {
	for q, want := range map[world.Quantity]string{0: "0", 1: "0.001", 1500: "1.5", -20: "-0.02", world.Whole(10): "10"} {
		if q.String() != want {
			t.Errorf("%d is %q, want %q", q, q.String(), want)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	m, err := plant.Parse("test.yaml", []byte(model))
	if err != nil {
		b.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Start: start, Process: func(u *world.Unit) world.Process { return maker{first: u.Number == 1} }})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	n := 0
	w.Observe(world.Observer{Sample: func(*world.Sample) { n++ }}, world.AsTheModelSays)
	for b.Loop() {
		if err := w.Advance(w.Now().Add(time.Second)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "samples/s")
}
