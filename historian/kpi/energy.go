package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// kWh is an energy of µWh in kWh.
func kWh(microWh exact.Num) Value { return known(microWh.Quo(exact.Int(ledger.MicroWhPerKWh))) }

func energyKnown(r *Result) Value {
	if !r.hasEnergy {
		return null()
	}
	return kWh(r.sum[ledger.EnergyKnown])
}

func energyLow(r *Result) Value {
	if !r.hasEnergy {
		return null()
	}
	return kWh(r.sum[ledger.EnergyKnown].Add(r.sum[ledger.EnergyLow]))
}

// energyHigh is null where time without energy has no rated power, or a register may have counted more than it shows.
func energyHigh(r *Result) Value {
	if !r.hasEnergy || r.sum[ledger.UnboundedTime].Sign() > 0 || r.seen.Has(ledger.RegisterLowerBound) {
		return null()
	}
	return kWh(r.sum[ledger.EnergyKnown].Add(r.sum[ledger.EnergyHigh]))
}

func energyCoverage(r *Result) Value {
	if !r.hasEnergy {
		return null()
	}
	return ratio(r.sum[ledger.Covered], r.sum[ledger.EnergySpan])
}
