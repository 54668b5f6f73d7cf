package answer

import (
	"errors"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// summer turns pieces into rows.
type summer struct {
	plan   *plan
	pieces collected
}

// rows fills in those of one subject, one for each part.
func (s *summer) rows(subject *subject, rows []Row) {
	for i, part := range s.plan.parts {
		rows[i] = s.row(subject, part)
	}
}

// total is the subject's row for the whole window.
func (s *summer) total(subject *subject) Row {
	return s.row(subject, Part{Interval: s.plan.window, Whole: s.plan.q.Window})
}

func (s *summer) row(subject *subject, part Part) Row {
	row := Row{Subject: subject.Subject, Part: part, Facts: new(ledger.Facts)}
	known := false
	from, to := run(s.plan.atoms, part.Interval)
	for _, m := range subject.spans {
		first, last := run(s.plan.atoms, m.Interval)
		for _, r := range m.refs(subject) {
			known = s.add(&row, r, max(from, first), min(to, last)) || known
		}
	}
	if !known && len(row.Missing) > 0 {
		row.Err = s.errorOf(&row)
	}
	if subject.Level == Unit || subject.Level == Line {
		row.Missing = nil // its own failure is no missing part
		row.Err = s.firstError(ref{subject.Level, subject.ID}, from, to)
	}
	row.Result = compute(subject, row.Facts, s.plan.q.Standard)
	if s.plan.q.Kind == Losses {
		row.Losses = kpi.Losses(row.Facts, s.plan.q.Standard)
	}
	return row
}

func compute(of *subject, f *ledger.Facts, standard kpi.Standard) kpi.Result {
	if of.Level == Line {
		return kpi.ComputeLine(f)
	}
	return kpi.Compute(f, standard)
}

// refs are whose facts add up to those of the subject.
func (m *membership) refs(of *subject) []ref {
	if of.Level == Line {
		return []ref{{Line, of.ID}}
	}
	refs := make([]ref, len(m.units))
	for i, u := range m.units {
		refs[i] = ref{Unit, u}
	}
	return refs
}

// add adds the pieces of r from one atom up to, and without, another to the row. It says whether all of them are known, and
// notes r as missing when one is not.
func (s *summer) add(row *Row, r ref, from, to int) bool {
	ok := true
	for i := from; i < to; i++ {
		p := &s.pieces[r][i]
		p.addTo(row.Facts)
		ok = ok && p.err == nil
	}
	if !ok && !slices.Contains(row.Missing, r.id) {
		row.Missing = append(row.Missing, r.id)
	}
	return ok && from < to
}

// errorOf joins what went wrong with the units that a row misses.
func (s *summer) errorOf(row *Row) error {
	from, to := run(s.plan.atoms, row.Part.Interval)
	var all []error
	for _, id := range row.Missing {
		all = append(all, s.firstError(ref{Unit, id}, from, to))
	}
	return errors.Join(all...)
}

func (s *summer) firstError(r ref, from, to int) error {
	for i := from; i < to; i++ {
		if err := s.pieces[r][i].err; err != nil {
			return err
		}
	}
	return nil
}

// sources counts where the facts came from.
func (s *summer) sources() Sources {
	out := Sources{Revisions: make(map[int]int), Raw: make(map[string][]calendar.Interval)}
	for _, r := range s.plan.refs {
		var raw []calendar.Interval
		for _, p := range s.pieces[r] {
			raw = append(raw, p.raw...)
			for _, c := range p.slices {
				out.Revisions[c.revision]++
				if c.day {
					out.DaySlices++
				} else {
					out.HourSlices++
				}
			}
		}
		if len(raw) > 0 {
			out.Raw[r.String()] = calendar.NewSet(raw...)
		}
	}
	return out
}
