package kpi

import (
	"errors"
	"fmt"

	"kvarts/historian/exact"
)

// Stage is what one stage of the chain did in some time, from the raw material's end. Each stage's input is the good output of the
// stage before it, in that stage's unit; its total and good output are in its own (kg, wafers, cells).
type Stage struct {
	Name     string
	Energy   exact.Num // own energy, kWh: direct, idle and standby, and its share of common supplies
	Input    exact.Num // what it took of the stage before; of the first stage not looked at
	Total    exact.Num // output before rejection, above 0
	Good     exact.Num // output that goes on, above 0 and at most Total
	Recycled exact.Num // of its off-cuts, what went back as input of the stage ReturnTo, in that input's unit
	ReturnTo string    // this stage or one before it; "" when nothing goes back
	// ReplacedKWh is the embodied energy of one unit of the feed that recycled material stands in for: its credit by RecycleCredit.
	ReplacedKWh exact.Num
}

// ErrStage is in the chain of every error of stages whose quantities cannot be.
var ErrStage = errors.New("quantities of a stage do not fit")

// check finds what cannot be, and the index of each stage by name.
func checkStages(stages []Stage) (map[string]int, error) {
	index := make(map[string]int, len(stages))
	for i := range stages {
		s := &stages[i]
		if _, twice := index[s.Name]; twice {
			return nil, fmt.Errorf("stage %q: name used twice: %w", s.Name, ErrStage)
		}
		index[s.Name] = i
		if err := s.check(i == 0); err != nil {
			return nil, fmt.Errorf("stage %q: %w", s.Name, err)
		}
		if s.Recycled.IsZero() {
			continue
		}
		if to, ok := index[s.ReturnTo]; !ok || to == 0 {
			return nil, fmt.Errorf("stage %q: returns material to %q, which is no stage with input up to it: %w", s.Name, s.ReturnTo, ErrStage)
		}
	}
	return index, nil
}

func (s *Stage) check(first bool) error {
	switch {
	case s.Total.Sign() <= 0 || s.Good.Sign() <= 0:
		return fmt.Errorf("output %s, good %s: not above 0: %w", s.Total, s.Good, ErrStage)
	case s.Good.Cmp(s.Total) > 0:
		return fmt.Errorf("good output %s is above the output %s: %w", s.Good, s.Total, ErrStage)
	case s.Energy.Sign() < 0 || s.Recycled.Sign() < 0 || s.ReplacedKWh.Sign() < 0:
		return fmt.Errorf("energy %s, recycled %s, replaced %s: below 0: %w", s.Energy, s.Recycled, s.ReplacedKWh, ErrStage)
	case !first && s.Input.Sign() <= 0:
		return fmt.Errorf("input %s: not above 0: %w", s.Input, ErrStage)
	default:
		return nil
	}
}
