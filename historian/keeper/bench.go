package keeper

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// slot is one slice that is over: what is stored of it, and what it should be.
type slot struct {
	calendar.Interval
	place  evidence.Place
	inputs string // fingerprint of what it is to be made of, "" when nothing at all was recorded
	model  string
	stored *evidence.Slice // newest revision; nil: none
	dirty  bool            // what it was made of is not what is there now

	computed bool
	facts    ledger.Facts
	carry    evidence.Carry
}

// bench is some days of a subject on which slices are compared and computed.
type bench struct {
	subject evidence.Subject
	days    []day
	slots   []slot // by begin: those of the days, and among them what was stored by another cut of the days
	prints  map[telemetry.Instant]string
	written int
}

// seenBefore is how far before its days a bench looks whether the subject has slices: time in which nobody sees a unit that was
// seen before is unknown time, time before it was ever seen is not looked at.
const seenBefore = 25 * time.Hour

// bench lays out the days of a task.
func (s *cycle) bench(ctx context.Context, t task) (*bench, error) {
	b := &bench{subject: t.subject, days: s.days(t.subject, t.window)}
	closed := s.closed(b.days)
	if len(closed) == 0 {
		return b, nil
	}
	v := hullOf(closed)
	stored, _, err := evidence.ReadSlices(ctx, s.client, evidence.Ask{Kind: t.subject.Kind, IDs: []string{t.subject.ID}, Grain: evidence.Hour,
		Window: calendar.Interval{From: v.From.Add(-seenBefore), To: v.To}, Reasons: true, Origin: true}) // one that is damaged is computed again
	if err != nil {
		return nil, err
	}
	if b.prints, err = s.prints(ctx, t.subject, calendar.Interval{From: v.From, To: min(b.days[len(b.days)-1].To, s.now)}); err != nil {
		return nil, err
	}
	known := false // from the first time on at which something was recorded
	at := make(map[telemetry.Instant]*evidence.Slice, len(stored))
	for i := range stored {
		if stored[i].From < v.From {
			known = true
			continue
		}
		at[stored[i].From] = &stored[i]
	}
	for _, h := range closed {
		b.slots = append(b.slots, slot{Interval: h, stored: at[h.From]})
		delete(at, h.From)
	}
	for _, other := range at {
		b.slots = append(b.slots, slot{Interval: other.Interval, stored: other})
	}
	slices.SortFunc(b.slots, func(a, b slot) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	for i := range b.slots {
		l := &b.slots[i]
		l.place = b.placeAt(l.From)
		l.inputs = b.prints[hourOf(l.From)]
		l.model = evidence.ModelsOf(s.history, l.Interval, s.now)
		known = known || l.inputs != "" || l.stored != nil
		l.dirty = known && l.stale()
	}
	return b, nil
}

// stale says that the slice is missing or was made of something else than is there now. Where there is nothing any more,
// retention has removed it, and what is stored stays.
func (l *slot) stale() bool {
	switch {
	case l.stored == nil:
		return true
	case l.inputs == "" && l.stored.Inputs != "":
		return false
	default:
		return l.stored.Interval != l.Interval || l.stored.Inputs != l.inputs || l.stored.Model != l.model
	}
}

// placeAt is where the subject stood at t.
func (b *bench) placeAt(t telemetry.Instant) evidence.Place {
	for _, d := range b.days {
		if d.Holds(t) {
			return d.place
		}
	}
	return evidence.Place{}
}

// hourOf is the begin of the hour of UTC that holds t.
func hourOf(t telemetry.Instant) telemetry.Instant {
	return calendar.Hours(calendar.Interval{From: t, To: t + 1})[0].From
}

// touched are the dirty slices, neighbours joined.
func (b *bench) touched() []calendar.Interval {
	var all []calendar.Interval
	for i := range b.slots {
		if b.slots[i].dirty {
			all = append(all, b.slots[i].Interval)
		}
	}
	return calendar.NewSet(all...)
}

// touchedIn are the dirty slices among those that are about to be computed: of days that came onto the bench only because
// others depend on them, too, what a touched slice reaches is computed with it, as it will not be dirty again.
func (b *bench) touchedIn(need calendar.Set) []calendar.Interval {
	return calendar.NewSet(b.touched()...).Intersect(need)
}

// tail is what follows the slices that are over, as far as the task goes; empty when nothing was recorded there.
func (b *bench) tail(w calendar.Interval) calendar.Interval {
	v := calendar.Interval{From: b.slots[len(b.slots)-1].To, To: w.To}
	if !v.Empty() {
		for _, h := range calendar.Hours(v) {
			if b.prints[h.From] != "" {
				return v
			}
		}
	}
	return calendar.Interval{}
}

// holds says that every closed slice that may lie in need is on the bench.
func (b *bench) holds(need calendar.Set) bool {
	if len(need) == 0 || len(b.days) == 0 {
		return true
	}
	return need[0].From >= b.days[0].From && need[len(need)-1].To <= b.days[len(b.days)-1].To
}

// snap widens need to whole slices: what is computed of one needs all that was recorded in it.
func (b *bench) snap(need calendar.Set) calendar.Set {
	all := slices.Clone([]calendar.Interval(need))
	for i := range b.slots {
		if !b.slots[i].apart(need) {
			all = append(all, b.slots[i].Interval)
		}
	}
	return calendar.NewSet(all...)
}

// source gives facts: a ledger.Unit or a ledger.Line.
type source interface {
	Facts(w calendar.Interval) ledger.Facts
	Slices(borders []telemetry.Instant) []ledger.Facts
}

// compute computes every slice that meets need. in is nil for a line.
func (b *bench) compute(from source, in *ledger.Input, need calendar.Set) {
	for first := 0; first < len(b.slots); {
		if b.slots[first].apart(need) {
			first++
			continue
		}
		end := first + 1
		for end < len(b.slots) && !b.slots[end].apart(need) && b.slots[end].From == b.slots[end-1].To {
			end++
		}
		borders := []telemetry.Instant{b.slots[first].From}
		for i := first; i < end; i++ {
			borders = append(borders, b.slots[i].To)
		}
		for i, f := range from.Slices(borders) {
			l := &b.slots[first+i]
			l.facts, l.computed = f, true
			if in != nil {
				l.carry = evidence.CarryAt(in, l.To)
			}
		}
		first = end
	}
}

// apart says that the slice does not meet need.
func (l *slot) apart(need calendar.Set) bool {
	i, _ := slices.BinarySearchFunc(need, l.From, func(v calendar.Interval, t telemetry.Instant) int {
		if v.To <= t {
			return -1
		}
		return 1
	})
	return i == len(need) || need[i].Meet(l.Interval).Empty()
}

// changed says that the slice is not what is stored.
func (l *slot) changed() bool {
	return l.computed && (l.stored == nil || l.stored.Interval != l.Interval || !same(&l.facts, &l.stored.Facts))
}

// spill is what may have changed behind a run of computed slices: its last one did, or the state that goes on did.
func (b *bench) spill() calendar.Interval {
	for i := range len(b.slots) - 1 {
		l, next := &b.slots[i], &b.slots[i+1]
		if !l.computed || next.computed || !l.changed() && (l.stored == nil || l.carry == l.stored.Carry) {
			continue
		}
		last := min(i+spillSlices, len(b.slots)-1)
		return calendar.Interval{From: next.From, To: b.slots[last].To}
	}
	return calendar.Interval{}
}

// report is what was done on the bench.
func (b *bench) report() Report {
	r := Report{Written: b.written}
	for i := range b.slots {
		r.Looked++
		if b.slots[i].computed {
			r.Computed++
		}
	}
	return r
}

// same says that facts are equal, number by number.
func same(f, g *ledger.Facts) bool {
	if f.Findings != g.Findings || f.HasPieces != g.HasPieces || f.HasEnergy != g.HasEnergy || len(f.Reasons) != len(g.Reasons) {
		return false
	}
	equal := func(a, b exact.Num) bool { return a.Equal(b) }
	for k := range f.Sum {
		if !equal(f.Sum[k], g.Sum[k]) {
			return false
		}
	}
	for k, v := range f.Reasons {
		w, ok := g.Reasons[k]
		if !ok || !equal(v.Time, w.Time) || !equal(v.Count, w.Count) {
			return false
		}
	}
	return true
}

// store writes what is new: first the slices that only depend on a touched hour, then those of the touched hours themselves,
// whose fingerprints say that all of it was done.
func (s *cycle) store(ctx context.Context, b *bench) error {
	var beside, touched []evidence.Slice
	for i := range b.slots {
		l := &b.slots[i]
		if !l.computed || !l.changed() && !l.dirty {
			continue
		}
		slice := s.slice(b.subject, l)
		if l.changed() {
			b.written++
		}
		if l.dirty {
			touched = append(touched, slice)
		} else {
			beside = append(beside, slice)
		}
		l.stored = &slice
	}
	for _, part := range [][]evidence.Slice{beside, touched} {
		if len(part) == 0 {
			continue
		}
		if err := s.write(ctx, s.client, part); err != nil {
			return fmt.Errorf("store %d slices of %s: %w", len(part), b.subject, err)
		}
	}
	return nil
}

// slice is what to store of a slot: a further revision when its facts are new, else the same one with what it is made of now.
func (s *cycle) slice(subject evidence.Subject, l *slot) evidence.Slice {
	out := evidence.Slice{Subject: subject, Grain: evidence.Hour, Place: l.place, Interval: l.Interval, ComputedAt: s.now,
		Model: l.model, Inputs: l.inputs, Facts: l.facts, Carry: l.carry}
	if l.stored != nil {
		out.Revision = l.stored.Revision + 1
		if !l.changed() {
			out.Revision, out.ComputedAt = l.stored.Revision, l.stored.ComputedAt
		}
	}
	return out
}
