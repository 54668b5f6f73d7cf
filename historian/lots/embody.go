package lots

import (
	"cmp"
	"fmt"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// Energy is an amount of energy of which a part may not be known: it lies between Low and High, whatever the missing data would have said.
type Energy struct {
	KWh       exact.Num // as far as it is known
	Low       exact.Num
	High      exact.Num
	Unbounded bool // there is no High
}

// exactly is an energy that is known.
func exactly(kWh exact.Num) Energy { return Energy{KWh: kWh, Low: kWh, High: kWh} }

// Exact says that nothing of it is unknown.
func (e Energy) Exact() bool { return !e.Unbounded && e.Low.Equal(e.KWh) && e.High.Equal(e.KWh) }

// Add is e and f together.
func (e Energy) Add(f Energy) Energy {
	return Energy{KWh: e.KWh.Add(f.KWh), Low: e.Low.Add(f.Low), High: e.High.Add(f.High), Unbounded: e.Unbounded || f.Unbounded}
}

// times is the fraction of e.
func (e Energy) times(fraction exact.Num) Energy {
	return Energy{KWh: e.KWh.Mul(fraction), Low: e.Low.Mul(fraction), High: e.High.Mul(fraction), Unbounded: e.Unbounded && !fraction.IsZero()}
}

// Over is e for each unit of d; null where d is 0.
func (e Energy) Over(d exact.Num) (known, low, high kpi.Value) {
	null := kpi.Value{Null: true}
	if d.IsZero() {
		return null, null, null
	}
	known, low, high = kpi.Value{Num: e.KWh.Quo(d)}, kpi.Value{Num: e.Low.Quo(d)}, kpi.Value{Num: e.High.Quo(d)}
	if e.Unbounded {
		high = null
	}
	return known, low, high
}

// Recycled is the stage under which credits for recycled material stand: what an off-cut takes along is missing in the other outputs.
const Recycled = "recycled"

// Embodied is the energy that went into a lot.
type Embodied struct {
	Lot    *Lot
	Policy kpi.ScrapPolicy
	Total  Energy
	Stages []StageEnergy // in the order in which they were first gone through
	Steps  []StepEnergy  // in order of time
	// Openings are the lots that the record begins with.
	Openings []OpeningEnergy
	Findings []Finding
}

// StageEnergy is the energy of one stage.
type StageEnergy struct {
	Stage string
	Energy
}

// StepEnergy is what one step put into the lot: Share of its Own.
type StepEnergy struct {
	Step  *Step
	Own   Energy
	Share exact.Num
}

// OpeningEnergy is what a lot from before the record brought along: Share of what it embodied.
type OpeningEnergy struct {
	ID    string
	Lot   *Lot
	Own   Energy
	Share exact.Num
}

// Own says what a step's own energy is, and, where that is not known exactly, why in words.
type Own func(s *Step) (e Energy, why string)

// Stated is the own energy of steps that state it, and unknown of others.
func Stated(s *Step) (Energy, string) {
	if s.EnergyKWh == nil {
		return Energy{Unbounded: true}, "its energy is not stated"
	}
	return exactly(*s.EnergyKWh), ""
}

// Needed are the steps whose own energy Embody asks for, in order of time: those through which the lot was made.
func (g *Graph) Needed(id string) []*Step {
	n, ok := g.lots[id]
	if !ok {
		return nil
	}
	var out []*Step
	for _, w := range g.reach(n, Backward).steps {
		out = append(out, w.Step)
	}
	slices.SortFunc(out, func(a, b *Step) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Embody adds up the energy that went into a lot: each step passes on what its inputs embody, by the fraction that it takes of
// them, and its own energy, to its outputs by the policy:
//
//	ScrapToGood    to its good outputs, in proportion to quantity; to its scrap when it has nothing else
//	ReportScrap    to all its outputs, in proportion to quantity
//	RecycleCredit  off-cuts take along what the feed that they replace embodies, the other good outputs the rest
//
// Nothing is lost: what all steps and opening lots bring is in the lots that nobody took (on), their scrap included.
func (g *Graph) Embody(id string, p kpi.ScrapPolicy, own Own) (*Embodied, error) {
	n, ok := g.lots[id]
	if !ok {
		return nil, fmt.Errorf("energy of lot %q: %w", id, ErrNoLot)
	}
	r := g.reach(n, Backward)
	e := &embodying{g: g, policy: p, out: &Embodied{Lot: n.lot, Policy: p, Findings: g.findings(r)}, stages: make(map[string]Energy)}
	w := r.weigh(g, weigher{made: e.share, taken: func(w *work, i int) exact.Num { return w.used(g, i) }})
	slices.SortFunc(r.steps, func(a, b *work) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID)) })
	for _, m := range slices.Backward(r.lots) {
		e.lot(m, w.lots[m])
	}
	for _, s := range r.steps {
		e.step(s, w.steps[s], own)
	}
	for _, stage := range e.order {
		e.out.Stages = append(e.out.Stages, StageEnergy{stage, e.stages[stage]})
		e.out.Total = e.out.Total.Add(e.stages[stage])
	}
	if e.out.Total.KWh.Sign() < 0 {
		e.note(CreditTooLarge, kpi.Error, id, "", "the credits for off-cuts are above the energy of the steps that made them: correct what they replace")
	}
	sortFindings(e.out.Findings)
	return e.out, nil
}

// embodying is the work of one Embody.
type embodying struct {
	g      *Graph
	policy kpi.ScrapPolicy
	out    *Embodied
	stages map[string]Energy
	order  []string // of stages
}

func (e *embodying) note(code string, s kpi.Severity, lot, step, format string, args ...any) {
	e.out.Findings = append(e.out.Findings, Finding{Code: code, Severity: s, Lot: lot, Step: step, Text: fmt.Sprintf(format, args...)})
}

func (e *embodying) add(stage string, x Energy) {
	if _, ok := e.stages[stage]; !ok {
		e.order = append(e.order, stage)
	}
	e.stages[stage] = e.stages[stage].Add(x)
}

// credit is what an off-cut takes along; ok is false for what is none, and where the policy knows no credits.
func (e *embodying) credit(out *Output) (kWh exact.Num, ok bool) {
	l := e.g.lots[out.Lot].lot
	if e.policy != kpi.RecycleCredit || out.Scrap || l == nil || l.ReplacedKWh == nil {
		return kWh, false
	}
	return out.Quantity.Mul(*l.ReplacedKWh), true
}

// credits are what all off-cuts of w take along, and the quantity of its other good outputs. Where off-cuts are all that it makes
// there is nobody to give them a credit.
func (e *embodying) credits(w *work) (kWh, others exact.Num) {
	others = w.good
	for i := range w.Outputs {
		if c, ok := e.credit(&w.Outputs[i]); ok {
			kWh, others = kWh.Add(c), others.Sub(w.Outputs[i].Quantity)
		}
	}
	if others.IsZero() {
		return exact.Num{}, w.good
	}
	return kWh, others
}

// share is the fraction of the energy in w that goes to the lot.
func (e *embodying) share(w *work, n *node) exact.Num {
	out := w.output(n.id)
	if e.policy == kpi.ReportScrap || w.good.IsZero() {
		return fraction(out.Quantity, w.made)
	}
	_, others := e.credits(w)
	if _, credited := e.credit(out); out.Scrap || credited && !others.Equal(w.good) {
		return exact.Num{}
	}
	return fraction(out.Quantity, others)
}

// step adds the share of a step's own energy, less what its off-cuts took along.
func (e *embodying) step(w *work, share exact.Num, own Own) {
	x, why := own(w.Step)
	if len(w.unclear) > 0 {
		x.Unbounded = true
	}
	if share.IsZero() {
		return
	}
	e.out.Steps = append(e.out.Steps, StepEnergy{w.Step, x, share})
	e.add(w.Stage, x.times(share))
	if credits, _ := e.credits(w); !credits.IsZero() {
		e.add(Recycled, exactly(credits.Neg()).times(share))
	}
	switch {
	case x.Unbounded:
		e.note(EnergyUnknown, kpi.Warning, "", w.ID, "its energy, of which %s is in the lot, has no upper bound: %s", percent(share), cmp.Or(why, "it takes of a lot whose quantity nobody told"))
	case !x.Exact():
		e.note(EnergyPartly, kpi.Warning, "", w.ID, "its energy, of which %s is in the lot, is only known to lie between two bounds: %s", percent(share), why)
	}
	if w.good.IsZero() && e.policy != kpi.ReportScrap {
		e.note(AllScrap, kpi.Warning, "", w.ID, "made nothing good that could bear its energy: its scrap does")
	}
}

// lot adds what a lot brought along that is not a step's.
func (e *embodying) lot(n *node, share exact.Num) {
	for _, w := range n.makers {
		credits, _ := e.credits(w)
		if c, ok := e.credit(w.output(n.id)); ok && !credits.IsZero() && !share.IsZero() {
			e.add(Recycled, exactly(c).times(share))
		}
	}
	if n.lot != nil && n.lot.Kind == Offcut && n.lot.ReplacedKWh == nil && e.policy == kpi.RecycleCredit && len(n.makers) > 0 {
		e.note(NoCreditValue, kpi.Warning, n.id, "", "does not say what one unit of the feed that it replaces embodies (replaced_kwh): it bears energy as any good output")
	}
	if len(n.makers) > 0 {
		if n.lot != nil && len(n.lot.Embodied) > 0 {
			e.note(EmbodiedTwice, kpi.Warning, n.id, "", "a step made it, so the energy that it states (embodied_kwh) is not counted: leave that out, or correct the step")
		}
		return
	}
	if !share.IsZero() {
		e.opening(n, share)
	}
}

// beforeRecord is the stage of energy from before the record that nobody told the stage of.
const beforeRecord = "before the record"

// opening adds what a lot from before the record brought along. Quartz is where the account begins.
func (e *embodying) opening(n *node, share exact.Num) {
	o := OpeningEnergy{ID: n.id, Lot: n.lot, Share: share}
	switch {
	case n.lot == nil || len(n.lot.Embodied) == 0 && n.lot.Kind != Quartz:
		o.Own.Unbounded = true
		e.add(beforeRecord, o.Own.times(share))
		e.note(EnergyUnknown, kpi.Warning, n.id, "", "no step made it and it does not state its energy (embodied_kwh), of which %s is in the lot", percent(share))
	default:
		for _, stage := range sortedKeys(n.lot.Embodied) {
			x := exactly(n.lot.Embodied[stage])
			o.Own = o.Own.Add(x)
			e.add(stage, x.times(share))
		}
	}
	e.out.Openings = append(e.out.Openings, o)
}
