package world

import (
	"hash/fnv"
	"math"
	"strconv"
	"strings"

	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// signal is what a unit shows of one of its class's signals.
type signal struct {
	*plant.Signal
	hash  uint64
	kind  showing
	value telemetry.Value // as set
	curve Curve
	since float64 // seconds of work at which curve began
	sigma float64
	// Of a measured value: kept within [low, high] where the model says them, and shown in steps as a converter has them.
	low, high, step float64
	bounded         bool
	scale           float64 // of a counter or register: shown in steps of 1/scale
	modulus         float64 // of a counter or register, 0: none
	quiet           string  // what a state without a script shows where all is well
	offset          float64 // added to a register: what it showed when it was new
	held            float64 // of a counter that is reported per batch: as of the end of the last one

	shown telemetry.Value // as the machine last showed it
	seen  telemetry.Value // as the observer last got it, with faults
	ever  bool            // something was shown yet
}

// showing says where a signal's value comes from.
type showing uint8

const (
	nothing  showing = iota // nobody said yet: it wanders
	asSet                   // Set
	onCurve                 // Curve
	pieces                  // of the role total
	goodOnes                // of the role good
	badOnes                 // of the role scrap
	register                // of the role energy
	drawn                   // of the role power
)

// makeSignals sets up the signals as the model describes them.
func (u *Unit) makeSignals() {
	c := u.Class
	for i := range c.Signals {
		p := &c.Signals[i]
		s := signal{Signal: p, hash: u.hash(p.Name), scale: 1}
		s.span()
		if r, ok := p.Rules.At(u.w.now); ok && r.Kind == plant.Rollover {
			s.modulus = r.Modulus.Float()
		}
		switch p {
		case c.Total:
			s.kind = pieces
		case c.Good:
			s.kind = goodOnes
		case c.Scrap:
			s.kind = badOnes
		case c.Energy:
			s.kind, s.scale = register, 100
			s.offset = math.Floor(u.rng.Float64() * 90_000)
		case c.Power:
			s.kind = drawn
		}
		u.signals = append(u.signals, s)
		u.byName[p.Name] = i
	}
}

// converter is how many steps the range of a measured value has: 14 bits, as usual for the inputs of controllers.
const converter = 1 << 14

func (u *Unit) hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(u.ID + "\x00" + name + "\x00" + strconv.FormatUint(u.w.opts.Seed, 10))) // never fails
	return h.Sum64()
}

// span takes range, noise and resolution from the model.
func (s *signal) span() {
	width := 100.0
	if s.Range != nil {
		s.bounded, s.low, s.high = true, s.Range.Low.Float(), s.Range.High.Float()
		width = s.high - s.low
	}
	s.step = width / converter
	if s.Kind == plant.State {
		s.quiet = quietWord(s.Name)
	}
	if s.Kind == plant.Analog {
		s.sigma = width / 2000
	}
	if s.Type == plant.Float {
		s.scale = 1000
	}
}

// Has says that the model knows a signal of the unit.
func (u *Unit) Has(name string) bool {
	_, ok := u.byName[name]
	return ok
}

// Set shows a number, from now on. A signal that the model leaves out is nobody's: so scripts serve richer and poorer models.
func (u *Unit) Set(name string, v float64) {
	i, ok := u.byName[name]
	if !ok {
		return
	}
	switch s := &u.signals[i]; {
	case s.Type == plant.Int:
		u.SetValue(name, telemetry.IntValue(int64(math.Round(v))))
	case s.Type == plant.String:
		u.SetValue(name, telemetry.StringValue(strconv.FormatFloat(v, 'f', -1, 64)))
	case s.Kind == plant.Analog:
		u.SetValue(name, telemetry.FloatValue(float64(float32(v)))) // as what is measured
	default:
		u.SetValue(name, telemetry.FloatValue(v))
	}
}

// SetText shows a text.
func (u *Unit) SetText(name, text string) { u.SetValue(name, telemetry.StringValue(text)) }

// SetFlag shows 1 or 0.
func (u *Unit) SetFlag(name string, on bool) {
	v := 0.0
	if on {
		v = 1
	}
	u.Set(name, v)
}

// SetValue shows a value of the signal's type, from now on.
func (u *Unit) SetValue(name string, v telemetry.Value) {
	i, ok := u.byName[name]
	if !ok {
		return
	}
	s := &u.signals[i]
	s.kind, s.value = asSet, v
	u.look(i, false)
}

// Follow lets a measured value go on by a curve, from now on.
func (u *Unit) Follow(name string, c Curve) {
	if i, ok := u.byName[name]; ok {
		s := &u.signals[i]
		s.kind, s.curve, s.since = onCurve, c, u.workedNow()
	}
}

// Noise is the standard deviation of a measured value, in its unit; by default a 2000th of its range.
func (u *Unit) Noise(name string, sigma float64) {
	if i, ok := u.byName[name]; ok {
		u.signals[i].sigma = sigma
	}
}

// Truth is what a signal's curve says now, without noise; 0 when it has none.
func (u *Unit) Truth(name string) float64 {
	i, ok := u.byName[name]
	if !ok || u.signals[i].curve == nil {
		return 0
	}
	return u.signals[i].curve(u.workedNow() - u.signals[i].since)
}

// SwapRegister replaces the unit's energy meter: the register goes on from initial. It returns what the old one showed last
// and the new one first.
func (u *Unit) SwapRegister(initial float64) (last, first exact.Num) {
	i := u.byName[u.Class.Energy.Name]
	s := &u.signals[i]
	u.settle()
	old := u.reading(s)
	s.offset = initial - u.EnergyNow()
	last, _ = exact.FromFloat(old.Float())
	first, _ = exact.FromFloat(u.reading(s).Float())
	return last, first
}

// reading is what a signal shows at this moment.
func (u *Unit) reading(s *signal) telemetry.Value {
	switch s.kind {
	case asSet:
		return s.value
	case onCurve:
		return s.measured(s.curve(u.workedNow()-s.since), u.w.now)
	case drawn:
		return s.measured(u.LoadNow(), u.w.now)
	case register:
		return s.counted(u.EnergyNow() + s.offset)
	case pieces, goodOnes, badOnes:
		if s.Reporting == plant.PerBatch {
			return s.counted(s.held)
		}
		return s.counted(u.count(s))
	default:
		return s.wander(u.w.now)
	}
}

// count is what the unit counted for s.
func (u *Unit) count(s *signal) float64 {
	total, bad := u.made()
	switch s.kind {
	case badOnes:
		return bad
	case goodOnes:
		return total - bad
	default:
		return total
	}
}

// counted shows a cumulative number.
func (s *signal) counted(x float64) telemetry.Value {
	if s.modulus > 0 {
		x = math.Mod(x, s.modulus)
	}
	if s.Type == plant.Int {
		return telemetry.IntValue(int64(floor(x)))
	}
	return telemetry.FloatValue(floor(x*s.scale) / s.scale)
}

// measured shows a value as an instrument does, and a controller that keeps it in 32 bits (IEC 61131-3 REAL).
func (s *signal) measured(x float64, at Instant) telemetry.Value {
	x += s.sigma * s.noise(at)
	if s.bounded {
		x = min(s.high, max(s.low, x))
	}
	if s.Type == plant.Int {
		return telemetry.IntValue(int64(math.Round(x)))
	}
	return telemetry.FloatValue(float64(float32(s.low + math.Round((x-s.low)/s.step)*s.step)))
}

// noise is about normally distributed, and depends on nothing but the signal and the moment.
func (s *signal) noise(at Instant) float64 {
	h := mix(s.hash ^ uint64(at)*0x9E3779B97F4A7C15)
	sum := 0.0
	for range 4 { // the sum of four even numbers
		sum += float64(h & 0xFFFF)
		h >>= 16
	}
	return (sum/65535 - 2) * math.Sqrt(3)
}

// mix spreads the bits of x (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// wander is the value of a signal that no script speaks of: a measured one goes slowly to and fro within its range, a set-point
// or a code stays for minutes.
func (s *signal) wander(at Instant) telemetry.Value {
	const period = 1800e9
	phase := float64(s.hash%1000) / 1000
	if s.Kind == plant.Analog && s.Sampling > 0 {
		middle, reach := 50.0, 20.0
		if s.bounded {
			middle, reach = (s.low+s.high)/2, (s.high-s.low)/5
		}
		return s.measured(middle+reach*math.Sin(2*math.Pi*(float64(at%period)/period+phase)), at)
	}
	step := mix(s.hash ^ uint64(at)/uint64(wanderEvery))
	switch {
	case s.Type == plant.String:
		return telemetry.StringValue("R-" + strconv.FormatUint(step%8, 10))
	case s.Kind == plant.Counter:
		return telemetry.IntValue(int64(at) / int64(wanderEvery))
	case s.Kind == plant.Analog && s.bounded:
		return s.measured(s.low+(s.high-s.low)*float64(step%64)/64, at)
	case s.Type == plant.Float:
		return telemetry.FloatValue(float64(step % 64))
	case s.quiet != "":
		return valueOf(s.Type, s.quiet)
	default:
		return telemetry.IntValue(int64(step % 2))
	}
}

// quietWord is what a state shows in a plant where all is well, by its name: "0" of an alarm, "1" of what should be so; "" when
// the name says nothing of the kind.
func quietWord(name string) string {
	for _, word := range strings.Split(name, "_") {
		switch word {
		case "alarm", "fault", "trip", "tripped", "leak", "emergency", "warning", "fail", "failed", "overload", "jam", "broken":
			return "0"
		case "ok", "closed", "ready", "healthy":
			return "1"
		}
	}
	return ""
}
