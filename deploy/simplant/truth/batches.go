package truth

import (
	"fmt"
	"math"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// A unit that makes batches has no counter: what it made is how far the batch has come times what a whole batch is, a counter
// of pieces that is replaced at each change of the batch. What was not seen of a change makes it a lower bound: see passage.

// batches says that the unit's pieces are those of batches.
func (d *dossier) batches() bool { return d.Class.Progress != nil && d.Class.Total == nil }

// terms are what a batch is.
type terms struct {
	quantity, full exact.Num
	completion     bool // its pieces count at its end
	product        string
}

// termsAt are those of a batch that begins at a moment.
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

// pieces of a batch that has come so far.
func (t *terms) pieces(done exact.Num) exact.Num {
	return exact.Min(t.quantity, round(t.quantity.Mul(done).Quo(t.full)))
}

// noise is by how much progress may fall within one batch.
func (t *terms) noise() exact.Num { return round(t.quantity.Quo(exact.Int(20))) }

// look is a value of the progress that can be used.
type look struct {
	at   telemetry.Instant
	done exact.Num
}

// looks are those of the record, and the moments at which the progress could not be used.
func (d *dossier) looks() (usable []look, bad []telemetry.Instant) {
	for i := range d.tracks[roleProgress] {
		p := &d.tracks[roleProgress][i]
		if done, ok := p.progress(); ok {
			usable = append(usable, look{p.at, done})
		} else {
			bad = append(bad, p.at)
		}
	}
	return usable, bad
}

// label is what the batch signal says from a moment on.
type label struct {
	at    telemetry.Instant
	name  string
	known bool
	other bool // another batch than the one that was known before, or the first
}

// labels begin with what is known before anything is said: nothing.
func (d *dossier) labels() []label {
	out := []label{{at: math.MinInt64}}
	last := label{}
	for i := range d.tracks[roleBatch] {
		p := &d.tracks[roleBatch][i]
		name, ok := text(p.value)
		l := label{at: p.at, name: name, known: ok && !p.bad}
		if l.known {
			l.other = !last.known || last.name != name
			last = l
		}
		if now := out[len(out)-1]; l.known != now.known || l.known && l.name != now.name {
			out = append(out, l)
		}
	}
	return out
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

// batchCounter makes the counter and the bookings of the unit's batches.
func (d *dossier) batchCounter(u *contract.Unit) error {
	s := &story{dossier: d, labels: d.labels(), counter: &contract.Counter{}}
	looks, bad := d.looks()
	s.bad = bad
	for i := range looks {
		if err := s.see(looks[i]); err != nil {
			return err
		}
	}
	s.finish()
	if len(looks) == 0 {
		t, err := d.termsAt(d.span.From)
		if err == nil && !t.completion {
			u.Total = s.counter
		}
		return err
	}
	for i := range s.parts {
		p := &s.parts[i]
		switch n := p.most.Sub(p.least); {
		case !p.completion:
			u.Total = s.counter
		case p.whole && p.over && n.Sign() > 0 && !p.Empty():
			u.Booked = append(u.Booked, contract.Booking{Interval: p.Interval, Product: p.product, Total: n, Good: n, ReportedAt: p.To})
		}
	}
	return nil
}
