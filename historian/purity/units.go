package purity

import (
	"encoding"
	"fmt"
	"strings"

	"kvarts/historian/exact"
)

// Basis is what a fraction is a fraction of.
type Basis string

// The bases.
const (
	Mass   Basis = "mass"
	Atomic Basis = "atomic"
)

// Unit of a result: parts of so many, by mass or by atoms.
type Unit string

// The units.
const (
	PPTW Unit = "pptw"
	PPBW Unit = "ppbw"
	PPMW Unit = "ppmw"
	PPTA Unit = "ppta"
	PPBA Unit = "ppba"
	PPMA Unit = "ppma"
)

// Units are all units.
func Units() []Unit { return []Unit{PPTW, PPBW, PPMW, PPTA, PPBA, PPMA} }

// spec is how many parts per trillion the unit is, and of what. ok is false for what is no unit.
func (u Unit) spec() (ppt int64, b Basis, ok bool) {
	switch u {
	case PPTW:
		return 1, Mass, true
	case PPBW:
		return 1e3, Mass, true
	case PPMW:
		return 1e6, Mass, true
	case PPTA:
		return 1, Atomic, true
	case PPBA:
		return 1e3, Atomic, true
	case PPMA:
		return 1e6, Atomic, true
	}
	return 0, "", false
}

// Unit is the one that sums of the basis are told in.
func (b Basis) Unit() Unit {
	if b == Atomic {
		return PPTA
	}
	return PPTW
}

// Convert is x of the element, told in one unit, in another: exactly, as ppba = ppbw · 28.0855/M.
func Convert(x exact.Num, symbol string, from, to Unit) (exact.Num, error) {
	e, err := elementOf(symbol)
	if err != nil {
		return exact.Num{}, fmt.Errorf("convert %s to %s: %w", from, to, err)
	}
	a, fromBasis, ok1 := from.spec()
	b, toBasis, ok2 := to.spec()
	if !ok1 || !ok2 {
		return exact.Num{}, fmt.Errorf("convert %q to %q: use two of %s", from, to, unitNames())
	}
	x = x.Mul(exact.Frac(a, b))
	switch {
	case fromBasis == toBasis:
		return x, nil
	case toBasis == Atomic:
		return x.Quo(e.massPerAtom()), nil
	default:
		return x.Mul(e.massPerAtom()), nil
	}
}

func unitNames() string {
	var names []string
	for _, u := range Units() {
		names = append(names, string(u))
	}
	return strings.Join(names, ", ")
}

// Amount is an exact number, of parts per trillion where nothing else is said. As text it is a decimal, or a fraction where no
// decimal is exact.
type Amount struct{ exact.Num }

var (
	_ encoding.TextMarshaler   = Amount{}
	_ encoding.TextUnmarshaler = (*Amount)(nil)
)

// maxDecimals is how many decimals are still read as a number, and not better told as a fraction.
const maxDecimals = 18

// String is the decimal, or the fraction in lowest terms.
func (a Amount) String() string {
	r := a.Rat()
	if n, exactly := r.FloatPrec(); exactly && n <= maxDecimals {
		return r.FloatString(n)
	}
	return a.Num.String()
}

// MarshalText is String.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Shown is a for people: exact where it needs at most six decimals, else rounded to six towards the side where it claims less.
func (a Amount) Shown(up bool) string {
	const places, scale = 6, 1_000_000
	r := a.Rat()
	if n, exactly := r.FloatPrec(); exactly && n <= places {
		return r.FloatString(n)
	}
	whole := a.Mul(exact.Int(scale)).Sub(exact.Frac(1, 2)).Round() // ⌊x·scale⌋
	if up && whole.Cmp(a.Mul(exact.Int(scale))) < 0 {
		whole = whole.Add(exact.Int(1))
	}
	return whole.Quo(exact.Int(scale)).Rat().FloatString(places)
}
