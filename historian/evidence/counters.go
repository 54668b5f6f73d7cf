package evidence

import (
	"context"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// perQuantum is how many quanta one of the role's signal's unit has.
func (r role) perQuantum() int64 {
	switch r {
	case roleEnergy:
		return ledger.MicroWhPerKWh
	case rolePower:
		return ledger.MilliWattPerKW
	default:
		return ledger.NanosPerPiece
	}
}

// usable says that p is a reading that a counter can have.
func (p *point) usable() bool {
	if !p.good {
		return false
	}
	f, isNumber := p.value.Float()
	return isNumber && f >= 0
}

// completeCounters reads on until every pair of readings at a border of the core is whole, and finds out over what time the
// states must be known for it.
func (g *gathering) completeCounters(ctx context.Context) error {
	var all []*track
	for r := roleTotal; r <= roleEnergy; r++ {
		if t := g.tracks[r]; t != nil {
			all = append(all, t)
		}
	}
	if err := g.findUsable(ctx, g.core, all...); err != nil {
		return err
	}
	for r := roleTotal; r <= roleEnergy; r++ {
		t := g.tracks[r]
		if t == nil {
			continue
		}
		if err := g.findOther(ctx, r, t); err != nil {
			return err
		}
		if err := g.findHigh(ctx, r, t); err != nil {
			return err
		}
		lo, hi, err := g.pairs(ctx, r, t)
		if err != nil {
			return err
		}
		if r == roleEnergy {
			g.power = hull(g.power, calendar.Interval{From: lo, To: hi})
			continue
		}
		g.states = hull(g.states, calendar.Interval{From: lo, To: hi})
	}
	return nil
}

// findUsable reads on to both sides of v until each track has a usable reading before it and one after it, or nothing
// more: one request for all.
func (g *gathering) findUsable(ctx context.Context, v calendar.Interval, tracks ...*track) error {
	for n := before; ; n = doubled(n) {
		missing := false
		err := g.grow(ctx, func(a *ask) error {
			for _, t := range tracks {
				if !t.first && t.lastUsable(v.From) < 0 {
					missing = true
					if err := t.back(a, n); err != nil {
						return err
					}
				}
				if !t.last && t.firstUsable(v.To) < 0 {
					missing = true
					if err := t.forth(a, n); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil || !missing {
			return err
		}
	}
}

// lastUsable is the index of the last usable reading before at, −1 if the track has none.
func (t *track) lastUsable(at telemetry.Instant) int {
	for i := t.index(at) - 1; i >= 0; i-- {
		if t.points[i].usable() {
			return i
		}
	}
	return -1
}

// firstUsable is the index of the first usable reading at or after at, −1 if the track has none.
func (t *track) firstUsable(at telemetry.Instant) int {
	for i := t.index(at); i < len(t.points); i++ {
		if t.points[i].usable() {
			return i
		}
	}
	return -1
}

// findHigh reads back until the highest reading that the first one in the core is compared with is known. A counter that
// may fall by jitter is compared with its highest reading, not its last; but a reading that rose by more than the jitter is the
// highest, and one that fell by more began anew.
func (g *gathering) findHigh(ctx context.Context, r role, t *track) error {
	jitter := g.jitter(r)
	if jitter.IsZero() {
		return nil
	}
	for n := 64; !t.first && !t.certain(g.core.From, r, jitter); n = doubled(n) {
		if err := g.grow(ctx, func(a *ask) error { return t.back(a, n) }); err != nil {
			return err
		}
	}
	return nil
}

// jitter is the largest fall that any rule for r takes for none.
func (g *gathering) jitter(r role) exact.Num {
	var most exact.Num
	for _, rule := range g.rules(r) {
		most = exact.Max(most, rule.Epsilon)
	}
	return most
}

// certain says that the track has, before at, two usable readings in a row that differ by more than the jitter.
func (t *track) certain(at telemetry.Instant, r role, jitter exact.Num) bool {
	var next exact.Num
	has := false
	for i := t.index(at) - 1; i >= 0; i-- {
		if !t.points[i].usable() {
			continue
		}
		v, _ := quanta(t.points[i].value, r.perQuantum())
		if d := next.Sub(v); has && (d.Cmp(jitter) > 0 || d.Neg().Cmp(jitter) > 0) {
			return true
		}
		next, has = v, true
	}
	return false
}

// pairs is the time that deltas which meet the core can lie in. A counter that reports every change counted after the last
// proof of life before a reading: so far is read.
func (g *gathering) pairs(ctx context.Context, r role, t *track) (lo, hi telemetry.Instant, err error) {
	lo, hi = g.core.From, g.core.To
	b, a := t.lastUsable(g.core.From), t.firstUsable(g.core.From)
	if a < 0 {
		return lo, hi, nil // nothing follows: no delta meets the core
	}
	if b >= 0 {
		if g.perBatch(r) {
			b, _ = t.runBegin(b, r)
		}
		lo = min(lo, t.points[b].at)
	}
	if g.onChange(r) && b >= 0 {
		proof, err := g.stoodUntil(ctx, r, t, t.points[a].at, lo)
		if err != nil {
			return lo, hi, err
		}
		lo = min(g.core.From, max(lo, proof))
	}
	y, z := t.lastUsable(g.core.To), t.firstUsable(g.core.To)
	if y >= 0 && g.perBatch(r) {
		z = t.runEnd(y, r)
	}
	if y < 0 || z < 0 {
		return lo, hi, nil
	}
	hi = max(hi, t.points[z].at)
	if g.onChange(r) {
		if err := g.grow(ctx, func(a *ask) error {
			g.alive.reach(a, calendar.Interval{From: g.alive.have.From, To: hi + 1})
			return nil
		}); err != nil {
			return lo, hi, err
		}
		proof, err := g.stoodUntil(ctx, r, t, hi, g.core.To-1)
		if err != nil {
			return lo, hi, err
		}
		if proof >= g.core.To {
			hi = g.core.To
		}
	}
	return lo, hi, nil
}

// stoodUntil is when the counter was last known to stand before t, but not before floor: floor if it was not.
func (g *gathering) stoodUntil(ctx context.Context, r role, track *track, t, floor telemetry.Instant) (telemetry.Instant, error) {
	blind := g.blind(r, track)
	for {
		proof, err := g.proofBefore(ctx, t, floor)
		if err != nil || proof <= floor {
			return floor, err
		}
		i := slices.IndexFunc(blind, func(v calendar.Interval) bool { return v.From < t && proof < v.To })
		if i < 0 {
			return proof, nil
		}
		t = min(proof, blind[i].From) // what it was then is not known, so that it may have counted since before
	}
}

// proofBefore is the begin of the last proof of life before t, but not before floor: floor if there is none.
func (g *gathering) proofBefore(ctx context.Context, t, floor telemetry.Instant) (telemetry.Instant, error) {
	for {
		if proof, ok := g.alive.before(t); ok || g.alive.first || g.alive.have.From <= floor {
			return max(floor, proof), nil
		}
		if err := g.grow(ctx, func(a *ask) error { g.alive.back(a); return nil }); err != nil {
			return 0, err
		}
	}
}

// onChange says that silence of the role's signal means no change, in every model that tells of the core. A register's does not: it
// is used all the time, and what it counted from one reading to the next is spread over all of that.
func (g *gathering) onChange(r role) bool {
	if r == roleEnergy {
		return false
	}
	found := false
	for _, e := range g.eras {
		if e.unit == nil || e.Meet(g.core).Empty() {
			continue
		}
		s := r.signal(e.unit.Class)
		if s == nil || s.Reporting != plant.OnChange {
			return false
		}
		found = true
	}
	return found
}

// counter makes the ledger's counter of a role; nil when no model that tells of the core has it.
func (g *gathering) counter(r role) *ledger.Counter {
	t := g.tracks[r]
	if t == nil || !g.has(r) {
		return nil
	}
	c := &ledger.Counter{Rules: g.rules(r), Swaps: g.said.swaps[r]}
	if g.onChange(r) {
		c.OnChange, c.Beat = true, beat
		c.Blind = g.blind(r, t)
	}
	c.Readings = g.readings(r, t, c.Rules)
	return c
}

// has says that a model in force in the core gives the unit a signal of the role.
func (g *gathering) has(r role) bool {
	for _, e := range g.eras {
		if e.unit != nil && !e.Meet(g.core).Empty() && r.signal(e.unit.Class) != nil {
			return true
		}
	}
	return false
}

// readings are the usable points from the one before the core, or from where its highest is certain, to the one after it.
func (g *gathering) readings(r role, t *track, rules []ledger.Rule) []ledger.Reading {
	out := make([]ledger.Reading, 0, len(t.points))
	rule := 0
	for i := range t.points {
		p := &t.points[i]
		if !p.usable() {
			if p.good {
				g.note("%s at %s is %s: not a reading of a counter", g.name(r, p.at), p.at, p.value)
			}
			continue
		}
		v, ok := quanta(p.value, r.perQuantum())
		if _, fits := v.Int64(); !ok || !fits {
			g.note("%s at %s is %s: too large", g.name(r, p.at), p.at, p.value)
			continue
		}
		for rule+1 < len(rules) && rules[rule+1].From <= p.at {
			rule++
		}
		if rule < len(rules) && rules[rule].Kind == ledger.Rollover && v.Cmp(rules[rule].Modulus) >= 0 {
			g.note("%s at %s is %s: not below the modulus", g.name(r, p.at), p.at, p.value)
			continue
		}
		if n := len(out); n > 0 && out[n-1].Value.Equal(v) && g.toldAgain(r, out[n-1].At, p.at) {
			continue
		}
		out = append(out, ledger.Reading{At: p.at, Value: v})
	}
	return out
}

// name is that of the role's signal at the time at.
func (g *gathering) name(r role, at telemetry.Instant) string {
	for i := range g.tracks[r].channels {
		if c := &g.tracks[r].channels[i]; c.Holds(at) {
			return c.field
		}
	}
	return ""
}

// blind is when the counter's value is not known to stand: from a point that is not usable to the next that is, and in gaps.
func (g *gathering) blind(r role, t *track) calendar.Set {
	var all []calendar.Interval
	var since *telemetry.Instant
	for i := range t.points {
		p := &t.points[i]
		switch usable := p.usable(); {
		case !usable && since == nil:
			since = &p.at
		case usable && since != nil:
			all = append(all, calendar.Interval{From: *since, To: p.at})
			since = nil
		}
	}
	if since != nil {
		all = append(all, calendar.Interval{From: *since, To: g.horizon + 1})
	}
	for i := range g.gaps {
		if gap := &g.gaps[i]; g.about(gap, r) {
			all = append(all, calendar.Interval{From: gap.From, To: gap.To + 1})
		}
	}
	return calendar.NewSet(all...)
}

// rules are those of the role's signal, era by era.
func (g *gathering) rules(r role) []ledger.Rule {
	var out []ledger.Rule
	per := exact.Int(r.perQuantum())
	for _, s := range over(g.eras, func(u *plant.Unit) plant.Dated[plant.Rule] {
		if s := r.signal(u.Class); s != nil {
			return s.Rules
		}
		return nil
	}) {
		rule := ledger.Rule{From: s.from}
		if s.ok {
			rule.Epsilon = s.value.Epsilon.Mul(per).Round()
		}
		if s.ok && s.value.Kind == plant.Rollover {
			rule.Kind, rule.Modulus = ledger.Rollover, s.value.Modulus.Mul(per).Round()
			rule.MaxPerSecond = s.value.MaxPerSec.Mul(per).Round()
		}
		out = append(out, rule)
	}
	return out
}
