package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
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

// works is the factory with a keeper whose clock the test sets.
type works struct {
	*Keeper
	t   *testing.T
	c   *influx.Client
	now telemetry.Instant
}

func newWorks(t *testing.T) *works {
	t.Helper()
	w := &works{t: t, c: factory.Embedded(t), now: factory.Day(0, 2).To.Add(3 * time.Hour)}
	factory.Fill(t, w.c, factory.Day(0, 2))
	w.Keeper = New(w.c, Options{Now: func() telemetry.Instant { return w.now }, Lookback: 5 * 24 * time.Hour})
	return w
}

// cycle runs one round, in which nothing may fail.
func (w *works) cycle() Report {
	w.t.Helper()
	r, err := w.Cycle(w.t.Context())
	if err != nil || len(r.Failed) > 0 {
		w.t.Fatal(err, r.Failed)
	}
	return r
}

// shelf is everything stored as it was known at asof, in words that can be compared: subject, grain, interval → revision and facts.
func (w *works) shelf(asof telemetry.Instant) map[string]string {
	w.t.Helper()
	out := make(map[string]string)
	for _, kind := range []evidence.Kind{evidence.Unit, evidence.Line} {
		for _, grain := range []evidence.Grain{evidence.Hour, evidence.Day} {
			found, damaged, err := evidence.ReadSlices(w.t.Context(), w.c, evidence.Ask{Kind: kind, Grain: grain, Window: factory.Day(-9, 9), Asof: asof, Reasons: true})
			if err != nil || len(damaged) > 0 {
				w.t.Fatal(err, damaged)
			}
			for i := range found {
				s := &found[i]
				out[fmt.Sprintf("%s %s %s", s.Subject, s.Grain, s.Interval)] = fmt.Sprint(s.Revision, s.Facts)
			}
		}
	}
	return out
}

// differences are the keys of which two shelves say something else.
func differences(a, b map[string]string) []string {
	var out []string
	for k, v := range a {
		if b[k] != v {
			out = append(out, k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// parts takes a key of a shelf apart: subject, grain, begin.
func parts(t *testing.T, key string) (id, grain string, at telemetry.Instant) {
	t.Helper()
	var kind, from string
	if _, err := fmt.Sscanf(key, "%s %s %s [%s", &kind, &id, &grain, &from); err != nil {
		t.Fatal(err)
	}
	at, err := calendar.ParseTime(from[:len(from)-1], time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return id, grain, at
}

// The second round finds nothing to do, and a keeper that knows nothing of the first finds no new facts.
func TestAgainIsTheSame(t *testing.T) {
	w := newWorks(t)
	if r := w.cycle(); r.Written == 0 {
		t.Fatal("nothing written")
	}
	first := w.shelf(0)
	if r := w.cycle(); r.Written != 0 {
		t.Errorf("second round %+v", r)
	}
	w.Keeper = New(w.c, w.o)
	if r := w.cycle(); r.Written != 0 {
		t.Errorf("round of a new keeper %+v", r)
	}
	if d := differences(first, w.shelf(0)); len(d) > 0 {
		t.Errorf("differ: %q", d)
	}
	for key, v := range first {
		if v[0] != '0' {
			t.Errorf("%s has revision %c after one round", key, v[0])
		}
	}
}

// Killed at any write, before or after what is written arrived: the next keeper ends with the same facts.
func TestKilledInTheMiddle(t *testing.T) {
	whole := newWorks(t)
	whole.cycle()
	want := whole.shelf(0)
	killed := errors.New("killed")
	w := newWorks(t)
	for n := 1; ; n++ {
		left := n
		k := New(w.c, w.o)
		k.write = func(ctx context.Context, c *influx.Client, all []evidence.Slice) error {
			if left--; left == 0 {
				if n%2 == 0 { // half of it arrived
					if err := evidence.WriteSlices(ctx, c, all[:len(all)/2]); err != nil {
						return err
					}
				}
				return &influx.Error{Kind: influx.KindNetwork, Err: killed}
			}
			return evidence.WriteSlices(ctx, c, all)
		}
		k.o.Parallel = 1
		_, err := k.Cycle(t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
	}
	if d := differences(want, w.shelf(0)); len(d) > 0 {
		t.Errorf("after kills %d slices differ: %q", len(d), d[:min(len(d), 5)])
	}
}

// A value that comes late touches its hour and what depends on it, and nothing else; what was known before stays readable.
func TestLateData(t *testing.T) {
	w := newWorks(t)
	w.cycle()
	before, asof := w.shelf(0), w.now
	w.now = w.now.Add(time.Hour)
	late := factory.Begin().Add(5*time.Hour + 21*time.Minute + 7*time.Second)
	factory.Write(t, w.c, fmt.Appendf(nil, "wire_saw,area=wafer,line=L1,site=test,unit=ws01 state=3i %d\n", late), 1)
	w.cycle()
	touched := calendar.Interval{From: factory.Begin().Add(4 * time.Hour), To: factory.Begin().Add(7 * time.Hour)}
	changed := 0
	for _, key := range differences(before, w.shelf(0)) {
		id, grain, at := parts(t, key)
		if before[key] == "" {
			continue // an hour that is over only now
		}
		changed++
		switch {
		case id != "ws01" && id != "L1":
			t.Errorf("%s changed", key)
		case grain == "hour" && !touched.Holds(at):
			t.Errorf("%s changed, late value at %s", key, late)
		case grain == "day" && at != factory.Begin():
			t.Errorf("%s changed", key)
		}
	}
	if changed < 3 {
		t.Errorf("%d slices changed: the hour, its line's and the day of both should", changed)
	}
	if d := differences(before, w.shelf(asof)); len(d) > 0 {
		t.Errorf("as known before, %d slices differ: %q", len(d), d[:min(len(d), 5)])
	}
	if r := w.cycle(); r.Written != 0 {
		t.Errorf("round after the late value wrote %+v again", r)
	}
}

// Scrap that is reported the next day touches the hours in which it was made.
func TestLateScrap(t *testing.T) {
	w := newWorks(t)
	w.cycle()
	before := w.shelf(0)
	w.now = w.now.Add(30 * time.Minute)
	quantity := exact.Int(50)
	made := calendar.Interval{From: factory.Begin().Add(2 * time.Hour), To: factory.Begin().Add(3 * time.Hour)}
	r := record.Record{Kind: record.Scrap, Unit: "ws03", From: made.From, To: made.To, Quantity: &quantity, ReportedAt: w.now, ID: "late", Revision: 1,
		Reach: made.To, Audit: record.Audit{By: "sorter", Why: "cracks", KnownAt: w.now, Source: "test"}}
	if err := evidence.WriteRecords(t.Context(), w.c, []record.Record{r}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	w.cycle()
	d := slices.DeleteFunc(differences(before, w.shelf(0)), func(key string) bool { return before[key] == "" })
	want := []string{
		"unit ws03 day " + factory.Day(0, 1).String(),
		"unit ws03 hour " + made.String(),
	}
	if !slices.Equal(d, want) {
		t.Errorf("changed %q, want %q", d, want)
	}
}

// A model with a date in the past changes what comes after that date, and nothing before it.
func TestModelFromADateOn(t *testing.T) {
	w := newWorks(t)
	w.cycle()
	before, asof := w.shelf(0), w.now
	from := factory.Begin().Add(26 * time.Hour)
	if err := evidence.ApplyModel(t.Context(), w.c, factory.Model("1.25"), from, w.now.Add(time.Minute), "engineer", "new wire"); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * time.Minute)
	w.cycle()
	saws := 0
	for _, key := range differences(before, w.shelf(0)) {
		_, _, at := parts(t, key)
		if at.Add(24*time.Hour) <= from {
			t.Errorf("%s changed, model from %s on", key, from)
		}
		saws++
	}
	if saws < 20 {
		t.Errorf("only %d slices changed", saws)
	}
	if d := differences(before, w.shelf(asof)); len(d) > 0 {
		t.Errorf("as known before, %d slices differ", len(d))
	}
	if r := w.cycle(); r.Written != 0 || r.Computed > 20 {
		t.Errorf("round after the model did %+v", r)
	}
}

// The keeper leaves slices of raw data that is gone as they are.
func TestRetentionLeavesSlices(t *testing.T) {
	w := newWorks(t)
	w.cycle()
	before := w.shelf(0)
	for _, m := range []string{"wire_saw", "washer", "meter", "alive"} {
		q := influx.Query{Text: "DELETE FROM " + m + fmt.Sprintf(" WHERE time < %d", factory.Begin().Add(20*time.Hour))}
		if err := w.c.Query(t.Context(), q, func(influx.Row) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	w.cycle()
	gone := calendar.Interval{From: factory.Begin(), To: factory.Begin().Add(19 * time.Hour)}
	for _, key := range differences(before, w.shelf(0)) {
		if _, grain, at := parts(t, key); grain == "hour" && gone.Holds(at) {
			t.Errorf("%s changed when its raw data went", key)
		}
	}
}

// One unit that cannot be computed keeps nobody from the others.
func TestOneUnitFails(t *testing.T) {
	w := newWorks(t)
	broken := errors.New("cannot be stored")
	w.write = func(ctx context.Context, c *influx.Client, all []evidence.Slice) error {
		if all[0].Subject.ID == "ws02" {
			return broken
		}
		return evidence.WriteSlices(ctx, c, all)
	}
	r, err := w.Cycle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failed) == 0 || r.Failed[0].Subject.ID != "ws02" || !errors.Is(r.Failed[0].Err, broken) {
		t.Errorf("failed %v", r.Failed)
	}
	for key := range w.shelf(0) {
		if key[:len("unit ws01")] == "unit ws01" {
			return
		}
	}
	t.Error("ws01 was not computed")
}

func TestRunEndsWithItsContext(t *testing.T) {
	w := newWorks(t)
	ctx, cancel := context.WithCancel(t.Context())
	rounds := 0
	err := w.Run(ctx, time.Hour, func(Report, error) {
		rounds++
		cancel()
	})
	if err != nil || rounds != 1 {
		t.Errorf("%d rounds, %v", rounds, err)
	}
}

func TestBackfill(t *testing.T) {
	w := newWorks(t)
	w.now = w.now.Add(100 * 24 * time.Hour)
	if r := w.cycle(); r.Written != 0 {
		t.Errorf("a round wrote %+v far before its lookback", r)
	}
	r, err := w.Backfill(t.Context(), factory.Day(0, 1))
	if err != nil || r.Written == 0 {
		t.Fatal(r, err)
	}
	if _, err := w.Backfill(t.Context(), calendar.Interval{From: w.now.Add(time.Hour), To: w.now.Add(2 * time.Hour)}); !errors.Is(err, ErrEmpty) {
		t.Errorf("backfill of the future: %v", err)
	}
}

// Whenever nobody waits any more, a round ends with that, and the next one with everything.
func TestCancelledAnywhere(t *testing.T) {
	w := newWorks(t)
	for n := 1; n < 40; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n*n)*200*time.Microsecond)
		if _, err := w.Cycle(ctx); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		cancel()
	}
	w.cycle()
	if r := w.cycle(); r.Written != 0 {
		t.Errorf("round after a whole one wrote %+v", r)
	}
}
