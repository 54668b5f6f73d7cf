package contract

import (
	"math"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// The range of times that a vector may hold, the years 1900 to 2189: its length fits a time.Duration.
const (
	begin telemetry.Instant = -2_208_988_800 * 1_000_000_000
	end   telemetry.Instant = 6_942_585_600 * 1_000_000_000
)

const (
	// Always is the date of what held from the beginning.
	Always telemetry.Instant = math.MinInt64
	// Never is the moment of asking of a question without one: nothing is too late for it.
	Never = end
)

// Vector is one record and the questions to it. Lists may be in any order; of entries of one moment the later counts.
// Quantities are in the units of the text: pieces, kWh, kW, seconds. The zero Now means Never only in JSON; set it.
type Vector struct {
	ID, Title, Why string
	Zone           string            // IANA name; times of a file without an offset are local in it
	Now            telemetry.Instant // the moment of asking
	Units          []Unit
	Lines          []Line
	Queries        []Query
}

// Unit is everything recorded of one machine.
type Unit struct {
	ID           string
	Shifts       []calendar.Interval // none: every second is scheduled
	PlannedStops []calendar.Interval
	StateMap     map[string]Category // a code that it lacks is unmapped: unknown
	States       []State
	Alive        []calendar.Interval
	AlwaysAlive  bool
	MinorStop    exact.Num // seconds; 0: no stop is minor
	Ideals       []Ideal

	Total, Good, Scrap, Energy *Counter // nil: the unit has none
	Booked                     []Booking
	ScrapReports               []ScrapReport
	Power                      *Power // nil: the unit has none
}

// Category is what a state means for the time of a unit.
type Category uint8

// The categories. Engineering is planned downtime, but uptime in E79.
const (
	Unknown Category = iota
	Run
	Setup
	Stop
	Idle
	Planned
	Engineering
	Nonscheduled
)

// State is one reported state; it holds until the next.
type State struct {
	At   telemetry.Instant
	Code string
	Bad  bool // Bad or Uncertain: unknown until the next good one
}

// Ideal is the ideal time of one piece of a product, from a date on.
type Ideal struct {
	Product string
	From    telemetry.Instant // Always: no date
	Seconds exact.Num         // above 0; 0: none from then on, which the JSON has no word for
}

// Counter is a cumulative register, of pieces or of kWh.
type Counter struct {
	Rule     Rule
	Readings []Reading
	Swaps    []Swap
}

// Rule says what a falling counter means.
type Rule struct {
	Rollover     bool       // past Modulus it begins again from zero; false: a drop is a reset
	Modulus      exact.Num  // of a rollover: above every value
	Epsilon      exact.Num  // a drop of at most this is ignored
	MaxPerSecond *exact.Num // of a rollover; nil: not said
}

// Reading is one value of a counter.
type Reading struct {
	At, KnownAt telemetry.Instant // KnownAt: when it arrived
	Value       exact.Num
	Bad         bool
	Revision    int64
}

// Swap is a meter replaced at a moment by another.
type Swap struct {
	At             telemetry.Instant
	Final, Initial exact.Num // the last value of the old one, the first of the new one
}

// Booking is a quantity known only per interval.
type Booking struct {
	calendar.Interval
	Product     string // "": its pieces have the ideal of counted ones
	Total, Good exact.Num
	ReportedAt  telemetry.Instant // not before To
}

// ScrapReport is scrap found after it was made.
type ScrapReport struct {
	Made       calendar.Interval
	Quantity   exact.Num
	ReportedAt telemetry.Instant // not before Made.To
}

// Power is what a power meter read.
type Power struct {
	Readings []PowerReading
	Hold     time.Duration // how long a reading holds at most
	Min      exact.Num     // kW
	Rated    *exact.Num    // kW; nil: no limit
}

// PowerReading is one value of a power meter.
type PowerReading struct {
	At  telemetry.Instant
	KW  exact.Num
	Bad bool
}

// Line is a chain of units.
type Line struct {
	ID          string
	UnitSeconds map[string]exact.Num // ideal seconds per finished unit at each step
	Out         string               // one of UnitSeconds
}

// Query is one question.
type Query struct {
	Name   string
	Units  []string // what is asked of, unless Plant or Line is set
	Plant  bool     // all units
	Line   string
	Window calendar.Interval
	AsOf   telemetry.Instant // Never: what is known at Vector.Now
	E79    bool

	Expect *Answer // written as what is expected, not read
}
