package answer

import (
	"cmp"
	"fmt"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
)

// meanings say what a finding of the ledger or of a ratio means and what to do about it.
var meanings = map[kpi.Code]string{
	kpi.PerformanceOverOne:  "made more than its ideal cycle allows: the ideal is too slow, a counter counts double, or the state is wrong",
	kpi.QualityOutOfRange:   "more good pieces than pieces, or fewer than none: look at the scrap reported and at the counters",
	kpi.NoIdealFound:        "made pieces of a product without an ideal cycle: add it to the model, with its date",
	kpi.UnmappedState:       "reported a state that its state map lacks, which counts as unknown: add the code to the model",
	kpi.RanUnscheduled:      "ran outside of every shift: that time is in no sum",
	kpi.RanInPlannedStop:    "ran in a planned stop: that time counts as run",
	kpi.CounterMissing:      "ran and nothing counted what it made: OEE takes the pace of the counted time, and the bounds say what that may hide",
	kpi.CounterResetAssumed: "a counter fell and is taken to have begun again at zero, so it counts at least this much: record the swap or reset",
	kpi.CounterDropIgnored:  "a counter fell by no more than its jitter: taken as unchanged",
	kpi.RolloverAmbiguous:   "a counter may have passed its modulus more than once between two readings: it counts at least this much",
	kpi.EnergyWhileOff:      "used more than half of its rated power while it was not scheduled: it was not off, or the meter is another's",
	kpi.EnergyWhileStopped:  "used more than half of its rated power while it stood: the state is wrong, or the meter is another's",
	kpi.MadeWhileStopped:    "counted pieces while it stood: the state or the counter is wrong",
}

// findings adds those of everything that the answer rests on: the gravest first, then by begin.
func (s *summer) findings(a *Answer) {
	out := slices.Concat(a.Findings, s.ofWindow())
	for _, r := range s.plan.refs {
		out = append(out, s.ofRef(r)...)
	}
	out = append(out, s.ofRatios(a.Rows)...)
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.When[0].From, b.When[0].From),
			cmp.Compare(a.Subject.ID, b.Subject.ID), cmp.Compare(a.Code, b.Code))
	})
	a.Findings = out
}

// ofWindow are those of time that nobody knows anything about.
func (s *summer) ofWindow() []Finding {
	p := s.plan
	whole := p.subjects[0].Subject
	var out []Finding
	if p.q.Window.To > p.horizon {
		out = append(out, Finding{Code: WindowCut, Subject: whole, When: calendar.Set{{From: p.horizon, To: p.q.Window.To}},
			Text: fmt.Sprintf("nothing is known after %s: the window ends there", p.horizon)})
	}
	var without calendar.Set
	for _, span := range p.spans {
		if span.Version == nil {
			without = append(without, span.Interval)
		}
	}
	if len(without) > 0 {
		out = append(out, Finding{Code: NoModel, Severity: kpi.Error, Subject: whole, When: calendar.NewSet(without...),
			Text: "no plant model was in force: this time is in no sum. Apply a model with an effective date before it"})
	}
	return out
}

// ofRef are what the ledger saw of one unit or line, and what went wrong with it.
func (s *summer) ofRef(r ref) []Finding {
	when := make(map[kpi.Code][]calendar.Interval)
	known := make(map[ledger.Findings][]kpi.Code)
	see := func(f ledger.Findings, at calendar.Interval) {
		if f == 0 {
			return
		}
		codes, ok := known[f]
		if !ok {
			result := kpi.Compute(&ledger.Facts{Findings: f}, s.plan.q.Standard)
			codes = result.Codes()
			known[f] = codes
		}
		for _, c := range codes {
			when[c] = append(when[c], at)
		}
	}
	var failed []calendar.Interval
	var err error
	for i := range s.pieces[r] {
		p := &s.pieces[r][i]
		if r.level == Unit { // those of a line are those of its units
			for _, c := range p.slices {
				see(c.facts.findings, c.Interval)
			}
			for _, v := range p.seen {
				see(v.findings, v.Interval)
			}
		}
		if p.err != nil {
			failed, err = append(failed, p.raw...), p.err
		}
	}
	subject := Subject{Level: r.level, ID: r.id}
	var out []Finding
	for code, at := range when {
		out = append(out, Finding{Code: string(code), Severity: code.Severity(), Subject: subject, When: calendar.NewSet(at...), Text: meanings[code]})
	}
	if err != nil {
		out = append(out, Finding{Code: UnitFailed, Severity: kpi.Error, Subject: subject, When: calendar.NewSet(failed...),
			Text: fmt.Sprintf("its facts are not in the sums: %v", err)})
	}
	return out
}

// ofRatios are what only a ratio shows, of each subject once: a month by hour is no reason to say it 700 times.
func (s *summer) ofRatios(rows []Row) []Finding {
	type key struct {
		subject Subject
		code    kpi.Code
	}
	at := make(map[key]int)
	var out []Finding
	for i := range rows {
		r := &rows[i]
		if r.Err != nil {
			continue
		}
		for _, f := range r.Result.Findings(kpi.Place{Unit: r.Subject.ID, Interval: r.Part.Interval}, s.limits(r)) {
			if seenByLedger(f.Code) {
				continue
			}
			k := key{r.Subject, f.Code}
			if n, ok := at[k]; ok {
				out[n].When = out[n].When.Union(calendar.Set{r.Part.Interval})
				continue
			}
			at[k] = len(out)
			out = append(out, Finding{Code: string(f.Code), Severity: f.Severity, Subject: r.Subject, When: calendar.Set{r.Part.Interval},
				Text: meanings[f.Code], Evidence: f.Evidence})
		}
	}
	return out
}

// seenByLedger says that a code is one of the ledger's, which says when more closely than a row does.
func seenByLedger(c kpi.Code) bool {
	switch c {
	case kpi.UnmappedState, kpi.RanUnscheduled, kpi.RanInPlannedStop, kpi.CounterMissing, kpi.CounterResetAssumed,
		kpi.CounterDropIgnored, kpi.RolloverAmbiguous, kpi.MadeWhileStopped:
		return true
	default:
		return false
	}
}

// limits are what a unit may do before it is a contradiction: a machine that stands or is off and yet takes more than half of
// its rated power does not stand, or its meter is another's.
func (s *summer) limits(r *Row) kpi.Limits {
	var l kpi.Limits
	k := s.plan.spanOf(r.Part.Interval.From)
	if r.Subject.Level != Unit || k < 0 || s.plan.spans[k].Version == nil {
		return l
	}
	if u, ok := s.plan.spans[k].Version.Model.Unit(r.Subject.ID); ok {
		if rated, ok := u.RatedKW.At(r.Part.Interval.From); ok {
			l.OffKW, l.StoppedKW = rated.Quo(exact.Int(2)), rated.Quo(exact.Int(2))
		}
	}
	return l
}

// definitions are the versions in force.
func definitions(spans []plant.Span) []Definition {
	var out []Definition
	for _, s := range spans {
		if v := s.Version; v != nil {
			out = append(out, Definition{Interval: s.Interval, Model: v.Model.Name, Hash: v.Hash, Effective: v.Effective, Known: v.Known, By: v.By, Why: v.Why})
		}
	}
	return out
}
