package record

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"kvarts/historian/telemetry"
)

// Effective is what was known at asof: of each id the latest revision that was known then, without those that are withdrawn,
// sorted by begin, kind, place and id. Records may come in any order and more than once.
func Effective(records []Record, asof telemetry.Instant) []Record {
	latest := make(map[string]Record)
	for _, r := range records {
		if r.KnownAt > asof {
			continue
		}
		if before, ok := latest[r.ID]; !ok || compareRevisions(&before, &r) < 0 {
			latest[r.ID] = r
		}
	}
	var out []Record
	for _, r := range latest {
		if !r.Deleted && !r.Moved {
			out = append(out, r)
		}
	}
	Sort(out)
	return out
}

// Sort sorts by begin, kind, place, id and revision.
func Sort(records []Record) {
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Area, b.Area), cmp.Compare(a.ID, b.ID), compareRevisions(&a, &b))
	})
}

// SortRevisions sorts the revisions of one id, the oldest first.
func SortRevisions(records []Record) {
	slices.SortFunc(records, func(a, b Record) int { return compareRevisions(&a, &b) })
}

// compareRevisions orders revisions of one id. Two people who correct at once write two of the same number: the later one
// counts. The note that a revision moved away is older than the revision itself.
func compareRevisions(a, b *Record) int {
	if c := cmp.Or(cmp.Compare(a.Revision, b.Revision), -compareBool(a.Moved, b.Moved), cmp.Compare(a.KnownAt, b.KnownAt)); c != 0 {
		return c
	}
	return cmp.Or(compareBool(a.Deleted, b.Deleted), cmp.Compare(a.content(), b.content()), cmp.Compare(fmt.Sprint(a.Audit), fmt.Sprint(b.Audit)))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// Latest is the newest revision of one id in records, which must not be empty and all be of that id.
func Latest(records []Record) Record {
	return slices.MaxFunc(records, func(a, b Record) int { return compareRevisions(&a, &b) })
}

// Same says that a and b say the same of the same thing, whoever says it and when.
func (r *Record) Same(o *Record) bool { return r.ID == o.ID && r.content() == o.content() }

// content is all that r says, without its revision and audit.
func (r *Record) content() string {
	s := fmt.Sprintf("%q %d %d", r.Kind, r.From, r.To)
	for _, c := range slices.Concat(places(), columns()) {
		s += fmt.Sprintf(" %q", c.get(r))
	}
	return s
}

// errKind says that a correction would make something else of a record.
var errKind = errors.New("a correction does not change the kind; withdraw the record and enter another")

// Correct is what to write so that next, whose Revision, Reach, Deleted and Moved are not looked at, takes the place of r, the
// newest revision: next as a new revision and, where it stands at another time or place, the note that it moved.
func (r *Record) Correct(next Record) ([]Record, error) {
	if next.Kind != r.Kind {
		return nil, fmt.Errorf("correct record %s: %s to %s: %w", r.ID, r.Kind, next.Kind, errKind)
	}
	next.ID, next.Revision, next.Deleted, next.Moved = r.ID, r.Revision+1, false, false
	next.Reach = max(r.Reach, next.To)
	out := []Record{next}
	if next.Unit != r.Unit || next.Line != r.Line || next.Area != r.Area || next.From != r.From {
		gone := *r
		gone.Revision, gone.Audit, gone.Deleted, gone.Moved = next.Revision, next.Audit, false, true
		out = append(out, gone)
	}
	for i := range out {
		if err := out[i].Check(); err != nil {
			return nil, fmt.Errorf("correct record %s: %w", r.ID, err)
		}
	}
	return out, nil
}

// Withdraw is what to write so that r, the newest revision, no longer counts.
func (r *Record) Withdraw(a Audit) (Record, error) {
	gone := *r
	gone.Revision, gone.Audit, gone.Deleted = r.Revision+1, a, true
	if r.Deleted {
		return Record{}, fmt.Errorf("withdraw record %s: it was withdrawn at %s by %s", r.ID, r.KnownAt, r.By)
	}
	if err := gone.Check(); err != nil {
		return Record{}, fmt.Errorf("withdraw record %s: %w", r.ID, err)
	}
	return gone, nil
}
