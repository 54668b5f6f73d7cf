package contract

import (
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
)

// cell is where pieces of one value are made: a bucket and the ideal that they are valued at.
type cell struct{ bucket, ideal int }

// made is what was made in a cell. Scrap reports can make good, and nothing else, negative.
type made struct {
	total, good exact.Num
	any         bool // pieces or good pieces were made, be it that reported scrap took them all away
}

// pieces are what was made in w, less the scrap reported of it.
func (p *picture) pieces(w calendar.Interval) map[cell]made {
	out := map[cell]made{}
	if w.Empty() || !p.hasPieces() {
		return out
	}
	p.make(w, out)
	for i := range p.scrap {
		if v := p.scrap[i].Made.Meet(w); !v.Empty() {
			p.takeAway(&p.scrap[i], v, out)
		}
	}
	return out
}

// make adds what was made in w, before scrap reports.
func (p *picture) make(w calendar.Interval, out map[cell]made) {
	var sums [numCounters][]tally
	for k, c := range p.counters {
		sums[k] = make([]tally, len(p.buckets))
		if c != nil {
			p.spread(c, w, sums[k])
		}
	}
	for i := range p.buckets {
		total, good, scrap := &sums[countsTotal][i], &sums[countsGood][i], &sums[countsScrap][i]
		m := made{total: total.sum(), good: good.sum(), any: total.positive() || good.positive()}
		if p.counters[countsTotal] == nil {
			m.total = m.good.Add(scrap.sum())
			m.any = m.any || scrap.positive()
		}
		if p.counters[countsGood] == nil {
			m.good = m.total.Sub(scrap.sum())
			m.any = m.any || scrap.positive()
		}
		if m.any {
			out[cell{i, p.buckets[i].ideal}] = m
		}
	}
	p.book(w, out)
}

// cut is a delta that borders cut, and how much of the time over which it is spread fell into which bucket.
type cut struct {
	index int // of the delta; −1: none
	in    []share
}

// share is a part of a length of time.
type share struct {
	bucket int
	length int64 // ns
}

func (c *cut) add(bucket int, length int64) {
	for i := range c.in {
		if c.in[i].bucket == bucket {
			c.in[i].length += length
			return
		}
	}
	c.in = append(c.in, share{bucket, length})
}

// spread adds to sums, one for each bucket, what of a counter's deltas was made in w.
//
//	spans    ├───── a ─────┼── b ──┼────────── c ─────────┤
//	deltas      ├──┼──┼──┼───┼───────────┼──┼──┼──┼──┼──┼────┤
//	              whole in a │ cut: a, b, c │ whole in c    cut
func (p *picture) spread(c *series, w calendar.Interval, sums []tally) {
	open := cut{index: -1}
	flush := func(next int) {
		if open.index >= 0 && open.index != next {
			p.settle(c, &open, sums)
			open.in = open.in[:0]
		}
		open.index = next
	}
	p.each(w.Meet(c.span()), func(s *span, v calendar.Interval) {
		from, to := c.beginsAt(v.From), c.endsBy(v.To)
		if from > 0 && c.deltas[from-1].To > v.From {
			flush(from - 1)
			open.add(s.bucket, int64(c.deltas[from-1].Meet(v).Duration()))
		}
		if from < to {
			sums[s.bucket].add(c.before[to].Sub(c.before[from]))
		}
		if last := max(from, to); last < len(c.deltas) && c.deltas[last].From < v.To {
			flush(last)
			open.add(s.bucket, int64(c.deltas[last].Meet(v).Duration()))
		}
	})
	flush(-1)
}

// settle adds the parts of a cut delta.
func (p *picture) settle(c *series, d *cut, sums []tally) {
	p.spreadOver(c.deltas[d.index].Interval, d.in, func(bucket int, part, of int64) {
		sums[bucket].addShare(c.deltas[d.index].amount, part, of)
	})
}

// spreadOver calls f with the share that each part of a quantity's interval gets: by the time in which pieces can be
// made, or by all of it when there is none.
func (p *picture) spreadOver(whole calendar.Interval, parts []share, f func(bucket int, part, of int64)) {
	of := int64(p.openIn(whole))
	for _, s := range parts {
		switch {
		case of == 0:
			f(s.bucket, s.length, int64(whole.Duration()))
		case p.buckets[s.bucket].takes():
			f(s.bucket, s.length, of)
		}
	}
}

// book adds what was booked in w.
func (p *picture) book(w calendar.Interval, out map[cell]made) {
	for i := range p.booked {
		b := &p.booked[i]
		if b.From >= w.To {
			return
		}
		if b.To <= w.From {
			continue
		}
		for c, share := range p.cells(b.Interval, w, b.Product) {
			m := out[c]
			m.total, m.good = m.total.Add(b.Total.Mul(share)), m.good.Add(b.Good.Mul(share))
			m.any = m.any || b.Total.Sign() > 0 || b.Good.Sign() > 0
			out[c] = m
		}
	}
}

// cells are the shares of a quantity of 1 over v that fall into w, valued at a product's ideals; "": at those of counted
// pieces. No share is 0.
func (p *picture) cells(v, w calendar.Interval, product string) map[cell]exact.Num {
	ideals := idealsByDate(p.unit, product)
	at := walker[int]{rest: ideals, at: p.idealFrom}
	lengths := map[cell]int64{}
	p.each(v.Meet(w), func(s *span, v calendar.Interval) {
		lengths[cell{s.bucket, p.idealOf(at.upTo(v.From))}] += int64(v.Duration())
	})
	shares := map[cell]exact.Num{}
	for c, length := range lengths {
		p.spreadOver(v, []share{{c.bucket, length}}, func(_ int, part, of int64) { shares[c] = exact.Frac(part, of) })
	}
	return shares
}

// takeAway takes the scrap of a report made in v, a part of its interval, from out: in proportion to the pieces made at
// each moment, or like a counter's delta where none were made.
func (p *picture) takeAway(r *ScrapReport, v calendar.Interval, out map[cell]made) {
	all := map[cell]made{}
	p.make(r.Made, all)
	var whole tally
	for _, m := range all {
		whole.add(m.total)
	}
	if whole.sum().IsZero() {
		for c, share := range p.cells(r.Made, v, "") {
			m := out[c]
			m.good = m.good.Sub(r.Quantity.Mul(share))
			m.any = m.any || r.Quantity.Sign() > 0
			out[c] = m
		}
		return
	}
	rate := r.Quantity.Quo(whole.sum())
	if v != r.Made {
		all = map[cell]made{}
		p.make(v, all)
	}
	for c, made := range all {
		m := out[c]
		m.good = m.good.Sub(made.total.Mul(rate))
		out[c] = m
	}
}

// madeWhileStopped says that the interval of something made while nothing can be made meets w.
func (p *picture) madeWhileStopped(w calendar.Interval) bool {
	for _, vs := range p.stopped {
		if meets(vs, w) {
			return true
		}
	}
	for i := range p.booked {
		b := &p.booked[i]
		if !b.Meet(w).Empty() && b.Total.Add(b.Good).Sign() > 0 && p.openIn(b.Interval) == 0 {
			return true
		}
	}
	return false
}
