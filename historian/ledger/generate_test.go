package ledger_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// Random inputs live in the first generatedEnd nanoseconds of 1970, so that an oracle can look at every single one of them.
const generatedEnd = 100

// perNano is 1 µWh in every nanosecond, in mW.
const perNano = 3_600_000_000

// fairInputs is how many fair inputs each property is checked with.
var fairInputs = flag.Int("fair", 300, "fair random inputs for each property")

// generator draws inputs. Quantities are multiples of scale, that makes the rounding of shares as small as wanted.
type generator struct {
	t     *rapid.T   // draws, preferring small numbers (so that most inputs hold next to nothing), and shrinks what it finds
	fair  *rand.Rand // draws any number as likely as any other; nil: t draws
	scale int64
}

// check tries a property with fair inputs and with those of rapid.
func check(t *testing.T, scale int64, property func(t rapid.TB, g generator)) {
	t.Helper()
	for seed := range *fairInputs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			property(t, generator{fair: rand.New(rand.NewPCG(uint64(seed), 0)), scale: scale})
		})
	}
	if !t.Failed() {
		rapid.Check(t, func(t *rapid.T) { property(t, generator{t: t, scale: scale}) })
	}
}

func (g generator) int(low, high int, label string) int {
	if g.fair != nil {
		return low + g.fair.IntN(high-low+1)
	}
	return rapid.IntRange(low, high).Draw(g.t, label)
}

func pick[T any](g generator, label string, from ...T) T { return from[g.int(0, len(from)-1, label)] }

func (g generator) chance(percent int, label string) bool { return g.int(1, 100, label) <= percent }

func (g generator) quantity(most int, label string) exact.Num {
	return exact.Int(int64(g.int(0, most, label)) * g.scale)
}

// times are up to most distinct moments, sorted.
func (g generator) times(most int, label string) []telemetry.Instant {
	var out []telemetry.Instant
	for range g.int(0, most, label+" count") {
		out = append(out, telemetry.Instant(g.int(0, generatedEnd, label)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (g generator) interval(label string) calendar.Interval {
	from := g.int(0, generatedEnd-1, label+" from")
	return calendar.Interval{From: telemetry.Instant(from), To: telemetry.Instant(g.int(from+1, generatedEnd, label+" to"))}
}

func (g generator) set(most int, label string) calendar.Set {
	var all []calendar.Interval
	for range g.int(0, most, label+" count") {
		all = append(all, g.interval(label))
	}
	return calendar.NewSet(all...)
}

func (g generator) input() *ledger.Input {
	in := &ledger.Input{
		Unit: "U", Horizon: telemetry.Instant(g.int(generatedEnd/2, generatedEnd+10, "horizon")),
		Shifts: g.set(3, "shifts"), Always: g.chance(40, "always"), PlannedStops: g.set(2, "planned stops"),
		Alive: g.set(4, "alive"), AlwaysAlive: g.chance(50, "always alive"),
	}
	for i, at := range g.times(12, "states") {
		if i == 0 {
			at /= 4
		}
		s := ledger.State{
			At: at, Category: ledger.Category(g.int(0, int(ledger.Nonscheduled), "category")),
			Code: pick(g, "code", "A", "B"), Reason: pick(g, "reason", "", "why"),
			Bad: g.chance(15, "bad"),
		}
		if g.chance(70, "stop or run") {
			s.Category = ledger.Run + 2*ledger.Category(g.int(0, 1, "stop"))
		}
		s.Unmapped = s.Category == ledger.Unknown && g.chance(50, "unmapped")
		in.States = append(in.States, s)
	}
	for _, at := range g.times(2, "limits") {
		in.Limits = append(in.Limits, ledger.Limits{From: at - 50, MinorStop: time.Duration(g.int(0, 30, "minor stop"))})
	}
	in.Total, in.Good, in.Scrap = g.counter("total"), g.counter("good"), g.counter("scrap")
	in.Ideals, in.Watts = g.prices()
	g.people(in)
	in.Energy = g.counter("energy")
	if g.chance(50, "power") {
		in.Power = g.power()
	}
	return in
}

func (g generator) prices() (ideals []ledger.Ideal, watts []ledger.Watts) {
	for _, at := range g.times(3, "ideals") {
		ideals = append(ideals, ledger.Ideal{From: at - 20, Product: pick(g, "product", "P", "Q"), Seconds: exact.Frac(int64(g.int(1, 9, "seconds")), 3)})
	}
	for _, at := range g.times(3, "watts") {
		watts = append(watts, ledger.Watts{From: at - 20, Product: pick(g, "product", "P", "Q"), PerPiece: exact.Frac(int64(g.int(1, 900, "Wp")), 7)})
	}
	return ideals, watts
}

// people draws what people enter.
func (g generator) people(in *ledger.Input) {
	for range g.int(0, 3, "booked") {
		in.Booked = append(in.Booked, ledger.Booking{
			Interval: g.interval("booked"), Product: pick(g, "product", "", "P", "Q", "R"),
			Total: g.quantity(40, "booked total"), Good: g.quantity(40, "booked good"), Completion: g.chance(30, "completion"),
		})
	}
	slices.SortStableFunc(in.Booked, func(a, b ledger.Booking) int { return int(a.From - b.From) })
	for range g.int(0, 2, "scrap reports") {
		in.ScrapReports = append(in.ScrapReports, ledger.ScrapReport{Made: g.interval("made"), Quantity: g.quantity(20, "scrapped")})
	}
	slices.SortStableFunc(in.ScrapReports, func(a, b ledger.ScrapReport) int { return int(a.Made.From - b.Made.From) })
}

func (g generator) counter(name string) *ledger.Counter {
	if g.chance(40, "no "+name) {
		return nil
	}
	c := &ledger.Counter{OnChange: g.chance(30, "on change"), Beat: time.Duration(g.int(0, 7, "beat")), Blind: g.set(2, "blind")}
	for _, at := range g.times(2, "rules") {
		r := ledger.Rule{From: at, Epsilon: g.quantity(4, "epsilon")}
		if g.chance(60, "rollover") {
			r.Kind, r.Modulus = ledger.Rollover, exact.Int(int64(g.int(61, 80, "modulus"))*g.scale)
			if g.chance(60, "limited") {
				r.MaxPerSecond = exact.Int(int64(g.int(1, 9, "max per ns")) * g.scale * int64(time.Second))
			}
		}
		c.Rules = append(c.Rules, r)
	}
	for _, at := range g.times(8, name) {
		c.Readings = append(c.Readings, ledger.Reading{At: at, Value: g.quantity(60, "value")})
	}
	for _, at := range g.times(2, "swaps") {
		c.Swaps = append(c.Swaps, ledger.Swap{At: at, Final: g.quantity(60, "final"), Initial: g.quantity(60, "initial")})
	}
	return c
}

func (g generator) power() *ledger.Power {
	p := &ledger.Power{}
	power := func(label string) exact.Num { return exact.Int(int64(g.int(0, 5, label)) * g.scale * perNano / 7) }
	for _, at := range g.times(8, "power") {
		p.Readings = append(p.Readings, ledger.PowerReading{At: at, MW: power("mW"), Bad: g.chance(15, "bad")})
	}
	for _, at := range g.times(2, "bounds") {
		p.Bounds = append(p.Bounds, ledger.PowerBounds{
			From: at - 30, Hold: time.Duration(g.int(0, 20, "hold")), Min: power("min"), Rated: power("rated"), HasRated: g.chance(70, "rated known"),
		})
	}
	return p
}

// borders are sorted moments in and around the generated time, some of them equal.
func (g generator) borders() []telemetry.Instant {
	var out []telemetry.Instant
	for range g.int(2, 8, "borders count") {
		out = append(out, telemetry.Instant(g.int(-20, generatedEnd+20, "border")))
	}
	slices.Sort(out)
	return out
}
