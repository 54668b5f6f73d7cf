package kpi_test

import (
	"testing"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// asked is what one row of a panel shows.
var asked = []kpi.Key{kpi.OEE, kpi.OEELow, kpi.OEEHigh, kpi.Availability, kpi.Performance, kpi.Quality, kpi.Coverage, kpi.Energy, kpi.EnergyPerWatt,
	kpi.EnergyPerWattLow, kpi.EnergyPerWattHigh}

// day is a unit's day in nanoseconds that share no factor, with and without an uncounted tail.
func day(uncounted int64) *ledger.Facts {
	f := &ledger.Facts{HasPieces: true, HasEnergy: true}
	for k, v := range map[ledger.Field]int64{
		ledger.Span: 86_400_000_000_000, ledger.RunTime: 71_234_567_891_237, ledger.MinorTime: 1_234_567_891_011, ledger.SetupTime: 3_141_592_653_589,
		ledger.StopTime: 5_718_281_828_459, ledger.IdleTime: 1_618_033_988_749, ledger.UnknownTime: 987_654_321_011, ledger.BridgedTime: 887_654_321_011,
		ledger.UncountedTime: uncounted, ledger.IdealTotal: 65_432_109_876_543, ledger.IdealGood: 64_321_098_765_431, ledger.BridgedTotal: 701_234_567_891,
		ledger.BridgedGood: 700_123_456_789, ledger.E79Run: 71_234_567_891_237, ledger.E79Unknown: 987_654_321_011, ledger.E79Bridged: 887_654_321_011,
		ledger.E79Uncounted: uncounted, ledger.E79IdealTotal: 65_432_109_876_543, ledger.E79IdealGood: 64_321_098_765_431,
		ledger.TotalPieces: 45_000_000_000_000, ledger.GoodPieces: 44_000_000_000_000, ledger.GoodWatts: 363_000_000_000,
		ledger.EnergyKnown: 1_234_567_891_234, ledger.EnergyHigh: 1_234_567, ledger.EnergySpan: 86_400_000_000_000, ledger.Covered: 86_399_000_000_000,
	} {
		f.Sum[k] = exact.Int(v)
	}
	return f
}

func benchmark(b *testing.B, f *ledger.Facts) {
	b.ReportAllocs()
	for b.Loop() {
		r := kpi.Compute(f, kpi.ISO)
		for _, k := range asked {
			_, _ = r.Get(k).Float()
		}
	}
}

func BenchmarkRow(b *testing.B)         { benchmark(b, day(0)) }
func BenchmarkRowWithTail(b *testing.B) { benchmark(b, day(612_345_678_901)) }

func BenchmarkCompute(b *testing.B) {
	f := day(0)
	b.ReportAllocs()
	for b.Loop() {
		r := kpi.Compute(f, kpi.ISO)
		if r.Reason() != "" {
			b.Fatal(r.Reason())
		}
	}
}

func BenchmarkLosses(b *testing.B) {
	f := day(0)
	b.ReportAllocs()
	for b.Loop() {
		kpi.Losses(f, kpi.ISO)
	}
}
