package calendar

import (
	"iter"
)

// occurrences are the times of d that meet w, whole, each with the local date of its begin.
func (r *Rules) occurrences(d *Daily, w Interval) iter.Seq2[Date, Interval] {
	return func(yield func(Date, Interval) bool) {
		for day := range r.dates(w) {
			if !d.Effective.Holds(day) || !d.Days.Holds(day.Weekday()) || !d.Cycle.Holds(day) || r.skipped(day) {
				continue
			}
			v := r.on(day, d)
			if !v.Meet(w).Empty() && !yield(day, v) {
				return
			}
		}
	}
}

// on is d as it begins on day. It is empty where clocks that were set forward left nothing of it.
func (r *Rules) on(day Date, d *Daily) Interval {
	last := day
	if d.End <= d.Begin {
		last = day.Add(1)
	}
	return Interval{Local(r.Zone, day, d.Begin), Local(r.Zone, last, d.End)}
}

// skipped says that the zone has no such day: Pacific/Apia went from 29 to 31 December 2011.
func (r *Rules) skipped(day Date) bool {
	return Local(r.Zone, day, 0) >= Local(r.Zone, day.Add(1), 0)
}

// dates are the local dates on which something may begin that meets w: nothing lasts longer than two days, and clocks
// are never set by more than one.
func (r *Rules) dates(w Interval) iter.Seq[Date] {
	return func(yield func(Date) bool) {
		if w.Empty() {
			return
		}
		last := DateOf(w.To, r.Zone).Add(1)
		for day := DateOf(w.From, r.Zone).Add(-3); !last.Before(day); day = day.Add(1) {
			if !yield(day) {
				return
			}
		}
	}
}

// plantDay is the plant day that begins on day.
func (r *Rules) plantDay(day Date) Interval {
	return Interval{Local(r.Zone, day, r.dayStart(day)), Local(r.Zone, day.Add(1), r.dayStart(day.Add(1)))}
}

// dayStart is the clock time at which the plant day of day begins.
func (r *Rules) dayStart(day Date) Clock {
	var at Clock
	var from Date
	for _, s := range r.DayStarts {
		if !day.Before(s.From) && !s.From.Before(from) {
			at, from = s.At, s.From
		}
	}
	return at
}

func (r *Rules) holidays() map[Date]bool {
	m := make(map[Date]bool, len(r.Holidays))
	for _, h := range r.Holidays {
		m[h.Date] = true
	}
	return m
}
