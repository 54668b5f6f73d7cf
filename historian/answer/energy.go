package answer

import (
	"fmt"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// EnergySplit is a row's energy by where it was metered, in whole µWh, so that the shares of a common meter add up to it.
type EnergySplit struct {
	Direct    exact.Num // of the units' own meters
	Allocated exact.Num // of common meters, by their keys
	// Unallocated is what common meters read and no key divides; only in rows that hold all units of such a meter.
	Unallocated exact.Num
	// Whole is the result with the allocated energy: what kWh per good piece and per watt are of. Pieces and watts are those
	// of the subject's good output: of a stage, of the machines at its end; of the plant, of its last stage.
	Whole kpi.Result
	// Stage is, in rows of stages below the chain, the stage's part in one watt at the end of the chain; nil when there is none.
	Stage *kpi.ChainStage
	Chain *kpi.Chain // in rows of the chain; nil when there is none: a finding says why
}

// shares are what units get of meters in one stretch of time, in which neither the tree of meters nor a key changes.
type shares struct {
	calendar.Interval
	direct      map[string]exact.Num // unit → µWh of a meter that is its alone
	of          map[string]exact.Num // unit → µWh of meters that it has in common with others
	unallocated []remainder
}

// remainder is what a common meter read and nobody takes.
type remainder struct {
	units   []string
	microWh exact.Num
}

// allocator divides the energy of common meters. The shares of a stretch of time are by the keys' own sums of that stretch: of
// a row, by those of the row's own time, cut where a model or a key changes.
type allocator struct {
	*summer
	findings []Finding
}

// keyChanges are the moments within the window at which the tree of meters or a key changes.
func keyChanges(spans []plant.Span) []telemetry.Instant {
	var out []telemetry.Instant
	for _, s := range spans {
		if s.Version == nil {
			continue
		}
		out = append(out, s.From)
		for _, m := range s.Version.Model.Meters {
			for _, k := range m.Key {
				if s.Holds(k.From) {
					out = append(out, k.From)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// allocate divides what the meters read in v.
func (a *allocator) allocate(v calendar.Interval) []shares {
	borders := []telemetry.Instant{v.From}
	for _, t := range keyChanges(a.plan.spans) {
		if v.From < t && t < v.To {
			borders = append(borders, t)
		}
	}
	borders = append(borders, v.To)
	var all []shares
	for i, from := range borders[:len(borders)-1] {
		s := shares{Interval: calendar.Interval{From: from, To: borders[i+1]}, direct: make(map[string]exact.Num), of: make(map[string]exact.Num)}
		if k := a.plan.spanOf(from); k >= 0 && a.plan.spans[k].Version != nil {
			a.meters(a.plan.spans[k].Version.Model, s.Interval, &s)
		}
		all = append(all, s)
	}
	return all
}

// meters divides the common meters of one model.
func (a *allocator) meters(m *plant.Model, v calendar.Interval, out *shares) {
	if len(m.Meters) == 0 {
		return
	}
	read, ok := a.read(m, v)
	if !ok {
		return
	}
	balances, err := kpi.BalanceMeters(read)
	if err != nil {
		a.note(a.plan.subjects[0].Subject, v, err.Error())
		return
	}
	left := make(map[string]int64)
	for _, r := range read {
		left[r.Name] = r.Wh
	}
	for _, b := range balances {
		left[b.Name] = b.Unmetered
		a.over(b, v)
	}
	for _, meter := range m.Meters {
		switch n := left[meter.ID]; {
		case n == 0:
		case meter.Kind == plant.Direct:
			out.direct[meter.Units[0]] = out.direct[meter.Units[0]].Add(exact.Int(n))
		default:
			a.divide(meter, n, v, out)
		}
	}
}

// read is what the meters of the tree read in v, with the registers of machines behind them as meters of their own, in µWh.
func (a *allocator) read(m *plant.Model, v calendar.Interval) (all []kpi.Meter, ok bool) {
	add := func(name, parent, unit string) {
		n, fits := a.energy(unit, v).Int64()
		if !fits || n < 0 {
			a.note(Subject{Unit, unit}, v, fmt.Sprintf("its register counted %s µWh, which cannot be divided", a.energy(unit, v)))
			ok = false
		}
		all = append(all, kpi.Meter{Name: name, Parent: parent, Wh: n})
	}
	ok = true
	for _, meter := range m.Meters {
		add(meter.ID, meter.Parent, meter.Source)
		for _, u := range meter.Behind {
			add("register of "+u, meter.ID, u)
		}
	}
	return all, ok
}

// meterTolerance is by how much sub-meters may read more than their parent before it is a finding: the sum of two meters of
// accuracy class 1 may.
func meterTolerance() exact.Num { return exact.Frac(2, 100) }

// over notes sub-meters that read more than their parent.
func (a *allocator) over(b kpi.MeterBalance, v calendar.Interval) {
	const microPerMilli = 1000
	if _, ok := b.Finding(meterTolerance()); ok {
		kwh := func(n int64) string {
			return exact.Frac(n/microPerMilli, ledger.MicroWhPerKWh/microPerMilli).Rat().FloatString(3)
		}
		a.findings = append(a.findings, Finding{Code: string(kpi.SubmetersOverParent), Severity: kpi.SubmetersOverParent.Severity(),
			Subject: Subject{Unit, b.Name}, When: calendar.Set{v},
			Text: fmt.Sprintf("its sub-meters read %s kWh, it %s kWh: a meter is wrong, or something is fed from elsewhere", kwh(b.Children), kwh(b.Wh))})
	}
}

// divide shares what a meter read among its units.
func (a *allocator) divide(m *plant.Meter, microWh int64, v calendar.Interval, out *shares) {
	none := func(why string) {
		out.unallocated = append(out.unallocated, remainder{units: m.Units, microWh: exact.Int(microWh)})
		a.note(Subject{Unit, m.Source}, v, fmt.Sprintf("meter %s: %s", m.ID, why))
	}
	key, ok := m.Key.At(v.From)
	if !ok {
		none("no key says how its energy is divided: add one to the model")
		return
	}
	weights := make([]exact.Num, len(m.Units))
	for i, u := range m.Units {
		if weights[i], ok = a.weight(key, u, v); !ok {
			none(fmt.Sprintf("key %s is not in the ledger: use direct_kwh, run_hours, good_units or shares", key.Kind))
			return
		}
	}
	parts, ok := kpi.Allocate(microWh, weights)
	if !ok {
		none(fmt.Sprintf("by key %s no unit has a share", key.Kind))
		return
	}
	for i, u := range m.Units {
		out.of[u] = out.of[u].Add(exact.Int(parts[i]))
	}
}

// weight is a unit's claim by a key; ok is false when the ledger does not know it.
func (a *allocator) weight(k plant.Key, unit string, v calendar.Interval) (w exact.Num, ok bool) {
	switch k.Kind {
	case plant.KeyDirectKWh:
		return a.energy(unit, v), true
	case plant.KeyRunHours:
		return a.sum(unit, v, ledger.E79Run).Add(a.sum(unit, v, ledger.E79Minor)), true
	case plant.KeyGoodUnits:
		return a.sum(unit, v, ledger.GoodPieces), true
	case plant.KeyShares:
		return k.Shares[unit], true
	default:
		return exact.Num{}, false
	}
}

// sum is one of a unit's facts over v.
func (a *allocator) sum(unit string, v calendar.Interval, k ledger.Field) exact.Num {
	var n exact.Num
	from, to := run(a.plan.atoms, v)
	for i := from; i < to; i++ {
		p := &a.pieces[ref{Unit, unit}][i]
		for _, c := range p.slices {
			n = n.Add(c.facts.get(k))
		}
		if p.facts != nil {
			n = n.Add(p.facts.Get(k))
		}
	}
	return n
}

func (a *allocator) energy(unit string, v calendar.Interval) exact.Num {
	return a.sum(unit, v, ledger.EnergyKnown)
}

func (a *allocator) note(s Subject, v calendar.Interval, text string) {
	a.findings = append(a.findings, Finding{Code: EnergyFailed, Severity: kpi.Warning, Subject: s, When: calendar.Set{v}, Text: text})
}
