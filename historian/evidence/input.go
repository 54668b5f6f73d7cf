package evidence

import (
	"context"
	"fmt"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// completePower reads the power wherever it shapes what the register counted.
func (g *gathering) completePower(ctx context.Context) error {
	t := g.tracks[rolePower]
	if t == nil {
		return nil
	}
	if err := g.grow(ctx, func(a *ask) error { return t.reach(a, g.power) }); err != nil {
		return err
	}
	return g.latest(ctx, g.power.From, t)
}

// readStored looks for the state at the begin among the stored slices when the raw data has none: it may be gone.
func (g *gathering) readStored(ctx context.Context) error {
	t := g.tracks[roleState]
	if t == nil || t.index(g.states.From+1) > 0 {
		return nil
	}
	// The newest slice that lies before knows the state at its end; of revisions of one slice the last comes first.
	q := influx.Query{
		Text: `SELECT "state", state_at, facts FROM ` + sliceMeasurement + ` WHERE "kind" = $kind AND "id" = $unit AND time < $from` +
			` ORDER BY time DESC LIMIT 50`,
		Params: map[string]any{"kind": string(Unit), "unit": g.unit, "from": g.states.From},
	}
	c := newCodes()
	var newest calendar.Interval
	err := g.client.Query(ctx, q, func(r influx.Row) error {
		var f ledger.Facts
		start, _ := r.Time()
		code, isText := r.Values[1].Text()
		at, isTime := r.Values[2].Int()
		packed, _ := r.Values[3].Text()
		h, err := c.unpack(packed, &f)
		v, ok := h.interval(start)
		if err != nil || !ok || !isText || !isTime || v.To > g.states.From || v.To <= newest.To {
			return nil // damaged, one that reaches too far, or one that a later one stands for
		}
		newest, g.stored = v, &Carry{At: telemetry.Instant(at), Code: untext(code)}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the state of stored slices: %w", err)
	}
	if g.stored != nil && g.stored.Code == "" {
		g.stored = nil // it was not known then either
	}
	return nil
}

// input puts together what was read.
func (g *gathering) input() *ledger.Input {
	in := &ledger.Input{Unit: g.unit, Horizon: g.horizon}
	if g.window.Empty() {
		return in
	}
	in.States = g.stateList()
	in.Alive = g.alive.seen
	in.Limits = g.limits()
	for _, w := range g.worths(idealOf) {
		in.Ideals = append(in.Ideals, ledger.Ideal{From: w.from, Product: w.product, Seconds: w.value})
	}
	for _, w := range g.worths(wattsOf) {
		in.Watts = append(in.Watts, ledger.Watts{From: w.from, Product: w.product, PerPiece: w.value})
	}
	in.Booked = g.said.booked
	if g.batches() {
		var booked []ledger.Booking
		in.Total, booked = g.batched()
		in.Booked = append(slices.Clip(in.Booked), booked...)
		slices.SortStableFunc(in.Booked, func(a, b ledger.Booking) int { return int(min(1, max(-1, a.From-b.From))) })
	} else {
		in.Total = g.counter(roleTotal)
	}
	in.Good, in.Scrap, in.Energy = g.counter(roleGood), g.counter(roleScrap), g.counter(roleEnergy)
	in.ScrapReports = g.said.scrap
	if t := g.tracks[rolePower]; t != nil && g.has(rolePower) {
		in.Power = &ledger.Power{Readings: g.powerReadings(t), Bounds: g.bounds()}
	}
	in.Shifts, in.Always, in.PlannedStops = g.schedule(g.span(in))
	return in
}

// span is all time that the input says anything of.
func (g *gathering) span(in *ledger.Input) calendar.Interval {
	v := calendar.Interval{From: g.states.From.Add(-g.pad), To: g.states.To.Add(g.pad)}
	if len(in.States) > 0 {
		v.From = min(v.From, max(in.States[0].At, g.states.From.Add(-longestGap)))
	}
	return v
}

// powerReadings are the points of the power meter. A negative one is not known to be wrong, but is no power that a unit uses.
func (g *gathering) powerReadings(t *track) []ledger.PowerReading {
	out := make([]ledger.PowerReading, len(t.points))
	for i := range t.points {
		p := &t.points[i]
		out[i] = ledger.PowerReading{At: p.at, Bad: true}
		if !p.good {
			continue
		}
		v, ok := quanta(p.value, ledger.MilliWattPerKW)
		if _, fits := v.Int64(); !ok || !fits || v.Sign() < 0 {
			g.note("%s at %s is %s: not a power that a unit uses", g.name(rolePower, p.at), p.at, p.value)
			continue
		}
		out[i].MW, out[i].Bad = v, false
	}
	return out
}

// provenance says what the input was made of.
func (g *gathering) provenance(in *ledger.Input) *Provenance {
	p := &Provenance{Unit: g.unit, Read: g.states, Points: make(map[string]int), Gaps: g.gaps, Notes: g.notes, Stored: g.stored != nil}
	for i := range g.eras {
		if e := &g.eras[i]; e.version != nil && !e.Meet(g.window).Empty() && !slices.Contains(p.Models, e.version.Hash) {
			p.Models = append(p.Models, e.version.Hash)
		}
	}
	for r, t := range g.tracks {
		if t != nil && len(t.points) > 0 {
			p.Points[g.name(role(r), t.points[len(t.points)-1].at)] += len(t.points)
		}
	}
	p.Points[aliveMeasurement], p.Points[telemetry.GapMeasurement] = g.alive.proofs, len(g.gaps)
	p.Carry = CarryAt(in, g.window.To)
	return p
}

// CarryAt is the state that in knows at the time at; of states that are not Good, none.
func CarryAt(in *ledger.Input, at telemetry.Instant) Carry {
	for _, s := range slices.Backward(in.States) {
		if s.At >= at {
			continue
		}
		if s.Bad {
			return Carry{}
		}
		return Carry{At: s.At, Code: s.Code}
	}
	return Carry{}
}
