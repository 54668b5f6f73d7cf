package calendar

import (
	"archive/zip"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

// zones have changes of every kind: whole and half hours, a skipped day, clocks set at midnight, negative daylight
// saving time, a country that moved its zone, and several changes within days (Ramadan in Morocco).
var zones = []string{"Asia/Almaty", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein",
	"America/Sao_Paulo", "Europe/Dublin", "Africa/Casablanca", "Asia/Kathmandu", "Antarctica/Troll", "America/Caracas", "Asia/Pyongyang", "UTC"}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func mustParse(t testing.TB, s string, loc *time.Location) telemetry.Instant {
	t.Helper()
	at, err := ParseTime(s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestLocal(t *testing.T) {
	for _, c := range []struct{ zone, local, want, why string }{
		{"Asia/Almaty", "2024-02-29T20:00:00", "2024-02-29T14:00:00Z", "the night shift of 13 hours begins"},
		{"Asia/Almaty", "2024-02-29T22:59:59.999999999", "2024-02-29T16:59:59.999999999Z", "last that is unambiguous"},
		{"Asia/Almaty", "2024-02-29T23:30:00", "2024-02-29T17:30:00Z", "twice: the first"},
		{"Asia/Almaty", "2024-02-29T23:59:59.999999999", "2024-02-29T17:59:59.999999999Z", "twice: the first"},
		{"Asia/Almaty", "2024-03-01T00:00:00", "2024-02-29T19:00:00Z", "clocks went from 24:00 back to 23:00"},
		{"Asia/Almaty", "2024-03-01T08:00:00", "2024-03-01T03:00:00Z", "and ends"},
		{"Europe/Berlin", "2026-03-29T01:59:59.999999999", "2026-03-29T00:59:59.999999999Z", "last before spring"},
		{"Europe/Berlin", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z", "skipped: with the offset before"},
		{"Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z", "skipped"},
		{"Europe/Berlin", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z", "first of summer"},
		{"Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z", "before autumn"},
		{"Europe/Berlin", "2026-10-25T02:00:00", "2026-10-25T00:00:00Z", "twice: the first"},
		{"Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", "twice: the first"},
		{"Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z", "first that is unambiguous again"},
		{"America/St_Johns", "2006-10-29T00:00:30", "2006-10-29T02:30:30Z", "clocks went back at one minute past midnight: the first"},
		{"America/St_Johns", "2006-10-28T23:30:00", "2006-10-29T02:00:00Z", "the day before is repeated too: the first"},
		{"America/St_Johns", "2006-10-29T00:01:00", "2006-10-29T03:31:00Z", "after it"},
		{"America/St_Johns", "2006-04-02T00:30:00", "2006-04-02T04:00:00Z", "skipped"},
		{"Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z", "half an hour twice: the first"},
		{"Australia/Lord_Howe", "2026-04-05T02:00:00", "2026-04-04T15:30:00Z", "after it"},
		{"Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00Z", "half an hour skipped"},
		{"Australia/Lord_Howe", "2026-10-04T02:30:00", "2026-10-03T15:30:00Z", "after it"},
		{"Pacific/Apia", "2011-12-29T23:59:59", "2011-12-30T09:59:59Z", "last second before the day that was skipped"},
		{"Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z", "skipped: with the offset before"},
		{"Pacific/Apia", "2011-12-31T00:00:00", "2011-12-30T10:00:00Z", "first second after it"},
		{"America/Sao_Paulo", "2018-11-04T00:00:00", "2018-11-04T03:00:00Z", "a midnight that was skipped"},
		{"UTC", "1970-01-01T00:00:00", "1970-01-01T00:00:00Z", "the beginning"},
		{"Europe/Berlin", "2040-12-31T12:00:00", "2040-12-31T11:00:00Z", "last day of a leap year by the rule, where time.ZoneBounds is wrong"},
		{"Europe/Berlin", "2100-07-01T00:00:00", "2100-06-30T22:00:00Z", "by the rule at the end of the database"},
	} {
		loc := mustZone(t, c.zone)
		if got := mustParse(t, c.local, loc); got != mustParse(t, c.want, nil) {
			t.Errorf("%s %s = %s, want %s: %s", c.zone, c.local, got, c.want, c.why)
		}
	}
}

// localBySearch is Local by its definition, minute by minute: the zones of the tests set their clocks by whole minutes.
func localBySearch(loc *time.Location, date Date, clock Clock) telemetry.Instant {
	want := date.midnight().Add(time.Duration(clock))
	var lastOffset time.Duration
	seen := false
	for at := want.Add(-26 * time.Hour); !at.After(want.Add(26 * time.Hour)); at = at.Add(time.Minute) {
		_, seconds := at.In(loc).Zone()
		offset := time.Duration(seconds) * time.Second
		wall := at.Add(offset)
		if wall.Equal(want) {
			i, _ := telemetry.FromTime(at)
			return i
		}
		if wall.After(want) && seen {
			i, _ := telemetry.FromTime(want.Add(-lastOffset))
			return i
		}
		if wall.Before(want) {
			lastOffset, seen = offset, true
		}
	}
	panic("no such time")
}

// step is how closely changes of offset are looked for: no clocks were ever set and set back within half a day.
const step = 12 * time.Hour

// changes are the moments within the years at which loc changes its offset, at most a step too early.
func changes(loc *time.Location, from, to int) []time.Time {
	var out []time.Time
	at := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
	for last := offsetAt(at, loc); at.Year() <= to; at = at.Add(step) {
		if o := offsetAt(at, loc); o != last {
			out, last = append(out, at.Add(-step)), o
		}
	}
	return out
}

// TestZonesChangeRarely looks after what Local takes for granted, in all zones that Go's own database names.
func TestZonesChangeRarely(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all zones")
	}
	for _, name := range allZones(t) {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		var last time.Time
		for _, at := range changes(loc, 1970, 2038) {
			if d := at.Sub(last); d <= mostAhead+mostBehind+step {
				t.Errorf("%s changes at %s, %s after the change before", name, at, d)
			}
			last = at
			for _, o := range []time.Duration{offsetAt(at, loc), offsetAt(at.Add(step), loc)} {
				if o > mostAhead || -o > mostBehind {
					t.Errorf("%s is at %s from UTC at %s", name, o, at)
				}
			}
		}
	}
}

// allZones are the names in the database of the Go release that runs the test, or those of the tests where it is not at hand.
func allZones(t *testing.T) []string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Logf("no Go at hand (%v): only the zones of the tests are looked at", err)
		return zones
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(out)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Logf("no database at hand (%v): only the zones of the tests are looked at", err)
		return zones
	}
	defer z.Close()
	var names []string
	seen := make(map[uint32]bool) // checksums: many names are of one zone
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") && !seen[f.CRC32] {
			seen[f.CRC32] = true
			names = append(names, f.Name)
		}
	}
	if len(names) < 200 {
		t.Errorf("only %d zones in %s", len(names), out)
	}
	return names
}

func TestLocalAgainstSearch(t *testing.T) {
	for _, name := range zones {
		loc := mustZone(t, name)
		all := changes(loc, 1972, 2100)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				at := time.Date(1972, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 128*365*24*60).Draw(t, "minute")) * time.Minute)
				if len(all) > 0 && rapid.Bool().Draw(t, "near a change") {
					at = rapid.SampledFrom(all).Draw(t, "change").Add(time.Duration(rapid.IntRange(-1800, 1800).Draw(t, "minutes")) * time.Minute)
				}
				wall := at.In(loc)
				date, clock := Date{wall.Year(), wall.Month(), wall.Day()}, Clock(rapid.IntRange(0, 24*60).Draw(t, "clock"))*Clock(time.Minute)
				if got, want := Local(loc, date, clock), localBySearch(loc, date, clock); got != want {
					t.Fatalf("%s %s %s = %s, want %s", name, date, clock, got, want)
				}
			})
		})
	}
}

func TestLocalOutOfRange(t *testing.T) {
	if at := Local(time.UTC, Date{1500, 1, 1}, 0); at != math.MinInt64 {
		t.Errorf("the year 1500 is %d", at)
	}
	if at := Local(time.UTC, Date{2500, 1, 1}, 0); at != math.MaxInt64 {
		t.Errorf("the year 2500 is %d", at)
	}
}

func TestParseTime(t *testing.T) {
	almaty := mustZone(t, "Asia/Almaty")
	for s, want := range map[string]string{
		"2026-11-02T08:00:00":            "2026-11-02T03:00:00Z",
		"2026-11-02T08:00:00Z":           "2026-11-02T08:00:00Z",
		"2026-11-02T08:00:00+05:30":      "2026-11-02T02:30:00Z",
		"2026-11-02T08:00:00-00:30":      "2026-11-02T08:30:00Z",
		"2026-11-02T08:00:00.5":          "2026-11-02T03:00:00.5Z",
		"2026-11-02T08:00:00.000000001Z": "2026-11-02T08:00:00.000000001Z",
		"2024-02-29T23:30:00+05:00":      "2024-02-29T18:30:00Z",
		"1969-12-31T23:59:59.999999999Z": "1969-12-31T23:59:59.999999999Z",
	} {
		if got := mustParse(t, s, almaty).String(); got != want {
			t.Errorf("%s = %s, want %s", s, got, want)
		}
	}
	for _, s := range []string{"", "2026-11-02", "2026-11-02T08:00", "2026-11-02 08:00:00", "2026-11-02t08:00:00", "2026-11-02T08:00:00z",
		"2026-11-02T24:00:00", "2026-11-02T08:60:00", "2026-11-02T08:00:60", "2026-11-31T08:00:00", "2026-02-29T08:00:00", "2026-13-01T08:00:00",
		"2026-00-01T08:00:00", "2026-01-00T08:00:00", "0000-01-01T00:00:00", "2026-11-02T08:00:00.", "2026-11-02T08:00:00.0000000000",
		"2026-11-02T08:00:00,5", "2026-11-02T08:00:00+05", "2026-11-02T08:00:00+0500", "2026-11-02T08:00:00+24:00", "2026-11-02T08:00:00+05:60",
		"2026-11-02T08:00:00 Z", " 2026-11-02T08:00:00", "2026-11-02T08:00:00Z ", "+026-11-02T08:00:00", "2026-11-02T+8:00:00", "2026-11-02T08:00:00.+5",
		"02.11.2026 08:00", "1600-01-01T00:00:00", "2300-01-01T00:00:00", "1677-01-01T00:00:00Z", "2026-11-02T٠٨:00:00"} {
		at, err := ParseTime(s, almaty)
		if !errors.Is(err, ErrTime) {
			t.Errorf("%q = %s, %v; want an error", s, at, err)
		}
	}
}

func TestParseTimeWithoutZone(t *testing.T) {
	if at, err := ParseTime("2026-11-02T08:00:00", nil); !errors.Is(err, ErrTime) {
		t.Errorf("a local time of no zone is %s, %v", at, err)
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("2026-11-02T08:00:00.123456789+05:30")
	f.Add("2024-02-29T23:30:00")
	f.Add("2011-12-30T12:00:00Z")
	loc := mustZone(f, "America/St_Johns")
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseTime(s, loc)
		if err != nil {
			return
		}
		// What is absolute, RFC 3339 reads as the same; Go's parser takes more than nine decimals and a comma, we do not.
		if ref, err := time.Parse(time.RFC3339Nano, s); err == nil {
			if want, _ := telemetry.FromTime(ref); at != want {
				t.Fatalf("%q = %s, RFC 3339 %s", s, at, want)
			}
		} else if strings.HasSuffix(s, "Z") {
			t.Fatalf("%q = %s, RFC 3339 refuses it: %v", s, at, err)
		}
		if again, err := ParseTime(at.String(), nil); err != nil || again != at {
			t.Fatalf("%q = %s reads back as %s, %v", s, at, again, err)
		}
	})
}

func TestParseClockAndDate(t *testing.T) {
	for s, want := range map[string]time.Duration{"00:00": 0, "08:30": 8*time.Hour + 30*time.Minute, "20:00:30": 20*time.Hour + 30*time.Second, "24:00": 24 * time.Hour} {
		c, err := ParseClock(s)
		if err != nil || c != Clock(want) || c.String() != s {
			t.Errorf("%s = %s, %v", s, c, err)
		}
	}
	for _, s := range []string{"", "8:00", "24:01", "24:00:01", "25:00", "08:60", "08:00:60", "08:00:00.5", "08:00Z", "08.00", "-1:00", "08:00:00:00"} {
		if c, err := ParseClock(s); !errors.Is(err, ErrTime) {
			t.Errorf("%q = %s, %v; want an error", s, c, err)
		}
	}
	if d, err := ParseDate("2024-02-29"); err != nil || d != (Date{2024, 2, 29}) || d.String() != "2024-02-29" {
		t.Errorf("2024-02-29 = %s, %v", d, err)
	}
	for _, s := range []string{"", "2026-02-29", "2026-2-3", "2026-11-02T00:00:00", "0000-01-01", "20261102"} {
		if d, err := ParseDate(s); !errors.Is(err, ErrTime) {
			t.Errorf("%q = %s, %v; want an error", s, d, err)
		}
	}
}

func TestZone(t *testing.T) {
	for _, name := range []string{"", "Local", "Asia/Astana1", "../etc/passwd"} {
		if _, err := Zone(name); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("zone %q: %v", name, err)
		}
	}
	if since2024a(time.FixedZone("Almaty of release 2023d", 6*3600)) {
		t.Error("an old database is taken for a new one")
	}
}
