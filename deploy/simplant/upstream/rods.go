package upstream

import (
	"fmt"
	"math"

	"kvarts/deploy/simplant/world"
)

// phase is what a phase without growth aims at.
type phase struct {
	share    float64 // of the time of a batch
	kw       float64
	volts    float64 // at the rods
	temp     float64 // °C at their surface; instruments show nothing below 900
	hydrogen float64 // Nm³/h
	pressure float64 // MPa
	plate    float64 // °C
	jacket   float64 // °C
}

// recipe has an entry for each phase but the deposition.
func recipe() [clean + 1]phase {
	return [clean + 1]phase{
		purge:    {share: 0.022, kw: 28, temp: 25, hydrogen: 400, pressure: 0.15, plate: 60, jacket: 85},
		leakTest: {share: 0.022, kw: 24, temp: 25, pressure: 0.62, plate: 60, jacket: 90},
		preheat:  {share: 0.024, kw: 310, volts: 1800, temp: 420, hydrogen: 600, pressure: 0.3, plate: 110, jacket: 105},
		ignition: {share: 0.008, kw: 420, volts: 11_200, temp: 900, hydrogen: 700, pressure: 0.35, plate: 130, jacket: 110},
		cooldown: {share: 0.077, kw: 46, temp: 300, hydrogen: 800, pressure: 0.2, plate: 120, jacket: 95},
		harvest:  {kw: 14, temp: 25, pressure: 0.1, plate: 45, jacket: 80},
		clean:    {kw: 22, temp: 25, pressure: 0.1, plate: 40, jacket: 80},
	}
}

const (
	normalMA   = 14.0 // of current to ground
	normalPPM  = 35.0 // of hydrogen in the hall
	fullAmpere = 3150 // of thick rods
)

// instruments says how exactly some measure.
func (r *reactor) instruments() {
	u := r.u
	if p := u.Class.Progress; p != nil {
		u.Noise(p.Name, 0)
	}
	u.Noise("ground_fault_ma", 1.2)
	u.Noise("h2_leak_ppm", 5)
	u.Noise("est_rod_diameter_mm", 0.05)
	u.Noise("mol_ratio", 0.01)
	u.Noise("tcs_flow_kg_per_h", 4)
	u.Noise("h2_flow_nm3_per_h", 3)
	r.voltages = numbered(u, "rod_voltage_%d_v")
	u.SetFlag("emergency_stop", false)
	u.SetFlag("water_flow_alarm", false)
	flags(u, "rod_fault_%d", false)
	flags(u, "thyristor_fault_%d", false)
	flags(u, "camera_%d_ok", true)
	r.safe()
}

// safe is what the instruments that guard people show in normal operation.
func (r *reactor) safe() {
	r.u.Follow("ground_fault_ma", world.Wave(world.Level(normalMA), 3, 5000))
	r.u.Follow("h2_leak_ppm", world.Wave(world.Level(normalPPM), 8, 7000))
	r.u.SetFlag("ground_fault_alarm", false)
	r.u.SetFlag("h2_alarm", false)
}

// valves are open as a phase needs them.
func (r *reactor) valves(n int) {
	u := r.u
	u.SetFlag("bell_locked", n < harvest)
	u.SetFlag("leak_test_ok", n > leakTest && n < harvest)
	u.SetFlag("valve_h2_open", n >= preheat && n <= cooldown)
	u.SetFlag("valve_tcs_open", n == deposition)
	u.SetFlag("valve_n2_open", n == purge || n == cooldown)
	u.SetFlag("valve_vent_open", n != leakTest)
	u.SetFlag("valve_air_open", n >= harvest)
	u.SetFlag("valve_drain_open", n == clean)
}

// quiet is what the instruments measure in a phase in which nothing grows.
func (r *reactor) quiet(n int) {
	x := recipe()[n]
	r.safe()
	r.electric(world.Level(x.kw), world.Level(x.volts))
	r.temperature(world.Level(x.temp))
	r.flows(0, world.Level(0), world.Level(x.hydrogen))
	u := r.u
	u.Follow("pressure_mpa", world.Level(x.pressure))
	r.plates(x.plate)
	r.valves(n)
	u.Follow("jacket_water_in_c", world.Level(x.jacket))
	u.Follow("jacket_water_out_c", world.Level(x.jacket+1+x.kw/300))
	u.Follow("inlet_temp_c", world.Level(100))
	u.Follow("deposition_rate_kg_per_h", world.Level(0))
	u.Noise("deposition_rate_kg_per_h", 0)
	if n < deposition {
		u.Follow("est_rod_diameter_mm", world.Level(slimMM))
	}
}

// electric is current and voltage of the groups at a power in kW and a voltage; at no voltage no current flows.
func (r *reactor) electric(kw, volts world.Curve) {
	for i, name := range r.voltages {
		k := 1 + 0.004*float64(i-len(r.voltages)/2)
		v := func(t float64) float64 { return k * volts(t) }
		r.u.Follow(name, v)
		r.u.Follow(fmt.Sprintf("rod_current_%d_a", i+1), func(t float64) float64 {
			if volts(t) < 1 {
				return 0
			}
			return kw(t) * 1000 / r.groups() / v(t)
		})
	}
}

// groups is how many groups of rods have a supply of their own.
func (r *reactor) groups() float64 { return float64(max(1, len(r.voltages))) }

// plates is the temperature of the base plate, wherever it is measured.
func (r *reactor) plates(c float64) {
	for i, name := range append(numbered(r.u, "base_plate_temp_%d_c"), "base_plate_temp_c") {
		r.u.Follow(name, world.Level(c+1.5*float64(i%4)))
	}
}

func (r *reactor) temperature(c world.Curve) {
	for i, name := range numbered(r.u, "rod_surface_temp_%d_c") {
		off := 4 * float64(i%4-1)
		r.u.Follow(name, func(t float64) float64 { return c(t) + off })
	}
}

// flows are what goes in and out; ratio is that of hydrogen to trichlorosilane.
func (r *reactor) flows(ratio float64, tcs, hydrogen world.Curve) {
	u := r.u
	u.Follow("tcs_flow_kg_per_h", tcs)
	u.Follow("h2_flow_nm3_per_h", hydrogen)
	u.Follow("mol_ratio", world.Level(ratio))
	reacting := 0.0
	if ratio > 0 {
		reacting = 1
	}
	u.Follow("vent_tcs_percent", world.Wave(world.Level(44*reacting), 1.5*reacting, 4300))
	u.Follow("vent_stc_percent", world.Wave(world.Level(37*reacting), 1.2*reacting, 5100))
	u.Follow("vent_dcs_percent", world.Level(4.2*reacting))
	u.Follow("vent_hcl_percent", world.Level(2.4*reacting))
}

// growing is what the instruments measure in piece i of the deposition, of which the part done is over.
func (r *reactor) growing(g *growth, i int, done, rate float64) {
	u := r.u
	part := func(t float64) float64 { return min(1, done+t/g.d.Seconds()) }
	mm := func(t float64) float64 { return diameter(i) + (diameter(i+1)-diameter(i))*part(t) }
	kw := func(t float64) float64 { return g.power(i) + (g.power(i+1)-g.power(i))*part(t) }
	amperes := func(t float64) float64 { return 60 + (fullAmpere-60)*math.Pow(mm(t)/thickMM, 1.3) }
	r.safe()
	r.electric(kw, func(t float64) float64 { return kw(t) * 1000 / r.groups() / amperes(t) })
	r.temperature(world.Wave(world.Level(1095-35*diameter(i)/thickMM), 3, 2600))
	ratio := 4.6 - 1.1*diameter(i)/thickMM
	tcs := func(t float64) float64 { return 450 + 2550*mm(t)/thickMM }
	r.flows(ratio, tcs, func(t float64) float64 { return min(2450, tcs(t)/135.45*22.414*ratio) })
	u.Follow("pressure_mpa", world.Wave(world.Level(0.55), 0.006, 1900))
	u.Follow("inlet_temp_c", world.Level(170+60*diameter(i)/thickMM))
	r.plates(140 + 45*diameter(i)/thickMM)
	r.valves(deposition)
	u.Follow("jacket_water_in_c", world.Wave(world.Level(112), 1, 3900))
	u.Follow("jacket_water_out_c", func(t float64) float64 { return 114 + 30*kw(t)/g.power(pieces) })
	u.Follow("est_rod_diameter_mm", mm)
	u.Noise("deposition_rate_kg_per_h", 0.2)
	u.Follow("deposition_rate_kg_per_h", world.Level(rate*3600))
}

// pause is what the instruments measure while a fault stops the reactor: current and gas are off.
func (r *reactor) pause(h *world.Hazard) {
	u := r.u
	r.electric(world.Level(0), world.Level(0))
	r.temperature(world.Level(880))
	r.flows(0, world.Level(0), world.Level(300))
	u.Follow("deposition_rate_kg_per_h", world.Level(0))
	u.SetFlag("valve_tcs_open", false)
	switch h.Reason {
	case "ground fault":
		u.Follow("ground_fault_ma", world.Level(410))
		u.SetFlag("ground_fault_alarm", true)
	case "hydrogen leak":
		u.Follow("h2_leak_ppm", world.Level(5600))
		u.SetFlag("h2_alarm", true)
	}
}
