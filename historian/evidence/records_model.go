package evidence

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// CheckRecord says whether the model in force when r begins knows what r names: a record of a unit that nobody has would never
// be missed. In the time before the first model, the first one is asked; without any model everything passes.
func CheckRecord(history plant.History, r *record.Record, asof telemetry.Instant) error {
	m := modelAt(history, r.From, asof)
	if m == nil {
		return nil
	}
	var errs []error
	unknown := func(what, name, see string) {
		errs = append(errs, fmt.Errorf("%s %q: the plant model in force at %s has none of that name; %s", what, name, r.From, see))
	}
	unit, isUnit := m.Unit(r.Unit)
	if r.Unit != "" && !isUnit {
		unknown("unit", r.Unit, "see historian model show")
	}
	if _, ok := m.Line(r.Line); r.Line != "" && !ok && !slices.ContainsFunc(m.Units, func(u *plant.Unit) bool { return u.Line == r.Line }) {
		unknown("line", r.Line, "see historian model show")
	}
	if r.Area != "" && !slices.ContainsFunc(m.Areas, func(a plant.Area) bool { return a.ID == r.Area }) {
		unknown("area", r.Area, "see historian model show")
	}
	if _, ok := m.Product(r.Product); r.Product != "" && !ok {
		unknown("product", r.Product, "see historian model show")
	}
	if names := counters(unit); r.Signal != "" && isUnit && !slices.Contains(names, r.Signal) {
		errs = append(errs, fmt.Errorf("signal %q: no counter of a %s; use one of %s", r.Signal, unit.Class.Name, strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}

func modelAt(history plant.History, t, asof telemetry.Instant) *plant.Model {
	v, ok := history.At(t, asof)
	if !ok {
		for i := range history {
			if w := &history[i]; w.Known <= asof && (v == nil || w.Effective < v.Effective) {
				v = w
			}
		}
	}
	if v == nil {
		return nil
	}
	return v.Model
}

// counters are the signals of a unit that a swap or reset can be of.
func counters(u *plant.Unit) []string {
	if u == nil {
		return nil
	}
	var names []string
	for _, s := range []*plant.Signal{u.Class.Total, u.Class.Good, u.Class.Scrap, u.Class.Energy} {
		if s != nil {
			names = append(names, s.Name)
		}
	}
	return names
}
