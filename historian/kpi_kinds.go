package main

import (
	"fmt"
	"time"

	"kvarts/historian/answer"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

func energyColumns() []column {
	whole := func(k kpi.Key, title string, show func(kpi.Value) string) column {
		return column{name: kpi.Definitions()[k].Name, title: title, show: show, value: func(r *answer.Row) kpi.Value { return r.Energy.Whole.Get(k) }}
	}
	split := func(name, title string, of func(*answer.EnergySplit) exact.Num) column {
		return column{name: name, title: title, show: number, value: func(r *answer.Row) kpi.Value {
			return kpi.Value{Num: of(r.Energy).Quo(exact.Int(ledger.MicroWhPerKWh))}
		}}
	}
	chain := func(name, title string, of func(*kpi.ChainStage) exact.Num) column {
		return column{name: name, title: title, show: small, value: func(r *answer.Row) kpi.Value {
			if r.Energy.Stage == nil {
				return kpi.Value{Null: true}
			}
			return kpi.Value{Num: of(r.Energy.Stage)}
		}}
	}
	return []column{
		whole(kpi.Energy, "kWh", number), whole(kpi.EnergyLow, "at least", number), whole(kpi.EnergyHigh, "at most", number),
		split("direct_kwh", "direct", func(e *answer.EnergySplit) exact.Num { return e.Direct }),
		split("allocated_kwh", "shared", func(e *answer.EnergySplit) exact.Num { return e.Allocated }),
		split("unallocated_kwh", "nobody's", func(e *answer.EnergySplit) exact.Num { return e.Unallocated }),
		key(kpi.IdleEnergyShare, "idle", percent),
		whole(kpi.PiecesGood, "good", number), whole(kpi.EnergyPerGood, "kWh/good", small), whole(kpi.EnergyPerWatt, "kWh/W", small),
		chain("stage_kwh_per_w", "of the chain", func(c *kpi.ChainStage) exact.Num { return c.PerWatt }),
		chain("stage_cumulative_kwh_per_w", "cumulative", func(c *kpi.ChainStage) exact.Num { return c.Cumulative }),
		{name: "chain_kwh_per_w", title: "chain kWh/W", show: small, value: func(r *answer.Row) kpi.Value {
			if r.Energy.Chain == nil {
				return kpi.Value{Null: true}
			}
			return kpi.Value{Num: r.Energy.Chain.PerWatt()}
		}},
		whole(kpi.EnergyCoverage, "coverage", percent),
		{text: missingOf},
	}
}

// lossColumns are the steps of the waterfall. Their sum with what is good is all time.
func lossColumns() []column {
	cols := []column{{name: "total_s", title: "time", show: hours, value: func(r *answer.Row) kpi.Value {
		return inSeconds(r.Losses.Total)
	}}}
	for _, l := range []struct {
		kind  kpi.LossKind
		title string
	}{
		{kpi.OutOfSchedule, "no shift"}, {kpi.PlannedStops, "planned"}, {kpi.Breakdowns, "1 broken"}, {kpi.SetUps, "2 set-up"}, {kpi.Idling, "3 idle"},
		{kpi.EngineeringUse, "engineering"}, {kpi.UnknownState, "unknown"}, {kpi.MinorStops, "3 minor"}, {kpi.Uncounted, "uncounted"},
		{kpi.ReducedSpeed, "4 slow"}, {kpi.Defects, "5 defects"}, {kpi.Unvalued, "no ideal"},
	} {
		cols = append(cols, column{name: l.kind.String() + "_s", title: l.title, show: hoursOrNothing, value: func(r *answer.Row) kpi.Value {
			var sum exact.Num
			for _, loss := range r.Losses.Losses {
				if loss.Kind == l.kind {
					sum = sum.Add(loss.Time)
				}
			}
			return inSeconds(sum)
		}})
	}
	return append(cols, column{name: "good_s", title: "good", show: hours, value: func(r *answer.Row) kpi.Value { return inSeconds(r.Losses.Good) }},
		key(kpi.OEE, "OEE", percent), column{text: remark})
}

func inSeconds(ns exact.Num) kpi.Value {
	return kpi.Value{Num: ns.Quo(exact.Int(int64(time.Second)))}
}

// hoursOrNothing leaves out what is not there, so that a loss nobody has gets no column.
func hoursOrNothing(v kpi.Value) string {
	if v.Num.IsZero() {
		return ""
	}
	return hours(v)
}

// shownReasons is how many reasons a table shows of each subject.
const shownReasons = 8

// reasons prints what stopped each subject, the costliest first.
func (s *sheet) reasons() {
	if k := s.a.Question.Kind; k != answer.Losses && k != answer.States {
		return
	}
	rows := s.a.Totals
	if len(rows) == 0 {
		rows = s.a.Rows
	}
	for i := range rows {
		r := &rows[i]
		pareto := paretoOf(r)
		if r.Err != nil || len(pareto) == 0 {
			continue
		}
		fmt.Fprintf(s.out, "\nReasons, %s:\n", r.Subject)
		cells := [][]string{{"", "", "time", "times", "share"}}
		for _, p := range pareto[:min(len(pareto), shownReasons)] {
			cells = append(cells, []string{"  " + p.Cause.Reason, categoryName(p.Cause), hours(inSeconds(p.Time)), number(kpi.Value{Num: p.Count}), percent(p.Share)})
		}
		printAligned(s.out, cells)
		if n := len(pareto) - shownReasons; n > 0 {
			fmt.Fprintf(s.out, "  and %d more\n", n)
		}
	}
}

func paretoOf(r *answer.Row) []kpi.ReasonRow {
	return kpi.Pareto(r.Facts, ledger.Stop, ledger.Setup, ledger.Idle, ledger.Planned, ledger.Engineering)
}

// categoryNames are the ledger's categories in words.
var categoryNames = map[ledger.Category]string{ledger.Unknown: "unknown", ledger.Run: "run", ledger.Setup: "set-up", ledger.Stop: "stop",
	ledger.Idle: "idle", ledger.Planned: "planned", ledger.Engineering: "engineering", ledger.Nonscheduled: "not scheduled"}

func categoryName(c ledger.Reason) string {
	if c.Minor {
		return "minor " + categoryNames[c.Category]
	}
	return categoryNames[c.Category]
}
