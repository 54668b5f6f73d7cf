package upstream

import (
	"fmt"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

const (
	meanShare    = 0.762 // of the rated power, in the long run: 19.05 of 25 MW
	tapping      = 25 * time.Minute
	mixing       = 10 * time.Minute // from one mix of the charge to the next
	siInQuartz   = 0.467440         // of SiO2: 28.0855/60.0843
	silicaPerSi  = 2.139            // kg of SiO2 fume per kg of silicon that leaves as fume
	slagShare    = 0.028            // of the metal
	enoughMG     = 400_000          // kg in stock; what is tapped beyond that is sold
	offGrade     = 0.008            // of the heats: too much iron or calcium for chlorosilanes
	auxiliaryKW  = 260              // of a furnace that stands: fans, pumps, filter
	firstStop    = 25 * 24 * time.Hour
	maintenances = 24 * 24 * time.Hour // mean time between two
)

// furnace is a submerged arc furnace. It burns around the clock; what it makes is tapped every two hours.
type furnace struct {
	u           *world.Unit
	w           *world.World
	share       float64       // of the rated power, at present
	next        world.Instant // planned maintenance
	from        world.Instant // end of the last tap
	stoked      int
	electrode   [3]electrode
	fume        float64 // t/h of microsilica
	ladleOxygen float64 // Nm³/h while tapping
}

// heat is what is made from one tap to the next.
type heat struct {
	id     string
	sec    float64 // kWh per kg
	yield  float64 // of the quartz's silicon, into the metal
	quartz taken
	made   float64 // kg so far
}

// Run is the script.
func (f *furnace) Run(u *world.Unit) {
	f.u, f.w = u, u.World()
	f.share, f.from = meanShare, u.Now()
	f.stoked = 1000 + u.Rand().IntN(5000)
	u.Continuous()
	u.Standby(auxiliaryKW)
	u.OnPause = func(*world.Hazard) { f.show(0) }
	u.OnResume = func() { f.show(f.power()) }
	u.Hazards(f.hazards()...)
	f.quartz()
	f.begin()
	f.next = u.Now().Add(time.Duration((0.12 + 0.88*u.Rand().Float64()) * float64(firstStop)))
	f.heat(time.Duration((0.5 + 0.45*u.Rand().Float64()) * float64(2*time.Hour)))
	for {
		if u.Now() >= f.next {
			f.maintain()
		}
		f.heat(u.Spread(2*time.Hour, 0.05))
	}
}

func (f *furnace) hazards() []world.Hazard {
	weaker := func(lasted time.Duration) { f.share *= restart(lasted) }
	return []world.Hazard{
		{Category: plant.Stop, Reason: "electrode", Every: 420 * time.Hour, Lasts: 9 * time.Hour, Least: 3 * time.Hour, Done: weaker},
		{Category: plant.Stop, Reason: "fault", Every: 70 * time.Hour, Lasts: 55 * time.Minute, Least: 8 * time.Minute, Done: func(lasted time.Duration) {
			weaker(lasted)
			reportStop(f.u, lasted, "transformer trip", "tapping gun", "charging crane", "leak of cooling water", "gas cleaning")
		}},
		{Category: plant.Stop, Reason: "fault", Every: 36 * time.Hour, Lasts: 3 * time.Minute, Least: 40 * time.Second},
	}
}

// power is what the furnace draws at present, in kW.
func (f *furnace) power() float64 { return f.share * rated(f.u, 25_000) }

// heat burns for so long, the last part of it with an open tap-hole.
func (f *furnace) heat(length time.Duration) {
	u := f.u
	h := &heat{id: f.w.Serial("HEAT"), sec: limited(u, 12.12, 0.015, 11.9, 12.7), yield: limited(u, 0.835, 0.006, 0.822, 0.848)}
	u.Set("heat_no", float64(number(h.id)))
	u.State(plant.Run, "")
	for left := length - tapping; left > 0; {
		d := min(left, u.Spread(mixing, 0.1))
		if left-d < mixing/2 {
			d = left
		}
		f.burn(h, d)
		left -= d
	}
	f.tap(h)
}

// number is the number in an id such as HEAT-0012.
func number(id string) int {
	n := 0
	for _, c := range id {
		if c >= '0' && c <= '9' {
			n = 10*n + int(c-'0')
		}
	}
	return n
}

// burn charges a mix and smelts it.
func (f *furnace) burn(h *heat, d time.Duration) {
	rate := f.charge(h, d)
	f.u.Making(rate, 0)
	f.u.Work(d)
	f.u.Making(0, 0)
	h.made += rate * d.Seconds()
}

// charge sets the power for the next d and charges what it smelts; it returns the metal in kg/s.
func (f *furnace) charge(h *heat, d time.Duration) float64 {
	u := f.u
	f.share += 0.35*(meanShare-f.share) + 0.004*u.Rand().NormFloat64()
	f.share = min(0.795, f.share)
	rate := f.power() / h.sec / 3600
	kg := rate * d.Seconds() / siInQuartz / h.yield
	f.mix(h, world.Amount(kg))
	f.fume = kg * siInQuartz * (1 - h.yield) * silicaPerSi / d.Hours() / 1000
	u.Load(f.power(), 0)
	f.slip(d)
	f.show(f.power())
	return rate
}

// tap lets the metal run out, weighs it and enters what was made.
func (f *furnace) tap(h *heat) {
	u := f.u
	f.ladleOxygen = limited(u, 35, 0.15, 20, 55)
	u.SetText("tap_start", f.clock())
	f.tapHole(true)
	rate := f.charge(h, tapping)
	kg := world.Amount(h.made + rate*tapping.Seconds())
	u.Make(kg.Float()-h.made, rate, 0)
	f.ladleOxygen = 0
	f.tapHole(false)
	u.SetText("tap_end", f.clock())
	u.Set("tap_weight_kg", limited(u, kg.Float(), 0.002, 1500, 6000))
	u.Set("tap_temp_c", limited(u, 1575, 0.012, 1480, 1640))
	f.book(h, kg)
}

// clock is the time as the furnace's panel shows it.
func (f *furnace) clock() string { return f.u.Now().Time().In(f.w.Location()).Format(time.RFC3339) }

// book enters the heat, and two or three hours later what the laboratory found in it.
func (f *furnace) book(h *heat, kg world.Quantity) {
	u, w := f.u, f.w
	n := h.id[len("HEAT-"):]
	mg, slag := "MG-"+n, "SLAG-"+n
	bad := u.Rand().Float64() < offGrade
	lot := world.Lot{ID: mg, Kind: "mg", Product: u.Makes(), Quantity: kg, UnitOf: "kg"}
	sold := w.Stock(mgStock).Have() > world.Whole(enoughMG)
	switch {
	case bad:
		lot.Why = "held back: metals above the limit"
	case sold:
		lot.Why = "sold"
	}
	w.AddLot(lot)
	w.AddStep(world.Step{
		ID: h.id, Stage: u.Stage, Unit: u.ID, From: f.from.Time(), To: u.Now().Time(), Inputs: h.quartz,
		Outputs: []world.Portion{{Lot: mg, Quantity: kg}, {Lot: slag, Quantity: world.Amount(u.Vary(slagShare, 0.12) * kg.Float()), Scrap: true}},
	})
	if !bad && !sold {
		w.Stock(mgStock).Put(world.Held{Lot: mg, Quantity: kg})
	}
	f.analyse(calendar.Interval{From: f.from, To: u.Now()}, kg, bad)
	f.from = u.Now()
}

// analyse is what the works' laboratory finds in the metal.
func (f *furnace) analyse(v calendar.Interval, kg world.Quantity, bad bool) {
	u, w := f.u, f.w
	fe, al := limited(u, 0.32, 0.15, 0.1, 0.49), limited(u, 0.18, 0.2, 0.05, 0.4)
	ca, ti := limited(u, 0.06, 0.25, 0.01, 0.2), limited(u, 0.025, 0.15, 0.01, 0.05)
	if bad {
		fe += 0.6
	}
	w.At(u.Now().Add(u.Spread(150*time.Minute, 0.15)), func() {
		u.Set("lab_fe_percent", fe)
		u.Set("lab_al_percent", al)
		u.Set("lab_ca_percent", ca)
		u.Set("lab_ti_percent", ti)
		if bad {
			quantity := exact.Frac(int64(kg), int64(world.Whole(1)))
			enter(w, record.Record{
				Kind: record.Scrap, Unit: u.ID, From: v.From, To: v.To, Quantity: &quantity, ReportedAt: w.Now(), Reason: "iron above the limit",
			}, "works laboratory", fmt.Sprintf("Fe %.2f %%", fe))
		}
	})
}

// maintain is a planned standstill, once in some weeks.
func (f *furnace) maintain() {
	u, w := f.u, f.w
	lasts := u.Spread(9*time.Hour, 0.12)
	enter(w, record.Record{Kind: record.PlannedStop, Unit: u.ID, From: u.Now(), To: u.Now().Add(lasts), Reason: "maintenance"}, "maintenance planning", "plan of the month")
	u.Pause(&world.Hazard{Category: plant.Planned}, lasts)
	f.share *= restart(lasts)
	f.next = u.Now().Add(u.Spread(maintenances, 0.1))
}
