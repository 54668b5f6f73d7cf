package lots

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"kvarts/historian/exact"
)

// ErrNoLot is in the chain of the errors of asking for a lot that the book does not have.
var ErrNoLot = errors.New("no such lot in the book")

// Trace is where a lot came from, or went to.
type Trace struct {
	Direction Direction
	Lot       Relative   // asked for, of itself
	Relatives []Relative // nearest first
	Further   int        // relatives that were left out, as they are too far away
	Edges     []Edge     // between all of them, in order of time
	Findings  []Finding
}

// Relative is a lot that is in the one asked for (backward), or that the one asked for is in (forward). The upper of the two is
// the one that came first.
type Relative struct {
	ID    string
	Lot   *Lot // nil: nobody described it
	Depth int  // least number of steps between the two
	// Quantity is how much of the upper lot is in the lower one, in the upper's unit.
	Quantity exact.Num
	OfUpper  exact.Num // that quantity as a fraction of the upper lot: over all lots made of it, and what is left, these sum to one
	OfLower  exact.Num // the fraction of the lower lot that is of the upper: over all lots that the record begins with, these sum to one
}

// Edge is what went from one lot into another in one step.
type Edge struct {
	Step     *Step
	From, To string
	Quantity exact.Num // in From's unit
	OfFrom   exact.Num // as a fraction of From
	OfTo     exact.Num // as a fraction of To: over all edges to a lot these sum to one
}

// Trace follows a lot. Relatives more than depth steps away are left out, though the numbers of the others count the ways through
// them; a depth of 0 leaves out none. (Fractions far back in a chain of tank fillings have thousands of digits each.)
func (g *Graph) Trace(id string, d Direction, depth int) (*Trace, error) {
	n, ok := g.lots[id]
	if !ok {
		return nil, fmt.Errorf("trace lot %q: %w", id, ErrNoLot)
	}
	r := g.reach(n, d)
	near := func(m *node) bool { return depth == 0 || r.depth[m] <= depth }
	used, mixed := g.nearWeights(r, g.usage(), near), g.nearWeights(r, composition(), near)
	t := &Trace{Direction: d, Edges: g.edges(r, near), Findings: g.findings(r)}
	for _, m := range r.lots {
		if !near(m) {
			t.Further++
			continue
		}
		upper := m
		if d == Forward {
			upper = n
		}
		rel := Relative{ID: m.id, Lot: m.lot, Depth: r.depth[m], OfUpper: used[m].num(), OfLower: mixed[m].num(), Quantity: used[m].mul(ratioOf(upper.base)).num()}
		if m == n {
			t.Lot = rel
			continue
		}
		t.Relatives = append(t.Relatives, rel)
	}
	slices.SortFunc(t.Relatives, func(a, b Relative) int { return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.ID, b.ID)) })
	return t, nil
}

// nearWeights are the weights of the lots that are near.
func (g *Graph) nearWeights(r *reached, by weigher, near func(*node) bool) map[*node]ratio {
	out := make(map[*node]ratio)
	weigh(g, r, by, ratioOf, func(n *node, w ratio) {
		if near(n) {
			out[n] = w
		}
	})
	return out
}

// edges are those between the lots that are near.
func (g *Graph) edges(r *reached, near func(*node) bool) []Edge {
	var out []Edge
	for _, w := range r.steps {
		for i, in := range w.Inputs {
			for _, o := range w.Outputs {
				from, to := g.lots[in.Lot], g.lots[o.Lot]
				_, ok1 := r.depth[from]
				_, ok2 := r.depth[to]
				if !ok1 || !ok2 || !near(from) || !near(to) {
					continue
				}
				part := w.part(o.Lot)
				out = append(out, Edge{Step: w.Step, From: from.id, To: to.id, Quantity: w.takes[i].Mul(part),
					OfFrom: w.used(g, i).Mul(part), OfTo: to.by(w).Mul(w.mixed(i))})
			}
		}
	}
	slices.SortFunc(out, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.Step.From, b.Step.From), cmp.Compare(a.Step.ID, b.Step.ID), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return out
}
