package cells

import (
	"fmt"
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// inline is a tool through which cells run one after the other: wet bench, printer with furnace and tester.
type inline struct {
	route route
	dress func(u *world.Unit, first bool) craft
}

// craft is what one kind of inline tool does besides letting cells through. Its functions are called in this order for each
// lot.
type craft struct {
	prefix   string           // of the lots it makes
	kwh      float64          // per cell, at full pace
	seconds  float64          // per cell where the model has no ideal
	standing float64          // part of the power while it stands
	breaks   float64          // share of cells that break
	begin    func()           // shows what begins
	gain     func() float64   // what it adds to the gain
	wear     func(pieces int) // what it needs afterwards
}

// lotSize is how many cells go through an inline tool as one lot.
const lotSize = 2400

// Run lets lot after lot through.
func (p inline) Run(u *world.Unit) {
	c := p.dress(u, p.route.first())
	draws(u, c.kwh, c.seconds, c.standing)
	open(u, &p.route, 1/u.IdealSeconds(c.seconds))
	u.State(plant.Idle, "")
	for {
		in := tookOf(u.World().Stock(p.route.in).Take(u, world.Whole(lotSize)))
		u.Ready()
		from := u.Now()
		u.State(plant.Run, "")
		u.SetText("lot_id", in.portions[0].Lot)
		c.begin()
		n := note{gain: in.gain + c.gain()}
		bad := lost(u, in.pieces, c.breaks)
		if p.route.last() {
			n.watts = nominal(u, 8.25) * (tested + n.gain)
			bad += lost(u, in.pieces, rejects(n.gain))
			showTest(u, n.watts)
		}
		bad = min(bad, in.pieces)
		rate := pace(u, c.seconds)
		u.Follow("throughput_cph", world.Level(3600*rate))
		u.Make(float64(in.pieces), rate, float64(bad))
		e := entry{prefix: c.prefix, kind: "cell", from: from, in: in, good: in.pieces - bad, bad: bad, out: n}
		if p.route.last() {
			e.prefix = "CEL"
			test(u, &e)
		}
		lot := deliver(u, &p.route, e)
		if p.route.last() && e.good > 0 {
			restate(u, lot, e)
		}
		c.wear(in.pieces)
	}
}

// tested is the mean power of tested cells against nominal, before what tools add: cells are sold by the nominal that most
// of them reach.
const tested = 1.002

// rejects is the share of cells that the test refuses: more where something is wrong.
func rejects(gain float64) float64 { return 0.006 + max(0, -gain-0.004)*1.5 }

// showTest shows what the tester measures of the cells that run through it now.
func showTest(u *world.Unit, watts float64) {
	rel := watts / nominal(u, 8.25)
	u.Follow("iv_pmax_w", world.Level(watts))
	u.Noise("iv_pmax_w", 0.04)
	u.Follow("iv_eff_percent", world.Level(25*rel))
	u.Noise("iv_eff_percent", 0.12)
	u.Follow("iv_voc_mv", world.Level(724*(1+(rel-1)/3)))
	u.Follow("iv_isc_a", world.Level(min(19.5, watts/nominal(u, 8.25)*13.6)))
	u.Follow("iv_ff_percent", world.Level(83.5*(1+(rel-1)/3)))
	u.SetText("bin", fmt.Sprintf("%.1f", math.Floor(250*rel)/10))
	u.SetText("el_grade", "A")
}

// test says what the lot's cells are for together: nominal now.
func test(u *world.Unit, e *entry) {
	watts := world.Amount(nominal(u, 8.25) * float64(e.good))
	e.lot.WpNominal = &watts
	e.lot.MadeAt = u.Now().Time()
}

// restate enters the tested watts of a lot when the test data is released: a revision of the lot.
func restate(u *world.Unit, id string, e entry) {
	sum := world.Amount(e.out.watts*float64(e.good) + u.Rand().NormFloat64()*0.06*math.Sqrt(float64(e.good)))
	l := e.lot
	l.ID, l.Kind, l.UnitOf, l.Product, l.Quantity = id, e.kind, e.kind, u.Makes(), world.Whole(e.good)
	l.WpRealised, l.Revision, l.Why = &sum, 2, "cell test released"
	u.World().At(u.Now().Add(u.Spread(50*time.Minute, 0.3)), func() { u.World().AddLot(l) })
}

// wetBench textures: the bath ages, and is renewed.
func wetBench(u *world.Unit, first bool) craft {
	prefix := "TEX"
	if !first {
		prefix = "ETC" // the one that etches after diffusion
	}
	age := u.Rand().Float64() // of the bath, 0 to 1
	for i := range 8 {
		u.Set(fmt.Sprintf("bath_%d_temp_setpoint_c", i+1), 78-6*float64(i))
		u.Follow(fmt.Sprintf("bath_%d_temp_c", i+1), world.Wave(world.Level(78-6*float64(i)), 0.4, 900))
		u.Noise(fmt.Sprintf("bath_%d_temp_c", i+1), 0.15)
	}
	trouble(u,
		world.Hazard{Reason: "wafer jam", Every: 70 * time.Minute, Lasts: 70 * time.Second, Least: 15 * time.Second},
		world.Hazard{Reason: "pump", Every: 40 * time.Hour, Lasts: 35 * time.Minute, Least: 10 * time.Minute})
	return craft{
		prefix: prefix, kwh: wetKWh, seconds: 0.55, standing: 0.5, breaks: 0.0012,
		begin: func() {
			u.SetFlag("level_alarm", false)
			for i := range 8 {
				name := fmt.Sprintf("bath_%d_concentration_percent", i+1)
				u.Follow(name, world.Level(14-3*age+float64(i)))
				u.Noise(name, 0.05)
			}
			u.Follow("transport_speed_m_per_min", world.Level(2.2))
			u.Noise("transport_speed_m_per_min", 0.01)
			u.Follow("etch_depth_um", world.Level(5.2-0.6*age))
		},
		gain: func() float64 { return u.Rand().NormFloat64()*0.003 - 0.004*age }, // wafers differ, and an old bath textures less
		wear: func(pieces int) {
			if age += float64(pieces) / 90_000; age < 1 {
				return
			}
			u.SetFlag("level_alarm", true)
			u.Pause(&world.Hazard{Category: settingUp(u), Reason: "bath"}, u.Spread(25*time.Minute, 0.15))
			age = 0
		},
	}
}

// screenLife is how many prints a screen lasts.
const screenLife = 30_000

// printer prints, fires and tests: screens age, and are changed.
func printer(u *world.Unit, _ bool) craft {
	age := u.Rand().Float64() // of the screen
	for i := range 9 {
		name := fmt.Sprintf("fire_zone_%d_c", i+1)
		zone := []float64{300, 350, 420, 480, 560, 690, 770, 740, 450}[i]
		u.Set(fmt.Sprintf("fire_zone_%d_setpoint_c", i+1), zone)
		u.Follow(name, world.Wave(world.Level(zone), 1.5, 600))
		u.Noise(name, 0.8)
	}
	trouble(u,
		world.Hazard{Reason: "cell jam", Every: 50 * time.Minute, Lasts: 60 * time.Second, Least: 10 * time.Second},
		world.Hazard{Reason: "printer", Every: 30 * time.Hour, Lasts: 30 * time.Minute, Least: 9 * time.Minute})
	return craft{
		prefix: "PRT", kwh: printerKWh, seconds: 0.45, standing: 0.45, breaks: 0.002,
		begin: func() {
			u.Follow("belt_speed_m_per_min", world.Level(8.4))
			u.Noise("belt_speed_m_per_min", 0.03)
			for i := range 4 { // prints: back and front, fingers and bars
				u.Follow(fmt.Sprintf("squeegee_pressure_%d_n", i+1), world.Level(68+10*age))
				u.Follow(fmt.Sprintf("print_speed_%d_mm_per_s", i+1), world.Level(420))
				u.Set(fmt.Sprintf("paste_weight_%d_mg", i+1), 96-9*age)
				u.Set(fmt.Sprintf("screen_prints_%d", i+1), math.Floor(age*screenLife))
			}
		},
		gain: func() float64 { return -0.005 * age * age },
		wear: func(pieces int) {
			if age += float64(pieces) / screenLife; age < 1 {
				return
			}
			u.Pause(&world.Hazard{Category: settingUp(u), Reason: "screen change"}, u.Spread(6*time.Minute, 0.2))
			age = 0
		},
	}
}
