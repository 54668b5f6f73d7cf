package contract

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Write writes v in the format of CONFORMANCE.md, with what its queries expect. Times are written as UTC.
func Write(to io.Writer, v *Vector) error {
	w := &writer{}
	data, err := json.Marshal(w.vector(v))
	if err == nil {
		err = w.err
	}
	if err != nil {
		return fmt.Errorf("encode vector %s: %w", v.ID, err)
	}
	if _, err := to.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("write vector %s: %w", v.ID, err)
	}
	return nil
}

// writer turns what is meant into what is on the wire. It keeps the first error.
type writer struct{ err error }

// stamp is a moment as text, "" where it is that of an absent key.
func stamp(t, absent telemetry.Instant) string {
	if t == absent {
		return ""
	}
	return t.String()
}

func (w *writer) tuple(vs ...any) tuple {
	t, err := tupleOf(vs...)
	w.fail(err)
	return t
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) vector(v *Vector) wireVector {
	out := wireVector{ID: v.ID, Title: v.Title, Why: v.Why, Zone: v.Zone, Now: stamp(v.Now, Never)}
	for i := range v.Units {
		out.Units = append(out.Units, w.unit(&v.Units[i]))
	}
	for _, l := range v.Lines {
		seconds := map[string]number{}
		for unit, each := range l.UnitSeconds {
			seconds[unit] = given(each)
		}
		out.Lines = append(out.Lines, wireLine{ID: l.ID, UnitSeconds: seconds, Out: l.Out})
	}
	for i := range v.Queries {
		out.Queries = append(out.Queries, w.query(&v.Queries[i]))
	}
	return out
}

// word is a category's in a state map.
func (c Category) word() string {
	return [...]string{
		Unknown: "unknown", Run: "run", Setup: "setup", Stop: "stop", Idle: "idle", Planned: "planned", Engineering: "ENG", Nonscheduled: "nonscheduled",
	}[c]
}

func (w *writer) unit(u *Unit) wireUnit {
	out := wireUnit{ID: u.ID, StateMap: map[string]string{}, MinorStop: given(u.MinorStop)}
	shifts := func(kind string, vs []calendar.Interval) {
		for _, v := range vs {
			out.Calendar = append(out.Calendar, wireShift{Kind: kind, From: v.From.String(), To: v.To.String()})
		}
	}
	shifts("shift", u.Shifts)
	shifts("planned_stop", u.PlannedStops)
	for code, c := range u.StateMap {
		out.StateMap[code] = c.word()
	}
	for _, s := range u.States {
		t := w.tuple(s.At.String(), s.Code)
		if s.Bad {
			t = append(t, w.tuple(bad)...)
		}
		out.States = append(out.States, t)
	}
	if !u.AlwaysAlive {
		alive := make([]tuple, len(u.Alive))
		for i, v := range u.Alive {
			alive[i] = w.tuple(v.From.String(), v.To.String())
		}
		out.Alive = &alive
	}
	for _, d := range u.Ideals {
		if d.Seconds.Sign() <= 0 {
			w.fail(fmt.Errorf("unit %s has no ideal of %s from %s on, which a vector cannot say", u.ID, d.Product, d.From))
		}
		out.Ideal = append(out.Ideal, wireIdeal{Product: d.Product, Seconds: given(d.Seconds), From: stamp(d.From, Always)})
	}
	w.quantities(u, &out)
	return out
}

// bad is the quality that is written of a value that may not be used.
const bad = "Bad"

func (w *writer) quantities(u *Unit, out *wireUnit) {
	counts := wireCounts{Total: w.counter(u.Total), Good: w.counter(u.Good), Scrap: w.counter(u.Scrap), Energy: w.counter(u.Energy)}
	if counts != (wireCounts{}) {
		out.Counters = some(counts)
	}
	for _, b := range u.Booked {
		out.Booked = append(out.Booked, wireBooking{
			From: b.From.String(), To: b.To.String(), Product: b.Product, Total: given(b.Total), Good: given(b.Good), ReportedAt: stamp(b.ReportedAt, b.To),
		})
	}
	for _, s := range u.ScrapReports {
		out.Scrap = append(out.Scrap, wireScrapReport{
			ReportedAt: s.ReportedAt.String(), MadeFrom: s.Made.From.String(), MadeTo: s.Made.To.String(), Quantity: given(s.Quantity),
		})
	}
	if u.Power == nil {
		return
	}
	p := wirePower{Readings: []tuple{}, Hold: lengthOf(u.Power.Hold), Min: given(u.Power.Min), Rated: maybeGiven(u.Power.Rated)}
	for _, r := range u.Power.Readings {
		t := w.tuple(r.At.String(), given(r.KW))
		if r.Bad {
			t = append(t, w.tuple(bad)...)
		}
		p.Readings = append(p.Readings, t)
	}
	out.Power = some(p)
}

func lengthOf(d time.Duration) number { return given(exact.Frac(int64(d), int64(time.Second))) }

func maybeGiven(n *exact.Num) number {
	if n == nil {
		return number{}
	}
	return given(*n)
}

func (w *writer) counter(c *Counter) maybe[wireCounter] {
	if c == nil {
		return maybe[wireCounter]{}
	}
	rule := wireRule{Kind: "reset", Epsilon: given(c.Rule.Epsilon)}
	if c.Rule.Rollover {
		rule = wireRule{Kind: "rollover", Modulus: given(c.Rule.Modulus), Epsilon: given(c.Rule.Epsilon), MaxPerSecond: maybeGiven(c.Rule.MaxPerSecond)}
	}
	out := wireCounter{Rule: some(rule)}
	for _, r := range c.Readings {
		out.Readings = append(out.Readings, w.reading(&r))
	}
	for _, s := range c.Swaps {
		out.Swaps = append(out.Swaps, wireSwap{At: s.At.String(), Final: given(s.Final), Initial: given(s.Initial)})
	}
	return some(out)
}

func (w *writer) reading(r *Reading) tuple {
	quality := any(nil)
	if r.Bad {
		quality = bad
	}
	switch {
	case r.KnownAt != r.At:
		return w.tuple(r.At.String(), given(r.Value), quality, r.Revision, r.KnownAt.String())
	case r.Revision != 0:
		return w.tuple(r.At.String(), given(r.Value), quality, r.Revision)
	case r.Bad:
		return w.tuple(r.At.String(), given(r.Value), quality)
	default:
		return w.tuple(r.At.String(), given(r.Value))
	}
}

func (w *writer) query(q *Query) wireQuery {
	out := wireQuery{
		Name:   q.Name,
		Target: wireTarget{Units: q.Units, Plant: q.Plant, Line: q.Line},
		Window: [2]string{q.Window.From.String(), q.Window.To.String()},
		AsOf:   stamp(q.AsOf, Never),
	}
	if q.E79 {
		out.Standard = "e79"
	}
	if q.Expect != nil {
		out.Expect = w.expect(q.Expect)
	}
	return out
}

// expect is every key of an answer: null where it has no number.
func (w *writer) expect(a *Answer) map[string]json.RawMessage {
	values := map[string]any{"reason": nil, "findings": append([]string{}, a.Findings...)}
	if a.Reason != "" {
		values["reason"] = a.Reason
	}
	for _, key := range Keys() {
		values[key] = nil
		if n, ok := a.Numbers[key]; ok {
			values[key] = given(n)
		}
	}
	out := map[string]json.RawMessage{}
	for key, v := range values {
		out[key] = w.tuple(v)[0]
	}
	return out
}
