package evidence

import (
	"math"
	"math/bits"
	"strconv"

	"kvarts/historian/exact"
	"kvarts/historian/influx"
)

// quanta is the reading v, of which one is per quanta, as a whole number of quanta: the decimal that v is written as, times
// per, rounded to the nearest, halves up. A register of kWh with three decimals is exact; one in single precision is as exact
// as it shows itself. ok is false when v is no number.
func quanta(v influx.Value, per int64) (n exact.Num, ok bool) {
	if i, whole := v.Int(); whole {
		return exact.Int(i).Mul(exact.Int(per)), true
	}
	f, isNumber := v.Float()
	if !isNumber {
		return exact.Num{}, false
	}
	if i, fits := scaled(f, per); fits {
		return exact.Int(i), true
	}
	x, finite := exact.FromFloat(f)
	return x.Mul(exact.Int(per)).Round(), finite
}

// scaled is what quanta says, in 64 bits; ok is false when something on the way does not fit.
func scaled(f float64, per int64) (n int64, ok bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) || per <= 0 {
		return 0, false
	}
	var room [32]byte
	digits, exponent, ok := decimal(strconv.AppendFloat(room[:0], math.Abs(f), 'e', -1, 64))
	if !ok {
		return 0, false
	}
	hi, lo := bits.Mul64(digits, uint64(per))
	for ; exponent > 0; exponent-- {
		if hi != 0 || lo > math.MaxInt64/10 {
			return 0, false
		}
		lo *= 10
	}
	if exponent < -19 {
		return 0, false // ten to the power would not fit; the number is all but nothing
	}
	tens := uint64(1)
	for ; exponent < 0; exponent++ {
		tens *= 10
	}
	if hi >= tens {
		return 0, false
	}
	q, r := bits.Div64(hi, lo, tens)
	negative := math.Signbit(f)
	// Halves go towards plus infinity, as exact.Num.Round has it.
	if half := tens - r; r > half || r == half && !negative && r > 0 {
		q++
	}
	if q > math.MaxInt64 {
		return 0, false
	}
	if negative {
		return -int64(q), true
	}
	return int64(q), true
}

// decimal takes strconv's "1.2345e+06" apart: 12345 times ten to the power of 2.
func decimal(text []byte) (digits uint64, exponent int, ok bool) {
	i, fraction := 0, 0
	for point := false; i < len(text) && text[i] != 'e'; i++ {
		if text[i] == '.' {
			point = true
			continue
		}
		digits = digits*10 + uint64(text[i]-'0') // at most 17 digits
		if point {
			fraction++
		}
	}
	if i == len(text) {
		return 0, 0, false
	}
	e, err := strconv.Atoi(string(text[i+1:]))
	return digits, e - fraction, err == nil
}
