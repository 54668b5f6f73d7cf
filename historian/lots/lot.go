package lots

import (
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Kind is what a lot is.
type Kind string

// The kinds, along the chain.
const (
	Quartz  Kind = "quartz" // where the account begins: what is not stated of its energy is none
	Heat    Kind = "heat"
	MG      Kind = "mg"
	Tank    Kind = "tank" // content of a tank from one filling to the next
	Batch   Kind = "batch"
	Harvest Kind = "harvest"
	Charge  Kind = "charge"
	Run     Kind = "run"
	Ingot   Kind = "ingot"
	Brick   Kind = "brick"
	Cut     Kind = "cut"
	Wafer   Kind = "wafer"
	Cell    Kind = "cell"
	Module  Kind = "module"
	Offcut  Kind = "offcut" // good output that goes back into a charge, as a lot of its own
	Sample  Kind = "sample"
)

// Kinds are all kinds, along the chain.
func Kinds() []Kind {
	return []Kind{Quartz, Heat, MG, Tank, Batch, Harvest, Charge, Run, Ingot, Brick, Cut, Wafer, Cell, Module, Offcut, Sample}
}

// Lot is one revision of what is known of a quantity of material.
type Lot struct {
	ID       string
	Kind     Kind
	Product  string
	Quantity exact.Num // in UnitOf, above 0
	UnitOf   string    // "kg", "pcs"
	MadeAt   telemetry.Instant
	// WpNominal and WpRealised are the watts of the whole lot: as planned for when it was made, and as tested later. Nil: not told.
	WpNominal, WpRealised *exact.Num
	// Embodied is the energy, kWh by stage, that went into the lot before the record begins. It belongs to lots that no step made.
	Embodied map[string]exact.Num
	// ReplacedKWh is what one unit of the feed embodies that this off-cut stands in for: its credit under kpi.RecycleCredit.
	ReplacedKWh *exact.Num
	Revision
}

// Step is one revision of what was done: lots taken, lots made, in [From, To).
type Step struct {
	ID    string
	Stage string // of the chain, as energy is reported by
	Unit  string // as in the plant model; "": none
	// From and To are equal for what takes no time, like the filling of a tank.
	From, To telemetry.Instant
	Inputs   []Input
	Outputs  []Output
	// EnergyKWh is the step's own energy. Nil: it is that of Unit in [From, To).
	EnergyKWh *exact.Num
	Revision
}

// Input is what a step takes of a lot.
type Input struct {
	Lot      string
	Quantity *exact.Num // in the lot's unit, above 0; nil: what is left of it
}

// Output is what a step makes of a lot.
type Output struct {
	Lot      string
	Quantity exact.Num // in the lot's unit, above 0
	Scrap    bool
}

// Revision is which word on a thing this is, and whose.
type Revision struct {
	Number    int // from 1; in what is read from a file, 0: the next one
	By        string
	Why       string
	KnownAt   telemetry.Instant // when it was written to the store, in whole µs
	Source    string            // "file:line" of the import
	Withdrawn bool              // it was not so
}

// Book is lots and steps: as read from a file, or as known at some moment.
type Book struct {
	Lots  []Lot
	Steps []Step
}

// refs are the lots that the step names.
func (s *Step) refs() []string {
	out := make([]string, 0, len(s.Inputs)+len(s.Outputs))
	for _, in := range s.Inputs {
		out = append(out, in.Lot)
	}
	for _, o := range s.Outputs {
		out = append(out, o.Lot)
	}
	return out
}
