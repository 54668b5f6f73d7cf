package wafering

import (
	"fmt"
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

const (
	sortSeconds  = 0.4 // per wafer, where the model has no ideal
	sortPace     = 1.1
	kwhPerSorted = 0.004
	rollsOver    = 1 << 32 // wafers, of the counters
)

// sorter measures every wafer and puts it into a class. It sees what the saw did.
type sorter struct {
	u *world.Unit
	w *world.World
	f findings // of all cuts so far
}

// Run is the script.
func (s *sorter) Run(u *world.Unit) {
	s.u, s.w = u, u.World()
	n, index := u.Fleet(u.Class.Name)
	if index == 0 {
		s.stocks(n)
	}
	u.Hazards(
		world.Hazard{Category: plant.Stop, Reason: "belt jam", Every: 35 * time.Minute, Lasts: 110 * time.Second, Least: 15 * time.Second},
		world.Hazard{Category: plant.Stop, Reason: "camera", Every: 14 * time.Hour, Lasts: 11 * time.Minute, Least: 90 * time.Second},
		world.Hazard{Category: plant.Idle, Reason: "cassettes full", Every: 4 * time.Hour, Lasts: 4 * time.Minute, Least: time.Minute},
	)
	u.OnPause = s.stopped
	u.OnResume = s.resumed
	s.preset(index)
	s.names()
	full := kwhPerSorted * 3600 / (u.IdealSeconds(sortSeconds) * sortPace)
	u.Standby(spareKW * full)
	for {
		starved := s.w.Stock(cleanStock).Have() == 0
		if starved {
			u.Load(spareKW*full, 0)
			s.stopped(nil)
			u.State(plant.Idle, "no wafers")
		}
		h := s.w.Stock(cleanStock).TakeLot(u)
		if starved {
			setup(u, "starting", 45*time.Second)
		}
		u.Load(full, 0)
		s.sort(h)
	}
}

// preset is what the counters count from before: those of the first sorter are about to roll over.
func (s *sorter) preset(index int) {
	const before, bad = 150_000, 60_000
	total := math.Floor(rollsOver / 2 * s.u.Rand().Float64())
	scrap := math.Floor(total * 0.03)
	if index == 0 {
		total, scrap = rollsOver-before, bad
	}
	s.u.PresetCounters(total, scrap)
}

// names shows the product by its code.
func (s *sorter) names() {
	u := s.u
	u.SetText("lot_id", "-")
	u.SetFlag("belt_jam", false)
	u.SetFlag("camera_ok", true)
	s.count(findings{})
	if p := u.Class.Product; p != nil {
		for code, name := range u.Class.ProductCodes {
			var n int64
			if _, err := fmt.Sscan(code, &n); name == u.Makes() && p.Type == plant.Int && err == nil {
				u.SetValue(p.Name, telemetry.IntValue(n))
			}
		}
	}
}

func (s *sorter) stopped(h *world.Hazard) {
	s.u.Follow("throughput_wph", world.Level(0))
	if h != nil {
		s.u.SetFlag("belt_jam", h.Reason == "belt jam")
		s.u.SetFlag("camera_ok", h.Reason != "camera")
	}
}

func (s *sorter) resumed() {
	u := s.u
	u.SetFlag("belt_jam", false)
	u.SetFlag("camera_ok", true)
	if u.Category() == plant.Run {
		s.through()
	}
}

func (s *sorter) through() {
	s.u.Follow("throughput_wph", world.Level(min(9900, 3600/(s.u.IdealSeconds(sortSeconds)*sortPace))))
}

// findings are the wafers of a cut by what was found.
type findings struct {
	marks, thickness, resistivity, chips float64 // no good
	b                                    float64 // of class B
}

// inspect finds what the saw's marks and chance have left.
func (s *sorter) inspect(wafers, marks float64) findings {
	some := func(part float64) float64 { return math.Round(wafers * s.u.Vary(part, 0.2)) }
	return findings{
		marks: some(0.003 + 0.016*marks*marks), thickness: some(0.002 + 0.006*marks), resistivity: some(0.002), chips: some(0.005),
		b: some(0.012 + 0.03*marks),
	}
}

// sort sorts the wafers of a cut.
func (s *sorter) sort(h world.Held) {
	u := s.u
	from := u.Now()
	note, _ := h.Note.(cutNote)
	n := h.Quantity.Float()
	f := s.inspect(n, note.marks)
	bad := f.marks + f.thickness + f.resistivity + f.chips
	id := s.w.Serial("WAF")
	u.SetText("lot_id", id)
	u.State(plant.Run, "")
	s.through()
	u.Follow("thickness_avg_um", world.Level(u.Vary(130, 0.004)))
	u.Follow("ttv_avg_um", world.Level(u.Vary(9+9*note.marks, 0.05)))
	u.Follow("saw_mark_avg_um", world.Level(u.Vary(4+7*note.marks, 0.05)))
	u.Follow("resistivity_avg_ohm_cm", world.Level(u.Vary(0.95, 0.12)))
	u.Make(n, 1/(u.IdealSeconds(sortSeconds)*u.Vary(sortPace, 0.01)), bad)

	lot := world.Lot{ID: id, Kind: "wafer", Product: u.Makes(), Quantity: h.Quantity - world.Amount(bad), UnitOf: "wafer",
		Why: fmt.Sprintf("class A %.0f, class B %.0f", n-bad-f.b, f.b)}
	if wp, ok := s.watts(lot.Quantity); ok {
		lot.WpNominal = &wp
	}
	done(u, "SORTING-"+h.Lot, from, []world.Portion{{Lot: h.Lot, Quantity: h.Quantity}}, lot, world.Amount(bad))
	s.count(f)
	s.report(note, f)
	s.w.Stock(waferStock).Put(world.Held{Lot: id, Quantity: lot.Quantity})
}

// count shows what was found so far, by cause.
func (s *sorter) count(f findings) {
	s.f.marks, s.f.thickness, s.f.resistivity, s.f.chips = s.f.marks+f.marks, s.f.thickness+f.thickness, s.f.resistivity+f.resistivity, s.f.chips+f.chips
	s.u.Set("scrap_saw_mark", s.f.marks)
	s.u.Set("scrap_thickness", s.f.thickness)
	s.u.Set("scrap_resistivity", s.f.resistivity)
	s.u.Set("scrap_chip", s.f.chips)
}

// report tells the saw hours later what it made: quality reads the findings, asks, and books them.
func (s *sorter) report(note cutNote, f findings) {
	at := s.u.Now().Add(s.u.Spread(4*time.Hour, 0.25))
	s.w.At(at, func() {
		found(note, "SCRAP-"+note.cut+"-marks", world.Amount(f.marks), "saw marks", "wafer inspection")
		found(note, "SCRAP-"+note.cut+"-thickness", world.Amount(f.thickness), "thickness", "wafer inspection")
	})
}

// watts are the nominal ones of so many wafers.
func (s *sorter) watts(wafers world.Quantity) (world.Quantity, bool) {
	for _, p := range s.w.Model().Products {
		if p.Name == s.u.Makes() {
			wp, ok := p.Watts.At(s.u.Now())
			return world.Amount(wafers.Float() * wp.Float()), ok
		}
	}
	return 0, false
}

// stocks fills the stock of cleaned wafers.
func (s *sorter) stocks(sorters int) {
	for range sorters * warmLots {
		open(s.w, cleanStock, world.Lot{ID: s.w.Serial("CLN"), Kind: "cut", Product: s.u.Makes(), Quantity: world.Whole(openingWafers), UnitOf: "wafer"},
			inWafer(), cutNote{marks: 0.4})
	}
}
