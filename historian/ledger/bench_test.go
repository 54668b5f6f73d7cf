package ledger_test

import (
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

const day = telemetry.Instant(24 * time.Hour)

// busyDay is one unit's day: a state every two minutes, two piece counters, a register and a power meter every ten seconds.
func busyDay() *ledger.Input {
	const start = 20_000 * day
	in := &ledger.Input{
		Unit: "SAW-01", Horizon: start + day, AlwaysAlive: true,
		Limits: []ledger.Limits{{From: start, MinorStop: 2 * time.Minute}},
		Total:  &ledger.Counter{}, Good: &ledger.Counter{}, Energy: &ledger.Counter{},
		Ideals: []ledger.Ideal{{From: start, Product: "M10", Seconds: exact.Frac(8, 5)}},
		Watts:  []ledger.Watts{{From: start, Product: "M10", PerPiece: exact.Frac(33, 4)}},
		Power:  &ledger.Power{Bounds: []ledger.PowerBounds{{From: start, Hold: time.Minute, Rated: exact.Int(150_000_000), HasRated: true}}},
	}
	for h := range telemetry.Instant(3) { // shifts of eight hours with a break in each
		from := start + h*day/3
		in.Shifts = append(in.Shifts, calendar.Interval{From: from, To: from + day/3 - day/96})
		in.PlannedStops = append(in.PlannedStops, calendar.Interval{From: from + day/6, To: from + day/6 + day/48})
	}
	for i := range telemetry.Instant(720) {
		s := ledger.State{At: start + i*day/720 + 3_141_592_653, Category: ledger.Run, Code: "RUN"}
		switch i % 8 {
		case 3:
			s.Category, s.Code, s.Reason = ledger.Stop, "FAULT", "wire broken"
		case 6:
			s.Category, s.Code = ledger.Setup, "LOAD"
		}
		in.States = append(in.States, s)
	}
	pieces := int64(0)
	for i := range telemetry.Instant(8641) {
		at := start + i*day/8640
		in.Total.Readings = append(in.Total.Readings, ledger.Reading{At: at, Value: exact.Int(pieces * ledger.NanosPerPiece)})
		in.Good.Readings = append(in.Good.Readings, ledger.Reading{At: at, Value: exact.Int(pieces * 49 / 50 * ledger.NanosPerPiece)})
		in.Energy.Readings = append(in.Energy.Readings, ledger.Reading{At: at, Value: exact.Int(int64(i) * 138_888_889)})
		in.Power.Readings = append(in.Power.Readings, ledger.PowerReading{At: at, MW: exact.Int(50_000_000 + int64(i%7)*1_000_003)})
		pieces += 5 + int64(i%3)
	}
	return in
}

func hours(from telemetry.Instant, n int) []telemetry.Instant {
	out := make([]telemetry.Instant, n+1)
	for i := range out {
		out[i] = from + telemetry.Instant(i)*telemetry.Instant(time.Hour)
	}
	return out
}

// BenchmarkUnitDay is what the ledger does for one unit and day: 24 unit-hours from raw data to hour slices.
func BenchmarkUnitDay(b *testing.B) {
	in := busyDay()
	borders := hours(in.Horizon-day, 24)
	b.ReportAllocs()
	for b.Loop() {
		u, err := ledger.New(in)
		if err != nil {
			b.Fatal(err)
		}
		if s := u.Slices(borders); s[7].Get(ledger.TotalPieces).IsZero() {
			b.Fatal("no pieces")
		}
	}
	b.ReportMetric(24*float64(b.N)/b.Elapsed().Seconds(), "unit-hours/s")
}

// BenchmarkSlices is the same without New.
func BenchmarkSlices(b *testing.B) {
	in := busyDay()
	u, err := ledger.New(in)
	if err != nil {
		b.Fatal(err)
	}
	borders := hours(in.Horizon-day, 24)
	b.ReportAllocs()
	for b.Loop() {
		u.Slices(borders)
	}
}

// BenchmarkFactsOfAMinute is a narrow window of a whole day: the raw edges of a query.
func BenchmarkFactsOfAMinute(b *testing.B) {
	in := busyDay()
	u, err := ledger.New(in)
	if err != nil {
		b.Fatal(err)
	}
	from := in.Horizon - day/2
	b.ReportAllocs()
	for b.Loop() {
		u.Facts(calendar.Interval{From: from, To: from + telemetry.Instant(time.Minute)})
	}
}
