package site

import (
	"slices"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const (
	usual     = 60 * time.Second // per piece, where the model has no ideal
	batch     = 30 * time.Minute // of work, between two looks at the pace
	busy      = 0.7              // of the rated power while it works
	waiting   = 0.15             // and while it stands
	badPieces = 0.004            // of all
)

// machine is one of a class that no script was written for: it works at its ideal, nearly, and stops now and then.
type machine struct{}

// Run is the script.
func (machine) Run(u *world.Unit) {
	kw := 0.0
	if r, ok := u.RatedKW.At(u.Now()); ok {
		kw = r.Float()
	}
	seconds := usual.Seconds()
	product, _ := u.Product.At(u.Now())
	if s, ok := u.Ideal(product).At(u.Now()); ok {
		seconds = s.Float()
	}
	u.Standby(waiting * kw)
	for _, reason := range reasons(u) {
		u.Hazards(world.Hazard{Category: plant.Stop, Reason: reason, Every: 20 * time.Hour, Lasts: 25 * time.Minute, Least: time.Minute})
	}
	for {
		u.Ready()
		u.State(plant.Run, "")
		u.Load(busy*kw, 0)
		pace := 0.92 + 0.05*u.Rand().Float64()
		pieces := max(1, float64(int(batch.Seconds()*pace/seconds)))
		bad := float64(int(badPieces*pieces + u.Rand().Float64()))
		u.Make(pieces, pace/seconds, min(bad, pieces))
	}
}

// reasons are those that the unit's state map has for a stop.
func reasons(u *world.Unit) []string {
	codes, _ := u.States.At(u.Now())
	var out []string
	for code, m := range codes {
		if m.Category != plant.Stop {
			continue
		}
		if m.Reason == "" {
			m.Reason = code
		}
		out = append(out, m.Reason)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
