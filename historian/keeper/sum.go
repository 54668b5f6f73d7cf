package keeper

import (
	"context"
	"fmt"
	"hash/fnv"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/telemetry"
)

// sumDays stores the days that are over: the sums of their hours. A day's inputs are the revisions of its hours, so that one
// that a crash kept from being stored is found.
func (s *cycle) sumDays(ctx context.Context, b *bench) error {
	if len(b.days) == 0 {
		return nil
	}
	window := calendar.Interval{From: b.days[0].From, To: b.days[len(b.days)-1].To}
	found, _, err := evidence.ReadSlices(ctx, s.client, evidence.Ask{Kind: b.subject.Kind, IDs: []string{b.subject.ID}, Grain: evidence.Day,
		Window: window, Reasons: true, Origin: true}) // one that is damaged is summed again
	if err != nil {
		return err
	}
	stored := make(map[telemetry.Instant]*evidence.Slice, len(found))
	for i := range found {
		stored[found[i].From] = &found[i]
	}
	hours := make(map[calendar.Interval]*slot, len(b.slots))
	for i := range b.slots {
		hours[b.slots[i].Interval] = &b.slots[i]
	}
	var out []evidence.Slice
	for _, d := range b.days {
		slice, ok := sumDay(b.subject, d, hours)
		if !ok {
			continue
		}
		slice.ComputedAt, slice.Model = s.now, evidence.ModelsOf(s.history, d.Interval, s.now)
		was := stored[d.From]
		switch {
		case was == nil:
		case was.Interval == slice.Interval && same(&was.Facts, &slice.Facts):
			if was.Inputs == slice.Inputs && was.Model == slice.Model {
				continue
			}
			slice.Revision, slice.ComputedAt = was.Revision, was.ComputedAt
		default:
			slice.Revision = was.Revision + 1
		}
		out = append(out, slice)
	}
	if len(out) == 0 {
		return nil
	}
	if err := s.write(ctx, s.client, out); err != nil {
		return fmt.Errorf("store %d days of %s: %w", len(out), b.subject, err)
	}
	return nil
}

// sumDay adds up the hours of a day; ok is false when one of them is not stored yet.
func sumDay(subject evidence.Subject, d day, hours map[calendar.Interval]*slot) (out evidence.Slice, ok bool) {
	out = evidence.Slice{Subject: subject, Grain: evidence.Day, Place: d.place, Interval: d.Interval}
	h := fnv.New64a()
	for _, v := range d.hours {
		l := hours[v]
		if l == nil || l.stored == nil || l.stored.Interval != v {
			return out, false
		}
		out.Facts.Add(&l.stored.Facts)
		out.Carry = l.stored.Carry
		_, _ = fmt.Fprintf(h, "%d %d ", v.From, l.stored.Revision) // never fails
	}
	out.Inputs = fmt.Sprintf("%016x", h.Sum64())
	return out, true
}
