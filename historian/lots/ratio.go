package lots

import (
	"math/big"

	"kvarts/historian/exact"
)

// ratio is a fraction in lowest terms that may have very many digits: along the fillings of a tank each step multiplies by one
// more quantity, so a year of them makes numbers of 100,000 digits. exact.Num reduces such a number as a whole after each
// operation, which takes the square of its length; here only what the two operands can have in common is looked for, which
// takes no longer than the operation where one of them is short, as the fractions of single steps are (Knuth, The Art of
// Computer Programming 2, 4.5.1). It is immutable; the zero ratio is 0.
type ratio struct{ n, d *big.Int }

func ratioOf(x exact.Num) ratio {
	if x.IsZero() {
		return ratio{}
	}
	r := x.Rat()
	return ratio{r.Num(), r.Denom()}
}

func (x ratio) zero() bool { return x.n == nil || x.n.Sign() == 0 }

// num is x as an exact.Num.
func (x ratio) num() exact.Num {
	if x.zero() {
		return exact.Num{}
	}
	r := big.NewRat(1, 2) // whose parts may be set, as it is not zero; SetFrac would reduce what is reduced
	r.Num().Set(x.n)
	r.Denom().Set(x.d)
	return exact.FromRat(r)
}

func common(a, b *big.Int) *big.Int {
	return new(big.Int).GCD(nil, nil, new(big.Int).Abs(a), new(big.Int).Abs(b))
}

// isOne says that what two numbers have in common is nothing.
func isOne(g *big.Int) bool { return g.IsInt64() && g.Int64() == 1 }

// cut is a without the factor g.
func cut(a, g *big.Int) *big.Int {
	if isOne(g) {
		return a
	}
	return new(big.Int).Quo(a, g)
}

func (x ratio) mul(y ratio) ratio {
	if x.zero() || y.zero() {
		return ratio{}
	}
	a, b := common(x.n, y.d), common(y.n, x.d)
	return ratio{new(big.Int).Mul(cut(x.n, a), cut(y.n, b)), new(big.Int).Mul(cut(x.d, b), cut(y.d, a))}
}

func (x ratio) add(y ratio) ratio {
	switch {
	case x.zero():
		return y
	case y.zero():
		return x
	}
	g := common(x.d, y.d)
	yd := cut(y.d, g)
	n := new(big.Int).Mul(x.n, yd)
	n.Add(n, new(big.Int).Mul(y.n, cut(x.d, g)))
	if n.Sign() == 0 {
		return ratio{}
	}
	if isOne(g) {
		return ratio{n, new(big.Int).Mul(x.d, yd)}
	}
	h := common(n, g)
	return ratio{cut(n, h), new(big.Int).Mul(cut(x.d, h), yd)}
}

// rough is a number with the digits of a float64, but of any size: far back in a chain fractions are smaller than a float64 can say.
type rough struct{ f *big.Float }

func roughOf(x exact.Num) rough {
	if x.IsZero() {
		return rough{}
	}
	return rough{new(big.Float).SetPrec(53).SetRat(x.Rat())}
}

func (x rough) zero() bool { return x.f == nil }

func (x rough) mul(y rough) rough {
	if x.zero() || y.zero() {
		return rough{}
	}
	return rough{new(big.Float).Mul(x.f, y.f)}
}

func (x rough) add(y rough) rough {
	switch {
	case x.zero():
		return y
	case y.zero():
		return x
	}
	return rough{new(big.Float).Add(x.f, y.f)}
}

// float is the nearest float64.
func (x rough) float() float64 {
	if x.zero() {
		return 0
	}
	f, _ := x.f.Float64()
	return f
}
