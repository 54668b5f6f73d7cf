package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// Result answers every Key for one set of facts. It keeps a copy of the sums, so the facts may go on growing. Each value is computed when it is asked for.
type Result struct {
	model     model
	reason    Reason
	seen      ledger.Findings
	hasPieces bool
	hasEnergy bool
	basis     basis
	sum       [ledger.NumFields]exact.Num
}

// Compute is the result for a unit, or for the summed facts of several: ratios of their sums.
func Compute(f *ledger.Facts, s Standard) Result {
	if s == E79 {
		return compute(f, e79Units)
	}
	return compute(f, isoUnits)
}

// ComputeLine is the result for a line. In its facts LinePlannedTime is the union of the planned times of the line's units; run, unknown,
// bridged and uncounted time, ideal times and pieces are those of its last unit, valued at the bottleneck's ideal; energy is the units' sum.
func ComputeLine(f *ledger.Facts) Result { return compute(f, isoLine) }

func compute(f *ledger.Facts, m model) Result {
	r := Result{model: m, seen: f.Findings, hasPieces: f.HasPieces, hasEnergy: f.HasEnergy, sum: f.Sum}
	switch m {
	case e79Units:
		r.basis = readE79(&r.sum)
	case isoLine:
		r.basis = readLine(&r.sum)
	default:
		r.basis = readISO(&r.sum)
	}
	r.reason = r.basis.reason(m)
	return r
}

// Get is the value of k. It is null when the model has no such KPI.
func (r *Result) Get(k Key) Value {
	if k >= NumKeys || definitions[k].Formula[r.model] == "" {
		return null()
	}
	return definitions[k].of(r)
}

// Reason is the first reason why something is null, "" when there is none.
func (r *Result) Reason() Reason { return r.reason }

// uncounted says that what was made is not known: no_counters, whichever reason is given.
func (r *Result) uncounted() bool { return r.basis.uncountable() }
