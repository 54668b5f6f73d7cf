package kpi_test

import (
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

func TestEnergyPerOutputHasBounds(t *testing.T) {
	base := sums{ledger.Span: "3600", ledger.E79Run: "3600", ledger.E79IdealTotal: "2000", ledger.E79IdealGood: "2000",
		ledger.TotalPieces: "1000", ledger.GoodPieces: "1000", ledger.GoodWatts: "8250", ledger.EnergyKnown: "90", ledger.EnergyLow: "1",
		ledger.EnergyHigh: "10", ledger.EnergySpan: "3600", ledger.Covered: "3000"}
	for name, c := range map[string]struct {
		change sums
		seen   ledger.Finding
		want   want
	}{
		"energy alone is unsure": {nil, 0, want{kpi.EnergyPerGood: "90/1000", kpi.EnergyPerGoodLow: "91/1000", kpi.EnergyPerGoodHigh: "100/1000",
			kpi.EnergyPerWatt: "90/8250", kpi.EnergyPerWattLow: "91/8250", kpi.EnergyPerWattHigh: "100/8250"}},
		"a tenth of the pieces may be missing": {sums{ledger.E79Unknown: "200"}, 0, want{kpi.EnergyPerGood: "90/1000", kpi.EnergyPerGoodLow: "91/1100",
			kpi.EnergyPerGoodHigh: "100/1000"}},
		"unknown time that counters bridge": {sums{ledger.E79Unknown: "200", ledger.E79Bridged: "200"}, 0, want{kpi.EnergyPerGoodLow: "91/1000",
			kpi.EnergyPerGoodHigh: "100/1000"}},
		"run time that nothing counts": {sums{ledger.E79Uncounted: "400"}, ledger.CounterMissing, want{kpi.EnergyPerGoodLow: "91/1200",
			kpi.EnergyPerGoodHigh: "100/800", kpi.EnergyPerWattHigh: "100/6600", kpi.ScrapRatio: "null"}},
		"more may be missing than was made": {sums{ledger.E79Uncounted: "1800", ledger.E79IdealTotal: "1800", ledger.E79IdealGood: "1800"}, 0,
			want{kpi.EnergyPerGoodLow: "91/2000", kpi.EnergyPerGoodHigh: "null"}},
		"nothing to measure the missing by": {sums{ledger.E79Unknown: "200", ledger.E79NoIdealPieces: "1"}, 0, want{kpi.EnergyPerGood: "90/1000",
			kpi.EnergyPerGoodLow: "null", kpi.EnergyPerGoodHigh: "null"}},
		"no rated power":      {sums{ledger.UnboundedTime: "600"}, 0, want{kpi.EnergyHigh: "null", kpi.EnergyPerGoodLow: "91/1000", kpi.EnergyPerGoodHigh: "null"}},
		"register may be low": {nil, ledger.RegisterLowerBound, want{kpi.EnergyHigh: "null", kpi.EnergyPerWattHigh: "null"}},
		"nothing good":        {sums{ledger.GoodPieces: "0", ledger.GoodWatts: "0"}, 0, want{kpi.EnergyPerGood: "null", kpi.EnergyPerWatt: "null", kpi.ScrapRatio: "1"}},
		"no watts":            {sums{ledger.GoodWatts: "0"}, 0, want{kpi.EnergyPerGood: "90/1000", kpi.EnergyPerWatt: "null", kpi.WattsGood: "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := sums{}
			for k, v := range base {
				s[k] = v
			}
			for k, v := range c.change {
				s[k] = v
			}
			f := facts(t, s)
			f.Findings = ledger.Findings(c.seen)
			check(t, kpi.Compute(f, kpi.ISO), c.want)
		})
	}
}

func TestEnergyPerOutputNeedsBoth(t *testing.T) {
	for _, s := range []sums{{ledger.EnergyKnown: "1"}, {ledger.GoodPieces: "1", ledger.GoodWatts: "8"}} {
		r := kpi.Compute(facts(t, s), kpi.ISO)
		check(t, r, want{kpi.EnergyPerGood: "null", kpi.EnergyPerGoodLow: "null", kpi.EnergyPerGoodHigh: "null", kpi.EnergyPerWatt: "null",
			kpi.EnergyPerWattLow: "null", kpi.EnergyPerWattHigh: "null", kpi.ComprehensiveEnergy: "null"})
	}
	check(t, kpi.Compute(facts(t, sums{ledger.GoodPieces: "1"}), kpi.ISO), want{kpi.Energy: "null", kpi.EnergyLow: "null", kpi.EnergyHigh: "null",
		kpi.EnergyCoverage: "null", kpi.IdleEnergy: "null", kpi.IdleEnergyShare: "null"})
	check(t, kpi.Compute(facts(t, sums{ledger.EnergyKnown: "1"}), kpi.ISO), want{kpi.WattsGood: "null", kpi.ScrapRatio: "null"})
}

// A line's facts hold nothing by E79: what its last unit did in the line's planned time is what is looked at.
func TestEnergyPerOutputOfALine(t *testing.T) {
	s := sums{ledger.Span: "3600", ledger.LinePlannedTime: "3600", ledger.RunTime: "3600", ledger.UncountedTime: "400", ledger.IdealTotal: "2000",
		ledger.IdealGood: "2000", ledger.TotalPieces: "1000", ledger.GoodPieces: "1000", ledger.EnergyKnown: "90"}
	check(t, kpi.ComputeLine(facts(t, s)), want{kpi.EnergyPerGood: "90/1000", kpi.EnergyPerGoodLow: "90/1200", kpi.EnergyPerGoodHigh: "90/800"})
	s[ledger.UncountedTime] = "0"
	f := facts(t, s)
	check(t, kpi.ComputeLine(f), want{kpi.EnergyPerGoodLow: "90/1000", kpi.EnergyPerGoodHigh: "90/1000"})
	f.Findings = ledger.Findings(ledger.CounterMissing)
	check(t, kpi.ComputeLine(f), want{kpi.EnergyPerGood: "90/1000", kpi.EnergyPerGoodLow: "null", kpi.EnergyPerGoodHigh: "null"})
}

// Hiding states, counts and power of a unit whose pieces are all worth the same leaves the truth within the bounds.
func TestTrueEnergyPerPieceIsWithinTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const second = 1_000_000_000
		run := within(t, "run s", 10_000)
		made := within(t, "pieces of 1 s", run)
		used := within(t, "kWh", 1000)
		dark := within(t, "hidden run s", run)
		silent := within(t, "uncounted s", run-dark)
		counted := run - dark - silent
		seen := min(made, counted)
		lost := made - seen // what the hidden time made
		unseen := within(t, "hidden kWh", used)
		f := &ledger.Facts{HasPieces: true, HasEnergy: true}
		for k, v := range map[ledger.Field]int64{
			ledger.Span: run, ledger.E79Run: run - dark, ledger.E79Unknown: dark, ledger.E79Uncounted: silent, ledger.E79IdealTotal: seen,
			ledger.E79IdealGood: seen, ledger.TotalPieces: seen, ledger.GoodPieces: seen, ledger.EnergyKnown: used - unseen,
			ledger.EnergyHigh: unseen + within(t, "rated kWh", 10),
		} {
			f.Sum[k] = exact.Int(v * second)
		}
		if lost > dark+silent {
			t.Fatalf("%d pieces in %d s", lost, dark+silent)
		}
		truth := kpi.Value{Null: true}
		if made > 0 {
			truth = kpi.Value{Num: exact.Frac(used, made)}
		}
		r := kpi.Compute(f, kpi.ISO)
		atMost(t, "low ≤ truth", r.Get(kpi.EnergyPerGoodLow), truth)
		atMost(t, "truth ≤ high", truth, r.Get(kpi.EnergyPerGoodHigh))
		atMost(t, "low ≤ known", r.Get(kpi.EnergyPerGoodLow), r.Get(kpi.EnergyPerGood))
		atMost(t, "known ≤ high", r.Get(kpi.EnergyPerGood), r.Get(kpi.EnergyPerGoodHigh))
	})
}

func TestISO22400TimeElements(t *testing.T) {
	r := kpi.Compute(facts(t, sums{ledger.Span: "86400", ledger.RunTime: "5000", ledger.MinorTime: "1000", ledger.SetupTime: "2000", ledger.StopTime: "1000",
		ledger.IdleTime: "1000", ledger.UnknownTime: "500", ledger.TotalPieces: "200", ledger.GoodPieces: "190"}), kpi.ISO)
	check(t, r, want{kpi.AllocationEfficiency: "9000/10000", kpi.UtilizationEfficiency: "6000/9000", kpi.TechnicalEfficiency: "6000/7000",
		kpi.SetupRate: "2000/8000", kpi.ScrapRatio: "10/200"})
	none := kpi.Compute(facts(t, sums{ledger.Span: "60", ledger.TotalPieces: "0"}), kpi.ISO)
	check(t, none, want{kpi.AllocationEfficiency: "null", kpi.UtilizationEfficiency: "null", kpi.TechnicalEfficiency: "null", kpi.SetupRate: "null",
		kpi.ScrapRatio: "null"})
}
