package answer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// From raw data and from slices, on the embedded store and on the real servers: the same answers, fact by fact.
func TestTheSameFromEverywhere(t *testing.T) {
	var first []map[string]string
	for _, name := range []string{"embedded", "influxd 1.8.10", "influxd 2.9.1", "KVARTS_TEST_INFLUX_URL"} {
		open, ok := stores()[name]
		if !ok || testing.Short() && name != "embedded" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w := newWorks(t, open(t))
			var raw []map[string]string
			for _, q := range questions() {
				a := w.ask(q)
				if a.Sources.DaySlices+a.Sources.HourSlices > 0 {
					t.Errorf("%s: slices before the ledger ran", q.named())
				}
				raw = append(raw, facts(a))
			}
			if first == nil {
				first = raw
			}
			w.keep()
			for i, q := range questions() {
				compare(t, q.named(), raw[i], first[i])
				a := w.ask(q)
				if a.Sources.DaySlices+a.Sources.HourSlices == 0 {
					t.Errorf("%s: no slices used", q.named())
				}
				compare(t, "from slices, "+q.named(), facts(a), first[i])
				compare(t, "from the cache, "+q.named(), facts(w.ask(q)), first[i])
				q.Raw = true
				compare(t, "raw, "+q.named(), facts(w.ask(q)), first[i])
			}
		})
	}
}

// However a window is cut, the facts of its parts add up to its own: figures do not change with the zoom.
func TestAnyCutAddsUp(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	w.keep()
	whole := calendar.Interval{From: factory.Begin().Add(8 * time.Hour), To: factory.Day(0, 1).To.Add(2 * time.Hour)}
	q := Question{Target: Target{Level: Plant}, Each: []Level{Line, Unit}, Window: whole}
	want := facts(w.ask(q))
	rapid.Check(t, func(t *rapid.T) {
		cut := whole.From + telemetry.Instant(rapid.Int64Range(1, int64(whole.Duration())-1).Draw(t, "cut"))
		parts := make(map[string]*ledger.Facts)
		for _, v := range []calendar.Interval{{From: whole.From, To: cut}, {From: cut, To: whole.To}} {
			q := q
			q.Window, q.By, q.Raw = v, By(rapid.IntRange(0, 3).Draw(t, "by")), rapid.Bool().Draw(t, "raw")
			if q.By == ByShift {
				q.By = Whole // shifts overlap: their rows do not add up, and are not meant to
			}
			a, err := w.Ask(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			for i := range a.Rows {
				s := a.Rows[i].Subject.String()
				if parts[s] == nil {
					parts[s] = new(ledger.Facts)
				}
				parts[s].Add(a.Rows[i].Facts)
			}
		}
		for s, f := range parts {
			if got, want := words(f)+fmt.Sprint(nil, []string(nil)), want[fmt.Sprintf("row %s %s", s, whole)]; got != want {
				t.Fatalf("%s cut at %s: %s", s, cut, difference(got, want))
			}
		}
	})
}

// The plant is the sum of its machines, and so is an area; nothing is averaged.
func TestUnitsAddUpToThePlant(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	a := w.ask(Question{Target: Target{Level: Plant}, Window: factory.Day(0, 2), By: ByShift, Each: []Level{Unit, Area}})
	n := len(a.Rows) / len(a.Totals)
	for i := range n {
		var sum ledger.Facts
		for k := range a.Rows {
			if a.Rows[k].Subject.Level == Unit && a.Rows[k].Part.Interval == a.Rows[i].Part.Interval {
				sum.Add(a.Rows[k].Facts)
			}
		}
		if got, want := words(&sum), words(a.Rows[i].Facts); got != want {
			t.Errorf("%s: the units add up to %s", a.Rows[i].Part.Label, difference(got, want))
		}
	}
	units := 0
	for _, r := range a.Totals {
		if r.Subject.Level == Unit {
			units++
		}
		if r.Subject.ID == "co01" {
			t.Error("a meter counts as a machine of the plant")
		}
	}
	if units != 4 {
		t.Errorf("%d units, want 4", units)
	}
}

// Shared energy is divided to the µWh: the plant's energy is its machines' and nothing is counted twice.
func TestEnergyAddsUp(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	a := w.ask(Question{Kind: Energy, Target: Target{Level: Chain}, Window: factory.Day(0, 2), By: ByDay, Each: []Level{Stage, Unit}})
	shared := w.ask(Question{Kind: Energy, Target: Target{Level: Unit, IDs: []string{"co01"}}, Window: factory.Day(0, 2), By: ByDay})
	n := len(a.Rows) / len(a.Totals)
	for i := range n {
		var direct, allocated exact.Num
		for k := range a.Rows {
			if r := &a.Rows[k]; r.Subject.Level == Unit && r.Part.Interval == a.Rows[i].Part.Interval {
				direct, allocated = direct.Add(r.Energy.Direct), allocated.Add(r.Energy.Allocated)
			}
		}
		e := a.Rows[i].Energy
		if !e.Direct.Equal(direct) || !e.Allocated.Equal(allocated) || !allocated.Equal(shared.Rows[i].Energy.Direct) || allocated.Sign() <= 0 {
			t.Errorf("%s: chain %s + %s, machines %s + %s, common meter %s", a.Rows[i].Part.Label, e.Direct, e.Allocated, direct, allocated, shared.Rows[i].Energy.Direct)
		}
		if e.Chain == nil || !e.Chain.PerWatt().Equal(e.Whole.Get(kpi.EnergyPerWatt).Num) {
			t.Errorf("%s: a chain of one stage has %v kWh/W, its energy over its watts is %s", a.Rows[i].Part.Label, e.Chain, e.Whole.Get(kpi.EnergyPerWatt))
		}
	}
}

// A gateway that is off is not a machine that stands: its time is unknown, and the bounds say what that may hide.
func TestDeadGatewayIsNotADeadMachine(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	night := calendar.Interval{From: factory.Begin().Add(17 * time.Hour), To: factory.Begin().Add(18 * time.Hour)}
	a := w.ask(Question{Target: Target{Level: Unit, IDs: []string{"ws01"}}, Window: night})
	r := &a.Rows[0].Result
	if v := r.Get(kpi.StopTime); v.Num.Sign() != 0 {
		t.Errorf("%s s of stops in an hour that nobody saw", v)
	}
	if v := r.Get(kpi.Coverage).Num.Float(); v > 0.01 {
		t.Errorf("coverage %g", v)
	}
	low, high := r.Get(kpi.AvailabilityLow).Num, r.Get(kpi.AvailabilityHigh).Num
	if low.Cmp(high) >= 0 {
		t.Errorf("availability between %s and %s", low, high)
	}
}

// What is asked as of a moment is what an engine of that moment answered, whatever came later.
func TestAsofNeverSeesTheFuture(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	w.keep()
	then := w.now
	q := Question{Target: Target{Level: Plant}, Window: factory.Day(0, 3), By: ByDay, Each: []Level{Line, Unit}}
	want := facts(w.ask(q))
	w.now = w.now.Add(5 * time.Hour)
	late := fmt.Appendf(nil, "wire_saw,area=wafer,line=L1,site=test,unit=ws01 state=3i %d\nwire_saw,area=wafer,site=test,unit=ws03 state=1i,total=99999i %d\n",
		factory.Begin().Add(30*time.Hour), then.Add(time.Hour))
	factory.Write(t, w.c, late, 2)
	if err := evidence.ApplyModel(t.Context(), w.c, factory.Model("1.2"), factory.Begin(), then.Add(2*time.Hour), "engineer", "new wire"); err != nil {
		t.Fatal(err)
	}
	w.keep()
	if fmt.Sprint(facts(w.ask(q))) == fmt.Sprint(want) {
		t.Error("late data and a new model changed nothing")
	}
	q.Asof = then
	compare(t, "as of before", facts(w.ask(q)), want)
	q.Asof = w.now.Add(time.Hour)
	if a := w.ask(q); a.Horizon != w.now {
		t.Errorf("horizon %s after now %s", a.Horizon, w.now)
	}
}

// What is stored of other models is not used, from the moment on at which a model is applied.
func TestModelCountsAtOnce(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	w.keep()
	q := Question{Target: Target{Level: Unit, IDs: []string{"ws01"}}, Window: factory.Day(0, 2), By: ByDay}
	before := facts(w.ask(q))
	from := factory.Day(1, 2).From
	if err := evidence.ApplyModel(t.Context(), w.c, factory.Model("1.2"), from, w.now, "engineer", "new wire"); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	a := w.ask(q)
	after := facts(a)
	raw := q
	raw.Raw = true
	compare(t, "after the model", after, facts(w.ask(raw)))
	for k, v := range before {
		if changed := after[k] != v; changed != strings.Contains(k, factory.Day(1, 2).String()) && !strings.HasPrefix(k, "total") {
			t.Errorf("%s changed: %v, model from %s on", k, changed, from)
		}
	}
	if len(a.Definitions) != 2 || a.Definitions[1].Effective != from || a.Definitions[1].Why != "new wire" {
		t.Errorf("definitions %+v", a.Definitions)
	}
}

// One unit whose data cannot be had has an error; its neighbours have their numbers, and the sum says that it lacks one.
func TestOneBadUnit(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	good := facts(w.ask(Question{Target: Target{Level: Plant}, Window: factory.Day(0, 1), Each: []Level{Unit}}))
	bad := errors.New("data of this unit is bad")
	w.gather = func(ctx context.Context, c *influx.Client, p *plan, r ref, v calendar.Interval) (source, error) {
		if r.id == "ws02" {
			return nil, bad
		}
		return gather(ctx, c, p, r, v)
	}
	a := w.ask(Question{Target: Target{Level: Plant}, Window: factory.Day(0, 1), Each: []Level{Unit}})
	for i := range a.Rows {
		r := &a.Rows[i]
		switch r.Subject.ID {
		case "ws02":
			if !errors.Is(r.Err, bad) {
				t.Errorf("%s: error %v", r.Subject, r.Err)
			}
		case "factory":
			if r.Err != nil || !slices.Equal(r.Missing, []string{"ws02"}) || !r.Incomplete() || r.Facts.Get(ledger.RunTime).IsZero() {
				t.Errorf("plant: error %v, missing %q", r.Err, r.Missing)
			}
		default:
			key := fmt.Sprintf("row %s %s", r.Subject, r.Part.Interval)
			if facts(a)[key] != good[key] {
				t.Errorf("%s is not what it was", r.Subject)
			}
		}
	}
	if !slices.ContainsFunc(a.Findings, func(f Finding) bool { return f.Code == UnitFailed && f.Subject.ID == "ws02" }) {
		t.Errorf("findings %v", a.Findings)
	}
}

// Questions that cannot be answered say what to do, and are told from a store that cannot be asked.
func TestQuestionsWithoutAnswer(t *testing.T) {
	c := factory.Embedded(t)
	e := New(c, func() telemetry.Instant { return factory.Day(0, 2).To })
	ask := func(q Question) error {
		_, err := e.Ask(t.Context(), q)
		return err
	}
	if err := ask(Question{Target: Target{Level: Plant}, Window: factory.Day(0, 1)}); !errors.Is(err, ErrQuestion) || !strings.Contains(err.Error(), "historian model apply") {
		t.Errorf("without a model: %v", err)
	}
	factory.Fill(t, c, calendar.Interval{From: factory.Begin(), To: factory.Begin().Add(time.Minute)})
	for text, q := range map[string]Question{
		"it has ws01, ws02":          {Target: Target{Level: Unit, IDs: []string{"ws99"}}, Window: factory.Day(0, 1)},
		"it has L1":                  {Target: Target{Level: Line, IDs: []string{"L2"}}, Window: factory.Day(0, 1)},
		"no calendar":                {Target: Target{Level: Plant}, Window: factory.Day(0, 1), Calendar: "moon"},
		"does not define lines":      {Target: Target{Level: Line, IDs: []string{"L1"}}, Window: factory.Day(0, 1), Standard: kpi.E79},
		"ask for an earlier one":     {Target: Target{Level: Plant}, Window: factory.Day(2, 3)},
		"put the times in order":     {Target: Target{Level: Plant}, Window: calendar.Interval{From: factory.Day(0, 1).To, To: factory.Begin()}},
		"name at least one":          {Target: Target{Level: Units}, Window: factory.Day(0, 1)},
		"leave out":                  {Target: Target{Level: Plant, IDs: []string{"x"}}, Window: factory.Day(0, 1)},
		"use unit, line, area":       {Target: Target{Level: Plant}, Each: []Level{Chain}, Window: factory.Day(0, 1)},
		"was in force at any moment": {Target: Target{Level: Plant}, Window: factory.Day(-400, -399)},
	} {
		if err := ask(q); !errors.Is(err, ErrQuestion) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", q.named(), err, text)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Ask(ctx, Question{Target: Target{Level: Plant}, Window: factory.Day(0, 1)}); err == nil || errors.Is(err, ErrQuestion) {
		t.Errorf("cancelled: %v", err)
	}
}

// The window ends at now, and the answer says so.
func TestNowClamp(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	w.now = factory.Begin().Add(6 * time.Hour)
	a := w.ask(Question{Target: Target{Level: Unit, IDs: []string{"ws01"}}, Window: factory.Day(0, 1), By: ByShift})
	if a.Window.To != w.now {
		t.Errorf("window %s, now %s", a.Window, w.now)
	}
	if v := sumOf(a.Totals, "unit ws01").Get(ledger.Span); !v.Equal(exact.Int(int64(6 * time.Hour))) {
		t.Errorf("span %s ns, want 6 h", v)
	}
	if !slices.ContainsFunc(a.Findings, func(f Finding) bool { return f.Code == WindowCut }) {
		t.Error("nobody says that the window was cut")
	}
	if last := a.Rows[len(a.Rows)-1]; !last.Part.Cut() {
		t.Errorf("shift %+v is not over", last.Part)
	}
}

// Every number can be taken apart: ledger rows that add up to it, what the unit was moment by moment, what was counted.
func TestExplain(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	w.keep()
	a := w.ask(Question{Target: Target{Level: Unit, IDs: []string{"ws01"}}, Window: calendar.Interval{From: factory.Begin().Add(90 * time.Minute), To: factory.Begin().Add(5 * time.Hour)}, Explain: true})
	if len(a.Evidence) != 1 || a.Evidence[0].Err != nil {
		t.Fatalf("evidence %+v", a.Evidence)
	}
	e := &a.Evidence[0]
	var sum ledger.Facts
	stored := 0
	for i := range e.Ledger {
		sum.Add(&e.Ledger[i].Facts)
		if e.Ledger[i].Stored {
			stored++
		}
	}
	if got, want := words(&sum), words(a.Rows[0].Facts); got != want || stored == 0 || stored == len(e.Ledger) {
		t.Errorf("%d ledger rows, %d of them stored, add up to %s", len(e.Ledger), stored, difference(got, want))
	}
	at := a.Window.From
	for _, s := range e.Segments {
		if s.When.From != at {
			t.Fatalf("segment begins at %s, the one before ended at %s", s.When.From, at)
		}
		at = s.When.To
	}
	if at != a.Window.To || len(e.Deltas) == 0 || len(e.Provenance) == 0 {
		t.Errorf("segments end at %s, %d deltas, %d provenances", at, len(e.Deltas), len(e.Provenance))
	}
}

// A calendar that is changed cuts days and hours elsewhere; what was stored by the old cut and by the new one both are true.
func TestCalendarChanges(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	w.keep()
	text := strings.NewReplacer(`day_start: "08:00"`, `day_start: "06:30"`, `begin: "08:00", end: "20:15"`, `begin: "06:30", end: "18:45"`).Replace(string(factory.Model("1.4")))
	if err := evidence.ApplyModel(t.Context(), w.c, []byte(text), factory.Begin().Add(20*time.Hour+17*time.Minute), w.now, "planner", "earlier shifts"); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * time.Minute)
	w.keep()
	for _, q := range questions() {
		raw := q
		raw.Raw = true
		a := w.ask(q)
		if a.Sources.DaySlices+a.Sources.HourSlices == 0 {
			t.Errorf("%s: no slices used", q.named())
		}
		compare(t, q.named(), facts(a), facts(w.ask(raw)))
	}
}
