package ledger_test

import (
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// share is the part of a span that falls to moment m.
func (o *oracle) share(s span, m telemetry.Instant) exact.Num {
	if !s.Holds(m) {
		return exact.Num{}
	}
	var fit []telemetry.Instant
	for t := s.From; t < s.To; t++ {
		if o.moment(t).spreads {
			fit = append(fit, t)
		}
	}
	if len(fit) == 0 {
		for t := s.From; t < s.To; t++ {
			fit = append(fit, t)
		}
	}
	if s.completes {
		fit = fit[len(fit)-1:]
	}
	for _, t := range fit {
		if t == m {
			return s.amount.Mul(exact.Frac(1, int64(len(fit))))
		}
	}
	return exact.Num{}
}

// flow is pieces of one product at one moment.
type flow struct {
	product     string
	total, good exact.Num
}

// flows are the pieces made at every moment from 0 to the horizon.
func (o *oracle) flows() [][]flow {
	out := make([][]flow, max(0, o.end))
	for m := range out {
		at := telemetry.Instant(m)
		for _, s := range o.total {
			out[m] = append(out[m], flow{product: s.product, total: o.share(s, at)})
		}
	}
	o.scrap(out)
	for m := range out {
		at := telemetry.Instant(m)
		for _, s := range o.good {
			out[m] = append(out[m], flow{product: s.product, good: o.share(s, at)})
		}
	}
	return out
}

// hasPieces says that the unit counts or books pieces.
func (o *oracle) hasPieces() bool {
	return len(o.deltas) > 0 || slices.ContainsFunc(o.in.Booked, func(b ledger.Booking) bool { return b.To <= o.end })
}

// scrap takes the scrap reports from the good pieces; so far only totals have flowed.
func (o *oracle) scrap(made [][]flow) {
	if !o.hasPieces() {
		return
	}
	var add []func()
	for _, r := range o.in.ScrapReports {
		if r.Made.To > o.end {
			continue
		}
		var sum exact.Num
		for m := r.Made.From; m < r.Made.To; m++ {
			for _, f := range made[m] {
				sum = sum.Add(f.total)
			}
		}
		for m := r.Made.From; m < r.Made.To; m++ {
			if sum.IsZero() {
				g := o.share(span{Interval: r.Made, amount: r.Quantity}, m)
				add = append(add, func() { made[m] = append(made[m], flow{good: g.Neg()}) })
				continue
			}
			for _, f := range made[m] {
				g := r.Quantity.Mul(f.total).Quo(sum)
				add = append(add, func() { made[m] = append(made[m], flow{product: f.product, good: g.Neg()}) })
			}
		}
	}
	for _, f := range add {
		f()
	}
}

func (o *oracle) ideal(product string, m telemetry.Instant) (s exact.Num, ok bool) {
	for _, d := range o.in.Ideals {
		if d.From <= m && (product == "" || product == d.Product) {
			s, ok = d.Seconds, true
		}
	}
	return s, ok
}

func (o *oracle) watts(product string, m telemetry.Instant) (w exact.Num) {
	for _, d := range o.in.Watts {
		if d.From <= m && (product == "" || product == d.Product) {
			w = d.PerPiece.Quo(exact.Int(1000))
		}
	}
	return w
}

// magnitudes are the fields of which only whether they are 0 is defined.
func magnitude(k ledger.Field) bool {
	return k == ledger.NoIdealPieces || k == ledger.E79NoIdealPieces || k == ledger.NoWattsPieces
}

// facts are those of a window.
func (o *oracle) facts(w calendar.Interval) map[ledger.Field]exact.Num {
	sum := map[ledger.Field]exact.Num{}
	add := func(k ledger.Field, x exact.Num, when bool) {
		if when {
			sum[k] = sum[k].Add(x)
		}
	}
	flows := o.flows()
	hasEnergy := o.in.Energy != nil || o.in.Power != nil
	one := exact.Int(1)
	for m := max(w.From, 0); m < min(w.To, o.end); m++ {
		x := o.moment(m)
		o.times(x, m, add)
		for _, f := range flows[m] {
			add(ledger.TotalPieces, f.total, true)
			add(ledger.GoodPieces, f.good, true)
			watts := o.watts(f.product, m)
			add(ledger.GoodWatts, f.good.Mul(watts), true)
			add(ledger.NoWattsPieces, f.good.Mul(f.good), watts.IsZero())
			s, ok := o.ideal(f.product, m)
			o.value(x, f, s, ok, add)
		}
		if !hasEnergy {
			continue
		}
		add(ledger.EnergySpan, one, true)
		energy, known := o.energyAt(m)
		add(ledger.EnergyKnown, energy, known)
		add(ledger.Covered, one, known)
		add(x.energyField(), energy, known)
		if b := o.bounds(m); !known {
			add(ledger.EnergyLow, b.Min.Quo(exact.Int(perNano)), true)
			add(ledger.EnergyHigh, b.Rated.Quo(exact.Int(perNano)), b.HasRated)
			add(ledger.UnboundedTime, one, !b.HasRated)
		}
	}
	return sum
}

type addTo = func(k ledger.Field, x exact.Num, when bool)

func (o *oracle) times(x moment, m telemetry.Instant, add addTo) {
	one := exact.Int(1)
	add(ledger.Span, one, true)
	add(ledger.RunTime, one, x.run)
	add(ledger.MinorTime, one, x.busy && x.minor)
	add(ledger.SetupTime, one, x.busy && x.category == ledger.Setup)
	add(ledger.StopTime, one, x.unplanned)
	add(ledger.IdleTime, one, x.busy && x.category == ledger.Idle)
	add(ledger.UnknownTime, one, x.unknown)
	add(ledger.PlannedTime, one, x.planned)
	add(ledger.BridgedTime, one, x.unknown && x.bridged)
	add(ledger.UncountedTime, one, x.run && x.uncounted)
	c := x.category
	add(ledger.E79Run, one, c == ledger.Run)
	add(ledger.E79Minor, one, x.minor)
	add(ledger.E79Idle, one, c == ledger.Idle)
	add(ledger.E79Engineering, one, c == ledger.Engineering)
	add(ledger.E79Stop, one, c == ledger.Stop && !x.minor)
	add(ledger.E79Scheduled, one, c == ledger.Planned || c == ledger.Setup)
	add(ledger.E79Nonscheduled, one, c == ledger.Nonscheduled)
	add(ledger.E79Unknown, one, c == ledger.Unknown)
	add(ledger.E79Bridged, one, c == ledger.Unknown && x.bridged)
	add(ledger.E79Uncounted, one, x.uncounted)
	if c == ledger.Stop && !x.minor {
		from, _ := o.stop(m)
		first := m
		for t := m; t >= from; t-- {
			if o.moment(t).unplanned {
				first = t
			}
		}
		add(ledger.Failures, one, x.unplanned && first == m)
		add(ledger.E79Failures, one, from == m)
	}
}

// value adds the ideal time of one flow.
func (o *oracle) value(x moment, f flow, seconds exact.Num, ok bool, add addTo) {
	if !ok {
		size := f.good.Mul(f.good).Add(f.total.Mul(f.total))
		add(ledger.NoIdealPieces, size, x.busy)
		add(ledger.E79NoIdealPieces, size, true)
		return
	}
	total, good := f.total.Mul(seconds), f.good.Mul(seconds)
	counted := x.busy && (!x.run || !x.uncounted)
	add(ledger.IdealTotal, total, counted && !x.unknown)
	add(ledger.IdealGood, good, counted && !x.unknown)
	add(ledger.BridgedTotal, total, x.unknown && x.bridged)
	add(ledger.BridgedGood, good, x.unknown && x.bridged)
	add(ledger.DarkTotal, total, x.unknown && !x.bridged)
	add(ledger.DarkGood, good, x.unknown && !x.bridged)
	unknown := x.category == ledger.Unknown
	add(ledger.E79IdealTotal, total, !unknown && !x.uncounted)
	add(ledger.E79IdealGood, good, !unknown && !x.uncounted)
	add(ledger.E79BridgedTotal, total, unknown && x.bridged)
	add(ledger.E79BridgedGood, good, unknown && x.bridged)
	add(ledger.E79DarkTotal, total, unknown && !x.bridged)
	add(ledger.E79DarkGood, good, unknown && !x.bridged)
}

func (x moment) energyField() ledger.Field {
	switch {
	case x.out:
		return ledger.EnergyOut
	case x.planned:
		return ledger.EnergyPlanned
	case x.run || x.minor:
		return ledger.EnergyRun
	case x.unknown:
		return ledger.EnergyUnknown
	case x.category == ledger.Setup:
		return ledger.EnergySetup
	case x.category == ledger.Stop:
		return ledger.EnergyStop
	default:
		return ledger.EnergyIdle
	}
}

func (o *oracle) bounds(m telemetry.Instant) (b ledger.PowerBounds) {
	if o.in.Power == nil {
		return b
	}
	for _, x := range o.in.Power.Bounds {
		if x.From <= m {
			b = x
		}
	}
	return b
}

// power is the energy of a moment by the power readings.
func (o *oracle) power(m telemetry.Instant) (energy exact.Num, known bool) {
	if o.in.Power == nil {
		return energy, false
	}
	for _, r := range o.in.Power.Readings {
		if r.At <= m && r.At <= o.end {
			energy, known = r.MW.Quo(exact.Int(perNano)), !r.Bad && m.Sub(r.At) < o.bounds(r.At).Hold
		}
	}
	return energy, known
}

// energyAt is the energy of a moment.
func (o *oracle) energyAt(m telemetry.Instant) (energy exact.Num, known bool) {
	for _, d := range o.energy {
		if !d.Holds(m) {
			continue
		}
		var k, least, most exact.Num
		var v int64
		limited := true
		for t := d.From; t < d.To; t++ {
			if p, ok := o.power(t); ok {
				k = k.Add(p)
				continue
			}
			v++
			b := o.bounds(t)
			least = least.Add(b.Min.Quo(exact.Int(perNano)))
			most = most.Add(b.Rated.Quo(exact.Int(perNano)))
			limited = limited && b.HasRated
		}
		p, lit := o.power(m)
		switch {
		case k.IsZero() && v == 0:
			return d.amount.Mul(exact.Frac(1, int64(d.To-d.From))), true
		case k.IsZero():
			return only(!lit, d.amount.Mul(exact.Frac(1, v))), true
		}
		left := d.amount.Sub(k)
		if limited {
			left = exact.Min(left, most)
		}
		r := exact.Min(d.amount, exact.Max(least, left))
		if v == 0 {
			r = exact.Num{}
		}
		if lit {
			return d.amount.Sub(r).Mul(p).Quo(k), true
		}
		return r.Mul(exact.Frac(1, v)), true
	}
	return o.power(m)
}

// findings are those of a window.
func (o *oracle) findings(w calendar.Interval) ledger.Findings {
	var f ledger.Findings
	add := func(x ledger.Finding, when bool) {
		if when {
			f |= ledger.Findings(x)
		}
	}
	w = w.Meet(calendar.Interval{From: 0, To: o.end})
	for m := w.From; m < w.To; m++ {
		x := o.moment(m)
		_, s := o.state(m)
		run, inShift := x.category == ledger.Run, o.in.Always || o.in.Shifts.Holds(m)
		add(ledger.UnmappedState, s.Unmapped)
		add(ledger.RanUnscheduled, run && !inShift)
		add(ledger.RanInPlannedStop, run && inShift && x.inStop)
		add(ledger.CounterMissing, x.uncounted)
	}
	overlaps := func(v calendar.Interval) bool { return !w.Empty() && !v.Meet(w).Empty() }
	stood := func(v calendar.Interval) bool {
		for m := v.From; m < v.To; m++ {
			if o.moment(m).spreads {
				return false
			}
		}
		return true
	}
	for _, deltas := range o.deltas {
		for _, d := range deltas {
			if overlaps(d.Interval) {
				f |= d.findings
				add(ledger.MadeWhileStopped, d.amount.Sign() > 0 && stood(d.Interval))
			}
		}
	}
	for _, d := range o.energy {
		if overlaps(d.Interval) {
			f |= d.findings
			add(ledger.RegisterLowerBound, d.lower)
		}
	}
	for _, b := range o.in.Booked {
		add(ledger.MadeWhileStopped, b.To <= o.end && overlaps(b.Interval) && b.Total.Add(b.Good).Sign() > 0 && stood(b.Interval))
	}
	return f
}

func only(when bool, x exact.Num) exact.Num {
	if when {
		return x
	}
	return exact.Num{}
}
