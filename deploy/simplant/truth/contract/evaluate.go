package contract

import (
	"fmt"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Evaluator answers questions to one vector, which must not be changed any more. It keeps what windows have in common, so
// that many windows of one record cost little more than one. It is for one goroutine.
type Evaluator struct {
	vector   *Vector
	pictures map[pictureID]*picture
	lines    map[pictureID]*picture
}

// pictureID is a unit or a line as known at a horizon.
type pictureID struct {
	id      string
	horizon telemetry.Instant
}

// NewEvaluator makes an evaluator of v.
func NewEvaluator(v *Vector) *Evaluator {
	return &Evaluator{vector: v, pictures: map[pictureID]*picture{}, lines: map[pictureID]*picture{}}
}

// Evaluate answers q. The error says that q asks of something that the vector does not have.
func (e *Evaluator) Evaluate(q *Query) (Answer, error) {
	h, w := e.horizon(q)
	if q.Line != "" {
		return e.line(q.Line, h, w)
	}
	s := newSums()
	for _, id := range e.targets(q) {
		p, err := e.picture(id, h)
		if err != nil {
			return Answer{}, fmt.Errorf("evaluate query %q: %w", q.Name, err)
		}
		s.add(p, w, q.E79)
	}
	return s.answer(q.E79), nil
}

// horizon is what nothing is later than, and the window as cut there.
func (e *Evaluator) horizon(q *Query) (telemetry.Instant, calendar.Interval) {
	h := min(e.vector.Now, q.AsOf, end)
	return h, calendar.Interval{From: max(begin, min(q.Window.From, h)), To: min(q.Window.To, h)}
}

func (e *Evaluator) targets(q *Query) []string {
	if !q.Plant {
		return q.Units
	}
	var all []string
	for i := range e.vector.Units {
		all = append(all, e.vector.Units[i].ID)
	}
	return all
}

func (e *Evaluator) picture(id string, h telemetry.Instant) (*picture, error) {
	key := pictureID{id, h}
	if p := e.pictures[key]; p != nil {
		return p, nil
	}
	i := slices.IndexFunc(e.vector.Units, func(u Unit) bool { return u.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("find unit %q: there is none", id)
	}
	p := newPicture(&e.vector.Units[i], h)
	e.pictures[key] = p
	return p, nil
}

func (e *Evaluator) line(id string, h telemetry.Instant, w calendar.Interval) (Answer, error) {
	i := slices.IndexFunc(e.vector.Lines, func(l Line) bool { return l.ID == id })
	if i < 0 {
		return Answer{}, fmt.Errorf("find line %q: there is none", id)
	}
	l := &e.vector.Lines[i]
	out, err := e.out(l, h)
	if err != nil {
		return Answer{}, fmt.Errorf("evaluate line %s: %w", id, err)
	}
	s := newSums()
	var slowest exact.Num
	for unit, each := range l.UnitSeconds {
		slowest = exact.Max(slowest, each)
		p, err := e.picture(unit, h)
		if err != nil {
			return Answer{}, fmt.Errorf("evaluate line %s: %w", id, err)
		}
		s.addEnergy(p.energy, w)
		s.addFindings(p, w, p.lengths(w), false)
	}
	s.addLine(out, w, slowest)
	return s.lineAnswer(), nil
}

// out is the picture of a line's last unit with the line's planned time marked: when any of its units has planned time.
func (e *Evaluator) out(l *Line, h telemetry.Instant) (*picture, error) {
	key := pictureID{l.ID, h}
	if p := e.lines[key]; p != nil {
		return p, nil
	}
	var planned []calendar.Interval
	for unit := range l.UnitSeconds {
		p, err := e.picture(unit, h)
		if err != nil {
			return nil, err
		}
		planned = append(planned, p.plannedTime()...)
	}
	p, err := e.picture(l.Out, h)
	if err != nil {
		return nil, err
	}
	p = p.forLine(union(planned))
	e.lines[key] = p
	return p, nil
}
