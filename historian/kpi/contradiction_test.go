package kpi_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

func find(t *testing.T, s sums, seen ledger.Finding, l kpi.Limits) []kpi.Finding {
	t.Helper()
	f := facts(t, s)
	f.Findings = ledger.Findings(seen)
	r := kpi.Compute(f, kpi.ISO)
	return r.Findings(kpi.Place{Unit: "SAW-01", Interval: calendar.Interval{From: 0, To: 3_600_000_000_000}}, l)
}

func TestContradictions(t *testing.T) {
	for name, c := range map[string]struct {
		facts  sums
		seen   ledger.Finding
		limits kpi.Limits
		want   []kpi.Code
	}{
		"nothing odd": {sums{ledger.Span: "3600", ledger.RunTime: "3600", ledger.IdealTotal: "3600", ledger.IdealGood: "3600"}, 0, kpi.Limits{}, nil},
		"faster than ideal": {sums{ledger.Span: "3600", ledger.RunTime: "3600", ledger.IdealTotal: "3601", ledger.IdealGood: "3600"}, 0, kpi.Limits{},
			[]kpi.Code{kpi.PerformanceOverOne}},
		"more good than made": {sums{ledger.Span: "3600", ledger.RunTime: "3600", ledger.IdealTotal: "3500", ledger.IdealGood: "3501"}, 0, kpi.Limits{},
			[]kpi.Code{kpi.QualityOutOfRange}},
		"more scrap than made": {sums{ledger.Span: "3600", ledger.RunTime: "3600", ledger.IdealTotal: "3500", ledger.IdealGood: "-1"}, 0, kpi.Limits{},
			[]kpi.Code{kpi.QualityOutOfRange}},
		"made while stopped": {sums{ledger.Span: "3600", ledger.StopTime: "3600"}, ledger.MadeWhileStopped, kpi.Limits{}, []kpi.Code{kpi.MadeWhileStopped}},
		"energy while off": {sums{ledger.Span: "7200", ledger.StopTime: "3600", ledger.EnergyKnown: "5", ledger.EnergyOut: "5"}, 0, kpi.Limits{OffKW: exact.Int(4)},
			[]kpi.Code{kpi.EnergyWhileOff}},
		"energy while off, just allowed": {sums{ledger.Span: "7200", ledger.StopTime: "3600", ledger.EnergyKnown: "5", ledger.EnergyOut: "5"}, 0,
			kpi.Limits{OffKW: exact.Int(5)}, nil},
		"energy out of shift, where it ran": {sums{ledger.Span: "7200", ledger.StopTime: "3600", ledger.EnergyKnown: "5", ledger.EnergyOut: "5"},
			ledger.RanUnscheduled, kpi.Limits{OffKW: exact.Int(4)}, []kpi.Code{kpi.RanUnscheduled}},
		"energy while stopped": {sums{ledger.Span: "3600", ledger.StopTime: "1800", ledger.IdleTime: "1800", ledger.EnergyKnown: "5", ledger.EnergyStop: "5"}, 0,
			kpi.Limits{StoppedKW: exact.Int(9)}, []kpi.Code{kpi.EnergyWhileStopped}},
		"little known": {sums{ledger.Span: "3600", ledger.RunTime: "2700", ledger.UnknownTime: "900", ledger.UncountedTime: "1350", ledger.EnergyKnown: "1",
			ledger.Covered: "360", ledger.EnergySpan: "3600"}, 0, kpi.Limits{Coverage: exact.Frac(4, 5), CountCover: exact.Frac(4, 5), EnergyCover: exact.Frac(4, 5)},
			[]kpi.Code{kpi.LowCoverage, kpi.LowCountCoverage, kpi.LowEnergyCoverage}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []kpi.Code
			for _, f := range find(t, c.facts, c.seen, c.limits) {
				got = append(got, f.Code)
				if f.Unit != "SAW-01" || f.Interval.To == 0 || f.Severity != f.Code.Severity() {
					t.Errorf("finding %+v lacks where, when or weight", f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("findings %v, want %v", got, c.want)
			}
		})
	}
}

func TestFindingsHaveEvidence(t *testing.T) {
	found := find(t, sums{ledger.Span: "7200", ledger.StopTime: "3600", ledger.EnergyKnown: "5", ledger.EnergyOut: "5"}, 0, kpi.Limits{OffKW: exact.Int(4)})
	if len(found) != 1 || len(found[0].Evidence) != 3 || found[0].Evidence[0].Value.String() != "5" || found[0].Evidence[0].Unit != "kW" {
		t.Errorf("findings %+v", found)
	}
	over := find(t, sums{ledger.Span: "3600", ledger.RunTime: "3600", ledger.IdealTotal: "5400", ledger.TotalPieces: "9"}, 0, kpi.Limits{})
	if len(over) != 1 || over[0].Evidence[0].Name != "P" || over[0].Evidence[0].Value.String() != "3/2" || len(over[0].Evidence) != 3 {
		t.Errorf("findings %+v", over)
	}
}

func TestE79DoesNotLookAtTheCalendar(t *testing.T) {
	f := facts(t, sums{ledger.Span: "3600", ledger.E79Run: "3600", ledger.E79IdealTotal: "3000", ledger.E79IdealGood: "3000"})
	f.Findings = ledger.Findings(ledger.RanUnscheduled | ledger.RanInPlannedStop | ledger.UnmappedState)
	checkCodes(t, kpi.Compute(f, kpi.E79), kpi.UnmappedState)
	checkCodes(t, kpi.Compute(f, kpi.ISO), kpi.UnmappedState, kpi.RanUnscheduled, kpi.RanInPlannedStop)
}

func TestSubmetersOverParentIsAFinding(t *testing.T) {
	tree := []kpi.Meter{{Name: "main", Wh: 1000}, {Name: "saws", Parent: "main", Wh: 700}, {Name: "chillers", Parent: "main", Wh: 320}, {Name: "S1", Parent: "saws", Wh: 650}}
	got, err := kpi.BalanceMeters(tree)
	if err != nil {
		t.Fatal(err)
	}
	want := []kpi.MeterBalance{{Name: "main", Wh: 1000, Children: 1020, Over: 20}, {Name: "saws", Wh: 700, Children: 650, Unmetered: 50}}
	if !slices.Equal(got, want) {
		t.Fatalf("balances %+v, want %+v", got, want)
	}
	f, ok := got[0].Finding(exact.Frac(1, 100))
	if !ok || f.Code != kpi.SubmetersOverParent || f.Unit != "main" || f.Evidence[1].Value.String() != "51/50" {
		t.Errorf("finding %+v, %v", f, ok)
	}
	if _, ok := got[0].Finding(exact.Frac(2, 100)); ok {
		t.Error("2 % over is within the meters' classes")
	}
	if _, ok := got[1].Finding(exact.Int(0)); ok {
		t.Error("less than the parent is no finding")
	}
}

func TestWrongMeterTrees(t *testing.T) {
	for name, tree := range map[string][]kpi.Meter{
		"unknown parent": {{Name: "a", Parent: "b"}},
		"circle":         {{Name: "a", Parent: "b"}, {Name: "b", Parent: "c"}, {Name: "c", Parent: "b"}},
		"own parent":     {{Name: "a", Parent: "a"}},
		"name twice":     {{Name: "a"}, {Name: "a"}},
		"no name":        {{Wh: 1}},
		"negative":       {{Name: "a", Wh: -1}},
		"too much":       {{Name: "a"}, {Name: "b", Parent: "a", Wh: math.MaxInt64}, {Name: "c", Parent: "a", Wh: 1}},
	} {
		if _, err := kpi.BalanceMeters(tree); !errors.Is(err, kpi.ErrMeterTree) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
