package keeper

import (
	"context"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// spillSlices is how many slices further is looked at once when the last one that was computed changed.
const spillSlices = 4

// unit brings some days of a unit up to date.
func (s *cycle) unit(ctx context.Context, t task) (Report, error) {
	b, err := s.bench(ctx, t)
	if err != nil || len(b.slots) == 0 {
		return Report{}, err
	}
	zones := b.touched()
	if tail := b.tail(t.window); !tail.Empty() && !s.isSealed(t.subject, tail.From) {
		zones = append(zones, tail)
	}
	if len(zones) > 0 {
		if b, err = s.recompute(ctx, t, b, zones); err != nil {
			return Report{}, err
		}
		if err := s.store(ctx, b); err != nil {
			return b.report(), err
		}
	}
	return b.report(), s.sumDays(ctx, b)
}

// recompute computes the slices whose facts depend on the zones. The bench grows when they lie beyond its days.
func (s *cycle) recompute(ctx context.Context, t task, b *bench, zones []calendar.Interval) (*bench, error) {
	need := b.snap(calendar.NewSet(zones...))
	for {
		in, err := s.gather(ctx, t.subject.ID, hullOf(need))
		if err != nil {
			return nil, err
		}
		all := slices.Clone([]calendar.Interval(need))
		for _, z := range append(b.touchedIn(need), zones...) {
			all = append(all, reach(in, z))
		}
		wider := b.snap(calendar.NewSet(all...).Clip(calendar.Interval{From: all[0].From - maxReach, To: s.now}))
		if b.holds(wider) && len(wider.Minus(calendar.Set{hullOf(need)})) == 0 {
			u, err := ledger.New(in)
			if err != nil {
				return nil, err
			}
			b.compute(u, in, wider)
			s.seal(t.subject, b, in)
			spill := b.spill()
			if spill.Empty() {
				return b, nil
			}
			wider = wider.Union(calendar.Set{spill})
		}
		need = wider
		if !b.holds(need) {
			t.window = hull(t.window, hullOf(need))
			if b, err = s.bench(ctx, t); err != nil {
				return nil, err
			}
		}
	}
}

// maxReach is how far back from a touched hour a slice can depend on it: longer than any record's interval.
const maxReach = telemetry.Instant(100 * 24 * 3600 * 1e9)

// gather reads what was recorded of a unit, as it is known now.
func (s *cycle) gather(ctx context.Context, unit string, v calendar.Interval) (*ledger.Input, error) {
	in, _, err := evidence.Gather(ctx, s.client, s.history, unit, v, s.now, s.now)
	return in, err
}

// isSealed says that nothing that may still come in order can change what lies before t.
func (s *cycle) isSealed(subject evidence.Subject, t telemetry.Instant) bool {
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	at, ok := s.sealed[subject]
	return ok && at == t
}

// seal notes whether the last slice that is over still depends on what comes: on the reading that completes a quantity, on how
// long a stop goes on.
func (s *cycle) seal(subject evidence.Subject, b *bench, in *ledger.Input) {
	border := b.slots[len(b.slots)-1].To
	sealed := len(in.States) == 0 || in.States[len(in.States)-1].Category != ledger.Stop
	for _, c := range []*ledger.Counter{in.Total, in.Good, in.Scrap, in.Energy} {
		if c == nil || c.OnChange && in.Alive.Holds(border) {
			continue
		}
		n := len(c.Readings)
		sealed = sealed && n > 0 && c.Readings[n-1].At >= border
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	delete(s.sealed, subject)
	if sealed {
		s.sealed[subject] = border
	}
}
