package contract

import "kvarts/historian/exact"

// tally adds up numbers of which many are whole or nearly so and some are shares with denominators of their own. It keeps
// the two apart, and adds the shares pairwise at the end: a running sum would carry the product of all denominators
// through every further addition.
type tally struct {
	whole  exact.Num
	shares []exact.Num
}

func (t *tally) add(x exact.Num) { t.whole = t.whole.Add(x) }

// addShare adds x · part/of.
func (t *tally) addShare(x exact.Num, part, of int64) {
	switch {
	case part == of:
		t.add(x)
	case part != 0 && !x.IsZero():
		t.shares = append(t.shares, x.Mul(exact.Frac(part, of)))
	}
}

// sum is the total. The tally can be added to afterwards.
func (t *tally) sum() exact.Num {
	if len(t.shares) == 0 {
		return t.whole
	}
	return t.whole.Add(sumOf(t.shares))
}

// positive says that the sum is above 0, given that nothing negative was added.
func (t *tally) positive() bool { return t.whole.Sign() > 0 || len(t.shares) > 0 }

func sumOf(xs []exact.Num) exact.Num {
	if len(xs) == 1 {
		return xs[0]
	}
	return sumOf(xs[:len(xs)/2]).Add(sumOf(xs[len(xs)/2:]))
}
