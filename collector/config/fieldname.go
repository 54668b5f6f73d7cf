package config

import (
	"strings"
	"unicode"
)

// FieldName proposes the field of a node from its browse name and unit: snake_case with the unit as suffix, as in
// main_heater_power_kw for MainHeaterPower in kW. The result is a legal field name, empty only if name holds no letter
// and no digit.
func FieldName(name, unit string) string {
	base := snake(name)
	suffix := unitSuffix(unit)
	if suffix == "" || base == "" || base == suffix || strings.HasSuffix(base, "_"+suffix) {
		return legal(base)
	}
	return legal(base + "_" + suffix)
}

// legal keeps away from the names that mean something else: *_status, time.
func legal(s string) string {
	if strings.HasSuffix(s, "_status") || s == "time" {
		return s + "_value"
	}
	return s
}

func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case unicode.IsUpper(r):
			afterLower := i > 0 && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]))
			endOfAcronym := i > 0 && unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterLower || endOfAcronym {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	return squeeze(b.String())
}

// squeeze leaves single underscores between words.
func squeeze(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '_' }), "_")
}

// unitSuffix spells a unit in the letters of a field name.
func unitSuffix(unit string) string {
	return snake(strings.ToLower(unitWords.Replace(strings.TrimSpace(unit))))
}

var unitWords = strings.NewReplacer("°C", "c", "°F", "f", "µ", "u", "μ", "u", "Ω", "ohm", "%", "percent", "m²", "m2", "m³", "m3", "s²", "s2",
	"kW·h", "kwh", "kW.h", "kwh", "MW·h", "mwh", "/min", " per min", "/s", " per s", "/h", " per h", "/cm", " per cm", "·", " ")
