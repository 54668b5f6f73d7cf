package truth_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvarts/deploy/e2e/factory"
	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The engine of the embedded store starts these at import and never ends them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// model is a plant with every way to count: each change of a counter, a counter read now and then, one per batch, a batch's
// progress; with registers that roll over, and power.
const model = `
plant: trial
site: trial
zone: Asia/Almaty
areas: [{id: a}]
calendars:
  - name: day
    shifts:
      - {name: early, begin: "08:00", end: "13:00"}
      - {name: late, begin: "14:00", end: "20:00"}
    planned_stops: [{name: cleaning, reason: cleaning, begin: "10:00", end: "10:20"}]
  - name: always
products:
  - {name: wide, ideal: {saw: 1.6, sorter: "1/3"}}
  - {name: narrow, ideal: {saw: 0.512, sorter: 0.4}}
  - {name: rods, ideal: {reactor: 2.5}}
classes:
  - name: saw
    piece: wafer
    sampling: fastest
    minor_stop: 2m
    hold: 30s
    min_kw: 1
    rated_kw: 200
    roles: {state: state, total: total, scrap: scrap, energy: energy_kwh, power: power_kw, product: recipe}
    state_maps: [{codes: {0: idle, 1: run, 2: setup, 3: {category: stop, reason: jam}, 5: planned}}]
    signals:
      - {name: state, kind: state}
      - {name: recipe, kind: text}
      - {name: total, kind: counter}
      - {name: scrap, kind: counter}
      - {name: energy_kwh, kind: register, unit: kWh, sampling: 10s, counter: {rule: rollover, modulus: 1000}}
      - {name: power_kw, unit: kW, range: [0, 200], sampling: 10s}
  - name: sorter
    piece: wafer
    roles: {state: state, good: good, scrap: scrap, energy: energy_kwh}
    state_maps: [{codes: {0: idle, 1: run, 2: setup, 3: {category: stop, reason: jam}, 5: planned}}]
    signals:
      - {name: state, kind: state, sampling: fastest}
      - {name: good, kind: counter, reporting: periodic, sampling: 10s}
      - {name: scrap, kind: counter, sampling: fastest}
      - {name: energy_kwh, kind: register, unit: kWh, sampling: 1m}
  - name: reactor
    piece: kg
    hold: 1m
    rated_kw: 5000
    batch_quantity: 6400
    progress_full: 100
    roles: {state: state, progress: done_percent, batch: batch_id, power: power_kw}
    state_maps: [{codes: {0: idle, 1: run, 2: setup, 3: {category: stop, reason: jam}, 5: planned}}]
    signals:
      - {name: state, kind: state, sampling: fastest}
      - {name: batch_id, kind: text, sampling: fastest}
      - {name: done_percent, unit: "%", range: [0, 100], sampling: 1m}
      - {name: power_kw, unit: kW, range: [0, 5000], sampling: 10s}
units:
  - {id: "saw{n}", count: 2, class: saw, area: a, calendar: day, product: wide}
  - {id: sorter1, class: sorter, area: a, calendar: day, product: wide}
  - {id: rx1, class: reactor, area: a, calendar: always, product: rods}
lines:
  - id: wafers
    steps:
      - {name: saw, units: [saw1, saw2], seconds: 0.8}
      - {name: sort, units: [sorter1], seconds: "1/3"}
    out: sorter1
`

func mustModel(t testing.TB) *plant.Model {
	t.Helper()
	m, err := plant.Parse("trial.yaml", []byte(model))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustTime(t testing.TB, s string) telemetry.Instant {
	t.Helper()
	at, err := calendar.ParseTime(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// cutter makes cuts of two products in turn; scrap is reported an hour after each fifth cut.
type cutter struct{}

func (cutter) Run(u *world.Unit) {
	w := u.World()
	u.SetText("recipe", "wide")
	u.Standby(3)
	u.Hazards(world.Hazard{Category: plant.Stop, Reason: "jam", Every: 40 * time.Minute, Lasts: 4 * time.Minute, Least: 20 * time.Second})
	for cut := 1; ; cut++ {
		recipe, each := "wide", 1.7
		if cut%3 == 0 {
			recipe, each = "narrow", 0.6
		}
		u.State(plant.Setup, "")
		u.Wait(u.Spread(5*time.Minute, 0.2))
		u.Ready()
		u.SetText("recipe", recipe)
		u.State(plant.Run, "")
		u.Load(u.Vary(100, 0.1), 0.001)
		begun := w.Now()
		u.Make(float64(800+u.Rand().IntN(400)), 1/each, float64(u.Rand().IntN(40)))
		u.State(plant.Idle, "")
		u.Wait(time.Minute)
		if ended := w.Now(); cut%5 == 0 {
			w.At(ended.Add(time.Hour), func() {
				n := exact.Int(12)
				w.AddRecord(record.Record{Kind: record.Scrap, Unit: u.ID, From: begun, To: ended, Quantity: &n, ReportedAt: ended.Add(time.Hour)}, "inspector", "saw marks")
			})
		}
		if cut == 7 && u.Number == 1 {
			at := w.Now()
			last, first := u.SwapRegister(12)
			w.AddRecord(record.Record{Kind: record.CounterSwap, Unit: u.ID, From: at, To: at, Signal: "energy_kwh", Final: &last, Initial: &first}, "electrician", "calibration")
		}
		if cut == 9 {
			u.ResetCounters()
		}
	}
}

// inspector sorts whatever comes, for ever.
type inspector struct{}

func (inspector) Run(u *world.Unit) {
	u.Standby(1)
	u.Hazards(world.Hazard{Category: plant.Stop, Reason: "jam", Every: 15 * time.Minute, Lasts: 2 * time.Minute, Least: 10 * time.Second})
	for {
		u.Ready()
		u.State(plant.Run, "")
		u.Load(8, 0)
		u.Make(500, 2.5, float64(u.Rand().IntN(9)))
		u.State(plant.Idle, "")
		u.Wait(u.Spread(time.Minute, 0.5))
	}
}

// cook makes batch after batch.
type cook struct{}

func (cook) Run(u *world.Unit) {
	u.Continuous()
	u.Standby(20)
	for {
		u.SetText("batch_id", u.World().Serial("B"))
		u.Follow("done_percent", world.Level(0))
		u.State(plant.Setup, "")
		u.Wait(40 * time.Minute)
		u.State(plant.Run, "")
		u.Load(2000, 0.2)
		const hours = 5
		u.Follow("done_percent", world.Between(0, 100, hours*3600))
		u.Making(6400.0/(hours*3600), 0)
		u.Work(hours * time.Hour)
		u.Making(0, 0)
		u.Load(20, 0)
	}
}

// scripts are those of the trial model's classes.
func scripts(u *world.Unit) world.Process {
	switch u.Class.Name {
	case "saw":
		return cutter{}
	case "sorter":
		return inspector{}
	default:
		return cook{}
	}
}

func mustWorld(t testing.TB, m *plant.Model, seed uint64, process func(*world.Unit) world.Process, faults ...world.Fault) *world.World {
	t.Helper()
	w, err := world.New(world.Options{
		Model: m, Seed: seed, Start: mustTime(t, "2026-11-02T06:00:00+05:00"), KeepSegments: true, Faults: faults, Process: process,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// trial is a plant that was observed: by the product's store, by a recorder of the same, and by one of what was to be seen.
type trial struct {
	*world.World
	seen, clear *truth.Recorder
	begin       telemetry.Instant
	lines       [][]byte
	records     []record.Record
	series      map[string]*telemetry.Series
	fields      map[*plant.Signal]*telemetry.Field
}

func newTrial(t testing.TB, seed uint64, faults ...world.Fault) *trial {
	t.Helper()
	m := mustModel(t)
	return watch(t, m, mustWorld(t, m, seed, scripts, faults...))
}

// watch observes a world of a model.
func watch(t testing.TB, m *plant.Model, w *world.World) *trial {
	t.Helper()
	x := &trial{World: w, series: map[string]*telemetry.Series{}, fields: map[*plant.Signal]*telemetry.Field{}}
	x.begin = x.Now()
	x.seen = truth.NewRecorder(truth.Options{Model: m, Begin: x.begin, Seen: func(id string, v calendar.Interval) calendar.Set {
		u, _ := x.Unit(id)
		return u.Seen(v)
	}})
	x.clear = truth.NewRecorder(truth.Options{Model: m, Begin: x.begin})
	for _, u := range m.Units {
		series, err := telemetry.NewSeries(u.Class.Name, m.Tags(u))
		if err != nil {
			t.Fatal(err)
		}
		x.series[u.ID] = series
		for i := range u.Class.Signals {
			s := &u.Class.Signals[i]
			typ, _ := telemetry.ParseType(string(s.Type))
			if x.fields[s], err = telemetry.NewField(s.Name, typ); err != nil {
				t.Fatal(err)
			}
		}
	}
	x.Observe(world.Observer{
		Sample: func(s *world.Sample) {
			x.seen.Sample(s)
			if !hasRole(s) {
				return
			}
			x.lines = append(x.lines, telemetry.AppendSample(nil, &telemetry.Sample{
				Series: x.series[s.Unit.ID], Field: x.fields[s.Signal], Value: s.Value, Source: s.At, Status: telemetry.Status(s.Status),
			}, false))
		},
		True: x.clear.Sample,
		Record: func(r *record.Record) {
			r.ID = r.DefaultID()
			x.seen.Record(r)
			x.clear.Record(r)
			x.records = append(x.records, *r)
		},
	}, world.AsTheModelSays)
	return x
}

// hasRole says that OEE or energy can follow from a sample: the store of a test need not hold the others.
func hasRole(s *world.Sample) bool {
	c := s.Unit.Class
	return slices.Contains([]*plant.Signal{c.State, c.Total, c.Good, c.Scrap, c.Energy, c.Power, c.Progress, c.Product, c.Reason, c.Batch}, s.Signal)
}

// store is a store that holds what was seen up to now.
func (x *trial) store(t testing.TB) *influx.Client {
	t.Helper()
	c := factory.Embedded(t)
	ctx := context.Background()
	if err := evidence.ApplyModel(ctx, c, x.Model().Text, x.begin.Add(-365*24*time.Hour), x.begin, "test", "trial"); err != nil {
		t.Fatal(err)
	}
	for _, u := range x.Units() {
		series, err := telemetry.NewSeries("alive", x.Model().Tags(u.Unit))
		if err != nil {
			t.Fatal(err)
		}
		const beat = 10 * time.Second
		for _, v := range u.Seen(calendar.Interval{From: x.begin, To: x.Now()}) {
			for at := v.From - v.From%telemetry.Instant(beat) + telemetry.Instant(beat); at <= v.To; at = at.Add(beat) {
				if at.Add(-beat) >= v.From {
					x.lines = append(x.lines, telemetry.NewLine(nil, series).Bool("alive", true).End(at))
				}
			}
		}
	}
	for part := range slices.Chunk(x.lines, 50_000) {
		factory.Write(t, c, bytes.Join(part, nil), len(part))
	}
	for i := range x.records {
		r := x.records[i]
		r.Reach = r.To
		if err := evidence.WriteRecords(ctx, c, []record.Record{r}); err != nil {
			t.Fatalf("%s: %s", strings.TrimSpace(string(r.Kind)), err)
		}
	}
	return c
}
