// Package upstream is what the machines before the crystal hall do: the arc furnace, the plant that makes trichlorosilane of
// its metal, and the reactors that deposit silicon from that.
//
//	quartz ─► heat: mg ─► filling: tank ─► batch ─► harvest ─► poly
//	             │ slag     ▲  │ residues             │ rejected
//	             ▼          └──┘ rest of the tank     ▼
//
// Mass is kept to the gram. A tank holds one lot at a time: each filling makes a new one of what is left and what comes in.
package upstream

import (
	"fmt"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/record"
)

// The classes of the plant model that this package drives.
const (
	furnaceClass = "arc_furnace"
	tankClass    = "tcs_unit"
	reactorClass = "siemens_reactor"
)

// The stocks it takes from and puts on, in kg.
const (
	quartzStock = "quartz"
	mgStock     = "mg"
	tcsStock    = "tcs" // kg of silicon in the tank
	polyStock   = "poly"
)

// Process is the script of a furnace, TCS unit or reactor; nil for units of other classes.
func Process(u *world.Unit) world.Process {
	switch u.Class.Name {
	case furnaceClass:
		return &furnace{}
	case tankClass:
		return &tcsUnit{}
	case reactorClass:
		return &reactor{}
	default:
		return nil
	}
}

// rated is the model's greatest power in kW, else otherwise.
func rated(u *world.Unit, otherwise float64) float64 {
	if kw, ok := u.RatedKW.At(u.Now()); ok {
		return kw.Float()
	}
	return otherwise
}

// limited is x changed by chance with the relative deviation rel, within [low, high].
func limited(u *world.Unit, x, rel, low, high float64) float64 {
	return min(high, max(low, u.Vary(x, rel)))
}

// numbered are the names of a format with %d that the unit's class has, from 1 on: plants differ in how many they have of a thing.
func numbered(u *world.Unit, format string) []string {
	var out []string
	for {
		name := fmt.Sprintf(format, len(out)+1)
		if !u.Has(name) {
			return out
		}
		out = append(out, name)
	}
}

// flags sets all flags of a format.
func flags(u *world.Unit, format string, on bool) {
	for _, name := range numbered(u, format) {
		u.SetFlag(name, on)
	}
}

// taken is what a step takes of lots, one portion for each.
type taken []world.Portion

// add puts portions of a stock to it.
func (t *taken) add(from []world.Held) {
next:
	for _, h := range from {
		for i := range *t {
			if (*t)[i].Lot == h.Lot {
				(*t)[i].Quantity += h.Quantity
				continue next
			}
		}
		*t = append(*t, world.Portion{Lot: h.Lot, Quantity: h.Quantity})
	}
}

// total is all of it.
func (t taken) total() world.Quantity {
	sum := world.Quantity(0)
	for _, p := range t {
		sum += p.Quantity
	}
	return sum
}

// Energy in a kilogram of what was made before the record begins, in kWh: golden number E1.
const (
	inMG    = 12.0 // metallurgical, per kg of metal
	inTCS   = 8.0  // polysilicon, per kg of silicon in the tank
	perPoly = 1.15 // kg of metal per kg of polysilicon
)

// open enters a lot from before the record and puts it on a stock; its energy is given per kilogram, by stage.
func open(w *world.World, stock string, lot world.Lot, perKg map[string]float64) {
	enterOld(w, lot, perKg)
	w.Stock(stock).Put(world.Held{Lot: lot.ID, Quantity: lot.Quantity})
}

func enterOld(w *world.World, lot world.Lot, perKg map[string]float64) {
	lot.UnitOf = "kg"
	lot.MadeAt = w.Now().Add(-24 * time.Hour).Time()
	if len(perKg) > 0 {
		lot.Embodied = make(map[string]string, len(perKg))
	}
	for stage, kwh := range perKg {
		lot.Embodied[stage] = world.Amount(lot.Quantity.Float() * kwh).String()
	}
	w.AddLot(lot)
}

// reportStop lets the shift enter, some time after a stop that ends now, why the machine stood.
func reportStop(u *world.Unit, lasted time.Duration, why ...string) {
	w := u.World()
	v := calendar.Interval{From: u.Now().Add(-lasted), To: u.Now()}
	reason := why[u.Rand().IntN(len(why))]
	w.At(u.Now().Add(u.Spread(time.Hour, 0.25)), func() {
		enter(w, record.Record{Kind: record.DowntimeReason, Unit: u.ID, From: v.From, To: v.To, Reason: reason}, "shift leader", "log of the shift")
	})
}

// enter enters a record under the name that it would get by itself.
func enter(w *world.World, r record.Record, by, why string) {
	r.Reach = r.To
	r.ID = r.DefaultID()
	w.AddRecord(r, by, why)
}

// restart tells, of a stop that lasted so long, what part of the power a furnace begins with.
func restart(lasted time.Duration) float64 {
	return max(0.5, 1-0.05*lasted.Hours())
}
