// Package lab is the laboratory of the simulated plant: what it finds in samples of crystals and of polysilicon, a day later, as
// instruments find it that see down to a limit of detection and no further.
package lab

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"kvarts/deploy/simplant/world"
)

const (
	measuring  = 9 * time.Hour  // from the sampling to the measurement
	approving  = 24 * time.Hour // from the sampling to the approval
	again      = 60 * time.Hour // from the approval to a revision
	revised    = 0.06           // of the samples: measured again
	uncertain  = 0.20           // U (k = 2) of what was measured, in parts of it
	lowestLOQ  = 3              // LOQ in limits of detection
	decimals   = 4              // of a result
	instrument = 2              // there are so many of each method
)

// Sample takes a sample of a lot, of which there is no other. kind is "ingot" for a crystal; all else is polysilicon.
func Sample(w *world.World, lot, kind string) {
	panel := poly()
	if kind == "ingot" {
		panel = crystal()
	}
	rng := w.Rand("sample of " + lot)
	s := sampled{w: w, rng: rng, lot: lot, id: w.Serial("S"), at: w.Now(), clean: math.Exp(0.35 * rng.NormFloat64()), unit: rng.IntN(instrument)}
	s.measured = s.after(s.at, measuring)
	approved := max(s.after(s.at, approving), s.measured.Add(time.Hour))
	results := make([]world.LabResult, len(panel))
	for i := range panel {
		results[i] = s.result(&panel[i], approved)
	}
	w.At(approved, func() {
		for i := range results {
			w.AddResult(results[i])
		}
	})
	if rng.Float64() < revised {
		s.revise(panel, results, approved)
	}
}

// sampled is one sample.
type sampled struct {
	w            *world.World
	rng          *rand.Rand
	lot, id      string
	at, measured world.Instant
	clean        float64 // factor of all that is in it
	unit         int     // which instrument measures it
}

// after is at and about d.
func (s *sampled) after(at world.Instant, d time.Duration) world.Instant {
	minutes := d.Minutes() * (0.8 + 0.4*s.rng.Float64())
	return at.Add(time.Duration(minutes) * time.Minute)
}

// result is what the laboratory finds of an element.
func (s *sampled) result(e *element, approved world.Instant) world.LabResult {
	lod := e.lod
	if e.worse > 0 && s.unit == 1 {
		lod = e.worse
	}
	r := world.LabResult{
		Sample: s.id, Lot: s.lot, SampledAt: s.at.Time(), MeasuredAt: s.measured.Time(), ApprovedAt: approved.Time(),
		Method: e.method, Element: e.symbol, Unit: e.unit, LOD: number(lod), LOQ: number(lowestLOQ * lod),
		Analyst: []string{"A. Bekova", "D. Omarov", "S. Kim"}[s.rng.IntN(3)], Instrument: e.method + "-" + strconv.Itoa(s.unit+1),
		Calibration: "CAL-" + s.at.Time().Format("2006-01"), Revision: 1,
	}
	s.find(&r, e.median*s.clean*math.Exp(e.spread*s.rng.NormFloat64()), lod)
	return r
}

// find writes down what is there, as far as it can be seen.
func (s *sampled) find(r *world.LabResult, truth, lod float64) {
	if truth < lod {
		r.Censored, r.Value, r.U = "<", number(lod), ""
		return
	}
	r.Censored, r.Value, r.U = "=", number(truth), number(uncertain*truth)
}

// revise measures an element of the retained sample again, days later.
func (s *sampled) revise(panel []element, results []world.LabResult, approved world.Instant) {
	i := s.rng.IntN(len(panel))
	at := s.after(approved, again)
	r := results[i]
	r.Revision, r.MeasuredAt, r.ApprovedAt = 2, at.Add(-3*time.Hour).Time(), at.Time()
	r.Reason = []string{"retained sample measured again after calibration", "interference corrected", "blank was too high: measured again"}[s.rng.IntN(3)]
	lod, _ := strconv.ParseFloat(r.LOD, 64)
	s.find(&r, panel[i].median*s.clean*math.Exp(panel[i].spread*s.rng.NormFloat64()), lod)
	s.w.At(at, func() { s.w.AddResult(r) })
}

// number is x as the laboratory writes it.
func number(x float64) string {
	k := math.Pow10(decimals)
	return strconv.FormatFloat(math.Max(1, math.Round(x*k))/k, 'f', -1, 64)
}
