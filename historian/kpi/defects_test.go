package kpi_test

import (
	"testing"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// Each test is named after the product whose answer it must not give.

// factoryinsight assigns running time per sub-state where it should add: of two full-speed states only the last counts.
func TestDefectUMHOnlyTheLastRunningStateCounts(t *testing.T) {
	var f ledger.Facts
	f.Add(facts(t, sums{ledger.RunTime: "3000", ledger.IdealTotal: "3000", ledger.IdealGood: "3000"}))
	f.Add(facts(t, sums{ledger.RunTime: "1000", ledger.IdealTotal: "600", ledger.IdealGood: "600"}))
	r := kpi.Compute(&f, kpi.ISO)
	check(t, r, want{kpi.ProductionTime: "4000", kpi.Performance: "0.9"})
	never(t, r, kpi.Performance, "3.6")
}

// There, performance losses given by category leave numerator and denominator alike: minor stops cost nothing.
func TestDefectUMHMinorStopsCostNothing(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.RunTime: "3000", ledger.MinorTime: "600", ledger.IdealTotal: "3000", ledger.IdealGood: "3000"}), kpi.ISO)
	check(t, r, want{kpi.Availability: "1", kpi.Performance: "5/6", kpi.OEE: "5/6"})
	never(t, r, kpi.Performance, "1")
}

// There, time before the first known state counts as available.
func TestDefectUMHUnknownTimeIsAvailable(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.RunTime: "1800", ledger.StopTime: "900", ledger.UnknownTime: "900"}), kpi.ISO)
	check(t, r, want{kpi.Availability: "2/3", kpi.Coverage: "3/4"})
	never(t, r, kpi.Availability, "0.75")
}

// There, no counts are a quality of 1.
func TestDefectUMHNoCountsAreFullQuality(t *testing.T) {
	for _, s := range []sums{
		{ledger.RunTime: "3600", ledger.TotalPieces: "0"},
		{ledger.RunTime: "3600", ledger.UncountedTime: "3600"},
	} {
		check(t, kpi.Compute(facts(t, s), kpi.ISO), want{kpi.Quality: "null"})
	}
}

// batch-stats divides by loading seconds: NaN or infinity in an hour without a shift.
func TestDefectSmartOEEDividesByZero(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.Span: "3600", ledger.TotalPieces: "0"}), kpi.ISO)
	for k := range kpi.NumKeys {
		if v, ok := r.Get(k).Float(); ok && v != 0 {
			t.Errorf("%s is %v of nothing", k, v)
		}
	}
}

// There, P and Q are 1 when nothing was produced.
func TestDefectSmartOEENothingMadeIsPerfect(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.RunTime: "3600", ledger.TotalPieces: "0"}), kpi.ISO)
	check(t, r, want{kpi.Performance: "0", kpi.Quality: "null", kpi.OEE: "0"})
	checkReason(t, r, kpi.NoParts)
}

// There, a dead gateway looks like an unchanged counter and is booked as a machine breakdown.
func TestDefectSmartOEEDeadGatewayIsABreakdown(t *testing.T) {
	seen := facts(t, sums{ledger.RunTime: "3000", ledger.StopTime: "600", ledger.Failures: "1", ledger.IdealTotal: "2700", ledger.IdealGood: "2700"})
	dead := *seen
	dead.Sum[ledger.UnknownTime] = exact.Int(3600 * 1_000_000_000)
	r, s := kpi.Compute(seen, kpi.ISO), kpi.Compute(&dead, kpi.ISO)
	for _, k := range []kpi.Key{kpi.Availability, kpi.Performance, kpi.Quality, kpi.OEE, kpi.MTBF, kpi.MTTR} {
		if !r.Get(k).Equal(s.Get(k)) {
			t.Errorf("%s moved from %s to %s", k, r.Get(k), s.Get(k))
		}
	}
	check(t, s, want{kpi.Coverage: "1/2"})
}

// There, quality over products is by raw counts, so that an hour of scrap of a slow product weighs as a minute of a fast one.
func TestDefectSmartOEEQualityByRawCounts(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.RunTime: "7200", ledger.IdealTotal: "7200", ledger.IdealGood: "3600", // 3,600 fast good ones, 1 slow bad one
		ledger.TotalPieces: "3601", ledger.GoodPieces: "3600"}), kpi.ISO)
	check(t, r, want{kpi.Quality: "1/2", kpi.OEE: "1/2", kpi.ScrapRatio: "1/3601"})
	never(t, r, kpi.Quality, "0.999722299")
}

// The oee package of Flux takes planned time as one number, whatever the window.
func TestDefectFluxPlannedTimeIsANumber(t *testing.T) {
	var day ledger.Facts
	shift := facts(t, sums{ledger.RunTime: "10800", ledger.StopTime: "3600", ledger.IdealTotal: "7200", ledger.IdealGood: "7080", ledger.TotalPieces: "240"})
	for range 3 {
		day.Add(shift)
		r := kpi.Compute(&day, kpi.ISO)
		check(t, r, want{kpi.Availability: "3/4"})
		never(t, r, kpi.Availability, "0.375", "1.125")
	}
}

// ThingWorx has A = 100 % when nothing was planned.
func TestDefectThingWorxNothingPlannedIsFullyAvailable(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.Span: "86400", ledger.TotalPieces: "0"}), kpi.ISO)
	check(t, r, want{kpi.Availability: "null", kpi.OEE: "null"})
	checkReason(t, r, kpi.NoPlannedTime)
}

// Means of percentages, and products of them, are what a spreadsheet gives.
func TestDefectPercentagesAreAveraged(t *testing.T) {
	var plant ledger.Facts
	plant.Add(facts(t, sums{ledger.RunTime: "100", ledger.IdealTotal: "100", ledger.IdealGood: "100"}))
	plant.Add(facts(t, sums{ledger.StopTime: "900", ledger.TotalPieces: "0"}))
	r := kpi.Compute(&plant, kpi.ISO)
	check(t, r, want{kpi.Availability: "1/10", kpi.OEE: "1/10"})
	never(t, r, kpi.OEE, "0.5")
}

// Capping hides a wrong ideal or a double counter.
func TestDefectPerformanceIsCapped(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.RunTime: "3600", ledger.IdealTotal: "5400", ledger.IdealGood: "5400", ledger.TotalPieces: "1"}), kpi.ISO)
	check(t, r, want{kpi.Performance: "3/2", kpi.OEE: "3/2"})
	checkCodes(t, r, kpi.PerformanceOverOne)
}
