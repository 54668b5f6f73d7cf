package keeper

import (
	"context"
	"fmt"
	"hash/fnv"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/telemetry"
)

// line brings some days of a line up to date, after its units.
func (s *cycle) line(ctx context.Context, t task) (Report, error) {
	b, err := s.bench(ctx, t)
	if err != nil || len(b.slots) == 0 {
		return Report{}, err
	}
	for _, v := range b.touched() {
		for _, span := range s.history.Spans(v, s.now) {
			if span.Version == nil {
				continue
			}
			l, err := evidence.GatherLine(ctx, s.client, s.history, t.subject.ID, span.Interval, s.now, s.now)
			if err != nil {
				return b.report(), err
			}
			b.compute(l, nil, calendar.NewSet(span.Interval))
		}
	}
	if err := s.store(ctx, b); err != nil {
		return b.report(), err
	}
	return b.report(), s.sumDays(ctx, b)
}

// prints say for each hour of UTC in v what a subject's slices are to be made of.
func (s *cycle) prints(ctx context.Context, subject evidence.Subject, v calendar.Interval) (map[telemetry.Instant]string, error) {
	if subject.Kind == evidence.Line {
		return s.linePrints(ctx, subject.ID, v)
	}
	f := s.fingerprints
	if _, ok := f.Of(subject.ID, v); !ok {
		var err error
		if f, err = evidence.ReadFingerprints(ctx, s.client, s.history, []string{subject.ID}, v, s.now); err != nil {
			return nil, err
		}
	}
	out := make(map[telemetry.Instant]string)
	for i, h := range f.Hours {
		if n := f.Units[subject.ID][i]; n != 0 {
			out[h.From] = fmt.Sprintf("%016x", n)
		}
	}
	return out, nil
}

// linePrints are made of the revisions of the units' slices: a line is touched where one of its units became another.
func (s *cycle) linePrints(ctx context.Context, line string, v calendar.Interval) (map[telemetry.Instant]string, error) {
	var units []string
	seen := make(map[string]bool)
	for _, span := range s.history.Spans(v, s.now) {
		if span.Version == nil {
			continue
		}
		if l, ok := span.Version.Model.Line(line); ok {
			for _, step := range l.Steps {
				for _, u := range step.Units {
					if !seen[u] {
						seen[u], units = true, append(units, u)
					}
				}
			}
		}
	}
	slices, _, err := evidence.ReadSlices(ctx, s.client, evidence.Ask{Kind: evidence.Unit, IDs: units, Grain: evidence.Hour, Window: v, Origin: true})
	if err != nil {
		return nil, err
	}
	sums := make(map[telemetry.Instant]uint64)
	for i := range slices {
		u := &slices[i]
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%s %d %d %d %s", u.Subject.ID, u.From, u.To, u.Revision, u.Inputs) // never fails
		sums[hourOf(u.From)] += h.Sum64()
	}
	out := make(map[telemetry.Instant]string, len(sums))
	for at, n := range sums {
		out[at] = fmt.Sprintf("%016x", n)
	}
	return out, nil
}
