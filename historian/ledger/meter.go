package ledger

import (
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// meter is what is known of a unit's energy. Registers come first; where none is, known power counts; the rest is not
// covered and has bounds at most:
//
//	register          [─── D ───)[─── D ───)
//	power      ─▃▃▃▃─▆▆▆▆──▃▃▃▃▃▃      ▆▆▆▆▆▆▆▆▆▆▆▆
//	energy     ?power?│  register, shaped  │power ?
type meter struct {
	rounding
	horizon telemetry.Instant
	deltas  []delta // of the register
	steps   []step
	bounds  []PowerBounds
	covered calendar.Set
	gaps    []gap // the rest of the time from dawn to the horizon
}

// step is time of known power.
type step struct {
	from, to telemetry.Instant
	mw       exact.Num
	before   exact.Num // µWh of all steps before
	known    int64     // ns of all steps before
}

// gap is time not covered, with one bound.
type gap struct {
	from, to telemetry.Instant
	bounds   PowerBounds
}

func newMeter(in *Input, round rounding) *meter {
	m := &meter{rounding: round, horizon: in.Horizon}
	if in.Energy != nil {
		register := *in.Energy
		register.OnChange = false
		m.deltas = register.deltas(round, &lifeline{horizon: in.Horizon})
		for i := range m.deltas {
			if d := &m.deltas[i]; d.lowerBound() {
				d.findings |= Findings(RegisterLowerBound)
			}
		}
	}
	if in.Power != nil {
		m.bounds = in.Power.Bounds
		m.readSteps(in.Power.Readings)
	}
	m.cover()
	return m
}

// readSteps makes steps of the readings: each holds until the next, at most for the hold limit of its date.
func (m *meter) readSteps(readings []PowerReading) {
	var before exact.Num
	var known int64
	hold := boundsCursor{bounds: m.bounds}
	m.steps = make([]step, 0, len(readings))
	for i := range readings {
		r := &readings[i]
		if r.At >= m.horizon {
			break
		}
		if r.Bad {
			continue
		}
		s := step{from: r.At, to: m.horizon, mw: r.MW, before: before, known: known}
		if i+1 < len(readings) {
			s.to = min(s.to, readings[i+1].At)
		}
		if limit := hold.at(r.At).Hold; int64(s.to-s.from) > int64(limit) {
			s.to = s.from.Add(limit)
		}
		if s.to == s.from {
			continue
		}
		m.steps = append(m.steps, s)
		before = before.Add(m.energyOf(s.mw, int64(s.to-s.from)))
		known += int64(s.to - s.from)
	}
}

// registered is the time from the register's first reading to its last; it is empty when the register has no delta.
func (m *meter) registered() calendar.Interval {
	if len(m.deltas) == 0 {
		return calendar.Interval{}
	}
	return calendar.Interval{From: m.deltas[0].from, To: m.deltas[len(m.deltas)-1].to}
}

// cover works out the covered time and the gaps.
func (m *meter) cover() {
	all := make([]calendar.Interval, 0, len(m.steps)+1)
	if r := m.registered(); !r.Empty() {
		all = append(all, r)
	}
	for i := range m.steps {
		all = append(all, calendar.Interval{From: m.steps[i].from, To: m.steps[i].to})
	}
	m.covered = calendar.NewSet(all...)
	bounds := boundsCursor{bounds: m.bounds}
	for _, v := range calendar.NewSet(calendar.Interval{From: dawn, To: m.horizon}).Minus(m.covered) {
		for at := v.From; at < v.To; {
			g := gap{from: at, bounds: bounds.at(at)}
			g.to = min(v.To, bounds.until())
			m.gaps = append(m.gaps, g)
			at = g.to
		}
	}
}

// boundsCursor finds the bounds in force at moments that do not go back.
type boundsCursor struct {
	bounds []PowerBounds
	next   int
}

func (c *boundsCursor) at(t telemetry.Instant) PowerBounds {
	for c.next < len(c.bounds) && c.bounds[c.next].From <= t {
		c.next++
	}
	if c.next == 0 {
		return PowerBounds{}
	}
	return c.bounds[c.next-1]
}

// until is when the bounds last asked for end.
func (c *boundsCursor) until() telemetry.Instant {
	if c.next == len(c.bounds) {
		return dusk
	}
	return c.bounds[c.next].From
}
