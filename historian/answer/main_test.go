package answer

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvarts/deploy/e2e/factory"
	"kvarts/deploy/e2e/peers"
	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/keeper"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The engine of the embedded store starts these at import and never ends them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// works is the factory, an engine and the clock of both.
type works struct {
	*Engine
	t   testing.TB
	c   *influx.Client
	now telemetry.Instant
}

// newWorks is the factory after two days and three hours, in which the third day began without data.
func newWorks(t testing.TB, c *influx.Client) *works {
	t.Helper()
	w := &works{t: t, c: c, now: factory.Day(0, 2).To.Add(3*time.Hour + 7*time.Minute)}
	factory.Fill(t, c, calendar.Interval{From: factory.Begin(), To: w.now.Add(-40 * time.Minute)})
	w.Engine = New(c, func() telemetry.Instant { return w.now })
	return w
}

// keep runs one round of the ledger.
func (w *works) keep() {
	w.t.Helper()
	k := keeper.New(w.c, keeper.Options{Now: func() telemetry.Instant { return w.now }, Lookback: 5 * 24 * time.Hour})
	if r, err := k.Cycle(context.Background()); err != nil || len(r.Failed) > 0 {
		w.t.Fatal(err, r.Failed)
	}
}

func (w *works) ask(q Question) *Answer {
	w.t.Helper()
	a, err := w.Ask(context.Background(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// facts are what an answer's rows and totals rest on, in words: equal words are equal numbers.
func facts(a *Answer) map[string]string {
	out := make(map[string]string)
	add := func(kind string, rows []Row) {
		for i := range rows {
			r := &rows[i]
			out[fmt.Sprintf("%s %s %s", kind, r.Subject, r.Part.Interval)] = words(r.Facts) + energyWords(r.Energy) + fmt.Sprint(r.Err, r.Missing)
		}
	}
	add("row", a.Rows)
	add("total", a.Totals)
	return out
}

// words are facts, number by number.
func words(f *ledger.Facts) string {
	var b strings.Builder
	for k := range ledger.NumFields {
		fmt.Fprintf(&b, "%s %s\n", k, f.Get(k))
	}
	fmt.Fprintln(&b, f.Findings.Names(), f.HasPieces, f.HasEnergy)
	for _, r := range kpi.Pareto(f, ledger.Stop, ledger.Setup, ledger.Idle, ledger.Planned, ledger.Engineering) {
		fmt.Fprintln(&b, r.Cause, r.Time, r.Count)
	}
	return b.String()
}

func energyWords(e *EnergySplit) string {
	if e == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "direct %s\nallocated %s\nunallocated %s\n", e.Direct, e.Allocated, e.Unallocated)
	for k := range kpi.NumKeys {
		fmt.Fprintf(&b, "%s %s\n", k, e.Whole.Get(k))
	}
	if e.Chain != nil {
		fmt.Fprintf(&b, "chain %s\n", e.Chain.PerWatt())
	}
	return b.String()
}

// difference is the first line in which two texts differ.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("%q, want %q", g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

func compare(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
	}
	shown := 0
	for k, v := range want {
		if got[k] != v && shown < 3 {
			shown++
			t.Errorf("%s: %s: %s", what, k, difference(got[k], v))
		}
	}
}

// stores are the servers that answers must not depend on.
func stores() map[string]func(testing.TB) *influx.Client {
	all := map[string]func(testing.TB) *influx.Client{
		"embedded": factory.Embedded,
		"influxd 1.8.10": func(t testing.TB) *influx.Client {
			s := peers.Influxd18(t)
			return factory.Client(t, influx.Options{URL: s.URL, Database: s.Database})
		},
		"influxd 2.9.1": func(t testing.TB) *influx.Client {
			s := peers.Influxd2(t)
			return factory.Client(t, influx.Options{URL: s.URL, Token: s.Token, Org: s.Org, Bucket: s.Bucket})
		},
	}
	if u := os.Getenv("KVARTS_TEST_INFLUX_URL"); u != "" {
		all["KVARTS_TEST_INFLUX_URL"] = func(t testing.TB) *influx.Client {
			return factory.Client(t, influx.Options{URL: u, Token: os.Getenv("KVARTS_TEST_INFLUX_TOKEN"), Database: os.Getenv("KVARTS_TEST_INFLUX_DB")})
		}
	}
	return all
}

// questions are those that every way to an answer must answer alike.
func questions() []Question {
	plant := Target{Level: Plant}
	two := factory.Day(0, 2)
	odd := calendar.Interval{From: factory.Begin().Add(7*time.Hour + 13*time.Minute + 11*time.Second + 77), To: factory.Day(0, 3).To}
	return []Question{
		{Target: plant, Window: two, By: ByDay, Each: []Level{Line, Unit}},
		{Target: plant, Window: odd, By: ByShift, Each: []Level{Line, Unit, Area, Stage}},
		{Target: Target{Level: Line, IDs: []string{factory.Line}}, Window: odd, By: ByHour},
		{Target: Target{Level: Units, IDs: []string{"ws01", "wc01"}}, Window: odd},
		{Target: Target{Level: Unit, IDs: []string{"ws02"}}, Window: odd, By: ByMonth, Kind: States},
		{Target: plant, Window: odd, By: ByDay, Kind: Losses},
		{Target: Target{Level: Chain}, Window: odd, By: ByDay, Kind: Energy, Each: []Level{Stage, Unit}},
	}
}

func (q Question) named() string {
	return fmt.Sprintf("%s of %s by %s of %s", q.Kind, q.Target, q.By, q.Window)
}

func sumOf(rows []Row, subject string) *ledger.Facts {
	var out ledger.Facts
	for i := range rows {
		if rows[i].Subject.String() == subject {
			out.Add(rows[i].Facts)
		}
	}
	return &out
}
