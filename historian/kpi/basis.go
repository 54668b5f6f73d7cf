package kpi

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// basis are the terms of the formulas, whichever model they come from. Times and ideal times are ns.
//
//	            ┌───────────────────────── T ─────────────────────────┐
//	by ISO:     │ out of schedule │ planned │ PBT                      │
//	                                        │ APT │ set-up, stop, idle │ U (B of it bridged) │
//	                                        │ R (C of it uncounted) │ minor │
//	by E79:     PBT is T, and "up" is APT + stand-by + engineering
//	of a line:  PBT is the union of its units' planned time, R, C, U, B are those of its last unit
type basis struct {
	t, pbt      exact.Num
	apt, up     exact.Num // up: what availability counts as available
	u, b, r, c  exact.Num
	total, good exact.Num // ideal time of pieces made in planned time that is neither unknown nor uncounted
	bridged     exact.Num // ideal time of the pieces made in B
	bridgedGood exact.Num
	dark        exact.Num // ideal time of the pieces made in the rest of U
	darkGood    exact.Num
	x           exact.Num // what uncounted run time is taken to have made, in ideal time of good pieces
	stop        exact.Num
	failures    exact.Num
	noIdeal     bool
}

// source are the fields of the ledger that a basis is read from.
type source struct {
	run, minor, stop, unknown, bridged, uncounted, failures                     ledger.Field
	total, good, bridgedTotal, bridgedGood, darkTotal, darkGood, noIdealByPiece ledger.Field
}

var isoSource = source{
	run: ledger.RunTime, minor: ledger.MinorTime, stop: ledger.StopTime, unknown: ledger.UnknownTime, bridged: ledger.BridgedTime,
	uncounted: ledger.UncountedTime, failures: ledger.Failures, total: ledger.IdealTotal, good: ledger.IdealGood,
	bridgedTotal: ledger.BridgedTotal, bridgedGood: ledger.BridgedGood, darkTotal: ledger.DarkTotal, darkGood: ledger.DarkGood,
	noIdealByPiece: ledger.NoIdealPieces,
}

var e79Source = source{
	run: ledger.E79Run, minor: ledger.E79Minor, stop: ledger.E79Stop, unknown: ledger.E79Unknown, bridged: ledger.E79Bridged,
	uncounted: ledger.E79Uncounted, failures: ledger.E79Failures, total: ledger.E79IdealTotal, good: ledger.E79IdealGood,
	bridgedTotal: ledger.E79BridgedTotal, bridgedGood: ledger.E79BridgedGood, darkTotal: ledger.E79DarkTotal, darkGood: ledger.E79DarkGood,
	noIdealByPiece: ledger.E79NoIdealPieces,
}

// read takes what the models have in common.
func (s *source) read(f *[ledger.NumFields]exact.Num) basis {
	apt := f[s.run].Add(f[s.minor])
	b := basis{
		t: f[ledger.Span], apt: apt, up: apt, u: f[s.unknown], b: f[s.bridged], r: f[s.run], c: f[s.uncounted],
		total: f[s.total], good: f[s.good], bridged: f[s.bridgedTotal], bridgedGood: f[s.bridgedGood],
		dark: f[s.darkTotal], darkGood: f[s.darkGood], stop: f[s.stop], failures: f[s.failures],
		noIdeal: f[s.noIdealByPiece].Sign() > 0,
	}
	b.x = b.paced()
	return b
}

func readISO(f *[ledger.NumFields]exact.Num) basis {
	b := isoSource.read(f)
	b.pbt = b.apt.Add(f[ledger.SetupTime]).Add(f[ledger.StopTime]).Add(f[ledger.IdleTime]).Add(b.u)
	return b
}

func readE79(f *[ledger.NumFields]exact.Num) basis {
	b := e79Source.read(f)
	b.pbt = b.t
	b.up = b.apt.Add(f[ledger.E79Idle]).Add(f[ledger.E79Engineering])
	return b
}

// readLine looks at the line's last unit alone for everything but planned time.
func readLine(f *[ledger.NumFields]exact.Num) basis {
	b := isoSource.read(f)
	b.pbt = f[ledger.LinePlannedTime]
	return b
}

// plannedGood is ideal_good_s: the ideal time of the good pieces made in planned time that is not uncounted.
func (b *basis) plannedGood() exact.Num { return b.good.Add(b.bridgedGood).Add(b.darkGood) }

// plannedTotal is ideal_total_s.
func (b *basis) plannedTotal() exact.Num { return b.total.Add(b.bridged).Add(b.dark) }

// uncountable says that there was run time and none of it is counted.
func (b *basis) uncountable() bool { return b.c.Sign() > 0 && b.c.Equal(b.r) }

// paced is X: uncounted run time is taken at the pace of the counted. It is 0 when nothing is uncounted or nothing is counted.
func (b *basis) paced() exact.Num {
	counted := b.r.Sub(b.c)
	if b.c.IsZero() || counted.IsZero() {
		return exact.Num{}
	}
	return b.good.Mul(b.c.Quo(counted)) // the quotient first: its terms are small, and the product stays on the fast path
}
