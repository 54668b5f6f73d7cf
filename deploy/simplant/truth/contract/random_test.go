package contract

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Random vectors use few moments and small numbers, so that everything coincides with everything: readings with borders of
// shifts, swaps with readings, states with planned stops, drops with the epsilon, rates with their limit.

// source draws from a seed of rapid's, evenly: rapid itself prefers small numbers and short lists, of which nothing
// happens.
type source struct {
	*rand.Rand
	last int // number of the last moment
	tick time.Duration
}

func newSource(t *rapid.T) source {
	seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
	r := rand.New(rand.NewChaCha8([32]byte(seed)))
	return source{r, []int{6, 12, 20, 40}[r.IntN(4)], []time.Duration{time.Second, 700 * time.Millisecond, 7 * time.Minute}[r.IntN(3)]}
}

func (g source) at(tick int) telemetry.Instant {
	return telemetry.Instant(time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC).UnixNano()).Add(time.Duration(tick) * g.tick)
}

func (g source) moment() telemetry.Instant { return g.at(g.IntN(g.last + 1)) }

// interval is some ticks long, at least least.
func (g source) interval(least int) calendar.Interval {
	from := g.IntN(g.last - least + 1)
	return calendar.Interval{From: g.at(from), To: g.at(from + least + g.IntN(g.last-from-least+1))}
}

// after is a moment not before t.
func (g source) after(t telemetry.Instant) telemetry.Instant {
	tick := int(t.Sub(g.at(0)) / g.tick)
	return g.at(tick + g.IntN(g.last-tick+1))
}

func (g source) chance(percent int) bool { return g.IntN(100) < percent }

func (g source) quantity(of ...string) exact.Num {
	n, err := exact.Parse(of[g.IntN(len(of))])
	if err != nil {
		panic(err) // a mistake in the test's own words
	}
	return n
}

func pick[T any](g source, of ...T) T { return of[g.IntN(len(of))] }

// seconds is a length of some ticks, or a part of one.
func (g source) seconds(ticks ...string) exact.Num {
	return g.quantity(ticks...).Mul(seconds(g.tick))
}

func (g source) vector() *Vector {
	v := &Vector{ID: "R", Zone: "UTC", Now: Never}
	for i := range 1 + g.IntN(3) {
		v.Units = append(v.Units, g.unit("U"+strconv.Itoa(i)))
	}
	if g.chance(60) {
		v.Now = g.after(g.at(g.last / 2))
	}
	if g.chance(40) {
		l := Line{ID: "L", UnitSeconds: map[string]exact.Num{}}
		for i := range v.Units {
			switch { // that a line takes no time at all is left out: the engine has no ideal for it, the text one of 0 s
			case i == 0:
				l.UnitSeconds[v.Units[i].ID] = g.seconds("1", "2", "1/3")
			case g.chance(60):
				l.UnitSeconds[v.Units[i].ID] = g.seconds("1", "2", "1/3", "0")
			}
		}
		units := make([]string, 0, len(l.UnitSeconds))
		for id := range l.UnitSeconds {
			units = append(units, id)
		}
		slices.Sort(units)
		l.Out = pick(g, units...)
		v.Lines = []Line{l}
	}
	for i := range 4 {
		v.Queries = append(v.Queries, g.query("q"+strconv.Itoa(i), v))
	}
	return v
}

func (g source) query(name string, v *Vector) Query {
	q := Query{Name: name, AsOf: Never, E79: g.chance(25), Window: g.interval(1)}
	switch {
	case len(v.Lines) > 0 && g.chance(50):
		q.Line, q.E79 = "L", false
	case g.chance(30):
		q.Plant = true
	default:
		q.Units = []string{v.Units[g.IntN(len(v.Units))].ID}
	}
	switch {
	case g.chance(30):
		q.Window = calendar.Interval{From: g.at(0), To: g.at(g.last)}
	case g.chance(10):
		q.Window = calendar.Interval{From: g.at(-3), To: g.at(g.last + 3)}
	case g.chance(20):
		q.Window.From = q.Window.From.Add(time.Duration(g.Int64N(int64(g.tick))))
	case g.chance(3):
		q.Window.To = q.Window.From
	}
	if g.chance(40) {
		q.AsOf = g.after(g.at(g.last / 3))
	}
	return q
}

func (g source) unit(id string) Unit {
	u := Unit{ID: id, StateMap: map[string]Category{
		"R": Run, "R2": Run, "S": Stop, "S2": Stop, "U": Setup, "I": Idle, "P": Planned, "E": Engineering, "N": Nonscheduled, "X": Unknown,
	}}
	if g.chance(50) {
		for range 1 + g.IntN(3) {
			u.Shifts = append(u.Shifts, g.interval(3))
		}
	}
	for range g.IntN(3) {
		u.PlannedStops = append(u.PlannedStops, g.interval(1))
	}
	healthy := g.chance(60) // known from the beginning, and counted from there to the end: otherwise little is ever known
	if healthy {
		u.States = append(u.States, State{At: g.at(0), Code: "R"})
	}
	for range 1 + g.IntN(g.last) {
		code := pick(g, "R", "R", "R", "R2", "S", "S", "S2", "U", "I", "P", "E", "N", "X", "?")
		u.States = append(u.States, State{At: g.moment(), Code: code, Bad: g.chance(10)})
	}
	u.AlwaysAlive = healthy
	if !healthy && g.chance(50) || g.chance(10) {
		u.AlwaysAlive = false
		for range g.IntN(4) {
			u.Alive = append(u.Alive, g.interval(1))
		}
	}
	u.MinorStop = g.seconds("0", "1", "2", "3", "2.5")
	for range g.IntN(4) {
		d := Ideal{Product: pick(g, "A", "B"), Seconds: g.seconds("1", "2", "0.5", "1/3"), From: Always}
		if g.chance(60) {
			d.From = g.moment()
		}
		u.Ideals = append(u.Ideals, d)
	}
	for _, c := range []**Counter{&u.Total, &u.Good, &u.Scrap, &u.Energy} {
		if g.chance(45) {
			*c = g.counter(healthy)
		}
	}
	g.reported(&u)
	if g.chance(40) {
		u.Power = g.power()
	}
	return u
}

func (g source) counter(healthy bool) *Counter {
	value := func() exact.Num { return g.quantity("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "2.5", "1/3") }
	c := &Counter{Rule: Rule{Rollover: g.chance(50), Epsilon: g.quantity("0", "0", "1", "2")}}
	if c.Rule.Rollover {
		c.Rule.Modulus = exact.Int(10)
		if g.chance(60) {
			limit := g.quantity("0", "1", "2", "4", "10").Quo(seconds(g.tick))
			c.Rule.MaxPerSecond = &limit
		}
	}
	if healthy {
		for _, tick := range []int{0, g.last} {
			c.Readings = append(c.Readings, Reading{At: g.at(tick), KnownAt: g.at(tick), Value: value()})
		}
	}
	for range g.IntN(g.last) {
		r := Reading{At: g.moment(), Value: value(), Bad: g.chance(10)}
		r.KnownAt = r.At
		if g.chance(20) {
			r.Revision = g.Int64N(3)
		}
		if g.chance(10) {
			r.KnownAt = g.moment()
		}
		c.Readings = append(c.Readings, r)
	}
	for range max(0, g.IntN(5)-2) {
		c.Swaps = append(c.Swaps, Swap{At: g.moment(), Final: value(), Initial: value()})
	}
	return c
}

// reported is what people book and report.
func (g source) reported(u *Unit) {
	for range max(0, g.IntN(6)-3) {
		b := Booking{Interval: g.interval(1), Product: pick(g, "", "A", "B", "C"), Total: g.quantity("0", "1", "3", "6"), Good: g.quantity("0", "1", "2")}
		b.ReportedAt = b.To
		if g.chance(30) {
			b.ReportedAt = g.after(b.To)
		}
		u.Booked = append(u.Booked, b)
	}
	for range max(0, g.IntN(6)-3) {
		v := g.interval(1)
		u.ScrapReports = append(u.ScrapReports, ScrapReport{Made: v, Quantity: g.quantity("0", "1", "2", "0.5"), ReportedAt: g.after(v.To)})
	}
}

func (g source) power() *Power {
	hold, _ := g.seconds("0", "1", "2", "5", "100", "1.5").Mul(exact.Int(int64(time.Second))).Int64()
	p := &Power{Hold: time.Duration(hold), Min: g.quantity("0", "0", "1/2", "3")}
	if g.chance(60) {
		rated := g.quantity("0", "3", "7.5", "100")
		p.Rated = &rated
	}
	for range g.IntN(8) {
		p.Readings = append(p.Readings, PowerReading{At: g.moment(), KW: g.quantity("0", "0", "2", "3.5", "10/3"), Bad: g.chance(10)})
	}
	return p
}

// written is v as a file.
func written(t rapid.TB, v *Vector) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
