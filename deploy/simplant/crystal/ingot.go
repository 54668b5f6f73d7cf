package crystal

import (
	"math"
	"strconv"
	"time"

	"kvarts/deploy/simplant/lab"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
)

// grown is a crystal so far.
type grown struct {
	id                  string            // of the ingot that it shall be
	kg, crownKg, bodyKg world.Quantity    // all of it, and what of it is crown and body
	wanted              world.Quantity    // of body
	lossAt              world.Quantity    // of body at which the structure will be lost; 0: it will not
	lost                world.Quantity    // of body: without structure
	had                 world.Quantity    // of kg: there before the record begins
	mm                  float64           // pulled since dip
	crown, body, tail   calendar.Interval // when they grew, as far as the record knows; the crown is empty in one that was there before
	dislocated          bool              // the structure is lost
	meltedBack          bool
}

const (
	// Chances per ingot.
	structureLoss = 0.12
	brokenSeed    = 0.04
	// slipMM is how far dislocations run back into the crystal: about its diameter.
	slipMM = 250
	// early is the part of the body up to which a crystal without structure is melted back.
	early = 0.25
	// slices of the body, each pulled at a speed of its own; a power failure may come at the begin of each.
	slices       = 14
	powerFailure = 0.003
)

// ingot makes one, or melts back what lost its structure. Its batch began before the crucible was filled for it.
func (p *puller) ingot() {
	p.pass(stabilise)
	p.seed()
	p.crown()
	p.pullFrom(0)
	p.harvest()
}

// newCrystal begins a batch: from here on the time is that of the next ingot.
func (p *puller) newCrystal() {
	u := p.u
	p.ingots++
	wanted := world.Amount(u.Vary(bodyMM, 0.003) * kgPerMM)
	p.grown = grown{wanted: min(wanted, world.Amount(filled-heel-crownKg-tailKg))}
	if u.Rand().Float64() < structureLoss {
		p.grown.lossAt = world.Amount(p.grown.wanted.Float() * (0.05 + 0.9*math.Pow(u.Rand().Float64(), 1.2)))
	}
	p.grown.id = p.w.Serial("ING")
	u.Set("ingot_index", float64(p.ingots))
	u.SetText("ingot_id", p.grown.id)
	u.SetText("seed_id", "SEED-"+p.run[len("RUN-"):]+"-"+strconv.Itoa(p.ingots))
	u.Set("charge_mass_kg", p.melted.kg.Float())
	p.weigh(0)
	u.Set("structure_loss_length_mm", 0)
	for _, name := range []string{"structure_loss", "seed_broken"} {
		u.SetFlag(name, false)
	}
	u.Follow("melt_level_gap_mm", world.Wave(world.Level(25), 1.2, 2700))
}

// seed dips the seed and pulls the neck, again when it breaks.
func (p *puller) seed() {
	u := p.u
	p.dipAndNeck()
	if u.Rand().Float64() >= brokenSeed {
		return
	}
	u.SetFlag("seed_broken", true)
	u.Follow("diameter_mm", world.Level(0))
	u.Pause(&world.Hazard{Category: plant.Stop, Reason: "seed broken"}, u.Spread(100*time.Minute, 0.2))
	u.SetFlag("seed_broken", false)
	p.dipAndNeck()
}

func (p *puller) dipAndNeck() {
	u := p.u
	p.dips++
	u.Set("dip_count", float64(p.dips))
	u.Follow("diameter_mm", world.Toward(0, 8, 60))
	p.pass(dip)
	u.Set("neck_count", float64(p.dips))
	u.Follow("diameter_mm", world.Between(8, 5, 600))
	p.pass(neck)
}

// crown widens the crystal to its diameter.
func (p *puller) crown() {
	p.enter(crown)
	p.grown.crown.From = p.u.Now()
	hours := p.phases[crown].hours
	p.u.Follow("diameter_mm", world.Between(5, diameterMM, hours*3600))
	p.grow([]float64{1, 3, 4}, world.Amount(p.u.Vary(crownKg, 0.03)), hours)
	p.grown.crown.To, p.grown.crownKg = p.u.Now(), p.grown.kg
}

// pullFrom pulls body and tail, from a part of the body on that is there already.
func (p *puller) pullFrom(part float64) {
	g := &p.grown
	if part > 0 {
		g.bodyKg = world.Amount(g.wanted.Float() * part * 0.97)
		if g.lossAt > 0 && g.lossAt <= g.bodyKg {
			g.lossAt = 0
		}
		g.crownKg = world.Amount(crownKg)
		g.kg = g.crownKg + g.bodyKg
		g.had = g.kg
		g.mm = 220 + g.bodyKg.Float()/kgPerMM
		p.weigh(0)
	}
	p.enter(body)
	p.u.Follow("diameter_mm", world.Wave(world.Level(diameterMM), 0.4, 3100))
	g.body.From = p.u.Now()
	slice := world.Amount(g.wanted.Float() / slices)
	for g.bodyKg < g.wanted && !g.dislocated {
		kg := min(slice, g.wanted-g.bodyKg)
		if g.lossAt > 0 {
			kg = min(kg, g.lossAt-g.bodyKg)
		}
		p.disturb()
		p.pull(p.u.Vary(p.bodySpeed, 0.005))
		g.bodyKg += kg
		p.grow([]float64{1}, kg, kg.Float()/kgPerMM/p.speed/60)
		if g.bodyKg == g.lossAt {
			p.lose()
		}
	}
	g.body.To = p.u.Now()
	if !g.meltedBack {
		p.tail()
	}
}

// tail closes the crystal and takes it off the melt.
func (p *puller) tail() {
	g, hours := &p.grown, p.phases[tail].hours
	p.enter(tail)
	g.tail.From = p.u.Now()
	p.u.Follow("diameter_mm", world.Between(diameterMM, 20, hours*3600))
	p.grow([]float64{4, 3, 2}, world.Amount(p.u.Vary(tailKg, 0.03)), hours)
	g.tail.To = p.u.Now()
	p.u.Follow("diameter_mm", world.Level(0))
	p.pass(detach)
}

// lose is a structure loss: seen on the camera, and decided upon by people.
func (p *puller) lose() {
	u, g := p.u, &p.grown
	g.dislocated = true
	u.SetFlag("structure_loss", true)
	u.Set("structure_loss_length_mm", math.Round(g.bodyKg.Float()/kgPerMM))
	u.Pause(&world.Hazard{Category: plant.Stop, Reason: "structure loss"}, u.Spread(50*time.Minute, 0.25))
	g.lost = min(g.bodyKg, world.Amount(slipMM*kgPerMM))
	if g.bodyKg.Float() < early*g.wanted.Float() {
		g.meltedBack = true
	}
}

// disturb is what happens now and then: the camera's image is lost for a while, the power fails.
func (p *puller) disturb() {
	u := p.u
	if u.Rand().Float64() < 0.1 {
		u.SetFlag("ccd_image_ok", false)
		p.w.At(u.Now().Add(u.Spread(30*time.Second, 0.3)), func() { u.SetFlag("ccd_image_ok", true) })
	}
	if u.Rand().Float64() < powerFailure {
		u.SetFlag("power_fail", true)
		u.Standby(drivesKW)
		u.Pause(&world.Hazard{Category: plant.Stop, Reason: "fault"}, u.Spread(9*time.Minute, 0.3))
		u.Standby(p.main + p.bottom + drivesKW)
		u.SetFlag("power_fail", false)
	}
}

// grow adds mass to the crystal in so many hours, divided into equal times in which it grows by the weights; what the crystal
// gains the melt loses. No kilogram takes less than the model's ideal: else what a unit can have made in a time that nobody saw
// would have no bound.
func (p *puller) grow(weights []float64, kg world.Quantity, hours float64) {
	sum, left := 0.0, kg
	for _, w := range weights {
		sum += w
	}
	for i, w := range weights {
		part := world.Amount(kg.Float() * w / sum)
		if i == len(weights)-1 {
			part = left
		}
		left -= part
		seconds := max(hours*3600/float64(len(weights)), part.Float()*p.least/0.995)
		perSecond := part.Float() / seconds
		p.weigh(perSecond)
		p.u.Make(part.Float(), perSecond, 0)
		p.grown.kg += part
		p.grown.mm += p.speed * seconds / 60
	}
	p.weigh(0)
}

// weigh shows crystal and melt, and where they are, as they go on by so many kg a second.
func (p *puller) weigh(perSecond float64) {
	u, kg, mm := p.u, p.grown.kg.Float(), 0.0
	if perSecond > 0 {
		mm = p.speed / 60
	}
	u.Follow("crystal_weight_kg", world.Line(kg, perSecond))
	u.Follow("remaining_melt_kg", world.Line((p.melted.kg).Float()-kg, -perSecond))
	u.Follow("seed_pos_mm", world.Line(400+p.grown.mm, mm))
	u.Follow("crucible_pos_mm", world.Line(0.9*kg, 0.9*perSecond))
	u.Follow("crucible_lift_mm_per_min", world.Level(0.9*perSecond*60))
	length, longer := min(p.grown.bodyKg, p.grown.kg-p.grown.crownKg).Float()/kgPerMM, 0.0
	if p.grown.kg-p.grown.crownKg < p.grown.bodyKg {
		longer = perSecond / kgPerMM
	}
	u.Follow("body_length_mm", world.Line(length, longer))
}

// harvest enters what became of the crystal: an ingot, or melt again.
func (p *puller) harvest() {
	g := p.grown
	if g.meltedBack {
		p.enter(melt)
		p.u.Follow("diameter_mm", world.Level(0))
		p.u.Work(p.u.Spread(2*time.Hour, 0.2))
		grew := g.body
		if !g.crown.Empty() {
			grew.From = g.crown.From
		}
		p.report(p.w.Serial("MELTBACK"), "structure loss", grew, g.kg-g.had, 30*time.Minute)
		return
	}
	id := g.id
	p.w.AddLot(world.Lot{ID: id, Kind: "ingot", Product: p.u.Makes(), Quantity: g.kg, UnitOf: "kg"})
	p.step("PULLING-"+id, []world.Portion{{Lot: p.melted.lot, Quantity: g.kg}}, []world.Portion{{Lot: id, Quantity: g.kg}})
	p.melted.kg -= g.kg
	p.good++
	p.inspect(g)
	lab.Sample(p.w, id, "ingot")
}
