package kpi

import "kvarts/historian/exact"

// PowerBin is a number of good pieces of one power class.
type PowerBin struct {
	Pieces exact.Num
	Watts  exact.Num // of each
}

// TotalWatts is the power of all bins.
func TotalWatts(bins []PowerBin) exact.Num {
	var sum exact.Num
	for _, b := range bins {
		sum = sum.Add(b.Pieces.Mul(b.Watts))
	}
	return sum
}

// EnergyOverWatts is the same energy over nominal watts, as booked when the wafers were made, and over the watts that the cell test
// found later. The second restates the first and does not replace it.
type EnergyOverWatts struct {
	Nominal  Value // kWh/W
	Realised Value // kWh/W; null before the test
}

// OverWatts divides an energy in kWh by nominal and by realised power.
func OverWatts(energy exact.Num, nominal, realised []PowerBin) EnergyOverWatts {
	return EnergyOverWatts{Nominal: ratio(energy, TotalWatts(nominal)), Realised: ratio(energy, TotalWatts(realised))}
}
