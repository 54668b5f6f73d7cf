package ledger

import (
	"sort"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// lifeline is when a counter that reports every change was seen not to have changed. Between two readings a and b the
// counter stood until the last proof of life before b, so that what b counts happened after it:
//
//	alive    ├─┬─┬─┬─┬─┬─┬─┬─┤     (a proof of life every Beat)
//	readings     a         b
//	deltas       [── 0 ──)[d)
//
// With a continuous proof of life the delta is that of the last nanosecond before b.
type lifeline struct {
	alive   calendar.Set
	always  bool
	blind   calendar.Set
	beat    int64 // ns; 0: continuous
	horizon telemetry.Instant
}

// newLifeline is c's. A unit that is always alive proves it continuously, whatever the beat: there is no begin to count from.
func newLifeline(in *Input, c *Counter, horizon telemetry.Instant) *lifeline {
	return &lifeline{alive: in.Alive, always: in.AlwaysAlive, blind: c.Blind, beat: int64(c.Beat), horizon: horizon}
}

// before is the last moment before t that a value is known to have stood to; ok is false when there is none.
func (l *lifeline) before(t telemetry.Instant) (seen telemetry.Instant, ok bool) {
	for {
		seen, ok = l.proof(t)
		if !ok {
			return 0, false
		}
		i := sort.Search(len(l.blind), func(i int) bool { return l.blind[i].To > seen })
		if i == len(l.blind) || !l.blind[i].Holds(seen) {
			return seen, true
		}
		t = l.blind[i].From
	}
}

// proof is the last proof of life before t, whatever was to be read.
func (l *lifeline) proof(t telemetry.Instant) (telemetry.Instant, bool) {
	if l.always {
		return t - 1, true
	}
	i := sort.Search(len(l.alive), func(i int) bool { return l.alive[i].From >= t }) - 1
	if i < 0 {
		return 0, false
	}
	v := l.alive[i]
	if l.beat == 0 {
		return min(v.To, t-1), true
	}
	whole := int64(min(v.To, t)-1-v.From) / l.beat
	return v.From + telemetry.Instant(whole*l.beat), true
}

// end is the last moment up to the horizon that a value is known to have stood to.
func (l *lifeline) end() (telemetry.Instant, bool) {
	seen, ok := l.before(l.horizon + 1)
	return min(seen, l.horizon), ok
}
