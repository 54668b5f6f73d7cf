package purity

import (
	"cmp"
	"fmt"
	"slices"

	"kvarts/historian/telemetry"
)

// Outcome is what storing a result comes to.
type Outcome string

// The outcomes.
const (
	New      Outcome = "new"      // the first of its sample, method and element that is stored
	Revised  Outcome = "revised"  // another revision of one that is stored
	Approved Outcome = "approved" // what is stored already, now with the time of its approval
	Known    Outcome = "known"    // stored already: nothing to write
)

// Entry is what storing one row comes to.
type Entry struct {
	Row     Result
	Outcome Outcome
	Err     error // why it cannot be stored
}

// Plan compares rows with the stored results of their samples and with each other. A revision says one thing for ever: what says
// another under the same number is an error. Revisions may come in any order.
func Plan(stored, rows []Result) []Entry {
	p := planner{revisions: make(map[key][]Result), lots: make(map[string]*Result)}
	for i := range stored {
		p.add(&stored[i])
	}
	entries := make([]Entry, len(rows))
	for i := range rows {
		entries[i] = p.plan(&rows[i])
	}
	return entries
}

type planner struct {
	revisions map[key][]Result
	lots      map[string]*Result // a first revision of each sample, for the lot it names
}

func (p *planner) add(r *Result) {
	p.revisions[r.key()] = append(p.revisions[r.key()], *r)
	if r.Revision == 1 && p.lots[r.Sample] == nil {
		p.lots[r.Sample] = r
	}
}

func (p *planner) plan(r *Result) Entry {
	e := Entry{Row: *r, Outcome: New}
	if len(p.revisions[r.key()]) > 0 {
		e.Outcome = Revised
	}
	for _, s := range p.revisions[r.key()] {
		if s.Revision != r.Revision {
			continue
		}
		switch outcome, err := again(&s, r); {
		case outcome == Known:
			return Entry{Row: *r, Outcome: Known}
		case err != nil:
			e.Err = err
		default:
			e.Outcome = outcome
		}
	}
	if e.Err != nil {
		return e
	}
	if first := p.lots[r.Sample]; r.Revision == 1 && first != nil && first.Lot != r.Lot {
		e.Err = fmt.Errorf("lot: sample %s is of lot %q in %s; a sample is of one lot, correct it (or, where %s is wrong, give revisions with the right one)",
			r.Sample, first.Lot, first.Source, first.Source)
		return e
	}
	p.add(r)
	return e
}

// again is what r comes to beside s, of the same revision.
func again(s, r *Result) (Outcome, error) {
	switch {
	case s.content() != r.content():
		return "", fmt.Errorf("%s stands in %s and says something else; what was measured or corrected later is revision %d, with a reason", r, s.Source, r.Revision+1)
	case r.ApprovedAt == 0 || r.ApprovedAt == s.ApprovedAt:
		return Known, nil
	case s.ApprovedAt == 0:
		return Approved, nil
	}
	return "", fmt.Errorf("%s was approved at %s, not at %s (%s); keep the first approval", r, s.ApprovedAt, r.ApprovedAt, s.Source)
}

// revisionsAt is of each key what was known at asof: one result for each revision, the first revision first. Results may come in
// any order and more than once.
func revisionsAt(results []Result, asof telemetry.Instant) map[key][]Result {
	known := make(map[key][]Result)
	for i := range results {
		if r := &results[i]; r.KnownAt <= asof {
			known[r.key()] = append(known[r.key()], *r)
		}
	}
	for k, list := range known {
		slices.SortFunc(list, compareRevisions)
		last := list[:0]
		for i := range list {
			if i+1 == len(list) || list[i+1].Revision != list[i].Revision {
				last = append(last, list[i])
			}
		}
		known[k] = last
	}
	return known
}

// compareRevisions orders what was stored under one key. Of one revision, the approved one counts; where two people stored two
// at once, the one known last.
func compareRevisions(a, b Result) int {
	approved := func(r *Result) int {
		if r.ApprovedAt != 0 {
			return 1
		}
		return 0
	}
	if c := cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(approved(&a), approved(&b)), cmp.Compare(a.KnownAt, b.KnownAt)); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Hash(), b.Hash()), cmp.Compare(a.Source, b.Source))
}

// Sort sorts results by sample, element (atomic number), method and revision.
func Sort(results []Result) {
	slices.SortFunc(results, func(a, b Result) int {
		if c := cmp.Compare(a.Sample, b.Sample); c != 0 {
			return c
		}
		if c := cmp.Or(compareElements(a.Element, b.Element), cmp.Compare(a.Method, b.Method)); c != 0 {
			return c
		}
		return compareRevisions(a, b)
	})
}

func compareElements(a, b string) int {
	x, _ := elementOf(a) // an unknown one sorts first
	y, _ := elementOf(b)
	return cmp.Or(cmp.Compare(x.z, y.z), cmp.Compare(a, b))
}
