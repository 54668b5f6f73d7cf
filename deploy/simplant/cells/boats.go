package cells

import (
	"fmt"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// boats is a tool that works on a boat of wafers at a time: tube furnace, plasma coater.
type boats struct {
	route route
	size  int // wafers of a boat where the model does not say it
	tool  func(u *world.Unit) recipe
}

// recipe is what one kind of boat tool does.
type recipe struct {
	prefix   string
	kwh      float64
	seconds  float64 // per wafer where the model has no ideal
	breaks   float64
	steps    []phase
	gain     func() float64 // what the boat gets
	finished func()         // shows what is known of a boat at its end
	upkeep   func()         // after a boat
}

// phase is a part of the recipe: its code is its place, 0 is none.
type phase struct {
	percent int // of the time
	begin   func()
}

// Run works boat after boat. Once begun, a boat is brought to its end, whatever the calendar plans.
func (p boats) Run(u *world.Unit) {
	r, size := p.tool(u), p.size
	u.Continuous()
	draws(u, r.kwh, r.seconds, 0.55)
	open(u, &p.route, 1/u.IdealSeconds(r.seconds))
	if q, ok := u.BatchQuantity(u.Makes()).At(u.Now()); ok {
		size = int(q.Float())
	}
	u.State(plant.Idle, "")
	u.Wait(time.Duration(u.Rand().Float64() * float64(20*time.Minute))) // tools are not in step
	for {
		in := tookOf(u.World().Stock(p.route.in).Take(u, world.Whole(size)))
		u.Ready()
		p.boat(u, &r, in)
		r.upkeep()
	}
}

// boat is one of them.
func (p boats) boat(u *world.Unit, r *recipe, in took) {
	from := u.Now()
	name := u.World().Serial("BOAT")
	u.SetText("boat_id", name)
	u.Set("wafers_in_boat", float64(in.pieces))
	u.State(plant.Run, "")
	bad := lost(u, in.pieces, r.breaks)
	n := note{gain: in.gain + r.gain()}
	rate, scrap := pace(u, r.seconds), float64(bad)/float64(in.pieces)
	whole, worked := time.Duration(float64(in.pieces)/rate*1e9), 0.0
	for i, ph := range r.steps {
		u.Set("recipe_step", float64(i+1))
		ph.begin()
		if i == len(r.steps)-1 {
			left := float64(in.pieces) - rate*worked
			u.Make(left, rate, float64(bad)-scrap*rate*worked)
			break
		}
		d := (whole * time.Duration(ph.percent) / 100).Truncate(100)
		u.Making(rate, scrap*rate)
		u.Work(d)
		worked += d.Seconds()
	}
	u.Set("recipe_step", 0)
	r.finished()
	u.Set("wafers_in_boat", 0)
	e := entry{prefix: r.prefix, kind: "cell", from: from, in: in, good: in.pieces - bad, bad: bad, out: n}
	deliver(u, &p.route, e)
}

// furnace diffuses: its sheet resistance drifts, and is set right again.
func furnace(u *world.Unit) recipe {
	drift := u.Rand().NormFloat64() * 0.5 // of the sheet resistance, in tens of ohms
	heat := func(c float64, to float64, seconds float64) func() {
		return func() {
			for i := range 7 {
				u.Follow(fmt.Sprintf("zone_%d_temp_c", i+1), world.Toward(c+float64(i), to+float64(i), seconds))
				u.Noise(fmt.Sprintf("zone_%d_temp_c", i+1), 0.4)
				u.Set(fmt.Sprintf("zone_%d_setpoint_c", i+1), to+float64(i))
			}
		}
	}
	gas := func(mbar, dopant float64) {
		u.Follow("pressure_mbar", world.Toward(u.Truth("pressure_mbar"), mbar, 60))
		u.Follow("dopant_carrier_flow_sccm", world.Level(dopant))
		u.Follow("n2_flow_slm", world.Level(12))
		u.Follow("o2_flow_slm", world.Level(dopant/400))
	}
	trouble(u,
		world.Hazard{Reason: "boat handler", Every: 16 * time.Hour, Lasts: 18 * time.Minute, Least: 2 * time.Minute},
		world.Hazard{Reason: "heater", Every: 220 * time.Hour, Lasts: 4 * time.Hour, Least: time.Hour})
	u.Follow("bubbler_temp_c", world.Level(20))
	u.SetFlag("scrubber_ok", true)
	u.Follow("pressure_mbar", world.Level(1013))
	gas(1013, 0)
	heat(760, 760, 1)()
	boat := 0
	u.Set("boat_runs", 0)
	return recipe{
		prefix: "DIF", kwh: furnaceKWh, seconds: 0.7, breaks: 0.0008,
		steps: []phase{
			{8, func() { u.SetFlag("door_state", true); gas(1013, 0); heat(760, 740, 120)() }}, // load
			{14, func() { u.SetFlag("door_state", false); heat(740, 860, 200)() }},             // heat
			{43, func() { gas(120, 900) }},                       // deposition
			{20, func() { gas(400, 0); heat(860, 900, 150)() }},  // drive-in
			{10, func() { gas(1013, 0); heat(900, 760, 300)() }}, // cool
			{5, func() { u.SetFlag("door_state", true) }},        // unload
		},
		gain: func() float64 { return -0.0025 * drift * drift },
		finished: func() {
			drift += 0.03 + 0.06*u.Rand().NormFloat64()
		},
		upkeep: func() {
			boat++
			u.Set("boat_runs", float64(boat))
			if drift > 1.6 || drift < -1.6 { // engineers set the recipe right
				c := plant.Engineering
				if !shows(u, c) {
					c = settingUp(u)
				}
				u.Pause(&world.Hazard{Category: c, Reason: "recipe"}, u.Spread(40*time.Minute, 0.2))
				drift = u.Rand().NormFloat64() * 0.2
			}
			if boat%120 == 0 {
				u.Pause(&world.Hazard{Category: settingUp(u), Reason: "tube clean"}, u.Spread(3*time.Hour, 0.1))
			}
		},
	}
}

// coater deposits nitride: its layer grows off the mark until the chamber is cleaned.
func coater(u *world.Unit) recipe {
	boats, arcs := u.Rand().IntN(60), 0
	thickness := 78.0
	plasma := func(kw float64) {
		u.Follow("rf_power_kw", world.Level(kw))
		u.Noise("rf_power_kw", 0.05)
		u.Follow("reflected_power_kw", world.Level(kw/60))
		for i, gas := range []string{"sih4", "nh3", "n2o", "ph3"} {
			u.Follow(gas+"_flow_sccm", world.Level(kw*[]float64{90, 480, 20, 5}[i]))
		}
	}
	trouble(u,
		world.Hazard{Reason: "plasma", Every: 14 * time.Hour, Lasts: 15 * time.Minute, Least: time.Minute},
		world.Hazard{Reason: "vacuum pump", Every: 200 * time.Hour, Lasts: 3 * time.Hour, Least: 40 * time.Minute})
	u.Follow("temp_c", world.Wave(world.Level(450), 1, 700))
	u.Set("arc_count", 0)
	plasma(0)
	for i := range 6 {
		u.Set(fmt.Sprintf("zone_%d_setpoint_c", i+1), 450)
		u.Follow(fmt.Sprintf("zone_%d_temp_c", i+1), world.Wave(world.Level(450+float64(i)), 1, 700))
	}
	u.Set("rf_setpoint_kw", 12.5)
	u.Set("pressure_setpoint_pa", 170)
	return recipe{
		prefix: "COA", kwh: coaterKWh, seconds: 0.7, breaks: 0.0010,
		steps: []phase{
			{15, func() { u.Follow("pressure_pa", world.Toward(350, 60, 40)) }},
			{70, func() { plasma(12.5); u.Follow("pressure_pa", world.Level(170)) }},
			{15, func() { plasma(0); u.Follow("pressure_pa", world.Toward(170, 350, 60)) }},
		},
		gain: func() float64 {
			thickness = 78 + float64(boats)/60*6 + u.Rand().NormFloat64()*0.8
			off := (thickness - 78) / 6
			return -0.004 * off * off
		},
		finished: func() {
			u.Set("thickness_nm", float64(int(thickness*10))/10)
			u.Set("refractive_index", 2.08)
			if u.Rand().Float64() < 0.05 {
				arcs++
				u.Set("arc_count", float64(arcs))
			}
		},
		upkeep: func() {
			if boats++; boats < 60 {
				return
			}
			u.Pause(&world.Hazard{Category: settingUp(u), Reason: "chamber clean"}, u.Spread(100*time.Minute, 0.1))
			boats = 0
		},
	}
}
