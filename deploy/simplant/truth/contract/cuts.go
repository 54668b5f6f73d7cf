package contract

import (
	"fmt"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
)

// Cuts bound how many shares of quantities an answer is the sum of. An engine that keeps whole quanta rounds each of them
// once: what that costs is at most a quantum a share.
type Cuts struct {
	Pieces int       // shares of pieces
	Energy int       // shares of energy, and steps of power
	Ideal  exact.Num // seconds: a second, and the largest ideal of its unit, for each share of pieces
}

// Cuts are those of the answer to q.
func (e *Evaluator) Cuts(q *Query) (Cuts, error) {
	h, w := e.horizon(q)
	var c Cuts
	ids := e.targets(q)
	var line exact.Num // what a line takes for a piece
	for i := range e.vector.Lines {
		if l := &e.vector.Lines[i]; l.ID == q.Line {
			for unit, each := range l.UnitSeconds {
				ids, line = append(ids, unit), exact.Max(line, each)
			}
		}
	}
	for _, id := range ids {
		p, err := e.picture(id, h)
		if err != nil {
			return Cuts{}, fmt.Errorf("count cuts of query %q: %w", q.Name, err)
		}
		ideal := line
		for i := range p.unit.Ideals {
			ideal = exact.Max(ideal, p.unit.Ideals[i].Seconds)
		}
		pieces := p.cuts(w)
		for i := range p.scrap { // is shared out over all that was made in its time
			pieces += p.cuts(p.scrap[i].Made.Meet(w))
		}
		c.Pieces += pieces
		c.Ideal = c.Ideal.Add(ideal.Add(exact.Int(1)).Mul(exact.Int(int64(pieces))))
		c.Energy += p.energy.cuts(w)
	}
	return c, nil
}

// cuts are the shares of what was made in w: each span of time cuts each stream of pieces, and each delta is one by itself.
func (p *picture) cuts(w calendar.Interval) int {
	if w.Empty() {
		return 0
	}
	spans, streams, deltas := p.at(w.To)-p.at(w.From)+2, 1, 0
	for _, c := range p.counters {
		if c != nil {
			streams++
			deltas += len(c.overlapping(w))
		}
	}
	for i := range p.booked {
		if !p.booked[i].Meet(w).Empty() {
			streams++
		}
	}
	return spans*streams + deltas
}

// cuts are the register's deltas and the steps of power that meet w or shape what meets it.
func (e *meterEnergy) cuts(w calendar.Interval) int {
	if e == nil || w.Empty() {
		return 0
	}
	deltas := e.register.overlapping(w)
	for _, d := range deltas {
		w.From, w.To = min(w.From, d.From), max(w.To, d.To)
	}
	steps := len(deltas) + 2
	for i := range e.power {
		if !e.power[i].Meet(w).Empty() {
			steps++
		}
	}
	return steps
}
