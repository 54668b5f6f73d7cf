package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// Code names what a finding found.
type Code string

// The codes. Those of a ratio are this package's, the others the ledger's or of Contradictions and meter trees.
const (
	PerformanceOverOne  Code = "performance_over_one"
	QualityOutOfRange   Code = "quality_out_of_range"
	NoIdealFound        Code = "no_ideal"
	UnmappedState       Code = "unmapped_state"
	RanUnscheduled      Code = "ran_unscheduled"
	RanInPlannedStop    Code = "ran_in_planned_stop"
	CounterMissing      Code = "counter_missing"
	CounterResetAssumed Code = "counter_reset_assumed"
	CounterDropIgnored  Code = "counter_drop_ignored"
	RolloverAmbiguous   Code = "rollover_ambiguous"
	MadeWhileStopped    Code = "made_while_stopped"
)

// ledgerCodes are the ledger's findings in the order in which they are reported.
var ledgerCodes = [...]struct {
	seen   ledger.Finding
	code   Code
	notE79 bool // of the calendar, which E79 does not look at
}{
	{ledger.UnmappedState, UnmappedState, false},
	{ledger.RanUnscheduled, RanUnscheduled, true},
	{ledger.RanInPlannedStop, RanInPlannedStop, true},
	{ledger.CounterMissing, CounterMissing, false},
	{ledger.CounterResetAssumed, CounterResetAssumed, false},
	{ledger.CounterDropIgnored, CounterDropIgnored, false},
	{ledger.RolloverAmbiguous, RolloverAmbiguous, false},
	{ledger.MadeWhileStopped, MadeWhileStopped, false},
}

// Codes are the findings of the result, each once, always in the same order; nil when there are none.
func (r *Result) Codes() []Code {
	var out []Code
	if r.overOne() {
		out = append(out, PerformanceOverOne)
	}
	if r.oddQuality() {
		out = append(out, QualityOutOfRange)
	}
	if r.basis.noIdeal {
		out = append(out, NoIdealFound)
	}
	for _, l := range ledgerCodes {
		if r.seen.Has(l.seen) && (r.model != e79Units || !l.notE79) {
			out = append(out, l.code)
		}
	}
	return out
}

// overOne: more was made than the ideal allows: the ideal is too slow, a counter counts double or the state is wrong. A line has no P.
func (r *Result) overOne() bool {
	p := r.Get(Performance)
	return !p.Null && p.Num.Cmp(exact.Int(1)) > 0
}

func (r *Result) oddQuality() bool {
	q := r.Get(Quality)
	return !q.Null && (q.Num.Sign() < 0 || q.Num.Cmp(exact.Int(1)) > 0)
}
