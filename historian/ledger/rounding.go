package ledger

import "kvarts/historian/exact"

// rounding is how a part of a quantity is taken. Everything that is split (a delta, a power step, a scrap report, the ideal time
// of a delta) is split by a cumulative function f with f(begin) = 0 and f(end) = the whole; the part in [x, y) is f(y) − f(x).
// f is rounded to whole quanta, halves up, or with exact not at all. Either way the parts of any cut add up to the whole,
// which is what makes facts additive:
//
//	quantity │          ╭───── whole            f(y) − f(x) + f(z) − f(y) = f(z) − f(x),
//	         │      ╭───╯                       whatever f is rounded to
//	       0 │──────╯
//	         └──────┴─x──y──┴──z───  time
type rounding struct{ exact bool }

// share is x · part / whole. 0 ≤ part ≤ whole unless x is a rate, whole > 0.
func (r rounding) share(x exact.Num, part, whole int64) exact.Num {
	switch {
	case part == whole:
		return x
	case r.exact:
		return x.Mul(exact.Frac(part, whole))
	default:
		return x.RoundShare(part, whole)
	}
}

// shareOf is share for weights that may be fractions or larger than 64 bits. whole is not 0.
func (r rounding) shareOf(x, part, whole exact.Num) exact.Num {
	p, ok1 := part.Int64()
	w, ok2 := whole.Int64()
	if ok1 && ok2 {
		return r.share(x, p, w)
	}
	v := x.Mul(part).Quo(whole)
	if r.exact {
		return v
	}
	return v.Round()
}

// times is x · f.
func (r rounding) times(x exact.Num, f factor) exact.Num {
	switch {
	case r.exact:
		return x.Mul(f.value)
	case f.den > 0:
		return x.RoundShare(f.num, f.den)
	default:
		return x.Mul(f.value).Round()
	}
}

// factor is what quanta of one kind are worth in quanta of another. The zero factor is that of something not known.
type factor struct {
	known    bool
	value    exact.Num
	num, den int64 // value in lowest terms; den is 0 where one of them needs more than 64 bits
}

func newFactor(v exact.Num) factor {
	f := factor{known: true, value: v}
	if r := v.Rat(); r.Num().IsInt64() && r.Denom().IsInt64() {
		f.num, f.den = r.Num().Int64(), r.Denom().Int64()
	}
	return f
}

// energyOf is the energy in µWh of a power in mW over ns nanoseconds: mW · ns = 10⁻¹² Ws = µWh / 3.6·10⁹.
func (r rounding) energyOf(mw exact.Num, ns int64) exact.Num { return r.share(mw, ns, 3_600_000_000) }
