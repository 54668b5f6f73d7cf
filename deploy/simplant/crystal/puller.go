package crystal

import (
	"fmt"
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const (
	ingotsPerRun = 5   // good ones; the crucible does not last longer
	mostIngots   = 9   // with those that were melted back
	filled       = 455 // kg in the crucible when an ingot is begun: an ingot, and what must stay in it
	heel         = 35  // kg of melt below which no ingot is pulled
	crownKg      = 8.0
	tailKg       = 10.0
	standard     = 432.0 // seconds per kilogram, where the model has no ideal
)

// puller is a Czochralski puller. It pulls several ingots in a run, from a crucible that is filled again after each.
type puller struct {
	u            *world.Unit
	w            *world.World
	phases       [remove + 1]phase
	zone         float64 // what the hot zone needs, 1 as new; it ages from run to run
	main, bottom float64 // heaters, kW
	speed        float64 // of the seed, mm/min
	least        float64 // seconds that a kilogram takes: the model's ideal
	bodySpeed    float64 // of the body, mm/min: a little below what the ideal allows

	melted
	run    string
	ingots int           // begun in the run, as shown
	good   int           // pulled in the run
	dips   int           // of a seed, ever
	from   world.Instant // the end of the last step: all time of a run belongs to a step
	grown  grown
}

// Run is the script.
func (p *puller) Run(u *world.Unit) {
	p.u, p.w, p.phases = u, u.World(), phases()
	u.Continuous()
	u.OnPause = func(*world.Hazard) { u.Follow("pull_speed_mm_per_min", world.Level(0)) }
	u.OnResume = func() { u.Follow("pull_speed_mm_per_min", world.Level(p.speed)) }
	u.Hazards(
		world.Hazard{Category: plant.Stop, Reason: "fault", Every: 240 * time.Hour, Lasts: 150 * time.Minute, Least: 15 * time.Minute, Done: p.explain},
		world.Hazard{Category: plant.Stop, Reason: "fault", Every: 70 * time.Hour, Lasts: 3 * time.Minute, Least: 20 * time.Second},
	)
	p.zone = 1.02 + 0.12*u.Rand().Float64()
	p.least = u.IdealSeconds(standard)
	p.bodySpeed = 0.98 * 60 / p.least / kgPerMM
	p.instruments()
	p.begun()
	for {
		for p.good < ingotsPerRun && p.ingots < mostIngots {
			p.newCrystal()
			if p.melted.kg < world.Whole(filled) {
				p.refill()
			}
			p.ingot()
		}
		p.end()
		p.newRun()
	}
}

// instruments says how exactly meters measure, and what they show to begin with: the body of a crystal.
func (p *puller) instruments() {
	u, x := p.u, &p.phases[body]
	p.main, p.bottom = x.main*p.zone, x.bottom*p.zone
	for _, name := range []string{"crystal_weight_kg", "remaining_melt_kg", "seed_pos_mm", "crucible_pos_mm", "run_hours_h"} {
		u.Noise(name, 0)
	}
	u.Noise("diameter_mm", 0.15)
	u.Noise("pull_speed_mm_per_min", 0.006)
	u.Noise("melt_temp_c", 0.08)
	u.Noise("melt_level_gap_mm", 0.1)
	for name, v := range map[string]float64{
		"main_heater_temp_c": x.heater, "melt_temp_c": x.melt, "argon_flow_slpm": x.argon, "chamber_pressure_torr": x.pressure,
		"throttle_pos_percent": throttle(x), "vacuum_pump_freq_hz": pump(x), "seed_rot_rpm": x.seed, "crucible_rot_rpm": x.crucible,
		"water_flow_l_per_min": waterFlow, "water_in_c": 22, "water_out_c": 34,
	} {
		u.Follow(name, world.Level(v))
	}
	u.SetFlag("ccd_image_ok", true)
	for _, name := range []string{"structure_loss", "structure_loss_length_mm", "seed_broken", "power_fail"} {
		u.Set(name, 0)
	}
}

// begun is where the record finds the puller: between two ingots of a run, or in the body of one. The fleet is spread over
// all of a run.
func (p *puller) begun() {
	u := p.u
	n, index := u.Fleet(pullerClass)
	if index == 0 {
		p.stocks(n)
	}
	spread := func(by float64) float64 { return math.Mod(float64(index)*by+0.2*u.Rand().Float64(), 1) }
	const between = 0.27 // of an ingot's time nothing of its body grows
	good, at := int(spread(math.Phi)*ingotsPerRun), spread(math.Sqrt2)
	part := (at - between) / (1 - between)
	p.newRun()
	p.from = u.Now()
	if part < 0 && good == 0 {
		return // with an empty crucible
	}
	p.good, p.ingots, p.fills = good, good, good
	p.hours(float64(good)*52 + 12 + 38*max(0, part))
	if part < 0 {
		p.fills--
		p.inherit(filled-(crownKg+tailKg+bodyMM*kgPerMM), 40*time.Hour)
		u.Set("ingot_index", float64(good))
		u.Set("charge_mass_kg", p.melted.kg.Float())
		p.weigh(0)
		p.enter(recharge)
		u.Work(time.Duration(5 * u.Rand().Float64() * float64(time.Hour)))
		return
	}
	p.inherit(filled, time.Duration((4+38*part)*float64(time.Hour)))
	p.newCrystal()
	p.pullFrom(max(0.01, part))
	p.harvest()
}

// inherit is the melt that there was before the record begins.
func (p *puller) inherit(kg float64, since time.Duration) {
	p.melted.lot, p.melted.kg = p.fillName(), world.Amount(kg)
	p.w.AddLot(world.Lot{ID: p.melted.lot, Kind: "run", Product: p.u.Makes(), Quantity: p.melted.kg, UnitOf: "kg",
		MadeAt: p.w.Now().Add(-since).Time(), Embodied: embodied(p.melted.kg, inMelt())})
}

// newRun names a run.
func (p *puller) newRun() {
	p.run = p.w.Serial("RUN")
	p.ingots, p.good, p.fills = 0, 0, 0
	p.zone = min(1.16, p.zone+0.005)
	p.u.SetText("crucible_id", "CRU-"+p.run[len("RUN-"):])
	p.u.SetText("recipe_id", fmt.Sprintf("N182-%.0f-R%s", diameterMM, p.run[len("RUN-"):]))
}

// hours says how long the run has been going on.
func (p *puller) hours(since float64) { p.u.Follow("run_hours_h", world.Line(since, 1.0/3600)) }

// end cools the puller down and takes out the crucible, with what is left in it.
func (p *puller) end() {
	p.u.Follow("crucible_pos_mm", world.Toward(p.u.Truth("crucible_pos_mm"), 0, 120))
	p.pass(cool)
	p.pass(remove)
	p.scrapRest()
}
