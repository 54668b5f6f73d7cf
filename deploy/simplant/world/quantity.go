package world

import (
	"fmt"
	"math"
	"strings"
)

// Quantity is an exact amount in thousandths: grams of a kilogram, thousandths of a piece. So what goes in and what comes out
// balances to the gram.
type Quantity int64

// Whole is a number of pieces, or of kilograms.
func Whole(n int) Quantity { return Quantity(n) * 1000 }

// Amount is x cut to thousandths.
func Amount(x float64) Quantity { return Quantity(math.Round(x * 1000)) }

// Float is the amount as a number.
func (q Quantity) Float() float64 { return float64(q) / 1000 }

// Part is num/den of q, cut. Their product with q must stay below 2⁶³.
func (q Quantity) Part(num, den int64) Quantity { return Quantity(int64(q) * num / den) }

func (q Quantity) String() string {
	sign := ""
	if q < 0 {
		sign, q = "-", -q
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%s%d.%03d", sign, q/1000, q%1000), "0"), ".")
}

// MarshalText gives the decimal.
func (q Quantity) MarshalText() ([]byte, error) { return []byte(q.String()), nil }
