package kpi

import (
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// The codes of contradictions: what facts say that cannot, or should not, be.
const (
	EnergyWhileOff          Code = "energy_while_off"
	EnergyWhileStopped      Code = "energy_while_stopped"
	SubmetersOverParent     Code = "submeters_over_parent"
	LowCoverage             Code = "low_coverage"
	LowCountCoverage        Code = "low_count_coverage"
	LowEnergyCoverage       Code = "low_energy_coverage"
	CompletionCreditTooFine Code = "completion_credit_window_shorter_than_batch"
)

// Severity is how much a finding weighs.
type Severity uint8

// The severities.
const (
	Info    Severity = iota // good to know: the number holds
	Warning                 // the number may be off: bounds or coverage say by how much
	Error                   // record, model or meter is wrong: the number is not to be believed until that is mended
)

var severityNames = [...]string{Info: "info", Warning: "warning", Error: "error"}

func (s Severity) String() string {
	if int(s) >= len(severityNames) {
		return ""
	}
	return severityNames[s]
}

// Severity of a finding of this code.
func (c Code) Severity() Severity {
	switch c {
	case PerformanceOverOne, QualityOutOfRange, NoIdealFound, UnmappedState, MadeWhileStopped, EnergyWhileOff, SubmetersOverParent, CompletionCreditTooFine:
		return Error
	case CounterDropIgnored, RanInPlannedStop:
		return Info
	default:
		return Warning
	}
}

// Place is what a finding is about.
type Place struct {
	Unit     string
	Interval calendar.Interval
}

// Evidence is one number that a finding rests on.
type Evidence struct {
	Name  string
	Value Value
	Unit  string
}

// Finding is something that a person should know before believing a number.
type Finding struct {
	Place
	Code     Code
	Severity Severity
	Evidence []Evidence // what was compared, the seen before the allowed
}

func newFinding(c Code, at Place, evidence ...Evidence) Finding {
	return Finding{Place: at, Code: c, Severity: c.Severity(), Evidence: evidence}
}

// Limits are what a plant allows. A zero limit is not checked.
type Limits struct {
	OffKW        exact.Num // most mean power while out of schedule
	StoppedKW    exact.Num // most mean power in unplanned stops
	Coverage     exact.Num // least share of planned time with a known state
	CountCover   exact.Num // least share of run time that is counted
	EnergyCover  exact.Num // least share of time with known energy
	LongestBatch time.Duration
	// Completion: batches are credited when they complete, which says nothing in an interval shorter than LongestBatch.
	Completion bool
}

// Findings are those of Codes, with evidence, and the contradictions against the limits.
func (r *Result) Findings(at Place, l Limits) []Finding {
	var out []Finding
	for _, c := range r.Codes() {
		out = append(out, newFinding(c, at, r.evidence(c)...))
	}
	out = append(out, r.powerFindings(at, l)...)
	out = append(out, r.coverageFindings(at, l)...)
	if l.Completion && at.Interval.Duration() < l.LongestBatch {
		out = append(out, newFinding(CompletionCreditTooFine, at,
			Evidence{Name: "interval", Value: seconds(exact.Int(int64(at.Interval.Duration()))), Unit: "s"},
			Evidence{Name: "batch", Value: seconds(exact.Int(int64(l.LongestBatch))), Unit: "s"}))
	}
	return out
}

// evidence are the numbers behind a finding of a ratio, and what is known in numbers of one of the ledger's.
func (r *Result) evidence(c Code) []Evidence {
	switch c {
	case PerformanceOverOne:
		return r.keys(Performance, IdealTotal, ProductionTime)
	case QualityOutOfRange:
		return r.keys(Quality, PiecesTotal, PiecesGood)
	case NoIdealFound:
		return r.keys(PiecesTotal, PiecesGood)
	case CounterMissing:
		return r.keys(UncountedTime, CountCoverage)
	case UnmappedState:
		return r.keys(UnknownTime, Coverage)
	case MadeWhileStopped, CounterResetAssumed, RolloverAmbiguous:
		return r.keys(PiecesTotal)
	default:
		return nil
	}
}

// keys are the values of the keys as evidence; nulls say nothing and are left out.
func (r *Result) keys(keys ...Key) []Evidence {
	var out []Evidence
	for _, k := range keys {
		if v := r.Get(k); !v.Null {
			out = append(out, Evidence{Name: k.Name(), Value: v, Unit: definitions[k].Unit})
		}
	}
	return out
}

// powerFindings compares mean power with what the limits allow. Energy that is not known counts as none, so that the mean is the
// least it can have been. A unit that is seen to run out of schedule is not off there: that is a finding of its own.
func (r *Result) powerFindings(at Place, l Limits) []Finding {
	var out []Finding
	iso := readISO(&r.sum)
	off := iso.t.Sub(iso.pbt).Sub(r.sum[ledger.PlannedTime])
	if !r.seen.Has(ledger.RanUnscheduled) {
		out = overPower(out, EnergyWhileOff, at, r.sum[ledger.EnergyOut], off, l.OffKW)
	}
	return overPower(out, EnergyWhileStopped, at, r.sum[ledger.EnergyStop], r.sum[ledger.StopTime], l.StoppedKW)
}

// overPower adds a finding when µWh over ns is more than the limit in kW.
func overPower(out []Finding, c Code, at Place, microWh, ns, limit exact.Num) []Finding {
	const nanosPerHour = 3600 * nanosPerSecond
	if limit.Sign() <= 0 || ns.Sign() <= 0 {
		return out
	}
	kW := microWh.Quo(ns).Mul(exact.Frac(nanosPerHour, ledger.MicroWhPerKWh))
	if kW.Cmp(limit) <= 0 {
		return out
	}
	return append(out, newFinding(c, at, Evidence{Name: "mean power", Value: known(kW), Unit: "kW"},
		Evidence{Name: "allowed", Value: known(limit), Unit: "kW"}, Evidence{Name: "time", Value: seconds(ns), Unit: "s"}))
}

func (r *Result) coverageFindings(at Place, l Limits) []Finding {
	var out []Finding
	for _, c := range [...]struct {
		code  Code
		key   Key
		least exact.Num
	}{
		{LowCoverage, Coverage, l.Coverage},
		{LowCountCoverage, CountCoverage, l.CountCover},
		{LowEnergyCoverage, EnergyCoverage, l.EnergyCover},
	} {
		if v := r.Get(c.key); !v.Null && v.Num.Cmp(c.least) < 0 {
			out = append(out, newFinding(c.code, at, Evidence{Name: c.key.Name(), Value: v, Unit: "1"},
				Evidence{Name: "least", Value: known(c.least), Unit: "1"}))
		}
	}
	return out
}
