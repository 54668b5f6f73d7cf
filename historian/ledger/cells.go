package ledger

import (
	"iter"
	"sort"

	"kvarts/historian/telemetry"
)

// cell is where an atom and a slice meet: all facts of a cell go to the same fields of the same slice.
//
//	atoms   │ a0        │ a1   │ a2             │
//	slices  │ s0    │ s1                │ s2    │
//	cells   │a0s0   │a0s1│a1s1 │ a2s1   │ a2s2  │
type cell struct {
	atom, slice int
	from, to    telemetry.Instant
}

// cursor walks the cells of slices for intervals that begin one after the other.
type cursor struct {
	atoms       []atom
	borders     []telemetry.Instant // slice i is [borders[i], borders[i+1]); they do not fall, and the first is below the last
	atom, slice int                 // the cell that the last interval began in; slice 0 also for what began before it
}

// seat moves to the cell that an interval begins in and says whether the interval lies in it whole. from is at or after that
// of the interval before, and before the last border.
func (c *cursor) seat(from, to telemetry.Instant) (whole bool) {
	for c.atoms[c.atom].to <= from {
		c.atom++
	}
	for c.borders[c.slice+1] <= from {
		c.slice++
	}
	return to <= c.atoms[c.atom].to && c.borders[c.slice] <= from && to <= c.borders[c.slice+1]
}

// jump prepares for a first interval that begins at from, without walking there.
func (c *cursor) jump(from telemetry.Instant) { c.atom = atomAt(c.atoms, from) }

// cells are those of an interval that seat has been called with, as far as slices go.
func (c *cursor) cells(from, to telemetry.Instant) iter.Seq[cell] {
	return func(yield func(cell) bool) {
		at, end := max(from, c.borders[0]), min(to, c.borders[len(c.borders)-1])
		if at >= end {
			return
		}
		k := cell{atom: c.atom, slice: c.slice}
		if c.atoms[k.atom].to <= at {
			k.atom = atomAt(c.atoms, at)
		}
		for at < end {
			for c.atoms[k.atom].to <= at {
				k.atom++
			}
			for c.borders[k.slice+1] <= at {
				k.slice++
			}
			k.from, k.to = at, min(end, c.atoms[k.atom].to, c.borders[k.slice+1])
			if !yield(k) {
				return
			}
			at = k.to
		}
	}
}

// overlapping is the index of the first delta that ends after t; reach[i] is the latest end of deltas[:i+1], nil where
// deltas do not overlap.
func overlapping(deltas []delta, reach []telemetry.Instant, t telemetry.Instant) int {
	if reach != nil {
		return sort.Search(len(reach), func(i int) bool { return reach[i] > t })
	}
	return sort.Search(len(deltas), func(i int) bool { return deltas[i].to > t })
}
