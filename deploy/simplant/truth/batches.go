package truth

import (
	"cmp"
	"fmt"
	"slices"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// A unit that makes batches has no counter: what it made is how far the batch has come times what a whole batch is, a counter
// of pieces that is replaced at each change of the batch.

// batches says that the unit's pieces are those of batches.
func (d *dossier) batches() bool { return d.Class.Progress != nil && d.Class.Total == nil }

// batch is the time of one batch, as far as it is known.
type batch struct {
	calendar.Interval           // To of the last one is after all that is known
	terms             terms     // as it began
	whole, over       bool      // its begin and its end are known
	high              exact.Num // the most that it came to, in pieces
}

// terms are what a batch is.
type terms struct {
	quantity, full exact.Num
	completion     bool // its pieces count at its end
	product        string
}

// batchCounter makes the counter and the bookings of the unit's batches.
func (d *dossier) batchCounter(u *contract.Unit) error {
	all, err := d.batchList()
	if err != nil {
		return err
	}
	c := &contract.Counter{}
	if d.signal(roleBatch) == nil && len(all) > 0 { // nothing says where a batch ends: small falls are noise, others a new batch
		c.Rule.Epsilon = round(all[0].terms.quantity.Quo(exact.Int(20)))
	}
	counts := false
	for i := range all {
		b := &all[i]
		if !b.terms.completion {
			counts = true
		}
		if i > 0 && len(c.Readings) > 0 && !b.terms.completion {
			c.Swaps = append(c.Swaps, contract.Swap{At: b.From, Final: c.Readings[len(c.Readings)-1].Value})
		}
		d.readBatch(b, c)
		if b.terms.completion && b.whole && b.over && b.high.Sign() > 0 {
			u.Booked = append(u.Booked, contract.Booking{
				Interval: b.Interval, Product: b.terms.product, Total: b.high, Good: b.high, ReportedAt: b.To,
			})
		}
	}
	if counts {
		u.Total = c
	}
	return nil
}

// batchList divides the record by batches.
func (d *dossier) batchList() ([]batch, error) {
	begins := []telemetry.Instant{d.span.From}
	last, has := "", false
	for i := range d.tracks[roleBatch] {
		p := &d.tracks[roleBatch][i]
		name, ok := text(p.value)
		if p.bad || !ok {
			continue
		}
		if has && name != last {
			begins = append(begins, p.at)
		}
		last, has = name, true
	}
	var all []batch
	for i, at := range begins {
		b := batch{Interval: calendar.Interval{From: at, To: d.span.To + 1}, whole: i > 0, over: i+1 < len(begins)}
		if b.over {
			b.To = begins[i+1]
		}
		if !b.whole { // what it was is what it was when it was first seen
			if points := d.progress(b.Interval); len(points) > 0 {
				at = points[0].at
			}
		}
		var err error
		if b.terms, err = d.termsAt(at); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

func (d *dossier) termsAt(at telemetry.Instant) (terms, error) {
	t := terms{product: d.productAt(at)}
	quantity, ok1 := d.BatchQuantity(t.product).At(at)
	full, ok2 := d.Class.ProgressFull.At(at)
	if !ok1 || !ok2 {
		return t, fmt.Errorf("the batch from %s on is of product %q, of which the model does not know how much a batch is", at, t.product)
	}
	credit, _ := d.Credit.At(at)
	t.quantity, t.full, t.completion = round(quantity), full, credit == plant.CreditCompletion
	return t, nil
}

// progress are the points of the progress in v.
func (d *dossier) progress(v calendar.Interval) []point {
	points := d.tracks[roleProgress]
	at := func(t telemetry.Instant) int {
		i, _ := slices.BinarySearchFunc(points, t, func(p point, t telemetry.Instant) int { return cmp.Compare(p.at, t) })
		return i
	}
	return points[at(v.From):at(v.To)]
}

// readBatch adds a batch's readings to c. Within a batch that is named nothing goes back: a fall is the noise of the signal.
func (d *dossier) readBatch(b *batch, c *contract.Counter) {
	named := d.signal(roleBatch) != nil
	points := d.progress(b.Interval)
	for i := range points {
		p := &points[i]
		done, ok := p.progress()
		if !ok {
			continue
		}
		made := exact.Min(b.terms.quantity, round(b.terms.quantity.Mul(done).Quo(b.terms.full)))
		b.high = exact.Max(b.high, made)
		if named {
			made = b.high
		}
		if !b.terms.completion {
			c.Readings = append(c.Readings, contract.Reading{At: p.at, KnownAt: p.at, Value: made})
		}
	}
}

// progress is how far a batch has come by a value: as it is shown, not rounded.
func (p *point) progress() (n exact.Num, ok bool) {
	switch {
	case p.bad:
	case p.value.Type() == telemetry.Int:
		n, ok = exact.Int(p.value.Int()), true
	case p.value.Type() == telemetry.Float:
		n, ok = exact.FromFloat(p.value.Float())
	}
	return n, ok && n.Sign() >= 0
}

// round is a number of pieces to the nearest quantum.
func round(n exact.Num) exact.Num {
	return n.Mul(exact.Int(quantumCounted)).Round().Quo(exact.Int(quantumCounted))
}
