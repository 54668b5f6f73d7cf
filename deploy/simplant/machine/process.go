package machine

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"kvarts/deploy/simplant/uaserver"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// tick is the step of every simulated process, and the shortest sampling period.
const tick = 100 * time.Millisecond

// Sampling periods of the machines' signals.
const (
	fast     = tick
	second   = time.Second
	onChange = time.Duration(0)
)

// Options of a simulated machine.
type Options struct {
	// Seed decides all that is random.
	Seed uint64
	// Pace is how much faster than the clock the process itself runs, so that a demo
	// of a minute sees phases that take hours. Sampling periods and timestamps are not
	// changed by it. 0 means 1.
	Pace float64
}

// process is the frame of a machine: its signals and the loop that samples them. The
// machine embeds it, adds signals with the add methods and sets advance.
type process struct {
	uri, name string
	signals   []Signal
	read      []func() any
	last      []any
	rng       *rand.Rand
	pace      float64
	advance   func(dt float64) // moves the process by dt seconds of its own time
	at        time.Time        // of the last tick; zero before the first Step
	ticks     int64
}

func newProcess(uri, name string, opts Options) process {
	if opts.Pace == 0 {
		opts.Pace = 1
	}
	return process{uri: uri, name: name, pace: opts.Pace, rng: rand.New(rand.NewPCG(opts.Seed, 0x6B76617274730A))}
}

// URI implements Machine.
func (p *process) URI() string { return p.uri }

// Name implements Machine.
func (p *process) Name() string { return p.name }

// Signals implements Machine.
func (p *process) Signals() []Signal { return slices.Clone(p.signals) }

// Step implements Machine.
func (p *process) Step(now time.Time, out []Reading) []Reading {
	if p.at.IsZero() {
		p.at = now.Truncate(tick)
		return p.sample(out, true)
	}
	for next := p.at.Add(tick); !next.After(now); next = p.at.Add(tick) {
		p.at = next
		p.ticks++
		p.advance(tick.Seconds() * p.pace)
		out = p.sample(out, false)
	}
	return out
}

// sample appends the readings of this tick: what is due and what changed.
func (p *process) sample(out []Reading, all bool) []Reading {
	for i := range p.signals {
		every := int64(p.signals[i].Period / tick)
		// Signals of one period are spread over its ticks, as scan cycles do.
		due := every > 0 && p.ticks%every == int64(i)%every
		if every > 0 && !due && !all {
			continue
		}
		v := p.read[i]()
		if every == 0 && !all && v == p.last[i] {
			continue
		}
		p.last[i] = v
		out = append(out, Reading{Signal: i, Value: v, Status: ua.StatusOK, At: p.at.Add(p.jitter())})
	}
	return out
}

// jitter is the time from the tick to the reading: below 1 ms, in steps of 100 ns.
func (p *process) jitter() time.Duration {
	return time.Duration(p.rng.IntN(10_000)) * 100
}

// noise is normally distributed with standard deviation sigma.
func (p *process) noise(sigma float64) float64 { return p.rng.NormFloat64() * sigma }

// chance tells whether an event with the given rate per hour of process time happens
// within dt seconds.
func (p *process) chance(perHour, dt float64) bool {
	return p.rng.Float64() < 1-math.Exp(-perHour*dt/3600)
}

// add appends a signal.
func (p *process) add(s Signal, read func() any) {
	p.signals = append(p.signals, s)
	p.read = append(p.read, read)
	p.last = append(p.last, nil)
}

// analog adds a Double with a unit and a range; the value read is *v with noise sigma,
// kept within the range and rounded to the resolution of an instrument.
func (p *process) analog(path string, period time.Duration, unit *uaserver.Unit, low, high, sigma float64, v *float64) {
	scale := decimals(high - low)
	p.add(Signal{Path: path, DataType: id.Double, Period: period, Unit: unit, Range: &uaserver.Range{Low: low, High: high}}, func() any {
		return math.Round(min(high, max(low, *v+p.noise(sigma)))*scale) / scale
	})
}

// decimals returns 10ⁿ, n being the decimals that an instrument with this span shows:
// enough for a 20,000th of it.
func decimals(span float64) float64 {
	return math.Pow(10, math.Ceil(math.Log10(20_000/span)))
}

// counter adds a Double that only grows, such as an energy register.
func (p *process) counter(path string, period time.Duration, unit *uaserver.Unit, v *float64) {
	p.add(Signal{Path: path, DataType: id.Double, Period: period, Unit: unit}, func() any {
		return math.Floor(*v*100) / 100
	})
}

// count adds a UInt32 that is sent on change.
func (p *process) count(path string, v *uint32) {
	p.add(Signal{Path: path, DataType: id.UInt32}, func() any { return *v })
}

// flag adds a Boolean that is sent on change.
func (p *process) flag(path string, v *bool) {
	p.add(Signal{Path: path, DataType: id.Boolean}, func() any { return *v })
}

// text adds a String that is sent on change.
func (p *process) text(path string, v *string) {
	p.add(Signal{Path: path, DataType: id.String}, func() any { return *v })
}

// state adds an enumeration that is sent on change.
func (p *process) state(path string, names []string, v *int32) {
	p.add(Signal{Path: path, DataType: id.Int32, States: names}, func() any { return *v })
}

// follow moves *x towards target with time constant tau seconds.
func follow(x *float64, target, tau, dt float64) {
	*x = target + (*x-target)*math.Exp(-dt/tau)
}
