package site

import (
	"fmt"
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

const (
	rounds      = 5 * time.Minute // between two looks at what hangs on the meter
	losses      = 0.006           // of what a shared meter measures: cables and transformers
	siteLosses  = 0.011
	serving     = 0.11 // kW of utilities per kW of the units that they serve
	servingBase = 2.5  // kW of utilities per unit that they serve
	swapAfter   = 50 * time.Hour
	swapWithin  = 60 * time.Hour
	nights      = 24 * 3600 // seconds of the daily swing
)

// meter is one meter of the tree.
type meter struct {
	u     *world.Unit
	w     *world.World
	m     *plant.Meter
	below []*world.Unit
	serve []*world.Unit // of a meter of utilities: the units that it is divided among
	volts float64       // between a phase and earth
	swap  world.Instant // when it is replaced; 0: never
}

// Run is the script.
func (x *meter) Run(u *world.Unit) {
	x.u, x.w, x.m = u, u.World(), metered(u)
	u.Continuous()
	x.below = newTree(x.w).below(x.m)
	u.Measures(x.below...)
	if len(x.below) == 0 {
		x.serve = x.served()
	}
	u.State(plant.Run, "")
	x.wires()
	x.plan()
	for {
		x.round()
		u.Wait(rounds)
		if x.swap > 0 && u.Now() >= x.swap {
			x.replace()
		}
	}
}

// served are the units among which the meter is divided.
func (x *meter) served() []*world.Unit {
	var out []*world.Unit
	for _, id := range x.m.Units {
		if u, ok := x.w.Unit(id); ok {
			out = append(out, u)
		}
	}
	return out
}

// round sets the meter's own load by what it measures, or serves.
func (x *meter) round() {
	u := x.u
	switch {
	case len(x.serve) > 0:
		kw := 0.0
		for _, s := range x.serve {
			kw += servingBase + serving*s.LoadNow()
		}
		t := float64(int64(u.Now())/1e9%nights) / nights
		u.Load(kw*(1+0.06*math.Sin(2*math.Pi*(t-0.2))), 0)
	case x.m.Parent == "":
		u.Load(siteLosses*x.load(), 0)
	case x.m.Kind == plant.Shared:
		u.Load(losses*x.load(), 0)
	}
	if p := u.Class.Power; p != nil {
		u.Noise(p.Name, 0.01+0.0005*u.LoadNow())
	}
}

// load is what hangs on the meter, in kW.
func (x *meter) load() float64 {
	kw := 0.0
	for _, b := range x.below {
		kw += b.LoadNow()
	}
	return kw
}

// wires is voltage, current and what follows from them: P = √3·U·I·PF, with U between two phases.
func (x *meter) wires() {
	u := x.u
	x.volts = 230.9 // 400 V
	if len(x.below) > 1 {
		x.volts = 5773.5 // 10 kV
	}
	if x.m.Parent == "" {
		x.volts = 63_508.5 // 110 kV
	}
	factor := 0.94 + 0.04*u.Rand().Float64()
	tangent := math.Tan(math.Acos(factor))
	u.Follow("power_factor", world.Level(factor))
	u.Noise("power_factor", 0.0005)
	u.Follow("reactive_power_kvar", func(float64) float64 { return u.LoadNow() * tangent })
	u.Noise("reactive_power_kvar", 0.05)
	u.Follow("apparent_power_kva", func(float64) float64 { return u.LoadNow() / factor })
	u.Noise("apparent_power_kva", 0.05)
	for i := range 3 {
		volts := world.Wave(world.Level(x.volts*(1+0.002*float64(i-1))), 0.008*x.volts, 21_000+500*float64(i))
		name := fmt.Sprintf("voltage_l%d_v", i+1)
		u.Follow(name, volts)
		u.Noise(name, 0.0004*x.volts)
		name = fmt.Sprintf("current_l%d_a", i+1)
		u.Follow(name, func(t float64) float64 { return u.LoadNow() * 1000 / 3 / volts(t) / factor })
		u.Noise(name, 0.02)
	}
	u.Follow("frequency_hz", world.Wave(world.Wave(world.Level(50), 0.012, 670), 0.008, 97))
	u.Noise("frequency_hz", 0.002)
	u.Follow("thd_percent", world.Wave(world.Level(2.6), 0.5, 9000))
	u.Noise("thd_percent", 0.05)
	u.Set("energy_export_kwh", 0)
	u.SetText("meter_serial", fmt.Sprintf("%08d", u.Rand().IntN(90_000_000)+10_000_000))
}

// plan chooses the one meter of the plant that is replaced some days after the begin, and when.
func (x *meter) plan() {
	var can []*world.Unit
	for _, o := range x.w.Units() {
		if m := metered(o); m != nil && m.Parent != "" {
			can = append(can, o)
		}
	}
	if len(can) == 0 {
		return
	}
	rng := x.w.Rand("meter swap")
	after := (swapAfter + time.Duration(rng.Float64()*float64(swapWithin))).Truncate(time.Second)
	if can[rng.IntN(len(can))] == x.u {
		x.swap = x.u.Now().Add(after)
	}
}

// replace puts a new meter in the place of the old one; the electrician enters it within the hour.
func (x *meter) replace() {
	u, w := x.u, x.w
	x.swap = 0
	last, first := u.SwapRegister(math.Round(10*u.Rand().Float64()*100) / 100)
	u.SetText("meter_serial", fmt.Sprintf("%08d", u.Rand().IntN(90_000_000)+10_000_000))
	r := record.Record{
		Kind: record.CounterSwap, Unit: u.ID, From: u.Now(), To: u.Now(), Reach: u.Now(), Signal: u.Class.Energy.Name,
		Final: &last, Initial: &first, Reason: "calibration expired",
	}
	r.ID = r.DefaultID()
	w.At(u.Now().Add(u.Spread(40*time.Minute, 0.2)), func() { w.AddRecord(r, "electrician", "work order") })
}
