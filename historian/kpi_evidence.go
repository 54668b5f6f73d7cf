package main

import (
	"fmt"
	"strings"

	"kvarts/historian/answer"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// evidence prints what the numbers come from.
func (s *sheet) evidence() {
	for i := range s.a.Evidence {
		e := &s.a.Evidence[i]
		fmt.Fprintf(s.out, "\nEvidence, %s:\n", e.Subject)
		if e.Err != nil {
			fmt.Fprintf(s.out, "  none: %v\n", e.Err)
			continue
		}
		s.ledgerRows(e)
		s.sums(e)
		s.segments(e)
		s.deltas(e)
		s.provenance(e)
	}
}

func (s *sheet) ledgerRows(e *answer.Evidence) {
	cells := [][]string{{"  Ledger", "", "run", "stop", "unknown", "pieces", "good", "kWh"}}
	for i := range e.Ledger {
		r := &e.Ledger[i]
		from := "raw data"
		switch {
		case r.Day:
			from = fmt.Sprintf("day slice, revision %d", r.Revision)
		case r.Stored:
			from = fmt.Sprintf("hour slice, revision %d", r.Revision)
		}
		fact := func(k ledger.Field) kpi.Value { return kpi.Value{Num: r.Facts.Get(k).Quo(exact.Int(1e9))} } // ns, nano-pieces, µWh
		cells = append(cells, []string{"  " + s.span(r.Interval), from, hours(fact(ledger.RunTime)), hours(fact(ledger.StopTime)),
			hours(fact(ledger.UnknownTime)), number(fact(ledger.TotalPieces)),
			number(fact(ledger.GoodPieces)), number(fact(ledger.EnergyKnown))})
	}
	printAligned(s.out, cells)
}

// sums prints every fact that is not zero: what the formulas of the KPIs are made of.
func (s *sheet) sums(e *answer.Evidence) {
	fmt.Fprintln(s.out, "\n  Sums")
	for k := range ledger.NumFields {
		if v := e.Facts.Get(k); !v.IsZero() {
			fmt.Fprintf(s.out, "    %-22s %s\n", k, v)
		}
	}
}

func (s *sheet) segments(e *answer.Evidence) {
	fmt.Fprintln(s.out, "\n  Timeline")
	for _, g := range e.Segments {
		var marks []string
		for _, m := range []struct {
			is   bool
			name string
		}{{g.Minor, "minor stop"}, {g.Bridged, "bridged by counters"}, {g.Uncounted, "not counted"}, {g.Unscheduled, "outside every shift"}, {g.InPlannedStop, "in a planned stop"}} {
			if m.is {
				marks = append(marks, m.name)
			}
		}
		fmt.Fprintf(s.out, "    %s  %-12s %s %s\n", s.precise(g.When.From), segmentName(g), g.Reason, joined(marks))
	}
}

func (s *sheet) deltas(e *answer.Evidence) {
	fmt.Fprintln(s.out, "\n  Counters")
	for _, d := range e.Deltas {
		mark := ""
		if d.LowerBound {
			mark = " at least"
		}
		fmt.Fprintf(s.out, "    %s to %s  %-6s %s%s (%s)\n", s.precise(d.When.From), s.precise(d.When.To), d.Counter, amount(d), mark, d.Kind)
	}
}

func amount(d ledger.Delta) string {
	per := int64(ledger.NanosPerPiece)
	if d.Counter == "energy" {
		per = ledger.MicroWhPerKWh
	}
	return number(kpi.Value{Num: d.Amount.Quo(exact.Int(per))})
}

func (s *sheet) provenance(e *answer.Evidence) {
	for _, p := range e.Provenance {
		fmt.Fprintf(s.out, "\n  Read %s: points %v\n", s.span(p.Read), p.Points)
		for _, g := range p.Gaps {
			fmt.Fprintf(s.out, "    gap %s to %s: %s\n", s.precise(g.From), s.precise(g.To), g.Cause)
		}
		for _, n := range p.Notes {
			fmt.Fprintf(s.out, "    not used: %s\n", n)
		}
	}
}

// precise is t on the plant's wall, with seconds.
func (s *sheet) precise(t telemetry.Instant) string {
	return t.Time().In(s.loc).Format("2006-01-02 15:04:05.999")
}

func segmentName(g ledger.Segment) string {
	if g.Category == ledger.Unknown {
		return "unknown"
	}
	return g.Code
}

func joined(marks []string) string {
	if len(marks) == 0 {
		return ""
	}
	return "[" + strings.Join(marks, ", ") + "]"
}
