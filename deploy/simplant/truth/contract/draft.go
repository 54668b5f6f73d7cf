package contract

import (
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// draft is a picture in the making: elementary spans, and step by step what each of them is.
type draft struct {
	*picture
	spans []calendar.Interval
	of    []bucket
}

// newDraft cuts the time before the horizon at every border that can matter to the meaning of a moment.
func newDraft(p *picture) *draft {
	u := p.unit
	borders := []telemetry.Instant{begin, p.horizon}
	add := func(ts ...telemetry.Instant) { borders = append(borders, ts...) }
	for _, vs := range [][]calendar.Interval{u.Shifts, u.PlannedStops, u.Alive} {
		for _, v := range vs {
			add(v.From, v.To)
		}
	}
	for i := range u.States {
		add(u.States[i].At)
	}
	for i := range u.Ideals {
		add(u.Ideals[i].From)
	}
	for i := range p.booked {
		add(p.booked[i].From, p.booked[i].To)
	}
	for _, c := range p.counters {
		if c == nil {
			continue
		}
		if v := c.span(); !v.Empty() {
			add(v.From, v.To)
		}
		for i := range c.deltas {
			if d := &c.deltas[i]; d.lower {
				add(d.From, d.To)
			}
		}
	}
	slices.Sort(borders)
	d := &draft{picture: p}
	for i := range borders[1:] {
		v := calendar.Interval{From: max(borders[i], begin), To: min(borders[i+1], p.horizon)}
		if !v.Empty() {
			d.spans = append(d.spans, v)
		}
	}
	d.of = make([]bucket, len(d.spans))
	return d
}

// readStates says of each span what state the unit was in, and which ideal it counts by.
func (d *draft) readStates() {
	u := d.unit
	states := slices.DeleteFunc(slices.Clone(u.States), func(s State) bool { return s.At > d.horizon })
	at := func(s State) telemetry.Instant { return s.At }
	state := walker[State]{rest: latest(states, at), at: at}
	ideal := walker[int]{rest: idealsByDate(u, ""), at: d.idealFrom}
	alive := cursor{union(u.Alive)}
	for i := range d.spans {
		b, t := &d.of[i], d.spans[i].From
		b.ideal = d.idealOf(ideal.upTo(t))
		s := state.upTo(t)
		if seen := u.AlwaysAlive || alive.holds(t); s == nil || s.Bad || !seen {
			continue
		}
		category, mapped := u.StateMap[s.Code]
		b.state, b.unmapped = category, !mapped
	}
}

// findStops finds stops, unbroken time in category stop, and those of them that are minor.
func (d *draft) findStops() {
	for i := 0; i < len(d.of); {
		j := i
		for j < len(d.of) && d.of[j].state == Stop {
			j++
		}
		if i == j {
			i++
			continue
		}
		length := d.spans[j-1].To.Sub(d.spans[i].From)
		between := i > 0 && d.of[i-1].state == Run && j < len(d.of) && d.of[j].state == Run
		if between && shorter(length, d.unit.MinorStop) {
			for k := i; k < j; k++ {
				d.of[k].minor = true
			}
		} else {
			d.stops = append(d.stops, d.spans[i].From)
		}
		i = j
	}
}

func shorter(length time.Duration, s exact.Num) bool { return seconds(length).Cmp(s) < 0 }

// classify says what each span is to the unit, whether what was made in it is counted, and whether it is bridged.
func (d *draft) classify() {
	shifts, planned := cursor{union(d.unit.Shifts)}, cursor{union(d.unit.PlannedStops)}
	var bookings []calendar.Interval
	for i := range d.booked {
		bookings = append(bookings, d.booked[i].Interval)
	}
	booked := cursor{union(bookings)}
	counted := d.counted()
	var in [numCounters]counting
	for k, c := range d.counters {
		in[k] = newCounting(c)
	}
	stopped := false // the stop that is going on has been STOP_s before
	for i := range d.of {
		b, t := &d.of[i], d.spans[i].From
		b.inShift = len(d.unit.Shifts) == 0 || shifts.holds(t)
		b.inPlanned = planned.holds(t)
		b.class = classOf(b)
		stopped = stopped && b.state == Stop
		if b.class == inStop && !stopped {
			stopped = true
			d.inStops = append(d.inStops, t)
		}
		all, sure := counted, counted
		for k := range in {
			some, surely := in[k].holds(t)
			all, sure = all && some, sure && surely
		}
		b.uncounted = b.state == Run && !booked.holds(t) && !all
		b.bridged = b.state == Unknown && sure
	}
}

func classOf(b *bucket) class {
	switch {
	case !b.inShift || b.state == Nonscheduled:
		return inNone
	case b.inPlanned && b.state != Run, b.state == Planned, b.state == Engineering:
		return inPlanned
	case b.state == Run:
		return inRun
	case b.state == Setup:
		return inSetup
	case b.state == Stop && b.minor:
		return inMinor
	case b.state == Stop:
		return inStop
	case b.state == Idle:
		return inIdle
	default:
		return inUnknown
	}
}

// counting walks where a counter says what was made. The zero counting, of no counter, says so everywhere.
type counting struct {
	exists bool
	all    cursor // in some delta
	unsure cursor // in one that is a lower bound
}

func newCounting(c *series) counting {
	if c == nil {
		return counting{}
	}
	in := counting{exists: true}
	if v := c.span(); !v.Empty() {
		in.all.rest = []calendar.Interval{v}
	}
	var lower []calendar.Interval
	for i := range c.deltas {
		if d := &c.deltas[i]; d.lower {
			lower = append(lower, d.Interval)
		}
	}
	in.unsure.rest = union(lower)
	return in
}

// holds says that t is in a delta, and in one that is no lower bound.
func (c *counting) holds(t telemetry.Instant) (some, surely bool) {
	if !c.exists {
		return true, true
	}
	some = c.all.holds(t)
	return some, some && !c.unsure.holds(t)
}
