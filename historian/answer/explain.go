package answer

import (
	"context"
	"fmt"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// explainUnits is of how many units an answer gives the evidence: more nobody reads.
const explainUnits = 20

// Evidence is what the facts of one unit in the window come from.
type Evidence struct {
	Subject Subject
	Facts   ledger.Facts // of the whole window: the sum of the ledger rows
	Ledger  []LedgerRow
	// Segments are what the unit was, moment by moment, and Deltas what its counters counted, each with its readings' times.
	Segments   []ledger.Segment
	Deltas     []ledger.Delta
	Provenance []*evidence.Provenance
	Err        error // why there is none
}

// LedgerRow is one summand.
type LedgerRow struct {
	calendar.Interval
	Stored   bool // a stored slice; else computed from raw data for this answer
	Day      bool
	Revision int
	Facts    ledger.Facts
}

// explain gives the evidence behind each unit of the answer. Evidence that cannot be had is no reason to keep back the answer.
func (e *Engine) explain(ctx context.Context, s *summer) ([]Evidence, error) {
	var out []Evidence
	for _, r := range s.plan.refs {
		if r.level != Unit {
			continue
		}
		if len(out) == explainUnits {
			return nil, asking("evidence of more than %d units: ask for one unit or line, or for a shorter time", explainUnits)
		}
		v, err := e.evidence(ctx, s, r)
		if fatal(ctx, err) {
			return nil, fmt.Errorf("explain %s: %w", r, err)
		}
		v.Err = err
		out = append(out, v)
	}
	return out, nil
}

func (e *Engine) evidence(ctx context.Context, s *summer, r ref) (Evidence, error) {
	out := Evidence{Subject: Subject{Level: r.level, ID: r.id}}
	for i := range s.pieces[r] {
		p := &s.pieces[r][i]
		p.addTo(&out.Facts)
		for _, c := range p.slices {
			row := LedgerRow{Interval: c.Interval, Stored: true, Day: c.day, Revision: c.revision}
			c.facts.addTo(&row.Facts)
			out.Ledger = append(out.Ledger, row)
		}
		if p.facts != nil {
			out.Ledger = append(out.Ledger, LedgerRow{Interval: hull(p.raw), Facts: *p.facts})
		}
	}
	for at := s.plan.window.From; at < s.plan.window.To; at = at.Add(gatherSpan) {
		v := calendar.Interval{From: at, To: min(at.Add(gatherSpan), s.plan.window.To)}
		in, provenance, err := evidence.Gather(ctx, e.client, s.plan.history, r.id, v, s.plan.horizon, s.plan.horizon)
		if err != nil {
			return out, err
		}
		u, err := ledger.New(in)
		if err != nil {
			return out, err
		}
		found := u.Explain(v)
		out.Segments = append(out.Segments, found.Segments...)
		out.Deltas = append(out.Deltas, found.Deltas...)
		out.Provenance = append(out.Provenance, provenance)
	}
	return out, nil
}

// hull is the shortest interval that holds all of them, which are in order.
func hull(all []calendar.Interval) calendar.Interval {
	var from, to telemetry.Instant
	for i, v := range all {
		if i == 0 {
			from = v.From
		}
		to = max(to, v.To)
	}
	return calendar.Interval{From: from, To: to}
}
