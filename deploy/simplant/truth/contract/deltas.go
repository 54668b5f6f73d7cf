package contract

import (
	"cmp"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// delta is what a counter grew by between two successive readings.
type delta struct {
	calendar.Interval
	amount                    exact.Num // not negative
	lower                     bool      // a lower bound
	reset, dropped, ambiguous bool      // findings
}

// series is a counter's deltas in order, each beginning where the one before it ends: from its first to its last reading
// a counter is never without one, as a swap ends one meter and begins the next at the same moment.
type series struct {
	deltas []delta
	before []exact.Num // before[i] is the sum of the amounts of deltas[:i]; one longer than deltas
}

// span is the time from the first to the last reading; empty when there is no delta.
func (s *series) span() calendar.Interval {
	if len(s.deltas) == 0 {
		return calendar.Interval{}
	}
	return calendar.Interval{From: s.deltas[0].From, To: s.deltas[len(s.deltas)-1].To}
}

// beginsAt is the index of the first delta that does not begin before t.
func (s *series) beginsAt(t telemetry.Instant) int {
	i, _ := slices.BinarySearchFunc(s.deltas, t, func(d delta, t telemetry.Instant) int { return cmp.Compare(d.From, t) })
	return i
}

// endsBy is the number of deltas that end at t or before.
func (s *series) endsBy(t telemetry.Instant) int {
	i, _ := slices.BinarySearchFunc(s.deltas, t, func(d delta, t telemetry.Instant) int {
		if d.To <= t {
			return -1
		}
		return 1
	})
	return i
}

// overlapping are the deltas that meet w, which is not empty.
func (s *series) overlapping(w calendar.Interval) []delta {
	from := s.endsBy(w.From)
	return s.deltas[from:max(from, s.beginsAt(w.To))]
}

// newSeries is what was known of a counter at h.
func newSeries(c *Counter, h telemetry.Instant) *series {
	readings, swaps := existing(c, h)
	s := &series{}
	m := meter{rule: &c.Rule}
	for _, r := range readings {
		for len(swaps) > 0 && swaps[0].At < r.At {
			s.deltas = m.replace(s.deltas, swaps[0])
			swaps = swaps[1:]
		}
		if len(swaps) == 0 || swaps[0].At != r.At { // a reading at the moment of a swap is ignored
			s.deltas = m.read(s.deltas, r.At, r.Value)
		}
	}
	for _, swap := range swaps {
		s.deltas = m.replace(s.deltas, swap)
	}
	s.before = make([]exact.Num, len(s.deltas)+1)
	for i := range s.deltas {
		s.before[i+1] = s.before[i].Add(s.deltas[i].amount)
	}
	return s
}

// existing are the readings and swaps that exist at h, one a moment, by time.
func existing(c *Counter, h telemetry.Instant) ([]Reading, []Swap) {
	readings := make([]Reading, 0, len(c.Readings))
	for _, r := range c.Readings {
		if r.At <= h && r.KnownAt <= h && !r.Bad {
			readings = append(readings, r)
		}
	}
	slices.SortStableFunc(readings, func(a, b Reading) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Revision, b.Revision))
	})
	swaps := make([]Swap, 0, len(c.Swaps))
	for _, s := range c.Swaps {
		if s.At <= h {
			swaps = append(swaps, s)
		}
	}
	return lastOfEach(readings, func(r Reading) telemetry.Instant { return r.At }), latest(swaps, func(s Swap) telemetry.Instant { return s.At })
}

// latest sorts entries by time and keeps of each moment the one that came last.
func latest[T any](entries []T, at func(T) telemetry.Instant) []T {
	slices.SortStableFunc(entries, func(a, b T) int { return cmp.Compare(at(a), at(b)) })
	return lastOfEach(entries, at)
}

// lastOfEach keeps the last of each run of entries of one moment, in place.
func lastOfEach[T any](entries []T, at func(T) telemetry.Instant) []T {
	kept := entries[:0]
	for i, e := range entries {
		if i+1 == len(entries) || at(entries[i+1]) != at(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// meter is the counter as its readings come in.
type meter struct {
	rule  *Rule
	reads bool // there was a reading
	at    telemetry.Instant
	high  exact.Num // highest since the last swap or drop that was not ignored
}

func (m *meter) replace(ds []delta, s Swap) []delta {
	ds = m.read(ds, s.At, s.Final)
	m.high = s.Initial
	return ds
}

func (m *meter) read(ds []delta, at telemetry.Instant, value exact.Num) []delta {
	if m.reads {
		ds = append(ds, m.delta(at, value))
	} else {
		m.high = value
	}
	m.reads, m.at = true, at
	return ds
}

func (m *meter) delta(at telemetry.Instant, value exact.Num) delta {
	d := delta{Interval: calendar.Interval{From: m.at, To: at}}
	rise := value.Sub(m.high)
	switch {
	case rise.Sign() >= 0:
		d.amount = rise
	case rise.Neg().Cmp(m.rule.Epsilon) <= 0:
		d.dropped = true
		return d
	case !m.rule.Rollover:
		d.amount, d.reset, d.lower = value, true, true
		m.high = value
		return d
	default:
		d.amount = m.rule.Modulus.Add(rise)
	}
	m.high = value
	if !m.rule.Rollover || m.rule.MaxPerSecond == nil {
		return d
	}
	most := m.rule.MaxPerSecond.Mul(seconds(d.Duration()))
	switch {
	case rise.Sign() < 0 && d.amount.Cmp(most) > 0:
		d.amount, d.reset, d.lower = value, true, true
	case d.amount.Add(m.rule.Modulus).Cmp(most) <= 0:
		d.ambiguous, d.lower = true, true
	}
	return d
}

func seconds(d time.Duration) exact.Num { return exact.Frac(int64(d), int64(time.Second)) }
