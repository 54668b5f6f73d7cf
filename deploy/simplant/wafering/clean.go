package wafering

import (
	"math"
	"strconv"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const (
	cleanSeconds  = 0.5 // per wafer, where the model has no ideal
	cleanPace     = 1.07
	breakage      = 0.02
	bathLots      = 36    // until the baths are changed
	kwhPerCleaned = 0.016 // per wafer
	openingWafers = 4310  // of a cut that was there before the record
	spareKW       = 0.3   // of its power, what a line draws that stands
	warmLots      = 2     // per unit, of the opening stock
	countedBefore = 40e6  // pieces that counters begin with, at most
)

// cleaner is a degumming and cleaning line: wafers are separated from their beam, washed and dried. Some break.
type cleaner struct {
	u    *world.Unit
	w    *world.World
	lots int // since the baths were changed
}

// Run is the script.
func (c *cleaner) Run(u *world.Unit) {
	c.u, c.w = u, u.World()
	n, index := u.Fleet(u.Class.Name)
	if index == 0 {
		c.stocks(n)
	}
	u.Hazards(
		world.Hazard{Category: plant.Stop, Reason: "stopped", Every: 2 * time.Hour, Lasts: 3 * time.Minute, Least: 20 * time.Second},
		world.Hazard{Category: plant.Stop, Reason: "aborted", Every: 50 * time.Hour, Lasts: 45 * time.Minute, Least: 8 * time.Minute},
	)
	u.OnPause = func(*world.Hazard) { c.belt(0) }
	u.OnResume = func() { c.belt(c.speed()) }
	before := math.Floor(countedBefore * u.Rand().Float64())
	u.PresetCounters(before, math.Floor(before*breakage))
	c.lots = u.Rand().IntN(bathLots)
	c.baths()
	u.SetText("cut_id", "-")
	full := kwhPerCleaned * 3600 / (u.IdealSeconds(cleanSeconds) * cleanPace)
	u.Standby(spareKW * full)
	for {
		starved := c.w.Stock(cutStock).Have() == 0
		if starved {
			c.belt(0)
			u.Load(spareKW*full, 0)
			u.State(plant.Idle, "")
		}
		h := c.w.Stock(cutStock).TakeLot(u)
		switch {
		case c.lots >= bathLots:
			c.lots = 0
			u.Load(spareKW*full, 0)
			setup(u, "resetting", 40*time.Minute)
			c.baths()
		case starved:
			setup(u, "starting", 75*time.Second)
		}
		u.Load(full, 0)
		c.clean(h)
	}
}

// clean cleans the wafers of a cut.
func (c *cleaner) clean(h world.Held) {
	u := c.u
	from := u.Now()
	note, _ := h.Note.(cutNote)
	u.SetText("cut_id", h.Lot)
	u.State(plant.Run, "")
	c.belt(c.speed())
	broken := math.Round(h.Quantity.Float() * u.Vary(breakage*(0.85+0.3*note.marks), 0.2))
	u.Make(h.Quantity.Float(), 1/(u.IdealSeconds(cleanSeconds)*u.Vary(cleanPace, 0.01)), broken)
	c.lots++
	c.baths()
	lost := world.Amount(broken)
	good := world.Lot{ID: c.w.Serial("CLN"), Kind: "cut", Product: u.Makes(), Quantity: h.Quantity - lost, UnitOf: "wafer"}
	done(u, "CLEANING-"+h.Lot, from, []world.Portion{{Lot: h.Lot, Quantity: h.Quantity}}, good, lost)
	c.w.Stock(cleanStock).Put(world.Held{Lot: good.ID, Quantity: good.Quantity, Note: note})
}

// speed is the belt's in m/min at full pace: two lanes of wafers of 182 mm, with gaps.
func (c *cleaner) speed() float64 { return min(5.5, 0.095*60/c.u.IdealSeconds(cleanSeconds)*0.25) }

func (c *cleaner) belt(mPerMinute float64) {
	c.u.Follow("belt_speed_m_per_min", world.Level(mPerMinute))
	wph := 0.0
	if mPerMinute > 0 {
		wph = min(9900, 3600/(c.u.IdealSeconds(cleanSeconds)*cleanPace))
	}
	c.u.Follow("throughput_wph", world.Level(wph))
}

// baths shows them, the dirtier the more lots they have cleaned.
func (c *cleaner) baths() {
	u := c.u
	dirty := float64(c.lots) / bathLots
	due := c.lots >= bathLots
	for i := range 12 {
		n := strconv.Itoa(i + 1)
		warm := []float64{35, 45, 60, 65, 60, 50, 40, 70}[i%8]
		u.Set("bath_"+n+"_temp_setpoint_c", warm)
		u.Follow("bath_"+n+"_temp_c", world.Wave(world.Level(warm), 0.6, 1500+100*float64(i)))
		u.Follow("bath_"+n+"_level_percent", world.Wave(world.Level(88-6*dirty), 1.5, 3600))
		u.Follow("bath_"+n+"_concentration_percent", world.Level(max(0, 12-3*dirty-float64(i))))
		u.Follow("ultrasonic_"+n+"_kw", world.Level(4-0.3*float64(i%4)))
		u.SetFlag("bath_"+n+"_change_due", due)
	}
	u.Follow("rinse_conductivity_us_per_cm", world.Toward(u.Truth("rinse_conductivity_us_per_cm"), 6+18*dirty, 600))
	u.Follow("di_water_flow_l_per_min", world.Level(180+30*dirty))
	u.SetFlag("level_alarm", false)
}

// stocks fills the stock of cuts.
func (c *cleaner) stocks(lines int) {
	for range lines * warmLots {
		open(c.w, cutStock, world.Lot{ID: c.w.Serial("CUT"), Kind: "cut", Product: c.u.Makes(), Quantity: world.Whole(openingWafers), UnitOf: "wafer"},
			inWafer(), cutNote{marks: 0.4})
	}
}
