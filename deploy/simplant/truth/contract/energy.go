package contract

import (
	"cmp"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// meterEnergy is what registers and power readings tell of a unit's energy.
type meterEnergy struct {
	register *series // nil: there is none
	unsure   []calendar.Interval
	power    []known
	min      exact.Num  // kW
	rated    *exact.Num // kW; nil: no limit
}

// known is a time in which the power is known, and what was before it.
type known struct {
	calendar.Interval
	kw     exact.Num
	before exact.Num     // kW·ns of all known power before it
	lit    time.Duration // length of all known power before it
}

// newMeterEnergy is what was known at h; nil when the unit has neither register nor power.
func newMeterEnergy(u *Unit, h telemetry.Instant) *meterEnergy {
	if u.Energy == nil && u.Power == nil {
		return nil
	}
	e := &meterEnergy{register: &series{}}
	if u.Energy != nil {
		e.register = newSeries(u.Energy, h)
		var lower []calendar.Interval
		for i := range e.register.deltas {
			if d := &e.register.deltas[i]; d.lower {
				lower = append(lower, d.Interval)
			}
		}
		e.unsure = union(lower)
	}
	if u.Power != nil {
		e.min, e.rated = u.Power.Min, u.Power.Rated
		e.readPower(u.Power, h)
	}
	return e
}

func (e *meterEnergy) readPower(p *Power, h telemetry.Instant) {
	readings := slices.DeleteFunc(slices.Clone(p.Readings), func(r PowerReading) bool { return r.At > h })
	readings = latest(readings, func(r PowerReading) telemetry.Instant { return r.At })
	var before exact.Num
	var lit time.Duration
	for i, r := range readings {
		k := known{Interval: calendar.Interval{From: r.At, To: h}, kw: r.KW, before: before, lit: lit}
		if i+1 < len(readings) {
			k.To = readings[i+1].At
		}
		if k.Duration() > p.Hold {
			k.To = k.From.Add(p.Hold)
		}
		if r.Bad || k.Empty() {
			continue
		}
		e.power = append(e.power, k)
		before = before.Add(k.upTo(k.To))
		lit += k.Duration()
	}
}

// upTo is the kW·ns from its begin to t.
func (k *known) upTo(t telemetry.Instant) exact.Num {
	return k.kw.Mul(exact.Int(int64(t.Sub(k.From))))
}

// until is the known power before t, in kW·ns, and its length.
func (e *meterEnergy) until(t telemetry.Instant) (exact.Num, time.Duration) {
	i, _ := slices.BinarySearchFunc(e.power, t, func(k known, t telemetry.Instant) int { return cmp.Compare(k.From, t) })
	if i == 0 {
		return exact.Num{}, 0
	}
	k := &e.power[i-1]
	t = min(t, k.To)
	return k.before.Add(k.upTo(t)), k.lit + t.Sub(k.From)
}

// light is how much power is known of a time.
type light struct {
	kwh  exact.Num
	dark time.Duration // without known power
}

func (e *meterEnergy) in(v calendar.Interval) light {
	if v.Empty() {
		return light{}
	}
	from, litFrom := e.until(v.From)
	to, litTo := e.until(v.To)
	return light{kwh: to.Sub(from).Quo(exact.Int(int64(time.Hour))), dark: v.Duration() - (litTo - litFrom)}
}

// hours is a length in hours.
func hours(d time.Duration) exact.Num { return exact.Frac(int64(d), int64(time.Hour)) }

// used is the energy in a window as far as it is covered, and the time that is not.
type used struct {
	kwh     exact.Num
	missing time.Duration // not covered
	unsure  bool          // a lower bound of the register is in it
}

func (e *meterEnergy) over(w calendar.Interval) used {
	var sum tally
	var u used
	metered := w.Meet(e.register.span())
	if metered.Empty() {
		l := e.in(w)
		return used{kwh: l.kwh, missing: l.dark}
	}
	for _, v := range []calendar.Interval{{From: w.From, To: metered.From}, {From: metered.To, To: w.To}} {
		l := e.in(v)
		sum.add(l.kwh)
		u.missing += l.dark
	}
	from, to := e.register.beginsAt(w.From), e.register.endsBy(w.To)
	if from <= to {
		sum.add(e.register.before[to].Sub(e.register.before[from]))
	}
	for _, d := range e.register.overlapping(w) {
		if v := d.Meet(w); v != d.Interval { // cut by a border of the window: at most the first and the last
			sum.add(e.part(&d, v))
		}
	}
	u.kwh = sum.sum()
	u.unsure = meets(e.unsure, w)
	return u
}

// part is what of a delta falls into v, a part of its time.
func (e *meterEnergy) part(d *delta, v calendar.Interval) exact.Num {
	all, in := e.in(d.Interval), e.in(v)
	switch {
	case all.kwh.IsZero() && all.dark == 0:
		return d.amount.Mul(exact.Frac(int64(v.Duration()), int64(d.Duration())))
	case all.kwh.IsZero():
		return d.amount.Mul(exact.Frac(int64(in.dark), int64(all.dark)))
	}
	var rest, inDark exact.Num
	if all.dark > 0 {
		rest = d.amount.Sub(all.kwh)
		if e.rated != nil {
			rest = exact.Min(rest, e.rated.Mul(hours(all.dark)))
		}
		rest = exact.Min(d.amount, exact.Max(e.min.Mul(hours(all.dark)), rest))
		inDark = rest.Mul(exact.Frac(int64(in.dark), int64(all.dark)))
	}
	return inDark.Add(d.amount.Sub(rest).Mul(in.kwh).Quo(all.kwh))
}

// meets says that one of vs, disjoint and in order, meets w.
func meets(vs []calendar.Interval, w calendar.Interval) bool {
	if w.Empty() {
		return false
	}
	i, _ := slices.BinarySearchFunc(vs, w.From, func(v calendar.Interval, t telemetry.Instant) int {
		if v.To <= t {
			return -1
		}
		return 1
	})
	return i < len(vs) && vs[i].From < w.To
}
