package ledger

import (
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// tariff is what a piece is worth from a date on, to the next tariff.
type tariff struct {
	from  telemetry.Instant
	ideal factor // nano-pieces → ns of ideal time
	watts factor // nano-pieces → µWp
}

// newTariffs are the tariffs of each product: [0] of counted pieces, for which every entry counts, then of products in
// their order. All have the same dates, the first of them dawn, so that one index of an atom serves them all.
func newTariffs(in *Input, products []string) [][]tariff {
	dates := []telemetry.Instant{dawn}
	for _, d := range in.Ideals {
		dates = append(dates, max(d.From, dawn))
	}
	for _, w := range in.Watts {
		dates = append(dates, max(w.From, dawn))
	}
	slices.Sort(dates)
	dates = slices.Compact(dates)
	out := make([][]tariff, len(products))
	for p, product := range products {
		out[p] = make([]tariff, len(dates))
		for k, from := range dates {
			out[p][k] = tariff{from: from, ideal: idealAt(in.Ideals, product, from), watts: wattsAt(in.Watts, product, from)}
		}
	}
	return out
}

// idealAt is the ideal in force at t: the last entry that begins by then, for a product only of its own.
func idealAt(ideals []Ideal, product string, t telemetry.Instant) factor {
	for _, d := range slices.Backward(ideals) {
		if d.From <= t && (product == "" || d.Product == product) {
			// s per piece = ns per nano-piece
			return knownFactor(d.Seconds)
		}
	}
	return factor{}
}

func wattsAt(watts []Watts, product string, t telemetry.Instant) factor {
	for _, w := range slices.Backward(watts) {
		if w.From <= t && (product == "" || w.Product == product) {
			return knownFactor(w.PerPiece.Mul(exact.Frac(MicrosPerWatt, NanosPerPiece)))
		}
	}
	return factor{}
}

// knownFactor is none for 0, which says that nothing is known.
func knownFactor(x exact.Num) factor {
	if x.IsZero() {
		return factor{}
	}
	return newFactor(x)
}

// products are the products booked, after the "" of counted pieces.
func products(booked []Booking) []string {
	out := []string{""}
	for _, b := range booked {
		if !slices.Contains(out, b.Product) {
			out = append(out, b.Product)
		}
	}
	return out
}
