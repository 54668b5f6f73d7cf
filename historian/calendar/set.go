// Package calendar is the plant's time: half-open intervals of UTC and what can be done with them, and the rules (shifts,
// planned stops, holidays, plant days of a zone) that they come from.
package calendar

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"kvarts/historian/telemetry"
)

// Interval is the time from From up to, and without, To. It is empty when To ≤ From.
type Interval struct{ From, To telemetry.Instant }

// Duration is the elapsed time; 0 when v is empty, and the longest Duration (292 years) when v is longer.
func (v Interval) Duration() time.Duration {
	if v.Empty() {
		return 0
	}
	if d := v.To.Sub(v.From); d > 0 {
		return d
	}
	return math.MaxInt64
}

// Empty says that no moment is in v.
func (v Interval) Empty() bool { return v.To <= v.From }

// Holds says that t is in v.
func (v Interval) Holds(t telemetry.Instant) bool { return v.From <= t && t < v.To }

// Meet is what v and w have in common.
func (v Interval) Meet(w Interval) Interval {
	return Interval{From: max(v.From, w.From), To: min(v.To, w.To)}
}

func (v Interval) String() string { return fmt.Sprintf("[%s, %s)", v.From, v.To) }

// Set is a set of moments: intervals that are sorted, not empty and do not touch each other. The zero Set is empty.
// Sets share memory and are not changed once made.
type Set []Interval

// NewSet is the union of intervals in any order, overlapping or empty as they may be.
func NewSet(intervals ...Interval) Set {
	all := slices.DeleteFunc(slices.Clone(intervals), Interval.Empty)
	slices.SortFunc(all, func(a, b Interval) int { return cmp.Compare(a.From, b.From) })
	var s Set
	for _, v := range all {
		if n := len(s); n > 0 && v.From <= s[n-1].To {
			s[n-1].To = max(s[n-1].To, v.To)
			continue
		}
		s = append(s, v)
	}
	return s
}

// Union is what is in s or in t.
func (s Set) Union(t Set) Set { return NewSet(slices.Concat(s, t)...) }

// Intersect is what is in both.
func (s Set) Intersect(t Set) Set {
	var out Set
	for i, j := 0, 0; i < len(s) && j < len(t); {
		if m := s[i].Meet(t[j]); !m.Empty() {
			out = append(out, m)
		}
		if s[i].To < t[j].To {
			i++
		} else {
			j++
		}
	}
	return out
}

// Minus is what is in s and not in t.
func (s Set) Minus(t Set) Set {
	var out Set
	j := 0
	for _, v := range s {
		for j < len(t) && t[j].To <= v.From {
			j++
		}
		at := v.From
		for k := j; k < len(t) && t[k].From < v.To; k++ {
			if t[k].From > at {
				out = append(out, Interval{at, t[k].From})
			}
			at = max(at, t[k].To)
		}
		if at < v.To {
			out = append(out, Interval{at, v.To})
		}
	}
	return out
}

// Clip is the part of s in v.
func (s Set) Clip(v Interval) Set { return s.Intersect(NewSet(v)) }

// Holds says that t is in s.
func (s Set) Holds(t telemetry.Instant) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].To > t })
	return i < len(s) && s[i].Holds(t)
}

// Duration is the sum of the intervals' lengths, at most the longest Duration.
func (s Set) Duration() time.Duration {
	var sum time.Duration
	for _, v := range s {
		d := v.Duration()
		if d > math.MaxInt64-sum {
			return math.MaxInt64
		}
		sum += d
	}
	return sum
}
