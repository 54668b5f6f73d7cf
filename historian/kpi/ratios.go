package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

const nanosPerSecond = 1_000_000_000

// seconds is a time of ns in s.
func seconds(ns exact.Num) Value { return known(ns.Quo(exact.Int(nanosPerSecond))) }

// field gives a time field of the ledger in s.
func field(f ledger.Field) func(*Result) Value {
	return func(r *Result) Value { return seconds(r.sum[f]) }
}

func availability(r *Result) Value {
	b := &r.basis
	return ratio(b.up, b.pbt.Sub(b.u))
}

// availabilityLow counts as available what the pieces prove that were made in bridged unknown time.
func availabilityLow(r *Result) Value {
	b := &r.basis
	return ratio(b.up.Add(exact.Min(b.u, b.bridged)), b.pbt)
}

func availabilityHigh(r *Result) Value {
	b := &r.basis
	return ratio(b.up.Add(b.u), b.pbt)
}

func coverage(r *Result) Value { return ratio(r.basis.u, r.basis.pbt).complement() }

func countCoverage(r *Result) Value { return ratio(r.basis.c, r.basis.r).complement() }

func performance(r *Result) Value {
	b := &r.basis
	if r.uncounted() || b.noIdeal {
		return null()
	}
	p := ratio(b.total, b.apt)
	if b.c.IsZero() {
		return p
	}
	return p.times(ratio(b.r, b.r.Sub(b.c)))
}

func quality(r *Result) Value {
	if r.uncounted() || r.basis.noIdeal {
		return null()
	}
	return ratio(r.basis.good, r.basis.total)
}

func oee(r *Result) Value {
	b := &r.basis
	if r.uncounted() || b.noIdeal {
		return null()
	}
	return ratio(b.good.Add(b.bridgedGood).Add(b.x), b.pbt.Sub(b.u).Add(b.b))
}

func oeeLow(r *Result) Value {
	if r.basis.noIdeal {
		return null()
	}
	return ratio(r.basis.plannedGood(), r.basis.pbt)
}

// oeeHigh takes unknown time that no counter bridges, and uncounted run time, as spent at ideal speed, unless the pieces say more.
func oeeHigh(r *Result) Value {
	b := &r.basis
	if b.noIdeal {
		return null()
	}
	dark := exact.Max(b.u.Sub(b.b), b.darkGood)
	silent := exact.Max(b.c, b.x)
	return ratio(b.good.Add(b.bridgedGood).Add(dark).Add(silent), b.pbt)
}

func nee(r *Result) Value {
	b := &r.basis
	if r.uncounted() || b.noIdeal {
		return null()
	}
	used := ratio(b.apt.Add(r.sum[ledger.SetupTime]), b.apt)
	return used.times(ratio(b.good.Add(b.x), b.pbt.Sub(b.u)))
}

func teep(r *Result) Value {
	b := &r.basis
	if !r.hasPieces || r.uncounted() || b.noIdeal {
		return null()
	}
	return ratio(b.plannedGood().Add(b.x), b.t)
}

func operationalEfficiency(r *Result) Value { return ratio(r.basis.apt, r.basis.up) }

// mtbf: by ISO the time between failures holds set-up too, by E79 productive time alone.
func mtbf(r *Result) Value {
	between := r.basis.apt
	if r.model != e79Units {
		between = between.Add(r.sum[ledger.SetupTime])
	}
	return perFailure(r, between)
}

func mttr(r *Result) Value { return perFailure(r, r.basis.stop) }

func perFailure(r *Result, ns exact.Num) Value {
	return ratio(ns, r.basis.failures.Mul(exact.Int(nanosPerSecond)))
}

// pieces gives a field of nano-pieces in pieces.
func pieces(f ledger.Field) func(*Result) Value {
	return func(r *Result) Value {
		if !r.hasPieces {
			return null()
		}
		return known(r.sum[f].Quo(exact.Int(ledger.NanosPerPiece)))
	}
}

func idealTotal(r *Result) Value { return r.idealTime(r.basis.plannedTotal()) }

func idealGood(r *Result) Value { return r.idealTime(r.basis.plannedGood()) }

func (r *Result) idealTime(ns exact.Num) Value {
	if !r.hasPieces || r.basis.noIdeal {
		return null()
	}
	return seconds(ns)
}
