package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// LossKind is one step on the way from all time down to the theoretical time of good pieces.
type LossKind uint8

// The kinds, in the order of the waterfall. Start-up rejects, the sixth of Nakajima's losses, are not told from other defects
// by anything that is recorded, so they are in Defects.
const (
	OutOfSchedule  LossKind = iota // outside every shift, or state nonscheduled
	PlannedStops                   // planned downtime; by E79 scheduled downtime with set-up
	Breakdowns                     // unplanned stops, one bar for each reason. Loss 1
	SetUps                         // set-up and adjustment. Loss 2
	Idling                         // available without an order; by E79 stand-by. Loss 3
	EngineeringUse                 // by E79 only
	UnknownState                   // unknown time, less the ideal time of what the counters say was made in it
	MinorStops                     // Loss 3
	Uncounted                      // run time that nothing counts
	ReducedSpeed                   // counted run time, less the ideal time of what was made in it; below 0 when P > 1. Loss 4
	Defects                        // ideal time of what was made and not good. Loss 5 (and 6)
	Unvalued                       // run time with pieces that have no ideal: stands for all that follows
)

var lossNames = [...]string{
	OutOfSchedule: "out_of_schedule", PlannedStops: "planned_stops", Breakdowns: "breakdowns", SetUps: "set_up", Idling: "idling",
	EngineeringUse: "engineering", UnknownState: "unknown", MinorStops: "minor_stops", Uncounted: "uncounted",
	ReducedSpeed: "reduced_speed", Defects: "defects", Unvalued: "unvalued",
}

func (k LossKind) String() string {
	if int(k) >= len(lossNames) {
		return ""
	}
	return lossNames[k]
}

// BigLoss is the number of the loss in Nakajima's six, 0 for what is none of them.
func (k LossKind) BigLoss() int {
	switch k {
	case Breakdowns:
		return 1
	case SetUps:
		return 2
	case Idling, MinorStops:
		return 3
	case ReducedSpeed:
		return 4
	case Defects:
		return 5
	default:
		return 0
	}
}

// Loss is one bar. Time is in ns; it is below 0 where more was made than the ideal allows, which is shown, not clipped.
type Loss struct {
	Kind   LossKind
	Reason string // of Breakdowns by ISO; "" for what has none
	Time   exact.Num
}

// Waterfall leads from all time to the theoretical time of good pieces: Total = Σ Losses + Good, exactly.
type Waterfall struct {
	Total  exact.Num // ns: T
	Losses []Loss    // those that are not 0, by kind, reasons by Pareto
	Good   exact.Num // ns: ideal_good_s; 0 when Unvalued is among the losses
}

// Losses is the waterfall of a unit, or of the summed facts of several.
func Losses(f *ledger.Facts, s Standard) Waterfall {
	w := waterfall{facts: f, result: Compute(f, s)}
	w.out.Total = f.Get(ledger.Span)
	if s == E79 {
		w.downByStates()
	} else {
		w.downByCalendar()
	}
	w.made()
	return w.out
}

type waterfall struct {
	facts  *ledger.Facts
	result Result
	out    Waterfall
}

func (w *waterfall) add(k LossKind, reason string, ns exact.Num) {
	if !ns.IsZero() {
		w.out.Losses = append(w.out.Losses, Loss{Kind: k, Reason: reason, Time: ns})
	}
}

func (w *waterfall) downByCalendar() {
	f := w.facts
	planned := f.Get(ledger.PlannedTime)
	w.add(OutOfSchedule, "", w.out.Total.Sub(planned).Sub(w.result.basis.pbt))
	w.add(PlannedStops, "", planned)
	rest := f.Get(ledger.StopTime)
	for _, row := range Pareto(f, ledger.Stop) {
		if !row.Cause.Minor {
			w.add(Breakdowns, row.Cause.Reason, row.Time)
			rest = rest.Sub(row.Time)
		}
	}
	w.add(Breakdowns, "", rest)
	w.add(SetUps, "", f.Get(ledger.SetupTime))
	w.add(Idling, "", f.Get(ledger.IdleTime))
}

// downByStates has what the states leave of total time: nothing of it is by the calendar, so whatever they do not name is out of schedule.
func (w *waterfall) downByStates() {
	f, b := w.facts, &w.result.basis
	scheduled, stop := f.Get(ledger.E79Scheduled), f.Get(ledger.E79Stop)
	w.add(OutOfSchedule, "", w.out.Total.Sub(b.up).Sub(scheduled).Sub(stop).Sub(b.u))
	w.add(PlannedStops, "", scheduled)
	w.add(Breakdowns, "", stop)
	w.add(Idling, "", f.Get(ledger.E79Idle))
	w.add(EngineeringUse, "", f.Get(ledger.E79Engineering))
}

// made leads from what is left, production and unknown time, to the good pieces.
func (w *waterfall) made() {
	b := &w.result.basis
	minor := b.apt.Sub(b.r)
	if b.noIdeal {
		w.add(UnknownState, "", b.u)
		w.add(MinorStops, "", minor)
		w.add(Unvalued, "", b.r)
		return
	}
	w.add(UnknownState, "", b.u.Sub(b.bridged).Sub(b.dark))
	w.add(MinorStops, "", minor)
	w.add(Uncounted, "", b.c)
	w.add(ReducedSpeed, "", b.r.Sub(b.c).Sub(b.total))
	w.add(Defects, "", b.plannedTotal().Sub(b.plannedGood()))
	w.out.Good = b.plannedGood()
}
