package answer

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/lots"
	"kvarts/historian/plant"
)

// UnitShared says that steps overlap on one unit: the energy of that time counts in each of them.
const UnitShared = "unit_shared"

// metered is the energy of one step and, where it is not known exactly, why.
type metered struct {
	lots.Energy
	why string
}

// metering finds the own energies of steps that do not state them: the energy of the unit while the step lasted, from the same
// facts as any other number. Each unit is gathered once, however many steps it did.
type metering struct {
	engine   *Engine
	answer   *LotAnswer
	history  plant.History
	mu       sync.Mutex // guards what follows
	own      map[string]metered
	findings []lots.Finding
	done     int
}

// of is the own energy of a step, as lots.Own.
func (m *metering) of(s *lots.Step) (lots.Energy, string) {
	if s.EnergyKWh != nil {
		return lots.Stated(s)
	}
	found := m.own[s.ID]
	return found.Energy, found.why
}

// run measures the steps.
func (m *metering) run(ctx context.Context, steps []*lots.Step) error {
	byUnit := make(map[string][]*lots.Step)
	for _, s := range steps {
		switch {
		case s.EnergyKWh != nil:
		case s.From == s.To: // takes no time, so no energy
			m.own[s.ID] = metered{}
		case s.Unit == "":
			m.own[s.ID] = unmetered("it names no unit: name it, or state energy_kwh, 0 if the step uses none")
		default:
			byUnit[s.Unit] = append(byUnit[s.Unit], s)
		}
	}
	m.answer.Sources = Sources{Revisions: make(map[int]int), Raw: make(map[string][]calendar.Interval)}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	for unit, steps := range byUnit {
		g.Go(func() error { return m.unit(ctx, unit, steps, len(byUnit)) })
	}
	err := g.Wait()
	slices.SortFunc(m.findings, func(a, b lots.Finding) int { return cmp.Compare(a.Step, b.Step) })
	return err
}

func unmetered(format string, args ...any) metered {
	return metered{lots.Energy{Unbounded: true}, fmt.Sprintf(format, args...)}
}

// unit measures the steps of one unit, which are in order of time.
func (m *metering) unit(ctx context.Context, unit string, steps []*lots.Step, units int) error {
	p := &plan{q: Question{Kind: Energy, Raw: m.answer.Question.Raw}, now: m.answer.Now, horizon: m.answer.Horizon, history: m.history,
		refs: []ref{{Unit, unit}}}
	windows := make([]calendar.Interval, 0, len(steps))
	for _, s := range steps {
		if v := m.window(s); !v.Empty() {
			windows = append(windows, v)
		}
	}
	var pieces []piece
	if len(windows) > 0 {
		p.window, p.atoms = hull(windows), atoms(windows)
		p.spans = m.history.Spans(p.window, p.horizon)
		all, err := m.engine.collect(ctx, p)
		if err != nil {
			return err
		}
		pieces = all[p.refs[0]]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range steps {
		m.own[s.ID] = m.measure(p, pieces, s)
	}
	m.overlaps(unit, steps)
	m.source(&summer{plan: p, pieces: collected{p.refs[0]: pieces}})
	m.done++
	if m.answer.Question.Progress != nil {
		m.answer.Question.Progress(m.done, units)
	}
	return nil
}

// window is the time of a step as far as anything is known of it.
func (m *metering) window(s *lots.Step) calendar.Interval {
	return calendar.Interval{From: s.From, To: min(s.To, m.answer.Horizon)}
}

// measure adds up the facts of a step's time.
func (m *metering) measure(p *plan, pieces []piece, s *lots.Step) metered {
	v := m.window(s)
	if v.Empty() {
		return unmetered("it begins after %s, up to which anything is known", m.answer.Horizon)
	}
	var facts ledger.Facts
	from, to := run(p.atoms, v)
	for i := from; i < to; i++ {
		if err := pieces[i].err; err != nil {
			return unmetered("the facts of unit %s could not be had: %v", s.Unit, err)
		}
		pieces[i].addTo(&facts)
	}
	out := energyOf(&facts, s.Unit)
	if s.To > v.To {
		out.Unbounded, out.why = true, fmt.Sprintf("it goes on after %s, up to which anything is known", v.To)
	}
	return out
}

// energyOf is the energy in the facts of a unit.
func energyOf(f *ledger.Facts, unit string) metered {
	r := kpi.Compute(f, kpi.ISO)
	known, low, high := r.Get(kpi.Energy), r.Get(kpi.EnergyLow), r.Get(kpi.EnergyHigh)
	if known.Null {
		return unmetered("unit %s has neither a register nor a power meter that was read: state energy_kwh", unit)
	}
	out := metered{Energy: lots.Energy{KWh: known.Num, Low: low.Num, High: high.Num, Unbounded: high.Null}}
	coverage := r.Get(kpi.EnergyCoverage)
	switch {
	case out.Exact():
	case coverage.Null || coverage.Num.Equal(exact.Int(1)):
		out.why = fmt.Sprintf("the register of unit %s counts at least this much", unit)
	default:
		out.why = fmt.Sprintf("the energy of unit %s is known of %s %% of the time", unit, coverage.Num.Mul(exact.Int(100)).Rat().FloatString(1))
	}
	return out
}

// overlaps tells of steps that share the unit's time, once for all of them.
func (m *metering) overlaps(unit string, steps []*lots.Step) {
	shared := 0
	var first lots.Finding
	last := steps[0]
	for _, s := range steps[1:] {
		if s.From < last.To {
			if shared++; shared == 1 {
				first = lots.Finding{Code: UnitShared, Severity: kpi.Warning, Step: s.ID, Text: fmt.Sprintf("overlaps step %s on unit %s", last.ID, unit)}
			}
		}
		if s.To > last.To {
			last = s
		}
	}
	if shared == 0 {
		return
	}
	if shared > 1 {
		first.Text += fmt.Sprintf(", and %d more steps of the unit do so", shared-1)
	}
	first.Text += ": the energy of that time counts in each of them. State energy_kwh, or correct the times"
	m.findings = append(m.findings, first)
}

// source adds where the facts of a unit came from.
func (m *metering) source(s *summer) {
	if len(s.pieces[s.plan.refs[0]]) == 0 {
		return
	}
	from := s.sources()
	to := &m.answer.Sources
	to.DaySlices += from.DaySlices
	to.HourSlices += from.HourSlices
	for revision, n := range from.Revisions {
		to.Revisions[revision] += n
	}
	for unit, raw := range from.Raw {
		to.Raw[unit] = raw
	}
}
