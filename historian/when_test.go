package main

import (
	"errors"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

func almaty(t testing.TB) *calendar.Rules {
	t.Helper()
	loc, err := calendar.Zone("Asia/Almaty")
	if err != nil {
		t.Fatal(err)
	}
	daily := func(begin, end time.Duration) calendar.Daily {
		return calendar.Daily{Begin: calendar.Clock(begin), End: calendar.Clock(end)}
	}
	return &calendar.Rules{Zone: loc,
		Shifts:    []calendar.Shift{{Name: "day", Daily: daily(8*time.Hour, 20*time.Hour)}, {Name: "night", Daily: daily(20*time.Hour, 8*time.Hour)}},
		DayStarts: []calendar.DayStart{{At: calendar.Clock(8 * time.Hour)}}}
}

func TestWhen(t *testing.T) {
	now, _ := telemetry.FromTime(time.Date(2026, 11, 3, 1, 30, 0, 0, time.UTC)) // 06:30 in Almaty, in the night shift of 2 November
	w := &when{now: now, rules: almaty(t)}
	for text, want := range map[string]string{
		"now":                       "2026-11-03T01:30:00Z",
		"now-8h":                    "2026-11-02T17:30:00Z",
		"now-1h30m":                 "2026-11-03T00:00:00Z",
		"now-7d":                    "2026-10-27T01:30:00Z",
		"today":                     "2026-11-02T03:00:00Z",
		"yesterday":                 "2026-11-01T03:00:00Z",
		"shift":                     "2026-11-02T15:00:00Z",
		"shift-1":                   "2026-11-02T03:00:00Z",
		"2026-10-05":                "2026-10-05T03:00:00Z",
		"2026-10-05 08:00":          "2026-10-05T03:00:00Z",
		"2026-10-05T08:00:30":       "2026-10-05T03:00:30Z",
		"2026-10-05T08:00Z":         "2026-10-05T08:00:00Z",
		"2026-10-05T08:00:00+02:00": "2026-10-05T06:00:00Z",
		"2026-10-05 08:00-01:00":    "2026-10-05T09:00:00Z",
	} {
		got, err := w.parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got.Time().Format(time.RFC3339) != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "now+1h", "now--1h", "nowadays", "shift-0", "shift+1", "shifty", "2026-13-01", "2026-10-05T25:00", "8 o'clock", "now-36500d9"} {
		if got, err := w.parse(text); !errors.Is(err, errNoSuchTime) {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
	w.rules.Shifts = nil
	if _, err := w.parse("shift"); err == nil || errors.Is(err, errNoSuchTime) {
		t.Errorf("without shifts: %v", err)
	}
}

// Whatever is typed gives a time or an error.
func FuzzWhen(f *testing.F) {
	for _, s := range []string{"now-8h", "shift-2", "yesterday", "2026-10-05 08:00", "2026-10-05T08:00:00+02:00"} {
		f.Add(s)
	}
	w := &when{now: 1793669400e9, rules: almaty(f)}
	f.Fuzz(func(t *testing.T, s string) {
		if at, err := w.parse(s); err != nil && at != 0 {
			t.Errorf("%q: %s and %v", s, at, err)
		}
	})
}
