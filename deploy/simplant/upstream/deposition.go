package upstream

import (
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const (
	pieces    = 120   // of a deposition, in each of which the rods gain mass evenly
	slimMM    = 8.0   // diameter of the rods at the begin
	thickMM   = 168.0 // and of a whole batch
	radiating = 20.0  // mm: power is in proportion to the diameter and this
)

// growth is the plan of a deposition.
type growth struct {
	begin int     // piece at which it begins
	full  float64 // kg that the batch is to have
	d     time.Duration
	kappa float64 // kW per mm of diameter
}

// opened is how the record finds the reactor: somewhere in a deposition. The fleet is spread over all of a batch.
func (r *reactor) opened() growth {
	u, w := r.u, r.w
	_, index := u.Fleet(u.Class.Name)
	part := 0.04 + 0.88*share(float64(index)*math.Phi+0.35*u.Rand().Float64())
	g := r.plan(int(part * pieces))
	kg := g.mass(g.begin)
	r.newBatch(kg)
	if r.mass > 0 {
		rods := world.Lot{ID: w.Serial("RODS"), Kind: "batch", Product: u.Makes(), Quantity: r.mass, Why: "in the reactor when the record begins"}
		enterOld(w, rods, map[string]float64{"metallurgical": inMG * perPoly, "polysilicon": inTCS + secMean})
		r.in.add([]world.Held{{Lot: rods.ID, Quantity: r.mass}})
	}
	return g
}

// plan makes the plan of a batch from a piece on.
func (r *reactor) plan(begin int) growth {
	u := r.u
	g := growth{begin: begin, full: r.full * limited(u, 0.99, 0.006, 0.97, 1)}
	hours := r.hours()
	g.d = time.Duration(hours / pieces * float64(time.Hour)).Truncate(100)
	sum := 0.0 // mm·h
	for i := range pieces {
		sum += (radiating + (diameter(i)+diameter(i+1))/2) * g.d.Hours()
	}
	g.kappa = limited(u, secMean, 0.015, 56, 61) * g.full / sum
	if top := 0.97 * rated(u, math.Inf(1)); g.power(pieces) > top {
		g.kappa *= top / g.power(pieces)
	}
	return g
}

// diameter is that of the rods after i pieces, in mm: the mass grows evenly, as the feed of chlorosilanes allows.
func diameter(i int) float64 {
	return math.Sqrt(slimMM*slimMM + (thickMM*thickMM-slimMM*slimMM)*float64(i)/pieces)
}

// mass is what has grown after i pieces, in kg.
func (g *growth) mass(i int) float64 {
	d := diameter(i)
	return g.full * (d*d - slimMM*slimMM) / (thickMM*thickMM - slimMM*slimMM)
}

// power is what the rods draw after i pieces, in kW.
func (g *growth) power(i int) float64 { return g.kappa * (radiating + diameter(i)) }

// deposit lets the rods grow to the end, or until a fault ends it.
func (r *reactor) deposit(g growth) {
	u := r.u
	u.Set("phase", deposition)
	u.State(plant.Run, "")
	r.grown.From, r.depositing = u.Now(), true
	for i := g.begin; i < pieces && !r.aborted; i++ {
		kg := world.Amount(g.mass(i+1)) - r.mass
		r.piece(&g, i, kg)
	}
	r.grown.To, r.depositing = u.Now(), false
	r.progress(r.mass.Float(), 0)
}

// piece is a part of the deposition: kg more.
func (r *reactor) piece(g *growth, i int, kg world.Quantity) {
	u := r.u
	rate := kg.Float() / g.d.Seconds()
	before := r.mass.Float()
	r.show = func() {
		done := 0.0
		if p := u.Class.Progress; p != nil {
			done = (u.Truth(p.Name)/r.unit - before) / kg.Float()
		}
		r.growing(g, i, done, rate)
	}
	r.feed(kg)
	r.progress(before, rate)
	u.Load(g.power(i), (g.power(i+1)-g.power(i))/g.d.Seconds())
	r.show()
	u.Make(kg.Float(), rate, 0)
	r.mass += kg
}
