package evidence

import (
	"fmt"
	"math"

	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// The ends of time that a store can tell.
const (
	beginning telemetry.Instant = math.MinInt64 // before every point
	ending    telemetry.Instant = math.MaxInt64
)

// role is what a signal says of a unit.
type role uint8

// The roles, in the order in which signals are read.
const (
	roleState role = iota
	roleTotal
	roleGood
	roleScrap
	roleEnergy
	rolePower
	roleProgress
	roleBatch
	roleProduct
	roleReason
	numRoles
)

// signal is the class's signal with the role r; nil when it has none.
func (r role) signal(c *plant.Class) *plant.Signal {
	return [numRoles]*plant.Signal{
		roleState: c.State, roleTotal: c.Total, roleGood: c.Good, roleScrap: c.Scrap, roleEnergy: c.Energy, rolePower: c.Power,
		roleProgress: c.Progress, roleBatch: c.Batch, roleProduct: c.Product, roleReason: c.Reason,
	}[r]
}

// era is a time in which one version of the model says what a unit is. The eras of a unit follow one another; in the time
// before the first version its description is used to read what was stored then, so that a state that was there when the model
// came into force is known.
type era struct {
	calendar.Interval
	version *plant.Version
	unit    *plant.Unit // nil: the model in force does not have the unit, or no model was in force
}

// erasOf divides all time up to, and with, the horizon. An error names a unit that no version has.
func erasOf(history plant.History, unit string, horizon, asof telemetry.Instant) ([]era, error) {
	var eras []era
	found := false
	end := ending
	if horizon < ending {
		end = horizon + 1
	}
	for _, s := range history.Spans(calendar.Interval{From: beginning, To: end}, asof) {
		e := era{Interval: s.Interval, version: s.Version}
		if s.Version != nil {
			e.unit, _ = s.Version.Model.Unit(unit)
		}
		found = found || e.unit != nil
		eras = append(eras, e)
	}
	if !found {
		return nil, fmt.Errorf("no model known at %s and effective by %s has the unit %q: %w", asof, horizon, unit, ErrNoUnit)
	}
	return eras, nil
}

// channel is where the values of one role are stored for some time.
type channel struct {
	calendar.Interval
	class, field string
}

// channels of one role, in order, neighbours that are the same joined. The first one reaches back to the beginning.
func channels(eras []era, r role) []channel {
	var out []channel
	for _, e := range eras {
		if e.unit == nil {
			continue
		}
		s := r.signal(e.unit.Class)
		if s == nil {
			continue
		}
		c := channel{Interval: e.Interval, class: e.unit.Class.Name, field: s.Name}
		if n := len(out); n > 0 && out[n-1].class == c.class && out[n-1].field == c.field {
			out[n-1].To = c.To
			continue
		}
		if len(out) == 0 {
			c.From = beginning
		}
		out = append(out, c)
	}
	return out
}

// eraAt is the era that holds t; beyond the ends, the nearest.
func eraAt(eras []era, t telemetry.Instant) *era {
	for i := range eras {
		if t < eras[i].To {
			return &eras[i]
		}
	}
	return &eras[len(eras)-1]
}

// describing is the era by which what was stored at t is understood: that of t or, before the first that has the unit, the first.
func describing(eras []era, t telemetry.Instant) *era {
	if e := eraAt(eras, t); e.unit != nil || e.version != nil {
		return e
	}
	for i := range eras {
		if eras[i].unit != nil && eras[i].From > t {
			return &eras[i]
		}
	}
	return eraAt(eras, t)
}

// since is a value from a date on; ok is false when there is none from then on.
type since[T any] struct {
	from  telemetry.Instant
	value T
	ok    bool
}

// over is what the models say of the unit over all time: what pick says, era by era, a change today leaving last month as it
// was. Successive entries differ in time, not always in value.
func over[T any](eras []era, pick func(*plant.Unit) plant.Dated[T]) []since[T] {
	var out []since[T]
	for i, e := range eras {
		if e.unit == nil {
			if e.version != nil || i > 0 { // before the first model, the first model's word is as good as none
				out = append(out, since[T]{from: e.From})
			}
			continue
		}
		d := pick(e.unit)
		v, ok := d.At(e.From)
		out = append(out, since[T]{e.From, v, ok})
		for _, s := range d {
			if e.From < s.From && s.From < e.To {
				out = append(out, since[T]{s.From, s.Value, true})
			}
		}
	}
	return out
}

// at is the entry in force at t.
func at[T any](list []since[T], t telemetry.Instant) (v T, ok bool) {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].from <= t {
			return list[i].value, list[i].ok
		}
	}
	return v, false
}
