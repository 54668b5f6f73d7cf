package ledger_test

import (
	"cmp"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// oracle computes facts the slow way: it looks at every nanosecond on its own and asks what CONFORMANCE.md says of it.
// Nothing in it is shared with the package.
type oracle struct {
	in     *ledger.Input
	end    telemetry.Instant // horizon
	total  []span            // what enters the pieces, the good pieces, and scrap, with the nanoseconds it belongs to
	good   []span
	deltas map[string][]span // of each piece counter
	energy []span
}

// span is a quantity of an interval.
type span struct {
	calendar.Interval
	amount    exact.Num
	product   string
	lower     bool
	findings  ledger.Findings
	completes bool // all of it in the last moment
}

func newOracle(in *ledger.Input) *oracle {
	o := &oracle{in: in, end: in.Horizon, deltas: map[string][]span{}}
	for name, c := range map[string]*ledger.Counter{"total": in.Total, "good": in.Good, "scrap": in.Scrap} {
		if c != nil {
			o.deltas[name] = o.read(c, c.OnChange)
		}
	}
	if in.Energy != nil {
		o.energy = o.read(in.Energy, false)
	}
	total, good, scrap := o.deltas["total"], o.deltas["good"], o.deltas["scrap"]
	switch {
	case in.Total == nil:
		o.total, o.good = slices.Concat(good, scrap), good
	case in.Good == nil:
		o.total, o.good = total, slices.Concat(total, negative(scrap))
	default:
		o.total, o.good = total, good
	}
	for _, b := range in.Booked {
		if b.To <= o.end {
			o.total = append(slices.Clip(o.total), span{Interval: b.Interval, amount: b.Total, product: b.Product, completes: b.Completion})
			o.good = append(slices.Clip(o.good), span{Interval: b.Interval, amount: b.Good, product: b.Product, completes: b.Completion})
		}
	}
	return o
}

func negative(all []span) []span {
	out := slices.Clone(all)
	for i := range out {
		out[i].amount = out[i].amount.Neg()
	}
	return out
}

// state is the effective state of a moment.
func (o *oracle) state(m telemetry.Instant) (c ledger.Category, s ledger.State) {
	for _, x := range o.in.States {
		if x.At <= m {
			s = x
		}
	}
	if s.Bad || !o.in.AlwaysAlive && !o.in.Alive.Holds(m) {
		return ledger.Unknown, ledger.State{}
	}
	return s.Category, s
}

// stop is the unbroken stop around a moment in category stop, and whether it is minor.
func (o *oracle) stop(m telemetry.Instant) (from telemetry.Instant, minor bool) {
	is := func(t telemetry.Instant, want ledger.Category) bool {
		c, _ := o.state(t)
		return t >= 0 && t < o.end && c == want
	}
	from, to := m, m+1
	for is(from-1, ledger.Stop) {
		from--
	}
	for is(to, ledger.Stop) {
		to++
	}
	var limit time.Duration
	for _, l := range o.in.Limits {
		if l.From <= from {
			limit = l.MinorStop
		}
	}
	return from, to.Sub(from) < limit && is(from-1, ledger.Run) && is(to, ledger.Run)
}

// moment is what one nanosecond is.
type moment struct {
	category                      ledger.Category
	minor, out, planned, inStop   bool // planned: planned downtime
	run, unknown, busy, spreads   bool // busy: in PBT
	bridged, uncounted, unplanned bool // unplanned: in category stop and in PBT, not minor
}

func (o *oracle) moment(m telemetry.Instant) moment {
	var x moment
	x.category, _ = o.state(m)
	if x.category == ledger.Stop {
		_, x.minor = o.stop(m)
	}
	x.out = !o.in.Always && !o.in.Shifts.Holds(m) || x.category == ledger.Nonscheduled
	x.inStop = o.in.PlannedStops.Holds(m)
	x.planned = !x.out && (x.inStop && x.category != ledger.Run || x.category == ledger.Planned || x.category == ledger.Engineering)
	x.busy = !x.out && !x.planned
	x.run = x.busy && x.category == ledger.Run
	x.unknown = x.busy && x.category == ledger.Unknown
	x.unplanned = x.busy && x.category == ledger.Stop && !x.minor
	x.spreads = x.category == ledger.Run || x.unknown
	within := func(all []span, known bool) bool {
		return slices.ContainsFunc(all, func(s span) bool { return s.Holds(m) && (!known || !s.lower) })
	}
	x.bridged, x.uncounted = len(o.deltas) > 0, len(o.deltas) == 0
	for _, d := range o.deltas {
		x.bridged = x.bridged && within(d, true)
		x.uncounted = x.uncounted || !within(d, false)
	}
	for _, b := range o.in.Booked {
		if b.To <= o.end && b.Holds(m) {
			x.uncounted = false
		}
	}
	x.uncounted = x.uncounted && x.category == ledger.Run
	return x
}

// alive says that the last proof of life of a counter before t, and when; for a moment after the last reading t is the
// horizon + 1.
func (o *oracle) proof(c *ledger.Counter, t telemetry.Instant) (telemetry.Instant, bool) {
	for p := t - 1; p >= -1; p-- {
		if c.Blind.Holds(p) {
			continue
		}
		if o.in.AlwaysAlive {
			return p, true
		}
		for _, v := range o.in.Alive {
			since := int64(p - v.From)
			switch {
			case c.Beat == 0 && v.From <= p && p <= v.To, // up to its end the unit was seen
				c.Beat > 0 && v.Holds(p) && since%int64(c.Beat) == 0:
				return p, true
			}
		}
	}
	return 0, false
}

// read is the counter's deltas by the rules of CONFORMANCE.md, written down as a list of readings with breaks.
func (o *oracle) read(c *ledger.Counter, onChange bool) []span {
	type reading struct {
		at      telemetry.Instant
		value   exact.Num
		restart *exact.Num
	}
	var all []reading
	for _, r := range c.Readings {
		swapped := slices.ContainsFunc(c.Swaps, func(s ledger.Swap) bool { return s.At == r.At })
		if r.At <= o.end && !swapped {
			all = append(all, reading{at: r.At, value: r.Value})
		}
	}
	for _, s := range c.Swaps {
		if s.At <= o.end {
			all = append(all, reading{at: s.At, value: s.Final, restart: &s.Initial})
		}
	}
	slices.SortFunc(all, func(a, b reading) int { return cmp.Compare(a.at, b.at) })
	var out []span
	var high exact.Num
	for i, r := range all {
		if i > 0 {
			from := all[i-1].at
			if p, ok := o.proof(c, r.at); onChange && ok && p > from {
				out = append(out, span{Interval: calendar.Interval{From: from, To: p}})
				from = p
			}
			s := span{Interval: calendar.Interval{From: from, To: r.at}}
			high = o.pair(c, &s, high, r.value, exact.Int(int64(r.at-all[i-1].at)))
			out = append(out, s)
		} else {
			high = r.value
		}
		if r.restart != nil {
			high = *r.restart
		}
	}
	if n := len(all); n > 0 && onChange {
		if p, ok := o.proof(c, o.end+1); ok && p > all[n-1].at {
			out = append(out, span{Interval: calendar.Interval{From: all[n-1].at, To: p}})
		}
	}
	return out
}

// pair fills in the delta of two successive readings and returns the new high.
func (o *oracle) pair(c *ledger.Counter, s *span, high, value, ns exact.Num) exact.Num {
	var rule ledger.Rule
	for _, r := range c.Rules {
		if r.From <= s.To {
			rule = r
		}
	}
	most := rule.MaxPerSecond.Mul(ns).Quo(exact.Int(int64(time.Second)))
	limited := rule.Kind == ledger.Rollover && !rule.MaxPerSecond.IsZero()
	over := limited && rule.Modulus.Sub(high).Add(value).Cmp(most) > 0
	switch {
	case value.Cmp(high) >= 0:
		s.amount = value.Sub(high)
	case high.Sub(value).Cmp(rule.Epsilon) <= 0:
		s.findings = ledger.Findings(ledger.CounterDropIgnored)
		return high
	case rule.Kind == ledger.Rollover && !over && high.Cmp(rule.Modulus) < 0:
		s.amount = rule.Modulus.Sub(high).Add(value)
	default:
		s.amount, s.lower, s.findings = value, true, ledger.Findings(ledger.CounterResetAssumed)
		return value
	}
	if limited && s.amount.Add(rule.Modulus).Cmp(most) <= 0 {
		s.lower, s.findings = true, ledger.Findings(ledger.RolloverAmbiguous)
	}
	return value
}
