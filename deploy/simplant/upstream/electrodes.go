package upstream

import (
	"math"
	"time"

	"kvarts/deploy/simplant/world"
)

// electrode is one of the three.
type electrode struct {
	name      string  // in the names of signals
	r, x      float64 // mΩ: operating resistance, reactance
	loss      float64 // mΩ, of the bus-bars
	diameter  float64 // mm
	position  float64 // mm, of its holder
	tapAt     float64 // of its transformer
	slipped   float64 // mm in this shift
	breathing float64 // seconds in which the regulation swings once
}

const (
	burnPerHour = 29.0 // mm of an electrode that are used up
	shiftHours  = 12
)

// begin is how the record finds the electrodes.
func (f *furnace) begin() {
	u := f.u
	for i, name := range []string{"a", "b", "c"} {
		f.electrode[i] = electrode{
			name: name, r: limited(u, 1.285, 0.01, 1.24, 1.33), x: limited(u, 1.10, 0.02, 0.99, 1.2), loss: limited(u, 0.205, 0.02, 0.19, 0.22),
			diameter: math.Round(limited(u, 1175, 0.005, 1150, 1200)), position: limited(u, 760, 0.08, 500, 1000),
			tapAt: float64(15 + u.Rand().IntN(5)), slipped: 40 + 100*u.Rand().Float64(), breathing: 70 + 60*u.Rand().Float64(),
		}
		e := &f.electrode[i]
		u.Set("electrode_diameter_"+e.name+"_mm", e.diameter)
		u.Set("electrode_slip_"+e.name+"_mm", math.Round(e.slipped))
	}
	u.Set("stoking_event", float64(f.stoked))
	u.Set("tap_weight_kg", 3150)
	u.Set("tap_temp_c", 1570)
	u.Set("lab_fe_percent", 0.32)
	u.Set("lab_al_percent", 0.18)
	u.Set("lab_ca_percent", 0.06)
	u.Set("lab_ti_percent", 0.025)
	u.Set("power_setpoint_kw", math.Round(f.power()/100)*100)
	f.safe()
	u.SetText("tap_start", f.clock())
	u.SetText("tap_end", f.clock())
	u.Noise("ladle_o2_flow_nm3_per_h", 0.05)
	u.Noise("microsilica_rate_t_per_h", 0.008)
}

// safe is what nobody wants to see change.
func (f *furnace) safe() {
	u := f.u
	u.SetFlag("emergency_stop", false)
	u.SetFlag("co_alarm", false)
	flags(u, "cooling_water_alarm_%d", false)
	for i := range f.electrode {
		u.SetFlag("transformer_alarm_"+f.electrode[i].name, false)
		u.SetFlag("paste_level_alarm_"+f.electrode[i].name, false)
	}
	f.tapHole(false)
}

// tapHole opens or closes the first tap-hole; the others are in reserve.
func (f *furnace) tapHole(open bool) {
	for i, name := range numbered(f.u, "taphole_%d_open") {
		f.u.SetFlag(name, open && i == 0)
	}
	f.u.SetFlag("tap_machine_state", open)
}

// slip lets the electrodes down by what burns off within the next d; a new shift counts from zero.
func (f *furnace) slip(d time.Duration) {
	u := f.u
	fresh := f.shift(u.Now()) != f.shift(u.Now().Add(-d))
	for i := range f.electrode {
		e := &f.electrode[i]
		if fresh {
			e.slipped = 0
		}
		e.slipped = min(390, e.slipped+u.Vary(burnPerHour, 0.2)*d.Hours())
		e.position = min(1100, max(420, e.position+0.04*(760-e.position)+12*u.Rand().NormFloat64()))
		u.Set("electrode_slip_"+e.name+"_mm", math.Round(e.slipped))
	}
}

// shift numbers the shifts of a day, which begin at 8 and 20 o'clock.
func (f *furnace) shift(at world.Instant) int {
	return at.Time().In(f.w.Location()).Add(-8*time.Hour).Hour() / shiftHours
}

// show is what the furnace's instruments measure at a power of kw; 0: it is switched off.
func (f *furnace) show(kw float64) {
	u := f.u
	mvar := 0.0
	for i := range f.electrode {
		e := &f.electrode[i]
		ka := math.Sqrt(kw / 3 / e.r) // P = I²·R: kW and mΩ give kA
		mvar += ka * ka * e.x / 1000
		swing := 0.012 * ka
		u.Follow("current_"+e.name+"_ka", world.Wave(world.Level(ka), swing, e.breathing))
		u.Follow("phase_voltage_"+e.name+"_v", world.Wave(world.Level(ka*e.r), -0.5*swing*e.r, e.breathing))
		u.Follow("operating_resistance_"+e.name+"_mohm", world.Wave(world.Level(e.r), -0.015, e.breathing))
		u.Follow("reactance_"+e.name+"_mohm", world.Level(e.x))
		u.Follow("loss_resistance_"+e.name+"_mohm", world.Level(e.loss))
		u.Follow("transformer_tap_"+e.name, world.Level(e.tapAt))
		u.Noise("transformer_tap_"+e.name, 0)
		u.Follow("electrode_pos_"+e.name+"_mm", world.Wave(world.Level(e.position), 6, 4*e.breathing))
		u.Follow("transformer_oil_temp_"+e.name+"_c", world.Wave(world.Level(34+kw/760), 1.5, 5400))
	}
	u.SetFlag("breaker_state", kw > 0)
	u.Follow("reactive_power_mvar", world.Level(mvar))
	u.Follow("apparent_power_mva", world.Level(math.Hypot(kw/1000, mvar)))
	u.Follow("frequency_hz", world.Wave(world.Level(50), 0.012, 670))
	u.Noise("frequency_hz", 0.002)
	u.Follow("power_factor", world.Level(kw/math.Max(1, math.Hypot(kw, 1000*mvar))))
	f.surroundings(kw)
}

// surroundings is water, gas and dust.
func (f *furnace) surroundings(kw float64) {
	u := f.u
	part := kw / 19_000
	for name, v := range map[string]float64{"shell": 6.8, "roof": 8.1, "bus": 4.4} {
		u.Follow("cooling_water_delta_t_"+name+"_k", world.Wave(world.Level(0.6+v*part), 0.35, 2700))
	}
	u.Follow("offgas_temp_c", world.Wave(world.Level(320+290*part), 22*part, 1100))
	u.Follow("hood_pressure_pa", world.Wave(world.Level(-12-18*part), 3, 400))
	u.Follow("co_ppm", world.Wave(world.Level(12+55*part), 14*part, 900))
	u.Noise("co_ppm", 3)
	for i, name := range append(numbered(u, "baghouse_delta_p_%d_kpa"), "baghouse_delta_p_kpa") {
		u.Follow(name, world.Wave(world.Level(0.3+1.1*part+0.03*float64(i)), 0.15, 1500+60*float64(i)))
	}
	fume := f.fume
	if kw == 0 {
		fume = 0
	}
	u.Follow("microsilica_rate_t_per_h", world.Level(fume))
	oxygen := f.ladleOxygen
	if kw == 0 {
		oxygen = 0
	}
	u.Follow("ladle_o2_flow_nm3_per_h", world.Level(oxygen))
}
