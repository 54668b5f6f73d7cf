package world

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// Unit is one machine. Its methods up to Load are the words of its script and are called from there only.
type Unit struct {
	*plant.Unit
	w    *World
	rng  *rand.Rand
	next func() (struct{}, bool) // lets the script go on to its next wait
	stop func()
	lets func(struct{}) bool // the script's side of it

	signals []signal
	byName  map[string]int

	// OnPause and OnResume, when set, are called when work stops and goes on: to let the wire stand, the spindle run down.
	OnPause  func(h *Hazard)
	OnResume func()
	hazards  []*hazard
	heeds    bool // work is interrupted by what the calendar plans

	category plant.Category
	reason   string
	paused   bool
	worked   float64 // seconds of work since the begin, up to since
	since    Instant // when the present pace began: all below is as of then
	making   pace
	load     load
	standby  float64 // kW while paused
	energy   float64 // kWh
	sums     []*Unit // a meter: units whose energy is part of its own
	segments []Segment

	faults  []Fault
	watched []*watch
}

// pace is what is made at present, and what was.
type pace struct {
	total, scrap           float64 // pieces made so far
	perSecond, scrapSecond float64 // 0 while paused
	want, wantScrap        float64 // what perSecond goes back to after a pause
}

// load is the power drawn while working: a line.
type load struct {
	kw, slope float64 // kW, kW per second of work
	from      float64 // seconds of work
}

func newUnit(w *World, p *plant.Unit) *Unit {
	u := &Unit{Unit: p, w: w, rng: w.Rand("unit " + p.ID), byName: map[string]int{}, since: w.now, category: plant.Idle, heeds: true}
	u.makeSignals()
	return u
}

// stopped leaves a script when the world is closed.
type stopped struct{}

// begin starts the script.
func (u *Unit) begin(p Process) {
	if p == nil {
		u.State(plant.Run, "")
		return
	}
	u.next, u.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(stopped); !ok {
					panic(r)
				}
			}
		}()
		u.lets = yield
		p.Run(u)
	})
	u.w.At(u.w.now, func() { u.next() })
	// The opening stocks and states are there before anybody looks.
}

func (u *Unit) end() {
	if u.stop != nil {
		u.stop()
	}
}

// yield gives way until an event calls next.
func (u *Unit) yield() {
	if !u.lets(struct{}{}) {
		panic(stopped{})
	}
}

// World is where the unit stands.
func (u *Unit) World() *World { return u.w }

// Now is the present moment.
func (u *Unit) Now() Instant { return u.w.now }

// Rand is the unit's own chance.
func (u *Unit) Rand() *rand.Rand { return u.rng }

// Vary is x changed by chance: normally distributed with the relative deviation rel, and no further than three of them.
func (u *Unit) Vary(x, rel float64) float64 {
	return x * (1 + rel*max(-3, min(3, u.rng.NormFloat64())))
}

// Spread is d changed by chance as Vary does, cut to 100 ms and never below that.
func (u *Unit) Spread(d time.Duration, rel float64) time.Duration {
	return max(100*time.Millisecond, time.Duration(u.Vary(float64(d), rel)).Truncate(100*time.Millisecond))
}

// Wait lets time pass without work: what is made stands still unless Making says otherwise, nothing interrupts.
func (u *Unit) Wait(d time.Duration) {
	if d <= 0 {
		return
	}
	u.w.schedule(u.w.now.Add(d.Truncate(100)), happens, func() { u.next() })
	u.yield()
}

// WaitUntil waits for a moment.
func (u *Unit) WaitUntil(t Instant) { u.Wait(t.Sub(u.w.now)) }

// State says what the unit does now: a category of the model and, where the unit stands, why. The code is that which the
// unit's state map gives to both, else the first one of the category; a signal with the role reason says why as well.
func (u *Unit) State(c plant.Category, reason string) {
	u.settle()
	u.lookOnChange()
	u.category, u.reason = c, reason
	u.note()
	if u.Class.State == nil {
		return
	}
	code, ok := u.stateCode(c, reason)
	if !ok {
		u.w.fail(fmt.Errorf("unit %s: the state map of its class %s has no code of category %s", u.ID, u.Class.Name, c))
		return
	}
	if r := u.Class.Reason; r != nil {
		if v, ok := u.reasonValue(r, c, reason); ok {
			u.SetValue(r.Name, v)
		}
	}
	u.SetValue(u.Class.State.Name, code)
}

// Category is what the unit does at present.
func (u *Unit) Category() plant.Category { return u.category }

// stateCode finds the code for a category and reason: the first one of the category that says the reason, else that says none,
// else any.
func (u *Unit) stateCode(c plant.Category, reason string) (v telemetry.Value, ok bool) {
	codes, _ := u.States.At(u.w.now)
	best, rank := "", 0
	for code, m := range codes {
		fits := 1
		switch {
		case m.Category != c:
			continue
		case reason != "" && m.Reason == reason:
			fits = 3
		case m.Reason == "" || m.Reason == code:
			fits = 2
		}
		if fits > rank || fits == rank && less(code, best) {
			best, rank = code, fits
		}
	}
	if rank == 0 {
		return v, false
	}
	return valueOf(u.Class.State.Type, best), true
}

// less orders codes as numbers where they are numbers.
func less(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// reasonValue is what the signal reason shows: the code of the words, or the words; 0 or "" while the unit runs.
func (u *Unit) reasonValue(s *plant.Signal, c plant.Category, reason string) (telemetry.Value, bool) {
	if c == plant.Run || reason == "" {
		if s.Type == plant.String {
			return telemetry.StringValue("-"), true
		}
		return telemetry.IntValue(0), true
	}
	best := ""
	for code, words := range u.Class.Reasons {
		if words == reason && (best == "" || less(code, best)) {
			best = code
		}
	}
	if best != "" {
		return valueOf(s.Type, best), true
	}
	return telemetry.StringValue(reason), s.Type == plant.String
}

func valueOf(t plant.SignalType, code string) telemetry.Value {
	if t == plant.String {
		return telemetry.StringValue(code)
	}
	var n int64
	if _, err := fmt.Sscan(code, &n); err != nil {
		return telemetry.StringValue(code)
	}
	return telemetry.IntValue(n)
}

// Making says what is made from now on, pieces a second, and how many of them are scrap; the counters follow.
func (u *Unit) Making(perSecond, scrap float64) {
	u.settle()
	u.making.want, u.making.wantScrap = perSecond, scrap
	if !u.paused {
		u.making.perSecond, u.making.scrapSecond = perSecond, scrap
	}
	u.note()
}

// Make works until so many pieces are made, so many a second, of which scrap are no good; exactly so many are counted in the
// end.
func (u *Unit) Make(pieces, perSecond, scrap float64) {
	if pieces <= 0 {
		return
	}
	u.settle()
	total, bad := u.making.total+pieces, u.making.scrap+scrap
	d := time.Duration(pieces / perSecond * 1e9).Truncate(100)
	u.Making(perSecond, scrap*perSecond/pieces)
	u.Work(d)
	u.Making(0, 0)
	u.making.total, u.making.scrap = total, bad
	u.lookAtCounters()
}

// Load is the power drawn while working, from now on: kw, growing by slope kW a second of work.
func (u *Unit) Load(kw, slope float64) {
	u.settle()
	u.load = load{kw: kw, slope: slope, from: u.worked}
	u.note()
}

// Standby is the power drawn while work stands still.
func (u *Unit) Standby(kw float64) {
	u.settle()
	u.standby = kw
	u.note()
}

// Measures makes the unit a meter: its register counts the energy of others too, besides its own load.
func (u *Unit) Measures(others ...*Unit) { u.sums = append(u.sums, others...) }

// Measured are the units that Measures names.
func (u *Unit) Measured() []*Unit { return slices.Clone(u.sums) }

// PresetCounters says what the unit's counters show when it begins: pieces of years before, so that a counter comes near its
// modulus.
func (u *Unit) PresetCounters(total, scrap float64) {
	u.settle()
	u.making.total, u.making.scrap = total, scrap
	u.lookAtCounters()
}

// ResetCounters sets what the unit counts to zero, as a machine does that was switched off.
func (u *Unit) ResetCounters() {
	u.settle()
	u.making.total, u.making.scrap = 0, 0
	u.lookAtCounters()
}

// settle brings the sums up to now, before the pace changes.
func (u *Unit) settle() {
	dt := u.elapsed()
	if dt > 0 {
		u.energy += u.loadOver(dt) / 3600
		u.making.total += u.making.perSecond * dt
		u.making.scrap += u.making.scrapSecond * dt
		if !u.paused {
			u.worked += dt
		}
	}
	u.since = u.w.now
}

// elapsed is the time since the present pace began, in seconds.
func (u *Unit) elapsed() float64 { return u.w.now.Sub(u.since).Seconds() }

// loadOver is the energy of the next dt seconds, in kW·s.
func (u *Unit) loadOver(dt float64) float64 {
	if u.paused {
		return u.standby * dt
	}
	begin := u.worked - u.load.from
	return u.load.kw*dt + u.load.slope*dt*(begin+dt/2)
}

// LoadNow is the power drawn at this moment, in kW, of a meter with all that it measures.
func (u *Unit) LoadNow() float64 {
	kw := u.standby
	if !u.paused {
		kw = u.load.kw + u.load.slope*(u.workedNow()-u.load.from)
	}
	for _, o := range u.sums {
		kw += o.LoadNow()
	}
	return kw
}

// EnergyNow is what was drawn since the begin, in kWh, of a meter with all that it measures.
func (u *Unit) EnergyNow() float64 {
	kwh := u.energy + u.loadOver(u.elapsed())/3600
	for _, o := range u.sums {
		kwh += o.EnergyNow()
	}
	return kwh
}

// workedNow is the time worked since the begin, in seconds.
func (u *Unit) workedNow() float64 {
	if u.paused {
		return u.worked
	}
	return u.worked + u.elapsed()
}

// made are the pieces made so far, and those that are no good.
func (u *Unit) made() (total, scrap float64) {
	dt := u.elapsed()
	return u.making.total + u.making.perSecond*dt, u.making.scrap + u.making.scrapSecond*dt
}

// floor cuts a count, not fooled by what floating point leaves just below a whole number.
func floor(x float64) float64 { return math.Floor(x + 1e-6) }
