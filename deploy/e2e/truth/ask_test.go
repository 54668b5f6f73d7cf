package truth_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/truth/product"
	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// question is asked of the product; parts is how its window must be divided, by this package's own reckoning.
type question struct {
	name     string
	ask      answer.Question
	parts    []calendar.Interval
	subjects int // rows for each part
}

// questions are those of a life.
func (l *life) questions() []question {
	machines := 0
	for _, u := range l.model.Units {
		if produces(u) {
			machines++
		}
	}
	odd, other := l.odd(), l.odd()
	known := calendar.Interval{From: l.window.From, To: l.middle}
	every := []answer.Level{answer.Line, answer.Unit}
	of := func(name string, w calendar.Interval, by answer.By, parts ...calendar.Interval) question {
		return question{name, answer.Question{Target: answer.Target{Level: answer.Plant}, Window: w, By: by, Each: every}, parts, 1 + len(l.model.Lines) + machines}
	}
	all := []question{
		of("by shift", l.window, answer.ByShift, daily(l.window, 8*time.Hour, 12*time.Hour)...),
		of("odd window", odd, answer.Whole, odd),
	}
	var more question // one in turn: each costs as much as the first two
	switch l.seed % 3 {
	case 0:
		more = of("by day", l.window, answer.ByDay, daily(l.window, 8*time.Hour, 24*time.Hour)...)
	case 1:
		more = of("odd window by states alone", other, answer.Whole, other)
		more.ask.Standard = kpi.E79
	default:
		more = of("as known in the middle", l.window, answer.Whole, known)
		more.ask.Asof = l.middle
	}
	more.ask.Each, more.subjects = []answer.Level{answer.Unit}, 1+machines
	all = append(all, more)
	for _, u := range l.model.Units {
		if !produces(u) { // a meter: in no sum, but asked for by name
			q := of("meter", l.window, answer.ByShift, all[0].parts...)
			q.ask.Kind, q.ask.Target, q.ask.Each, q.subjects = answer.Energy, answer.Target{Level: answer.Unit, IDs: []string{u.ID}}, nil, 1
			all = append(all, q)
		}
	}
	return all
}

// produces says that a unit is a machine and not only a meter.
func produces(u *plant.Unit) bool { return u.Class.State != nil }

// odd is a part of the window with ends at which nothing else begins or ends; in some seeds it begins before anybody looked.
func (l *life) odd() calendar.Interval {
	length := int64(l.window.Duration())
	a, b := l.rng.Int64N(length), l.rng.Int64N(length)
	v := calendar.Interval{From: l.window.From.Add(time.Duration(min(a, b))), To: l.window.From.Add(time.Duration(max(a, b)))}
	if l.rng.IntN(4) == 0 {
		v.From = l.window.From.Add(-time.Duration(l.rng.Int64N(int64(5 * time.Hour))))
	}
	return v
}

// daily divides w at a time of day in Almaty, which is five hours ahead of UTC all year, and every so long after it.
func daily(w calendar.Interval, clock, every time.Duration) []calendar.Interval {
	const ahead = 5 * time.Hour
	from := telemetry.Instant(0).Add(clock - ahead)
	step := telemetry.Instant(every)
	var out []calendar.Interval
	for from += (w.From - from) / step * step; from < w.To; from += step {
		out = append(out, calendar.Interval{From: from, To: from + step}.Meet(w))
	}
	return out
}

// contractQuery is the same question in the contract's terms; the sum of a plant is that of its machines, without meters.
func (l *life) contractQuery(s answer.Subject, w calendar.Interval, q *answer.Question) contract.Query {
	out := contract.Query{Name: s.String() + " " + w.String(), Window: w, AsOf: contract.Never, E79: q.Standard == kpi.E79}
	switch s.Level {
	case answer.Unit:
		out.Units = []string{s.ID}
	case answer.Line:
		out.Line = s.ID
	default:
		for _, u := range l.model.Units {
			if produces(u) {
				out.Units = append(out.Units, u.ID)
			}
		}
	}
	return out
}

// asked is who is asked, and what has been answered before.
type asked struct {
	*life
	engine *answer.Engine
	want   map[telemetry.Instant]*truth.Answers // by what was known
	clear  *truth.Answers                       // nil: nothing was hidden
	known  map[string]expectation
	rows   int // that were compared
	held   int // rows whose bounds must hold what clear knows
}

type expectation struct {
	contract.Answer
	contract.Cuts
}

// expect is the contract's answer, by what was known at asof: a proof of life that came later proves nothing then.
func (a *asked) expect(t testing.TB, q contract.Query, asof telemetry.Instant) expectation {
	t.Helper()
	key := fmt.Sprint(q.Name, q.E79, asof)
	if e, ok := a.known[key]; ok {
		return e
	}
	x, err := a.want[asof].Answer(q)
	if err != nil {
		t.Fatal(err)
	}
	cuts, err := a.want[asof].Cuts(q)
	if err != nil {
		t.Fatal(err)
	}
	e := expectation{x, cuts}
	a.known[key] = e
	return e
}

// ask asks all questions, of raw data or of what is stored, and compares.
func (a *asked) ask(t *testing.T, questions []question, raw bool) {
	t.Helper()
	for i := range questions {
		q := &questions[i]
		q.ask.Raw = raw
		what := fmt.Sprintf("%s (raw %t)", q.name, raw)
		got, err := a.engine.Ask(context.Background(), q.ask)
		if err != nil {
			t.Errorf("%s: %s", what, err)
			continue
		}
		a.divided(t, what, got, q)
		if !raw && q.ask.By == answer.ByDay && got.Sources.DaySlices+got.Sources.HourSlices == 0 {
			t.Errorf("%s: no stored slice was used", what)
		}
		for k := range got.Rows {
			a.row(t, what, &got.Rows[k], q)
		}
		for k := range got.Totals {
			a.row(t, what, &got.Totals[k], q)
		}
	}
}

// divided says what is wrong with the parts of an answer.
func (a *asked) divided(t *testing.T, what string, got *answer.Answer, q *question) {
	t.Helper()
	var parts []calendar.Interval
	for i := range got.Rows {
		if got.Rows[i].Subject.Level == q.ask.Target.Level {
			parts = append(parts, got.Rows[i].Part.Interval)
		}
	}
	if !slices.Equal(parts, q.parts) {
		t.Errorf("%s: the window is divided into %s, want %s", what, parts, q.parts)
	}
	if len(got.Rows) != q.subjects*len(q.parts) {
		t.Errorf("%s: %d rows, want %d", what, len(got.Rows), q.subjects*len(q.parts))
	}
}

// row compares one row.
func (a *asked) row(t *testing.T, what string, row *answer.Row, q *question) {
	t.Helper()
	a.rows++
	what += ": " + row.Subject.String() + " in " + row.Part.Interval.String()
	if row.Err != nil || row.Incomplete() {
		t.Errorf("%s: incomplete: %v %v", what, row.Err, row.Missing)
		return
	}
	query := a.contractQuery(row.Subject, row.Part.Interval, &q.ask)
	want, got := a.expect(t, query, q.ask.Asof), product.Of(row)
	for _, d := range truth.Compare(&got, &want.Answer, want.Cuts) {
		t.Errorf("%s: %s", what, d)
	}
	if a.clear == nil || query.E79 || q.ask.Asof != 0 || !a.bounded(row.Subject, row.Part.Interval) {
		return
	}
	a.held++
	all, err := a.clear.Answer(query)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range a.outOfBounds(row.Subject, &got, &all, want.Cuts) {
		t.Errorf("%s: what an undisturbed observer knows is out of bounds: %s", what, d)
	}
}

// newAsked prepares questions to a life at its present.
func (l *life) newAsked(t testing.TB, engine *answer.Engine) *asked {
	t.Helper()
	a := &asked{life: l, engine: engine, want: map[telemetry.Instant]*truth.Answers{}, known: map[string]expectation{}}
	for asof, now := range map[telemetry.Instant]telemetry.Instant{0: l.Now(), l.middle: l.middle} {
		var err error
		if a.want[asof], err = l.seen.Answers(now); err != nil {
			t.Fatal(err)
		}
	}
	return a
}
