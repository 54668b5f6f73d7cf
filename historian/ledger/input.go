// Package ledger turns what machines and people recorded of one unit into additive facts for slices of time: how long it
// ran, stood, was unknown; what it made and how much of that was good; what it used. Facts are sums, never ratios: the facts
// of [a,c) are those of [a,b) plus those of [b,c), field by field, for every b.
//
// The package is pure: no clock, no I/O, no plant model. Input holds everything, and everything in it that later knowledge
// could change has been cut at the horizon by whoever filled it.
package ledger

import (
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Quanta: the whole numbers that quantities are counted in. A unit's day of any of them fits 53 bits, which every store keeps exactly.
const (
	NanosPerPiece  = 1_000_000_000 // pieces (wafers, kg, …) are counted in nano-pieces
	MicroWhPerKWh  = 1_000_000_000 // energy in µWh
	MilliWattPerKW = 1_000_000     // power in mW
	MicrosPerWatt  = 1_000_000     // nominal power of products in µWp
)

// Category is what a state means for the time of a unit.
type Category uint8

// The categories. SEMI E10's names stand for them too: PRD Run, SBY Idle, UDT Stop, SDT Planned, ENG Engineering, NST Nonscheduled.
const (
	Unknown      Category = iota
	Run                   // producing (ISO 22400 APT)
	Setup                 // set-up, change-over (ASUT)
	Stop                  // unplanned stop inside an order (ADET)
	Idle                  // available without an order (ADOT)
	Planned               // planned downtime
	Engineering           // planned downtime by ISO, uptime by E79
	Nonscheduled          // not in any sum by ISO
)

// Input is everything that the facts of one unit follow from. Lists are sorted by time unless said otherwise. A
// quantity is in quanta; with Exact it may be a fraction of one.
type Input struct {
	Unit    string
	Horizon telemetry.Instant // nothing after it exists: windows end here, and so does every state

	// Shifts is the scheduled operating time, PlannedStops what is planned not to be used of it. Always: every moment is scheduled.
	Shifts       calendar.Set
	Always       bool
	PlannedStops calendar.Set

	States []State
	// Alive is when the unit was demonstrably seen; outside, its state is unknown. AlwaysAlive: at every moment.
	Alive       calendar.Set
	AlwaysAlive bool
	Limits      []Limits // by From; the last one whose From is not later applies; before the first, zero

	Total, Good, Scrap *Counter // pieces; nil: the unit has no such counter
	Ideals             []Ideal  // by From, and of equal From the one that counts last
	Watts              []Watts  // by From, as Ideals; empty: the unit's pieces have no watts
	Booked             []Booking
	ScrapReports       []ScrapReport

	Energy *Counter // a register, in µWh; what flows all the time does not stand until it is reported: OnChange is not looked at
	Power  *Power

	// Exact: shares of quantities are exact fractions. Otherwise quantities are whole quanta, and the share of a delta up
	// to a border is rounded once, so that the shares of a delta add up to it wherever it is cut.
	Exact bool
}

// State is one reported state. It holds until the next one.
type State struct {
	At       telemetry.Instant
	Category Category
	Code     string // as reported
	Reason   string // why, when known; "" otherwise
	Bad      bool   // quality not Good: unknown from here until the next Good state
	Unmapped bool   // the state map lacks the code; Category is Unknown
}

// Limits are what a model says of a unit from a date on.
type Limits struct {
	From      telemetry.Instant
	MinorStop time.Duration // a stop shorter than this, directly between two runs, is a minor stop
}

// Ideal is the shortest time that one piece can take, from a date on.
type Ideal struct {
	From    telemetry.Instant // math.MinInt64: always
	Product string
	Seconds exact.Num // per piece; 0: none is known from here on
}

// Watts is the nominal power of one good piece, from a date on: what energy per watt is divided by.
type Watts struct {
	From     telemetry.Instant // math.MinInt64: always
	Product  string
	PerPiece exact.Num // Wp; 0: none is known from here on
}

// RuleKind says what a falling value means.
type RuleKind uint8

// The kinds of rules.
const (
	Reset    RuleKind = iota // it began again from zero
	Rollover                 // it passed its modulus
)

// Rule is how a counter counts, from a date on.
type Rule struct {
	From         telemetry.Instant
	Kind         RuleKind
	Modulus      exact.Num // of a Rollover, in quanta
	Epsilon      exact.Num // a fall of at most this is jitter; 0: none is
	MaxPerSecond exact.Num // of a Rollover, in quanta; 0: not declared
}

// Counter is a cumulative register and what is known of it.
type Counter struct {
	Rules    []Rule    // by From; empty: Reset. A pair of readings follows the rule in force at the later one
	Readings []Reading // Good ones only, by At, one for each At
	Swaps    []Swap    // by At, one for each At
	// OnChange: the source reports every change, so that a value stands until the last proof of life (the last Beat)
	// before the next reading or, after the last reading, before the horizon. Beats are those proofs' grid.
	OnChange bool
	Beat     time.Duration // grid of the proofs of life within Input.Alive, counted from its intervals' begin; 0: continuous
	Blind    calendar.Set  // OnChange: while the counter's own quality was not Good; no proof of life says then that it stood
}

// Reading is one value of a register.
type Reading struct {
	At    telemetry.Instant
	Value exact.Num
}

// Swap is a register replaced, or set back on record: Final ends the old one, Initial begins the new one.
type Swap struct {
	At             telemetry.Instant
	Final, Initial exact.Num
}

// Booking is a quantity known only for an interval.
type Booking struct {
	calendar.Interval
	Product     string // "": valued as counted pieces are
	Total, Good exact.Num
	// Completion: all of it is credited to the last moment of the interval (completion credit) instead of being spread over
	// the interval (progress credit). The interval counts as booked either way.
	Completion bool
}

// ScrapReport is scrap found later: Quantity of the pieces made in Made were not good.
type ScrapReport struct {
	Made     calendar.Interval
	Quantity exact.Num
}

// Power is what a power meter read: for energy where no register is, or to shape a register's deltas.
type Power struct {
	Readings []PowerReading // by At, one for each At
	Bounds   []PowerBounds  // by From
}

// PowerReading holds until the next one, but at most for the hold limit.
type PowerReading struct {
	At  telemetry.Instant
	MW  exact.Num // milliwatt
	Bad bool      // power is unknown from here until the next Good reading
}

// PowerBounds are what a model says of a unit's power, from a date on.
type PowerBounds struct {
	From  telemetry.Instant
	Hold  time.Duration
	Min   exact.Num // mW
	Rated exact.Num // mW; meaningful only with HasRated
	// HasRated: without it there is no upper bound for time without power.
	HasRated bool
}
