package truth

import (
	"fmt"
	"io"
	"slices"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// Answers are what CONFORMANCE.md says of all that was known at one moment. They are for one goroutine.
type Answers struct {
	vector *contract.Vector
	eval   *contract.Evaluator
	own    []string // units whose energy is their own
}

// Answers prepares the answers to questions asked at now, of the whole plant. What comes in later is not in them.
func (r *Recorder) Answers(now telemetry.Instant) (*Answers, error) {
	v, err := r.Vector(now)
	if err != nil {
		return nil, err
	}
	a := &Answers{vector: v, eval: contract.NewEvaluator(v)}
	for _, u := range r.opts.Model.Units {
		if u.Meter == "" {
			a.own = append(a.own, u.ID)
		}
	}
	return a, nil
}

// Answer is the answer to one question.
func (a *Answers) Answer(q contract.Query) (contract.Answer, error) { return a.eval.Evaluate(&q) }

// Cuts say how far an engine that computes in quanta may be from the answer to q.
func (a *Answers) Cuts(q contract.Query) (contract.Cuts, error) { return a.eval.Cuts(&q) }

// UnitQuery asks of one unit what is known now.
func UnitQuery(unit string, w calendar.Interval) contract.Query {
	return contract.Query{Name: unit + " " + w.String(), Units: []string{unit}, Window: w, AsOf: contract.Never}
}

// LineQuery asks of a line.
func LineQuery(line string, w calendar.Interval) contract.Query {
	return contract.Query{Name: line + " " + w.String(), Line: line, Window: w, AsOf: contract.Never}
}

// PlantQuery asks of the sum of all units but meters: what those read is what others use.
func (a *Answers) PlantQuery(w calendar.Interval) contract.Query {
	return contract.Query{Name: "plant " + w.String(), Units: a.own, Window: w, AsOf: contract.Never}
}

// WriteVector writes the record of one unit up to now as a conformance vector, with what is expected of each window. So what
// differs can be looked at, and run by any engine, without the plant.
func (r *Recorder) WriteVector(to io.Writer, unit string, now telemetry.Instant, windows ...calendar.Interval) error {
	v, err := r.unitVector(unit, now)
	if err != nil {
		return err
	}
	eval := contract.NewEvaluator(v)
	for _, w := range windows {
		q := UnitQuery(unit, w)
		answer, err := eval.Evaluate(&q)
		if err != nil {
			return err
		}
		q.Expect = &answer
		v.Queries = append(v.Queries, q)
	}
	if err := contract.Write(to, v); err != nil {
		return fmt.Errorf("record of unit %s: %w", unit, err)
	}
	return nil
}

// Unit is the record that the answers of one unit follow from.
func (a *Answers) Unit(id string) (*contract.Unit, bool) {
	i := slices.IndexFunc(a.vector.Units, func(u contract.Unit) bool { return u.ID == id })
	if i < 0 {
		return nil, false
	}
	return &a.vector.Units[i], true
}
