package kpi

import (
	"fmt"

	"kvarts/historian/exact"
)

// Chain is the energy of each stage for one watt at the end, by what each stage takes, loses and gives back. All of a stage's energy
// goes into its good output (policy ScrapToGood); what is recycled brings no energy of its own, it saves feed.
type Chain struct {
	Stages []ChainStage
}

// ChainStage is one stage for one good watt at the end of the chain.
type ChainStage struct {
	Name       string
	Total      exact.Num // output before rejection, per W
	Good       exact.Num // good output, per W: of polysilicon in kg/W, say
	PerGood    exact.Num // own energy, kWh per unit of the stage's good output
	PerWatt    exact.Num // own energy, kWh/W
	Cumulative exact.Num // of this stage and all before it, kWh/W
}

// NewChain follows the demand of one watt from the last stage, whose good pieces have watts each, back to the first. The stages' quantities
// give ratios only, so they may be of different times, and in the chain each stage makes exactly what the next one needs.
func NewChain(stages []Stage, watts exact.Num) (Chain, error) {
	if watts.Sign() <= 0 {
		return Chain{}, fmt.Errorf("chain: %s W of a good piece: not above 0: %w", watts, ErrStage)
	}
	index, err := checkStages(stages)
	if err != nil {
		return Chain{}, fmt.Errorf("chain: %w", err)
	}
	c := Chain{Stages: make([]ChainStage, len(stages))}
	returned := make([]exact.Num, len(stages)) // per W, what recycled material saves of the stage's input
	need := exact.Int(1).Quo(watts)            // per W, good output of the stage at hand
	for i := len(stages) - 1; i >= 0; i-- {
		s := &stages[i]
		scale := need.Quo(s.Good)
		c.Stages[i] = ChainStage{Name: s.Name, Total: s.Total.Mul(scale), Good: need, PerGood: s.Energy.Quo(s.Good), PerWatt: s.Energy.Mul(scale)}
		if !s.Recycled.IsZero() {
			to := index[s.ReturnTo]
			returned[to] = returned[to].Add(s.Recycled.Mul(scale))
		}
		if i == 0 {
			break
		}
		need = s.Input.Mul(scale).Sub(returned[i])
		if need.Sign() <= 0 {
			return Chain{}, fmt.Errorf("chain: stage %q: more comes back than it takes in: %w", s.Name, ErrStage)
		}
	}
	c.accumulate()
	return c, nil
}

func (c *Chain) accumulate() {
	var sum exact.Num
	for i := range c.Stages {
		sum = sum.Add(c.Stages[i].PerWatt)
		c.Stages[i].Cumulative = sum
	}
}

// PerWatt is the energy of the whole chain, kWh/W.
func (c Chain) PerWatt() exact.Num {
	if len(c.Stages) == 0 {
		return exact.Num{}
	}
	return c.Stages[len(c.Stages)-1].Cumulative
}

// Between is the energy from one stage to another, both included, kWh/W: gate to gate of a plant that holds only these. ok is
// false when there are no such stages in this order.
func (c Chain) Between(from, to string) (kWhPerWatt exact.Num, ok bool) {
	var sum exact.Num
	within := false
	for _, s := range c.Stages {
		within = within || s.Name == from
		if within {
			sum = sum.Add(s.PerWatt)
		}
		if s.Name == to {
			return sum, within
		}
	}
	return exact.Num{}, false
}
