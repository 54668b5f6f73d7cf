package crystal

import (
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// The phases of a run, by the numbers that a puller shows.
//
//	Clean Charge Evacuate LeakCheck Melt ┌─► Stabilise Dip Neck Crown Body Tail Detach ─┬─► Cool Remove
//	                                     └────────────────── Recharge ◄─────────────────┘
const (
	clean = iota
	charge
	evacuate
	leakCheck
	melt
	stabilise
	dip
	neck
	crown
	body
	tail
	detach
	recharge
	cool
	remove
)

// phase is what a puller aims at in a phase.
type phase struct {
	hours        float64 // 0: as long as it takes to grow
	category     plant.Category
	main, bottom float64 // heaters, kW
	heater, melt float64 // °C
	argon        float64 // slpm
	pressure     float64 // Torr
	seed         float64 // rotation, rpm
	crucible     float64 // rotation, rpm
	pull         float64 // mm/min
	diameter     float64 // mm at its end
}

// phases have an entry for each phase. Powers are those of a 36-inch hot zone, so that a kilogram of crystal takes 25 to 30 kWh.
func phases() [remove + 1]phase {
	const setup, run = plant.Setup, plant.Run
	return [...]phase{
		clean:     {2, setup, 0, 0, 1300, 1400, 20, 30, 0, 0, 0, 0},
		charge:    {1, setup, 0, 0, 1300, 1400, 20, 30, 0, 0, 0, 0},
		evacuate:  {0.7, setup, 0, 0, 1300, 1400, 30, 6, 0, 1, 0, 0},
		leakCheck: {0.3, setup, 0, 0, 1300, 1400, 20, 6, 0, 1, 0, 0},
		melt:      {5, run, 166, 84, 1560, 1450, 60, 15, 0, 2, 0, 0},
		stabilise: {0.75, run, 136, 52, 1490, 1421, 80, 12, 8, 8, 0, 0},
		dip:       {0.3, run, 132, 50, 1485, 1416, 80, 12, 8, 8, 0, 8},
		neck:      {0.5, run, 130, 48, 1482, 1414, 80, 12, 8, 8, 4, 5},
		crown:     {1.6, run, 128, 48, 1476, 1412, 80, 12, 8, 8, 0.9, diameterMM},
		body:      {0, run, 130, 54, 1470, 1412, 80, 12, 8, 8, 1.4, diameterMM},
		tail:      {1.8, run, 134, 56, 1478, 1414, 80, 12, 8, 8, 2.2, 20},
		detach:    {0.3, run, 136, 54, 1475, 1418, 80, 12, 4, 4, 8, 0},
		recharge:  {2.2, run, 158, 78, 1520, 1430, 60, 15, 0, 2, 0, 0},
		cool:      {4, run, 0, 0, 1300, 1400, 40, 29, 0, 0, 0, 0},
		remove:    {0.75, setup, 0, 0, 1300, 1400, 20, 29, 0, 0, 0, 0},
	}
}

const (
	drivesKW = 8 // vacuum pumps and drives, as long as the puller is on
	ramp     = 10 * time.Minute
	// flow of the cooling water in l/min, and what 1 kW warms 1 l/min, in K.
	waterFlow = 240.0
	waterHeat = 14.3
)

// throttle and pump are what holds the pressure at the flow of argon: the valve's position in % and the pump's frequency in Hz.
func throttle(x *phase) float64 { return 100 - 0.6*x.argon - x.pressure }
func pump(x *phase) float64     { return 30 + x.argon/4 }

// enter begins a phase: the heaters go to its power within ten minutes of work.
func (p *puller) enter(n int) {
	u, x := p.u, &p.phases[n]
	u.Set("phase", float64(n))
	u.State(x.category, "")
	for _, s := range []struct {
		name   string
		to     float64
		second float64 // time constant
	}{
		{"main_heater_temp_c", x.heater, 1500}, {"melt_temp_c", x.melt, 1800},
		{"argon_flow_slpm", x.argon, 20}, {"chamber_pressure_torr", x.pressure, 90},
		{"seed_rot_rpm", x.seed, 15}, {"crucible_rot_rpm", x.crucible, 15},
		{"throttle_pos_percent", throttle(x), 10}, {"vacuum_pump_freq_hz", pump(x), 10},
	} {
		u.Follow(s.name, world.Toward(u.Truth(s.name), s.to, s.second))
	}
	u.Set("diameter_setpoint_mm", x.diameter)
	u.Set("argon_setpoint_slpm", x.argon)
	u.Set("pressure_setpoint_torr", x.pressure)
	u.Set("seed_rot_setpoint_rpm", x.seed)
	u.Set("crucible_rot_setpoint_rpm", x.crucible)
	u.SetFlag("door_closed", n != clean && n != charge && n != remove)
	u.SetFlag("pump_running", n != clean && n != charge && n != remove)
	u.SetFlag("feeder_docked", n == recharge)
	p.pull(x.pull)
	u.Set("pull_speed_setpoint_mm_per_min", x.pull)
	p.heat(x.main, x.bottom)
}

// pass is a phase that lasts as long as its recipe says.
func (p *puller) pass(n int) {
	p.enter(n)
	p.u.Work(max(0, p.u.Spread(time.Duration(p.phases[n].hours*float64(time.Hour)), 0.03)-ramp))
}

// pull sets the seed's speed.
func (p *puller) pull(mmPerMinute float64) {
	p.speed = mmPerMinute
	p.u.Follow("pull_speed_mm_per_min", world.Level(mmPerMinute))
}

// heat brings both heaters to a power, within ramp.
func (p *puller) heat(main, bottom float64) {
	u, s := p.u, ramp.Seconds()
	main, bottom = min(176, main*p.zone), min(88, bottom*p.zone)
	heater(u, "main", p.main, main)
	heater(u, "bottom", p.bottom, bottom)
	from, to := p.main+p.bottom+drivesKW, main+bottom+drivesKW
	in := 22 + 1.5*u.Rand().Float64()
	warm := func(kw float64) float64 { return kw * waterHeat / waterFlow }
	u.Follow("water_in_c", world.Wave(world.Between(u.Truth("water_in_c"), in, s), 0.3, 5400))
	u.Follow("hotzone_delta_t_k", world.Between(warm(from), warm(to), 2*s))
	u.Follow("water_out_c", world.Between(u.Truth("water_out_c"), in+warm(to), 2*s))
	u.Standby(to)
	u.Load(from, (to-from)/s)
	u.Work(ramp)
	u.Load(to, 0)
	p.main, p.bottom = main, bottom
}

// heater shows a heater that goes from one power to another within ramp: it is a resistance of 27 mΩ.
func heater(u *world.Unit, name string, from, to float64) {
	const ohm = 0.027
	power := world.Between(from, to, ramp.Seconds())
	amps := func(t float64) float64 { return math.Sqrt(1000 * power(t) / ohm) }
	u.Follow(name+"_heater_power_kw", power)
	u.Follow(name+"_heater_current_a", amps)
	u.Follow(name+"_heater_voltage_v", func(t float64) float64 { return amps(t) * ohm })
	u.Set(name+"_heater_setpoint_kw", to)
}
