package calendar

import (
	"time"
)

// Rules say in local time when a plant or a unit is scheduled, and what of that is planned not to be used. Their methods
// turn them into UTC. The zero value of every field but Zone is a sane rule: no shifts at all is always scheduled.
//
// All rules count by local dates: a shift, a stop and a holiday belong to the local date on which they start, and a night
// shift is worked or not as the date of its begin says, whatever the date of its end is.
type Rules struct {
	Zone *time.Location
	// Shifts may overlap (a hand-over); what is scheduled is their union. When there are any, nothing outside of them is
	// scheduled, also not before the first one comes into effect.
	Shifts []Shift
	// Stops are planned stops: recurring ones and single ones.
	Stops []Stop
	// Holidays are local dates on which no shift starts. A night shift that began the day before is worked to its end.
	// Without shifts a holiday takes out its plant day.
	Holidays []Holiday
	// DayStarts say when the plant day begins. Before the first one (and without any) it is midnight.
	DayStarts []DayStart
}

// Shift is a shift that starts on each day that Daily names.
type Shift struct {
	Name string
	Daily
}

// Stop is time in which a unit is planned not to be used. Exactly one of Daily (recurring) and Once is set.
type Stop struct {
	Name   string
	Reason string
	Daily  *Daily
	Once   Interval
}

// Daily is the local time from Begin to End on each day that Days, Cycle and Effective all allow; they judge the date of
// the begin. An End that is not after Begin is on the next day: 20:00 to 08:00 crosses midnight, 06:00 to 06:00 is a whole day.
// The elapsed time is what the zone makes of it: a night shift of 12 hours on the clock may last 11 or 13.
type Daily struct {
	Begin, End Clock
	Days       Weekdays
	Cycle      Cycle
	Effective  Period
}

// Cycle is a rotation of crews: of each Length days, counted from Anchor (day 0) in both directions, those in On. The
// zero Cycle allows every day.
type Cycle struct {
	Anchor Date
	Length int
	On     []int // 0 to Length−1
}

// Holiday is a local date on which no shift starts.
type Holiday struct {
	Name string
	Date Date
}

// DayStart is the local time at which plant days begin, from the day From on. The zero From is always.
type DayStart struct {
	From Date
	At   Clock // before 24:00
}

// Period is the local dates from From up to, and without, Until. A zero Date leaves that end open.
type Period struct{ From, Until Date }

// Date is a date of a local calendar. The zero Date is none.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Clock is a local time of day as a clock on the wall shows it: the time from 00:00, at most 24:00.
type Clock time.Duration

// Weekdays is a set of days of the week: bit n is time.Weekday(n). The zero Weekdays is every day.
type Weekdays uint8

// NamedInterval is a shift or a plant day.
type NamedInterval struct {
	Name string // of the shift; of a plant day its date
	Day  Date   // local date of its begin
	Interval
}

// PlannedStop is one occurrence of a Stop.
type PlannedStop struct {
	Name, Reason string
	Interval
}
