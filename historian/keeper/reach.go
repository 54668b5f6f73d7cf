package keeper

import (
	"slices"
	"sort"

	"kvarts/historian/calendar"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// reach is the time whose facts can depend on what was recorded in v, as far as in holds it: a state holds until the next one,
// a stop is judged as a whole, the quantity between two readings lies between them, and what was booked or scrapped for an
// interval is spread over all of it. What lies further on because a state goes on, the carry of the slices tells.
//
//	v                    [──────)
//	stop           [───────)                    its begin
//	readings  ·────────────────────·            around v
//	scrap                        [──────────)   of what was made between those readings
//	reach     [─────────────────────────────)
func reach(in *ledger.Input, v calendar.Interval) calendar.Interval {
	v = stateReach(in.States, v)
	around := v
	for _, c := range []*ledger.Counter{in.Total, in.Good, in.Scrap, in.Energy} {
		if c != nil {
			around = hull(around, between(len(c.Readings), func(i int) telemetry.Instant { return c.Readings[i].At }, v))
		}
	}
	if p := in.Power; p != nil {
		around = hull(around, between(len(p.Readings), func(i int) telemetry.Instant { return p.Readings[i].At }, v))
	}
	for _, b := range in.Booked {
		if !b.Meet(v).Empty() {
			around = hull(around, b.Interval)
		}
	}
	out := around
	for _, r := range in.ScrapReports {
		if !r.Made.Meet(around).Empty() {
			out = hull(out, r.Made)
		}
	}
	return out
}

// stateReach widens v to the begin of a stop that goes on into it and to the end of the state, or stop, that goes on after it.
func stateReach(states []ledger.State, v calendar.Interval) calendar.Interval {
	first := sort.Search(len(states), func(i int) bool { return states[i].At >= v.From })
	for i := first - 1; i >= 0 && states[i].Category == ledger.Stop; i-- {
		v.From = states[i].At
	}
	next := sort.Search(len(states), func(i int) bool { return states[i].At >= v.To })
	for i := next; i < len(states); i++ {
		v.To = states[i].At
		if states[i].Category != ledger.Stop {
			break
		}
	}
	return v
}

// between is from the last of n times before v to the first that is not before its end.
func between(n int, at func(int) telemetry.Instant, v calendar.Interval) calendar.Interval {
	if i := sort.Search(n, func(i int) bool { return at(i) >= v.From }); i > 0 {
		v.From = at(i - 1)
	}
	if i := sort.Search(n, func(i int) bool { return at(i) >= v.To }); i < n {
		v.To = at(i)
	}
	return v
}

// hull is the shortest interval that holds both.
func hull(v, w calendar.Interval) calendar.Interval {
	return calendar.Interval{From: min(v.From, w.From), To: max(v.To, w.To)}
}

// hullOf is the shortest interval that holds all of them, which are in order.
func hullOf(all []calendar.Interval) calendar.Interval {
	return calendar.Interval{From: all[0].From, To: slices.MaxFunc(all, func(a, b calendar.Interval) int { return int(min(1, max(-1, a.To-b.To))) }).To}
}
