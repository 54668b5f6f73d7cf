package kpi

import (
	"errors"
	"fmt"
	"math"

	"kvarts/historian/exact"
)

// Meter is what one meter of a tree read in some interval.
type Meter struct {
	Name   string
	Parent string // "": fed from outside
	Wh     int64  // not below 0
}

// MeterBalance is a meter with sub-meters against their sum: Wh = Children + Unmetered − Over, one of the last two being 0.
type MeterBalance struct {
	Name      string
	Wh        int64
	Children  int64 // Σ of the meters directly below
	Unmetered int64 // what no sub-meter saw: to be allocated, or named
	Over      int64 // what the sub-meters read above their parent: a meter is wrong, or fed from elsewhere
}

// ErrMeterTree is in the chain of every error of a tree that is none.
var ErrMeterTree = errors.New("not a tree of meters")

// BalanceMeters compares every meter that has sub-meters with their sum, in the order given. So that over the whole tree
//
//	Σ of meters without a parent = Σ of meters without sub-meters + Σ Unmetered − Σ Over .
func BalanceMeters(meters []Meter) ([]MeterBalance, error) {
	byName := make(map[string]int, len(meters))
	for i, m := range meters {
		if _, twice := byName[m.Name]; twice || m.Name == "" {
			return nil, fmt.Errorf("meter %q: name missing or used twice: %w", m.Name, ErrMeterTree)
		}
		if m.Wh < 0 {
			return nil, fmt.Errorf("meter %s: %d Wh is below 0: %w", m.Name, m.Wh, ErrMeterTree)
		}
		byName[m.Name] = i
	}
	if err := rooted(meters, byName); err != nil {
		return nil, err
	}
	return balances(meters, byName)
}

// rooted checks that every parent exists and that every way up ends.
func rooted(meters []Meter, byName map[string]int) error {
	good := make([]bool, len(meters)) // the way up from it ends
	for i, m := range meters {
		path := []int{i}
		for at := i; meters[at].Parent != "" && !good[at]; {
			up, ok := byName[meters[at].Parent]
			if !ok {
				return fmt.Errorf("meter %s: parent %q is no meter: %w", meters[at].Name, meters[at].Parent, ErrMeterTree)
			}
			if len(path) > len(meters) {
				return fmt.Errorf("meter %s: is below itself: %w", m.Name, ErrMeterTree)
			}
			path, at = append(path, up), up
		}
		for _, at := range path {
			good[at] = true
		}
	}
	return nil
}

func balances(meters []Meter, byName map[string]int) ([]MeterBalance, error) {
	sums := make([]int64, len(meters))
	parent := make([]bool, len(meters))
	for _, m := range meters {
		if m.Parent == "" {
			continue
		}
		up := byName[m.Parent]
		if sums[up] > math.MaxInt64-m.Wh {
			return nil, fmt.Errorf("meter %s: sum of its sub-meters leaves 64 bits: %w", m.Parent, ErrMeterTree)
		}
		sums[up] += m.Wh
		parent[up] = true
	}
	var out []MeterBalance
	for i, m := range meters {
		if parent[i] {
			out = append(out, MeterBalance{Name: m.Name, Wh: m.Wh, Children: sums[i],
				Unmetered: max(0, m.Wh-sums[i]), Over: max(0, sums[i]-m.Wh)})
		}
	}
	return out, nil
}

// Finding is what a person should know of b: its sub-meters read more than it does by more than the tolerance, a share of its
// own reading (the accuracy classes of the meters). ok is false when there is nothing to know.
func (b MeterBalance) Finding(tolerance exact.Num) (f Finding, ok bool) {
	if exact.Int(b.Over).Cmp(exact.Int(b.Wh).Mul(tolerance)) <= 0 {
		return Finding{}, false
	}
	return newFinding(SubmetersOverParent, Place{Unit: b.Name},
		Evidence{Name: "parent", Value: known(exact.Frac(b.Wh, 1000)), Unit: "kWh"},
		Evidence{Name: "sub-meters", Value: known(exact.Frac(b.Children, 1000)), Unit: "kWh"}), true
}
