package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// The time elements of ISO 22400-2 that the facts hold, on the basis of known time as availability is: AUBT (used for an order) is
// production, set-up and delays inside an order; AUPT is production and set-up.

func (r *Result) orderTime() exact.Num {
	return r.basis.apt.Add(r.sum[ledger.SetupTime]).Add(r.sum[ledger.StopTime])
}

func allocationEfficiency(r *Result) Value {
	return ratio(r.orderTime(), r.basis.pbt.Sub(r.basis.u))
}

func utilizationEfficiency(r *Result) Value { return ratio(r.basis.apt, r.orderTime()) }

func technicalEfficiency(r *Result) Value {
	return ratio(r.basis.apt, r.basis.apt.Add(r.sum[ledger.StopTime]))
}

func setupRate(r *Result) Value {
	setup := r.sum[ledger.SetupTime]
	return ratio(setup, r.basis.apt.Add(setup))
}

// scrapRatio is by pieces. It is null where run time is uncounted: when one counter is silent there, the difference of the counts is not scrap.
func scrapRatio(r *Result) Value {
	if !r.hasPieces || r.everywhere().c.Sign() > 0 {
		return null()
	}
	total := r.sum[ledger.TotalPieces]
	return ratio(total.Sub(r.sum[ledger.GoodPieces]), total)
}

// comprehensiveEnergy is by produced, not by good pieces: that is what the standard's name means.
func comprehensiveEnergy(r *Result) Value {
	if !r.hasEnergy || !r.hasPieces {
		return null()
	}
	return ratio(r.sum[ledger.EnergyKnown], r.sum[ledger.TotalPieces]) // µWh per nano-piece is kWh per piece
}
