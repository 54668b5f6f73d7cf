package truth_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// life is a plant that lives before somebody looks (before), is looked at (window), and is asked about at its end.
type life struct {
	*world.World
	seed   uint64
	rng    *rand.Rand
	faults []world.Fault
	model  *plant.Model
	window calendar.Interval // that somebody looks
	middle telemetry.Instant // when the ledger is kept for the first time

	seen, clear *truth.Recorder // of what was seen, and of what was there to be seen
	lots        []*world.Lot
	steps       []*world.Step
	results     []told[world.LabResult]
	records     []record.Record
	kWh         map[string]float64 // what each unit had used when somebody began to look

	out writing
}

// told is what somebody entered at a moment.
type told[T any] struct {
	at telemetry.Instant
	it T
}

// plan is what of a life depends on the seed, besides what happens.
type plan struct {
	before, lasts time.Duration
	faults        func(l *life) []world.Fault
}

// first is where the weeks of the plant begin: a Sunday evening, before the planned stop of Monday.
func first(t testing.TB, m *plant.Model) telemetry.Instant {
	t.Helper()
	zone, err := calendar.Zone(m.Zone)
	if err != nil {
		t.Fatal(err)
	}
	return calendar.Local(zone, calendar.Date{Year: 2026, Month: time.November, Day: 1}, calendar.Clock(20*time.Hour+3*time.Minute))
}

func newLife(t testing.TB, seed uint64, p plan) *life {
	t.Helper()
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	l := &life{seed: seed, rng: rand.New(rand.NewPCG(seed, 0x5eed)), model: m, kWh: map[string]float64{}}
	begin := first(t, m).Add(time.Duration(seed) * 5 * time.Hour).Add(time.Duration(l.rng.IntN(3600)) * time.Second)
	l.window = calendar.Interval{From: begin, To: begin.Add(p.lasts)}
	l.middle = begin.Add(p.lasts/2 + time.Duration(l.rng.IntN(3600))*time.Second)
	if p.faults != nil { // nobody can know less than a proof of life says: the record begins with one
		l.window.From -= l.window.From % telemetry.Instant(beat)
		l.window.To -= l.window.To % telemetry.Instant(beat)
		begin = l.window.From
		l.faults = p.faults(l)
	}
	if l.World, err = world.New(world.Options{
		Model: m, Seed: seed, Start: begin.Add(-p.before), Process: areas.Processes, KeepSegments: true, Faults: l.faults,
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.World.Close)
	l.seen = truth.NewRecorder(truth.Options{Model: m, Begin: begin, Seen: l.alive})
	l.clear = truth.NewRecorder(truth.Options{Model: m, Begin: begin})
	l.out.name(t, l.World)
	l.Observe(l.observer(world.Observer{}), nil)
	l.advance(t, begin)
	for _, u := range l.Units() {
		l.kWh[u.ID] = u.EnergyNow()
	}
	l.Observe(l.observer(world.Observer{Sample: l.sample, True: func(s *world.Sample) {
		if hasRole(s.Unit.Class, s.Signal) {
			l.clear.Sample(s)
		}
	}}), l.cadence)
	return l
}

func (l *life) advance(t testing.TB, to telemetry.Instant) {
	t.Helper()
	if err := l.Advance(to); err != nil {
		t.Fatal(err)
	}
}

// alive is when a unit was seen.
func (l *life) alive(unit string, v calendar.Interval) calendar.Set {
	u, _ := l.Unit(unit)
	return u.Seen(v)
}

// sample takes in what a collector sees.
func (l *life) sample(s *world.Sample) {
	if !hasRole(s.Unit.Class, s.Signal) {
		return // no answer rests on it
	}
	l.seen.Sample(s)
	l.out.sample(s)
}

// observer adds what people, the MES and the laboratory hand over.
func (l *life) observer(o world.Observer) world.Observer {
	o.Lot = func(x *world.Lot) { c := *x; l.lots = append(l.lots, &c) }
	o.Step = func(x *world.Step) { c := *x; l.steps = append(l.steps, &c) }
	o.Lab = func(x *world.LabResult) { l.results = append(l.results, told[world.LabResult]{l.Now(), *x}) }
	o.Record = func(x *record.Record) {
		l.seen.Record(x)
		l.clear.Record(x)
		l.records = append(l.records, *x)
	}
	return o
}

// cadences are how often collectors look: each seed has other ones, so that deltas are cut by other borders.
var cadences = [][3]time.Duration{ // counters and progress, registers, power
	{60 * time.Second, 120 * time.Second, 30 * time.Second},
	{20 * time.Second, 300 * time.Second, 50 * time.Second},
	{150 * time.Second, 60 * time.Second, 100 * time.Second}, // power does not hold so long: some time is dark
}

func (l *life) cadence(u *world.Unit, s *plant.Signal) time.Duration {
	c := cadences[l.seed%uint64(len(cadences))]
	switch {
	case !hasRole(u.Class, s):
		return 1000 * time.Hour
	case s == u.Class.Energy:
		return c[1]
	case s == u.Class.Power:
		return c[2]
	case s.Kind == plant.State || s.Kind == plant.Text || s == u.Class.Batch:
		return 0
	default:
		return c[0]
	}
}

// hasRole says that answers rest on the signal.
func hasRole(c *plant.Class, s *plant.Signal) bool {
	for _, r := range []*plant.Signal{c.State, c.Total, c.Good, c.Scrap, c.Energy, c.Power, c.Progress, c.Product, c.Batch, c.Reason} {
		if r != nil && r.Name == s.Name {
			return true
		}
	}
	return false
}
