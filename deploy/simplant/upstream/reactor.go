package upstream

import (
	"math"
	"time"

	"kvarts/deploy/simplant/lab"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

// The codes of the signal phase.
const (
	purge = iota
	leakTest
	preheat
	ignition
	deposition
	cooldown
	harvest
	clean
)

const (
	standardReactor = 72.0   // seconds per kg of a whole batch, where the model has no ideal
	standardBatch   = 6400.0 // kg of a whole batch
	secMean         = 58.5   // kWh per kg, for the rods alone
	harvestHours    = 4.5
	cleanHours      = 4.0
)

// reactor is a Siemens reactor: in a batch, rods grow from thin slim rods to thick ones.
type reactor struct {
	u    *world.Unit
	w    *world.World
	full float64 // kg of a whole batch
	unit float64 // of the signal progress, per kg

	id         string
	show       func() // what the instruments measure in the present phase
	depositing bool
	aborted    bool
	from       world.Instant // end of the last batch
	in         taken         // of the present one
	voltages   []string      // signals of the groups of rods
	mass       world.Quantity
	grown      calendar.Interval // when the rods grew
}

// Run is the script.
func (r *reactor) Run(u *world.Unit) {
	r.u, r.w, r.from = u, u.World(), u.Now()
	r.full, r.unit = r.sizes()
	u.Continuous()
	u.Standby(18)
	u.Hazards(r.hazards()...)
	r.instruments()
	openTank(r.w)
	r.deposit(r.opened())
	for {
		r.finish()
		r.begin()
		r.deposit(r.plan(0))
	}
}

// sizes are the model's quantity of a batch and what its progress shows at the end of it, per kg.
func (r *reactor) sizes() (full, unit float64) {
	full = standardBatch
	if q, ok := r.u.BatchQuantity(r.u.Makes()).At(r.u.Now()); ok {
		full = q.Float()
	}
	if p, ok := r.u.Class.ProgressFull.At(r.u.Now()); ok {
		return full, p.Float() / full
	}
	return full, 1
}

// hazards are what interrupts a batch; after a ground fault or a leak of hydrogen it is ended early.
func (r *reactor) hazards() []world.Hazard {
	end := func(time.Duration) { r.aborted = r.aborted || r.depositing }
	r.u.OnPause = r.pause
	r.u.OnResume = func() { r.show() }
	return []world.Hazard{
		{Category: plant.Stop, Reason: "ground fault", Every: 1300 * time.Hour, Lasts: 5 * time.Hour, Least: time.Hour, Done: end},
		{Category: plant.Stop, Reason: "hydrogen leak", Every: 3500 * time.Hour, Lasts: 9 * time.Hour, Least: 2 * time.Hour, Done: end},
		{Category: plant.Stop, Reason: "fault", Every: 130 * time.Hour, Lasts: 50 * time.Minute, Least: 6 * time.Minute, Done: func(lasted time.Duration) {
			reportStop(r.u, lasted, "power controller", "flow controller of hydrogen", "evaporator of trichlorosilane", "jacket water")
		}},
	}
}

// begin prepares a batch.
func (r *reactor) begin() {
	r.newBatch(0)
	for n := purge; n <= ignition; n++ {
		r.pass(n)
	}
}

// newBatch names a batch in which rods of so many kg hang already.
func (r *reactor) newBatch(kg float64) {
	r.id = r.w.Serial("BATCH")
	r.in, r.mass, r.aborted = nil, world.Amount(kg), false
	r.u.SetText("batch_id", r.id)
	r.progress(kg, 0)
}

// progress shows the mass of the rods from now on: it grows by perSecond.
func (r *reactor) progress(kg, perSecond float64) {
	if p := r.u.Class.Progress; p != nil {
		r.u.Follow(p.Name, world.Line(kg*r.unit, perSecond*r.unit))
	}
}

// hours is the time that a whole batch takes in this reactor, without harvest and cleaning.
func (r *reactor) hours() float64 {
	return r.u.IdealSeconds(standardReactor) * r.full / 3600 / limited(r.u, 0.962, 0.008, 0.935, 0.985)
}

// pass goes through a phase in which nothing is made.
func (r *reactor) pass(n int) {
	u, x := r.u, recipe()[n]
	d := time.Duration(x.share * r.hours() * float64(time.Hour))
	u.Set("phase", float64(n))
	u.Load(x.kw, 0)
	u.State(plant.Run, "")
	r.show = func() { r.quiet(n) }
	r.show()
	u.Work(d)
}

// finish cools the rods down, takes them out and cleans the bell.
func (r *reactor) finish() {
	u := r.u
	r.pass(cooldown)
	u.Set("harvest_weight_kg", math.Round(r.mass.Float()*10)/10)
	r.open(harvest, harvestHours)
	r.open(clean, cleanHours)
	r.book()
	r.from = u.Now()
}

// open is a phase with an open reactor.
func (r *reactor) open(n int, hours float64) {
	u := r.u
	u.Set("phase", float64(n))
	u.Load(recipe()[n].kw, 0)
	u.State(plant.Setup, "")
	r.show = func() { r.quiet(n) }
	r.show()
	u.Wait(u.Spread(time.Duration(hours*float64(time.Hour)), 0.08))
}

// book enters the batch; a day later, when the laboratory knows it, what of it is polysilicon to be sold or used.
func (r *reactor) book() {
	u, w := r.u, r.w
	id, kg, grown := r.id, r.mass, r.grown
	w.AddLot(world.Lot{ID: id, Kind: "batch", Product: u.Makes(), Quantity: kg, UnitOf: "kg"})
	w.AddStep(world.Step{ID: "DEP" + id[len("BATCH"):], Stage: u.Stage, Unit: u.ID, From: r.from.Time(), To: u.Now().Time(),
		Inputs: r.in, Outputs: []world.Portion{{Lot: id, Quantity: kg}}})
	bad := world.Amount(limited(u, 0.0145, 0.12, 0.0105, 0.0195) * kg.Float())
	lab.Sample(w, id, "harvest")
	w.At(u.Now().Add(u.Spread(24*time.Hour, 0.08)), func() { r.release(id, kg, bad, grown) })
}

// release divides a batch as the laboratory says.
func (r *reactor) release(batch string, kg, bad world.Quantity, grown calendar.Interval) {
	u, w := r.u, r.w
	n := batch[len("BATCH"):]
	good := kg - bad
	now := u.Now().Time()
	harvest := w.Serial("HARV") // not the batch's number: there may be harvests of before on stock
	w.AddLot(world.Lot{ID: harvest, Kind: "harvest", Product: u.Makes(), Quantity: good, UnitOf: "kg"})
	w.AddStep(world.Step{ID: "REL" + n, Stage: u.Stage, Unit: u.ID, From: now, To: now, Inputs: []world.Portion{{Lot: batch, Quantity: kg}},
		Outputs: []world.Portion{{Lot: harvest, Quantity: good}, {Lot: "REJ" + n, Quantity: bad, Scrap: true}}})
	w.Stock(polyStock).Put(world.Held{Lot: harvest, Quantity: good})
	quantity := exact.Frac(int64(bad), int64(world.Whole(1)))
	enter(w, record.Record{Kind: record.Scrap, Unit: u.ID, From: grown.From, To: grown.To, Quantity: &quantity, ReportedAt: u.Now(), Reason: "metals at the surface"},
		"polysilicon laboratory", "analysis of "+batch)
}

// feed takes what the rods grow by from the tank. It asks instead of waiting in line, so that a filling can always empty the
// tank into the next lot.
func (r *reactor) feed(kg world.Quantity) {
	stock := r.w.Stock(tcsStock)
	starved := world.Hazard{Category: plant.Idle, Reason: "starved"}
	for stock.Have() < kg {
		r.u.Pause(&starved, 10*time.Minute)
	}
	from := stock.Take(r.u, kg)
	r.u.SetText("tank_lot_id", from[len(from)-1].Lot)
	r.in.add(from)
}

// share is what x is above a whole number.
func share(x float64) float64 { return x - math.Floor(x) }
