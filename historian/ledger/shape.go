package ledger

import (
	"sort"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// shape is a register's delta made ready to be cut. Of its energy D, the part dark goes evenly over the time without known
// power, the rest follows the power:
//
//	power   ▆▆▆▆▆▆▃▃▃▃          ▆▆▆▆▆▆
//	delta  [───── D − dark ────· · dark · ·── D − dark ──)
type shape struct {
	m          *meter
	d          *delta
	dark, lit  exact.Num // µWh: the two parts of D
	darkTime   int64     // ns without known power
	litEnergy  exact.Num // µWh of the known power; 0: power says nothing of the shape
	litBefore  exact.Num // µWh of known power before the delta
	timeBefore int64     // ns of known power before the delta
}

func (m *meter) shape(d *delta) shape {
	s := shape{m: m, d: d}
	s.litBefore, s.timeBefore = m.knownUntil(d.from)
	energy, time := m.knownUntil(d.to)
	s.litEnergy = energy.Sub(s.litBefore)
	s.darkTime = int64(d.to-d.from) - (time - s.timeBefore)
	switch {
	case s.litEnergy.IsZero():
		s.dark = d.amount
	case s.darkTime > 0:
		s.dark = s.darkEnergy()
		s.lit = d.amount.Sub(s.dark)
	default:
		s.lit = d.amount
	}
	return s
}

// darkEnergy is what of the delta the time without known power gets: what the power leaves, within what the unit can use.
func (s *shape) darkEnergy() exact.Num {
	least, most, limited := s.m.limits(s.d.from, s.d.to)
	left := s.d.amount.Sub(s.litEnergy)
	if limited {
		left = exact.Min(left, most)
	}
	return exact.Min(s.d.amount, exact.Max(least, left))
}

// limits are the least and the most energy of the time without known power in an interval.
func (m *meter) limits(from, to telemetry.Instant) (least, most exact.Num, limited bool) {
	limited = true
	bounds := boundsCursor{bounds: m.bounds}
	for at := from; at < to; {
		b := bounds.at(at)
		end := min(to, bounds.until())
		_, k0 := m.knownUntil(at)
		_, k1 := m.knownUntil(end)
		if dark := int64(end-at) - (k1 - k0); dark > 0 {
			least = least.Add(m.energyOf(b.Min, dark))
			most = most.Add(m.energyOf(b.Rated, dark))
			limited = limited && b.HasRated
		}
		at = end
	}
	return least, most, limited
}

// until is the delta's energy from its begin to t, which lies in its interval.
func (s *shape) until(t telemetry.Instant) exact.Num {
	length := int64(t - s.d.from)
	if s.litEnergy.IsZero() && s.darkTime == 0 {
		return s.m.share(s.d.amount, length, int64(s.d.to-s.d.from))
	}
	energy, time := s.m.knownUntil(t)
	var sum exact.Num
	if s.darkTime > 0 {
		sum = s.m.share(s.dark, length-(time-s.timeBefore), s.darkTime)
	}
	if !s.litEnergy.IsZero() {
		sum = sum.Add(s.m.shareOf(s.lit, energy.Sub(s.litBefore), s.litEnergy))
	}
	return sum
}

// knownUntil is the energy and the time of known power from dawn to t.
func (m *meter) knownUntil(t telemetry.Instant) (energy exact.Num, time int64) {
	i := sort.Search(len(m.steps), func(i int) bool { return m.steps[i].from >= t }) - 1
	if i < 0 {
		return exact.Num{}, 0
	}
	s := &m.steps[i]
	ns := int64(min(t, s.to) - s.from)
	return s.before.Add(m.energyOf(s.mw, ns)), s.known + ns
}
