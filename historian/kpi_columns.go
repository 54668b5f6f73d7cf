package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/answer"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// column is one number of a row: its name for scripts, its title and text for people.
type column struct {
	name  string // of CSV and JSON; "" only for people
	title string
	value func(*answer.Row) kpi.Value
	show  func(kpi.Value) string
	text  func(*answer.Row) string // instead of value and show
}

// key is the column of one KPI.
func key(k kpi.Key, title string, show func(kpi.Value) string) column {
	return column{name: kpi.Definitions()[k].Name, title: title, show: show, value: func(r *answer.Row) kpi.Value { return r.Result.Get(k) }}
}

// sum is the column of one fact, in the unit of its quanta divided by per.
func sum(k ledger.Field, name, title string, per int64, show func(kpi.Value) string) column {
	return column{name: name, title: title, show: show, value: func(r *answer.Row) kpi.Value {
		return kpi.Value{Num: r.Facts.Get(k).Quo(exact.Int(per))}
	}}
}

// columns of a kind, for people in this order.
func columns(kind answer.Kind) []column {
	switch kind {
	case answer.Energy:
		return energyColumns()
	case answer.Losses:
		return lossColumns()
	case answer.States:
		return stateColumns()
	default:
		return oeeColumns()
	}
}

func oeeColumns() []column {
	return []column{
		key(kpi.OEE, "OEE", percent), key(kpi.OEELow, "at least", percent), key(kpi.OEEHigh, "at most", percent),
		key(kpi.Availability, "A", percent), key(kpi.Performance, "P", percent), key(kpi.Quality, "Q", percent),
		key(kpi.PlannedBusyTime, "planned", hours), key(kpi.ProductionTime, "ran", hours), key(kpi.StopTime, "stopped", hours),
		key(kpi.UnknownTime, "unknown", hours), key(kpi.PiecesTotal, "pieces", number), key(kpi.PiecesGood, "good", number),
		key(kpi.Coverage, "coverage", percent), key(kpi.CountCoverage, "counted", percent),
		{title: "", text: remark},
	}
}

func stateColumns() []column {
	const ns = int64(time.Second)
	return []column{
		sum(ledger.Span, "span_s", "time", ns, hours), sum(ledger.RunTime, "run_s", "run", ns, hours),
		sum(ledger.MinorTime, "minor_s", "minor stops", ns, hours), sum(ledger.SetupTime, "setup_s", "set-up", ns, hours),
		sum(ledger.StopTime, "stop_s", "stop", ns, hours), sum(ledger.IdleTime, "idle_s", "idle", ns, hours),
		sum(ledger.UnknownTime, "unknown_s", "unknown", ns, hours), sum(ledger.PlannedTime, "planned_down_s", "planned down", ns, hours),
		sum(ledger.Failures, "failures", "stops", 1, number), {title: "", text: remark},
	}
}

// percent shows a ratio with one decimal.
func percent(v kpi.Value) string {
	f, ok := v.Float()
	if !ok {
		return "-"
	}
	return rounded(100*f, 1) + " %"
}

// rounded is f with so many decimals; what rounds to zero has no sign.
func rounded(f float64, decimals int) string {
	s := strconv.FormatFloat(f, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// hours shows seconds as hours and minutes.
func hours(v kpi.Value) string {
	f, ok := v.Float()
	if !ok {
		return "-"
	}
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	minutes := int(math.Round(f / 60))
	if minutes == 0 && f > 0 {
		return sign + strconv.FormatFloat(f, 'f', 0, 64) + " s"
	}
	return sign + fmt.Sprintf("%d:%02d", minutes/60, minutes%60)
}

// number shows a quantity in groups of three, with a decimal only when it is small.
func number(v kpi.Value) string {
	f, ok := v.Float()
	if !ok {
		return "-"
	}
	decimals := 0
	if f > -100 && f < 100 && f != float64(int64(f)) {
		decimals = 2
	}
	return grouped(rounded(f, decimals))
}

// grouped puts a narrow gap between groups of three digits.
func grouped(s string) string {
	sign, digits := "", s
	if strings.HasPrefix(s, "-") {
		sign, digits = "-", s[1:]
	}
	whole, fraction, point := strings.Cut(digits, ".")
	var b strings.Builder
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	if point {
		b.WriteByte('.')
		b.WriteString(fraction)
	}
	return sign + b.String()
}

// small shows a ratio of quantities with four significant digits.
func small(v kpi.Value) string {
	f, ok := v.Float()
	if !ok {
		return "-"
	}
	return strconv.FormatFloat(f, 'g', 4, 64)
}

// remark says why a number is missing and what is not in it.
func remark(r *answer.Row) string {
	var all []string
	if r.Err != nil {
		all = append(all, "no facts: see below")
	} else if reason := r.Result.Reason(); reason != "" {
		all = append(all, string(reason))
	}
	if text := missingOf(r); text != "" && r.Err == nil {
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// missingOf says which units are not in a sum.
func missingOf(r *answer.Row) string {
	if len(r.Missing) == 0 {
		return ""
	}
	return "without " + strings.Join(r.Missing, ", ")
}
