package world

import (
	"fmt"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// FaultKind is what goes wrong between a machine and who looks at it. What the machine does is not changed by it.
type FaultKind string

// The kinds.
const (
	Stuck  FaultKind = "stuck"  // the value stays what it was
	Failed FaultKind = "failed" // a broken sensor: Bad, without a value
	Unsure FaultKind = "unsure" // values are Uncertain
	Silent FaultKind = "silent" // nothing comes: the network is cut, the gateway is off
	Skewed FaultKind = "skewed" // the machine's clock is off by Skew
)

// OPC UA StatusCodes (Part 8 §6.3.2 and Part 4 §7.39) of the faults.
const (
	badSensorFailure = 0x808C0000
	uncertainSensor  = 0x40930000 // UncertainSensorNotAccurate
)

// Fault is one of a unit, or of one signal of it.
type Fault struct {
	Kind   FaultKind
	Unit   string
	Signal string // "": all signals of the unit
	calendar.Interval
	Skew time.Duration
}

// AddFault lets something go wrong, from now on or later.
func (w *World) AddFault(f Fault) error {
	u, ok := w.byID[f.Unit]
	if !ok {
		return fmt.Errorf("fault %s: the model %s has no unit %q", f.Kind, w.opts.Model.Name, f.Unit)
	}
	return u.addFault(f)
}

func (u *Unit) addFault(f Fault) error {
	if f.Signal != "" && !u.Has(f.Signal) {
		return fmt.Errorf("fault %s: unit %s of class %s has no signal %q", f.Kind, u.ID, u.Class.Name, f.Signal)
	}
	u.faults = append(u.faults, f)
	if f.Kind == Silent || f.Kind == Failed {
		// Afterwards what is set, not measured, is told anew: a subscription begins with the present values.
		u.w.schedule(f.To, observed, func() {
			for i := range u.signals {
				if f.Signal == "" || u.signals[i].Name == f.Signal {
					u.signals[i].ever = false
					u.look(i, true)
				}
			}
		})
	}
	return nil
}

// disturb changes a sample as the unit's faults do; false: nobody sees it.
func (u *Unit) disturb(x *Sample, s *signal, first bool) bool {
	for i := range u.faults {
		f := &u.faults[i]
		if !f.Holds(u.w.now) || f.Signal != "" && f.Signal != s.Name {
			continue
		}
		switch f.Kind {
		case Silent:
			return false
		case Stuck:
			if !first && s.seen.Type() == x.Value.Type() {
				x.Value = s.seen
			}
		case Failed:
			x.Value, x.Status = telemetry.Value{}, badSensorFailure
		case Unsure:
			x.Status = uncertainSensor
		case Skewed:
			x.At = x.At.Add(f.Skew)
		}
	}
	return true
}

// Seen is when the unit was not Silent as a whole, within v: when a collector would have seen it alive.
func (u *Unit) Seen(v calendar.Interval) calendar.Set {
	out := calendar.NewSet(v)
	for i := range u.faults {
		if f := &u.faults[i]; f.Kind == Silent && f.Signal == "" {
			out = out.Minus(calendar.NewSet(f.Interval))
		}
	}
	return out
}
