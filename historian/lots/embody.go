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

// StepEnergy is what one step put into the lot: Share of its Own. The share is for people: no sum rests on it.
type StepEnergy struct {
	Step  *Step
	Own   Energy
	Share float64
}

// OpeningEnergy is what a lot from before the record brought along: Share of what it embodied.
type OpeningEnergy struct {
	ID    string
	Lot   *Lot
	Own   Energy
	Share float64
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
	slices.SortFunc(r.steps, func(a, b *work) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID)) })
	e := &embodying{g: g, r: r, policy: p, own: make(map[*work]Energy, len(r.steps)),
		out: &Embodied{Lot: n.lot, Policy: p, Findings: g.findings(r)}}
	e.contribute(own)
	total := e.follow()
	for _, stage := range e.order {
		if x, ok := total[stage]; ok {
			e.out.Stages = append(e.out.Stages, StageEnergy{stage, x.energy()})
			e.out.Total = e.out.Total.Add(x.energy())
		}
	}
	if e.out.Total.KWh.Sign() < 0 {
		e.note(CreditTooLarge, kpi.Error, id, "", "the credits for off-cuts are above the energy of the steps that made them: correct what they replace")
	}
	sortFindings(e.out.Findings)
	return e.out, nil
}
