package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// Energy per output is energy over good output, whatever the moment: what a unit used while it stood or was not scheduled
// is part of what its pieces cost.
//
// The bounds take the energy's own bounds over the most and the least that can have been good. Where unknown time is not
// bridged or run time is not counted, pieces may be missing, or (a silent scrap counter) too many be taken for good: at most
// what fits that time at ideal speed, in pieces that are worth on average what the counted ones are.

// microPerNano: µWh over µWp is 1e-9 kWh over 1e-6 W.
const microPerNano = ledger.MicroWhPerKWh / ledger.MicrosPerWatt

// output is what energy is divided by, in the ledger's quanta.
type output struct {
	field ledger.Field
	scale int64 // energy quanta over output quanta, to kWh per unit of output
}

var (
	perPiece = output{field: ledger.GoodPieces, scale: 1}
	perWatt  = output{field: ledger.GoodWatts, scale: microPerNano}
)

func (o output) known(r *Result) Value {
	if !r.hasEnergy || !r.hasPieces {
		return null()
	}
	return o.divide(r.sum[ledger.EnergyKnown], r.sum[o.field])
}

func (o output) low(r *Result) Value {
	if energyLow(r).Null || !r.hasPieces {
		return null()
	}
	most, _ := r.scaleOfOutput()
	return o.divide(r.sum[ledger.EnergyKnown].Add(r.sum[ledger.EnergyLow]), r.sum[o.field]).times(most)
}

func (o output) high(r *Result) Value {
	if energyHigh(r).Null || !r.hasPieces {
		return null()
	}
	_, least := r.scaleOfOutput()
	return o.divide(r.sum[ledger.EnergyKnown].Add(r.sum[ledger.EnergyHigh]), r.sum[o.field]).times(least)
}

// divide is null when there is no good output to bear the energy.
func (o output) divide(microWh, quanta exact.Num) Value {
	if quanta.Sign() <= 0 {
		return null()
	}
	return known(microWh.Quo(quanta.Mul(exact.Int(o.scale))))
}

// scaleOfOutput is what energy per known output is multiplied by when there was the most good output that there can have been, and when
// there was the least. Both are 1 when every moment is counted; null means that there is no bound: nothing to measure the missing
// by, or more of it than was made.
func (r *Result) scaleOfOutput() (most, least Value) {
	b := r.everywhere()
	silent := exact.Max(b.c, b.x)
	dark := exact.Max(b.u.Sub(b.b), b.darkGood).Sub(b.darkGood)
	if silent.IsZero() && dark.IsZero() {
		if r.seen.Has(ledger.CounterMissing) {
			return null(), null() // a line's last unit ran uncounted out of the line's planned time
		}
		return known(exact.Int(1)), known(exact.Int(1))
	}
	made := b.plannedGood()
	if b.noIdeal || made.Sign() <= 0 {
		return null(), null()
	}
	least = null()
	if sure := made.Sub(silent); sure.Sign() > 0 {
		least = known(made.Quo(sure))
	}
	return ratio(made, made.Add(dark).Add(silent)), least
}

// everywhere is the basis of all time, as energy is of all time: that by states. A line has only that of its planned time.
func (r *Result) everywhere() basis {
	if r.model == isoLine {
		return r.basis
	}
	return e79Source.read(&r.sum)
}

// wattsGood is the nominal power of the good pieces in W.
func wattsGood(r *Result) Value {
	if !r.hasPieces {
		return null()
	}
	return known(r.sum[ledger.GoodWatts].Quo(exact.Int(ledger.MicrosPerWatt)))
}

// idleMicroWh is what was used while nothing was made on purpose: stopped, idle, planned down or engineering, out of schedule.
func (r *Result) idleMicroWh() exact.Num {
	return r.sum[ledger.EnergyStop].Add(r.sum[ledger.EnergyIdle]).Add(r.sum[ledger.EnergyPlanned]).Add(r.sum[ledger.EnergyOut])
}

func idleEnergy(r *Result) Value {
	if !r.hasEnergy {
		return null()
	}
	return kWh(r.idleMicroWh())
}

// idleEnergyShare leaves out, above and below the line, energy of time in which the state is unknown.
func idleEnergyShare(r *Result) Value {
	if !r.hasEnergy {
		return null()
	}
	return ratio(r.idleMicroWh(), r.sum[ledger.EnergyKnown].Sub(r.sum[ledger.EnergyUnknown]))
}
