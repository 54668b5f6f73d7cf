package lots

import (
	"cmp"
	"fmt"
	"slices"

	"kvarts/historian/telemetry"
)

// Effective is what was known at asof: of each lot and step the latest revision known then, without those withdrawn, in order of
// time and id. Revisions may come in any order and more than once.
func (b *Book) Effective(asof telemetry.Instant) Book {
	var out Book
	for _, l := range newest(b.Lots, asof, func(l *Lot) (string, *Revision) { return l.ID, &l.Revision }) {
		if !l.Withdrawn {
			out.Lots = append(out.Lots, l)
		}
	}
	for _, s := range newest(b.Steps, asof, func(s *Step) (string, *Revision) { return s.ID, &s.Revision }) {
		if !s.Withdrawn {
			out.Steps = append(out.Steps, s)
		}
	}
	out.sort()
	return out
}

func (b *Book) sort() {
	slices.SortFunc(b.Lots, func(a, b Lot) int {
		return cmp.Or(cmp.Compare(a.MadeAt, b.MadeAt), cmp.Compare(a.ID, b.ID), a.compare(&b.Revision))
	})
	slices.SortFunc(b.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.ID, b.ID), a.compare(&b.Revision))
	})
}

// newest is the latest revision of each, of those known at asof.
func newest[T any](all []T, asof telemetry.Instant, key func(*T) (string, *Revision)) []T {
	at := make(map[string]int, len(all))
	var out []T
	for i := range all {
		id, r := key(&all[i])
		if r.KnownAt > asof {
			continue
		}
		k, seen := at[id]
		if !seen {
			at[id], out = len(out), append(out, all[i])
			continue
		}
		if _, before := key(&out[k]); before.compare(r) < 0 {
			out[k] = all[i]
		}
	}
	return out
}

// compare orders revisions of one id. Of two of the same number, which two people can write at once, the one known later counts.
func (r *Revision) compare(o *Revision) int {
	return cmp.Or(cmp.Compare(r.Number, o.Number), cmp.Compare(r.KnownAt, o.KnownAt), cmp.Compare(r.By, o.By), cmp.Compare(r.Why, o.Why), cmp.Compare(r.Source, o.Source))
}

// Outcome is what entering a lot or a step comes to.
type Outcome string

// The outcomes.
const (
	New       Outcome = "new"
	Known     Outcome = "known"     // stored already, now or as an earlier revision: nothing to write
	Corrected Outcome = "corrected" // stored, but it says something else: another revision
)

// merge finds what row is beside the stored revisions of its id, and completes it: its revision, and the lots under which readers
// look who know only an earlier revision. What is stored already, be it corrected since, is known: a file may be imported again
// and again, and never undoes a correction.
func merge(stored []entry, row *entry) (Outcome, error) {
	latest := 0
	for i := range stored {
		s := &stored[i]
		if s.text == row.text && (row.Number == 0 || row.Number == s.Number) {
			return Known, nil
		}
		latest = max(latest, s.Number)
	}
	if row.Number == 0 {
		row.Number = latest + 1
	}
	if row.Number <= latest {
		return "", fmt.Errorf("%s %s: revision %d stands already and says something else; give this one revision %d", row.what(), row.id, latest, latest+1)
	}
	for i := range stored {
		row.lots = append(row.lots, stored[i].lots...)
	}
	slices.Sort(row.lots)
	row.lots = slices.Compact(row.lots)
	if len(stored) > 0 {
		return Corrected, nil
	}
	return New, nil
}
