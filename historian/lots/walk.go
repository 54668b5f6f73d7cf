package lots

import (
	"slices"

	"kvarts/historian/exact"
)

// Direction says which way the graph is followed.
type Direction uint8

// The directions.
const (
	Backward Direction = iota // to what the lot was made of
	Forward                   // to what was made of the lot
)

func (d Direction) String() string {
	if d == Forward {
		return "forward"
	}
	return "backward"
}

// MarshalText gives String.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// reached are the lots on the way from one lot, each before all that lie behind it, and the steps between them.
type reached struct {
	dir   Direction
	lots  []*node
	steps []*work
	depth map[*node]int // least number of steps
}

// next are the steps that lead on from n.
func (d Direction) next(n *node) []*work {
	if d == Forward {
		return n.takers
	}
	return n.makers
}

// ends are the lots that w leads to.
func (g *Graph) ends(w *work, d Direction) []*node {
	var out []*node
	if d == Forward {
		for _, o := range w.Outputs {
			out = append(out, g.lots[o.Lot])
		}
		return out
	}
	for _, in := range w.Inputs {
		out = append(out, g.lots[in.Lot])
	}
	return out
}

// reach follows the graph from n, without recursion.
func (g *Graph) reach(n *node, d Direction) *reached {
	r := &reached{dir: d, depth: map[*node]int{n: 0}}
	seen := make(map[*work]bool)
	for queue := []*node{n}; len(queue) > 0; queue = queue[1:] {
		for _, w := range d.next(queue[0]) {
			if seen[w] {
				continue
			}
			seen[w] = true
			r.steps = append(r.steps, w)
			for _, m := range g.ends(w, d) {
				if _, ok := r.depth[m]; !ok {
					r.depth[m] = r.depth[queue[0]] + 1
					queue = append(queue, m)
				}
			}
		}
	}
	r.lots = g.order(n, d)
	return r
}

// order is the lots reached from n, each before all that lie behind it.
func (g *Graph) order(n *node, d Direction) []*node {
	type place struct {
		n  *node
		on []*node // left to follow
	}
	behind := func(n *node) (out []*node) {
		for _, w := range d.next(n) {
			out = append(out, g.ends(w, d)...)
		}
		return out
	}
	seen := map[*node]bool{n: true}
	var out []*node
	for way := []place{{n, behind(n)}}; len(way) > 0; {
		p := &way[len(way)-1]
		if len(p.on) == 0 {
			out, way = append(out, p.n), way[:len(way)-1]
			continue
		}
		m := p.on[0]
		p.on = p.on[1:]
		if !seen[m] {
			seen[m] = true
			way = append(way, place{m, behind(m)})
		}
	}
	slices.Reverse(out)
	return out
}

// weigher says what fraction of something goes over an edge: of what w holds into or from the lot it made, and of a lot's into or
// from what w takes of it.
type weigher struct {
	made  func(w *work, n *node) exact.Num
	taken func(w *work, input int) exact.Num
}

// usage follows how much of the upper lot is in the lower: of each lot as much goes to a step as it takes, and of that to each of
// its outputs, scrap too, in proportion to quantity.
func (g *Graph) usage() weigher {
	return weigher{
		made:  func(w *work, n *node) exact.Num { return w.part(n.id) },
		taken: func(w *work, i int) exact.Num { return w.used(g, i) },
	}
}

// composition follows how much of the lower lot comes from the upper: a step's outputs are all of the mixture of its inputs.
func composition() weigher {
	return weigher{
		made:  func(w *work, n *node) exact.Num { return n.by(w) },
		taken: func(w *work, i int) exact.Num { return w.mixed(i) },
	}
}

// weight is the arithmetic of weigh: exact (ratio) or with the few digits that people look at (rough).
type weight[T any] interface {
	add(T) T
	mul(T) T
	zero() bool
}

// weighing is the work of weigh: what of the first lot is in, or comes from, each lot and step that was reached.
type weighing[T weight[T]] struct {
	r       *reached
	by      weigher
	of      func(exact.Num) T
	steps   map[*work]T
	waiting map[*work]int // lots that will still ask for the step
}

// weigh adds up, for each lot, the products of the edges' fractions over all ways to it, and hands them to keep. As each
// lot comes before all that lie behind it, one pass does. What is no longer needed is let go: the weights of a long chain have
// very many digits.
func weigh[T weight[T]](g *Graph, r *reached, by weigher, of func(exact.Num) T, keep func(*node, T)) {
	x := weighing[T]{r: r, by: by, of: of, steps: make(map[*work]T, len(r.steps)), waiting: make(map[*work]int, len(r.steps))}
	for _, w := range r.steps {
		x.waiting[w] = len(g.ends(w, r.dir))
	}
	for i, n := range r.lots {
		sum := of(exact.Int(1))
		if i > 0 {
			sum = x.pull(n)
		}
		keep(n, sum)
		if !sum.zero() {
			x.push(n, sum)
		}
	}
}

// pull is the weight of a lot: of the steps through which it was reached, by the edges.
func (x *weighing[T]) pull(n *node) T {
	sum := x.of(exact.Num{})
	x.r.eachEdge(n, false, x.by, func(w *work, over func() exact.Num) {
		left, reached := x.waiting[w]
		if !reached {
			return
		}
		if of := x.steps[w]; !of.zero() {
			sum = sum.add(of.mul(x.of(over())))
		}
		x.waiting[w] = left - 1
		if left == 1 {
			delete(x.steps, w)
		}
	})
	return sum
}

// push gives a lot's weight on to the steps behind it.
func (x *weighing[T]) push(n *node, sum T) {
	x.r.eachEdge(n, true, x.by, func(w *work, over func() exact.Num) {
		x.steps[w] = x.steps[w].add(sum.mul(x.of(over())))
	})
}

// eachEdge hands on the steps beside n: those behind it, or those through which it was reached, with the fraction of the edge.
func (r *reached) eachEdge(n *node, behind bool, by weigher, do func(*work, func() exact.Num)) {
	if behind == (r.dir == Backward) {
		for _, w := range n.makers {
			do(w, func() exact.Num { return by.made(w, n) })
		}
		return
	}
	for _, w := range n.takers {
		do(w, func() exact.Num {
			i := slices.IndexFunc(w.Inputs, func(in Input) bool { return in.Lot == n.id })
			return by.taken(w, i)
		})
	}
}
