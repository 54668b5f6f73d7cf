package conform

import (
	"math/big"

	"kvarts/historian/calendar"
)

// Where the oracle puts energy.

// powerAt is the known power in a piece, nil where it is not known.
func (o *oracleUnit) powerAt(p *piece) rat {
	if o.u.Power == nil {
		return nil
	}
	var last *PowerReading
	for i := range o.u.Power.Readings {
		r := &o.u.Power.Readings[i]
		if r.At <= o.h && r.At <= p.From && (last == nil || r.At >= last.At) {
			last = r
		}
	}
	if last == nil || !last.Good || p.From.Sub(last.At) >= o.u.Power.Hold {
		return nil
	}
	return ratOf(last.KW)
}

func hoursOf(p *piece) rat { return times(secondsOf(p.Interval), big.NewRat(1, 3600)) }

func (o *oracleUnit) useEnergy() {
	o.hasE = o.u.Energy != nil || o.u.Power != nil
	for i := range o.pieces {
		p := &o.pieces[i]
		if kw := o.powerAt(p); kw != nil {
			p.covered, p.energy = true, times(kw, hoursOf(p))
		}
	}
	if o.u.Energy == nil {
		return
	}
	ds := deltasOf(o.u.Energy, o.h, true)
	o.deltas = append(o.deltas, ds...)
	for _, d := range ds {
		o.shape(d)
	}
}

func (o *oracleUnit) shape(d oracleDelta) {
	var all, dark, known []*piece
	k, v, hours := new(big.Rat), new(big.Rat), new(big.Rat)
	for i := range o.pieces {
		p := &o.pieces[i]
		if !within(p.From, []calendar.Interval{d.Interval}) {
			continue
		}
		all = append(all, p)
		hours.Add(hours, hoursOf(p))
		if kw := o.powerAt(p); kw == nil {
			dark = append(dark, p)
			v.Add(v, hoursOf(p))
		} else {
			known = append(known, p)
			k.Add(k, times(kw, hoursOf(p)))
		}
	}
	evenly := func(ps []*piece, amount, over rat) {
		for _, p := range ps {
			p.energy = new(big.Rat).Quo(times(amount, hoursOf(p)), over)
		}
	}
	switch {
	case o.u.Power == nil, k.Sign() == 0 && v.Sign() == 0:
		evenly(all, d.amount, hours)
	case k.Sign() == 0:
		evenly(dark, d.amount, v)
		evenly(known, new(big.Rat), num(1))
	default:
		rest := minus(d.amount, k)
		if o.u.Power.HasRated {
			rest = lesser(rest, times(ratOf(o.u.Power.Rated), v))
		}
		r := new(big.Rat)
		if v.Sign() > 0 {
			r = lesser(d.amount, greater(times(ratOf(o.u.Power.Min), v), rest))
			evenly(dark, r, v)
		}
		for _, p := range known {
			p.energy = new(big.Rat).Quo(times(minus(d.amount, r), o.powerAt(p), hoursOf(p)), k)
		}
	}
	for _, p := range all {
		p.covered = true
	}
}
