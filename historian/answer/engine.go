package answer

import (
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/kpi"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// Engine answers questions from one store. Any number of goroutines may ask it at once; it keeps stored slices and the plant's
// models in memory, and nothing else.
type Engine struct {
	client  *influx.Client
	now     func() telemetry.Instant
	cache   *cache
	library library
	gather  gatherer // fault injection of tests
}

// New makes an engine. now is the moment of asking.
func New(client *influx.Client, now func() telemetry.Instant) *Engine {
	return &Engine{client: client, now: now, cache: newCache(), gather: gather}
}

// ref names what has facts of its own in the ledger: a unit or a line.
type ref struct {
	level Level // Unit or Line
	id    string
}

func (r ref) String() string { return r.level.String() + " " + r.id }

// plan is a question as the plant's model understands it.
type plan struct {
	q        Question
	now      telemetry.Instant
	horizon  telemetry.Instant
	window   calendar.Interval
	history  plant.History
	spans    []plant.Span
	calendar string
	rules    *calendar.Rules
	subjects []subject
	parts    []Part
	atoms    []calendar.Interval
	refs     []ref
}

// reasons says that facts need their reasons, which cost time to read.
func (p *plan) reasons() bool { return p.q.Kind == Losses || p.q.Kind == States || p.q.Explain }

// newPlan understands q, or says what is wrong with it.
func newPlan(q Question, now telemetry.Instant, history plant.History) (*plan, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	p := &plan{q: q, now: now, horizon: now, history: history}
	if q.Asof != 0 && q.Asof < now {
		p.horizon = q.Asof
	}
	p.window = calendar.Interval{From: q.Window.From, To: min(q.Window.To, p.horizon)}
	if p.window.Empty() {
		return nil, asking("the window %s ends before it begins at what is known, %s: ask for an earlier one", q.Window, p.horizon)
	}
	p.spans = history.Spans(p.window, p.horizon)
	target, err := resolve(q.Target, q.Kind, p.spans)
	if err != nil {
		return nil, err
	}
	p.subjects = []subject{target}
	for _, level := range q.Each {
		parts, err := target.parts(level, q.Kind, p.spans)
		if err != nil {
			return nil, err
		}
		p.subjects = append(p.subjects, parts...)
	}
	if err := p.standard(); err != nil {
		return nil, err
	}
	return p, p.cut(&target)
}

// standard refuses what a standard does not define.
func (p *plan) standard() error {
	if p.q.Standard != kpi.E79 {
		return nil
	}
	if p.q.Target.Level == Line || slices.Contains(p.q.Each, Line) {
		return asking("SEMI E79 does not define lines: ask for its units, or by --standard iso")
	}
	return nil
}

// cut divides the window and collects whose facts are needed.
func (p *plan) cut(target *subject) error {
	var err error
	if p.calendar, err = calendarOf(target, p.q.Calendar); err != nil {
		return err
	}
	p.parts = p.divide()
	all := []calendar.Interval{p.window}
	for _, part := range p.parts {
		all = append(all, part.Interval)
	}
	seen := make(map[ref]bool)
	need := func(level Level, ids ...string) {
		for _, id := range ids {
			if r := (ref{level, id}); !seen[r] {
				seen[r] = true
				p.refs = append(p.refs, r)
			}
		}
	}
	for _, s := range p.subjects {
		for _, m := range s.spans {
			all = append(all, m.Interval)
			if s.Level == Line {
				need(Line, s.ID)
			}
			need(Unit, m.units...)
		}
	}
	if p.q.Kind == Energy {
		p.meters(need, func(v calendar.Interval) { all = append(all, v) })
	}
	p.atoms = atoms(all)
	return nil
}

// meters needs every register of the trees of meters, and their units, as keys divide by what all of them did; and cuts where
// a key changes.
func (p *plan) meters(need func(Level, ...string), cut func(calendar.Interval)) {
	for _, s := range p.spans {
		if s.Version == nil {
			continue
		}
		for _, m := range s.Version.Model.Meters {
			need(Unit, m.Source)
			need(Unit, m.Units...)
			need(Unit, m.Behind...)
		}
	}
	for _, t := range keyChanges(p.spans) {
		if p.window.From < t && t < p.window.To {
			cut(calendar.Interval{From: p.window.From, To: t})
		}
	}
}

// calendarOf is the name of the calendar that divides the window.
func calendarOf(s *subject, asked string) (string, error) {
	m := s.spans[len(s.spans)-1]
	if asked != "" {
		if _, ok := m.model.Calendar(asked); !ok {
			return "", asking("the model has no calendar %q", asked)
		}
		return asked, nil
	}
	first, same := "", true
	for _, id := range m.units {
		u, _ := m.model.Unit(id)
		same = same && (first == "" || u.Calendar == first)
		first = u.Calendar
	}
	if same && first != "" {
		return first, nil
	}
	return m.model.Calendars[0].Name, nil
}

// divide cuts the window by the calendar as each version of the model has it: a shift or day follows the rules that were in
// force at its begin or, where no model was yet, the first that came.
func (p *plan) divide() []Part {
	var parts []Part
	for i, span := range p.spans {
		if span.Version == nil {
			continue
		}
		c, ok := span.Version.Model.Calendar(p.calendar)
		if !ok {
			c = &span.Version.Model.Calendars[0]
		}
		p.rules = c.Rules
		first := i > 0 && p.spans[i-1].Version == nil
		for _, part := range divide(p.window, p.q.By, c.Rules) {
			begin := part.Interval.From
			if span.Holds(begin) || first && p.spans[i-1].Holds(begin) && part.Interval.To > span.From {
				parts = append(parts, part)
			}
		}
	}
	if p.q.By == ByShift {
		return parts
	}
	for i := 1; i < len(parts); i++ { // days of different rules could overlap or leave a gap
		parts[i-1].Interval.To = parts[i].Interval.From
	}
	return parts
}
