// Package exact computes in fractions: what the ledger adds up and the KPIs divide must not depend on the order or the
// number of the additions.
package exact

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Num is a rational number. It is immutable; the zero Num is 0. Numbers whose numerator and denominator fit 64 bits are
// held in place and cost a few nanoseconds an operation without allocation; results that do not fit grow into a big.Rat
// by themselves, so that no operation overflows.
type Num struct {
	n int64
	d uint64   // denominator − 1, so that the zero Num is 0/1; in lowest terms
	b *big.Rat // set when it does not fit; never changed once set
}

// Int is the number i.
func Int(i int64) Num { return Num{n: i} }

// Frac is n/d in lowest terms. It panics when d is 0, as a division by zero does.
func Frac(n, d int64) Num {
	if d == 0 {
		panic("exact: zero denominator")
	}
	if n == math.MinInt64 || d == math.MinInt64 {
		return fromRat(big.NewRat(n, d))
	}
	if d < 0 {
		n, d = -n, -d
	}
	if d == 1 {
		return Num{n: n}
	}
	g := int64(gcd(magnitude(n), uint64(d)))
	return Num{n: n / g, d: uint64(d/g) - 1}
}

// FromRat is the number r, which may be changed afterwards.
func FromRat(r *big.Rat) Num { return fromRat(new(big.Rat).Set(r)) }

// fromRat takes r over.
func fromRat(r *big.Rat) Num {
	if r.Num().IsInt64() && r.Denom().IsInt64() {
		return Num{n: r.Num().Int64(), d: uint64(r.Denom().Int64()) - 1}
	}
	return Num{b: r}
}

// Rat is the number as a new big.Rat.
func (x Num) Rat() *big.Rat {
	if x.b != nil {
		return new(big.Rat).Set(x.b)
	}
	return new(big.Rat).SetFrac(big.NewInt(x.n), new(big.Int).SetUint64(x.d+1))
}

// ro is a big.Rat that must not be changed.
func (x Num) ro() *big.Rat {
	if x.b != nil {
		return x.b
	}
	return x.Rat()
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// Add is x + y.
func (x Num) Add(y Num) Num {
	if x.b == nil && y.b == nil {
		if x.d == y.d {
			if s := x.n + y.n; (s > x.n) == (y.n > 0) {
				if x.d == 0 {
					return Num{n: s}
				}
				return Frac(s, int64(x.d+1))
			}
		} else if r, ok := addSmall(x, y); ok {
			return r
		}
	}
	return fromRat(new(big.Rat).Add(x.ro(), y.ro()))
}

// addSmall adds two numbers of different denominators when nothing on the way leaves 64 bits.
func addSmall(x, y Num) (Num, bool) {
	a, ok1 := mul64(x.n, int64(y.d+1))
	b, ok2 := mul64(y.n, int64(x.d+1))
	d, ok3 := mul64(int64(x.d+1), int64(y.d+1))
	s := a + b
	if !ok1 || !ok2 || !ok3 || (s > a) != (b > 0) {
		return Num{}, false
	}
	return Frac(s, d), true
}

// mul64 is a·b; ok is false when it leaves 64 bits or is their smallest number.
func mul64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}

// Neg is −x.
func (x Num) Neg() Num {
	if x.b == nil && x.n != math.MinInt64 {
		return Num{n: -x.n, d: x.d}
	}
	return fromRat(new(big.Rat).Neg(x.ro()))
}

// Sub is x − y.
func (x Num) Sub(y Num) Num { return x.Add(y.Neg()) }

// Mul is x · y.
func (x Num) Mul(y Num) Num {
	if x.b == nil && y.b == nil {
		n, ok1 := mul64(x.n, y.n)
		if ok1 && x.d == 0 && y.d == 0 {
			return Num{n: n}
		}
		if d, ok2 := mul64(int64(x.d+1), int64(y.d+1)); ok1 && ok2 {
			return Frac(n, d)
		}
	}
	return fromRat(new(big.Rat).Mul(x.ro(), y.ro()))
}

// Quo is x / y. It panics when y is 0, as a division by zero does: whoever divides has a reason ready for that case.
func (x Num) Quo(y Num) Num {
	if y.Sign() == 0 {
		panic("exact: division by zero")
	}
	if x.b == nil && y.b == nil {
		n, ok1 := mul64(x.n, int64(y.d+1))
		d, ok2 := mul64(int64(x.d+1), y.n)
		if ok1 && ok2 {
			return Frac(n, d)
		}
	}
	return fromRat(new(big.Rat).Quo(x.ro(), y.ro()))
}

// Cmp is −1, 0 or +1 as x is below, equal to or above y.
func (x Num) Cmp(y Num) int {
	if x.b == nil && y.b == nil {
		if x.d == y.d {
			return cmp64(x.n, y.n)
		}
		if a, ok := mul64(x.n, int64(y.d+1)); ok {
			if b, ok := mul64(y.n, int64(x.d+1)); ok {
				return cmp64(a, b)
			}
		}
	}
	return x.ro().Cmp(y.ro())
}

func cmp64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Sign is −1, 0 or +1.
func (x Num) Sign() int {
	if x.b != nil {
		return x.b.Sign()
	}
	return cmp64(x.n, 0)
}

// IsZero says that x is 0.
func (x Num) IsZero() bool { return x.b == nil && x.n == 0 }

// Equal says that x and y are the same number.
func (x Num) Equal(y Num) bool { return x.Cmp(y) == 0 }

// Min is the smaller of two numbers.
func Min(x, y Num) Num {
	if x.Cmp(y) <= 0 {
		return x
	}
	return y
}

// Max is the larger of two numbers.
func Max(x, y Num) Num {
	if x.Cmp(y) >= 0 {
		return x
	}
	return y
}

// Int64 is x as an integer; ok is false when it is none or does not fit.
func (x Num) Int64() (i int64, ok bool) {
	if x.b != nil || x.d != 0 {
		return 0, false
	}
	return x.n, true
}

// Round is the nearest whole number, halves towards plus infinity: floor(x + 1/2).
func (x Num) Round() Num {
	if x.b == nil {
		if x.d == 0 {
			return x
		}
		d := int64(x.d + 1)
		q, r := x.n/d, x.n%d
		if r < 0 {
			q, r = q-1, r+d
		}
		if r >= d-r {
			q++
		}
		return Num{n: q}
	}
	num := new(big.Int).Lsh(x.b.Num(), 1)
	num.Add(num, x.b.Denom())
	den := new(big.Int).Lsh(x.b.Denom(), 1)
	return fromRat(new(big.Rat).SetInt(num.Div(num, den))) // Div rounds towards minus infinity for positive den
}

// RoundShare is (x · part / whole).Round() without leaving the fast path when the product needs more than 64 bits.
// It panics when whole is 0.
func (x Num) RoundShare(part, whole int64) Num {
	if x.b == nil && x.d == 0 && part >= 0 && whole > 0 {
		// ⌊p/w + 1/2⌋ = ⌊(p + ⌊w/2⌋)/w⌋: for an odd w no tie exists, so that half of it may be rounded down. Of a negative
		// product it is −⌊(p + ⌊(w−1)/2⌋)/w⌋ with p its magnitude: halves go towards plus infinity.
		half := uint64(whole) / 2
		if x.n < 0 {
			half = uint64(whole-1) / 2
		}
		hi, lo := bits.Mul64(magnitude(x.n), uint64(part))
		lo, carry := bits.Add64(lo, half, 0)
		if hi += carry; hi < uint64(whole) {
			if q, _ := bits.Div64(hi, lo, uint64(whole)); q <= math.MaxInt64 {
				if x.n < 0 {
					return Num{n: -int64(q)}
				}
				return Num{n: int64(q)}
			}
		}
	}
	return x.Mul(Frac(part, whole)).Round()
}

// Float is the nearest float64.
func (x Num) Float() float64 {
	if x.b == nil && x.d == 0 {
		return float64(x.n)
	}
	if x.b == nil && magnitude(x.n) < 1<<53 && x.d < 1<<53-1 {
		return float64(x.n) / float64(x.d+1) // both exact, one rounding
	}
	f, _ := x.ro().Float64()
	return f
}

// FromFloat is the decimal that f is written as, with as few digits as tell it from its neighbours: 0.1 is 1/10. ok is false for NaN and infinities.
func FromFloat(f float64) (x Num, ok bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Num{}, false
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return Num{n: int64(f)}, true
	}
	x, err := Parse(strconv.FormatFloat(f, 'e', -1, 64))
	return x, err == nil
}

// maxParse bounds the text of a number and maxExponent its exponent, so that a short text cannot ask for a gigabyte.
const (
	maxParse    = 1000
	maxExponent = 400
)

// ErrSyntax is in the chain of every error of Parse.
var ErrSyntax = errors.New("not an integer, a decimal or a fraction")

// Parse reads an integer, a decimal ("-1.25", "1e-3") or a fraction of two integers ("19/20").
func Parse(s string) (Num, error) {
	if len(s) > maxParse {
		return Num{}, fmt.Errorf("number of %d characters: longer than %d: %w", len(s), maxParse, ErrSyntax)
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && s[0] != '+' {
		return Num{n: i}, nil
	}
	if !wellFormed(s) {
		return Num{}, fmt.Errorf("number %q: %w", s, ErrSyntax)
	}
	if n, d, ok := strings.Cut(s, "/"); ok {
		return fromRat(new(big.Rat).SetFrac(decimal(n), decimal(d))), nil
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return Num{}, fmt.Errorf("number %q: %w", s, ErrSyntax)
	}
	return fromRat(r), nil
}

// decimal reads digits, with a sign or not. (big.Rat takes a fraction's numerator with a leading zero for octal.)
func decimal(s string) *big.Int {
	i, _ := new(big.Int).SetString(s, 10) // well-formed: cannot fail
	return i
}

// wellFormed keeps out what big.Rat reads and people do not write: signs in a denominator, hexadecimal, underscores, a
// bare point, a zero denominator, an enormous exponent.
func wellFormed(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if n, d, ok := strings.Cut(s, "/"); ok {
		return digits(n) && digits(d) && strings.Trim(d, "0") != ""
	}
	mantissa, exp, hasExp := cutExponent(s)
	if hasExp {
		e, err := strconv.Atoi(strings.TrimPrefix(exp, "+"))
		if err != nil || e > maxExponent || e < -maxExponent {
			return false
		}
	}
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	return digits(whole) && (!hasPoint || digits(fraction))
}

func cutExponent(s string) (mantissa, exp string, ok bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// String is the number in lowest terms: "3", "-19/20".
func (x Num) String() string {
	if x.b != nil {
		if x.b.IsInt() {
			return x.b.Num().String()
		}
		return x.b.String()
	}
	s := strconv.FormatInt(x.n, 10)
	if x.d != 0 {
		s += "/" + strconv.FormatUint(x.d+1, 10)
	}
	return s
}

// MarshalText gives String, so that JSON holds numbers as text and no reader rounds them.
func (x Num) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText is Parse.
func (x *Num) UnmarshalText(b []byte) error {
	v, err := Parse(string(b))
	if err != nil {
		return err
	}
	*x = v
	return nil
}
