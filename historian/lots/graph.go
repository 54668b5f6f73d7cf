package lots

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/exact"
)

// Graph is lots and the steps between them, at one moment of what was known. It is never changed, and may be asked by many at once.
//
//	lot ──takes──► step ──makes──► lot          no lot is, through steps, made of itself
//
// What a step takes is, of each input lot, the fraction quantity/base; base is the lot's quantity or, where more was taken of it
// than there was, all that was taken, so that fractions never add up to more than the lot. Material goes over to what a step
// makes, scrap too, in proportion to quantity; energy goes where the policy says.
type Graph struct {
	lots  map[string]*node
	steps map[string]*work
}

// node is a lot in the graph; lot is nil when nobody described it.
type node struct {
	id     string
	lot    *Lot
	makers []*work // more than one only where the book contradicts itself
	takers []*work // in order of time
	taken  exact.Num
	base   exact.Num // 0 when nothing is known of the quantity and nothing was taken
	rest   exact.Num // that a taker without quantity took
}

// work is a step in the graph.
type work struct {
	*Step
	takes   []exact.Num // of each input, in the lot's unit
	taken   exact.Num   // sum of takes
	made    exact.Num   // sum of outputs
	good    exact.Num   // of outputs that are not scrap
	unclear []string    // inputs whose quantity nobody can say
}

// CycleError says that a lot would be made of itself.
type CycleError struct {
	Lots []string // each made of the one before, the last is the first
	Step string   // one of the steps
}

func (e *CycleError) Error() string {
	return fmt.Sprintf("lots would be made of themselves: %s (step %s): correct what one of the steps takes or makes; off-cuts become a new lot",
		strings.Join(e.Lots, " → "), e.Step)
}

// NewGraph makes the graph of a book that holds one revision of each lot and step, as Book.Effective gives. The error is a *CycleError.
func NewGraph(b Book) (*Graph, error) {
	g := &Graph{lots: make(map[string]*node, len(b.Lots)), steps: make(map[string]*work, len(b.Steps))}
	for i := range b.Lots {
		g.node(b.Lots[i].ID).lot = &b.Lots[i]
	}
	order := make([]*work, len(b.Steps))
	for i := range b.Steps {
		order[i] = &work{Step: &b.Steps[i]}
	}
	slices.SortFunc(order, func(a, b *work) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.ID, b.ID))
	})
	for _, w := range order {
		g.add(w)
	}
	if err := g.acyclic(order); err != nil {
		return nil, err
	}
	for _, n := range g.lots {
		n.settle()
	}
	for _, w := range order {
		w.settle(g)
	}
	return g, nil
}

func (g *Graph) node(id string) *node {
	n := g.lots[id]
	if n == nil {
		n = &node{id: id}
		g.lots[id] = n
	}
	return n
}

func (g *Graph) add(w *work) {
	g.steps[w.ID] = w
	for _, in := range w.Inputs {
		n := g.node(in.Lot)
		n.takers = append(n.takers, w)
	}
	for _, out := range w.Outputs {
		n := g.node(out.Lot)
		n.makers = append(n.makers, w)
		w.made = w.made.Add(out.Quantity)
		if !out.Scrap {
			w.good = w.good.Add(out.Quantity)
		}
	}
}

// input is what w says of taking the lot.
func (w *work) input(lot string) *Input {
	for i := range w.Inputs {
		if w.Inputs[i].Lot == lot {
			return &w.Inputs[i]
		}
	}
	return nil
}

// output is what w says of making the lot.
func (w *work) output(lot string) *Output {
	for i := range w.Outputs {
		if w.Outputs[i].Lot == lot {
			return &w.Outputs[i]
		}
	}
	return nil
}

// quantity is how much there is of the lot: as described, else as its steps say; ok is false when nobody says.
func (n *node) quantity() (q exact.Num, ok bool) {
	if n.lot != nil {
		return n.lot.Quantity, true
	}
	for _, m := range n.makers {
		q = q.Add(m.output(n.id).Quantity)
	}
	return q, len(n.makers) > 0
}

// settle finds what is left for a taker without quantity: what no other takes, whenever that was. A second such taker gets nothing.
func (n *node) settle() {
	var stated exact.Num
	open := false
	for _, w := range n.takers {
		if q := w.input(n.id).Quantity; q != nil {
			stated = stated.Add(*q)
		} else {
			open = true
		}
	}
	quantity, known := n.quantity()
	if open && known {
		n.rest = exact.Max(exact.Num{}, quantity.Sub(stated))
	}
	n.taken = stated.Add(n.rest)
	n.base = exact.Max(quantity, n.taken)
}

// restTaker is who takes what is left: the first without quantity.
func (n *node) restTaker() *work {
	for _, w := range n.takers {
		if w.input(n.id).Quantity == nil {
			return w
		}
	}
	return nil
}

func (w *work) settle(g *Graph) {
	w.takes = make([]exact.Num, len(w.Inputs))
	for i, in := range w.Inputs {
		n := g.lots[in.Lot]
		switch _, known := n.quantity(); {
		case in.Quantity != nil:
			w.takes[i] = *in.Quantity
		case !known:
			w.unclear = append(w.unclear, in.Lot)
		case n.restTaker() == w:
			w.takes[i] = n.rest
		}
		w.taken = w.taken.Add(w.takes[i])
	}
}

// fraction is part/whole, and 0 of nothing.
func fraction(part, whole exact.Num) exact.Num {
	if whole.IsZero() {
		return exact.Num{}
	}
	return part.Quo(whole)
}

// used is the fraction of input i's lot that w takes.
func (w *work) used(g *Graph, i int) exact.Num {
	return fraction(w.takes[i], g.lots[w.Inputs[i].Lot].base)
}

// mixed is the fraction of all that w takes that is of input i. Over all inputs they sum to one, unless w takes nothing at all.
func (w *work) mixed(i int) exact.Num { return fraction(w.takes[i], w.taken) }

// part is the fraction of the material in w that is in the lot afterwards.
func (w *work) part(lot string) exact.Num { return fraction(w.output(lot).Quantity, w.made) }

// by is the fraction of a lot that w made of it: one, unless several steps claim to have made it.
func (n *node) by(w *work) exact.Num {
	if len(n.makers) == 1 {
		return exact.Int(1)
	}
	var all exact.Num
	for _, m := range n.makers {
		all = all.Add(m.output(n.id).Quantity)
	}
	return w.output(n.id).Quantity.Quo(all)
}

// acyclic looks for a way from a lot back to itself, depth first, without recursion: tanks make chains of thousands of lots.
func (g *Graph) acyclic(order []*work) error {
	const (
		under = 1 // on the way that is being followed
		done  = 2
	)
	mark := make(map[*work]int, len(order))
	type place struct {
		w        *work
		out, via int // the next output, and the next taker of it
	}
	for _, first := range order {
		if mark[first] != 0 {
			continue
		}
		mark[first] = under
		way := []place{{w: first}}
		for len(way) > 0 {
			p := &way[len(way)-1]
			if p.out == len(p.w.Outputs) {
				mark[p.w], way = done, way[:len(way)-1]
				continue
			}
			takers := g.lots[p.w.Outputs[p.out].Lot].takers
			if p.via == len(takers) {
				p.out, p.via = p.out+1, 0
				continue
			}
			next := takers[p.via]
			p.via++
			switch mark[next] {
			case under:
				from := slices.IndexFunc(way, func(q place) bool { return q.w == next })
				e := &CycleError{Step: next.ID}
				for _, q := range way[from:] {
					e.Lots = append(e.Lots, q.w.Outputs[q.out].Lot)
				}
				e.Lots = append(e.Lots, e.Lots[0])
				return e
			case done:
			default:
				mark[next] = under
				way = append(way, place{w: next})
			}
		}
	}
	return nil
}
