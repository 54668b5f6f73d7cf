package kpi

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"kvarts/historian/exact"
)

// RoundWhole rounds parts to whole numbers that add up to their rounded sum: by largest remainder, of equal remainders
// the earlier part first. Each result is its part rounded up or down; a report of whole pieces, shift by shift, so adds up to the day.
func RoundWhole(parts []exact.Num) []exact.Num {
	out := make([]exact.Num, len(parts))
	rest := make([]exact.Num, len(parts))
	order := make([]int, len(parts))
	var sum, floors exact.Num
	for i, p := range parts {
		out[i] = floor(p)
		rest[i] = p.Sub(out[i])
		order[i] = i
		sum, floors = sum.Add(p), floors.Add(out[i])
	}
	// As each remainder is below 1, fewer than len(parts) ones are to be handed out.
	missing, _ := sum.Round().Sub(floors).Int64()
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Or(rest[b].Cmp(rest[a])) })
	for _, i := range order[:missing] {
		out[i] = out[i].Add(exact.Int(1))
	}
	return out
}

// floor is the largest whole number that is not above x.
func floor(x exact.Num) exact.Num { return x.Sub(exact.Frac(1, 2)).Round() }

// Allocate shares a total out in proportion to weights, in whole quanta (Wh, µWh, pieces) that add up to it: by largest
// remainder, of equal ones the earlier first. A weight of 0 gets nothing, and so does one below 0: a key that has run
// backwards is no claim. When no weight is above 0, ok is false and nothing is allocated: the total is still to be
// accounted for. A total below 0 (a correction) is shared as its opposite is.
func Allocate(total int64, weights []exact.Num) (shares []int64, ok bool) {
	shares = make([]int64, len(weights))
	var sum exact.Num
	for _, w := range weights {
		sum = sum.Add(exact.Max(w, exact.Num{}))
	}
	if sum.IsZero() {
		return shares, false
	}
	if whole, fits := allocateWhole(total, weights, sum); fits {
		return whole, true
	}
	amount := exact.Int(total)
	negative := total < 0
	if negative {
		amount = amount.Neg()
	}
	parts := make([]exact.Num, len(weights))
	for i, w := range weights {
		parts[i] = amount.Mul(exact.Max(w, exact.Num{}).Quo(sum))
	}
	for i, whole := range RoundWhole(parts) {
		if negative {
			whole = whole.Neg()
		}
		shares[i], _ = whole.Int64() // no share is above the total
	}
	return shares, true
}

// allocateWhole is Allocate for whole weights, which the ledger's are, in integers: fractions that are made only to be rounded
// cost more than all else in a month of a plant's energy. fits is false when a number on the way does not fit 64 bits.
func allocateWhole(total int64, weights []exact.Num, sum exact.Num) (shares []int64, fits bool) {
	whole, ok := sum.Int64()
	if !ok || total == math.MinInt64 {
		return nil, false
	}
	amount := uint64(max(total, -total))
	shares = make([]int64, len(weights))
	rest := make([]uint64, len(weights))
	order := make([]int, len(weights))
	missing := int64(amount)
	for i, w := range weights {
		n, ok := w.Int64()
		if !ok {
			return nil, false
		}
		hi, lo := bits.Mul64(amount, uint64(max(n, 0)))
		floor, r := bits.Div64(hi, lo, uint64(whole)) // a weight is at most their sum, so a share at most the amount
		shares[i], rest[i], order[i] = int64(floor), r, i
		missing -= shares[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rest[b], rest[a]) })
	for _, i := range order[:missing] {
		shares[i]++
	}
	if total < 0 {
		for i := range shares {
			shares[i] = -shares[i]
		}
	}
	return shares, true
}
