package cells

import (
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

// product is what the unit makes, by the model; nil when it does not say.
func product(u *world.Unit) *plant.Product {
	name, _ := u.Product.At(u.Now())
	p, _ := u.World().Model().Product(name)
	return p
}

// nominal is the watts of a good piece of the product; otherwise is what a model has that does not say.
func nominal(u *world.Unit, otherwise float64) float64 {
	if p := product(u); p != nil {
		if w, ok := p.Watts.At(u.Now()); ok {
			return w.Float()
		}
	}
	return otherwise
}

// pace is pieces a second of the next lot: a real machine reaches 88 to 98 % of its ideal.
func pace(u *world.Unit, otherwise float64) float64 {
	return min(0.98, max(0.88, u.Vary(0.94, 0.015))) / u.IdealSeconds(otherwise)
}

// draws lets the unit draw what a piece costs at full pace, kWh, and a part of it while it stands.
func draws(u *world.Unit, kwhPerPiece, otherwise, standing float64) {
	kw := kwhPerPiece * 3600 / u.IdealSeconds(otherwise)
	u.Load(kw, 0)
	u.Standby(kw * standing)
}

// shows says that the unit's state map has a code for a category.
func shows(u *world.Unit, c plant.Category) bool {
	codes, _ := u.States.At(u.Now())
	for _, m := range codes {
		if m.Category == c {
			return true
		}
	}
	return false
}

// settingUp is what a machine shows while people prepare it: SEMI E10 counts that as scheduled downtime.
func settingUp(u *world.Unit) plant.Category {
	for _, c := range []plant.Category{plant.Setup, plant.Planned} {
		if shows(u, c) {
			return c
		}
	}
	return plant.Idle
}

// lost is how many of n pieces are no good, of which each has the chance p: Poisson distributed.
func lost(u *world.Unit, n int, p float64) int {
	limit, product := math.Exp(-float64(n)*p), 1.0
	for k := 0; ; k++ {
		if product *= u.Rand().Float64(); product <= limit || k >= n {
			return min(k, n)
		}
	}
}

// trouble are the stops of a machine. Where its states do not say why it stood, people enter that for the longer ones.
func trouble(u *world.Unit, all ...world.Hazard) {
	for i := range all {
		h := &all[i]
		h.Category = plant.Stop
		reason := h.Reason
		h.Done = func(lasted time.Duration) {
			if lasted >= reported && !tells(u, reason) {
				explain(u, reason, lasted)
			}
		}
	}
	u.Hazards(all...)
}

// tells says that the unit's states name a reason.
func tells(u *world.Unit, reason string) bool {
	codes, _ := u.States.At(u.Now())
	for _, m := range codes {
		if m.Reason == reason {
			return true
		}
	}
	return false
}

// reported is from when on a stop is worth an entry.
const reported = 8 * time.Minute

// explain enters why the unit stood until now, some time later.
func explain(u *world.Unit, reason string, lasted time.Duration) {
	to := u.Now()
	r := record.Record{Kind: record.DowntimeReason, Unit: u.ID, From: to.Add(-lasted), To: to, Reach: to, Reason: reason}
	r.ID = r.DefaultID()
	u.World().At(to.Add(u.Spread(45*time.Minute, 0.3)), func() { u.World().AddRecord(r, "shift lead", "log of the shift") })
}

// took is what came together from several lots.
type took struct {
	portions []world.Portion
	pieces   int
	note     // means by quantity
}

// note goes along with lots between the tools.
type note struct {
	gain  float64 // of power against the product's nominal, so far
	watts float64 // of one piece, as tested or as calculated of its cells; 0: not known
	// serials are those of modules, one each.
	serials []string
}

func tookOf(lots []world.Held) took {
	var t took
	for _, h := range lots {
		n, _ := h.Note.(note) // wafers come without
		t.portions = append(t.portions, world.Portion{Lot: h.Lot, Quantity: h.Quantity})
		t.gain += n.gain * h.Quantity.Float()
		t.watts += n.watts * h.Quantity.Float()
		t.serials = append(t.serials, n.serials...)
		t.pieces += int(h.Quantity / world.Whole(1))
	}
	t.gain /= float64(t.pieces)
	t.watts /= float64(t.pieces)
	return t
}

// entry is what a tool has done with what it took.
type entry struct {
	prefix, kind string
	from         world.Instant
	in           took
	good, bad    int
	out          note
	lot          world.Lot // what is known of the good ones besides
}

// deliver enters lots and step, and puts the good ones on stock.
func deliver(u *world.Unit, r *route, e entry) (lot string) {
	w := u.World()
	e.lot.ID = w.Serial(e.prefix)
	e.lot.Kind, e.lot.UnitOf, e.lot.Product, e.lot.Quantity = e.kind, e.kind, u.Makes(), world.Whole(e.good)
	step := world.Step{ID: "S-" + e.lot.ID, Stage: u.Stage, Unit: u.ID, From: e.from.Time(), To: u.Now().Time(), Inputs: e.in.portions}
	if e.good > 0 {
		w.AddLot(e.lot)
		step.Outputs = append(step.Outputs, world.Portion{Lot: e.lot.ID, Quantity: e.lot.Quantity})
	}
	if e.bad > 0 {
		scrap := world.Lot{ID: e.lot.ID + "-X", Kind: e.kind, UnitOf: e.kind, Product: e.lot.Product, Quantity: world.Whole(e.bad)}
		w.AddLot(scrap)
		step.Outputs = append(step.Outputs, world.Portion{Lot: scrap.ID, Quantity: scrap.Quantity, Scrap: true})
	}
	w.AddStep(step)
	if r.out != "" {
		w.Stock(r.out).Put(world.Held{Lot: e.lot.ID, Quantity: e.lot.Quantity, Note: e.out})
	}
	return e.lot.ID
}
