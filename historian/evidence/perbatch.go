package evidence

import (
	"context"
	"slices"

	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// A counter that is sent at the end of each batch (reporting: per_batch) shows the same in between. That it is told again, because
// somebody connected, subscribed or began anew, says nothing of when the next batch is made: such a reading is left out.
//
//	readings   0     0'             2400
//	delta      [──────── 2400 ──────)     not only since 0'
//
// Where the meter was replaced since, an equal reading is one of another meter.
//
// A reading that shows more is taken as of its time, also where it is told late, after a time that was not seen: of what was made
// since that batch ended the next reading tells.

// toldAgain says that a reading at at, equal to the one before it at before, is one that says nothing.
func (g *gathering) toldAgain(r role, before, at telemetry.Instant) bool {
	return reportsBatches(describing(g.eras, at), r) && !slices.ContainsFunc(g.said.swaps[r], func(s ledger.Swap) bool {
		return before <= s.At && s.At <= at
	})
}

func reportsBatches(e *era, r role) bool {
	if e.unit == nil {
		return false
	}
	s := r.signal(e.unit.Class)
	return s != nil && s.Reporting == plant.PerBatch
}

// perBatch says that in some model the role's signal is sent once for each batch.
func (g *gathering) perBatch(r role) bool {
	for i := range g.eras {
		if reportsBatches(&g.eras[i], r) {
			return true
		}
	}
	return false
}

// findOther reads on to both sides of the core until a counter that is sent for each batch has shown another value.
func (g *gathering) findOther(ctx context.Context, r role, t *track) error {
	for n := before; g.perBatch(r); n = doubled(n) {
		back, forth := false, false
		if i := t.lastUsable(g.core.From); i >= 0 {
			_, whole := t.runBegin(i, r)
			back = !whole && !t.first
		}
		if i := t.lastUsable(g.core.To); i >= 0 {
			forth = t.runEnd(i, r) < 0 && !t.last
		}
		if !back && !forth {
			return nil
		}
		err := g.grow(ctx, func(a *ask) error {
			if back {
				if err := t.back(a, n); err != nil {
					return err
				}
			}
			if forth {
				return t.forth(a, n)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// runBegin is the index of the first of the usable points that show, up to point i, what it shows. whole says that there is another
// value before it.
func (t *track) runBegin(i int, r role) (begin int, whole bool) {
	want, _ := quanta(t.points[i].value, r.perQuantum())
	begin = i
	for k := i - 1; k >= 0; k-- {
		if !t.points[k].usable() {
			continue
		}
		if v, _ := quanta(t.points[k].value, r.perQuantum()); !v.Equal(want) {
			return begin, true
		}
		begin = k
	}
	return begin, false
}

// runEnd is the index of the first usable point after point i that shows another value; −1 when the track has none.
func (t *track) runEnd(i int, r role) int {
	want, _ := quanta(t.points[i].value, r.perQuantum())
	for k := i + 1; k < len(t.points); k++ {
		if v, _ := quanta(t.points[k].value, r.perQuantum()); t.points[k].usable() && !v.Equal(want) {
			return k
		}
	}
	return -1
}
