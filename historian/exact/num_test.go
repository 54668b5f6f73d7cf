package exact

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// edges are where 64 bits end, and their neighbours.
var edges = []int64{0, 1, -1, 2, -2, 3, -3, 7, 10, math.MaxInt32, math.MinInt32, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MaxInt64 - 1,
	math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 2, math.MinInt64/2 - 1}

func drawInt(t *rapid.T, label string) int64 {
	switch rapid.IntRange(0, 2).Draw(t, label+" kind") {
	case 0:
		return rapid.SampledFrom(edges).Draw(t, label)
	case 1:
		return rapid.Int64Range(-1000, 1000).Draw(t, label)
	default:
		return rapid.Int64().Draw(t, label)
	}
}

// drawNum is a number and the same as a big.Rat.
func drawNum(t *rapid.T, label string) (Num, *big.Rat) {
	n, d := drawInt(t, label+" numerator"), drawInt(t, label+" denominator")
	if d == 0 {
		d = 1
	}
	x, r := Frac(n, d), big.NewRat(n, d)
	if rapid.Bool().Draw(t, label+" large") {
		f := drawInt(t, label+" factor")
		x, r = x.Mul(Int(f)), r.Mul(r, big.NewRat(f, 1))
	}
	return x, r
}

// check fails when x is not want, or not in the one form that want has.
func check(t rapid.TB, what string, x Num, want *big.Rat) {
	t.Helper()
	if x.Rat().Cmp(want) != 0 {
		t.Fatalf("%s = %s, want %s", what, x, want.RatString())
	}
	fits := want.Num().IsInt64() && want.Denom().IsInt64()
	if fits != (x.b == nil) {
		t.Fatalf("%s = %s: held in place: %t, but it fits: %t", what, x, x.b == nil, fits)
	}
	if fits && (x.n != want.Num().Int64() || int64(x.d+1) != want.Denom().Int64()) {
		t.Fatalf("%s = %d/%d, want %s in lowest terms", what, x.n, x.d+1, want)
	}
	if got, want := x.String(), want.RatString(); got != want {
		t.Fatalf("%s: String %s, want %s", what, got, want)
	}
}

// floorHalf is floor(r + 1/2), by another way than Num.Round.
func floorHalf(r *big.Rat) *big.Rat {
	r = new(big.Rat).Add(r, big.NewRat(1, 2))
	q, m := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() < 0 {
		q.Sub(q, big.NewInt(1))
	}
	return new(big.Rat).SetInt(q)
}

func TestOperationsAgainstRat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, a := drawNum(t, "x")
		y, b := drawNum(t, "y")
		keep := new(big.Rat).Set(a)
		check(t, "x", x, a)
		check(t, "x + y", x.Add(y), new(big.Rat).Add(a, b))
		check(t, "x − y", x.Sub(y), new(big.Rat).Sub(a, b))
		check(t, "x · y", x.Mul(y), new(big.Rat).Mul(a, b))
		check(t, "−x", x.Neg(), new(big.Rat).Neg(a))
		check(t, "round x", x.Round(), floorHalf(a))
		check(t, "FromRat x", FromRat(a), a)
		if b.Sign() != 0 {
			check(t, "x / y", x.Quo(y), new(big.Rat).Quo(a, b))
		}
		if got, want := x.Cmp(y), a.Cmp(b); got != want || x.Equal(y) != (want == 0) {
			t.Fatalf("Cmp(%s, %s) = %d, want %d; Equal %t", x, y, got, want, x.Equal(y))
		}
		if x.Sign() != a.Sign() || x.IsZero() != (a.Sign() == 0) {
			t.Fatalf("%s: Sign %d, IsZero %t", x, x.Sign(), x.IsZero())
		}
		lo, hi := a, b
		if a.Cmp(b) > 0 {
			lo, hi = b, a
		}
		check(t, "min", Min(x, y), lo)
		check(t, "max", Max(x, y), hi)
		if f, _ := a.Float64(); x.Float() != f {
			t.Fatalf("%s.Float() = %g, want %g", x, x.Float(), f)
		}
		i, ok := x.Int64()
		if ok != (a.IsInt() && a.Num().IsInt64()) || ok && i != a.Num().Int64() {
			t.Fatalf("%s.Int64() = %d, %t", x, i, ok)
		}
		check(t, "x after all that", x, keep)
	})
}

func TestFracOfEdges(t *testing.T) {
	for _, n := range edges {
		check(t, "Int", Int(n), big.NewRat(n, 1))
		for _, d := range edges {
			if d != 0 {
				check(t, "Frac", Frac(n, d), big.NewRat(n, d))
			}
		}
	}
	var zero Num
	check(t, "the zero Num", zero, new(big.Rat))
	if zero != Int(0) || zero != Frac(0, -7) {
		t.Error("0 has more than one form")
	}
}

func TestRoundShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, a := drawNum(t, "x")
		if rapid.Bool().Draw(t, "whole x") {
			i := drawInt(t, "integer")
			x, a = Int(i), big.NewRat(i, 1)
		}
		part, whole := drawInt(t, "part"), drawInt(t, "whole")
		if whole == 0 {
			whole = 1
		}
		check(t, "share", x.RoundShare(part, whole), floorHalf(a.Mul(a, big.NewRat(part, whole))))
	})
	for _, c := range []struct{ x, part, whole, want int64 }{
		{1, 1, 2, 1}, {-1, 1, 2, 0}, {3, 1, 2, 2}, {-3, 1, 2, -1}, // ties go up
		{1, 1, 3, 0}, {2, 1, 3, 1}, {-1, 1, 3, 0}, {-2, 1, 3, -1}, // odd wholes have none
		{5, 3, 10, 2}, {-5, 3, 10, -1}, {5, 1, 10, 1}, {4, 1, 10, 0},
		{7, 0, 5, 0}, {7, 5, 5, 7}, {0, 5, 7, 0}, {7, -1, 2, -3}, {7, 1, -2, -3},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MinInt64, math.MaxInt64, math.MaxInt64, math.MinInt64},
		{math.MaxInt64, 1, 2, 1 << 62}, {math.MinInt64, 1, 2, -1 << 62}, {math.MaxInt64, 2, math.MaxInt64, 2},
	} {
		if got := Int(c.x).RoundShare(c.part, c.whole); got != Int(c.want) {
			t.Errorf("%d · %d/%d rounds to %s, want %d", c.x, c.part, c.whole, got, c.want)
		}
	}
}

// TestSharesAddUp: the shares up to borders, subtracted, are the whole wherever it is cut.
func TestSharesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, whole := Int(rapid.Int64().Draw(t, "x")), rapid.Int64Range(1, math.MaxInt64).Draw(t, "whole")
		cut := rapid.Int64Range(0, whole).Draw(t, "cut")
		first, all := x.RoundShare(cut, whole), x.RoundShare(whole, whole)
		if sum := first.Add(all.Sub(first)); sum != x {
			t.Fatalf("%s cut at %d of %d: %s and %s", x, cut, whole, first, all.Sub(first))
		}
		if d := first.Sub(x.Mul(Frac(cut, whole))); Max(d, d.Neg()).Cmp(Frac(1, 2)) > 0 {
			t.Fatalf("%s cut at %d of %d: %s is further than a half from its share", x, cut, whole, first)
		}
	})
}

func TestPanics(t *testing.T) {
	for what, f := range map[string]func(){
		"Frac":         func() { Frac(1, 0) },
		"Frac of edge": func() { Frac(math.MinInt64, 0) },
		"Quo":          func() { Int(1).Quo(Num{}) },
		"RoundShare":   func() { Int(1).RoundShare(1, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a zero denominator passes", what)
				}
			}()
			f()
		}()
	}
}

func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		"0": "0", "-0": "0", "12": "12", "-1.25": "-5/4", "1e-3": "1/1000", "1E+3": "1000", "1.5e2": "150", "19/20": "19/20", "-38/40": "-19/20", "4/2": "2",
		"007": "7", "010/020": "1/2", "09/08": "9/8", "-010/4": "-5/2", "0/5": "0", "010.50": "21/2", "00.10": "1/10",
		"9223372036854775807": "9223372036854775807", "9223372036854775808": "9223372036854775808", "-9223372036854775808": "-9223372036854775808",
		"1/9223372036854775808": "1/9223372036854775808", "0.1": "1/10", "1e400": "1" + strings.Repeat("0", 400),
	} {
		x, err := Parse(s)
		if err != nil || x.String() != want {
			t.Errorf("%q = %s, %v; want %s", s, x, err, want)
		}
	}
	for _, s := range []string{"", "-", "+1", ".5", "5.", "1,5", "1 ", " 1", "1_000", "0x10", "0b1", "1e", "1e+", "1e++5", "1e+-5", "1e5.0", "1p4", "e5", "1e401", "1e-401", "1e99999999999",
		"1/0", "1/00", "1/-2", "-1/-2", "--1", "1/2/3", "1.5/2", "1/2.5", "1e2/3", "/2", "1/", "NaN", "Inf", "-Inf", "١", "1\n", "1\x00", strings.Repeat("1", 1001)} {
		if x, err := Parse(s); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q = %s, %v; want an error", s, x, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-1.25", "1e-3", "19/20", "010/020", "0.1e+5", "9223372036854775808", "1/9223372036854775809", "-9223372036854775808/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrSyntax) || !x.IsZero() {
				t.Fatalf("%q: %s, %v", s, x, err)
			}
			return
		}
		if strings.Trim(s, "0123456789-+.eE/") != "" {
			t.Fatalf("%q = %s", s, x)
		}
		again, err := Parse(x.String())
		if len(x.String()) <= maxParse && (err != nil || !again.Equal(x)) {
			t.Fatalf("%q = %s, which reads back as %s, %v", s, x, again, err)
		}
		check(t, s, x, byRat(t, s))
	})
}

// byRat reads s with math/big, which takes leading zeros of a numerator for octal.
func byRat(t *testing.T, s string) *big.Rat {
	n, rest, fraction := strings.Cut(s, "/")
	if !fraction {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("big.Rat refuses %q", s)
		}
		return r
	}
	num, ok1 := new(big.Rat).SetString(n + ".0")
	den, ok2 := new(big.Rat).SetString(rest + ".0")
	if !ok1 || !ok2 {
		t.Fatalf("big.Rat refuses %q", s)
	}
	return num.Quo(num, den)
}

func TestFloats(t *testing.T) {
	for f, want := range map[float64]string{0: "0", math.Copysign(0, -1): "0", 0.1: "1/10", -2.5: "-5/2", 1e22: "10000000000000000000000", 1 << 53: "9007199254740992",
		1<<53 - 1: "9007199254740991", 65.0: "65", 0.30000000000000004: "7500000000000001/25000000000000000"} {
		if x, ok := FromFloat(f); !ok || x.String() != want {
			t.Errorf("%g = %s, want %s", f, x, want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if x, ok := FromFloat(f); ok || !x.IsZero() {
			t.Errorf("%g = %s", f, x)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		x, ok := FromFloat(f)
		if ok != !math.IsInf(f, 0) || ok && x.Float() != f {
			t.Fatalf("%g = %s, %t: as a float %g", f, x, ok, x.Float())
		}
	})
	for _, f := range []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
		if x, ok := FromFloat(f); !ok || x.Float() != f {
			t.Errorf("%g does not come back: %g", f, x.Float())
		}
	}
}

func TestText(t *testing.T) {
	b, err := json.Marshal(map[string]Num{"A": Frac(19, 20), "B": Int(-3)})
	if err != nil || string(b) != `{"A":"19/20","B":"-3"}` {
		t.Fatalf("%s, %v", b, err)
	}
	var back struct{ A, B Num }
	if err := json.Unmarshal(b, &back); err != nil || back.A != Frac(19, 20) || back.B != Int(-3) {
		t.Fatalf("%v, %v", back, err)
	}
	back.A = Int(7)
	if err := json.Unmarshal([]byte(`{"A":"seven"}`), &back); !errors.Is(err, ErrSyntax) || back.A != Int(7) {
		t.Fatalf("%v, %v", back, err)
	}
}

func TestFastPathsDoNotAllocate(t *testing.T) {
	x, y, z := Int(123_456_789_000), Frac(19, 20), Int(-987_654_321)
	for what, f := range map[string]func(){
		"Add":        func() { sink = x.Add(z).Add(y) },
		"Sub":        func() { sink = x.Sub(y) },
		"Mul":        func() { sink = x.Mul(y) },
		"Quo":        func() { sink = x.Quo(z) },
		"Cmp":        func() { sink = Max(x, y) },
		"Round":      func() { sink = y.Round() },
		"RoundShare": func() { sink = x.RoundShare(3_599_999_999_999, 3_600_000_000_001) },
		"of minus":   func() { sink = z.RoundShare(3_599_999_999_999, 3_600_000_000_001) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %g allocations", what, n)
		}
	}
}

var sink Num

func BenchmarkAdd(b *testing.B)       { benchmark(b, func(x, _ Num) Num { return x.Add(Int(7)) }) }
func BenchmarkAddShares(b *testing.B) { benchmark(b, Num.Add) }
func BenchmarkMul(b *testing.B)       { benchmark(b, func(x, _ Num) Num { return x.Mul(Int(7)) }) }
func BenchmarkMulShares(b *testing.B) { benchmark(b, Num.Mul) }
func BenchmarkQuo(b *testing.B)       { benchmark(b, Num.Quo) }
func BenchmarkRoundShare(b *testing.B) {
	benchmark(b, func(x, _ Num) Num { return x.RoundShare(3_599_999_999_999, 3_600_000_000_001) })
}
func BenchmarkGrown(b *testing.B) {
	benchmark(b, func(_, y Num) Num { return Int(math.MaxInt64).Mul(y) })
}

func benchmark(b *testing.B, f func(x, y Num) Num) {
	b.ReportAllocs()
	x, y := Int(123_456_789_000), Frac(19, 21)
	for b.Loop() {
		sink = f(x, y)
	}
}
