package lots

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Plan is what an import comes to. Nothing is written until Write.
type Plan struct {
	New, Known, Corrected int
	Problems              []Problem // where there are any, nothing may be written
	write                 []entry
}

// PlanImport compares what was read of files with what is stored: what is new, what known, what says something else of what stands
// and so is a new revision, known at now. A step that would make a lot of itself, or a lot that another step made, is a problem.
func PlanImport(ctx context.Context, client *influx.Client, rows Book, now telemetry.Instant) (*Plan, error) {
	p := &Plan{}
	entries, err := p.entries(rows, now)
	if err != nil {
		return nil, err
	}
	s := newShelf(client)
	refs := make([]string, len(entries))
	for i := range entries {
		refs[i] = entries[i].home()
	}
	if err := s.look(ctx, refs); err != nil {
		return nil, err
	}
	stored, err := s.stored()
	if err != nil {
		return nil, err
	}
	for i := range entries {
		p.merge(stored, &entries[i])
	}
	if len(p.Problems) > 0 {
		return p, nil
	}
	return p, p.check(ctx, s, now)
}

// entries are the rows in order of their revisions; of one that comes without number the order of the file holds.
func (p *Plan) entries(rows Book, now telemetry.Instant) ([]entry, error) {
	var out []entry
	add := func(e entry, err error) error {
		e.KnownAt = now - now%1000
		out = append(out, e)
		return err
	}
	var errs []error
	for i := range rows.Lots {
		errs = append(errs, add(rows.Lots[i].entry()))
	}
	for i := range rows.Steps {
		errs = append(errs, add(rows.Steps[i].entry()))
	}
	slices.SortStableFunc(out, func(a, b entry) int { return a.Number - b.Number })
	return out, errors.Join(errs...)
}

// stored are the entries read, by home.
func (s *shelf) stored() (map[string][]entry, error) {
	out := make(map[string][]entry)
	var errs []error
	add := func(e entry, err error) {
		out[e.home()] = append(out[e.home()], e)
		errs = append(errs, err)
	}
	for i := range s.book.Lots {
		add(s.book.Lots[i].entry())
	}
	for i := range s.book.Steps {
		add(s.book.Steps[i].entry())
	}
	return out, errors.Join(errs...)
}

func (p *Plan) problem(e *Revision, text string) {
	file, line := e.at()
	p.Problems = append(p.Problems, Problem{File: file, Line: line, Text: text})
}

// merge plans one entry, and notes it as if it were stored.
func (p *Plan) merge(stored map[string][]entry, e *entry) {
	outcome, err := merge(stored[e.home()], e)
	switch {
	case err != nil:
		p.problem(&e.Revision, err.Error())
		return
	case outcome == Known:
		p.Known++
		return
	case outcome == New:
		p.New++
	default:
		p.Corrected++
	}
	p.write = append(p.write, *e)
	stored[e.home()] = append(stored[e.home()], *e)
}

// check looks for what the book may not say once the plan is written. Only new steps can make it so, so that it is enough to know
// what became of what they made: mostly nothing yet.
func (p *Plan) check(ctx context.Context, s *shelf, now telemetry.Instant) error {
	var added Book
	var ids []string
	for i := range p.write {
		e := &p.write[i]
		lot, step, err := decode(unwritten{e})
		switch {
		case err != nil:
			return err
		case lot != nil:
			added.Lots = append(added.Lots, *lot)
		default:
			added.Steps = append(added.Steps, *step)
			_, made := ends(step, Forward)
			ids = append(ids, made...)
		}
	}
	if len(added.Steps) == 0 {
		return nil
	}
	if err := s.closure(ctx, ids, Forward, now, added); err != nil {
		return err
	}
	b := Book{Lots: slices.Concat(s.book.Lots, added.Lots), Steps: slices.Concat(s.book.Steps, added.Steps)}
	b = b.Effective(now)
	p.checkMakers(b.Steps, added.Steps)
	p.checkCycles(b, added.Steps)
	return nil
}

// checkMakers refuses steps that make what another one made.
func (p *Plan) checkMakers(steps, added []Step) {
	maker := make(map[string][]*Step)
	for i := range steps {
		for _, o := range steps[i].Outputs {
			maker[o.Lot] = append(maker[o.Lot], &steps[i])
		}
	}
	for i := range added {
		a := &added[i]
		for _, o := range a.Outputs {
			for _, m := range maker[o.Lot] {
				if m.ID != a.ID && slices.ContainsFunc(maker[o.Lot], func(m *Step) bool { return m.ID == a.ID }) {
					p.problem(&a.Revision, fmt.Sprintf("step %s: makes lot %s, which step %s made: give it a name of its own, or correct that step first", a.ID, o.Lot, m.ID))
					break
				}
			}
		}
	}
}

// checkCycles refuses steps by which lots would be made of themselves: one after the other, so that each cycle is told.
func (p *Plan) checkCycles(b Book, added []Step) {
	for {
		_, err := NewGraph(b)
		var cycle *CycleError
		if !errors.As(err, &cycle) {
			return
		}
		within := func(s Step) bool {
			for _, out := range s.Outputs {
				for _, in := range s.Inputs {
					i := slices.Index(cycle.Lots, in.Lot)
					if i >= 0 && i+1 < len(cycle.Lots) && cycle.Lots[i+1] == out.Lot {
						return true
					}
				}
			}
			return false
		}
		i := slices.IndexFunc(added, within)
		if i < 0 { // the stored book is wrong already: whoever asks for these lots is told
			return
		}
		a := added[i]
		p.problem(&a.Revision, fmt.Sprintf("step %s: %v", a.ID, cycle))
		b.Steps = slices.DeleteFunc(b.Steps, func(s Step) bool { return s.ID == a.ID })
	}
}

// Write writes what is new. Writing the same again changes nothing.
func (p *Plan) Write(ctx context.Context, client *influx.Client) error {
	if len(p.Problems) > 0 {
		return fmt.Errorf("write lot book: %w (problems: %d)", errProblems, len(p.Problems))
	}
	if err := writeEntries(ctx, client, p.write); err != nil {
		return fmt.Errorf("write lot book: %w", err)
	}
	return nil
}

var errProblems = errors.New("nothing is written of a book with problems")

// unwritten is an entry as the point that it will be.
type unwritten struct{ *entry }

func (u unwritten) Tag(string) string { return u.what() }

func (u unwritten) Text(field string) (string, bool) {
	s := map[string]string{"id": u.id, "by": u.By, "why": u.Why, "source": u.Source, "text": u.text}[field]
	return s, s != ""
}

func (u unwritten) Int(field string) (int64, bool) {
	if field == "known_us" {
		return int64(u.KnownAt / 1000), true
	}
	return int64(u.Number), true
}
