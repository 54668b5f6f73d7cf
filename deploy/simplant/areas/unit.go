package areas

import (
	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/plant"
)

// unitOf is the EngineeringUnits of a signal, which are the machine's; nil when it has none.
func unitOf(s *plant.Signal) *uaserver.Unit {
	name := s.SourceUnit
	if name == "" {
		name = s.Unit
	}
	if name == "" {
		return nil
	}
	if u, ok := uneceUnits()[name]; ok {
		return &uaserver.Unit{Code: u[0], Name: name, Text: u[1]}
	}
	return &uaserver.Unit{Name: name, Text: name}
}

// uneceUnits are the units of the shipped models that UNECE Recommendation 20 knows: common code and name. It has none for
// flow at standard conditions (slm, sccm, slpm), sheet resistance, MΩ·cm and Pa/min.
func uneceUnits() map[string][2]string {
	return map[string][2]string{
		"mW": {"C31", "milliwatt"}, "W": {"WTT", "watt"}, "kW": {"KWT", "kilowatt"}, "MW": {"MAW", "megawatt"},
		"var": {"D44", "var"}, "kvar": {"KVR", "kilovar"}, "Mvar": {"MAR", "megavar"}, "MVAr": {"MAR", "megavar"},
		"VA": {"D46", "volt ampere"}, "kVA": {"KVA", "kilovolt ampere"}, "MVA": {"MVA", "megavolt ampere"},
		"Wh": {"WHR", "watt hour"}, "kWh": {"KWH", "kilowatt hour"}, "MWh": {"MWH", "megawatt hour"},
		"°C": {"CEL", "degree Celsius"}, "K": {"KEL", "kelvin"},
		"W/m²": {"D54", "watt per square metre"}, "kWh/m³": {"E46", "kilowatt hour per cubic metre"}, "kg/m³": {"KMQ", "kilogram per cubic metre"},
		"mPa·s": {"C24", "millipascal second"}, "°": {"DD", "degree"},
		"Pa": {"PAL", "pascal"}, "kPa": {"KPA", "kilopascal"}, "MPa": {"MPA", "megapascal"}, "mbar": {"MBR", "millibar"}, "bar": {"BAR", "bar"}, "Torr": {"UA", "torr"},
		"nm": {"C45", "nanometre"}, "µm": {"4H", "micrometre"}, "mm": {"MMT", "millimetre"}, "m": {"MTR", "metre"}, "km": {"KMT", "kilometre"},
		"mg": {"MGM", "milligram"}, "g": {"GRM", "gram"}, "kg": {"KGM", "kilogram"}, "t": {"TNE", "tonne"},
		"µs": {"B98", "microsecond"}, "s": {"SEC", "second"}, "min": {"MIN", "minute"}, "h": {"HUR", "hour"},
		"ml/min": {"41", "millilitre per minute"}, "l/min": {"L2", "litre per minute"}, "m³/h": {"MQH", "cubic metre per hour"}, "Nm³/h": {"Q40", "normalized cubic metre per hour"},
		"kg/h": {"E93", "kilogram per hour"}, "t/h": {"E18", "tonne per hour"},
		"mm/min": {"H81", "millimetre per minute"}, "mm/s": {"C16", "millimetre per second"}, "m/min": {"2X", "metre per minute"}, "m/s": {"MTS", "metre per second"},
		"m/s²": {"MSK", "metre per second squared"}, "N": {"NEW", "newton"}, "kN": {"B47", "kilonewton"}, "rpm": {"RPM", "revolutions per minute"}, "Hz": {"HTZ", "hertz"}, "1/h": {"H10", "reciprocal hour"},
		"µA": {"B84", "microampere"}, "mA": {"4K", "milliampere"}, "A": {"AMP", "ampere"}, "kA": {"B22", "kiloampere"},
		"mV": {"2Z", "millivolt"}, "V": {"VLT", "volt"}, "kV": {"KVT", "kilovolt"},
		"mΩ": {"E45", "milliohm"}, "Ω": {"OHM", "ohm"}, "kΩ": {"B49", "kiloohm"}, "MΩ": {"B75", "megaohm"}, "Ω·cm": {"C60", "ohm centimetre"}, "µS/cm": {"G42", "microsiemens per centimetre"}, "mS/cm": {"H61", "millisiemens per centimetre"},
		"%": {"P1", "percent"}, "ppm": {"59", "part per million"}, "ppb": {"61", "part per billion"},
	}
}
