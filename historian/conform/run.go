package conform

import (
	"fmt"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// Answer is what the engine answers to one query: a value for every key that a vector may expect.
type Answer struct {
	Numbers  map[string]kpi.Value
	Reason   string // "" for null
	Findings []string
}

// Outcome is an answer compared with what the vector wants of it.
type Outcome struct {
	Vector, Query string
	Answer        Answer
	Mismatches    []string // none: it passes
}

// Pass says that the answer is all that the vector wants.
func (o *Outcome) Pass() bool { return len(o.Mismatches) == 0 }

// Runner evaluates the queries of one vector. It is for one goroutine.
type Runner struct {
	vector *Vector
	units  map[cutID]*ledger.Unit
	lines  map[cutID]*ledger.Line
}

// cutID is a unit or a line as known at a horizon: queries of one horizon share its ledger.
type cutID struct {
	id      string
	horizon telemetry.Instant
}

// NewRunner makes a runner of v, which must not be changed any more.
func NewRunner(v *Vector) *Runner {
	return &Runner{vector: v, units: map[cutID]*ledger.Unit{}, lines: map[cutID]*ledger.Line{}}
}

// Run evaluates query i and compares. The error says that the engine refuses what the format allows.
func (r *Runner) Run(i int) (Outcome, error) {
	q := &r.vector.Queries[i]
	answer, err := r.answer(q)
	if err != nil {
		return Outcome{}, fmt.Errorf("evaluate query %q of vector %s: %w", q.Name, r.vector.ID, err)
	}
	return Outcome{Vector: r.vector.ID, Query: q.Name, Answer: answer, Mismatches: q.compare(&answer)}, nil
}

func (r *Runner) answer(q *Query) (Answer, error) {
	horizon := min(r.vector.Now, q.AsOf)
	if q.Line != "" {
		line, err := r.line(q.Line, horizon)
		if err != nil {
			return Answer{}, err
		}
		facts := sum(line, q, horizon)
		return answerOf(kpi.ComputeLine(&facts)), nil
	}
	var facts ledger.Facts
	for _, id := range q.Units {
		unit, err := r.unit(id, horizon)
		if err != nil {
			return Answer{}, err
		}
		of := sum(unit, q, horizon)
		facts.Add(&of)
	}
	return answerOf(kpi.Compute(&facts, q.Standard)), nil
}

func (r *Runner) unit(id string, horizon telemetry.Instant) (*ledger.Unit, error) {
	key := cutID{id, horizon}
	if u := r.units[key]; u != nil {
		return u, nil
	}
	i := slices.IndexFunc(r.vector.Units, func(u Unit) bool { return u.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("find unit %s: no such unit", id)
	}
	made, err := ledger.New(r.vector.Units[i].input(horizon))
	if err != nil {
		return nil, fmt.Errorf("make ledger of unit %s: %w", id, err)
	}
	r.units[key] = made
	return made, nil
}

func (r *Runner) line(id string, horizon telemetry.Instant) (*ledger.Line, error) {
	key := cutID{id, horizon}
	if l := r.lines[key]; l != nil {
		return l, nil
	}
	i := slices.IndexFunc(r.vector.Lines, func(l Line) bool { return l.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("find line %s: no such line", id)
	}
	l := &r.vector.Lines[i]
	in := ledger.LineInput{ID: id, Out: l.Out, UnitSeconds: map[string][]ledger.Ideal{}, Horizon: horizon}
	for _, name := range l.Units {
		unit, err := r.unit(name, horizon)
		if err != nil {
			return nil, err
		}
		in.Units = append(in.Units, unit)
		if seconds := l.UnitSeconds[name]; !seconds.IsZero() { // a step that takes no time is never the largest
			in.UnitSeconds[name] = []ledger.Ideal{{From: always, Seconds: seconds}}
		}
	}
	made, err := ledger.NewLine(in)
	if err != nil {
		return nil, fmt.Errorf("make ledger of line %s: %w", id, err)
	}
	r.lines[key] = made
	return made, nil
}

// ledgerOf is what a unit and a line have in common.
type ledgerOf interface {
	Facts(calendar.Interval) ledger.Facts
	Slices([]telemetry.Instant) []ledger.Facts
}

// maxChunks bounds the work that a short text can ask for. More chunks than that are added up in the shortest multiple
// of their length that needs no more: the facts are the same, as they are for every cut.
const maxChunks = 20_000

// chunksAtOnce bounds the memory that slices take before they are added up.
const chunksAtOnce = 500

// sum is the facts of the query's window, in chunks if it asks for them.
func sum(l ledgerOf, q *Query, horizon telemetry.Instant) ledger.Facts {
	w := calendar.Interval{From: min(q.Window.From, horizon), To: min(q.Window.To, horizon)}
	if q.Chunk == 0 || w.Empty() {
		return l.Facts(w)
	}
	var total ledger.Facts
	borders := cuts(w, q.Chunk)
	for i := 0; i+1 < len(borders); i += chunksAtOnce {
		for _, f := range l.Slices(borders[i:min(i+chunksAtOnce+1, len(borders))]) {
			total.Add(&f)
		}
	}
	return total
}

// cuts are the borders of w's chunks, from its begin to its end.
func cuts(w calendar.Interval, chunk time.Duration) []telemetry.Instant {
	length := w.Duration()
	if chunks := length / chunk; chunks >= maxChunks {
		chunk *= chunks/maxChunks + 1
	}
	var out []telemetry.Instant
	for done := time.Duration(0); done < length; done += chunk {
		out = append(out, w.From.Add(done))
	}
	return append(out, w.To)
}

func answerOf(r kpi.Result) Answer {
	a := Answer{Numbers: make(map[string]kpi.Value, kpi.NumKeys), Reason: string(r.Reason())}
	for k := kpi.Key(0); k < kpi.NumKeys; k++ {
		if k.InVectors() {
			a.Numbers[k.Name()] = r.Get(k)
		}
	}
	for _, code := range r.Codes() {
		a.Findings = append(a.Findings, string(code))
	}
	return a
}
