package kpi

import "kvarts/historian/exact"

// Baseline is what energy is expected for an output: ISO 50006's linear model with one variable. The base is what would be
// used for nothing, so energy per output falls with volume alone; the indicator against the baseline does not.
type Baseline struct {
	Base  exact.Num // kWh in each period
	Slope exact.Num // kWh for one unit of output
}

// Period is what was used and made in one period of the baseline's length.
type Period struct {
	Energy exact.Num // kWh
	Output exact.Num
}

// Expected is the energy of a period by the baseline, kWh.
func (b Baseline) Expected(output exact.Num) exact.Num { return b.Base.Add(b.Slope.Mul(output)) }

// Indicator is actual over expected energy, of sums when there are several periods: below 1 is better than the baseline. It is null
// when nothing is expected.
func (b Baseline) Indicator(periods ...Period) Value {
	var actual, expected exact.Num
	for _, p := range periods {
		actual = actual.Add(p.Energy)
		expected = expected.Add(b.Expected(p.Output))
	}
	return ratio(actual, expected)
}

// CUSUM is the running sum of actual less expected energy, kWh, after each period: where its slope changes, something did.
func (b Baseline) CUSUM(periods []Period) []exact.Num {
	out := make([]exact.Num, len(periods))
	var sum exact.Num
	for i, p := range periods {
		sum = sum.Add(p.Energy).Sub(b.Expected(p.Output))
		out[i] = sum
	}
	return out
}
