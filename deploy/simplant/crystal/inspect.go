package crystal

import (
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/record"
)

// ingotNote tells the brick machine what of an ingot is good.
type ingotNote struct {
	goodMM float64 // of body
}

const (
	offSpec   = 0.12 // of all ingots: resistivity out of specification at the tail's end
	offSpecMM = 170  // mean length of it
)

// inspect is what is found out of an ingot while it cools: at once what is no body, a day later its resistivity.
func (p *puller) inspect(g grown) {
	u, w, id := p.u, p.w, g.id
	p.report(id+"-crown", "crown", g.crown, g.crownKg, 2*time.Hour)
	p.report(id+"-tail", "tail", g.tail, g.kg-g.crownKg-g.bodyKg, 2*time.Hour)
	body := g.crownKg + g.bodyKg - max(g.had, g.crownKg) // as far as the record has it
	p.report(id+"-structure", "structure loss", g.body, min(g.lost, body), 3*time.Hour)
	note := ingotNote{goodMM: (g.bodyKg - g.lost).Float() / kgPerMM}
	bad := 0.0
	if u.Rand().Float64() < offSpec {
		bad = min(0.4*note.goodMM, 40+offSpecMM*u.Rand().ExpFloat64())
	}
	note.goodMM -= bad
	after := u.Spread(20*time.Hour, 0.15)
	p.report(id+"-resistivity", "resistivity out of specification", g.body, min(world.Amount(bad*kgPerMM), body-min(g.lost, body)), after)
	w.At(u.Now().Add(after), func() { w.Stock(ingotStock).Put(world.Held{Lot: id, Quantity: g.kg, Note: note}) })
}

// explain is what the shift writes about a long stop: the machine says no more than that it stands.
func (p *puller) explain(lasted time.Duration) {
	u := p.u
	why := []string{"vacuum pump", "cooling water", "seed lift", "argon supply", "heater electrode"}
	p.w.AddRecord(record.Record{
		Kind: record.DowntimeReason, ID: p.w.Serial("STOP-" + u.ID), Unit: u.ID, From: u.Now().Add(-lasted), To: u.Now(), Reach: u.Now(),
		Reason: why[u.Rand().IntN(len(why))],
	}, "shift", "")
}

// report enters later that pieces made in v were not good.
func (p *puller) report(id, reason string, v calendar.Interval, kg world.Quantity, after time.Duration) {
	u := p.u
	p.w.At(u.Now().Add(after), func() { found(u, "SCRAP-"+id, v, kg, reason, "crystal laboratory", "inspection of the ingot") })
}
