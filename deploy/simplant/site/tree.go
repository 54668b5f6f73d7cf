package site

import (
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// tree says of each meter what it measures. A model says of a unit under which meters its own register is (behind), which meter
// is its own (direct), and which are divided among units; a unit hangs on one meter only:
//
//	behind or direct, the deepest of them     the wires go there
//	else shared, the deepest of them,         a meter of an area; one of utilities has the units of many areas
//	of these the one with the fewest units
type tree struct {
	w     *world.World
	depth map[string]int
	home  map[string]string // unit → meter
}

func newTree(w *world.World) *tree {
	t := &tree{w: w, depth: map[string]int{}, home: map[string]string{}}
	for _, m := range w.Model().Meters {
		t.depth[m.ID] = t.depthOf(m)
	}
	best := map[string]rank{}
	for i, m := range w.Model().Meters {
		for _, id := range m.Behind {
			t.hang(best, id, m, rank{wired: true, depth: t.depth[m.ID], order: i})
		}
		for _, id := range m.Units {
			t.hang(best, id, m, rank{wired: m.Kind == plant.Direct, depth: t.depth[m.ID], units: len(m.Units), order: i})
		}
	}
	return t
}

// rank is how well a meter fits a unit.
type rank struct {
	wired bool
	depth int
	units int
	order int
}

// before says that a fits better than b.
func (a rank) before(b rank) bool {
	switch {
	case a.wired != b.wired:
		return a.wired
	case a.depth != b.depth:
		return a.depth > b.depth
	case a.units != b.units:
		return a.units < b.units
	default:
		return a.order < b.order
	}
}

func (t *tree) hang(best map[string]rank, unit string, m *plant.Meter, r rank) {
	if have, ok := best[unit]; !ok || r.before(have) {
		best[unit], t.home[unit] = r, m.ID
	}
}

func (t *tree) depthOf(m *plant.Meter) int {
	n := 0
	for m.Parent != "" {
		m, _ = t.w.Model().Meter(m.Parent) // a checked model has it, and no circles
		n++
	}
	return n
}

// below are the units and meters that m measures directly.
func (t *tree) below(m *plant.Meter) []*world.Unit {
	var out []*world.Unit
	for _, c := range t.w.Model().Meters {
		if c.Parent == m.ID {
			if u, ok := t.w.Unit(c.Source); ok {
				out = append(out, u)
			}
		}
	}
	for _, u := range t.w.Units() {
		if t.home[u.ID] == m.ID && u.ID != m.Source {
			out = append(out, u)
		}
	}
	return out
}
