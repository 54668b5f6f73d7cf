package evidence

import (
	"context"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// batches says that the unit's pieces are those of batches.
func (g *gathering) batches() bool {
	return g.tracks[roleProgress] != nil && g.tracks[roleTotal] == nil && g.has(roleProgress)
}

// completeBatches reads the progress on until every pair of values at a border of the core is whole, and back to the begin of the
// batch that the first of them belongs to.
func (g *gathering) completeBatches(ctx context.Context) error {
	if !g.batches() {
		return nil
	}
	p := g.tracks[roleProgress]
	pairs, err := g.pairsOf(ctx, p, g.core)
	if err != nil {
		return err
	}
	g.states = hull(g.states, calendar.Interval{From: pairs.From, To: pairs.To - 1})
	if g.batch, err = g.wholeBatches(ctx, pairs); err != nil {
		return err
	}
	seen, named := pairs, g.batch
	if g.completes() { // a booking hangs on how its batch began and ended
		if seen, err = g.pairsOf(ctx, p, g.batch); err != nil {
			return err
		}
		if named, err = g.wholeBatches(ctx, seen); err != nil {
			return err
		}
	}
	if t := g.tracks[roleProduct]; t != nil {
		if err := g.grow(ctx, func(a *ask) error { return t.reach(a, g.batch) }); err != nil {
			return err
		}
		if err := g.latest(ctx, g.batch.From, t); err != nil {
			return err
		}
	}
	return g.grow(ctx, func(a *ask) error {
		g.alive.reach(a, g.provenIn(seen))
		g.warn(a, hull(named, seen))
		return p.reach(a, g.batch)
	})
}

// pairsOf reads the progress from the last usable value before v to the first one after it, and is the time from the one up to, and
// with, the other.
func (g *gathering) pairsOf(ctx context.Context, p *track, v calendar.Interval) (calendar.Interval, error) {
	if err := g.findUsable(ctx, v, p); err != nil {
		return v, err
	}
	out := v
	if i := p.lastUsable(v.From); i >= 0 {
		out.From = min(out.From, p.points[i].at)
	}
	if i := p.firstUsable(v.To); i >= 0 {
		out.To = max(out.To, p.points[i].at+1)
	}
	return out, nil
}

// wholeBatches reads of which batches v is made, and is v with the whole of them. Where no batch is named, it goes back to where
// the progress fell.
func (g *gathering) wholeBatches(ctx context.Context, v calendar.Interval) (calendar.Interval, error) {
	b := g.tracks[roleBatch]
	if b == nil {
		return g.sinceFall(ctx, v)
	}
	for n := before; !b.first && b.changeBefore(v.From+1) < 0; n = doubled(n) {
		if err := g.grow(ctx, func(a *ask) error { return b.back(a, n) }); err != nil {
			return v, err
		}
	}
	for n := before; !b.last && b.changeAfter(v.To) < 0; n = doubled(n) {
		if err := g.grow(ctx, func(a *ask) error { return b.forth(a, n) }); err != nil {
			return v, err
		}
	}
	if i := b.changeAfter(v.To); i >= 0 {
		v.To = b.points[i].at
	}
	i := b.changeBefore(v.From + 1)
	if i < 0 {
		i = b.firstNamed()
	}
	if i < 0 || b.points[i].at > v.From {
		return g.sinceFall(ctx, v)
	}
	v.From = b.points[i].at
	return v, nil
}

// sinceFall reads back to where the progress fell so far that a batch surely began, and is v from there on.
func (g *gathering) sinceFall(ctx context.Context, v calendar.Interval) (calendar.Interval, error) {
	p := g.tracks[roleProgress]
	for n := 64; !p.first && !g.fell(p, v.From); n = doubled(n) {
		if err := g.grow(ctx, func(a *ask) error { return p.back(a, n) }); err != nil {
			return v, err
		}
	}
	if len(p.points) > 0 {
		v.From = min(v.From, p.points[0].at)
	}
	return v, nil
}

// fell says that the progress has, up to the time at, two usable values in a row of which the second is below the first by more than
// any noise: by twice of what noise is at most, as values are compared in pieces, which are rounded.
func (g *gathering) fell(p *track, at telemetry.Instant) bool {
	e := describing(g.eras, at)
	if e.unit == nil {
		return true
	}
	full, ok := e.unit.Class.ProgressFull.At(at)
	if !ok {
		return true
	}
	var next exact.Num
	has := false
	for i := p.index(at+1) - 1; i >= 0; i-- {
		x, ok := progressOf(&p.points[i])
		if !ok {
			continue
		}
		x = exact.Min(x, full)
		if has && x.Sub(next).Mul(exact.Int(noiseParts)).Cmp(full.Add(full)) > 0 {
			return true
		}
		next, has = x, true
	}
	return false
}

// completes says that a batch may count at its end.
func (g *gathering) completes() bool {
	for _, s := range over(g.eras, func(u *plant.Unit) plant.Dated[plant.Credit] { return u.Credit }) {
		if s.ok && s.value == plant.CreditCompletion {
			return true
		}
	}
	return false
}

// batch is what is known of one batch, or of a part of one: its pieces from base to high were made in its time.
type batch struct {
	calendar.Interval           // To of the one that is not over: after the horizon
	whole             bool      // what it began with is known
	over              bool      // another one began after it
	base, high        exact.Num // in quanta: what it began with and the most that it came to
	terms
}

// terms are what a batch is.
type terms struct {
	quantity exact.Num // of a whole batch, in quanta
	full     exact.Num // progress at its end
	credit   plant.Credit
	product  string
	known    bool // quantity and full are
}

// termsAt are those of a batch that begins at at.
func (g *gathering) termsAt(at telemetry.Instant) terms {
	e := describing(g.eras, at)
	if e.unit == nil {
		return terms{}
	}
	t := terms{product: g.productAt(at)}
	quantity, ok1 := e.unit.BatchQuantity(t.product).At(at)
	full, ok2 := e.unit.Class.ProgressFull.At(at)
	t.credit, _ = e.unit.Credit.At(at)
	t.known = ok1 && ok2
	t.quantity, t.full = quantity.Mul(exact.Int(ledger.NanosPerPiece)).Round(), full
	return t
}

// made is what of the batch's pieces are made when it has come to x; 0 when that cannot be said.
func (t *terms) made(x exact.Num) exact.Num {
	if !t.known {
		return exact.Num{}
	}
	return exact.Min(t.quantity, t.quantity.Mul(x).Quo(t.full).Round())
}

// credited says that the pieces count as they are made.
func (t *terms) credited() bool { return t.known && t.credit != plant.CreditCompletion }

// noiseParts: a fall of up to this part of a batch is noise where nothing says which batch it is.
const noiseParts = 20

// fall says that v, after the batch has come to high, is not noise.
func (b *batch) fall(v exact.Num) bool {
	return b.high.Sub(v).Cmp(b.quantity.Quo(exact.Int(noiseParts)).Round()) > 0
}

// progressOf is how far the batch has come by a value; ok is false when that says nothing.
func progressOf(p *point) (x exact.Num, ok bool) {
	if !p.usable() {
		return x, false
	}
	if i, whole := p.value.Int(); whole {
		return exact.Int(i), true
	}
	f, _ := p.value.Float()
	return exact.FromFloat(f)
}

// batched are the counter and the bookings of the unit's batches.
func (g *gathering) batched() (*ledger.Counter, []ledger.Booking) {
	w := g.walk()
	first := g.termsAt(g.core.From)
	counts := len(w.all) == 0 && first.credited()
	var booked []ledger.Booking
	for i := range w.all {
		b := &w.all[i]
		counts = counts || b.credited()
		if b.Meet(g.core).Empty() {
			continue
		}
		if !b.known {
			g.note("the batch from %s is of no product whose batch quantity is known", b.From)
			return &ledger.Counter{}, nil // a counter without readings: nothing is known of what was made
		}
		if n := b.high.Sub(b.base); b.credit == plant.CreditCompletion && b.whole && b.over && n.Sign() > 0 {
			booked = append(booked, ledger.Booking{Interval: b.Interval, Product: b.product, Total: n, Good: n, Completion: true})
		}
	}
	if !counts {
		return nil, booked
	}
	return &w.counter, booked
}
