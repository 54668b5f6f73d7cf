package config

import (
	"regexp"
	"testing"
)

func TestFieldName(t *testing.T) {
	for _, c := range []struct{ name, unit, want string }{
		{"MainHeaterPower", "kW", "main_heater_power_kw"},
		{"EnergyTotal", "kW·h", "energy_total_kwh"},
		{"MeltTemp", "°C", "melt_temp_c"},
		{"WireSpeed", "m/s", "wire_speed_m_per_s"},
		{"PullSpeed", "mm/min", "pull_speed_mm_per_min"},
		{"SawMark", "µm", "saw_mark_um"},
		{"CCDImageOK", "", "ccd_image_ok"},
		{"WireTension_L", "N", "wire_tension_l_n"},
		{"power_kw", "kW", "power_kw"},
		{"TTV", "", "ttv"},
		{"Zone 3 / Temp", "°C", "zone_3_temp_c"},
		{"ThrottlePos", "%", "throttle_pos_percent"},
		{"DoorStatus", "", "door_status_value"},
		{"Time", "", "time_value"},
		{"Жарық", "", "жарық"},
		{"--", "kW", ""},
	} {
		if got := FieldName(c.name, c.unit); got != c.want {
			t.Errorf("FieldName(%q, %q) = %q, want %q", c.name, c.unit, got, c.want)
		}
	}
}

func FuzzFieldName(f *testing.F) {
	f.Add("MainHeaterPower", "kW")
	shape := regexp.MustCompile(`^$|^[^_,= \\\x00-\x1f]+(_[^_,= \\\x00-\x1f]+)*$`)
	f.Fuzz(func(t *testing.T, name, unit string) {
		if got := FieldName(name, unit); !shape.MatchString(got) {
			t.Errorf("FieldName(%q, %q) = %q", name, unit, got)
		}
	})
}
