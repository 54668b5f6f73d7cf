package plant

import (
	"math"
	"slices"
	"sort"

	"kvarts/historian/telemetry"
)

// Always is the date of what has none: it has been so for ever.
const Always telemetry.Instant = math.MinInt64

// Since is a value that holds from a date on.
type Since[T any] struct {
	From  telemetry.Instant // Always: no date
	Value T
}

// Dated is a value that changes on dates: entries by From, strictly ascending. Each holds until the next one begins; before
// the first there is none. The nil Dated never has a value.
type Dated[T any] []Since[T]

// Constant is v at all times.
func Constant[T any](v T) Dated[T] { return Dated[T]{{From: Always, Value: v}} }

// At is the value in force at t; ok is false before the first entry.
func (d Dated[T]) At(t telemetry.Instant) (v T, ok bool) {
	i := sort.Search(len(d), func(i int) bool { return d[i].From > t })
	if i == 0 {
		return v, false
	}
	return d[i-1].Value, true
}

// over is d where d has a value, and base before that: what a unit says over what its class says.
func (d Dated[T]) over(base Dated[T]) Dated[T] {
	if len(d) == 0 {
		return base
	}
	n := sort.Search(len(base), func(i int) bool { return base[i].From >= d[0].From })
	return slices.Concat(base[:n:n], d)
}

// froms are the dates at which any of the values changes, ascending, each once.
func froms[T any](all ...Dated[T]) []telemetry.Instant {
	var out []telemetry.Instant
	for _, d := range all {
		for _, s := range d {
			out = append(out, s.From)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
