// Package wafering is what the machines between brick and wafer do: diamond wire saws, cleaning lines and sorters.
//
//	brick ─► saw ─► cut ─► cleaning line ─► cleaned cut ─► sorter ─► wafer lot
//	          ▲                                              │
//	          └────── scrap of the cut, hours later ─────────┘
//
// Scrap has causes: a worn wire leaves saw marks, a broken one loses wafers, and the sorter finds it when the saw has long gone
// on. What it finds is reported to the saw, for the time in which the cut was made.
package wafering

import (
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

// Process is the script of a saw, cleaning line or sorter; nil for units of other classes.
func Process(u *world.Unit) world.Process {
	switch u.Class.Name {
	case sawClass:
		return &saw{}
	case cleanClass:
		return &cleaner{}
	case sorterClass:
		return &sorter{}
	default:
		return nil
	}
}

// The classes of the plant model that this package drives.
const (
	sawClass    = "wire_saw"
	cleanClass  = "clean_line"
	sorterClass = "wafer_sorter"
)

// The stocks between them.
const (
	brickStock = "brick"
	cutStock   = "cutwafer"
	cleanStock = "cleanwafer"
	waferStock = "wafer"
)

// cutNote goes along with the wafers of a cut: what the sorter will find, and whose it was.
type cutNote struct {
	cut   string
	saw   *world.Unit       // nil: cut before the record begins
	made  calendar.Interval // when the wire was in the brick
	marks float64           // depth of saw marks: 0.2 with a good wire, above 1 after a break
}

// open enters a lot that was made before the record begins, and puts it on its stock.
func open(w *world.World, stock string, lot world.Lot, perUnit map[string]float64, note any) {
	lot.Embodied = make(map[string]string, len(perUnit))
	for stage, kwh := range perUnit {
		lot.Embodied[stage] = world.Amount(lot.Quantity.Float() * kwh).String()
	}
	lot.MadeAt = w.Now().Add(-12 * time.Hour).Time()
	w.AddLot(lot)
	w.Stock(stock).Put(world.Held{Lot: lot.ID, Quantity: lot.Quantity, Note: note})
}

// Energy in what there was before the record begins, in kWh by stage: the chain of golden number E1.
func inBrick() map[string]float64 { // per kg
	return map[string]float64{"metallurgical": 14.911, "polysilicon": 64.832, "crystal": 40.322, "wafer": 0.8}
}

func inWafer() map[string]float64 { // per wafer, cut or cleaned
	return map[string]float64{"metallurgical": 0.2088, "polysilicon": 0.9077, "crystal": 0.5645, "wafer": 0.0712}
}

// found enters that so many wafers of a cut are no good.
func found(n cutNote, id string, wafers world.Quantity, reason, by string) {
	if wafers <= 0 || n.saw == nil || n.made.Empty() {
		return
	}
	quantity := exact.Frac(int64(wafers), int64(world.Whole(1)))
	n.saw.World().AddRecord(record.Record{
		Kind: record.Scrap, ID: id, Unit: n.saw.ID, From: n.made.From, To: n.made.To, Reach: n.made.To,
		Reason: reason, Quantity: &quantity, ReportedAt: n.saw.Now(),
	}, by, "wafers of cut "+n.cut)
}

// done enters a step and the lots that it made: good ones with a product, and broken ones.
func done(u *world.Unit, step string, from world.Instant, inputs []world.Portion, good world.Lot, broken world.Quantity) {
	w := u.World()
	var outputs []world.Portion
	if good.Quantity > 0 {
		w.AddLot(good)
		outputs = append(outputs, world.Portion{Lot: good.ID, Quantity: good.Quantity})
	}
	if broken > 0 {
		id := w.Serial("BROKEN")
		w.AddLot(world.Lot{ID: id, Kind: good.Kind, Product: "broken wafers", Quantity: broken, UnitOf: "wafer"})
		outputs = append(outputs, world.Portion{Lot: id, Quantity: broken, Scrap: true})
	}
	w.AddStep(world.Step{ID: step, Stage: u.Stage, Unit: u.ID, From: from.Time(), To: u.Now().Time(), Inputs: inputs, Outputs: outputs})
}

// setup is time that a machine takes to get ready.
func setup(u *world.Unit, reason string, d time.Duration) {
	u.State(plant.Setup, reason)
	u.Work(u.Spread(d, 0.15))
}
