package ledger

import (
	"cmp"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// view is a unit's time as one set of facts sees it, and the pieces made in it.
type view struct {
	rounding
	atoms   []atom // from dawn to the horizon, without holes
	tariffs [][]tariff
	streams []stream
}

// stream is a list of quantities that enter the pieces in the same way.
type stream struct {
	deltas []delta // by from
	reach  []telemetry.Instant
	// total and good are how often a piece of the stream counts among the pieces and among the good pieces: −1, 0 or 1.
	total, good int8
}

// newStream takes quantities of any intervals.
func newStream(deltas []delta, total, good int8) stream {
	slices.SortStableFunc(deltas, func(a, b delta) int { return cmp.Compare(a.from, b.from) })
	s := stream{deltas: deltas, total: total, good: good, reach: make([]telemetry.Instant, len(deltas))}
	latest := dawn
	for i := range deltas {
		latest = max(latest, deltas[i].to)
		s.reach[i] = latest
	}
	return s
}

// spreadable is how much of an interval's time pieces can be made in.
func (v *view) spreadable(from, to telemetry.Instant) int64 {
	return spreadUntil(v.atoms, 0, to) - spreadUntil(v.atoms, 0, from)
}

// spreading is a delta made ready to be cut: its pieces grow evenly over the spreadable time of its interval, over all of
// it when there is none.
//
//	state     │ run     │ stop   │ run      │
//	delta  12 [─────────────────────────────)
//	pieces    0 ╱╱╱╱╱╱╱ 6 ────── 6 ╱╱╱╱╱╱ 12
type spreading struct {
	v       *view
	d       *delta
	evenly  bool  // over all of its time
	weight  int64 // ns that the amount is spread over
	already int64 // spreadable time before the delta
}

// spreading makes a delta ready; near is the index of the atom that it begins in, or of one before.
func (v *view) spreading(d *delta, near int) spreading {
	s := spreading{v: v, d: d, already: spreadUntil(v.atoms, near, d.from)}
	s.weight = spreadUntil(v.atoms, near, d.to) - s.already
	if s.weight == 0 {
		s.evenly, s.weight = true, int64(d.to-d.from)
	}
	return s
}

// until is the pieces made from the delta's begin to t, which lies in its interval, in the atom near or in a later one.
func (s *spreading) until(t telemetry.Instant, near int) exact.Num {
	part := int64(t - s.d.from)
	if !s.evenly {
		part = spreadUntil(s.v.atoms, near, t) - s.already
	}
	return s.v.share(s.d.amount, part, s.weight)
}

// tally adds up the pieces of one cell and product before they go to the facts.
type tally struct {
	v     *view
	s     *stream
	facts []Facts

	cell                 cell
	product              int32
	nonempty             bool
	pieces, ideal, watts exact.Num
}

// pour adds the pieces of every stream to the facts of the slices.
func (v *view) pour(borders []telemetry.Instant, facts []Facts) {
	for i := range v.streams {
		v.pourStream(&v.streams[i], borders, facts)
	}
}

func (v *view) pourStream(s *stream, borders []telemetry.Instant, facts []Facts) {
	first := overlapping(s.deltas, s.reach, borders[0])
	if first == len(s.deltas) {
		return
	}
	c := cursor{atoms: v.atoms, borders: borders}
	c.jump(s.deltas[first].from)
	t := tally{v: v, s: s, facts: facts}
	last := borders[len(borders)-1]
	for i := first; i < len(s.deltas) && s.deltas[i].from < last; i++ {
		d := &s.deltas[i]
		if d.findings == 0 && (d.amount.IsZero() || s.total == 0 && s.good == 0) {
			continue
		}
		if c.seat(d.from, d.to) {
			t.at(cell{atom: c.atom, slice: c.slice}, d)
			t.add(d.amount)
			continue
		}
		t.cut(&c, d)
	}
	t.flush()
}

// at moves to a cell; what was added up for another goes to the facts.
func (t *tally) at(k cell, d *delta) {
	if k.atom != t.cell.atom || k.slice != t.cell.slice || d.product != t.product {
		t.flush()
		t.cell, t.product = k, d.product
	}
	t.facts[k.slice].Findings |= d.findings
}

func (t *tally) tariff() *tariff {
	return &t.v.tariffs[t.product][t.v.atoms[t.cell.atom].tariff]
}

// add counts the pieces of a delta that lies in the cell whole.
func (t *tally) add(pieces exact.Num) {
	if pieces.IsZero() {
		return
	}
	p := t.tariff()
	t.nonempty = true
	t.pieces = t.pieces.Add(pieces)
	t.ideal = t.ideal.Add(t.v.times(pieces, p.ideal))
	if t.s.good != 0 {
		t.watts = t.watts.Add(t.v.times(pieces, p.watts))
	}
}

// cut counts the pieces of a delta that several cells share. What they are worth is a cumulative function too, of the pieces
// since the delta's begin: within each tariff it grows from border to border, wherever slices begin.
func (t *tally) cut(c *cursor, d *delta) {
	s := t.v.spreading(d, c.atom)
	begun := false
	var before exact.Num // pieces from the delta's begin to the cell's
	for k := range c.cells(d.from, d.to) {
		t.at(k, d)
		if d.amount.IsZero() {
			continue
		}
		if !begun {
			begun, before = true, s.until(k.from, k.atom)
		}
		after := s.until(k.to, k.atom)
		t.addBetween(before, after)
		before = after
	}
}

// addBetween counts the pieces from before to after, both counted from the begin of the delta.
func (t *tally) addBetween(before, after exact.Num) {
	if before.IsZero() {
		t.add(after)
		return
	}
	pieces := after.Sub(before)
	if pieces.IsZero() {
		return
	}
	p := t.tariff()
	t.nonempty = true
	t.pieces = t.pieces.Add(pieces)
	t.ideal = t.ideal.Add(t.v.times(after, p.ideal).Sub(t.v.times(before, p.ideal)))
	if t.s.good != 0 {
		t.watts = t.watts.Add(t.v.times(after, p.watts).Sub(t.v.times(before, p.watts)))
	}
}

// The fields of ideal time by bucket.
var (
	isoTotal = [numBuckets]Field{known: IdealTotal, bridged: BridgedTotal, dark: DarkTotal}
	isoGood  = [numBuckets]Field{known: IdealGood, bridged: BridgedGood, dark: DarkGood}
	e79Total = [numBuckets]Field{known: E79IdealTotal, bridged: E79BridgedTotal, dark: E79DarkTotal}
	e79Good  = [numBuckets]Field{known: E79IdealGood, bridged: E79BridgedGood, dark: E79DarkGood}
)

// flush adds what was added up for the cell to the facts of its slice.
func (t *tally) flush() {
	if !t.nonempty {
		return
	}
	f, a, p := &t.facts[t.cell.slice], &t.v.atoms[t.cell.atom], t.tariff()
	f.count(TotalPieces, t.pieces, t.s.total)
	f.count(GoodPieces, t.pieces, t.s.good)
	if p.watts.known {
		f.count(GoodWatts, t.watts, t.s.good)
	} else {
		f.count(NoWattsPieces, t.pieces, t.s.good*t.s.good)
	}
	switch {
	case t.s.total == 0 && t.s.good == 0: // only looked at for its findings
	case p.ideal.known:
		if a.isoPart != nowhere {
			f.count(isoTotal[a.isoPart], t.ideal, t.s.total)
			f.count(isoGood[a.isoPart], t.ideal, t.s.good)
		}
		if a.e79Part != nowhere {
			f.count(e79Total[a.e79Part], t.ideal, t.s.total)
			f.count(e79Good[a.e79Part], t.ideal, t.s.good)
		}
	default:
		if a.planned() {
			f.count(NoIdealPieces, t.pieces, 1)
		}
		f.count(E79NoIdealPieces, t.pieces, 1)
	}
	t.nonempty, t.pieces, t.ideal, t.watts = false, exact.Num{}, exact.Num{}, exact.Num{}
}

// count adds x to a field, subtracts it, or leaves it.
func (f *Facts) count(k Field, x exact.Num, times int8) {
	switch times {
	case 1:
		f.Sum[k] = f.Sum[k].Add(x)
	case -1:
		f.Sum[k] = f.Sum[k].Sub(x)
	}
}
