package ledger

import (
	"sort"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// energyBy is the field of energy by what the unit did.
var energyBy = [numClasses]Field{
	outOfSchedule: EnergyOut, plannedTime: EnergyPlanned, runTime: EnergyRun, minorTime: EnergyRun, setupTime: EnergySetup,
	stopTime: EnergyStop, idleTime: EnergyIdle, unknownTime: EnergyUnknown,
}

// pour adds energy and its coverage to the facts of the slices.
func (m *meter) pour(atoms []atom, borders []telemetry.Instant, facts []Facts) {
	m.pourDeltas(atoms, borders, facts)
	outside := calendar.NewSet(calendar.Interval{From: dawn, To: m.horizon})
	if r := m.registered(); !r.Empty() {
		outside = outside.Minus(calendar.NewSet(r))
	}
	for _, v := range outside.Clip(calendar.Interval{From: borders[0], To: borders[len(borders)-1]}) {
		m.pourSteps(v, atoms, borders, facts)
	}
	m.pourGaps(borders, facts)
}

// energyTally adds up the energy of one cell before it goes to the facts.
type energyTally struct {
	atoms []atom
	facts []Facts
	cell  cell
	sum   exact.Num
}

func (t *energyTally) add(k cell, energy exact.Num) {
	if k.atom != t.cell.atom || k.slice != t.cell.slice {
		t.flush()
		t.cell = k
	}
	t.sum = t.sum.Add(energy)
}

func (t *energyTally) flush() {
	if t.sum.IsZero() {
		return
	}
	f := &t.facts[t.cell.slice]
	f.count(EnergyKnown, t.sum, 1)
	f.count(energyBy[t.atoms[t.cell.atom].iso], t.sum, 1)
	t.sum = exact.Num{}
}

// pourDeltas adds the register's energy.
func (m *meter) pourDeltas(atoms []atom, borders []telemetry.Instant, facts []Facts) {
	first := overlapping(m.deltas, nil, borders[0])
	if first == len(m.deltas) {
		return
	}
	c := cursor{atoms: atoms, borders: borders}
	c.jump(m.deltas[first].from)
	t := energyTally{atoms: atoms, facts: facts}
	last := borders[len(borders)-1]
	for i := first; i < len(m.deltas) && m.deltas[i].from < last; i++ {
		d := &m.deltas[i]
		if c.seat(d.from, d.to) {
			facts[c.slice].Findings |= d.findings
			t.add(cell{atom: c.atom, slice: c.slice}, d.amount)
			continue
		}
		s := m.shape(d)
		before := s.until(max(d.from, borders[0]))
		for k := range c.cells(d.from, d.to) {
			facts[k.slice].Findings |= d.findings
			after := s.until(k.to)
			t.add(k, after.Sub(before))
			before = after
		}
	}
	t.flush()
}

// pourSteps adds the energy of known power in an interval.
func (m *meter) pourSteps(v calendar.Interval, atoms []atom, borders []telemetry.Instant, facts []Facts) {
	first := sort.Search(len(m.steps), func(i int) bool { return m.steps[i].to > v.From })
	if first == len(m.steps) {
		return
	}
	c := cursor{atoms: atoms, borders: borders}
	c.jump(max(v.From, m.steps[first].from))
	t := energyTally{atoms: atoms, facts: facts}
	for i := first; i < len(m.steps) && m.steps[i].from < v.To; i++ {
		s := &m.steps[i]
		from, to := max(v.From, s.from), min(v.To, s.to)
		c.seat(from, to)
		before := m.energyOf(s.mw, int64(from-s.from))
		for k := range c.cells(from, to) {
			after := m.energyOf(s.mw, int64(k.to-s.from))
			t.add(k, after.Sub(before))
			before = after
		}
	}
	t.flush()
}

// pourGaps adds the time that is covered and the bounds of the time that is not.
func (m *meter) pourGaps(borders []telemetry.Instant, facts []Facts) {
	for i := range facts {
		facts[i].Sum[Covered] = facts[i].Sum[EnergySpan]
	}
	slice := 0
	last := borders[len(borders)-1]
	for i := sort.Search(len(m.gaps), func(i int) bool { return m.gaps[i].to > borders[0] }); i < len(m.gaps) && m.gaps[i].from < last; i++ {
		g := &m.gaps[i]
		for borders[slice+1] <= g.from {
			slice++
		}
		for k := slice; k < len(facts) && borders[k] < g.to; k++ {
			from, to := max(g.from, borders[k]), min(g.to, borders[k+1])
			if from < to {
				m.addGap(g, from, to, &facts[k])
			}
		}
	}
}

// addGap adds the part of a gap that lies in a slice.
func (m *meter) addGap(g *gap, from, to telemetry.Instant, f *Facts) {
	time := exact.Int(int64(to - from))
	f.count(Covered, time, -1)
	between := func(mw exact.Num) exact.Num {
		return m.energyOf(mw, int64(to-g.from)).Sub(m.energyOf(mw, int64(from-g.from)))
	}
	f.count(EnergyLow, between(g.bounds.Min), 1)
	if g.bounds.HasRated {
		f.count(EnergyHigh, between(g.bounds.Rated), 1)
	} else {
		f.count(UnboundedTime, time, 1)
	}
}
