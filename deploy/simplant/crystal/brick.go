package crystal

import (
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const (
	brickMM        = 800.0  // what a saw's table takes; a brick is true to a few mm
	trueMM         = 1.2    // standard deviation of a brick's length
	kerfMM         = 3.0    // between two bricks
	samplesMM      = 20.0   // for the laboratory, at both ends
	brickSeconds   = 1200.0 // per brick, where the model has no ideal
	kwhPerKg       = 0.8    // of brick
	chipped        = 0.012  // chance that a brick breaks in the machine
	bricksPerWheel = 70     // until the grinding wheels are changed
	recycled       = 0.95   // of what is no brick; the rest is swarf
	idleKW         = 4
)

// cropper crops, squares and grinds: it makes bricks of ingots.
type cropper struct {
	u     *world.Unit
	w     *world.World
	wheel int // bricks ground since the wheels were changed
}

// Run is the script.
func (c *cropper) Run(u *world.Unit) {
	c.u, c.w = u, u.World()
	_, index := u.Fleet(cropperClass)
	if index == 0 {
		c.stocks()
	}
	u.Hazards(
		world.Hazard{Category: plant.Stop, Reason: "tool", Every: 7 * time.Hour, Lasts: 9 * time.Minute, Least: 20 * time.Second},
		world.Hazard{Category: plant.Stop, Reason: "fault", Every: 45 * time.Hour, Lasts: 50 * time.Minute, Least: 5 * time.Minute},
	)
	u.OnPause = func(*world.Hazard) { c.spindle(false) }
	u.OnResume = func() { c.spindle(u.Category() == plant.Run) }
	u.Standby(idleKW)
	u.Follow("coolant_temp_c", world.Wave(world.Level(21), 1.5, 7200))
	c.wheel = u.Rand().IntN(bricksPerWheel)
	c.spindle(false)
	u.Set("brick_length_mm", 0)
	u.Set("brick_weight_kg", 0)
	u.SetText("brick_id", "-")
	for {
		u.State(plant.Idle, "")
		u.Load(idleKW, 0)
		c.crop(c.w.Stock(ingotStock).TakeLot(u))
	}
}

// crop makes bricks of an ingot.
func (c *cropper) crop(h world.Held) {
	u := c.u
	from := u.Now()
	u.Load(8, 0)
	u.State(plant.Setup, "")
	u.Work(u.Spread(9*time.Minute, 0.2))
	u.SetText("ingot_id", h.Lot)
	note, _ := h.Note.(ingotNote)
	n := max(0, int((note.goodMM-samplesMM)/(brickMM+kerfMM)))
	var bricks []world.Held
	var outputs []world.Portion
	rest := h.Quantity
	for range n {
		b, ok := c.brick()
		if !ok {
			continue
		}
		rest -= b.Quantity
		bricks = append(bricks, b)
		outputs = append(outputs, world.Portion{Lot: b.Lot, Quantity: b.Quantity})
	}
	off := rest.Part(int64(recycled*1000), 1000)
	outputs = append(outputs, c.lot("OFF", "offcut", "off-cuts", off, false), c.lot("SWARF", "offcut", "swarf", rest-off, true))
	c.w.AddStep(world.Step{ID: "CROPPING-" + h.Lot, Stage: u.Stage, Unit: u.ID, From: from.Time(), To: u.Now().Time(),
		Inputs: []world.Portion{{Lot: h.Lot, Quantity: h.Quantity}}, Outputs: outputs})
	for _, b := range bricks {
		c.w.Stock(brickStock).Put(b)
	}
	u.Set("offcut_weight_kg", off.Float()/5) // of one of five bins
	c.w.Stock(offcutStock).Put(world.Held{Lot: outputs[len(outputs)-2].Lot, Quantity: off})
}

// lot enters what is no brick.
func (c *cropper) lot(serial, kind, what string, kg world.Quantity, scrap bool) world.Portion {
	id := c.w.Serial(serial)
	c.w.AddLot(world.Lot{ID: id, Kind: kind, Product: what, Quantity: kg, UnitOf: "kg"})
	return world.Portion{Lot: id, Quantity: kg, Scrap: scrap}
}

// brick grinds one, unless it chips: then it is an off-cut.
func (c *cropper) brick() (world.Held, bool) {
	u := c.u
	if c.wheel >= bricksPerWheel {
		u.State(plant.Setup, "")
		u.Load(8, 0)
		u.Work(u.Spread(40*time.Minute, 0.2))
		c.wheel = 0
	}
	mm := math.Round(10*(brickMM+max(-2, min(2, u.Rand().NormFloat64()))*trueMM)) / 10
	kg := world.Amount(mm * brickPerMM)
	id := c.w.Serial("BRK")
	u.SetText("brick_id", id)
	u.Set("brick_length_mm", mm)
	u.Set("brick_weight_kg", kg.Float())
	scrap := 0.0
	if u.Rand().Float64() < chipped {
		scrap = 1
	}
	seconds := u.Vary(u.IdealSeconds(brickSeconds)*1.07, 0.02)
	u.State(plant.Run, "")
	u.Load(c.draws(kg, seconds), 0)
	c.spindle(true)
	u.Make(1, 1/seconds, scrap)
	c.wheel++
	c.spindle(false)
	u.Load(8, 0)
	if scrap > 0 {
		return world.Held{}, false
	}
	c.w.AddLot(world.Lot{ID: id, Kind: "brick", Product: u.Makes(), Quantity: kg, UnitOf: "kg"})
	return world.Held{Lot: id, Quantity: kg, Note: world.BrickNote{LengthMM: mm}}, true
}

// draws is the power in kW of grinding a brick of kg in so many seconds, as far as the machine is made for it.
func (c *cropper) draws(kg world.Quantity, seconds float64) float64 {
	kw := c.u.Vary(kwhPerKg, 0.02) * kg.Float() * 3600 / seconds
	if rated, ok := c.u.RatedKW.At(c.u.Now()); ok {
		kw = min(kw, 0.95*rated.Float())
	}
	return kw
}

// spindle lets it turn, or not.
func (c *cropper) spindle(on bool) {
	u := c.u
	worn := float64(c.wheel) / bricksPerWheel
	u.Follow("wheel_life_percent", world.Level(100*(1-worn)))
	speed, torque, feed, coolant := 0.0, 0.0, 0.0, 20.0
	if on {
		speed, torque, feed, coolant = 3200, 48+18*worn, 62-8*worn, 180
	}
	for name, to := range map[string]float64{"spindle_speed_rpm": speed, "spindle_torque_percent": torque, "feed_rate_mm_per_min": feed, "coolant_flow_l_per_min": coolant} {
		if !on {
			u.Follow(name, world.Level(to))
			continue
		}
		u.Follow(name, world.Wave(world.Toward(u.Truth(name), to, 8), to*0.04, 95))
	}
}

// stocks fills the stock of ingots: what pullers made in the two days before.
func (c *cropper) stocks() {
	n, _ := c.u.Fleet(pullerClass)
	kg := world.Amount(crownKg + tailKg + bodyMM*kgPerMM)
	for range 1 + n*4/5 {
		open(c.w, ingotStock, world.Lot{ID: c.w.Serial("ING"), Kind: "ingot", Product: "mono", Quantity: kg}, inCrystal(), ingotNote{goodMM: bodyMM})
	}
}
