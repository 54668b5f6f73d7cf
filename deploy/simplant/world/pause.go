package world

import (
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/plant"
)

// Hazard is something that interrupts work now and then.
type Hazard struct {
	Category plant.Category // Stop, as a rule
	Reason   string         // as the model's state map or reasons name it
	Every    time.Duration  // mean time of work between two
	Lasts    time.Duration  // mean length
	Least    time.Duration  // shortest length
	// Done, when set, is called at the end of each, with how long it lasted.
	Done func(lasted time.Duration)
}

// hazard is one with the time of work at which it comes next.
type hazard struct {
	Hazard
	due float64 // seconds of work
}

// Hazards says what may interrupt the unit's work.
func (u *Unit) Hazards(all ...Hazard) {
	for _, h := range all {
		x := &hazard{Hazard: h}
		x.draw(u, u.workedNow())
		u.hazards = append(u.hazards, x)
	}
}

func (h *hazard) draw(u *Unit, worked float64) {
	h.due = worked + u.rng.ExpFloat64()*h.Every.Seconds()
}

// Continuous makes the unit work on whatever the calendar plans: who pulls a crystal does not stop for a shift.
func (u *Unit) Continuous() { u.heeds = false }

// Work works for so long. Hazards and, unless the unit is Continuous, what the calendar plans interrupt it; meanwhile the unit
// makes nothing, its curves stand still and it draws its standby power.
func (u *Unit) Work(d time.Duration) {
	left := d.Truncate(100)
	for left > 0 {
		length, pause := left, func() {}
		for _, h := range u.hazards {
			if at := time.Duration((h.due - u.workedNow()) * 1e9).Truncate(100); at < length {
				length, pause = max(0, at), func() { u.strike(h) }
			}
		}
		if u.heeds {
			if off := u.offAfter(u.w.now); off.From.Sub(u.w.now) < length {
				length, pause = max(0, off.From.Sub(u.w.now)), func() { u.standFor(off) }
			}
		}
		u.Wait(length)
		left -= length
		pause()
	}
}

// strike is one interruption by a hazard.
func (u *Unit) strike(h *hazard) {
	lasts := h.Least + time.Duration(u.rng.ExpFloat64()*float64(max(0, h.Lasts-h.Least))).Truncate(100*time.Millisecond)
	u.Pause(&h.Hazard, max(lasts, 100*time.Millisecond))
	h.draw(u, u.workedNow())
	if h.Done != nil {
		h.Done(lasts)
	}
}

// Pause interrupts work now, for so long.
func (u *Unit) Pause(h *Hazard, lasts time.Duration) {
	u.interrupted(h.Category, h.Reason, func() {
		if u.OnPause != nil {
			u.OnPause(h)
		}
		u.Wait(lasts)
	})
	if u.OnResume != nil {
		u.OnResume()
	}
}

// interrupted lets work stand still while wait waits.
func (u *Unit) interrupted(c plant.Category, why string, wait func()) {
	category, reason := u.category, u.reason
	u.settle()
	u.paused, u.making.perSecond, u.making.scrapSecond = true, 0, 0
	u.State(c, why)
	wait()
	u.settle()
	u.paused, u.making.perSecond, u.making.scrapSecond = false, u.making.want, u.making.wantScrap
	u.State(category, reason)
}

// standFor is an interruption by the calendar.
func (u *Unit) standFor(off calendar.Interval) {
	c := plant.Nonscheduled
	if u.calendarOff().planned.Holds(off.From) {
		c = plant.Planned
	}
	u.Pause(&Hazard{Category: u.known(c)}, off.To.Sub(u.w.now))
}

// known is c where the unit's state map knows it, else what a machine shows that nobody works at.
func (u *Unit) known(c plant.Category) plant.Category {
	if _, ok := u.stateCode(c, ""); ok {
		return c
	}
	return plant.Idle
}

// Ready waits, before a batch, until the calendar plans nothing against it for at least the time that is needed to begin.
func (u *Unit) Ready() {
	if off := u.offAfter(u.w.now); !off.Empty() && off.From <= u.w.now {
		u.standFor(off)
	}
}

// offTime is when units of a calendar do not work, as far as it was computed.
type offTime struct {
	rules   *calendar.Rules
	until   Instant
	off     calendar.Set // outside shifts, or planned
	planned calendar.Set
}

// calendarOff is the unit's calendar, computed to at least a week ahead.
func (u *Unit) calendarOff() *offTime {
	o := u.w.off[u.Calendar]
	if o == nil {
		c, _ := u.w.Model().Calendar(u.Calendar) // a checked model has it
		o = &offTime{rules: c.Rules}
		u.w.off[u.Calendar] = o
	}
	const week = 7 * 24 * time.Hour
	if o.until < u.w.now.Add(week) {
		v := calendar.Interval{From: u.w.now, To: u.w.now.Add(4 * week)}
		o.planned = o.rules.PlannedStops(v)
		o.off = calendar.NewSet(v).Minus(o.rules.Scheduled(v)).Union(o.planned)
		if o.rules.Always() {
			o.off = o.planned
		}
		o.until = v.To
	}
	return o
}

// offAfter is the stretch off work that t is in, from t on, or else the next one; far away when there is none.
func (u *Unit) offAfter(t Instant) calendar.Interval {
	o := u.calendarOff()
	for _, v := range o.off {
		if v.To > t {
			return calendar.Interval{From: max(v.From, t), To: v.To}
		}
	}
	return calendar.Interval{From: o.until, To: o.until + 1}
}
