package ledger

import (
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// DeltaKind says how a counter got from one reading to the next.
type DeltaKind uint8

// The kinds of deltas.
const (
	Rise       DeltaKind = iota // it counted on
	RolledOver                  // it passed its modulus
	Restarted                   // it began again from zero, so that what it counted before is lost: a lower bound
	Ignored                     // it fell by jitter: nothing counted
	Stood                       // it was seen not to change
)

func (k DeltaKind) String() string {
	return [...]string{"rise", "rollover", "reset", "ignored", "stood"}[k]
}

// delta is a quantity of an interval: of a counter between two readings, of a booking, of a scrap report.
type delta struct {
	from, to telemetry.Instant
	amount   exact.Num
	product  int32    // index into view.tariffs; 0: valued as counted pieces are
	findings Findings // reported for every slice that the interval overlaps
	kind     DeltaKind
}

func (d *delta) lowerBound() bool {
	return d.findings.Has(CounterResetAssumed) || d.findings.Has(RolloverAmbiguous)
}

// deltas are those of the counter up to the horizon, without holes from its first reading to its last. A swap ends one
// reading and begins another at the same moment:
//
//	readings   5────────9   ·(ignored)   17───20
//	swap                    │12→15
//	deltas     [── 4 ──)[─3─)[─── 2 ───)[─3─)
func (c *Counter) deltas(round rounding, life *lifeline) []delta {
	w := deltaWriter{round: round, rules: ruleBook{rules: c.Rules}, out: make([]delta, 0, len(c.Readings)+len(c.Swaps))}
	if c.OnChange {
		w.life = life
	}
	readings := c.Readings
	for _, s := range c.Swaps {
		if s.At > life.horizon {
			break
		}
		for len(readings) > 0 && readings[0].At < s.At {
			w.read(readings[0].At, readings[0].Value)
			readings = readings[1:]
		}
		w.read(s.At, s.Final)
		w.high = s.Initial
		if len(readings) > 0 && readings[0].At == s.At {
			readings = readings[1:]
		}
	}
	for i := range readings {
		if readings[i].At > life.horizon {
			break
		}
		w.read(readings[i].At, readings[i].Value)
	}
	w.end()
	return w.out
}

// deltaWriter turns readings in their order into deltas.
type deltaWriter struct {
	round rounding
	rules ruleBook
	life  *lifeline // nil unless the counter reports every change
	begun bool
	last  telemetry.Instant // of the last reading
	high  exact.Num         // highest reading since the last swap or drop that was not ignored
	out   []delta
}

func (w *deltaWriter) read(at telemetry.Instant, value exact.Num) {
	if !w.begun {
		w.begun, w.last, w.high = true, at, value
		return
	}
	d := delta{from: w.last, to: at}
	if w.life != nil {
		if seen, ok := w.life.before(at); ok {
			d.from = w.stood(seen)
		}
	}
	w.judge(&d, value, at.Sub(w.last))
	w.last = at
	w.out = append(w.out, d)
}

// stood records that the counter did not change from its last reading up to the moment that is returned.
func (w *deltaWriter) stood(until telemetry.Instant) telemetry.Instant {
	if until <= w.last {
		return w.last
	}
	w.out = append(w.out, delta{from: w.last, to: until, kind: Stood})
	return until
}

func (w *deltaWriter) end() {
	if w.life == nil || !w.begun {
		return
	}
	if seen, ok := w.life.end(); ok {
		w.stood(seen)
	}
}

// judge fills in the amount, the kind and the findings of d, that ends with a reading of value, elapsed after the one before.
func (w *deltaWriter) judge(d *delta, value exact.Num, elapsed time.Duration) {
	rule := w.rules.at(d.to)
	limited := rule.Kind == Rollover && rule.MaxPerSecond.Sign() > 0
	var most exact.Num
	if limited {
		most = w.round.share(rule.MaxPerSecond, int64(elapsed), int64(time.Second))
	}
	fall := w.high.Sub(value)
	switch {
	case fall.Sign() <= 0:
		d.amount, d.kind = fall.Neg(), Rise
	case fall.Cmp(rule.Epsilon) <= 0:
		d.kind, d.findings = Ignored, Findings(CounterDropIgnored)
		return
	default:
		d.amount, d.kind = value, Restarted
		if rule.Kind == Rollover && w.high.Cmp(rule.Modulus) < 0 { // not so where the modulus has just become smaller
			if turned := rule.Modulus.Sub(fall); !limited || turned.Cmp(most) <= 0 {
				d.amount, d.kind = turned, RolledOver
			}
		}
	}
	w.high = value
	switch {
	case d.kind == Restarted:
		d.findings = Findings(CounterResetAssumed)
	case limited && d.amount.Add(rule.Modulus).Cmp(most) <= 0:
		d.findings = Findings(RolloverAmbiguous)
	}
}

// ruleBook finds the rule in force at moments that do not go back.
type ruleBook struct {
	rules []Rule
	next  int  // rules[:next] begin at or before the last moment asked for
	none  Rule // in force before the first
}

func (b *ruleBook) at(t telemetry.Instant) *Rule {
	for b.next < len(b.rules) && b.rules[b.next].From <= t {
		b.next++
	}
	if b.next == 0 {
		return &b.none
	}
	return &b.rules[b.next-1]
}

// cover is the time in deltas, with known only in those that are not lower bounds.
func cover(deltas []delta, known bool) calendar.Set {
	var s calendar.Set
	for i := range deltas {
		d := &deltas[i]
		if known && d.lowerBound() {
			continue
		}
		if n := len(s); n > 0 && s[n-1].To == d.from {
			s[n-1].To = d.to
			continue
		}
		s = append(s, calendar.Interval{From: d.from, To: d.to})
	}
	return s
}
