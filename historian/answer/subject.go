package answer

import (
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/calendar"
	"kvarts/historian/plant"
)

// Subject is what a row is about.
type Subject struct {
	Level Level  `json:"level"`
	ID    string `json:"id"` // of several units: their IDs; of the plant and the chain: the model's name
}

func (s Subject) String() string { return strings.TrimSpace(s.Level.String() + " " + s.ID) }

// subject is a Subject with what it is made of. That may change: a machine is moved to another line, a unit is bought. So
// the members are listed for each time in which they are the same.
type subject struct {
	Subject
	spans []membership // in order, without overlaps; where no model is in force there is none
}

// membership is what a subject is made of for some time.
type membership struct {
	calendar.Interval
	units []string // for a line: that line's, in the order of its steps
	model *plant.Model
}

// composed describes how a level is made up in one model: the units of the subject with the given IDs that count for a kind of
// question; ok is false when the model does not have it.
func composed(m *plant.Model, t Target, kind Kind) (units []string, ok bool) {
	counts := produces
	if kind == Energy {
		counts = uses
	}
	pick := func(in func(*plant.Unit) bool) {
		for _, u := range m.Units {
			if in(u) {
				units = append(units, u.ID)
			}
		}
	}
	switch t.Level {
	case Unit, Units:
		pick(func(u *plant.Unit) bool { return slices.Contains(t.IDs, u.ID) })
		return units, len(units) > 0
	case Line:
		l, found := m.Line(t.IDs[0])
		if !found {
			return nil, false
		}
		for _, s := range l.Steps {
			units = append(units, s.Units...)
		}
		return units, true
	case Area:
		pick(func(u *plant.Unit) bool { return u.Area == t.IDs[0] && counts(u) })
		return units, slices.ContainsFunc(m.Areas, func(a plant.Area) bool { return a.ID == t.IDs[0] })
	case Stage:
		pick(func(u *plant.Unit) bool { return u.Stage == t.IDs[0] && counts(u) })
		_, found := m.Stage(t.IDs[0])
		return units, found
	default:
		pick(counts)
		return units, true
	}
}

// produces says that the unit is a machine that does or does not work: not only a meter, nor a supply without a state, whose
// time would be unknown for ever.
func produces(u *plant.Unit) bool {
	c := u.Class
	return c.State != nil || c.Total != nil || c.Good != nil || c.Scrap != nil || c.Progress != nil
}

// uses says that the unit's energy is its own: a meter's is that of the machines below it and would count twice in a sum.
func uses(u *plant.Unit) bool { return u.Meter == "" }

// resolve finds out what a target is made of in each of the spans, and joins spans that do not differ.
func resolve(t Target, kind Kind, spans []plant.Span) (subject, error) {
	s := subject{Subject: Subject{Level: t.Level, ID: strings.Join(t.IDs, ",")}}
	missing := make(map[string]bool)
	for _, id := range t.IDs {
		missing[id] = true
	}
	var last *plant.Model
	for _, span := range spans {
		if span.Version == nil {
			continue
		}
		m := span.Version.Model
		last = m
		for _, id := range t.IDs {
			if _, ok := composed(m, Target{Level: t.Level, IDs: []string{id}}, kind); ok {
				delete(missing, id)
			}
		}
		units, ok := composed(m, t, kind)
		if !ok {
			continue
		}
		if n := len(s.spans); n > 0 && s.spans[n-1].To == span.From && slices.Equal(s.spans[n-1].units, units) && t.Level != Line {
			s.spans[n-1].To, s.spans[n-1].model = span.To, m
			continue
		}
		s.spans = append(s.spans, membership{Interval: span.Interval, units: units, model: m})
	}
	if last == nil {
		return s, errNoModel
	}
	if len(missing) > 0 {
		return s, asking("%s", unknownName(last, t.Level, missing))
	}
	if t.Level == Plant || t.Level == Chain {
		s.ID = last.Name
	}
	return s, nil
}

// errNoModel says that no number can be made for a time that no model describes.
var errNoModel = asking("no plant model was in force at any moment of the window, as far as was known: " +
	"check one with `historian model check FILE` and apply it with `historian model apply FILE --effective TIME`")

// unknownName says what names of a level there are.
func unknownName(m *plant.Model, level Level, missing map[string]bool) string {
	names := make([]string, 0, len(missing))
	for id := range missing {
		names = append(names, id)
	}
	slices.Sort(names)
	const show = 20
	have := namesOf(m, level)
	more := ""
	if len(have) > show {
		have, more = have[:show], fmt.Sprintf(" and %d more", len(have)-show)
	}
	what := level.String()
	if level == Units {
		what = "unit"
	}
	return fmt.Sprintf("the model has no %s %s; it has %s%s", what, strings.Join(names, ", "), strings.Join(have, ", "), more)
}

// namesOf are the names of one level in the order of the model.
func namesOf(m *plant.Model, level Level) []string {
	var names []string
	switch level {
	case Unit, Units:
		for _, u := range m.Units {
			names = append(names, u.ID)
		}
	case Line:
		for _, l := range m.Lines {
			names = append(names, l.ID)
		}
	case Area:
		for _, a := range m.Areas {
			names = append(names, a.ID)
		}
	case Stage:
		for _, s := range m.Stages {
			names = append(names, s.Name)
		}
	}
	return names
}

// parts are the subjects of one level that have units in common with s: each unit of a line, each line of an area.
func (s *subject) parts(level Level, kind Kind, spans []plant.Span) ([]subject, error) {
	var out []subject
	seen := make(map[string]bool)
	for _, m := range slices.Backward(s.spans) {
		member := make(map[string]bool, len(m.units))
		for _, u := range m.units {
			member[u] = true
		}
		for _, id := range namesOf(m.model, level) {
			if seen[id] {
				continue
			}
			units, ok := composed(m.model, Target{Level: level, IDs: []string{id}}, kind)
			if !ok || !slices.ContainsFunc(units, func(u string) bool { return member[u] }) {
				continue
			}
			seen[id] = true
			part, err := resolve(Target{Level: level, IDs: []string{id}}, kind, spans)
			if err != nil {
				return nil, err
			}
			out = append(out, part)
		}
	}
	return out, nil
}
