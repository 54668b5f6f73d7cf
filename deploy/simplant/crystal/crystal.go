// Package crystal is what the machines of the crystal hall do: Czochralski pullers, and the machines that make bricks of ingots.
//
//	poly ──┐                                     ┌─► brick
//	       ├─► charge ─► melt (run) ─► ingot ────┤
//	offcut ┘      ▲  crown, tail, wings, losses  └─► off-cuts ─┐
//	              └────────────────────────────────────────────┘
//
// Mass is kept to the gram: what is charged is crystal, melt, or the rest that stays in the crucible at the end of a run.
package crystal

import (
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/record"
)

// Process is the script of a puller or brick machine; nil for units of other classes.
func Process(u *world.Unit) world.Process {
	switch u.Class.Name {
	case pullerClass:
		return &puller{}
	case cropperClass:
		return &cropper{}
	default:
		return nil
	}
}

// The classes of the plant model that this package drives.
const (
	pullerClass  = "cz_puller"
	cropperClass = "brick_machine"
)

// The stocks it takes from and puts on.
const (
	polyStock   = "poly"
	offcutStock = "offcut"
	ingotStock  = "ingot"
	brickStock  = "brick"
)

// Dimensions of the crystals for wafers of 182 mm.
const (
	diameterMM = 252.0
	kgPerMM    = 0.1162 // of the body: π/4 · (252 mm)² · 2,330 kg/m³
	brickPerMM = 0.0769 // kg of a squared brick: 330.15 cm² · 2,329 kg/m³
	bodyMM     = 3290.0 // four bricks, samples and kerf
)

// embodied is the energy that an opening lot of so many kilograms brings along, in kWh by stage.
func embodied(kg world.Quantity, perKg map[string]float64) map[string]string {
	out := make(map[string]string, len(perKg))
	for stage, kwh := range perKg {
		out[stage] = world.Amount(kg.Float() * kwh).String()
	}
	return out
}

// Energy in a kilogram of what there was before the record begins, in kWh: the chain of golden number E1, when off-cuts have gone
// round for long. An off-cut takes along what the crystal embodies that it was of, so that a kilogram of crystal embodies as
// much as one of brick.
func inPoly() map[string]float64 { return map[string]float64{"metallurgical": 13.8, "polysilicon": 60} }
func inMelt() map[string]float64 {
	return map[string]float64{"metallurgical": 14.2, "polysilicon": 61.9, "crystal": 18.5}
}
func inCrystal() map[string]float64 {
	return map[string]float64{"metallurgical": 14.911, "polysilicon": 64.832, "crystal": 40.322}
}

// open enters a lot that was made before the record begins and puts it on its stock.
func open(w *world.World, stock string, lot world.Lot, perKg map[string]float64, note any) {
	lot.UnitOf, lot.Embodied, lot.MadeAt = "kg", embodied(lot.Quantity, perKg), w.Now().Add(-24*time.Hour).Time()
	w.AddLot(lot)
	w.Stock(stock).Put(world.Held{Lot: lot.ID, Quantity: lot.Quantity, Note: note})
}

// found enters that pieces made in v turned out not to be good.
func found(u *world.Unit, id string, v calendar.Interval, kg world.Quantity, reason, by, why string) {
	if kg <= 0 || v.Empty() {
		return
	}
	quantity := exact.Frac(int64(kg), int64(world.Whole(1)))
	now := u.Now()
	u.World().AddRecord(record.Record{
		Kind: record.Scrap, ID: id, Unit: u.ID, From: v.From, To: v.To, Reach: v.To,
		Reason: reason, Quantity: &quantity, ReportedAt: now,
	}, by, why)
}
