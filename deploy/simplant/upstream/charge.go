package upstream

import (
	"time"

	"kvarts/deploy/simplant/world"
)

const (
	quartzPerDay = 112_000 // kg that a train brings
	quartzEnough = 450_000 // kg in the yard at which none is ordered
	quartzOpen   = 150_000 // kg of each of the two lots that are there at the begin
)

// Of what a mix has besides quartz, in kg per kg of quartz.
const (
	coalShare = 0.27
	charShare = 0.16
	woodShare = 0.46
)

// quartz fills the yard and orders a train each day.
func (f *furnace) quartz() {
	w := f.w
	if _, index := f.u.Fleet(f.u.Class.Name); index > 0 {
		return
	}
	for range 2 {
		open(w, quartzStock, world.Lot{ID: w.Serial("QZ"), Kind: "quartz", Product: "quartz", Quantity: world.Whole(quartzOpen)}, nil)
	}
	rng := w.Rand("quartz")
	n, _ := f.u.Fleet(f.u.Class.Name)
	var train func()
	train = func() {
		if w.Stock(quartzStock).Have() < world.Whole(quartzEnough) {
			id := w.Serial("QZ")
			kg := world.Amount(float64(n) * quartzPerDay * (0.92 + 0.16*rng.Float64())) // the scale for wagons weighs grams nowhere but here
			w.AddLot(world.Lot{ID: id, Kind: "quartz", Product: "quartz", Quantity: kg, UnitOf: "kg"})
			w.Stock(quartzStock).Put(world.Held{Lot: id, Quantity: kg})
		}
		w.At(w.Now().Add(24*time.Hour), train)
	}
	w.At(w.Now().Add(time.Duration(rng.IntN(24*60))*time.Minute), train)
}

// mix takes the quartz of a mix, and shows what goes into the furnace with it.
func (f *furnace) mix(h *heat, quartz world.Quantity) {
	u := f.u
	h.quartz.add(f.w.Stock(quartzStock).Take(u, quartz))
	kg := quartz.Float()
	u.Set("charge_quartz_kg", tens(kg))
	u.Set("charge_coal_kg", tens(u.Vary(coalShare, 0.03)*kg))
	u.Set("charge_char_kg", tens(u.Vary(charShare, 0.03)*kg))
	u.Set("charge_woodchip_kg", tens(u.Vary(woodShare, 0.05)*kg))
	f.stoked++
	u.Set("stoking_event", float64(f.stoked))
	u.Set("charge_count", float64(f.stoked))
}

// tens is a weight as the scale of the charging wagon shows it.
func tens(kg float64) float64 { return float64(int(kg/10+0.5)) * 10 }
