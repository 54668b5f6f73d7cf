package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Conversion turns a value of one unit into another of the same dimension.
//
// It multiplies and divides by whole numbers where the units allow it: see Node.Linear.
type Conversion struct {
	From, To      string
	mul, div, add float64 // x × mul / div + add
}

// MarshalText gives the form of the configuration file: "W -> kW", or "kW".
func (c Conversion) MarshalText() ([]byte, error) {
	if c.From == c.To {
		return []byte(c.From), nil
	}
	return []byte(c.From + " -> " + c.To), nil
}

// Converts reports whether a value of the machine is changed at all before it is stored.
func (n *Node) Converts() bool {
	return n.Scale != 1 || n.Offset != 0 || (n.Unit != nil && n.Unit.From != n.Unit.To)
}

// Linear gives the whole way from raw to stored value, scale, offset and unit conversion together:
//
//	stored = raw × scale / divisor + offset
//
// computed in float64 in this order. The divisor is there because 2300/1000 is 2.3 and 2300×0.001 is not.
func (n *Node) Linear() (scale, divisor, offset float64) {
	if n.Unit == nil {
		return n.Scale, 1, n.Offset
	}
	u := n.Unit
	return n.Scale * u.mul, u.div, n.Offset*u.mul/u.div + u.add
}

// unit is one unit: value in the dimension's base = (x + shift) × num / den.
type unit struct {
	dimension string
	names     []string // the first is the usual one
	num, den  float64
	shift     float64
}

// units is the table of what can be converted. Factors are exact by definition of the units; psi is to 10 digits.
func units() []unit {
	scaled := func(dimension string, num, den float64, names ...string) unit {
		return unit{dimension: dimension, names: names, num: num, den: den}
	}
	return []unit{
		scaled("power", 1, 1000, "mW"), scaled("power", 1, 1, "W"), scaled("power", 1e3, 1, "kW"), scaled("power", 1e6, 1, "MW"),
		scaled("reactive power", 1, 1, "var", "VAr"), scaled("reactive power", 1e3, 1, "kvar", "kVAr"), scaled("reactive power", 1e6, 1, "Mvar", "MVAr"),
		scaled("apparent power", 1, 1, "VA"), scaled("apparent power", 1e3, 1, "kVA"), scaled("apparent power", 1e6, 1, "MVA"),
		scaled("energy", 1, 3600, "J"), scaled("energy", 10, 36, "kJ"), scaled("energy", 1e4, 36, "MJ"), scaled("energy", 1e7, 36, "GJ"),
		scaled("energy", 1, 1, "Wh"), scaled("energy", 1e3, 1, "kWh"), scaled("energy", 1e6, 1, "MWh"), scaled("energy", 1e9, 1, "GWh"),
		scaled("temperature", 1, 1, "°C", "degC"),
		{dimension: "temperature", names: []string{"K"}, num: 1, den: 1, shift: -273.15},
		{dimension: "temperature", names: []string{"°F", "degF"}, num: 5, den: 9, shift: -32},
		scaled("pressure", 1, 1, "Pa"), scaled("pressure", 1e2, 1, "hPa"), scaled("pressure", 1e3, 1, "kPa"), scaled("pressure", 1e6, 1, "MPa"),
		scaled("pressure", 1, 10, "µbar", "ubar"), scaled("pressure", 1e2, 1, "mbar"), scaled("pressure", 1e5, 1, "bar"),
		scaled("pressure", 101325, 760, "Torr"), scaled("pressure", 101325, 760e3, "mTorr"), scaled("pressure", 6894.757293, 1, "psi"),
		scaled("length", 1, 1e6, "nm"), scaled("length", 1, 1e3, "µm", "um"), scaled("length", 1, 1, "mm"), scaled("length", 10, 1, "cm"),
		scaled("length", 1e3, 1, "m"), scaled("length", 1e6, 1, "km"), scaled("length", 254, 10, "in"),
		scaled("mass", 1, 1e3, "mg"), scaled("mass", 1, 1, "g"), scaled("mass", 1e3, 1, "kg"), scaled("mass", 1e6, 1, "t"),
		scaled("time", 1, 1e3, "ms"), scaled("time", 1, 1, "s"), scaled("time", 60, 1, "min"), scaled("time", 3600, 1, "h"), scaled("time", 86400, 1, "d"),
		scaled("volume", 1, 1e3, "ml"), scaled("volume", 1, 1, "l", "L"), scaled("volume", 1e3, 1, "m³", "m3"),
		scaled("flow", 1, 1e3, "ml/min"), scaled("flow", 1, 1, "l/min", "L/min"), scaled("flow", 60, 1, "l/s", "L/s"), scaled("flow", 1, 60, "l/h", "L/h"),
		scaled("flow", 1e3, 60, "m³/h", "m3/h"), scaled("flow", 1e3, 1, "m³/min", "m3/min"),
		scaled("standard flow", 1, 1e3, "sccm"), scaled("standard flow", 1, 1, "slm", "slpm"),
		scaled("mass flow", 1, 1, "kg/h"), scaled("mass flow", 6, 100, "g/min"), scaled("mass flow", 60, 1, "kg/min"),
		scaled("mass flow", 3600, 1, "kg/s"), scaled("mass flow", 1e3, 1, "t/h"),
		scaled("speed", 1, 1, "mm/min"), scaled("speed", 60, 1, "mm/s"), scaled("speed", 1e3, 1, "m/min"), scaled("speed", 60e3, 1, "m/s"), scaled("speed", 1, 60, "mm/h"),
		scaled("current", 1, 1e6, "µA", "uA"), scaled("current", 1, 1e3, "mA"), scaled("current", 1, 1, "A"), scaled("current", 1e3, 1, "kA"),
		scaled("voltage", 1, 1e3, "mV"), scaled("voltage", 1, 1, "V"), scaled("voltage", 1e3, 1, "kV"),
		scaled("resistance", 1, 1e3, "mΩ", "mOhm"), scaled("resistance", 1, 1, "Ω", "Ohm"), scaled("resistance", 1e3, 1, "kΩ", "kOhm"), scaled("resistance", 1e6, 1, "MΩ", "MOhm"),
		scaled("frequency", 1, 1, "Hz"), scaled("frequency", 1e3, 1, "kHz"), scaled("frequency", 1, 60, "rpm", "1/min"),
		scaled("ratio", 1, 1, "1"), scaled("ratio", 1, 100, "%"), scaled("ratio", 1, 1e6, "ppm"), scaled("ratio", 1, 1e9, "ppb"),
	}
}

func findUnit(name string) (unit, bool) {
	all := units()
	i := slices.IndexFunc(all, func(u unit) bool { return slices.Contains(u.names, name) })
	if i < 0 {
		return unit{}, false
	}
	return all[i], true
}

// dimensionUnits lists the usual names of a dimension's units, or of all when dimension is empty.
func dimensionUnits(dimension string) []string {
	var names []string
	for _, u := range units() {
		if dimension == "" || u.dimension == dimension {
			names = append(names, u.names[0])
		}
	}
	return names
}

// unitError says why a conversion cannot be and what to write.
type unitError struct{ message, remedy string }

func (e *unitError) Error() string { return e.message }

// parseConversion reads "W -> kW" (→ also), and "kW", which names the unit and changes nothing.
func parseConversion(s string) (*Conversion, *unitError) {
	from, to, arrow := strings.Cut(strings.Replace(s, "→", "->", 1), "->")
	from, to = canonicalUnit(from), canonicalUnit(to)
	if from == "" || (arrow && to == "") || strings.Contains(to, "->") {
		return nil, &unitError{"the form is FROM -> TO, or one unit", "write for example W -> kW"}
	}
	if !arrow || from == to {
		return &Conversion{From: from, To: from, mul: 1, div: 1}, nil
	}
	a, okA := findUnit(from)
	b, okB := findUnit(to)
	for i, name := range []string{from, to} {
		if (i == 0 && !okA) || (i == 1 && !okB) {
			return nil, &unitError{fmt.Sprintf("the unit %q is unknown", name), remedyUnit(name, a.dimension+b.dimension)}
		}
	}
	if a.dimension != b.dimension {
		return nil, &unitError{fmt.Sprintf("%s is a %s and %s a %s", from, a.dimension, to, b.dimension),
			"from " + from + " one can go to " + strings.Join(dimensionUnits(a.dimension), ", ")}
	}
	c := &Conversion{From: from, To: to, mul: a.num * b.den, div: a.den * b.num}
	c.reduce()
	c.add = a.shift*c.mul/c.div - b.shift
	return c, nil
}

// remedyUnit proposes units; known is the dimension of the conversion's other unit, if any.
func remedyUnit(name, known string) string {
	for _, u := range dimensionUnits(known) {
		if strings.EqualFold(u, name) {
			return fmt.Sprintf("did you mean %q?", u)
		}
	}
	return "known are " + strings.Join(dimensionUnits(known), ", ") + "; else use scale and offset"
}

// canonicalUnit trims and replaces look-alikes: the Greek mu, the Kelvin, Ohm and Ångström-era code points of Unicode.
func canonicalUnit(s string) string {
	return strings.NewReplacer("μ", "µ", "\u2126", "Ω", "\u212a", "K", "\u2103", "°C", "\u2109", "°F").Replace(strings.TrimSpace(s))
}

// reduce divides mul and div by their greatest common divisor when both are whole, so that W -> kW divides by 1000.
func (c *Conversion) reduce() {
	const exact = 1 << 53
	whole := func(x float64) bool { return x == math.Trunc(x) && x < exact }
	if !whole(c.mul) || !whole(c.div) {
		return
	}
	a, b := int64(c.mul), int64(c.div)
	for b != 0 {
		a, b = b, a%b
	}
	c.mul, c.div = c.mul/float64(a), c.div/float64(a)
}
