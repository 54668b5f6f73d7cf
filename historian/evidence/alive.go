package evidence

import (
	"context"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// aliveMeasurement holds the proofs of life of units, which the collector writes.
const aliveMeasurement = "alive"

// beat is the grid of the proofs of life. A proof at t covers the interval of this length that ends at t.
const beat = 10 * time.Second

// proof says that p proves life.
func (p *point) proof() bool {
	b, ok := p.value.Bool()
	return ok && b
}

// seen is when the unit was demonstrably seen, as far as the proofs were read.
func (g *gathering) seen() calendar.Set {
	var out calendar.Set
	for i := range g.alive.points {
		p := &g.alive.points[i]
		if !p.proof() {
			continue
		}
		v := calendar.Interval{From: p.at.Add(-beat), To: p.at}
		if n := len(out); n > 0 && v.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, v.To)
			continue
		}
		out = append(out, v)
	}
	return out
}

// proofBefore is the begin of the last interval before t of which there is a proof of life, but not before the time floor:
// floor if there is none.
func (g *gathering) proofBefore(ctx context.Context, t, floor telemetry.Instant) (telemetry.Instant, error) {
	if g.alive.have.To <= t {
		if err := g.grow(ctx, func(a *ask) error { return g.alive.reach(a, calendar.Interval{From: g.alive.have.From, To: t + 1}) }); err != nil {
			return 0, err
		}
	}
	for n := 1; ; n = doubled(n) {
		for i := g.alive.index(t+1) - 1; i >= 0 && g.alive.points[i].at > floor; i-- {
			if g.alive.points[i].proof() {
				return max(floor, g.alive.points[i].at.Add(-beat)), nil
			}
		}
		if g.alive.first || g.alive.have.From <= floor {
			return floor, nil
		}
		if err := g.grow(ctx, func(a *ask) error { return g.alive.back(a, n) }); err != nil {
			return 0, err
		}
	}
}
