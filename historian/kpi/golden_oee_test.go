package kpi_test

import (
	"slices"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// These are the golden numbers of OEE from the facts on; the vectors prove them from the raw record on.

func TestO1Baseline(t *testing.T) {
	r := kpi.Compute(facts(t, sums{
		ledger.Span: "86400", ledger.RunTime: "22380", ledger.StopTime: "2820", ledger.Failures: "2",
		ledger.IdealTotal: "19271", ledger.IdealGood: "18848", ledger.TotalPieces: "19271", ledger.GoodPieces: "18848",
	}), kpi.ISO)
	check(t, r, want{
		kpi.Availability: "373/420", kpi.Performance: "19271/22380", kpi.Quality: "18848/19271", kpi.OEE: "18848/25200",
		kpi.TEEP: "18848/86400", kpi.NEE: "18848/25200", kpi.PlannedBusyTime: "25200", kpi.ProductionTime: "22380",
		kpi.MTBF: "11190", kpi.MTTR: "1410", kpi.OEELow: "18848/25200", kpi.OEEHigh: "18848/25200", kpi.AvailabilityLow: "373/420",
		kpi.AvailabilityHigh: "373/420", kpi.Coverage: "1", kpi.CountCoverage: "1", kpi.Energy: "null", kpi.OperationalEfficiency: "null",
	})
	check(t, r, want{kpi.Availability: "0.888095238", kpi.Performance: "0.861081323", kpi.Quality: "0.978049920", kpi.OEE: "0.747936508", kpi.TEEP: "0.218148148"})
	checkReason(t, r, "")
	checkCodes(t, r)
}

func TestO14SameWeekByTwoStandards(t *testing.T) {
	f := facts(t, sums{
		ledger.Span: "604800", ledger.RunTime: "432000", ledger.StopTime: "36000", ledger.IdleTime: "72000", ledger.PlannedTime: "36000",
		ledger.Failures: "3", ledger.IdealTotal: "388800", ledger.IdealGood: "377136",
		ledger.E79Run: "432000", ledger.E79Idle: "72000", ledger.E79Engineering: "14400", ledger.E79Stop: "36000", ledger.E79Scheduled: "21600",
		ledger.E79Nonscheduled: "28800", ledger.E79Failures: "3", ledger.E79IdealTotal: "388800", ledger.E79IdealGood: "377136",
		ledger.TotalPieces: "108000", ledger.GoodPieces: "104760",
	})
	e79 := kpi.Compute(f, kpi.E79)
	check(t, e79, want{
		kpi.Availability: "6/7", kpi.OperationalEfficiency: "5/6", kpi.Performance: "9/10", kpi.Quality: "97/100", kpi.OEE: "873/1400",
		kpi.PlannedBusyTime: "604800", kpi.ProductionTime: "432000", kpi.MTBF: "144000", kpi.MTTR: "12000", kpi.NEE: "null", kpi.TEEP: "null",
		kpi.SetupTime: "null", kpi.StopTime: "null", kpi.IdleTime: "null", kpi.PlannedDowntime: "null", kpi.UnknownTime: "0",
	})
	never(t, e79, kpi.OEE, "0.6984")
	iso := kpi.Compute(f, kpi.ISO)
	check(t, iso, want{
		kpi.Availability: "4/5", kpi.Performance: "9/10", kpi.Quality: "97/100", kpi.OEE: "0.6984", kpi.PlannedBusyTime: "540000",
		kpi.StopTime: "36000", kpi.IdleTime: "72000", kpi.PlannedDowntime: "36000", kpi.TEEP: "873/1400", kpi.MTBF: "144000", kpi.MTTR: "12000",
		kpi.OperationalEfficiency: "null",
	})
	never(t, iso, kpi.OEE, "0.623571429")
	if kpi.OEE.FullName(kpi.ISO, kpi.Units) == kpi.OEE.FullName(kpi.E79, kpi.Units) {
		t.Error("two answers under one name")
	}
}

// saws are those of O3.
func saws(t *testing.T) []*ledger.Facts {
	t.Helper()
	saw := func(pbt, apt, total, good, made, fine string) *ledger.Facts {
		f := facts(t, sums{ledger.Span: "28800", ledger.RunTime: apt, ledger.IdealTotal: total, ledger.IdealGood: good,
			ledger.TotalPieces: made, ledger.GoodPieces: fine})
		f.Sum[ledger.StopTime] = num(t, pbt).Sub(num(t, apt)).Mul(num(t, "1000000000"))
		return f
	}
	return []*ledger.Facts{
		saw("28800", "27360", "25600", "25088", "16000", "15680"),
		saw("28800", "14400", "12800", "12160", "8000", "7600"),
		saw("14400", "13680", "13000", "12870", "6500", "6435"),
	}
}

func TestO3RollUpIsOfSums(t *testing.T) {
	var plant ledger.Facts
	for i, f := range saws(t) {
		r := kpi.Compute(f, kpi.ISO)
		check(t, r, want{kpi.OEE: []string{"0.871111111", "0.422222222", "0.893750"}[i]})
		plant.Add(f)
	}
	r := kpi.Compute(&plant, kpi.ISO)
	check(t, r, want{
		kpi.PlannedBusyTime: "72000", kpi.ProductionTime: "55440", kpi.IdealTotal: "51400", kpi.IdealGood: "50118",
		kpi.Availability: "0.77", kpi.Performance: "0.927128427", kpi.Quality: "0.975058366", kpi.OEE: "0.696083333",
	})
	never(t, r, kpi.OEE, "0.729027778", "0.720228720", "0.695515023")
	never(t, r, kpi.Quality, "0.974262295")
}

func TestO4LineIsItsBottleneck(t *testing.T) {
	r := kpi.ComputeLine(facts(t, sums{
		ledger.Span: "86400", ledger.LinePlannedTime: "28800", ledger.RunTime: "28800", ledger.IdealTotal: "24480", ledger.IdealGood: "24480",
		ledger.TotalPieces: "51000", ledger.GoodPieces: "51000",
	}))
	check(t, r, want{
		kpi.OEE: "17/20", kpi.OEELow: "17/20", kpi.OEEHigh: "17/20", kpi.PlannedBusyTime: "28800", kpi.PiecesTotal: "51000", kpi.PiecesGood: "51000",
		kpi.IdealGood: "24480", kpi.Coverage: "1", kpi.CountCoverage: "1", kpi.TEEP: "17/60",
		kpi.Availability: "null", kpi.Performance: "null", kpi.Quality: "null", kpi.NEE: "null", kpi.AvailabilityLow: "null",
		kpi.AvailabilityHigh: "null", kpi.ProductionTime: "null", kpi.StopTime: "null", kpi.MTBF: "null", kpi.MTTR: "null", kpi.IdealTotal: "null",
	})
	never(t, r, kpi.OEE, "0.74375", "0.65625", "0.875")
	checkReason(t, r, "")
	checkCodes(t, r)
}

func TestLineReasons(t *testing.T) {
	for name, c := range map[string]struct {
		facts  sums
		reason kpi.Reason
	}{
		"no planned time":         {sums{ledger.Span: "60"}, kpi.NoPlannedTime},
		"all of it unknown":       {sums{ledger.Span: "60", ledger.LinePlannedTime: "60", ledger.UnknownTime: "60"}, kpi.NoKnownTime},
		"nothing counts its end":  {sums{ledger.Span: "60", ledger.LinePlannedTime: "60", ledger.RunTime: "50", ledger.UncountedTime: "50"}, kpi.NoCounters},
		"never ran":               {sums{ledger.Span: "60", ledger.LinePlannedTime: "60"}, ""},
		"its bottleneck unknown":  {sums{ledger.Span: "60", ledger.LinePlannedTime: "60", ledger.RunTime: "60", ledger.NoIdealPieces: "1"}, kpi.NoIdeal},
		"ran and nothing came of": {sums{ledger.Span: "60", ledger.LinePlannedTime: "60", ledger.RunTime: "60"}, ""},
	} {
		t.Run(name, func(t *testing.T) { checkReason(t, kpi.ComputeLine(facts(t, c.facts)), c.reason) })
	}
}

// A batch of 64 h that completes on the third day, ideal 62 h, 95 % prime: D1 06:00 to D3 22:00.
func TestO5ProgressCredit(t *testing.T) {
	day := func(run, setup, idle, ideal, good string) *ledger.Facts {
		return facts(t, sums{ledger.Span: "86400", ledger.RunTime: run, ledger.SetupTime: setup, ledger.IdleTime: idle, ledger.IdealTotal: ideal,
			ledger.IdealGood: good, ledger.TotalPieces: "1"})
	}
	days := []*ledger.Facts{
		day("64800", "21600", "0", "62775", "59636.25"), // 18/64 of 62 h, of which 95 % prime
		day("86400", "0", "0", "83700", "79515"),
		day("79200", "0", "7200", "76725", "72888.75"),
	}
	var all ledger.Facts
	for i, f := range days {
		r := kpi.Compute(f, kpi.ISO)
		check(t, r, want{kpi.OEE: []string{"0.690234375", "0.9203125", "0.843619792"}[i]})
		all.Add(f)
	}
	first := kpi.Compute(days[0], kpi.ISO)
	check(t, first, want{kpi.NEE: "0.9203125"})
	r := kpi.Compute(&all, kpi.ISO)
	check(t, r, want{kpi.Availability: "64/72", kpi.Performance: "0.96875", kpi.Quality: "0.95", kpi.OEE: "0.818055556"})
}

// Completion credit books all of it on the last day: nothing on the others, nonsense on that one, and a finding that says so.
func TestO5CompletionCredit(t *testing.T) {
	const day = telemetry.Instant(24 * time.Hour)
	limits := kpi.Limits{Completion: true, LongestBatch: 64 * time.Hour}
	first := kpi.Compute(facts(t, sums{ledger.Span: "86400", ledger.RunTime: "64800", ledger.SetupTime: "21600", ledger.TotalPieces: "0"}), kpi.ISO)
	check(t, first, want{kpi.OEE: "0", kpi.Performance: "0", kpi.Quality: "null"})
	third := kpi.Compute(facts(t, sums{ledger.Span: "86400", ledger.RunTime: "79200", ledger.IdleTime: "7200", ledger.IdealTotal: "223200",
		ledger.IdealGood: "212040", ledger.TotalPieces: "1500"}), kpi.ISO)
	check(t, third, want{kpi.Performance: "2.818181818", kpi.OEE: "2.454166667"})
	found := third.Findings(kpi.Place{Unit: "CZ-01", Interval: calendar.Interval{From: 2 * day, To: 3 * day}}, limits)
	if !hasFinding(found, kpi.CompletionCreditTooFine) || !hasFinding(found, kpi.PerformanceOverOne) {
		t.Errorf("a day of a batch of 64 h: findings %v", found)
	}
	found = third.Findings(kpi.Place{Unit: "CZ-01", Interval: calendar.Interval{From: 0, To: 3 * day}}, limits)
	if hasFinding(found, kpi.CompletionCreditTooFine) {
		t.Error("three days are longer than the batch")
	}
}

func TestO6LateScrapIsANewAnswer(t *testing.T) {
	shift := func(good, goodIdeal string) kpi.Result {
		return kpi.Compute(facts(t, sums{ledger.Span: "43200", ledger.RunTime: "41400", ledger.SetupTime: "1800",
			ledger.IdealTotal: "37260", ledger.IdealGood: goodIdeal, ledger.TotalPieces: "25875", ledger.GoodPieces: good}), kpi.ISO)
	}
	check(t, shift("25875", "37260"), want{kpi.Availability: "0.958333333", kpi.Performance: "0.9", kpi.OEE: "0.8625"})
	check(t, shift("25380", "36547.2"), want{kpi.Quality: "0.980869565", kpi.OEE: "0.846"})
}

func TestO8UnknownTimeWidensTheBounds(t *testing.T) {
	dark := kpi.Compute(facts(t, sums{ledger.Span: "28800", ledger.RunTime: "22800", ledger.StopTime: "2400", ledger.UnknownTime: "3600",
		ledger.IdealTotal: "20400", ledger.IdealGood: "19992", ledger.TotalPieces: "17000", ledger.GoodPieces: "16660"}), kpi.ISO)
	check(t, dark, want{kpi.Coverage: "0.875", kpi.Availability: "0.904761905", kpi.AvailabilityLow: "0.791666667", kpi.AvailabilityHigh: "0.916666667",
		kpi.OEE: "0.793333333", kpi.OEELow: "0.694166667", kpi.OEEHigh: "0.819166667"})
	never(t, dark, kpi.Availability, "0.916666667")

	bridged := kpi.Compute(facts(t, sums{ledger.Span: "28800", ledger.RunTime: "22800", ledger.StopTime: "2400", ledger.UnknownTime: "3600",
		ledger.BridgedTime: "3600", ledger.IdealTotal: "20400", ledger.IdealGood: "19992", ledger.BridgedTotal: "3000", ledger.BridgedGood: "2940",
		ledger.TotalPieces: "19500"}), kpi.ISO)
	check(t, bridged, want{kpi.OEE: "22932/28800", kpi.OEELow: "22932/28800", kpi.OEEHigh: "22932/28800", kpi.AvailabilityLow: "25800/28800"})
}

func TestO18ZerosAreNullWithAReason(t *testing.T) {
	for name, c := range map[string]struct {
		facts  sums
		want   want
		reason kpi.Reason
	}{
		"no planned time": {sums{ledger.Span: "86400", ledger.TotalPieces: "0"}, want{kpi.Availability: "null", kpi.Performance: "null",
			kpi.Quality: "null", kpi.OEE: "null", kpi.NEE: "null", kpi.TEEP: "0", kpi.OEELow: "null", kpi.OEEHigh: "null", kpi.Coverage: "null",
			kpi.CountCoverage: "null", kpi.PiecesTotal: "0"}, kpi.NoPlannedTime},
		"never ran": {sums{ledger.Span: "86400", ledger.StopTime: "43200", ledger.Failures: "1", ledger.TotalPieces: "0"}, want{kpi.Availability: "0",
			kpi.Performance: "null", kpi.Quality: "null", kpi.OEE: "0", kpi.NEE: "null", kpi.MTBF: "0", kpi.MTTR: "43200"}, kpi.NoRunTime},
		"ran, nothing made": {sums{ledger.Span: "86400", ledger.RunTime: "43200", ledger.TotalPieces: "0"}, want{kpi.Availability: "1",
			kpi.Performance: "0", kpi.Quality: "null", kpi.OEE: "0", kpi.NEE: "0", kpi.MTBF: "null", kpi.MTTR: "null"}, kpi.NoParts},
		"empty window": {sums{}, want{kpi.Availability: "null", kpi.TEEP: "null", kpi.PiecesTotal: "null", kpi.EnergyCoverage: "null"}, kpi.NoPlannedTime},
	} {
		t.Run(name, func(t *testing.T) {
			r := kpi.Compute(facts(t, c.facts), kpi.ISO)
			check(t, r, c.want)
			checkReason(t, r, c.reason)
		})
	}
}

func TestO21LiveTailIsPaced(t *testing.T) {
	f := facts(t, sums{ledger.Span: "21600", ledger.RunTime: "19800", ledger.StopTime: "1800", ledger.UncountedTime: "600", ledger.IdealTotal: "17280",
		ledger.IdealGood: "16934.4", ledger.TotalPieces: "10800", ledger.GoodPieces: "10584"})
	f.Findings = ledger.Findings(ledger.CounterMissing)
	r := kpi.Compute(f, kpi.ISO)
	check(t, r, want{kpi.UncountedTime: "600", kpi.CountCoverage: "32/33", kpi.Availability: "11/12", kpi.Performance: "9/10", kpi.Quality: "49/50",
		kpi.OEE: "1617/2000", kpi.OEELow: "98/125", kpi.OEEHigh: "3653/4500", kpi.NEE: "1617/2000", kpi.TEEP: "1617/2000", kpi.IdealGood: "84672/5"})
	never(t, r, kpi.Performance, "0.872727273")
	never(t, r, kpi.OEE, "0.784")
	checkCodes(t, r, kpi.CounterMissing)

	hour := kpi.Compute(facts(t, sums{ledger.Span: "3600", ledger.RunTime: "3600", ledger.UncountedTime: "600", ledger.IdealTotal: "2700",
		ledger.IdealGood: "2646", ledger.TotalPieces: "1"}), kpi.ISO)
	check(t, hour, want{kpi.OEE: "441/500", kpi.OEELow: "147/200", kpi.OEEHigh: "541/600", kpi.CountCoverage: "5/6"})
	never(t, hour, kpi.OEE, "0.735")

	minutes := kpi.Compute(facts(t, sums{ledger.Span: "300", ledger.RunTime: "300", ledger.UncountedTime: "300", ledger.TotalPieces: "0"}), kpi.ISO)
	check(t, minutes, want{kpi.Availability: "1", kpi.Performance: "null", kpi.Quality: "null", kpi.OEE: "null", kpi.NEE: "null", kpi.TEEP: "null",
		kpi.OEELow: "0", kpi.OEEHigh: "1", kpi.CountCoverage: "0", kpi.IdealTotal: "0"})
	checkReason(t, minutes, kpi.NoCounters)
}

func TestO22OneOfThreeWithoutCounters(t *testing.T) {
	var plant ledger.Facts
	three := saws(t)
	third := facts(t, sums{ledger.Span: "28800", ledger.RunTime: "13680", ledger.StopTime: "720", ledger.UncountedTime: "13680"})
	third.Findings = ledger.Findings(ledger.CounterMissing)
	for _, f := range []*ledger.Facts{three[0], three[1], third} {
		plant.Add(f)
	}
	r := kpi.Compute(&plant, kpi.ISO)
	check(t, r, want{kpi.CountCoverage: "58/77", kpi.Availability: "0.77", kpi.Performance: "80/87", kpi.Quality: "0.97", kpi.OEE: "0.686804598",
		kpi.OEELow: "0.517333333", kpi.OEEHigh: "0.707333333"})
	never(t, r, kpi.OEE, "0.517333333", "0.646666667")
	checkCodes(t, r, kpi.CounterMissing)
	alone := kpi.Compute(third, kpi.ISO)
	check(t, alone, want{kpi.Availability: "0.95", kpi.OEE: "null", kpi.PiecesTotal: "null", kpi.IdealGood: "null"})
	checkReason(t, alone, kpi.NoCounters)
}

// The Flux package's own test data under a calendar of 4 h: its planned time is a scalar of 8 h whatever was asked.
func TestO2FluxCompatibility(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.Span: "14400", ledger.RunTime: "10800", ledger.StopTime: "3600", ledger.IdealTotal: "7200",
		ledger.IdealGood: "7080", ledger.TotalPieces: "240", ledger.GoodPieces: "236"}), kpi.ISO)
	check(t, r, want{kpi.Availability: "0.75", kpi.OEE: "0.491666667", kpi.ProductionTime: "10800", kpi.Performance: "0.666666667", kpi.Quality: "0.983333333"})
	never(t, r, kpi.Availability, "0.375")
	never(t, r, kpi.OEE, "0.2458333")
}

func TestO13ReworkIsNotFirstPass(t *testing.T) {
	y := kpi.Inspection{Made: num(t, "1000"), FirstPass: num(t, "940"), Reworked: num(t, "40"), Recovered: num(t, "30"), Scrapped: num(t, "30")}.Yields()
	for name, c := range map[string]struct {
		got  kpi.Value
		want string
	}{"quality": {y.Quality, "47/50"}, "final yield": {y.Final, "97/100"}, "rework": {y.Rework, "1/25"}, "scrap": {y.Scrap, "3/100"}} {
		if c.got.String() != c.want || near(c.got.Num, num(t, "0.932692308")) {
			t.Errorf("%s is %s, want %s", name, c.got, c.want)
		}
	}
	if y := (kpi.Inspection{}).Yields(); !y.Quality.Null || !y.Final.Null || !y.Rework.Null || !y.Scrap.Null {
		t.Errorf("yields of nothing: %v", y)
	}
}

func hasFinding(found []kpi.Finding, c kpi.Code) bool {
	return slices.ContainsFunc(found, func(f kpi.Finding) bool { return f.Code == c })
}
