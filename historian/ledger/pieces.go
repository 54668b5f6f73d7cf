package ledger

import (
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// pieceCounters are the deltas of the piece counters that a unit has.
type pieceCounters struct {
	total, good, scrap []delta // nil and absent alike where there are no deltas
	has                struct{ total, good, scrap bool }
}

func newPieceCounters(in *Input, round rounding, horizon telemetry.Instant) *pieceCounters {
	read := func(c *Counter) ([]delta, bool) {
		if c == nil {
			return nil, false
		}
		return c.deltas(round, newLifeline(in, c, horizon)), true
	}
	p := &pieceCounters{}
	p.total, p.has.total = read(in.Total)
	p.good, p.has.good = read(in.Good)
	p.scrap, p.has.scrap = read(in.Scrap)
	return p
}

// each calls f with the deltas of every counter there is.
func (p *pieceCounters) each(f func(name string, deltas []delta)) {
	if p.has.total {
		f("total", p.total)
	}
	if p.has.good {
		f("good", p.good)
	}
	if p.has.scrap {
		f("scrap", p.scrap)
	}
}

// inAll is the time in deltas of every counter, with known in none that is a lower bound; empty without counters.
func (p *pieceCounters) inAll(known bool) calendar.Set {
	var s calendar.Set
	first := true
	p.each(func(_ string, deltas []delta) {
		if c := cover(deltas, known); first {
			s, first = c, false
		} else {
			s = s.Intersect(c)
		}
	})
	return s
}

// streams are the counters as what they count for. Good pieces not counted are the total without scrap, a total not
// counted is what is good and scrap.
func (p *pieceCounters) streams() []stream {
	scrapIsTotal := sign(!p.has.total)
	scrapIsNotGood := -sign(p.has.total && !p.has.good)
	return []stream{
		{deltas: p.total, total: 1, good: sign(!p.has.good)},
		{deltas: p.good, total: sign(!p.has.total), good: 1},
		{deltas: p.scrap, total: scrapIsTotal, good: scrapIsNotGood},
	}
}

func sign(yes bool) int8 {
	if yes {
		return 1
	}
	return 0
}

// findStopped marks the deltas that counted pieces while none can have been made.
func (v *view) findStopped(deltas []delta) {
	i := 0
	for k := range deltas {
		d := &deltas[k]
		if d.amount.IsZero() {
			continue
		}
		for v.atoms[i].to <= d.from {
			i++
		}
		if v.atoms[i].has(spreadable) || d.to > v.atoms[i].to && v.spreadable(d.from, d.to) > 0 {
			continue
		}
		d.findings |= Findings(MadeWhileStopped)
	}
}

// book makes streams of the booked quantities: total, good, and one that only says what was booked while the unit stood.
func (v *view) book(booked []Booking, products []string) []stream {
	if len(booked) == 0 {
		return nil
	}
	var total, good, stopped []delta
	for _, b := range booked {
		d := delta{from: b.From, to: b.To, product: int32(slices.Index(products, b.Product))}
		if (b.Total.Sign() > 0 || b.Good.Sign() > 0) && v.spreadable(b.From, b.To) == 0 {
			stopped = append(stopped, delta{from: b.From, to: b.To, findings: Findings(MadeWhileStopped)})
		}
		if b.Completion {
			d.to = v.lastMoment(b.Interval)
			d.from = d.to - 1
		}
		d.amount = b.Total
		total = append(total, d)
		d.amount = b.Good
		good = append(good, d)
	}
	return []stream{newStream(total, 1, 0), newStream(good, 0, 1), newStream(stopped, 0, 0)}
}

// lastMoment is the end of the last time in an interval that pieces can be made in; its end when there is none.
func (v *view) lastMoment(w calendar.Interval) telemetry.Instant {
	if v.spreadable(w.From, w.To) == 0 {
		return w.To
	}
	i := atomAt(v.atoms, w.To-1)
	for !v.atoms[i].has(spreadable) {
		i--
	}
	return min(w.To, v.atoms[i].to)
}

// scrapped are the pieces that scrap reports take from the good ones. A report is divided in proportion to the pieces made
// in its interval: each quantity that they come from (a delta of a counter, a booking) gets a scrap of its own, of the same
// product and spread as it is. The parts are cut from one cumulative function over those quantities, so that they add up
// to the report:
//
//	report  90 pieces   [──────────────────)
//	total       [── 4500 ──)[─────4500─────)[─ …
//	scrap               [15)[──── 75 ──────)
func (v *view) scrapped(reports []ScrapReport, streams []stream) []stream {
	var parts []delta
	for _, r := range reports {
		if r.Quantity.IsZero() {
			continue
		}
		parts = v.divide(r, streams, parts)
	}
	if len(parts) == 0 {
		return nil
	}
	return []stream{newStream(parts, 0, -1)}
}

// divide appends the parts of one report.
func (v *view) divide(r ScrapReport, streams []stream, parts []delta) []delta {
	first := len(parts)
	var made exact.Num
	for i := range streams {
		s := &streams[i]
		if s.total != 1 {
			continue
		}
		for k := overlapping(s.deltas, s.reach, r.Made.From); k < len(s.deltas) && s.deltas[k].from < r.Made.To; k++ {
			d := &s.deltas[k]
			part := delta{from: max(d.from, r.Made.From), to: min(d.to, r.Made.To), product: d.product}
			if part.amount = v.within(d, part.from, part.to); part.amount.Sign() > 0 {
				made = made.Add(part.amount)
				parts = append(parts, part)
			}
		}
	}
	if made.IsZero() {
		return append(parts, delta{from: r.Made.From, to: r.Made.To, amount: r.Quantity})
	}
	var before exact.Num
	for i := first; i < len(parts); i++ {
		after := before.Add(parts[i].amount)
		parts[i].amount = v.shareOf(r.Quantity, after, made).Sub(v.shareOf(r.Quantity, before, made))
		before = after
	}
	return parts
}

// within is the pieces of a delta made from one moment to another, both in its interval or equal to its ends.
func (v *view) within(d *delta, from, to telemetry.Instant) exact.Num {
	switch {
	case from >= to:
		return exact.Num{}
	case from == d.from && to == d.to || d.amount.IsZero():
		return d.amount
	}
	s := v.spreading(d, 0)
	return s.until(to, 0).Sub(s.until(from, 0))
}
