package calendar

import (
	"cmp"
	"math"
	"slices"
	"time"

	"kvarts/historian/telemetry"
)

// Always says that every moment is scheduled.
func (r *Rules) Always() bool { return len(r.Shifts) == 0 && len(r.Holidays) == 0 }

// ShiftsIn is the shifts that meet w, whole, sorted by begin, end and name. Shifts of holidays are not worked and left out.
func (r *Rules) ShiftsIn(w Interval) []NamedInterval {
	var out []NamedInterval
	holidays := r.holidays()
	for _, s := range r.Shifts {
		for day, v := range r.occurrences(&s.Daily, w) {
			if !holidays[day] {
				out = append(out, NamedInterval{s.Name, day, v})
			}
		}
	}
	slices.SortFunc(out, func(a, b NamedInterval) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Scheduled is the part of w that is scheduled operating time: the union of the shifts.
func (r *Rules) Scheduled(w Interval) Set {
	if len(r.Shifts) > 0 {
		shifts := r.ShiftsIn(w)
		all := make([]Interval, len(shifts))
		for i, s := range shifts {
			all[i] = s.Interval
		}
		return NewSet(all...).Clip(w)
	}
	var off []Interval
	for _, h := range r.Holidays {
		off = append(off, r.plantDay(h.Date))
	}
	return NewSet(w).Minus(NewSet(off...))
}

// StopsIn is the planned stops that meet w, whole, sorted by begin, end, name and reason, scheduled or not.
func (r *Rules) StopsIn(w Interval) []PlannedStop {
	var out []PlannedStop
	for _, s := range r.Stops {
		if s.Daily == nil {
			if !s.Once.Meet(w).Empty() {
				out = append(out, PlannedStop{s.Name, s.Reason, s.Once})
			}
			continue
		}
		for _, v := range r.occurrences(s.Daily, w) {
			out = append(out, PlannedStop{s.Name, s.Reason, v})
		}
	}
	slices.SortFunc(out, func(a, b PlannedStop) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

// PlannedStops is the part of w that is in a planned stop, scheduled or not.
func (r *Rules) PlannedStops(w Interval) Set {
	stops := r.StopsIn(w)
	all := make([]Interval, len(stops))
	for i, s := range stops {
		all[i] = s.Interval
	}
	return NewSet(all...).Clip(w)
}

// Days is the plant days that meet w, whole, in order. A day that the zone skipped is not among them.
func (r *Rules) Days(w Interval) []NamedInterval {
	var out []NamedInterval
	for day := range r.dates(w) {
		if v := r.plantDay(day); !v.Meet(w).Empty() {
			out = append(out, NamedInterval{day.String(), day, v})
		}
	}
	return out
}

// Hours is the hours of UTC that meet w, whole, in order.
func Hours(w Interval) []Interval {
	if w.Empty() {
		return nil
	}
	var out []Interval
	into := intoHour(w.From)
	for from := max(w.From, math.MinInt64+into) - into; from < w.To; {
		left := hour - intoHour(from)
		if from > math.MaxInt64-left {
			return append(out, Interval{from, math.MaxInt64})
		}
		out = append(out, Interval{from, from + left})
		from += left
	}
	return out
}

const hour = telemetry.Instant(time.Hour)

// intoHour is how far t is into its hour of UTC.
func intoHour(t telemetry.Instant) telemetry.Instant {
	into := t % hour
	if into < 0 {
		into += hour
	}
	return into
}

// Borders is where the ledger of w is cut into slices: the hours of UTC, with its midnights, and the begins and ends of plant
// days and of shifts, as far as they are inside w (not its own ends), each once, in order.
func (r *Rules) Borders(w Interval) []telemetry.Instant {
	var all []telemetry.Instant
	for _, v := range Hours(w) {
		all = append(all, v.From)
	}
	for _, v := range slices.Concat(r.Days(w), r.ShiftsIn(w)) {
		all = append(all, v.From, v.To)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(all, func(t telemetry.Instant) bool { return t <= w.From || t >= w.To })
	return slices.Compact(all)
}
