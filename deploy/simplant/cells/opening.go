package cells

import (
	"strconv"

	"kvarts/deploy/simplant/world"
)

// open puts what the unit takes from on stock, at the begin and if it is the first to take from there: wafers and cells of
// a day, of a lot or two between the tools.
func open(u *world.Unit, r *route, rate float64) {
	w := u.World()
	if !firstTaker(u, r) || w.Stock(r.in).Have() > 0 {
		return
	}
	switch modules := u.Class.Name == moduleTools()[0] || u.Class.Name == moduleTools()[1]; {
	case r.first() && modules:
		for range dayOf(rate*cellsPerModule(u), 2400) {
			opening(u, r, "CEL", "cell", 2400, cellStages, cellWatts(u))
		}
	case r.first():
		for range dayOf(rate, 4200) {
			opening(u, r, "WAF", "wafer", 4200, waferStages, 0)
		}
	case modules:
		opening(u, r, "LAM", "module", pallet, cellStages, nominal(u, 580))
	default:
		for range 2 {
			opening(u, r, "TEX", "cell", 2400, waferStages, 0)
		}
	}
}

// dayOf is how many lots of a size a rate a second makes in half a day, within reason.
func dayOf(rate, size float64) int { return max(2, min(40, int(rate*12*3600/size))) }

// firstTaker says that no unit before u in the model takes from the same stock.
func firstTaker(u *world.Unit, r *route) bool {
	for _, o := range u.World().Units() {
		if other, ok := routeOf(u.World().Model(), o.Unit); ok && other.in == r.in {
			return o == u
		}
	}
	return false
}

// opening is one lot of before the record, with the energy of its making by stage: kWh per piece as in golden E1, and what
// this package's tools draw.
func opening(u *world.Unit, r *route, prefix, kind string, pieces int, stages func() map[string]float64, watts float64) {
	w := u.World()
	each := 1.0
	if kind == "module" {
		each = cellsPerModule(u)
	}
	l := world.Lot{ID: w.Serial(prefix), Kind: kind, UnitOf: kind, Quantity: world.Whole(pieces), Embodied: map[string]string{}, Why: "opening stock"}
	for _, s := range w.Model().Stages {
		if kwh := stages()[s.Name]; kwh > 0 {
			l.Embodied[s.Name] = strconv.FormatFloat(kwh*each*float64(pieces), 'f', 3, 64)
		}
	}
	n := note{gain: u.Rand().NormFloat64() * 0.003, watts: watts}
	if kind == "cell" && watts > 0 {
		nominal, tested := world.Amount(watts*float64(pieces)), world.Amount(watts*(1+n.gain)*float64(pieces))
		l.WpNominal, l.WpRealised = &nominal, &tested
		n.watts *= 1 + n.gain
	}
	w.AddLot(l)
	w.Stock(r.in).Put(world.Held{Lot: l.ID, Quantity: l.Quantity, Note: n})
}

// waferStages is the energy of a good wafer by stage, kWh (golden E1, of 1,000 wafers).
func waferStages() map[string]float64 {
	return map[string]float64{
		"metallurgical": 17.751544 * 12 / 1000,
		"polysilicon":   15.436126 * 60 / 1000,
		"crystal":       23.041475 * 25 / 1000,
		"wafer":         (14.285714*0.8 + 1020.408163*0.08) / 1000,
	}
}

// cellStages is that of a good cell.
func cellStages() map[string]float64 {
	out := waferStages()
	out["cell"] = wetKWh + furnaceKWh + coaterKWh + printerKWh
	return out
}

// cellWatts is the nominal power of a cell where the unit makes modules.
func cellWatts(u *world.Unit) float64 {
	for _, o := range u.World().Units() {
		if o.Class.Name == "print_fire_test" || o.Class.Name == "cell_tester" {
			return nominal(o, 8.25)
		}
	}
	return 8.25
}

// cellsPerModule is what the model's stage of modules takes of the stage before.
func cellsPerModule(u *world.Unit) float64 {
	if s, ok := u.World().Model().Stage(u.Stage); ok {
		if n, ok := s.Input.At(u.Now()); ok {
			return n.Float()
		}
	}
	return 72
}

// Energy of a cell by tool, kWh at full pace: together 0.12, between 7 and 29 kWh per kg of wafers of 10 g (definitions.md 2.4).
const (
	wetKWh     = 0.012
	furnaceKWh = 0.045
	coaterKWh  = 0.035
	printerKWh = 0.028
)
