package calendar

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the zones, for machines that have none: Go takes the system's own (or $ZONEINFO) where it finds them

	"kvarts/historian/telemetry"
)

// Zone loads an IANA zone such as "Asia/Almaty". It refuses "" and "Local", which mean another zone on another machine,
// and a zone database that is too old to be right about the past.
//
// Go does not tell which release of the database it uses (the system's, else the one of the Go release that built the
// program), so the database is asked for what the release 2024a brought.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("zone %q: not an IANA zone; name one, like Asia/Almaty or Europe/Berlin", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("load zone %q: %w; name an IANA zone, like Asia/Almaty or Europe/Berlin", name, err)
	}
	almaty, err := time.LoadLocation("Asia/Almaty")
	if err != nil {
		return nil, fmt.Errorf("load zone %q: %w", name, err)
	}
	if !since2024a(almaty) {
		return nil, fmt.Errorf("load zone %q: the zone database is older than release 2024a; update the system's tzdata, or remove it to use the one that is built in", name)
	}
	return loc, nil
}

// since2024a says that the database that almaty comes from knows that Kazakhstan left UTC+6 on 2024-03-01.
func since2024a(almaty *time.Location) bool {
	_, offset := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).In(almaty).Zone()
	return offset == 5*3600
}

// The clocks of all zones since 1970 are at most this far ahead of UTC and behind it, and no zone changed its offset twice
// within the sum of the two (a test looks).
const (
	mostAhead  = 14 * time.Hour // Pacific/Kiritimati
	mostBehind = 12 * time.Hour
)

// Local is the moment at which the clocks of loc show clock on the given date. A local time that occurs twice, when
// clocks are set back, means the first; one that is skipped, when they are set forward, is read with the offset before the
// change. (time.Date promises neither.) A clock of 24:00 is 00:00 of the next day. What an Instant cannot hold becomes
// the first or the last Instant.
//
//	u = the wall clock, read as if it were UTC
//	──────┬──────────────── change ───────────────┬──────
//	 u − mostAhead     offset │ offset       u + mostBehind      Both offsets hold where they say u is: the clocks were
//	                   before │ after                            set back, u occurs twice. Neither does: u was skipped.
//
// It asks for offsets only: for 31 December of leap years beyond the zone's list of changes, time.ZoneBounds of Go 1.26
// gives an end that lies before its time.
func Local(loc *time.Location, date Date, clock Clock) telemetry.Instant {
	u := time.Date(date.Year, date.Month, date.Day, 0, 0, 0, 0, time.UTC).Add(time.Duration(clock))
	before, after := offsetAt(u.Add(-mostAhead), loc), offsetAt(u.Add(mostBehind), loc)
	first, second := u.Add(-before), u.Add(-after)
	if offsetAt(first, loc) != before && offsetAt(second, loc) == after {
		return saturated(second)
	}
	return saturated(first)
}

func offsetAt(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}

func saturated(t time.Time) telemetry.Instant {
	if i, ok := telemetry.FromTime(t); ok {
		return i
	}
	if t.Year() < 1970 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// ErrTime is in the chain of every error of ParseTime, ParseDate and ParseClock.
var ErrTime = errors.New("not a time")

const timeRemedy = "write 2026-11-02T08:00:00 (local time), 2026-11-02T08:00:00Z or 2026-11-02T08:00:00+05:00, with at most nine decimals of a second"

// ParseTime reads ISO 8601, "2026-11-02T08:00:00" with at most nine decimals. With Z or an offset (±hh:mm) the time is
// absolute, without it is local in loc, as Local reads it; where loc is nil that is an error.
func ParseTime(s string, loc *time.Location) (telemetry.Instant, error) {
	day, rest, _ := strings.Cut(s, "T")
	date, ok := parseDate(day)
	clock, n, ok2 := parseSeconds(rest)
	if !ok || !ok2 {
		return 0, fmt.Errorf("time %q: %w: %s", s, ErrTime, timeRemedy)
	}
	offset, absolute, ok := parseOffset(rest[n:])
	if !ok {
		return 0, fmt.Errorf("time %q: %w: %s", s, ErrTime, timeRemedy)
	}
	switch {
	case absolute:
		loc = time.FixedZone("", offset)
	case loc == nil:
		return 0, fmt.Errorf("time %q: %w of a known zone: write Z or an offset behind it, like 2026-11-02T08:00:00+05:00", s, ErrTime)
	}
	t := Local(loc, date, clock)
	if t == math.MinInt64 || t == math.MaxInt64 {
		return 0, fmt.Errorf("time %q: %w that can be stored: the years 1678 to 2261 can", s, ErrTime)
	}
	return t, nil
}

// ParseDate reads a date, "2026-11-02".
func ParseDate(s string) (Date, error) {
	d, ok := parseDate(s)
	if !ok {
		return Date{}, fmt.Errorf("date %q: %w: write a date of the calendar like 2026-11-02", s, ErrTime)
	}
	return d, nil
}

// ParseClock reads a time of day, "20:00" or "20:00:30", up to "24:00".
func ParseClock(s string) (Clock, error) {
	long := s
	if len(s) == len("20:00") {
		long += ":00"
	}
	if long == "24:00:00" {
		return Clock(24 * time.Hour), nil
	}
	c, n, ok := parseSeconds(long)
	if !ok || n != len(long) || n != len("20:00:00") {
		return 0, fmt.Errorf("time of day %q: %w: write one like 08:00 or 20:00:30, at most 24:00", s, ErrTime)
	}
	return c, nil
}

func parseDate(s string) (Date, bool) {
	if len(s) != len("2026-11-02") || s[4] != '-' || s[7] != '-' {
		return Date{}, false
	}
	y, ok1 := number(s[:4], 9999)
	m, ok2 := number(s[5:7], 12)
	d, ok3 := number(s[8:], 31)
	date := Date{y, time.Month(m), d}
	return date, ok1 && ok2 && ok3 && date.exists()
}

// parseSeconds reads "08:00:00" with at most nine decimals at the start of s, n bytes of it.
func parseSeconds(s string) (c Clock, n int, ok bool) {
	if len(s) < len("08:00:00") || s[2] != ':' || s[5] != ':' {
		return 0, 0, false
	}
	h, ok1 := number(s[:2], 23)
	m, ok2 := number(s[3:5], 59)
	sec, ok3 := number(s[6:8], 59)
	c = Clock(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second)
	n = len("08:00:00")
	if n == len(s) || s[n] != '.' {
		return c, n, ok1 && ok2 && ok3
	}
	end := n + 1
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	decimals := s[n+1 : end]
	if len(decimals) > 9 {
		return 0, 0, false
	}
	ns, ok4 := number((decimals + "000000000")[:9], 999_999_999)
	return c + Clock(ns), end, ok1 && ok2 && ok3 && ok4 && decimals != ""
}

// parseOffset reads "Z", "+05:00" or "", in seconds.
func parseOffset(s string) (seconds int, absolute, ok bool) {
	switch {
	case s == "":
		return 0, false, true
	case s == "Z":
		return 0, true, true
	case len(s) != len("+05:00") || s[0] != '+' && s[0] != '-' || s[3] != ':':
		return 0, false, false
	}
	h, ok1 := number(s[1:3], 23)
	m, ok2 := number(s[4:], 59)
	seconds = h*3600 + m*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true, ok1 && ok2
}

// number reads digits, and nothing else, up to limit.
func number(s string, limit int) (int, bool) {
	if strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= limit
}
