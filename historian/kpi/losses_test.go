package kpi_test

import (
	"testing"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// reasons puts time (s) and counts of reasons into facts.
func reasons(f *ledger.Facts, rows map[ledger.Reason][2]int64) *ledger.Facts {
	f.Reasons = make(map[ledger.Reason]ledger.ReasonSum, len(rows))
	for r, v := range rows {
		f.Reasons[r] = ledger.ReasonSum{Time: exact.Int(v[0] * 1_000_000_000), Count: exact.Int(v[1])}
	}
	return f
}

func TestWaterfallOfADay(t *testing.T) {
	f := reasons(facts(t, sums{
		ledger.Span: "86400", ledger.PlannedTime: "3600", ledger.RunTime: "30000", ledger.MinorTime: "600", ledger.StopTime: "5000", ledger.SetupTime: "1800",
		ledger.IdleTime: "900", ledger.UnknownTime: "1000", ledger.UncountedTime: "500", ledger.IdealTotal: "27000", ledger.IdealGood: "26000",
		ledger.BridgedTime: "400", ledger.BridgedTotal: "300", ledger.BridgedGood: "290", ledger.TotalPieces: "1",
	}), map[ledger.Reason][2]int64{
		{Category: ledger.Stop, Reason: "wire break"}:           {3000, 2},
		{Category: ledger.Stop, Reason: "slurry"}:               {1500, 1},
		{Category: ledger.Stop, Reason: "jam", Minor: true}:     {600, 9},
		{Category: ledger.Setup, Reason: "loading"}:             {1800, 5},
		{Category: ledger.Planned, Reason: "planned_stop"}:      {3600, 1},
		{Category: ledger.Idle, Reason: "no brick in the loft"}: {900, 1},
	})
	w := kpi.Losses(f, kpi.ISO)
	want := []struct {
		kind    kpi.LossKind
		reason  string
		seconds int64
	}{
		{kpi.OutOfSchedule, "", 43500}, {kpi.PlannedStops, "", 3600}, {kpi.Breakdowns, "wire break", 3000}, {kpi.Breakdowns, "slurry", 1500},
		{kpi.Breakdowns, "", 500}, {kpi.SetUps, "", 1800}, {kpi.Idling, "", 900}, {kpi.UnknownState, "", 700}, {kpi.MinorStops, "", 600},
		{kpi.Uncounted, "", 500}, {kpi.ReducedSpeed, "", 2500}, {kpi.Defects, "", 1010},
	}
	if len(w.Losses) != len(want) {
		t.Fatalf("bars %v", w.Losses)
	}
	for i, x := range want {
		if got := w.Losses[i]; got.Kind != x.kind || got.Reason != x.reason || !got.Time.Equal(exact.Int(x.seconds*1_000_000_000)) {
			t.Errorf("bar %d is %s %q %s, want %s %q %d s", i, got.Kind, got.Reason, got.Time, x.kind, x.reason, x.seconds)
		}
	}
	if !w.Good.Equal(exact.Int(26290 * 1_000_000_000)) {
		t.Errorf("good %s", w.Good)
	}
}

// A machine that is faster than its ideal has a bar below zero: clipping it would break the sum and hide the wrong ideal.
func TestReducedSpeedBelowZeroIsShown(t *testing.T) {
	w := kpi.Losses(facts(t, sums{ledger.Span: "100", ledger.RunTime: "100", ledger.IdealTotal: "110", ledger.IdealGood: "110", ledger.TotalPieces: "1"}), kpi.ISO)
	if len(w.Losses) != 1 || w.Losses[0].Kind != kpi.ReducedSpeed || !w.Losses[0].Time.Equal(exact.Int(-10_000_000_000)) {
		t.Errorf("bars %v", w.Losses)
	}
}

func TestWaterfallWithoutIdealIsUnvalued(t *testing.T) {
	w := kpi.Losses(facts(t, sums{ledger.Span: "100", ledger.RunTime: "90", ledger.UnknownTime: "10", ledger.IdealTotal: "50", ledger.IdealGood: "50",
		ledger.NoIdealPieces: "3", ledger.TotalPieces: "9"}), kpi.ISO)
	if n := len(w.Losses); n != 2 || w.Losses[1].Kind != kpi.Unvalued || !w.Losses[1].Time.Equal(exact.Int(90_000_000_000)) || !w.Good.IsZero() {
		t.Errorf("bars %v, good %s", w.Losses, w.Good)
	}
}

func TestSixLossesByNumber(t *testing.T) {
	for kind, n := range map[kpi.LossKind]int{kpi.Breakdowns: 1, kpi.SetUps: 2, kpi.Idling: 3, kpi.MinorStops: 3, kpi.ReducedSpeed: 4, kpi.Defects: 5,
		kpi.OutOfSchedule: 0, kpi.PlannedStops: 0, kpi.UnknownState: 0, kpi.Uncounted: 0} {
		if kind.BigLoss() != n {
			t.Errorf("%s is loss %d, want %d", kind, kind.BigLoss(), n)
		}
	}
}

func TestParetoOfReasons(t *testing.T) {
	f := reasons(&ledger.Facts{}, map[ledger.Reason][2]int64{
		{Category: ledger.Stop, Reason: "b"}:              {100, 1},
		{Category: ledger.Stop, Reason: "a"}:              {100, 1},
		{Category: ledger.Stop, Reason: "often"}:          {100, 4},
		{Category: ledger.Stop, Reason: "long"}:           {500, 2},
		{Category: ledger.Stop, Reason: "from yesterday"}: {200, 0},
		{Category: ledger.Idle, Reason: "starved"}:        {9000, 1},
	})
	rows := kpi.Pareto(f, ledger.Stop)
	names := ""
	for _, r := range rows {
		names += r.Cause.Reason + " "
	}
	if names != "long from yesterday often a b " {
		t.Errorf("order %s", names)
	}
	if rows[0].Share.String() != "1/2" || rows[1].Cumulative.String() != "7/10" || rows[4].Cumulative.String() != "1" {
		t.Errorf("shares %v", rows)
	}
	if rows[0].Mean.String() != "250000000000" || !rows[1].Mean.Null {
		t.Errorf("means %s, %s", rows[0].Mean, rows[1].Mean)
	}
	if got := kpi.Pareto(f, ledger.Stop, ledger.Idle); len(got) != 6 || got[0].Cause.Reason != "starved" {
		t.Errorf("with idle: %v", got)
	}
	if got := kpi.Pareto(&ledger.Facts{}, ledger.Stop); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestLossesAreNamed(t *testing.T) {
	seen := make(map[string]bool)
	for k := kpi.OutOfSchedule; k <= kpi.Unvalued; k++ {
		if s := k.String(); s == "" || seen[s] {
			t.Errorf("loss %d is named %q", k, s)
		} else {
			seen[s] = true
		}
	}
	if s := (kpi.Unvalued + 1).String(); s != "" {
		t.Errorf("no loss is named %q", s)
	}
}
