package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// TestGoldenFacts are the golden numbers of OEE, as the facts that they are ratios of.
func TestGoldenFacts(t *testing.T) {
	o1 := unit(shift(8, 15), states("8 run, 10 stop, 10.5 run, 13 stop, 13.25 run, 15 idle"), ideal("1"), func(in *ledger.Input) {
		in.Total, in.Scrap = counter("8 100000, 15 119271"), counter("8 2000, 15 2423")
	})
	o5 := unit(states("0 setup, 6 run, 46 idle"), ideal("120"), func(in *ledger.Input) {
		in.Booked = []ledger.Booking{{Interval: between(6, 46), Product: "M10", Total: pieces("1500"), Good: pieces("1425")}}
	})
	completion := unit(states("0 setup, 6 run, 40 idle"), ideal("120"), func(in *ledger.Input) {
		in.Booked = []ledger.Booking{{Interval: between(6, 46), Product: "M10", Total: pieces("1500"), Good: pieces("1425"), Completion: true}}
	})
	o8 := unit(shift(8, 16), states("8 run, 10 stop, 10.5 run"), ideal("1.2"), func(in *ledger.Input) {
		in.AlwaysAlive, in.Alive = false, calendar.NewSet(between(0, 12), between(13, 24))
		in.Total = counter("8 0, 12 9000, 13 9500, 16 17000")
	})
	o9 := unit(shift(0, 8), states("-2 run, 2 idle, 3.5 stop, 5 run"), func(in *ledger.Input) {
		in.PlannedStops = calendar.NewSet(between(2, 4))
	})
	o21 := unit(shift(8, 20), states("8 run, 10 stop, 10.5 run"), ideal("1.6"), func(in *ledger.Input) {
		in.Horizon = at(14)
		in.Total, in.Good = counter("8 0, 13.75 10800"), counter("8 0, 13.75 10584")
	})
	o22 := unit(shift(8, 12), states("8 run, 11.75 stop"))
	weekend := unit(states("0 run, 4 stop, 6 planned, 7 engineering, 9 idle, 13 nonscheduled"), ideal("3.6"), func(in *ledger.Input) {
		in.Total = counter("0 0, 24 4000")
	})
	for _, c := range []struct {
		name     string
		in       *ledger.Input
		from, to float64
		want     want
	}{
		{"O1 day", o1, 0, 24, want{
			ledger.Span: "86400", ledger.RunTime: "22500", ledger.StopTime: "2700", ledger.IdleTime: "0", ledger.TotalPieces: "19271",
			ledger.GoodPieces: "18848", ledger.IdealTotal: "19271", ledger.IdealGood: "18848", ledger.Failures: "2", ledger.UncountedTime: "0",
		}},
		{"O1 one minute of a stop: it began before", o1, 10.1, 10.2, want{ledger.StopTime: "360", ledger.Failures: "0", ledger.TotalPieces: "0"}},
		{"O5 day 1", o5, 0, 24, want{ledger.SetupTime: "21600", ledger.TotalPieces: "675", ledger.GoodPieces: "641.25", ledger.IdealTotal: "81000"}},
		{"O5 both days", o5, 0, 48, want{ledger.TotalPieces: "1500", ledger.IdealGood: "171000", ledger.UncountedTime: "0", ledger.IdleTime: "7200"}},
		{"O5 completion day 1", completion, 0, 24, want{ledger.TotalPieces: "0", ledger.UncountedTime: "0"}},
		{"O5 completion: at the end of the last run", completion, 39, 40, want{ledger.TotalPieces: "1500", ledger.GoodPieces: "1425", ledger.IdealTotal: "180000"}},
		{"O5 completion: not in the idle time after it", completion, 40, 48, want{ledger.TotalPieces: "0"}},
		{"O8 bridged", o8, 8, 16, want{
			ledger.UnknownTime: "3600", ledger.BridgedTime: "3600", ledger.RunTime: "23400", ledger.BridgedTotal: "600", ledger.IdealTotal: "19800",
			ledger.DarkTotal: "0", ledger.E79Unknown: "3600", ledger.E79BridgedGood: "600",
		}},
		{"O9", o9, 0, 8, want{ledger.RunTime: "18000", ledger.StopTime: "3600", ledger.IdleTime: "0", ledger.PlannedTime: "7200", ledger.Failures: "1", ledger.E79Failures: "1"}},
		{"O9 the planned hour the stop began in", o9, 3, 4, want{ledger.PlannedTime: "3600", ledger.Failures: "0", ledger.E79Failures: "1"}},
		{"O9 the hour it became unplanned", o9, 4, 5, want{ledger.StopTime: "3600", ledger.Failures: "1", ledger.E79Failures: "0"}},
		{"O21", o21, 8, 20, want{ledger.Span: "21600", ledger.RunTime: "19800", ledger.UncountedTime: "900", ledger.IdealTotal: "17280", ledger.IdealGood: "16934.4"}},
		{"O21 what nothing counts", o21, 13.75, 20, want{ledger.RunTime: "900", ledger.UncountedTime: "900", ledger.TotalPieces: "0"}},
		{"O22 without counters", o22, 8, 16, want{ledger.RunTime: "13500", ledger.UncountedTime: "13500", ledger.StopTime: "900", ledger.E79Stop: "15300"}},
		{"O14 by both standards", weekend, 0, 24, want{
			ledger.RunTime: "14400", ledger.StopTime: "7200", ledger.PlannedTime: "10800", ledger.IdleTime: "14400", ledger.IdealTotal: "14400",
			ledger.E79Run: "14400", ledger.E79Stop: "7200", ledger.E79Scheduled: "3600", ledger.E79Engineering: "7200", ledger.E79Idle: "14400",
			ledger.E79Nonscheduled: "39600", ledger.E79IdealTotal: "14400",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustNew(t, c.in).Facts(between(c.from, c.to))
			expect(t, &f, c.want)
		})
	}
}

// TestLateScrap is O6: a report is divided as the pieces were made, at their own ideals, over every border.
func TestLateScrap(t *testing.T) {
	in := unit(states("8 run, 20 idle, 22 stop"), func(in *ledger.Input) {
		in.Ideals = []ledger.Ideal{{From: at(0), Product: "A", Seconds: num("1")}, {From: at(0), Product: "B", Seconds: num("3")}}
		in.Booked = []ledger.Booking{
			{Interval: between(8, 12), Product: "A", Total: pieces("400"), Good: pieces("400")},
			{Interval: between(10, 14), Product: "B", Total: pieces("800"), Good: pieces("800")},
		}
		in.ScrapReports = []ledger.ScrapReport{
			{Made: between(8, 14), Quantity: pieces("120")}, // a tenth of each
			{Made: between(21, 23), Quantity: pieces("8")},  // where none were made
		}
	})
	u := mustNew(t, in)
	for _, c := range []struct {
		from, to float64
		want     want
	}{
		{0, 24, want{ledger.TotalPieces: "1200", ledger.GoodPieces: "1072", ledger.IdealTotal: "2800", ledger.IdealGood: "2496"}}, // 2520 − 8 × 3
		{8, 10, want{ledger.TotalPieces: "200", ledger.GoodPieces: "180", ledger.IdealGood: "180"}},
		{10, 12, want{ledger.TotalPieces: "600", ledger.GoodPieces: "540", ledger.IdealGood: "1260"}},
		{12, 14, want{ledger.TotalPieces: "400", ledger.GoodPieces: "360", ledger.IdealGood: "1080"}},
		{21, 22, want{ledger.TotalPieces: "0", ledger.GoodPieces: "-4"}},
	} {
		f := u.Facts(between(c.from, c.to))
		t.Run(fmt.Sprint(c.from), func(t *testing.T) { expect(t, &f, c.want) })
	}
}

// TestMinorStops: what is minor is decided by the states alone.
func TestMinorStops(t *testing.T) {
	for _, c := range []struct {
		name, states string
		change       func(*ledger.Input)
		minor, stop  string // of the hours 9 to 12
		failures     string
	}{
		{"shorter than the limit", "8 run, 10 stop, 10.25 run", nil, "900", "0", "0"},
		{"as long as the limit", "8 run, 10 stop, 10.5 run", nil, "0", "1800", "1"},
		{"two codes are one stop", "8 run, 10 stop, 10.25 stop, 10.5 run", nil, "0", "1800", "1"},
		{"not before a run", "8 run, 10 stop, 10.25 idle", nil, "0", "900", "1"},
		{"not after a run", "8 idle, 10 stop, 10.25 run", nil, "0", "900", "1"},
		{"not up to now", "8 run, 47.9 stop", nil, "0", "0", "0"},
		{"broken by a bad state", "8 run, 10 stop, 10.125 bad, 10.25 stop, 10.375 run", nil, "0", "900", "2"},
		{"the end of a shift does not shorten it", "8 run, 11.75 stop, 12.5 run", nil, "0", "900", "1"},
		{"in a planned stop it is planned", "8 run, 10 stop, 10.25 run", func(in *ledger.Input) { in.PlannedStops = calendar.NewSet(between(9.5, 10.125)) }, "450", "0", "0"},
		{"by the limit at its begin", "8 run, 10 stop, 10.25 run", func(in *ledger.Input) {
			in.Limits = append(in.Limits, ledger.Limits{From: at(10.1)})
		}, "900", "0", "0"},
		{"unbroken by a repeated state", "8 run, 10 stop, 10 stop, 10.25 run", nil, "900", "0", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := unit(states(c.states), func(in *ledger.Input) { in.Limits = []ledger.Limits{{From: at(0), MinorStop: 30 * time.Minute}} })
			if c.change != nil {
				c.change(in)
			}
			f := mustNew(t, in).Facts(between(9, 12))
			expect(t, &f, want{ledger.MinorTime: c.minor, ledger.StopTime: c.stop, ledger.Failures: c.failures, ledger.E79Failures: c.failures})
		})
	}
}

// TestReasons are where time that was not run time is put down to.
func TestReasons(t *testing.T) {
	in := unit(shift(8, 20), states("8 run, 9 stop, 9.25 run, 10 stop, 11 stop, 12 run, 19 stop, 21 run, 22 idle"), func(in *ledger.Input) {
		in.Limits = []ledger.Limits{{From: at(0), MinorStop: 30 * time.Minute}}
		in.PlannedStops = calendar.NewSet(between(10.25, 10.5))
		in.States[3].Reason, in.States[4].Reason = "wire", "wire"
		in.States[1].Reason = "jam"
	})
	f := mustNew(t, in).Facts(between(0, 24))
	var got []string
	for _, r := range []ledger.Reason{
		{Category: ledger.Stop, Reason: "jam", Minor: true}, {Category: ledger.Stop, Reason: "wire"}, {Category: ledger.Stop, Reason: "STOP"},
		{Category: ledger.Planned, Reason: "planned_stop"},
	} {
		got = append(got, fmt.Sprintf("%s %s×%s", r.Reason, f.Reasons[r].Time.Quo(exact.Int(int64(time.Minute))), f.Reasons[r].Count))
	}
	if s := strings.Join(got, ", "); s != "jam 15×1, wire 105×1, STOP 60×1, planned_stop 15×1" || len(f.Reasons) != 4 {
		t.Errorf("reasons %s of %v", s, f.Reasons)
	}
}

// TestIdealsHaveDates: each piece is valued at its moment, booked ones by their product.
func TestIdealsHaveDates(t *testing.T) {
	in := unit(states("0 run"), func(in *ledger.Input) {
		in.Ideals = []ledger.Ideal{
			{From: at(4), Product: "A", Seconds: num("2")}, {From: at(8), Product: "B", Seconds: num("5")}, {From: at(8), Product: "B", Seconds: num("3")},
		}
		in.Watts = []ledger.Watts{{From: at(2), Product: "A", PerPiece: num("8.25")}, {From: at(8), Product: "B", PerPiece: num("10")}}
		in.Total = counter("0 0, 12 1200")
		in.Booked = []ledger.Booking{
			{Interval: between(6, 10), Product: "A", Total: pieces("4"), Good: pieces("4")},
			{Interval: between(6, 10), Product: "C", Total: pieces("8"), Good: pieces("0")},
		}
	})
	u := mustNew(t, in)
	f := u.Facts(between(0, 12))
	expect(t, &f, want{
		ledger.IdealTotal: "2008", ledger.IdealGood: "2008", ledger.NoIdealPieces: "408", ledger.NoWattsPieces: "200", // 400×2 + 400×3 + 4×2
	})
	if w := f.Get(ledger.GoodWatts).Quo(exact.Int(ledger.MicrosPerWatt)); !w.Equal(num("8983")) { // 600×8.25 + 400×10 + 4×8.25
		t.Errorf("good watts %s", w)
	}
	f = u.Facts(between(4, 6))
	expect(t, &f, want{ledger.NoIdealPieces: "0", ledger.IdealTotal: "400"})
}

// TestIdealsEnd: from an entry of 0 on nothing is known, which is not a piece that takes no time and has no watts.
func TestIdealsEnd(t *testing.T) {
	in := unit(states("0 run"), func(in *ledger.Input) {
		in.Ideals = []ledger.Ideal{{From: at(0), Product: "A", Seconds: num("2")}, {From: at(4), Product: "test"}}
		in.Watts = []ledger.Watts{{From: at(0), Product: "A", PerPiece: num("8")}, {From: at(4), Product: "test"}}
		in.Total = counter("0 0, 12 1200")
	})
	f := mustNew(t, in).Facts(between(0, 12))
	expect(t, &f, want{ledger.IdealTotal: "800", ledger.NoIdealPieces: "800", ledger.NoWattsPieces: "800"})
}

// TestRoundedShares: without Exact, the shares of a delta are whole quanta that add up to it.
func TestRoundedShares(t *testing.T) {
	in := unit(states("0 run"), ideal("1.6"), func(in *ledger.Input) {
		in.Exact = false
		in.Total = &ledger.Counter{Readings: []ledger.Reading{{At: at(0), Value: exact.Int(0)}, {At: at(3), Value: exact.Int(10)}}}
	})
	var got []string
	for _, f := range mustNew(t, in).Slices([]telemetry.Instant{at(0), at(1), at(2), at(3)}) {
		got = append(got, f.Get(ledger.TotalPieces).String()+"/"+f.Get(ledger.IdealTotal).String())
	}
	if s := strings.Join(got, " "); s != "3/5 4/6 3/5" { // of 10/3, 20/3, 10 and 1.6 × 3, 7, 10
		t.Errorf("pieces and ideal time of the hours: %s", s)
	}
}

// TestWindowsWithoutTime have no facts, but say what the unit has.
func TestWindowsWithoutTime(t *testing.T) {
	u := mustNew(t, unit(states("0 run"), func(in *ledger.Input) { in.Total, in.Energy = counter("0 0, 50 5"), &ledger.Counter{} }))
	empty := ledger.Facts{HasPieces: true, HasEnergy: true}
	for _, w := range []calendar.Interval{between(5, 5), between(6, 5), between(48, 50), between(60, 70), {From: -1 << 63, To: -1 << 63}, {From: 1<<63 - 1, To: 1<<63 - 1}} {
		f := u.Facts(w)
		sameFacts(t, w.String(), &f, &empty)
	}
	if s := u.Slices([]telemetry.Instant{at(1)}); s != nil {
		t.Errorf("slices of one border: %v", s)
	}
	if e := u.Explain(between(50, 60)); len(e.Segments)+len(e.Deltas) > 0 {
		t.Errorf("evidence of what is not yet: %v", e)
	}
	all := u.Facts(calendar.Interval{From: -1 << 63, To: 1<<63 - 1})
	expect(t, &all, want{ledger.RunTime: "172800"})
	mustNew(t, unit(func(in *ledger.Input) { in.Horizon = -1 << 63 })).Facts(between(0, 1))
}

// TestExplainHasNoHoles: the segments of a window are its time, in order, and say what the facts say.
func TestExplainHasNoHoles(t *testing.T) {
	check(t, 1, func(t2 rapid.TB, g generator) {
		in := g.input()
		in.Exact = true
		u := mustNew(t2, in)
		w := g.window()
		f := u.Facts(w)
		sum := map[string]time.Duration{}
		at := w.From
		for _, s := range u.Explain(w).Segments {
			if s.When.From != at || s.When.Empty() {
				t2.Fatalf("a segment of %s after %s", s.When, at)
			}
			at = s.When.To
			sum["all"] += s.When.Duration()
			if s.Uncounted && s.Planned {
				sum["uncounted"] += s.When.Duration()
			}
			if s.Unknown && s.Bridged {
				sum["bridged"] += s.When.Duration()
			}
			if s.Minor && s.Planned {
				sum["minor"] += s.When.Duration()
			}
		}
		for name, k := range map[string]ledger.Field{"all": ledger.Span, "uncounted": ledger.UncountedTime, "bridged": ledger.BridgedTime, "minor": ledger.MinorTime} {
			if !f.Get(k).Equal(exact.Int(int64(sum[name]))) {
				t2.Fatalf("%s: segments %d ns, facts %s", name, sum[name], f.Get(k))
			}
		}
	})
}
