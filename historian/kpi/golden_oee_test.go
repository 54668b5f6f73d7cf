package kpi_test

import (
	"testing"

	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
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
