package answer

import (
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
)

// energyFields are the facts that a sum takes from all of its units; the others it takes from those that give its output.
func energyFields() [2]ledger.Field { return [2]ledger.Field{ledger.EnergySpan, ledger.EnergyUnknown} }

// energize adds the energy's side to the rows: what was allocated, what it is per good output, and the chain.
func (s *summer) energize(a *Answer) {
	intervals := []calendar.Interval{s.plan.window}
	for _, p := range s.plan.parts {
		if p.Interval != s.plan.window {
			intervals = append(intervals, p.Interval)
		}
	}
	given := make([][]shares, len(intervals))
	notes := make([]allocator, len(intervals))
	sideBySide(len(intervals), func(i int) {
		notes[i].summer = s
		given[i] = notes[i].allocate(intervals[i])
	})
	of := make(map[calendar.Interval]int, len(intervals))
	for i, v := range intervals {
		of[v] = i
	}
	for _, rows := range [][]Row{a.Rows, a.Totals} {
		sideBySide(len(rows), func(i int) {
			r := &rows[i]
			s.split(r, &s.plan.subjects[i*len(s.plan.subjects)/len(rows)], given[of[r.Part.Interval]])
		})
		s.chain(rows, func(v calendar.Interval) ([]shares, *allocator) { return given[of[v]], &notes[of[v]] })
	}
	for i := range notes {
		a.Findings = append(a.Findings, notes[i].findings...)
	}
}

// sideBySide does n things on all processors.
func sideBySide(n int, do func(i int)) {
	var g errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n; i += workers {
				do(i)
			}
			return nil
		})
	}
	_ = g.Wait() // nothing fails
}

// split completes one row.
func (s *summer) split(r *Row, subject *subject, given []shares) {
	e := &EnergySplit{Direct: r.Facts.Get(ledger.EnergyKnown)}
	output := s.output(subject, r)
	for k := range subject.spans {
		m := &subject.spans[k]
		for i := range given {
			if !given[i].Meet(m.Interval).Empty() {
				e.take(&given[i], m)
			}
		}
	}
	bounds := energyFields()
	for k := bounds[0]; k <= bounds[1]; k++ {
		output.Sum[k] = r.Facts.Sum[k]
	}
	output.Sum[ledger.EnergyKnown] = e.Direct
	output.HasEnergy = r.Facts.HasEnergy || !e.Direct.IsZero()
	r.Result = compute(subject, output, s.plan.q.Standard)
	output.Sum[ledger.EnergyKnown] = e.Direct.Add(e.Allocated)
	output.HasEnergy = output.HasEnergy || !e.Allocated.IsZero()
	e.Whole = compute(subject, output, s.plan.q.Standard)
	r.Energy = e
}

// take adds what a subject's units get.
func (e *EnergySplit) take(s *shares, m *membership) {
	for _, u := range m.units {
		if n, ok := s.direct[u]; ok {
			e.Direct = e.Direct.Add(n)
		}
		if n, ok := s.of[u]; ok {
			e.Allocated = e.Allocated.Add(n)
		}
	}
	for _, r := range s.unallocated {
		if !slices.ContainsFunc(r.units, func(u string) bool { return !slices.Contains(m.units, u) }) {
			e.Unallocated = e.Unallocated.Add(r.microWh)
		}
	}
}

// output is the facts of what gives the subject's good output.
func (s *summer) output(subject *subject, r *Row) *ledger.Facts {
	if subject.Level == Unit || subject.Level == Units || subject.Level == Line {
		f := *r.Facts
		return &f
	}
	row := Row{Facts: new(ledger.Facts)}
	from, to := run(s.plan.atoms, r.Part.Interval)
	for k := range subject.spans {
		m := &subject.spans[k]
		first, last := run(s.plan.atoms, m.Interval)
		for _, r := range m.outputs(subject) {
			s.add(&row, r, max(from, first), min(to, last))
		}
	}
	return row.Facts
}

// outputs are whose good pieces are the subject's: of a sum over steps of the chain, those of the last step alone, as
// kilograms and wafers do not add up.
func (m *membership) outputs(of *subject) []ref {
	if of.Level != Stage && of.Level != Area && of.Level != Plant && of.Level != Chain {
		return m.refs(of)
	}
	var last *plant.Stage
	for _, s := range m.model.Stages {
		if len(m.at(s)) > 0 {
			last = s
		}
	}
	if last == nil {
		return m.refs(of)
	}
	return m.at(last)
}

// at are the members at which a stage's good output is counted.
func (m *membership) at(s *plant.Stage) []ref {
	var out []ref
	for _, id := range m.units {
		if u, ok := m.model.Unit(id); ok && u.Stage == s.Name && u.Class.Name == s.GoodAt {
			out = append(out, ref{Unit, id})
		}
	}
	return out
}

// chain computes the way of one watt through the stages for each row of the chain, and hands the stages' rows their part.
func (s *summer) chain(rows []Row, given func(calendar.Interval) ([]shares, *allocator)) {
	chains := make(map[calendar.Interval]*kpi.Chain)
	for i := range rows {
		r := &rows[i]
		if r.Subject.Level != Chain {
			continue
		}
		shares, notes := given(r.Part.Interval)
		c, err := s.follow(r.Part.Interval, shares)
		if err != nil {
			notes.note(r.Subject, r.Part.Interval, fmt.Sprintf("energy per watt of the chain: %v", err))
			continue
		}
		r.Energy.Chain, chains[r.Part.Interval] = &c, &c
	}
	for i := range rows {
		r := &rows[i]
		if c := chains[r.Part.Interval]; c != nil && r.Subject.Level == Stage {
			for k := range c.Stages {
				if c.Stages[k].Name == r.Subject.ID {
					r.Energy.Stage = &c.Stages[k]
				}
			}
		}
	}
}

// follow makes the chain of one stretch of time, by the model in force at its end.
func (s *summer) follow(v calendar.Interval, given []shares) (kpi.Chain, error) {
	k := s.plan.spanOf(v.To - 1)
	if k < 0 || s.plan.spans[k].Version == nil {
		return kpi.Chain{}, errNoModel
	}
	var stages []kpi.Stage
	watts := exact.Num{}
	for _, stage := range s.plan.spans[k].Version.Model.Stages {
		subject, err := resolve(Target{Level: Stage, IDs: []string{stage.Name}}, Energy, s.plan.spans)
		if err != nil {
			return kpi.Chain{}, err
		}
		row := s.row(&subject, Part{Interval: v, Whole: v})
		s.split(&row, &subject, given)
		out := s.output(&subject, &row)
		total, good := out.Get(ledger.TotalPieces), out.Get(ledger.GoodPieces)
		if good.Sign() <= 0 {
			return kpi.Chain{}, fmt.Errorf("stage %s has no good output in this time", stage.Name)
		}
		watts = out.Get(ledger.GoodWatts).Quo(good).Mul(exact.Frac(ledger.NanosPerPiece, ledger.MicrosPerWatt))
		stages = append(stages, stageOf(stage, total, good, row.Energy, v))
	}
	return kpi.NewChain(stages, watts)
}

// stageOf is a stage's quantities as the chain takes them, in pieces and kWh.
func stageOf(s *plant.Stage, total, good exact.Num, e *EnergySplit, v calendar.Interval) kpi.Stage {
	pieces := exact.Frac(1, ledger.NanosPerPiece)
	out := kpi.Stage{Name: s.Name, Total: total.Mul(pieces), Good: good.Mul(pieces),
		Energy: e.Direct.Add(e.Allocated).Quo(exact.Int(ledger.MicroWhPerKWh))}
	if per, ok := s.Input.At(v.To - 1); ok {
		out.Input = out.Total.Mul(per)
	}
	if share, ok := s.Recycled.At(v.To - 1); ok && share.Sign() > 0 {
		out.Recycled, out.ReturnTo = out.Input.Mul(share), s.Name
	}
	return out
}
