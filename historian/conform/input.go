package conform

import (
	"cmp"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// input is what the ledger is told of a unit when nothing after the horizon exists: what is dated, known or reported later
// is left out, and the intervals that reach beyond it end there with every window.
func (u *Unit) input(horizon telemetry.Instant) *ledger.Input {
	pieces := exact.Int(ledger.NanosPerPiece)
	return &ledger.Input{
		Unit: u.ID, Horizon: horizon, Exact: true,
		Shifts: calendar.NewSet(u.Shifts...), Always: len(u.Shifts) == 0, PlannedStops: calendar.NewSet(u.PlannedStops...),
		States: u.states(horizon), Alive: calendar.NewSet(u.Alive...), AlwaysAlive: u.AlwaysAlive,
		Limits: []ledger.Limits{{From: always, MinorStop: wholeNanos(u.MinorStop)}},
		Total:  u.Total.input(horizon, pieces), Good: u.Good.input(horizon, pieces), Scrap: u.Scrap.input(horizon, pieces),
		Energy: u.Energy.input(horizon, exact.Int(ledger.MicroWhPerKWh)),
		Ideals: u.ideals(), Booked: u.booked(horizon), ScrapReports: u.scrapReports(horizon), Power: u.Power.input(horizon),
	}
}

// wholeNanos is the least whole time that is not shorter than the limit: a whole time is shorter than either of them or of none.
func wholeNanos(seconds exact.Num) time.Duration {
	ns := seconds.Mul(exact.Int(int64(time.Second)))
	up := ns.Add(exact.Frac(1, 2)).Neg().Round().Neg() // the ceiling: −⌊−ns⌋
	if d, ok := up.Int64(); ok && d < int64(maxLength) {
		return time.Duration(d)
	}
	return maxLength
}

// latest keeps what is not after the horizon, in order of time, and of entries with one time the last.
func latest[T any](entries []T, horizon telemetry.Instant, when func(T) telemetry.Instant) []T {
	var kept []T
	for _, e := range entries {
		if when(e) <= horizon {
			kept = append(kept, e)
		}
	}
	slices.SortStableFunc(kept, func(a, b T) int { return cmp.Compare(when(a), when(b)) })
	var out []T
	for _, e := range kept {
		if n := len(out); n > 0 && when(out[n-1]) == when(e) {
			out[n-1] = e
			continue
		}
		out = append(out, e)
	}
	return out
}

func (u *Unit) states(horizon telemetry.Instant) []ledger.State {
	var out []ledger.State
	for _, s := range latest(u.States, horizon, func(s State) telemetry.Instant { return s.At }) {
		out = append(out, ledger.State{At: s.At, Category: s.Category, Code: s.Code, Bad: !s.Good, Unmapped: !s.Mapped})
	}
	return out
}

// input is nil when there is no counter; a counter without readings is one. scale is the quanta of one of its units.
func (c *Counter) input(horizon telemetry.Instant, scale exact.Num) *ledger.Counter {
	if c == nil {
		return nil
	}
	out := &ledger.Counter{Rules: c.rules(scale)}
	for _, v := range c.usable(horizon) {
		out.Readings = append(out.Readings, ledger.Reading{At: v.At, Value: v.Value.Mul(scale)})
	}
	for _, s := range latest(c.Swaps, horizon, func(s ledger.Swap) telemetry.Instant { return s.At }) {
		out.Swaps = append(out.Swaps, ledger.Swap{At: s.At, Final: s.Final.Mul(scale), Initial: s.Initial.Mul(scale)})
	}
	return out
}

// rules is the counter's one rule. A rollover at a rate above 0 is never possible when the greatest rate is 0: each is then a
// restart, and no rise can hide one, which is what a reset is.
func (c *Counter) rules(scale exact.Num) []ledger.Rule {
	r := c.Rule
	r.From = always
	if r.Kind == ledger.Rollover && c.HasMax && r.MaxPerSecond.IsZero() {
		r.Kind, r.Modulus = ledger.Reset, exact.Num{}
	}
	r.Modulus, r.Epsilon, r.MaxPerSecond = r.Modulus.Mul(scale), r.Epsilon.Mul(scale), r.MaxPerSecond.Mul(scale)
	return []ledger.Rule{r}
}

// usable is the readings that are Good and known at the horizon, in order of time; of those at one time the highest revision,
// of equal ones the later in the file.
func (c *Counter) usable(horizon telemetry.Instant) []Reading {
	var known []Reading
	for _, v := range c.Readings {
		if v.Good && v.KnownAt <= horizon {
			known = append(known, v)
		}
	}
	slices.SortStableFunc(known, func(a, b Reading) int { return a.Revision.Cmp(b.Revision) })
	return latest(known, horizon, func(v Reading) telemetry.Instant { return v.At })
}

func (u *Unit) ideals() []ledger.Ideal {
	var out []ledger.Ideal
	for _, v := range u.Ideals {
		out = append(out, ledger.Ideal{From: v.From, Product: v.Product, Seconds: v.Seconds})
	}
	slices.SortStableFunc(out, func(a, b ledger.Ideal) int { return cmp.Compare(a.From, b.From) })
	return out
}

func (u *Unit) booked(horizon telemetry.Instant) []ledger.Booking {
	scale := exact.Int(ledger.NanosPerPiece)
	var out []ledger.Booking
	for _, b := range u.Booked {
		if b.ReportedAt <= horizon {
			out = append(out, ledger.Booking{Interval: b.Interval, Product: b.Product, Total: b.Total.Mul(scale), Good: b.Good.Mul(scale)})
		}
	}
	slices.SortStableFunc(out, func(a, b ledger.Booking) int { return cmp.Compare(a.From, b.From) })
	return out
}

func (u *Unit) scrapReports(horizon telemetry.Instant) []ledger.ScrapReport {
	var out []ledger.ScrapReport
	for _, s := range u.ScrapReports {
		if s.ReportedAt <= horizon {
			out = append(out, ledger.ScrapReport{Made: s.Made, Quantity: s.Quantity.Mul(exact.Int(ledger.NanosPerPiece))})
		}
	}
	slices.SortStableFunc(out, func(a, b ledger.ScrapReport) int { return cmp.Compare(a.Made.From, b.Made.From) })
	return out
}

func (p *Power) input(horizon telemetry.Instant) *ledger.Power {
	if p == nil {
		return nil
	}
	scale := exact.Int(ledger.MilliWattPerKW)
	out := &ledger.Power{Bounds: []ledger.PowerBounds{{
		From: always, Hold: p.Hold, Min: p.Min.Mul(scale), Rated: p.Rated.Mul(scale), HasRated: p.HasRated,
	}}}
	for _, v := range latest(p.Readings, horizon, func(v PowerReading) telemetry.Instant { return v.At }) {
		out.Readings = append(out.Readings, ledger.PowerReading{At: v.At, MW: v.KW.Mul(scale), Bad: !v.Good})
	}
	return out
}
