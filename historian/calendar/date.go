package calendar

import (
	"fmt"
	"time"

	"kvarts/historian/telemetry"
)

// DateOf is the local date in loc at t.
func DateOf(t telemetry.Instant, loc *time.Location) Date {
	y, m, d := t.Time().In(loc).Date()
	return Date{y, m, d}
}

// IsZero says that d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Add is d moved by days, over the borders of months and years.
func (d Date) Add(days int) Date {
	y, m, day := time.Date(d.Year, d.Month, d.Day+days, 0, 0, 0, 0, time.UTC).Date()
	return Date{y, m, day}
}

// Sub is the number of days from e to d.
func (d Date) Sub(e Date) int { return int(d.midnight().Sub(e.midnight()) / (24 * time.Hour)) }

// Before says that d is earlier than e.
func (d Date) Before(e Date) bool { return d.midnight().Before(e.midnight()) }

// Weekday of d.
func (d Date) Weekday() time.Weekday { return d.midnight().Weekday() }

func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

func (d Date) midnight() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

// exists says that d is in the calendar: no 30 February.
func (d Date) exists() bool { return d.Add(0) == d && d.Year > 0 }

func (c Clock) String() string {
	t := time.Duration(c)
	s := fmt.Sprintf("%02d:%02d", t/time.Hour, t/time.Minute%60)
	if t%time.Minute != 0 {
		s += fmt.Sprintf(":%02d", t/time.Second%60)
	}
	return s
}

// OnDays is the set of these days of the week.
func OnDays(days ...time.Weekday) Weekdays {
	var w Weekdays
	for _, d := range days {
		w |= 1 << d
	}
	return w
}

// Holds says that d is one of the days.
func (w Weekdays) Holds(d time.Weekday) bool { return w == 0 || w&(1<<d) != 0 }

// Holds says that d lies in p.
func (p Period) Holds(d Date) bool {
	return (p.From.IsZero() || !d.Before(p.From)) && (p.Until.IsZero() || d.Before(p.Until))
}

// Holds says that the cycle allows d.
func (c Cycle) Holds(d Date) bool {
	if c.Length == 0 {
		return true
	}
	k := d.Sub(c.Anchor) % c.Length
	if k < 0 {
		k += c.Length
	}
	for _, on := range c.On {
		if on == k {
			return true
		}
	}
	return false
}
