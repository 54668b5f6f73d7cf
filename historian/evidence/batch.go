package evidence

import (
	"context"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// Units that make batches have no counter: what they made is how far the batch has come times what a batch is.
//
//	batch     ──A──┬──────B───────┬─C──
//	progress  ·  · │ ·  ·   ·   · │  ·
//	credit progress    a counter of pieces, replaced at each change of the batch (ledger.Swap)
//	credit completion  a booking [begin of B, end of B) at the end of B
//
// Progress never goes back within a batch: a value below an earlier one is the noise of an analog signal.

// batches says that the unit's pieces are those of batches.
func (g *gathering) batches() bool {
	return g.tracks[roleProgress] != nil && g.tracks[roleTotal] == nil && g.has(roleProgress)
}

// completeBatches reads back to the begin of the batch that the core begins in and on to the end of that which it ends in.
func (g *gathering) completeBatches(ctx context.Context) error {
	if !g.batches() {
		return nil
	}
	p, b := g.tracks[roleProgress], g.tracks[roleBatch]
	if err := g.findUsable(ctx, p); err != nil {
		return err
	}
	v := g.core
	if b != nil {
		for n := before; !b.first && b.changeBefore(g.core.From) < 0; n = doubled(n) {
			if err := g.grow(ctx, func(a *ask) error { return b.back(a, n) }); err != nil {
				return err
			}
		}
		for n := before; !b.last && b.changeAfter(g.core.To) < 0; n = doubled(n) {
			if err := g.grow(ctx, func(a *ask) error { return b.forth(a, n) }); err != nil {
				return err
			}
		}
		if i := b.changeBefore(g.core.From); i >= 0 {
			v.From = min(v.From, b.points[i].at)
		}
		if i := b.changeAfter(g.core.To); i >= 0 {
			v.To = max(v.To, b.points[i].at)
		}
	}
	if t := g.tracks[roleProduct]; t != nil {
		if err := g.grow(ctx, func(a *ask) error { return t.reach(a, v) }); err != nil {
			return err
		}
		if err := g.latest(ctx, v.From, t); err != nil {
			return err
		}
	}
	if err := g.grow(ctx, func(a *ask) error { return p.reach(a, v) }); err != nil {
		return err
	}
	if i := p.lastUsable(g.core.From); i >= 0 {
		g.states.From = min(g.states.From, p.points[i].at)
	}
	if i := p.firstUsable(g.core.To); i >= 0 {
		g.states.To = max(g.states.To, p.points[i].at)
	}
	return nil
}

// changes are the indices of the points that name another batch than the usable one before them.
func (t *track) changes() []int {
	var out []int
	last, has := "", false
	for i := range t.points {
		name, ok := codeText(t.points[i].value)
		if !t.points[i].good || !ok {
			continue
		}
		if has && name != last {
			out = append(out, i)
		}
		last, has = name, true
	}
	return out
}

// changeBefore is the last change before at, changeAfter the first one at or after it; −1 when the track has none.
func (t *track) changeBefore(at telemetry.Instant) int {
	for _, i := range slices.Backward(t.changes()) {
		if t.points[i].at < at {
			return i
		}
	}
	return -1
}

func (t *track) changeAfter(at telemetry.Instant) int {
	for _, i := range t.changes() {
		if t.points[i].at >= at {
			return i
		}
	}
	return -1
}

// batch is one batch as far as it was read.
type batch struct {
	calendar.Interval // To of the one that is not over: after the horizon
	over              bool
	whole             bool      // its begin was read
	quantity          exact.Num // of a whole batch, in quanta
	full              exact.Num // progress at its end
	credit            plant.Credit
	known             bool // quantity and full are
	points            []point
}

// batchList divides the progress that was read by batches.
func (g *gathering) batchList() []batch {
	p, b := g.tracks[roleProgress], g.tracks[roleBatch]
	out := []batch{{Interval: calendar.Interval{From: p.have.From, To: g.horizon + 1}}}
	if b != nil {
		for _, i := range b.changes() {
			at := b.points[i].at
			last := &out[len(out)-1]
			last.To, last.over = at, true
			out = append(out, batch{Interval: calendar.Interval{From: at, To: g.horizon + 1}, whole: true})
		}
	}
	for i := range out {
		o := &out[i]
		o.points = p.points[p.index(o.From):p.index(o.To)]
		at := o.From
		if !o.whole && len(o.points) > 0 {
			at = o.points[0].at
		}
		o.terms(g, at)
	}
	return out
}

// terms finds what a batch that begins at at is.
func (b *batch) terms(g *gathering, at telemetry.Instant) {
	e := describing(g.eras, at)
	if e.unit == nil {
		return
	}
	quantity, ok1 := e.unit.BatchQuantity(g.productAt(at)).At(at)
	full, ok2 := e.unit.Class.ProgressFull.At(at)
	b.credit, _ = e.unit.Credit.At(at)
	b.known = ok1 && ok2
	b.quantity, b.full = quantity.Mul(exact.Int(ledger.NanosPerPiece)).Round(), full
}

// made is what of the batch's pieces a value of the progress says.
func (b *batch) made(v influx.Value) (exact.Num, bool) {
	f, ok := v.Float()
	if !ok {
		return exact.Num{}, false
	}
	x, ok := exact.FromFloat(f)
	if i, whole := v.Int(); whole {
		x, ok = exact.Int(i), true
	}
	if !ok {
		return exact.Num{}, false
	}
	return exact.Min(b.quantity, b.quantity.Mul(x).Quo(b.full).Round()), true
}

// batched are the counter and the bookings of the unit's batches.
func (g *gathering) batched() (*ledger.Counter, []ledger.Booking) {
	all := g.batchList()
	c := &ledger.Counter{Rules: []ledger.Rule{{From: beginning}}, Swaps: g.said.swaps[roleTotal]}
	if g.tracks[roleBatch] == nil { // nothing says where a batch ends: small falls are noise, others a new batch
		for i := range all {
			c.Rules[0].Epsilon = all[i].quantity.Quo(exact.Int(20)).Round()
		}
	}
	var booked []ledger.Booking
	counts := false
	for i := range all {
		b := &all[i]
		if !b.known && !b.Meet(g.core).Empty() && len(b.points) > 0 {
			g.note("the batch from %s is of no product whose batch quantity is known", b.From)
			return &ledger.Counter{}, nil // a counter without readings: nothing is known of what was made
		}
		high := b.readings(g, c, i > 0)
		counts = counts || b.known && b.credit != plant.CreditCompletion
		if b.known && b.credit == plant.CreditCompletion && b.over && b.whole && high.Sign() > 0 && !b.Meet(g.core).Empty() {
			booked = append(booked, ledger.Booking{Interval: b.Interval, Product: g.productAt(b.From), Total: high, Good: high, Completion: true})
		}
	}
	if !counts {
		return nil, booked
	}
	slices.SortFunc(c.Swaps, func(a, b ledger.Swap) int { return int(min(1, max(-1, a.At-b.At))) })
	return c, booked
}

// readings adds the batch's to c, and the swap at its begin; high is the most that it came to.
func (b *batch) readings(g *gathering, c *ledger.Counter, begun bool) (high exact.Num) {
	credited := b.credit != plant.CreditCompletion
	if begun && len(c.Readings) > 0 {
		c.Swaps = append(c.Swaps, ledger.Swap{At: b.From, Final: c.Readings[len(c.Readings)-1].Value})
	}
	if !b.known {
		return high
	}
	noisy := g.tracks[roleBatch] != nil
	for i := range b.points {
		p := &b.points[i]
		if !p.usable() {
			continue
		}
		v, ok := b.made(p.value)
		if !ok {
			continue
		}
		high = exact.Max(high, v)
		if noisy {
			v = high
		}
		if credited {
			c.Readings = append(c.Readings, ledger.Reading{At: p.at, Value: v})
		}
	}
	return high
}
