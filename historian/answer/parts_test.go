package answer

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

func mustRules(t testing.TB, zone string, shifts ...calendar.Shift) *calendar.Rules {
	t.Helper()
	loc, err := calendar.Zone(zone)
	if err != nil {
		t.Fatal(err)
	}
	return &calendar.Rules{Zone: loc, Shifts: shifts}
}

func mustClock(t testing.TB, s string) calendar.Clock {
	t.Helper()
	c, err := calendar.ParseClock(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustTime(t testing.TB, s string, loc *time.Location) telemetry.Instant {
	t.Helper()
	i, err := calendar.ParseTime(s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// Days are cut at the plant's midnight, also when the window does not begin there and when a day has 25 hours: not at
// multiples of 24 hours from the window's begin.
func TestDaysAreCutAtLocalMidnight(t *testing.T) {
	r := mustRules(t, "Asia/Almaty")
	w := calendar.Interval{From: mustTime(t, "2024-02-28T15:30:00", r.Zone), To: mustTime(t, "2024-03-02T09:00:00", r.Zone)}
	parts := divide(w, ByDay, r)
	var got []string
	for _, p := range parts {
		got = append(got, p.Label+" "+p.Interval.Duration().String())
	}
	want := []string{"2024-02-28 8h30m0s", "2024-02-29 25h0m0s", "2024-03-01 24h0m0s", "2024-03-02 9h0m0s"}
	if !slices.Equal(got, want) {
		t.Errorf("days %q, want %q", got, want)
	}
	if !parts[0].Cut() || parts[1].Cut() {
		t.Error("only a day that the window cuts is said to be cut")
	}
}

// Overlapping shifts each have all of their time; the atoms under them hold every moment once.
func TestShiftsMayOverlap(t *testing.T) {
	r := mustRules(t, "Asia/Almaty",
		calendar.Shift{Name: "A", Daily: calendar.Daily{Begin: mustClock(t, "08:00"), End: mustClock(t, "20:15")}},
		calendar.Shift{Name: "B", Daily: calendar.Daily{Begin: mustClock(t, "20:00"), End: mustClock(t, "08:15")}})
	w := calendar.Interval{From: mustTime(t, "2026-11-02T08:00:00", r.Zone), To: mustTime(t, "2026-11-03T08:00:00", r.Zone)}
	parts := divide(w, ByShift, r)
	var all []calendar.Interval
	var sum time.Duration
	for _, p := range parts {
		all = append(all, p.Interval)
		sum += p.Interval.Duration()
	}
	if want := 15*time.Minute + 12*time.Hour + 15*time.Minute + 12*time.Hour; sum != want {
		t.Errorf("shifts last %v together, want %v", sum, want)
	}
	var once time.Duration
	for _, a := range atoms(all) {
		once += a.Duration()
	}
	if once != 24*time.Hour {
		t.Errorf("atoms last %v, want a day", once)
	}
}

func TestMonths(t *testing.T) {
	r := mustRules(t, "Europe/Berlin")
	w := calendar.Interval{From: mustTime(t, "2026-09-15T00:00:00", r.Zone), To: mustTime(t, "2026-11-02T00:00:00", r.Zone)}
	var got []string
	for _, p := range divide(w, ByMonth, r) {
		got = append(got, p.Label+" "+p.Interval.Duration().String())
	}
	if want := []string{"2026-09 384h0m0s", "2026-10 745h0m0s", "2026-11 24h0m0s"}; !slices.Equal(got, want) {
		t.Errorf("months %q, want %q", got, want)
	}
}

// Each interval is exactly the atoms of its run, and no atom crosses a border.
func TestAtomsMakeUpIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []calendar.Interval
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			from := rapid.Int64Range(0, 50).Draw(t, "from")
			all = append(all, calendar.Interval{From: telemetry.Instant(from), To: telemetry.Instant(from + rapid.Int64Range(1, 20).Draw(t, "length"))})
		}
		cut := atoms(all)
		for _, v := range all {
			from, to := run(cut, v)
			at := v.From
			for _, a := range cut[from:to] {
				if a.From != at {
					t.Fatalf("%d..%d: atom begins at %d, want %d", v.From, v.To, a.From, at)
				}
				at = a.To
			}
			if at != v.To {
				t.Fatalf("%d..%d: atoms end at %d", v.From, v.To, at)
			}
		}
	})
}
