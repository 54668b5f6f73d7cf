package upstream

import (
	"fmt"
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const (
	fillingHours = 6.0
	openHours    = 36.0 // of the reactors' need that is in the tank at the begin
	fullHours    = 44.0 // and when it is full
	openMGHours  = 72.0 // and metal in stock
	tcsPerSi     = 40.0 // kg of trichlorosilane that the reactors let pass per kg of silicon, where the model has no ideal
	tcsStandby   = 0.15 // of the power that is drawn while it works
)

// tcsUnit makes trichlorosilane of metal, and cleans what the reactors give back. Its tank is one for all units of the class.
type tcsUnit struct {
	u    *world.Unit
	w    *world.World
	need float64 // kg of silicon an hour that the reactors want of this unit
	full world.Quantity
	from world.Instant // end of the last filling
	flow float64       // kg of trichlorosilane an hour, at present
}

// Run is the script.
func (t *tcsUnit) Run(u *world.Unit) {
	t.u, t.w, t.from = u, u.World(), u.Now()
	n, _ := u.Fleet(u.Class.Name)
	all := need(t.w)
	t.need, t.full = all/float64(n), world.Amount(all*fullHours)
	u.Continuous()
	u.Standby(tcsStandby * t.power())
	u.OnPause = func(*world.Hazard) { t.show(0) }
	u.OnResume = func() { t.show(t.flow) }
	u.Hazards(
		world.Hazard{Category: plant.Stop, Reason: "fault", Every: 110 * time.Hour, Lasts: 100 * time.Minute, Least: 10 * time.Minute, Done: func(lasted time.Duration) {
			reportStop(u, lasted, "hydrogen compressor", "column flooded", "valve of the quench", "cooling of the condenser")
		}},
	)
	t.safe()
	openTank(t.w)
	t.tank(openedTank)
	for {
		for t.w.Stock(tcsStock).Have() > t.full-world.Amount(t.need*fillingHours) {
			t.idle()
		}
		t.fill()
	}
}

// need is how much silicon all reactors of the plant want, in kg an hour.
func need(w *world.World) float64 {
	sum := 0.0
	for _, u := range w.Units() {
		if u.Class.Name == reactorClass {
			sum += 3600 / u.IdealSeconds(standardReactor)
		}
	}
	return max(sum, 1)
}

// power is what the unit draws at full flow, in kW.
func (t *tcsUnit) power() float64 { return min(0.9*rated(t.u, math.Inf(1)), inTCS*t.need) }

// openedTank is the lot that is in the tank when the record begins.
const openedTank = "TANK-0000"

// openTank is what there is before the record begins. The first one who needs it makes it, be it a reactor.
func openTank(w *world.World) {
	if w.Stock(tcsStock).Have()+w.Stock(mgStock).Have() > 0 {
		return
	}
	all := need(w)
	open(w, mgStock, world.Lot{ID: "MG-0000", Kind: "mg", Product: "MG-Si", Quantity: world.Amount(all * perPoly * openMGHours)},
		map[string]float64{"metallurgical": inMG})
	open(w, tcsStock, world.Lot{ID: openedTank, Kind: "tank", Product: "TCS", Quantity: world.Amount(all * openHours)},
		map[string]float64{"metallurgical": inMG * perPoly, "polysilicon": inTCS})
}

// tank shows at all units which lot is in the tank.
func (t *tcsUnit) tank(id string) {
	for _, u := range t.w.Units() {
		if u.Class == t.u.Class {
			u.SetText("tank_lot_id", id)
		}
	}
}

// idle waits with a full tank, at low flow.
func (t *tcsUnit) idle() {
	t.u.Load(2*tcsStandby*t.power(), 0)
	t.u.State(plant.Idle, "tank full")
	t.show(0)
	t.u.Wait(20 * time.Minute)
}

// fill makes a filling of metal and puts it to what is left in the tank.
func (t *tcsUnit) fill() {
	u, w := t.u, t.w
	si := world.Amount(u.Vary(t.need*fillingHours, 0.04)) / 20 * 20 // so that 1.15 of it is whole grams
	var metal taken
	metal.add(w.Stock(mgStock).Take(u, si*115/100))
	pace := limited(u, 0.955, 0.015, 0.9, 0.99)
	perHour := 3600 / u.IdealSeconds(3600/(tcsPerSi*t.need)) * pace // kg of trichlorosilane
	hours := si.Float() / (t.need * pace)
	t.flow = perHour
	u.State(plant.Run, "")
	u.Load(t.power()*limited(u, pace, 0.02, 0.85, 1.03), 0)
	t.show(perHour)
	u.Make(perHour*hours, perHour/3600, 0)
	t.mix(metal, si)
}

// mix lets a filling run into the tank: with what is left in there it is a new lot.
func (t *tcsUnit) mix(metal taken, si world.Quantity) {
	u, w := t.u, t.w
	stock := w.Stock(tcsStock)
	in := metal
	in.add(stock.Take(u, stock.Have())) // nobody ever waits in line for this stock: see reactor.feed
	n := w.Serial("FILL")
	id := w.Serial("TANK")
	lot := world.Lot{ID: id, Kind: "tank", Product: "TCS", Quantity: in.total() - metal.total() + si, UnitOf: "kg"}
	w.AddLot(lot)
	w.AddStep(world.Step{
		ID: n, Stage: u.Stage, Unit: u.ID, From: t.from.Time(), To: u.Now().Time(), Inputs: in,
		Outputs: []world.Portion{{Lot: id, Quantity: lot.Quantity}, {Lot: "RES" + n[len("FILL"):], Quantity: metal.total() - si, Scrap: true}},
	})
	stock.Put(world.Held{Lot: id, Quantity: lot.Quantity})
	t.from = u.Now()
	t.tank(id)
}

// show is what the instruments measure at a flow of so many kg of trichlorosilane an hour; 0: the columns turn in themselves.
func (t *tcsUnit) show(flow float64) {
	u := t.u
	part := flow * t.seconds() / 3600
	u.Follow("tcs_out_kg_per_h", world.Wave(world.Level(flow), 0.02*flow, 3000))
	u.Follow("tcs_to_reactors_kg_per_h", world.Wave(world.Level(0.97*flow), 0.02*flow, 3100))
	u.Follow("silicon_in_kg_per_h", world.Level(perPoly*t.need*part))
	u.Follow("stc_in_kg_per_h", world.Wave(world.Level(1.6*flow), 0.03*flow, 4100))
	u.Follow("h2_in_nm3_per_h", world.Level(0.45*flow))
	for i := range numbered(u, "column_%d_top_temp_c") {
		name, k := fmt.Sprintf("column_%d_", i+1), float64(i%6)
		u.Follow(name+"top_temp_c", world.Wave(world.Level(48+7*k+3*part), 0.8, 3600+400*k))
		u.Follow(name+"bottom_temp_c", world.Wave(world.Level(88+11*k+6*part), 1.2, 3600+400*k))
		u.Follow(name+"reflux_kg_per_h", world.Wave(world.Level((2.2+0.5*k)*t.flow*(0.4+0.6*part)), 0.02*t.flow, 1700))
	}
	for i, name := range numbered(u, "column_%d_pressure_mpa") {
		k := float64(i % 6)
		u.Follow(name, world.Wave(world.Level(0.3+0.18*k+0.05*part), 0.012, 2200+300*k))
	}
	for i, name := range numbered(u, "hydrogenation_%d_temp_c") {
		u.Follow(name, world.Wave(world.Level(505+25*part+6*float64(i)), 3, 2900))
	}
	for i, name := range numbered(u, "leak_%d_ppm") {
		u.Follow(name, world.Level(4+2*float64(i%4)))
		u.Noise(name, 0.8)
	}
	for i, name := range numbered(u, "tank_%d_level_percent") {
		u.Follow(name, t.level(i))
		u.Noise(name, 0.03)
	}
}

// safe is what nobody wants to see change.
func (t *tcsUnit) safe() {
	u := t.u
	u.SetFlag("emergency_stop", false)
	u.SetFlag("leak_alarm", false)
	u.SetFlag("flare_lit", true)
	flags(u, "column_%d_pressure_alarm", false)
	flags(u, "tank_%d_high_level_alarm", false)
	flags(u, "interlock_%d_tripped", false)
	flags(u, "scrubber_%d_ok", true)
	flags(u, "compressor_%d_running", true)
}

// seconds is the model's ideal, per kg of trichlorosilane.
func (t *tcsUnit) seconds() float64 { return t.u.IdealSeconds(3600 / (tcsPerSi * t.need)) }

// level is of tank i: the first one feeds the reactors, the others hold what comes and goes.
func (t *tcsUnit) level(i int) world.Curve {
	stock := t.w.Stock(tcsStock)
	if i == 0 {
		return func(float64) float64 { return 95 * stock.Have().Float() / t.full.Float() }
	}
	return world.Wave(world.Level(40+8*float64(i%5)), 6, 7*3600+1800*float64(i))
}
