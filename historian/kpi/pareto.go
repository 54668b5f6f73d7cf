package kpi

import (
	"cmp"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// ReasonRow is what one reason cost.
type ReasonRow struct {
	Cause      ledger.Reason
	Time       exact.Num // ns
	Count      exact.Num // how often it began
	Share      Value     // of the rows' time
	Cumulative Value     // of this row and all before it; of the last row 1
	Mean       Value     // ns for each time it began (of a stop: its time to repair); null when it began before
}

// Pareto is the time that each reason of the given categories cost, the costliest first; of equal ones the more
// frequent, then by name: the order does not depend on how the facts were added up.
func Pareto(f *ledger.Facts, categories ...ledger.Category) []ReasonRow {
	var rows []ReasonRow
	var total exact.Num
	for reason, sum := range f.Reasons {
		if slices.Contains(categories, reason.Category) {
			rows = append(rows, ReasonRow{Cause: reason, Time: sum.Time, Count: sum.Count, Mean: ratio(sum.Time, sum.Count)})
			total = total.Add(sum.Time)
		}
	}
	slices.SortFunc(rows, func(a, b ReasonRow) int {
		return cmp.Or(b.Time.Cmp(a.Time), b.Count.Cmp(a.Count), compareReasons(a.Cause, b.Cause))
	})
	var sofar exact.Num
	for i := range rows {
		sofar = sofar.Add(rows[i].Time)
		rows[i].Share = ratio(rows[i].Time, total)
		rows[i].Cumulative = ratio(sofar, total)
	}
	return rows
}

func compareReasons(a, b ledger.Reason) int {
	minor := 0
	if a.Minor != b.Minor {
		minor = 1
		if b.Minor {
			minor = -1
		}
	}
	return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.Reason, b.Reason), minor)
}
