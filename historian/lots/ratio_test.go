package lots

import (
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/exact"
)

// The arithmetic is that of exact.Num, and its results are in lowest terms as they stand.
func TestRatio(t *testing.T) {
	num := rapid.Custom(func(t *rapid.T) exact.Num {
		x := exact.Frac(rapid.Int64Range(-720, 720).Draw(t, "n"), rapid.Int64Range(1, 720).Draw(t, "d"))
		for range rapid.IntRange(0, 8).Draw(t, "times") {
			x = x.Mul(exact.Frac(rapid.Int64().Draw(t, "n"), rapid.Int64Range(1, 1<<40).Draw(t, "d")))
		}
		return x
	})
	rapid.Check(t, func(t *rapid.T) {
		x, y := num.Draw(t, "x"), num.Draw(t, "y")
		a, b := ratioOf(x), ratioOf(y)
		for _, c := range []struct {
			got  ratio
			want exact.Num
		}{{a.mul(b), x.Mul(y)}, {a.add(b), x.Add(y)}, {a.add(ratioOf(x.Neg())), exact.Num{}}} {
			if c.got.num().String() != c.want.String() || c.got.zero() != c.want.IsZero() {
				t.Fatalf("%s, want %s", c.got.num(), c.want)
			}
		}
		if a.num().String() != x.String() || b.num().String() != y.String() {
			t.Fatalf("the operands became %s and %s", a.num(), b.num())
		}
	})
}
