// Package record is what people know and machines do not: why it stood still, which order ran, what was counted by hand, scrap
// found later, meters that were replaced. A record is entered with who, when and why. Nothing is overwritten: a correction is
// a new revision of the same id, a withdrawal too.
//
// FORMAT.md says how records are stored and imported; a test compares it with the code. The package does no I/O of its own.
package record

import (
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Kind is what a record says.
type Kind string

// The kinds.
const (
	DowntimeReason Kind = "downtime_reason" // why a unit did not run
	Order          Kind = "order"           // which order, of which product, a unit or line worked on
	Changeover     Kind = "changeover"      // set-up between products
	Booked         Kind = "booked"          // pieces known only for an interval, in addition to what counters say
	Scrap          Kind = "scrap"           // pieces made in an interval that turned out not to be good
	CounterSwap    Kind = "counter_swap"    // a meter replaced: final ends the old one, initial begins the new one
	CounterReset   Kind = "counter_reset"   // a counter set back by hand: from final to initial
	PlannedStop    Kind = "planned_stop"    // approved maintenance: leaves planned busy time
	Rework         Kind = "rework"          // pieces that were worked again, and how many of them became good
)

// Record is one revision of one thing that people know. Which fields belong to a kind, and which of them it needs, says
// Check. A pointer that is nil is a quantity that is not told.
type Record struct {
	Kind Kind
	// Where: exactly one of them is set. Line and Area stand for all of their units.
	Unit, Line, Area string
	// From is the begin of the interval [From, To) that is spoken of, or the moment (counters). Of Scrap it is when the
	// pieces were made.
	From telemetry.Instant
	To   telemetry.Instant // equals From for a moment

	Reason   string
	Category string // what the time of a DowntimeReason is to count as; "": as the state says
	Order    string
	Product  string
	Signal   string // the counter's

	Total, Good    *exact.Num // pieces; Good of Booked: nil is all of Total
	Quantity       *exact.Num // pieces
	Final, Initial *exact.Num // what the counter showed, in its own unit
	// ReportedAt is when scrap was found, or a quantity booked; 0: not told.
	ReportedAt telemetry.Instant

	// ID names the thing over all revisions. DefaultID makes one.
	ID       string
	Revision int // from 1
	Audit
	Deleted bool // withdrawn: it was not so
	// Moved says that this revision stands elsewhere, at another time or unit, and no longer here. It is stored where the
	// revision before stood, so that who reads only that time knows.
	Moved bool
	// Reach is the latest To of this and all earlier revisions: who looks for records of an interval finds all revisions or none.
	Reach telemetry.Instant
}

// Audit is who wrote a revision, when and why.
type Audit struct {
	By      string
	Why     string
	KnownAt telemetry.Instant // when it was written, in whole µs
	Source  string            // "cli", or "file:line" of an import
}

// MaxLength is the longest interval of one record, in ns: 100 days. A reader looks that far back.
const MaxLength = telemetry.Instant(100 * 24 * 3600 * 1e9)
