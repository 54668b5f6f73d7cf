package calendar

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

func mustClock(t testing.TB, s string) Clock {
	t.Helper()
	c, err := ParseClock(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// daily reads "08:00-20:15".
func daily(t testing.TB, s string) Daily {
	t.Helper()
	begin, end, _ := strings.Cut(s, "-")
	return Daily{Begin: mustClock(t, begin), End: mustClock(t, end)}
}

// window reads "2026-11-02T08:00:00/2026-11-03T08:00:00".
func window(t testing.TB, s string, loc *time.Location) Interval {
	t.Helper()
	from, to, _ := strings.Cut(s, "/")
	return Interval{mustParse(t, from, loc), mustParse(t, to, loc)}
}

// dayAndNight are two shifts a day.
func dayAndNight(t testing.TB, zone, day, night string) *Rules {
	t.Helper()
	r := &Rules{Zone: mustZone(t, zone), Shifts: []Shift{{"day", daily(t, day)}, {"night", daily(t, night)}}}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	return r
}

// show is intervals in local time, for tables.
func show(t testing.TB, loc *time.Location, list []NamedInterval) string {
	t.Helper()
	var s []string
	for _, v := range list {
		s = append(s, fmt.Sprintf("%s %s %s", v.Name, v.From.Time().In(loc).Format("01-02T15:04"), v.Duration()))
	}
	return strings.Join(s, "; ")
}

func TestShiftsOverChangesOfTheClock(t *testing.T) {
	for _, c := range []struct{ what, zone, day, night, window, shifts string }{
		{"O10: a night of 13 hours", "Asia/Almaty", "08:00-20:00", "20:00-08:00", "2024-02-29T20:00:00/2024-03-01T20:00:00",
			"night 02-29T20:00 13h0m0s; day 03-01T08:00 12h0m0s"},
		{"O10-berlin: a day that does not touch the change", "Europe/Berlin", "06:00-18:00", "22:00-06:00", "2026-03-29T06:00:00/2026-03-29T18:00:00",
			"day 03-29T06:00 12h0m0s"},
		{"a night of 7 hours before it", "Europe/Berlin", "06:00-18:00", "22:00-06:00", "2026-03-28T22:00:00/2026-03-29T06:00:00", "night 03-28T22:00 7h0m0s"},
		{"O10-berlin: a night of 9 hours", "Europe/Berlin", "06:00-18:00", "22:00-06:00", "2026-10-24T22:00:00/2026-10-25T06:00:00", "night 10-24T22:00 9h0m0s"},
		{"whole shifts that meet the window", "Asia/Almaty", "08:00-20:00", "20:00-08:00", "2026-11-02T19:59:59/2026-11-02T20:00:01",
			"day 11-02T08:00 12h0m0s; night 11-02T20:00 12h0m0s"},
		{"half-open", "Asia/Almaty", "08:00-20:00", "20:00-08:00", "2026-11-02T20:00:00/2026-11-03T08:00:00", "night 11-02T20:00 12h0m0s"},
		{"O11: overlapping shifts", "Asia/Almaty", "08:00-20:15", "20:00-08:15", "2026-11-02T20:10:00/2026-11-02T20:11:00",
			"day 11-02T08:00 12h15m0s; night 11-02T20:00 12h15m0s"},
		{"half an hour of Lord Howe", "Australia/Lord_Howe", "06:00-18:00", "18:00-06:00", "2026-04-04T18:00:00/2026-04-05T06:00:00", "night 04-04T18:00 12h30m0s"},
		{"begins in the hour that occurs twice: at the first", "Europe/Berlin", "02:30-10:00", "10:00-02:30", "2026-10-25T02:30:00/2026-10-25T03:00:00",
			"day 10-25T02:30 8h30m0s"},
		{"a date that Apia skipped has no shifts", "Pacific/Apia", "08:00-20:00", "20:00-08:00", "2011-12-29T08:00:00/2011-12-31T20:00:00",
			"day 12-29T08:00 12h0m0s; night 12-29T20:00 12h0m0s; day 12-31T08:00 12h0m0s"},
		{"a shift that fell into the hour that was skipped", "Europe/Berlin", "02:30-03:00", "03:00-02:30", "2026-03-29T01:00:00/2026-03-29T05:00:00",
			"night 03-28T03:00 23h30m0s; night 03-29T03:00 23h30m0s"},
		{"no window", "Asia/Almaty", "08:00-20:00", "20:00-08:00", "2026-11-02T20:00:00/2026-11-02T20:00:00", ""},
	} {
		r := dayAndNight(t, c.zone, c.day, c.night)
		if got := show(t, r.Zone, r.ShiftsIn(window(t, c.window, r.Zone))); got != c.shifts {
			t.Errorf("%s:\n%s, want\n%s", c.what, got, c.shifts)
		}
	}
}

func TestScheduledGoldens(t *testing.T) {
	always := func(zone string) *Rules { return &Rules{Zone: mustZone(t, zone)} }
	for _, c := range []struct {
		what, window string
		rules        *Rules
		want         time.Duration
	}{
		{"O10 night", "2024-02-29T20:00:00/2024-03-01T08:00:00", dayAndNight(t, "Asia/Almaty", "08:00-20:00", "20:00-08:00"), 13 * time.Hour},
		{"O10 day", "2024-03-01T08:00:00/2024-03-01T20:00:00", dayAndNight(t, "Asia/Almaty", "08:00-20:00", "20:00-08:00"), 12 * time.Hour},
		{"O10 calendar day", "2024-02-29T00:00:00/2024-03-01T00:00:00", always("Asia/Almaty"), 25 * time.Hour},
		{"O10 first 23:30", "2024-02-29T23:00:00/2024-02-29T23:30:00", always("Asia/Almaty"), 30 * time.Minute},
		{"O10 first to second 23:30", "2024-02-29T23:30:00/2024-02-29T23:30:00+05:00", always("Asia/Almaty"), time.Hour},
		{"O10-berlin spring", "2026-03-29T00:00:00/2026-03-30T00:00:00", always("Europe/Berlin"), 23 * time.Hour},
		{"O10-berlin autumn", "2026-10-25T00:00:00/2026-10-26T00:00:00", always("Europe/Berlin"), 25 * time.Hour},
		{"O10-berlin by offset", "2026-10-25T02:30:00+02:00/2026-10-25T02:30:00+01:00", always("Europe/Berlin"), time.Hour},
		{"O10-berlin skipped", "2026-03-29T02:30:00/2026-03-29T04:00:00", always("Europe/Berlin"), 30 * time.Minute},
		{"O11 shift A", "2026-11-02T08:00:00/2026-11-02T20:15:00", dayAndNight(t, "Asia/Almaty", "08:00-20:15", "20:00-08:15"), 44100 * time.Second},
		{"O11 plant day: the union", "2026-11-02T08:00:00/2026-11-03T08:00:00", dayAndNight(t, "Asia/Almaty", "08:00-20:15", "20:00-08:15"), 24 * time.Hour},
		{"the clock's gap between shifts", "2026-11-02T00:00:00/2026-11-03T00:00:00", dayAndNight(t, "Asia/Almaty", "08:00-12:00", "13:00-17:30"), 8*time.Hour + 30*time.Minute},
		{"a whole day by 24:00", "2026-11-02T00:00:00/2026-11-03T00:00:00", dayAndNight(t, "Asia/Almaty", "00:00-24:00", "01:00-02:00"), 24 * time.Hour},
	} {
		if got := c.rules.Scheduled(window(t, c.window, c.rules.Zone)).Duration(); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestHolidays(t *testing.T) {
	r := dayAndNight(t, "Asia/Almaty", "08:00-20:00", "20:00-08:00")
	r.Holidays = []Holiday{{"Republic Day", Date{2026, 10, 25}}}
	w := window(t, "2026-10-24T08:00:00/2026-10-26T20:00:00", r.Zone)
	want := "day 10-24T08:00 12h0m0s; night 10-24T20:00 12h0m0s; day 10-26T08:00 12h0m0s"
	if got := show(t, r.Zone, r.ShiftsIn(w)); got != want {
		t.Errorf("the night before a holiday is worked to its end, the night of it is not:\n%s, want\n%s", got, want)
	}
	if r.Always() {
		t.Error("shifts are taken for always")
	}
	always := &Rules{Zone: r.Zone, Holidays: r.Holidays, DayStarts: []DayStart{{At: mustClock(t, "08:00")}}}
	if always.Always() || !(&Rules{Zone: r.Zone}).Always() {
		t.Error("a holiday makes the difference between always and not always")
	}
	off := NewSet(w).Minus(always.Scheduled(w))
	if want := NewSet(window(t, "2026-10-25T08:00:00/2026-10-26T08:00:00", r.Zone)); !slices.Equal(off, want) {
		t.Errorf("without shifts a holiday takes out %v, want its plant day %v", off, want)
	}
}

func TestEffectiveDaysAndCycles(t *testing.T) {
	zone := mustZone(t, "Asia/Almaty")
	from := Date{2026, 11, 2} // a Monday
	count := func(change func(*Daily), days int) string {
		d := daily(t, "20:00-08:00")
		change(&d)
		r := &Rules{Zone: zone, Shifts: []Shift{{"n", d}}}
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		on := make([]byte, days)
		for i := range on {
			on[i] = '.'
		}
		for _, s := range r.ShiftsIn(Interval{Local(zone, from, mustClock(t, "12:00")), Local(zone, from.Add(days), 0)}) {
			on[s.Day.Sub(from)] = 'x'
		}
		return string(on)
	}
	for _, c := range []struct {
		what   string
		change func(*Daily)
		want   string
	}{
		{"every day", func(*Daily) {}, "xxxxxxxxxx"},
		{"weekdays are of the begin", func(d *Daily) { d.Days = OnDays(time.Monday, time.Friday, time.Sunday) }, "x...x.xx.."},
		{"from, until", func(d *Daily) { d.Effective = Period{from.Add(2), from.Add(5)} }, "..xxx....."},
		{"from only", func(d *Daily) { d.Effective.From = from.Add(8) }, "........xx"},
		{"until only", func(d *Daily) { d.Effective.Until = from.Add(1) }, "x........."},
		{"2 on, 2 off since before", func(d *Daily) { d.Cycle = Cycle{from.Add(-41), 4, []int{0, 1}} }, "x..xx..xx."},
		{"2 on, 2 off since a day to come", func(d *Daily) { d.Cycle = Cycle{from.Add(6), 4, []int{0, 1}} }, "..xx..xx.."},
		{"all at once", func(d *Daily) {
			d.Days, d.Cycle, d.Effective = OnDays(time.Monday, time.Wednesday), Cycle{from, 3, []int{0, 2}}, Period{From: from.Add(1)}
		}, "..x......x"},
	} {
		if got := count(c.change, 10); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestPlannedStops(t *testing.T) {
	zone := mustZone(t, "Asia/Almaty")
	lunch := daily(t, "12:00-12:30")
	r := &Rules{Zone: zone, Stops: []Stop{
		{Name: "lunch", Reason: "break", Daily: &lunch},
		{Name: "overhaul", Reason: "yearly", Once: window(t, "2026-11-02T12:15:00/2026-11-03T06:00:00", zone)},
	}}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	w := window(t, "2026-11-02T12:10:00/2026-11-03T12:10:00", zone)
	stops := r.StopsIn(w)
	var names []string
	for _, s := range stops {
		names = append(names, s.Name+" "+s.Reason+" "+s.Duration().String())
	}
	if got, want := strings.Join(names, "; "), "lunch break 30m0s; overhaul yearly 17h45m0s; lunch break 30m0s"; got != want {
		t.Errorf("stops %s, want %s", got, want)
	}
	want := Set{window(t, "2026-11-02T12:10:00/2026-11-03T06:00:00", zone), window(t, "2026-11-03T12:00:00/2026-11-03T12:10:00", zone)}
	if got := r.PlannedStops(w); !slices.Equal(got, want) {
		t.Errorf("planned %v, want %v", got, want)
	}
}

func TestDaysAndBorders(t *testing.T) {
	r := dayAndNight(t, "Asia/Almaty", "08:00-20:15", "20:00-08:15")
	r.DayStarts = []DayStart{{From: Date{2026, 11, 4}, At: mustClock(t, "08:00")}, {At: mustClock(t, "06:30")}}
	w := window(t, "2026-11-02T12:00:00/2026-11-05T03:00:00", r.Zone)
	want := "2026-11-02 11-02T06:30 24h0m0s; 2026-11-03 11-03T06:30 25h30m0s; 2026-11-04 11-04T08:00 24h0m0s"
	if got := show(t, r.Zone, r.Days(w)); got != want {
		t.Errorf("days %s, want %s", got, want)
	}
	w = window(t, "2026-11-03T06:00:00/2026-11-03T09:00:00", r.Zone)
	var got []string
	for _, b := range r.Borders(w) {
		got = append(got, b.Time().In(r.Zone).Format("15:04"))
	}
	if want := []string{"06:30", "07:00", "08:00", "08:15"}; !slices.Equal(got, want) {
		t.Errorf("borders %v, want %v: within the window only, each once", got, want)
	}
	kathmandu := &Rules{Zone: mustZone(t, "Asia/Kathmandu")}
	got = nil
	for _, b := range kathmandu.Borders(window(t, "2026-11-02T23:00:00/2026-11-03T01:00:00", kathmandu.Zone)) {
		got = append(got, b.Time().Format("15:04"))
	}
	if want := []string{"18:00", "18:15", "19:00"}; !slices.Equal(got, want) {
		t.Errorf("borders in Kathmandu %v UTC, want %v", got, want)
	}
	apia := &Rules{Zone: mustZone(t, "Pacific/Apia"), DayStarts: []DayStart{{At: mustClock(t, "08:00")}}}
	want = "2011-12-29 12-29T08:00 24h0m0s; 2011-12-31 12-31T08:00 24h0m0s"
	if got := show(t, apia.Zone, apia.Days(window(t, "2011-12-29T09:00:00/2011-12-31T09:00:00", apia.Zone))); got != want {
		t.Errorf("days %s, want %s", got, want)
	}
}

func TestHours(t *testing.T) {
	h := telemetry.Instant(time.Hour)
	for _, c := range []struct {
		w    Interval
		want []Interval
	}{
		{Interval{0, 1}, []Interval{{0, h}}},
		{Interval{-1, 1}, []Interval{{-h, 0}, {0, h}}},
		{Interval{h, 3 * h}, []Interval{{h, 2 * h}, {2 * h, 3 * h}}},
		{Interval{5, 5}, nil},
		{Interval{math.MaxInt64 - 1, math.MaxInt64}, []Interval{{math.MaxInt64 - math.MaxInt64%h, math.MaxInt64}}},
		{Interval{math.MinInt64, math.MinInt64 + 1}, []Interval{{math.MinInt64, math.MinInt64 - math.MinInt64%h}}},
	} {
		if got := Hours(c.w); !slices.Equal(got, c.want) {
			t.Errorf("hours of %v: %v, want %v", c.w, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	good := func() *Rules {
		lunch := daily(t, "12:00-12:30")
		return &Rules{Zone: time.UTC, Shifts: []Shift{{"A", daily(t, "08:00-20:00")}}, Stops: []Stop{{Name: "lunch", Daily: &lunch}},
			Holidays: []Holiday{{"New Year", Date{2026, 1, 1}}}, DayStarts: []DayStart{{At: mustClock(t, "08:00")}}}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Rules)
		want   string
	}{
		{func(r *Rules) { r.Zone = nil }, "zone: missing; name an IANA zone"},
		{func(r *Rules) { r.Shifts[0].Name = "" }, "shift number 1: has no name; give it one"},
		{func(r *Rules) { r.Shifts[0].Begin = Clock(24 * time.Hour) }, `shift "A": begins at 24:00; use 00:00 to`},
		{func(r *Rules) { r.Shifts[0].Begin = -1 }, `shift "A": begins at`},
		{func(r *Rules) { r.Shifts[0].End = Clock(25 * time.Hour) }, `shift "A": ends at 25:00; use 00:00 to 24:00`},
		{func(r *Rules) { r.Shifts[0].Days = 1 << 7 }, "days of the week 0x80; use Sunday to Saturday"},
		{func(r *Rules) { r.Shifts[0].Cycle = Cycle{Date{2026, 1, 1}, 4, []int{0, 4}} }, "day 4 of a cycle of 4 days; use 0 to 3"},
		{func(r *Rules) { r.Shifts[0].Cycle = Cycle{Date{2026, 1, 1}, 4, []int{-1}} }, "day -1 of a cycle of 4 days; use 0 to 3"},
		{func(r *Rules) { r.Shifts[0].Cycle = Cycle{Date{2026, 1, 1}, 4, []int{1, 1}} }, "day 1 of the cycle is listed twice; list it once"},
		{func(r *Rules) { r.Shifts[0].Cycle = Cycle{Date{2026, 1, 1}, 4, nil} }, "cycle has no days; list those"},
		{func(r *Rules) { r.Shifts[0].Cycle = Cycle{Date{2026, 1, 1}, 0, []int{0}} }, "cycle of 0 days; use 1 to 366"},
		{func(r *Rules) { r.Shifts[0].Cycle = Cycle{Date{}, 4, []int{0}} }, "which is no date; give the date of its day 0"},
		{func(r *Rules) { r.Shifts[0].Effective = Period{Date{2026, 1, 2}, Date{2026, 1, 2}} }, "which is never; put the dates in order"},
		{func(r *Rules) { r.Shifts[0].Effective.From = Date{2026, 2, 30} }, "2026-02-30 is no date; use one of the calendar"},
		{func(r *Rules) { r.Stops[0].Daily = nil }, `planned stop "lunch": ends at`},
		{func(r *Rules) { r.Stops[0].Once = Interval{1, 2} }, `planned stop "lunch": is both recurring and single; make it two`},
		{func(r *Rules) { r.Stops[0].Daily.End = -1 }, `planned stop "lunch": ends at`},
		{func(r *Rules) { r.Holidays[0].Date = Date{} }, `holiday "New Year": 0000-00-00 is no date; use one`},
		{func(r *Rules) { r.Holidays = append(r.Holidays, r.Holidays[0]) }, "2026-01-01 is a holiday already; list it once"},
		{func(r *Rules) { r.DayStarts[0].At = Clock(24 * time.Hour) }, "plant day begins at 24:00; use"},
		{func(r *Rules) { r.DayStarts[0].From = Date{2026, 2, 30} }, "2026-02-30 on, which is no date; use"},
		{func(r *Rules) { r.DayStarts = append(r.DayStarts, r.DayStarts[0]) }, "two begins from 0000-00-00 on; keep one"},
	} {
		r := good()
		c.change(r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q in it", err, c.want)
		}
	}
	both := good()
	both.Zone, both.Shifts[0].Name = nil, ""
	if err := both.Check(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("want both errors at once: %v", err)
	}
}

func drawRules(t *rapid.T) *Rules {
	clock := rapid.Custom(func(t *rapid.T) Clock {
		return Clock(rapid.IntRange(0, 24*12-1).Draw(t, "5 min")) * Clock(5*time.Minute)
	})
	anchor := Date{2024, 2, 27}
	d := rapid.Custom(func(t *rapid.T) Daily {
		d := Daily{Begin: clock.Draw(t, "begin"), End: clock.Draw(t, "end"), Days: Weekdays(rapid.IntRange(0, 127).Draw(t, "days"))}
		if rapid.Bool().Draw(t, "cycle") {
			n := rapid.IntRange(1, 5).Draw(t, "length")
			d.Cycle = Cycle{anchor, n, []int{rapid.IntRange(0, n-1).Draw(t, "on")}}
		}
		if rapid.Bool().Draw(t, "effective") {
			d.Effective.From = anchor.Add(rapid.IntRange(-5, 5).Draw(t, "from"))
		}
		return d
	})
	r := &Rules{Zone: drawZone(t)}
	for range rapid.IntRange(0, 3).Draw(t, "shifts") {
		r.Shifts = append(r.Shifts, Shift{fmt.Sprint("S", len(r.Shifts)), d.Draw(t, "shift")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "stops") {
		v := d.Draw(t, "stop")
		r.Stops = append(r.Stops, Stop{Daily: &v})
	}
	if rapid.Bool().Draw(t, "holiday") {
		r.Holidays = []Holiday{{Date: anchor.Add(rapid.IntRange(-5, 5).Draw(t, "holiday on"))}}
	}
	if rapid.Bool().Draw(t, "day start") {
		r.DayStarts = []DayStart{{At: clock.Draw(t, "at")}}
	}
	return r
}

func drawZone(t *rapid.T) *time.Location {
	loc, err := Zone(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestSplits: whatever a window is cut into, the parts say together what the whole says.
func TestSplits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		around := telemetry.Instant(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC).UnixNano())
		if all := changes(r.Zone, 2024, 2024); len(all) > 0 {
			around = telemetry.Instant(rapid.SampledFrom(all).Draw(t, "change").UnixNano())
		}
		minute := rapid.Custom(func(t *rapid.T) telemetry.Instant {
			return around + telemetry.Instant(rapid.IntRange(-4*24*60, 4*24*60).Draw(t, "minute"))*telemetry.Instant(time.Minute)
		})
		cuts := rapid.SliceOfN(minute, 2, 6).Draw(t, "cuts")
		slices.Sort(cuts)
		w := Interval{cuts[0], cuts[len(cuts)-1]}
		var scheduled, planned Set
		var shifts, days []NamedInterval
		var borders []telemetry.Instant
		for i, from := range cuts[:len(cuts)-1] {
			part := Interval{from, cuts[i+1]}
			scheduled, planned = scheduled.Union(r.Scheduled(part)), planned.Union(r.PlannedStops(part))
			shifts, days = append(shifts, r.ShiftsIn(part)...), append(days, r.Days(part)...)
			borders = append(borders, r.Borders(part)...)
		}
		if whole := r.Scheduled(w); !slices.Equal(whole, scheduled) {
			t.Fatalf("scheduled in %v: %v, in parts %v", w, whole, scheduled)
		}
		if whole := r.PlannedStops(w); !slices.Equal(whole, planned) {
			t.Fatalf("planned stops in %v: %v, in parts %v", w, whole, planned)
		}
		if whole, parts := r.ShiftsIn(w), distinct(shifts); !slices.Equal(whole, parts) {
			t.Fatalf("shifts in %v: %v, in parts %v", w, whole, parts)
		}
		whole := r.Days(w)
		if parts := distinct(days); !slices.Equal(whole, parts) {
			t.Fatalf("days in %v: %v, in parts %v", w, whole, parts)
		}
		for i := 1; i < len(whole); i++ {
			if whole[i].From != whole[i-1].To {
				t.Fatalf("between the days %v and %v is a gap or both hold a moment", whole[i-1], whole[i])
			}
		}
		all := r.Borders(w)
		if !slices.IsSorted(all) {
			t.Fatalf("borders %v are not in order", all)
		}
		for _, b := range all {
			if !slices.Contains(borders, b) && !slices.Contains(cuts, b) {
				t.Fatalf("border %s of the whole is in no part", b)
			}
		}
		for _, b := range borders {
			if !slices.Contains(all, b) {
				t.Fatalf("border %s of a part is not in the whole", b)
			}
		}
	})
}

func distinct(list []NamedInterval) []NamedInterval {
	slices.SortStableFunc(list, func(a, b NamedInterval) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(list)
}

// TestBordersCut: within a slice everything is in a shift from its begin to its end, or not at all.
func TestBordersCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		from := telemetry.Instant(time.Date(2024, 2, 27, 3, 7, 0, 0, time.UTC).UnixNano())
		w := Interval{from, from.Add(time.Duration(rapid.IntRange(1, 6*24*60).Draw(t, "minutes")) * time.Minute)}
		scheduled := r.Scheduled(w)
		cuts := append(append([]telemetry.Instant{w.From}, r.Borders(w)...), w.To)
		for i, from := range cuts[:len(cuts)-1] {
			v := Interval{from, cuts[i+1]}
			if d := scheduled.Clip(v).Duration(); d != 0 && d != v.Duration() {
				t.Fatalf("slice %v is scheduled for %s of %s", v, d, v.Duration())
			}
			if v.Duration() > time.Hour {
				t.Fatalf("slice %v is longer than an hour", v)
			}
		}
	})
}
