package conform

import (
	"math/big"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// What the oracle knows of counters, and where pieces and scrap go.

// deltasOf are a counter's deltas as known at h.
func deltasOf(c *Counter, h telemetry.Instant, register bool) []oracleDelta {
	type event struct {
		at     telemetry.Instant
		value  rat
		begins bool // of a new meter
	}
	best := map[telemetry.Instant]Reading{}
	for _, r := range c.Readings {
		if r.At > h || r.KnownAt > h || !r.Good {
			continue
		}
		if was, ok := best[r.At]; !ok || r.Revision.Cmp(was.Revision) >= 0 {
			best[r.At] = r
		}
	}
	swaps := map[telemetry.Instant]ledger.Swap{}
	for _, s := range c.Swaps {
		if s.At <= h {
			swaps[s.At] = s
			delete(best, s.At)
		}
	}
	var events []event
	for at, r := range best {
		events = append(events, event{at: at, value: ratOf(r.Value)})
	}
	for at, s := range swaps {
		events = append(events, event{at: at, value: ratOf(s.Final)}, event{at: at, value: ratOf(s.Initial), begins: true})
	}
	slices.SortFunc(events, func(a, b event) int {
		switch {
		case a.at != b.at:
			if a.at < b.at {
				return -1
			}
			return 1
		case a.begins == b.begins:
			return 0
		case a.begins:
			return 1
		}
		return -1
	})
	var out []oracleDelta
	var high rat
	for i, e := range events {
		if i == 0 || e.begins {
			high = e.value
			continue
		}
		d := oracleDelta{Interval: calendar.Interval{From: events[i-1].at, To: e.at}, fromRegister: register}
		modulus := ratOf(c.Rule.Modulus)
		limit := times(ratOf(c.Rule.MaxPerSecond), secondsOf(d.Interval))
		bounded := c.Rule.Kind == ledger.Rollover && c.HasMax
		risen := true
		switch {
		case e.value.Cmp(high) >= 0:
			d.amount = minus(e.value, high)
			high = e.value
		case minus(high, e.value).Cmp(ratOf(c.Rule.Epsilon)) <= 0:
			d.amount, d.dropped, risen = new(big.Rat), true, false
		default:
			d.amount = plus(minus(modulus, high), e.value)
			if c.Rule.Kind != ledger.Rollover || bounded && d.amount.Cmp(limit) > 0 {
				d.amount, d.reset, d.lower, risen = e.value, true, true, false
			}
			high = e.value
		}
		if risen && bounded && plus(d.amount, modulus).Cmp(limit) <= 0 {
			d.lower, d.ambiguous = true, true
		}
		out = append(out, d)
	}
	return out
}

// shares is how much of a quantity of 1 over v falls into each piece: evenly over the time in run or UNKNOWN_s; over all of
// it when there is none.
func (o *oracleUnit) shares(v calendar.Interval) (of []rat, whileStopped bool) {
	whole := new(big.Rat)
	takes := func(p *piece) bool { return p.state == ledger.Run || p.class == inUnknown }
	for i := range o.pieces {
		if p := &o.pieces[i]; within(p.From, []calendar.Interval{v}) && takes(p) {
			whole.Add(whole, secondsOf(p.Interval))
		}
	}
	whileStopped = whole.Sign() == 0
	if whileStopped {
		whole = secondsOf(v)
	}
	of = make([]rat, len(o.pieces))
	for i := range o.pieces {
		p := &o.pieces[i]
		of[i] = new(big.Rat)
		if within(p.From, []calendar.Interval{v}) && (whileStopped || takes(p)) {
			of[i].Quo(secondsOf(p.Interval), whole)
		}
	}
	return of, whileStopped
}

func (o *oracleUnit) idealAt(t telemetry.Instant, product string) rat {
	var last *Ideal
	for i := range o.u.Ideals {
		d := &o.u.Ideals[i]
		if (product == "" || d.Product == product) && d.From <= t && (last == nil || d.From >= last.From) {
			last = d
		}
	}
	if last == nil {
		return nil
	}
	return ratOf(last.Seconds)
}

// stream appends a stream valued at a product's ideal and returns its number.
func (o *oracleUnit) stream(product string) int {
	for i := range o.pieces {
		p := &o.pieces[i]
		p.made = append(p.made, made{total: new(big.Rat), good: new(big.Rat), ideal: o.idealAt(p.From, product)})
	}
	return len(o.pieces[0].made) - 1
}

func (o *oracleUnit) makePieces() {
	var booked []Booking
	for _, b := range o.u.Booked {
		if b.ReportedAt <= o.h {
			booked = append(booked, b)
		}
	}
	o.hasPCS = len(booked) > 0
	counters := []*Counter{o.u.Total, o.u.Good, o.u.Scrap}
	sums := make([][]rat, 3)
	var all [][]oracleDelta
	for k, c := range counters {
		sums[k] = make([]rat, len(o.pieces))
		for i := range sums[k] {
			sums[k][i] = new(big.Rat)
		}
		if c == nil {
			continue
		}
		o.hasPCS = true
		ds := deltasOf(c, o.h, false)
		for j := range ds {
			of, stopped := o.shares(ds[j].Interval)
			ds[j].whileStopped = stopped && ds[j].amount.Sign() > 0
			for i := range of {
				sums[k][i].Add(sums[k][i], times(of[i], ds[j].amount))
			}
		}
		all = append(all, ds)
		o.deltas = append(o.deltas, ds...)
	}
	if len(o.pieces) == 0 {
		return
	}
	o.stream("") // number 0: the counters'
	for i := range o.pieces {
		total, good, scrap := sums[0][i], sums[1][i], sums[2][i]
		if o.u.Total == nil {
			total = plus(good, scrap)
		}
		if o.u.Good == nil {
			good = minus(total, scrap)
		}
		o.pieces[i].made[0].total, o.pieces[i].made[0].good = total, good
	}
	for _, b := range booked {
		k := o.stream(b.Product)
		of, stopped := o.shares(b.Interval)
		for i := range of {
			m := &o.pieces[i].made[k]
			m.total, m.good = times(of[i], ratOf(b.Total)), times(of[i], ratOf(b.Good))
		}
		o.deltas = append(o.deltas, oracleDelta{Interval: b.Interval, whileStopped: stopped && plus(ratOf(b.Total), ratOf(b.Good)).Sign() > 0})
	}
	o.reportScrap()
	o.count(booked, all)
}

func (o *oracleUnit) reportScrap() {
	type cut struct {
		piece, stream int
		by            rat
	}
	var cuts []cut
	for _, s := range o.u.ScrapReports {
		if s.ReportedAt > o.h || !o.hasPCS { // a unit without counters and bookings adds no pieces
			continue
		}
		whole := new(big.Rat)
		for i := range o.pieces {
			for _, m := range o.pieces[i].made {
				if within(o.pieces[i].From, []calendar.Interval{s.Made}) {
					whole.Add(whole, m.total)
				}
			}
		}
		if whole.Sign() == 0 {
			of, _ := o.shares(s.Made)
			for i := range of {
				cuts = append(cuts, cut{i, 0, times(of[i], ratOf(s.Quantity))})
			}
			continue
		}
		for i := range o.pieces {
			for k, m := range o.pieces[i].made {
				if within(o.pieces[i].From, []calendar.Interval{s.Made}) {
					cuts = append(cuts, cut{i, k, over(times(ratOf(s.Quantity), m.total), whole)})
				}
			}
		}
	}
	for _, c := range cuts {
		m := &o.pieces[c.piece].made[c.stream]
		m.good = minus(m.good, c.by)
		m.cut = m.cut || c.by.Sign() > 0
	}
}

// count says which run time is uncounted and which unknown time is bridged.
func (o *oracleUnit) count(booked []Booking, counters [][]oracleDelta) {
	for i := range o.pieces {
		p := &o.pieces[i]
		inAll, inAllSurely := true, true
		for _, ds := range counters {
			in, surely := false, false
			for _, d := range ds {
				if within(p.From, []calendar.Interval{d.Interval}) {
					in, surely = true, !d.lower
				}
			}
			inAll, inAllSurely = inAll && in, inAllSurely && surely
		}
		isBooked := slices.ContainsFunc(booked, func(b Booking) bool { return within(p.From, []calendar.Interval{b.Interval}) })
		p.uncounted = p.state == ledger.Run && !isBooked && (len(counters) == 0 || !inAll)
		p.bridged = p.state == ledger.Unknown && len(counters) > 0 && inAllSurely
	}
}
