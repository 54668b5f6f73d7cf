package contract

import (
	"cmp"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// union is what any of vs holds: disjoint, in order, none touching the next.
func union(vs []calendar.Interval) []calendar.Interval {
	vs = slices.Clone(vs)
	slices.SortFunc(vs, func(a, b calendar.Interval) int { return cmp.Compare(a.From, b.From) })
	out := vs[:0]
	for _, v := range vs {
		if last := len(out) - 1; last >= 0 && v.From <= out[last].To {
			out[last].To = max(out[last].To, v.To)
			continue
		}
		out = append(out, v)
	}
	return out
}

// cursor walks a union along with moments that never go back.
type cursor struct{ rest []calendar.Interval }

// holds says that t is in the union.
func (c *cursor) holds(t telemetry.Instant) bool {
	for len(c.rest) > 0 && c.rest[0].To <= t {
		c.rest = c.rest[1:]
	}
	return len(c.rest) > 0 && c.rest[0].From <= t
}

// walker walks entries that hold from a moment on, along with moments that never go back.
type walker[T any] struct {
	rest []T // by time
	at   func(T) telemetry.Instant
	last *T // nil: before the first
}

// upTo is the entry that holds at t, nil before the first.
func (w *walker[T]) upTo(t telemetry.Instant) *T {
	for len(w.rest) > 0 && w.at(w.rest[0]) <= t {
		w.last, w.rest = &w.rest[0], w.rest[1:]
	}
	return w.last
}
