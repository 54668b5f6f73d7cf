package ledger

import (
	"fmt"

	"kvarts/historian/exact"
)

// Field is one additive fact. Times are ns, pieces nano-pieces, ideal times ns, energy µWh.
type Field uint8

// String is the name of the field where slices are stored.
func (k Field) String() string { return fieldNames[k] }

// The fields. Times of a unit by ISO 22400 (see CONFORMANCE "what each moment is"):
//
//	Span = out of schedule + Planned + [Run + Minor + Setup + Stop + Idle + Unknown] , the bracket being planned busy time (PBT)
const (
	Span Field = iota // length of the slice, cut at the horizon

	// By ISO 22400, with the calendar.
	RunTime         // state run in planned time, without minor stops: R
	MinorTime       // minor stops: APT = RunTime + MinorTime
	SetupTime       //
	StopTime        //
	IdleTime        //
	UnknownTime     // U
	PlannedTime     // planned downtime; not in PBT
	BridgedTime     // part of UnknownTime that the piece counters bridge: B
	UncountedTime   // part of RunTime that nothing counts: C
	Failures        // stops that are not minor, each at the first moment that is StopTime
	IdealTotal      // ideal time of pieces made in planned time that is neither unknown nor uncounted
	IdealGood       // … of good pieces
	BridgedTotal    // ideal time of pieces made in bridged time
	BridgedGood     //
	DarkTotal       // ideal time of pieces made in unknown time that is not bridged
	DarkGood        //
	NoIdealPieces   // pieces, good and scrap, made in planned time at moments without an ideal, by magnitude: above 0 when there are any
	LinePlannedTime // of a line: the union of its units' planned time (its PBT)

	// By SEMI E79: by states only, without the calendar.
	E79Run           // PRD without minor stops: R
	E79Minor         //
	E79Idle          // SBY
	E79Engineering   // ENG
	E79Stop          // UDT
	E79Scheduled     // SDT: planned and set-up
	E79Nonscheduled  // NST
	E79Unknown       // U
	E79Bridged       //
	E79Uncounted     //
	E79Failures      // stops that are not minor, each at its begin
	E79IdealTotal    //
	E79IdealGood     //
	E79BridgedTotal  //
	E79BridgedGood   //
	E79DarkTotal     //
	E79DarkGood      //
	E79NoIdealPieces //

	// Pieces, whatever the moment.
	TotalPieces   // PQ
	GoodPieces    // GQ
	GoodWatts     // nominal power of the good pieces, µWp
	NoWattsPieces // pieces that count for or against the good ones at moments without watts, by magnitude

	// Energy.
	EnergySpan    // Span of a unit that has a register or a power meter: what Covered is a part of
	Covered       // time whose energy is known
	EnergyKnown   // E
	EnergyLow     // least energy of the time not covered
	EnergyHigh    // most energy of the time not covered, as far as it has a bound
	UnboundedTime // time not covered that has no upper bound
	// EnergyKnown by what the unit did: run and minor stops, set-up, stop, idle, planned or engineering, out of schedule, unknown.
	EnergyRun
	EnergySetup
	EnergyStop
	EnergyIdle
	EnergyPlanned
	EnergyOut
	EnergyUnknown

	NumFields
)

// Finding is something seen in a slice that a person should know.
type Finding uint16

// The findings of the ledger; kpi adds those of ratios. A set of them is a Findings.
const (
	UnmappedState Finding = 1 << iota
	RanUnscheduled
	RanInPlannedStop
	CounterMissing
	CounterResetAssumed
	CounterDropIgnored
	RolloverAmbiguous
	MadeWhileStopped
	RegisterLowerBound // a delta of the energy register that overlaps the slice is a lower bound: there is no high bound
)

// fieldNames are the names of the fields in the store: renaming one orphans what is stored.
var fieldNames = [NumFields]string{
	Span: "span_ns", RunTime: "run_ns", MinorTime: "minor_ns", SetupTime: "setup_ns", StopTime: "stop_ns", IdleTime: "idle_ns",
	UnknownTime: "unknown_ns", PlannedTime: "planned_ns", BridgedTime: "bridged_ns", UncountedTime: "uncounted_ns", Failures: "failures",
	IdealTotal: "ideal_total_ns", IdealGood: "ideal_good_ns", BridgedTotal: "bridged_total_ns", BridgedGood: "bridged_good_ns",
	DarkTotal: "dark_total_ns", DarkGood: "dark_good_ns", NoIdealPieces: "no_ideal_npcs", LinePlannedTime: "line_planned_ns",
	E79Run: "e79_run_ns", E79Minor: "e79_minor_ns", E79Idle: "e79_idle_ns", E79Engineering: "e79_engineering_ns", E79Stop: "e79_stop_ns",
	E79Scheduled: "e79_scheduled_ns", E79Nonscheduled: "e79_nonscheduled_ns", E79Unknown: "e79_unknown_ns", E79Bridged: "e79_bridged_ns",
	E79Uncounted: "e79_uncounted_ns", E79Failures: "e79_failures", E79IdealTotal: "e79_ideal_total_ns", E79IdealGood: "e79_ideal_good_ns",
	E79BridgedTotal: "e79_bridged_total_ns", E79BridgedGood: "e79_bridged_good_ns", E79DarkTotal: "e79_dark_total_ns",
	E79DarkGood: "e79_dark_good_ns", E79NoIdealPieces: "e79_no_ideal_npcs",
	TotalPieces: "total_npcs", GoodPieces: "good_npcs", GoodWatts: "good_uwp", NoWattsPieces: "no_watts_npcs",
	EnergySpan: "energy_span_ns", Covered: "covered_ns", EnergyKnown: "energy_uwh", EnergyLow: "energy_low_uwh", EnergyHigh: "energy_high_uwh",
	UnboundedTime: "unbounded_ns", EnergyRun: "energy_run_uwh", EnergySetup: "energy_setup_uwh", EnergyStop: "energy_stop_uwh",
	EnergyIdle: "energy_idle_uwh", EnergyPlanned: "energy_planned_uwh", EnergyOut: "energy_out_uwh", EnergyUnknown: "energy_unknown_uwh",
}

// Findings is a set of Finding.
type Findings uint16

// Has says that f is in s.
func (s Findings) Has(f Finding) bool { return s&Findings(f) != 0 }

// Reason is what time that was not run time is put down to: of category Stop, Setup, Idle or Planned.
type Reason struct {
	Category Category
	Reason   string // reason if known, else the state's code; "planned_stop" for a planned stop of the calendar
	Minor    bool   // of a minor stop
}

// ReasonSum is what one reason sums up to in a slice.
type ReasonSum struct {
	Time  exact.Num // ns, in planned time (for Planned: planned downtime)
	Count exact.Num // intervals that begin in the slice, each at its first moment in planned time
}

// Facts are the sums of one slice, or of several units, slices or both. The zero Facts are those of nothing.
type Facts struct {
	Sum      [NumFields]exact.Num
	Findings Findings
	// HasPieces: a piece counter exists, be it without readings, or something is booked. HasEnergy: a register or power meter exists.
	HasPieces bool
	HasEnergy bool
	Reasons   map[Reason]ReasonSum // nil when there are none
}

// Get is one field's sum.
func (f *Facts) Get(k Field) exact.Num { return f.Sum[k] }

// Add adds g to f.
func (f *Facts) Add(g *Facts) {
	for i := range f.Sum {
		f.Sum[i] = f.Sum[i].Add(g.Sum[i])
	}
	f.Findings |= g.Findings
	f.HasPieces = f.HasPieces || g.HasPieces
	f.HasEnergy = f.HasEnergy || g.HasEnergy
	for k, v := range g.Reasons {
		if f.Reasons == nil {
			f.Reasons = make(map[Reason]ReasonSum, len(g.Reasons))
		}
		was := f.Reasons[k]
		f.Reasons[k] = ReasonSum{Time: was.Time.Add(v.Time), Count: was.Count.Add(v.Count)}
	}
}

// maxStored is the largest integer that every store and every reader of JSON keeps exactly.
const maxStored = 1 << 53

// Storable is nil when every sum is an integer of at most 53 bits. The facts of one unit and at most one day are, unless a
// reading is absurd.
func (f *Facts) Storable() error {
	for i, v := range f.Sum {
		if n, ok := v.Int64(); !ok || n > maxStored || n < -maxStored {
			return fmt.Errorf("field %s is %s: not an integer of 53 bits", Field(i), v)
		}
	}
	return nil
}
