package conform

import (
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// Vector is what one file says. Lists are in the order of the file, as order decides between entries of one time.
// Quantities are in the file's units (pieces, kWh, kW, seconds).
type Vector struct {
	ID, Title, Why string
	Zone           *time.Location
	Now            telemetry.Instant // endOfTime: no limit
	Units          []Unit
	Lines          []Line
	Queries        []Query
}

// Unit is what was recorded of one machine.
type Unit struct {
	ID           string
	Shifts       []calendar.Interval // none: every second is scheduled
	PlannedStops []calendar.Interval
	States       []State
	Alive        []calendar.Interval
	AlwaysAlive  bool
	MinorStop    exact.Num // seconds
	Ideals       []Ideal

	Total, Good, Scrap, Energy *Counter // nil: there is none
	Power                      *Power   // nil: there is none
	Booked                     []Booking
	ScrapReports               []ScrapReport
}

// State is one reported state and what it means by the unit's state_map.
type State struct {
	At       telemetry.Instant
	Code     string
	Category ledger.Category
	Mapped   bool
	Good     bool
}

// Ideal is the ideal time of one piece, from a date on.
type Ideal struct {
	From    telemetry.Instant // math.MinInt64: always
	Product string
	Seconds exact.Num
}

// Counter is a cumulative register.
type Counter struct {
	Rule     ledger.Rule // quantities in the file's units; HasMax tells a MaxPerSecond of 0 from none
	HasMax   bool
	Readings []Reading
	Swaps    []ledger.Swap
}

// Reading is one value of a register and when it became known.
type Reading struct {
	At, KnownAt telemetry.Instant
	Value       exact.Num
	Good        bool
	Revision    exact.Num
}

// Booking is a quantity known only per interval.
type Booking struct {
	calendar.Interval
	Product     string
	Total, Good exact.Num
	ReportedAt  telemetry.Instant
}

// ScrapReport is scrap found later.
type ScrapReport struct {
	Made       calendar.Interval
	Quantity   exact.Num
	ReportedAt telemetry.Instant
}

// Power is what a power meter read, in kW.
type Power struct {
	Readings []PowerReading
	Hold     time.Duration
	Min      exact.Num
	Rated    exact.Num
	HasRated bool
}

// PowerReading is one value of a power meter.
type PowerReading struct {
	At   telemetry.Instant
	KW   exact.Num
	Good bool
}

// Line is a chain of units whose last one hands out what the line makes.
type Line struct {
	ID          string
	Out         string
	UnitSeconds map[string]exact.Num
	Units       []string // the keys of UnitSeconds in the order of the file
}

// Query is one question and what its answer must and must not be.
type Query struct {
	Name     string
	Units    []string // what is asked of, unless Line is set
	Line     string
	Window   calendar.Interval
	AsOf     telemetry.Instant // endOfTime: no limit
	Standard kpi.Standard
	Chunk    time.Duration // 0: whole

	Tolerance exact.Num
	Expect    []Expectation // in the order of the file
	Not       []Expectation // one for each value that must not be given
}

// Expectation is a value of one key: a number, null, the name of a reason, or findings.
type Expectation struct {
	Key      string
	Null     bool
	Number   exact.Num
	Decimal  bool // the number was written as a decimal: it is compared to the tolerance
	Text     string
	Findings []string
	path     string
}
