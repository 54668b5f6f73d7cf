package crystal

import (
	"fmt"
	"time"

	"kvarts/deploy/simplant/world"
)

// melted is what is in the crucible. Each filling makes a new lot of it, out of the rest of the former one and a charge.
//
//	charge 1 ─► RUN-0001-1 ─► ingot 1
//	                 │ rest
//	charge 2 ─► RUN-0001-2 ─► ingot 2 …
type melted struct {
	lot    string
	kg     world.Quantity
	fills  int    // of the run
	charge string // the last one
}

func (p *puller) fillName() string { return fmt.Sprintf("%s-%d", p.run, p.fills+1) }

// mostOffcuts is the share of off-cuts in a charge: as many as bricks leave over, so that none pile up.
const mostOffcuts = 0.39

// refill fills the crucible, a new one or again after an ingot.
func (p *puller) refill() {
	if p.melted.kg == 0 {
		p.from = p.u.Now()
		p.hours(0)
		p.pass(clean)
		p.fill(charge, []int{evacuate, leakCheck, melt})
		return
	}
	p.fills++
	p.u.Follow("seed_pos_mm", world.Toward(p.u.Truth("seed_pos_mm"), 0, 300))
	p.u.Follow("crucible_pos_mm", world.Toward(p.u.Truth("crucible_pos_mm"), 0, 300))
	p.u.Follow("diameter_mm", world.Level(0))
	p.fill(recharge, nil)
}

// fill takes what the crucible lacks, feeds it in phase in, and melts it in that and the phases after.
func (p *puller) fill(in int, after []int) {
	u, w := p.u, p.w
	need := world.Whole(filled) - p.melted.kg
	p.enter(in)
	off := min(w.Stock(offcutStock).Have(), world.Amount(need.Float()*mostOffcuts))
	var inputs []world.Portion
	if off > 0 {
		inputs = portions(inputs, w.Stock(offcutStock).Take(u, off))
	}
	inputs = portions(inputs, w.Stock(polyStock).Take(u, need-off))
	feeding := time.Duration(p.phases[in].hours*float64(time.Hour)) / 3
	u.Work(u.Spread(feeding, 0.05))
	p.charged(inputs, need)

	u.Set("charge_mass_kg", (p.melted.kg + need).Float())
	u.Follow("remaining_melt_kg", world.Level((p.melted.kg + need).Float()))
	u.Work(u.Spread(2*feeding, 0.05))
	for _, n := range after {
		p.pass(n)
	}
	p.mixed(need)
	u.Follow("remaining_melt_kg", world.Level(p.melted.kg.Float()))
}

// portions adds what was taken to the inputs of a step: of each lot once.
func portions(to []world.Portion, taken []world.Held) []world.Portion {
	for _, h := range taken {
		to = append(to, world.Portion{Lot: h.Lot, Quantity: h.Quantity})
	}
	return to
}

// charged enters the charge.
func (p *puller) charged(inputs []world.Portion, kg world.Quantity) {
	id := p.w.Serial("CHG")
	p.w.AddLot(world.Lot{ID: id, Kind: "charge", Product: p.u.Makes(), Quantity: kg, UnitOf: "kg"})
	p.step("CHARGING-"+id, inputs, []world.Portion{{Lot: id, Quantity: kg}})
	p.melted.charge = id
	p.u.SetText("charge_lot_id", id)
}

// mixed enters the melt that the charge and the rest of the former one make.
func (p *puller) mixed(kg world.Quantity) {
	inputs := []world.Portion{{Lot: p.melted.charge, Quantity: kg}}
	if p.melted.kg > 0 {
		inputs = append(inputs, world.Portion{Lot: p.melted.lot, Quantity: p.melted.kg})
	}
	p.melted.kg += kg
	p.melted.lot = p.fillName()
	p.w.AddLot(world.Lot{ID: p.melted.lot, Kind: "run", Product: p.u.Makes(), Quantity: p.melted.kg, UnitOf: "kg"})
	p.step("MELTING-"+p.melted.lot, inputs, []world.Portion{{Lot: p.melted.lot, Quantity: p.melted.kg}})
}

// scrapRest enters what stays in the crucible at the end of a run.
func (p *puller) scrapRest() {
	if p.melted.kg > 0 {
		id := p.w.Serial("POT")
		p.w.AddLot(world.Lot{ID: id, Kind: "run", Product: "pot scrap", Quantity: p.melted.kg, UnitOf: "kg", Why: "rest in the crucible"})
		p.step("EMPTYING-"+p.run, []world.Portion{{Lot: p.melted.lot, Quantity: p.melted.kg}},
			[]world.Portion{{Lot: id, Quantity: p.melted.kg, Scrap: true}})
	}
	p.melted = melted{}
}

// step enters what was done since the last step.
func (p *puller) step(id string, inputs, outputs []world.Portion) {
	now := p.u.Now()
	p.w.AddStep(world.Step{ID: id, Stage: p.u.Stage, Unit: p.u.ID, From: p.from.Time(), To: now.Time(), Inputs: inputs, Outputs: outputs})
	p.from = now
}

// stocks fills the stocks that n pullers take from: enough for some days, until the reactors have made their first batches.
func (p *puller) stocks(n int) {
	for left := n * 450; left > 0; left -= 3000 {
		open(p.w, polyStock, world.Lot{ID: p.w.Serial("HARV"), Kind: "harvest", Product: "poly", Quantity: world.Whole(min(left, 3000))}, inPoly(), nil)
	}
	for left := n * 150; left > 0; left -= 300 {
		open(p.w, offcutStock, world.Lot{ID: p.w.Serial("OFF"), Kind: "offcut", Product: "off-cuts", Quantity: world.Whole(min(left, 300))}, inCrystal(), nil)
	}
}
