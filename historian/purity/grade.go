package purity

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"kvarts/historian/exact"
)

// Grade is n of "nN", n nines: the fractions of all impurities sum up to 10⁻ⁿ at most. 0 is none.
type Grade int

// maxGrade is more than any method shows of any material.
const maxGrade Grade = 24

// ParseGrade reads "12N".
func ParseGrade(s string) (Grade, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "N"))
	if err != nil || !strings.HasSuffix(s, "N") || n < 1 || Grade(n) > maxGrade {
		return 0, fmt.Errorf("grade %q: write 1N to %s, like 12N", s, maxGrade)
	}
	return Grade(n), nil
}

func (g Grade) String() string {
	if g == 0 {
		return "no grade"
	}
	return strconv.Itoa(int(g)) + "N"
}

// limit is the largest Σ of the grade, in parts per trillion.
func (g Grade) limit() exact.Num {
	ten, n := exact.Int(10), exact.Int(1)
	for i := Grade(12); i < g; i++ {
		n = n.Quo(ten)
	}
	for i := g; i < 12; i++ {
		n = n.Mul(ten)
	}
	return n
}

// gradeOf is the highest grade of a Σ in parts per trillion that is above 0.
func gradeOf(sum exact.Num) Grade {
	g := Grade(0)
	for g < maxGrade && sum.Cmp((g+1).limit()) <= 0 {
		g++
	}
	return g
}

// Interval is Σ and what it says of N = −log10 Σ. The lower end of N belongs to the upper end of Σ.
type Interval struct {
	Low  Amount `json:"sum_low_ppt"`
	High Amount `json:"sum_high_ppt"`
	// NLow is nil when nothing was summed, NHigh when nothing was detected: N has no upper end then.
	NLow  *float64 `json:"n_low"`
	NHigh *float64 `json:"n_high"`
}

func newInterval(low, high exact.Num) Interval {
	return Interval{Low: Amount{low}, High: Amount{high}, NLow: nines(high), NHigh: nines(low)}
}

// nines is N of a Σ in parts per trillion; nil for 0. Its whole part is that of the exact number: where the floating-point
// logarithm of what is a hair above 10⁻ⁿ is n, it is the number before n.
func nines(sum exact.Num) *float64 {
	if sum.Sign() <= 0 {
		return nil
	}
	n := 12 - math.Log10(sum.Float())
	if next := float64(gradeOf(sum) + 1); n >= next && next <= float64(maxGrade) {
		n = math.Nextafter(next, 0)
	}
	return &n
}

// ShowN is N for people, to six decimals; missing is said for nil. No rounding lifts it over a whole number.
func ShowN(n *float64, missing string) string {
	if n == nil {
		return missing
	}
	s := strconv.FormatFloat(*n, 'f', 6, 64)
	if shown, err := strconv.ParseFloat(s, 64); err != nil || math.Floor(shown) > math.Floor(*n) {
		s = strconv.FormatFloat(math.Floor(*n*1e6)/1e6, 'f', 6, 64)
	}
	return s
}

// ShowSum is the interval of Σ for people, rounded outwards.
func (i Interval) ShowSum() string { return "[" + i.Low.Shown(false) + ", " + i.High.Shown(true) + "]" }
