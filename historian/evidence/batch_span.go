package evidence

import (
	"cmp"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// span is a time in which the signal of the batch says one thing.
//
//	batch   ──A──┬─────────B────────┬─Bad─┬──B──┬─C──
//	spans        │begins            │     │     │begins
//	named   yes      yes              no    yes    yes
//
// From a value that is not good to the next good one it is not known which batch it is. The same holds before the first good one,
// and after a gap in which a change may have been lost.
type span struct {
	calendar.Interval
	named  bool
	begins bool // with another batch than the one named before it
}

// named is what the signal of the batch says from a moment on.
type named struct {
	at   telemetry.Instant
	name string
	good bool
}

// spans are all time.
func (g *gathering) spans() []span {
	out := []span{{Interval: calendar.Interval{From: beginning, To: ending}}}
	name, has := "", false
	for _, e := range g.names() {
		last := &out[len(out)-1]
		if e.good == last.named && (!e.good || e.name == name) {
			continue
		}
		last.To = e.at
		out = append(out, span{Interval: calendar.Interval{From: e.at, To: ending}, named: e.good, begins: e.good && (!has || e.name != name)})
		if e.good {
			name, has = e.name, true
		}
	}
	return out
}

// names is what the signal of the batch says, by time.
func (g *gathering) names() []named {
	t := g.tracks[roleBatch]
	if t == nil {
		return nil
	}
	var out []named
	for i := range g.gaps {
		if gap := &g.gaps[i]; g.about(gap, roleBatch) && !renews(gap.Cause) {
			out = append(out, named{at: gap.From}, named{at: gap.To})
		}
	}
	for i := range t.points {
		p := &t.points[i]
		name, ok := codeText(p.value)
		out = append(out, named{at: p.at, name: name, good: p.good && ok})
	}
	slices.SortStableFunc(out, func(a, b named) int { return cmp.Compare(a.at, b.at) }) // at a gap's very end the value is there
	return out
}

// changes are the indices of the points that name another batch than the good one before them.
func (t *track) changes() []int {
	var out []int
	last, has := "", false
	for i := range t.points {
		name, ok := codeText(t.points[i].value)
		if !t.points[i].good || !ok {
			continue
		}
		if has && name != last {
			out = append(out, i)
		}
		last, has = name, true
	}
	return out
}

// changeBefore is the last change before at, changeAfter the first one at or after it; −1 when the track has none.
func (t *track) changeBefore(at telemetry.Instant) int {
	for _, i := range slices.Backward(t.changes()) {
		if t.points[i].at < at {
			return i
		}
	}
	return -1
}

func (t *track) changeAfter(at telemetry.Instant) int {
	for _, i := range t.changes() {
		if t.points[i].at >= at {
			return i
		}
	}
	return -1
}

// firstNamed is the first point that names a batch, −1 when there is none.
func (t *track) firstNamed() int {
	return slices.IndexFunc(t.points, func(p point) bool { _, ok := codeText(p.value); return p.good && ok })
}

// dark says that the batch may have changed in v without being seen: the unit was not seen alive, its progress could not be used,
// or something is missing by the loss ledger.
func (g *gathering) dark(v calendar.Interval) bool {
	if len(calendar.NewSet(v).Minus(g.alive.seen)) > 0 {
		return true
	}
	for i := range g.gaps {
		if gap := &g.gaps[i]; gap.From < v.To && v.From <= gap.To && (g.about(gap, roleProgress) || g.about(gap, roleBatch)) {
			return true
		}
	}
	p := g.tracks[roleProgress]
	return slices.ContainsFunc(p.points[p.index(v.From):p.index(v.To)], func(x point) bool { _, ok := progressOf(&x); return !ok })
}
