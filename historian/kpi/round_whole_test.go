package kpi

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/exact"
)

// In integers and in fractions the same shares come out: of weights that are doubled and of ones that are halved.
func TestAllocateWholeIsAllocate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.OneOf(rapid.Int64Range(-1000, 1000), rapid.Int64Range(math.MinInt64+1, math.MaxInt64)).Draw(t, "total")
		whole := rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(-2, 5), rapid.Int64Range(0, math.MaxInt64/16)), 1, 12).Draw(t, "weights")
		weights, halves := make([]exact.Num, len(whole)), make([]exact.Num, len(whole))
		for i, w := range whole {
			weights[i], halves[i] = exact.Int(w), exact.Frac(2*w+w%2, 3).Sub(exact.Frac(w%2, 3)) // two thirds of each
		}
		got, ok := Allocate(total, weights)
		want, wantOK := Allocate(total, halves)
		if ok != wantOK || !slices.Equal(got, want) {
			t.Fatalf("%d by %v: %v, %v in integers, %v, %v in fractions", total, whole, got, ok, want, wantOK)
		}
	})
}
