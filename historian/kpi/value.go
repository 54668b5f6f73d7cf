package kpi

import "kvarts/historian/exact"

// Value is a KPI's number in its unit, or null: there is no such number. The zero Value is 0. Num of a null is 0 and means nothing.
type Value struct {
	Num  exact.Num
	Null bool
}

// null is no number.
func null() Value { return Value{Null: true} }

// known is the number n.
func known(n exact.Num) Value { return Value{Num: n} }

// ratio is n/d, and null when d is 0.
func ratio(n, d exact.Num) Value {
	if d.IsZero() {
		return null()
	}
	return known(n.Quo(d))
}

// complement is 1 − v.
func (v Value) complement() Value {
	if v.Null {
		return v
	}
	return known(exact.Int(1).Sub(v.Num))
}

// times is v · w.
func (v Value) times(w Value) Value {
	if v.Null || w.Null {
		return null()
	}
	return known(v.Num.Mul(w.Num))
}

// Float is the nearest float64; ok is false for null.
func (v Value) Float() (f float64, ok bool) {
	if v.Null {
		return 0, false
	}
	return v.Num.Float(), true
}

// Equal says that v and w are both null or the same number.
func (v Value) Equal(w Value) bool {
	return v.Null == w.Null && (v.Null || v.Num.Equal(w.Num))
}

// String is the number in lowest terms ("19/20") or "null".
func (v Value) String() string {
	if v.Null {
		return "null"
	}
	return v.Num.String()
}
