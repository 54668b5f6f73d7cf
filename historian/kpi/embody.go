package kpi

import (
	"fmt"

	"kvarts/historian/exact"
)

// ScrapPolicy says who bears the energy of what is not good.
type ScrapPolicy uint8

// The policies.
const (
	ScrapToGood   ScrapPolicy = iota // the good output bears it all: the default
	ReportScrap                      // rejected output keeps its own
	RecycleCredit                    // recycled material takes along what the feed that it replaces would have cost
)

// Embodied says where the metered energy of stages is, in kWh. Nothing of it is lost: Metered = Good + Scrap + Recycled + Σ WIP.
type Embodied struct {
	Metered  exact.Num
	Good     exact.Num   // in the good output of the last stage
	Scrap    exact.Num   // in rejected output
	Recycled exact.Num   // in recycled material, to be charged to whoever uses it
	WIP      []exact.Num // by stage, in its good output that the next stage has not taken; of the last stage 0
	// PerGood is Good for one unit of the last stage's good output.
	PerGood exact.Num
}

// Embody moves energy along with what was really made: each stage passes on what its input embodies and its own energy. No stage may take
// more than the one before made good: what is taken from older stock belongs to that stock's own stages.
func Embody(stages []Stage, p ScrapPolicy) (Embodied, error) {
	if _, err := checkStages(stages); err != nil {
		return Embodied{}, fmt.Errorf("embodied energy: %w", err)
	}
	out := Embodied{WIP: make([]exact.Num, len(stages))}
	var stock exact.Num // what the good output of the stage before embodies
	for i := range stages {
		s := &stages[i]
		taken := exact.Num{}
		if i > 0 {
			before := stages[i-1].Good
			if s.Input.Cmp(before) > 0 {
				return Embodied{}, fmt.Errorf("embodied energy: stage %q takes %s of %s good before it: %w", s.Name, s.Input, before, ErrStage)
			}
			taken = stock.Mul(s.Input.Quo(before))
			out.WIP[i-1] = stock.Sub(taken)
		}
		out.Metered = out.Metered.Add(s.Energy)
		var err error
		if stock, err = out.pass(s, p, taken.Add(s.Energy)); err != nil {
			return Embodied{}, fmt.Errorf("embodied energy: stage %q: %w", s.Name, err)
		}
	}
	out.Good = stock
	if n := len(stages); n > 0 {
		out.PerGood = stock.Quo(stages[n-1].Good)
	}
	return out, nil
}

// pass is what of a stage's energy its good output takes on; the rest is booked where the policy says.
func (e *Embodied) pass(s *Stage, p ScrapPolicy, all exact.Num) (exact.Num, error) {
	switch p {
	case ReportScrap:
		good := all.Mul(s.Good.Quo(s.Total))
		e.Scrap = e.Scrap.Add(all.Sub(good))
		return good, nil
	case RecycleCredit:
		credit := s.Recycled.Mul(s.ReplacedKWh)
		if credit.Cmp(all) > 0 {
			return all, fmt.Errorf("credit of %s kWh is above the %s kWh that the stage holds: %w", credit, all, ErrStage)
		}
		e.Recycled = e.Recycled.Add(credit)
		return all.Sub(credit), nil
	default:
		return all, nil
	}
}
