package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Read reads a vector of the format of CONFORMANCE.md, without what its queries expect. It refuses what it cannot
// understand; whether a file keeps to every rule of the format is for `historian conform` to say.
func Read(data []byte) (*Vector, error) {
	var w wireVector
	if err := strictly(data, &w); err != nil {
		return nil, fmt.Errorf("decode vector: %w", err)
	}
	zone, err := calendar.Zone(w.Zone)
	if err != nil {
		return nil, fmt.Errorf("read zone of vector %s: %w", w.ID, err)
	}
	r := &reader{zone: zone}
	v := r.vector(&w)
	if r.err != nil {
		return nil, fmt.Errorf("read vector %s: %w", w.ID, r.err)
	}
	return v, nil
}

// reader turns what is on the wire into what is meant. It keeps the first error and goes on with zero values.
type reader struct {
	zone *time.Location
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// time is a moment; absent for "".
func (r *reader) time(s string, absent telemetry.Instant) telemetry.Instant {
	if s == "" {
		return absent
	}
	t, err := calendar.ParseTime(s, r.zone)
	switch {
	case err != nil:
		r.fail(err)
	case t < begin || t >= end:
		r.fail(fmt.Errorf("read time %q: outside the years 1900 to 2189", s))
	default:
		return t
	}
	return absent
}

// moment is a time that must be there.
func (r *reader) moment(s string) telemetry.Instant {
	if s == "" {
		r.fail(errors.New("read time: missing"))
	}
	return r.time(s, begin)
}

func (r *reader) interval(from, to string) calendar.Interval {
	v := calendar.Interval{From: r.moment(from), To: r.moment(to)}
	if v.Empty() {
		r.fail(fmt.Errorf("read interval: %q is not after %q", to, from))
	}
	return v
}

// quantity is a number that is not negative.
func (r *reader) quantity(n number) exact.Num {
	if n.Sign() < 0 {
		r.fail(fmt.Errorf("read quantity: %s is negative", n.Num))
	}
	return n.Num
}

func (r *reader) optional(n number) *exact.Num {
	if !n.given {
		return nil
	}
	q := r.quantity(n)
	return &q
}

// oneOf is what a word stands for.
func oneOf[T any](r *reader, word string, words map[string]T) T {
	v, ok := words[word]
	if !ok {
		r.fail(fmt.Errorf("read word: %q is none of those that stand here", word))
	}
	return v
}

func (r *reader) vector(w *wireVector) *Vector {
	v := &Vector{ID: w.ID, Title: w.Title, Why: w.Why, Zone: w.Zone, Now: r.time(w.Now, Never)}
	for i := range w.Units {
		v.Units = append(v.Units, r.unit(&w.Units[i]))
	}
	for _, l := range w.Lines {
		line := Line{ID: l.ID, Out: l.Out, UnitSeconds: map[string]exact.Num{}}
		for unit, each := range l.UnitSeconds {
			line.UnitSeconds[unit] = r.quantity(each)
		}
		v.Lines = append(v.Lines, line)
	}
	for i := range w.Queries {
		v.Queries = append(v.Queries, r.query(&w.Queries[i]))
	}
	return v
}

// categories are the words of a state map.
func categories() map[string]Category {
	return map[string]Category{
		"run": Run, "setup": Setup, "stop": Stop, "idle": Idle, "planned": Planned, "nonscheduled": Nonscheduled, "unknown": Unknown,
		"PRD": Run, "SBY": Idle, "UDT": Stop, "SDT": Planned, "NST": Nonscheduled, "ENG": Engineering,
	}
}

func (r *reader) unit(w *wireUnit) Unit {
	u := Unit{ID: w.ID, StateMap: map[string]Category{}, AlwaysAlive: w.Alive == nil, MinorStop: r.quantity(w.MinorStop)}
	for _, c := range w.Calendar {
		into := oneOf(r, c.Kind, map[string]*[]calendar.Interval{"shift": &u.Shifts, "planned_stop": &u.PlannedStops})
		if into != nil {
			*into = append(*into, r.interval(c.From, c.To))
		}
	}
	words := categories()
	for code, word := range w.StateMap {
		u.StateMap[code] = oneOf(r, word, words)
	}
	for _, t := range w.States {
		var code string
		at := r.tuple(t, &code)
		u.States = append(u.States, State{At: at, Code: code, Bad: r.bad(t)})
	}
	if w.Alive != nil {
		for _, t := range *w.Alive {
			var from, to string
			r.fields(t, &from, &to)
			u.Alive = append(u.Alive, r.interval(from, to))
		}
	}
	for _, d := range w.Ideal {
		if d.Seconds.Sign() <= 0 {
			r.fail(fmt.Errorf("read ideal of %s: %s is not above 0", d.Product, d.Seconds.Num))
		}
		u.Ideals = append(u.Ideals, Ideal{Product: d.Product, From: r.time(d.From, Always), Seconds: d.Seconds.Num})
	}
	r.quantities(&u, w)
	return u
}

func (r *reader) quantities(u *Unit, w *wireUnit) {
	if !w.Counters.IsZero() {
		c := &w.Counters.of
		u.Total, u.Good, u.Scrap, u.Energy = r.counter(c.Total), r.counter(c.Good), r.counter(c.Scrap), r.counter(c.Energy)
	}
	for _, b := range w.Booked {
		good := b.Good
		if !good.given {
			good = b.Total
		}
		v := r.interval(b.From, b.To)
		u.Booked = append(u.Booked, Booking{
			Interval: v, Product: b.Product, Total: r.quantity(b.Total), Good: r.quantity(good), ReportedAt: r.time(b.ReportedAt, v.To),
		})
	}
	for _, s := range w.Scrap {
		u.ScrapReports = append(u.ScrapReports, ScrapReport{
			Made: r.interval(s.MadeFrom, s.MadeTo), Quantity: r.quantity(s.Quantity), ReportedAt: r.moment(s.ReportedAt),
		})
	}
	if w.Power.IsZero() {
		return
	}
	p := &w.Power.of
	u.Power = &Power{Hold: r.length(p.Hold), Min: r.quantity(p.Min), Rated: r.optional(p.Rated)}
	for _, t := range p.Readings {
		var kw number
		at := r.tuple(t, &kw)
		u.Power.Readings = append(u.Power.Readings, PowerReading{At: at, KW: r.quantity(kw), Bad: r.bad(t)})
	}
}

// fields decodes the first values of a tuple.
func (r *reader) fields(t tuple, into ...any) {
	for i, v := range into {
		if err := t.at(i, v); err != nil {
			r.fail(fmt.Errorf("read value %d of an entry: %w", i, err))
		}
	}
}

// tuple is the moment of an entry, and its value.
func (r *reader) tuple(t tuple, value any) telemetry.Instant {
	var at string
	r.fields(t, &at, value)
	return r.moment(at)
}

// bad says that the third value of an entry, its quality, is not good.
func (r *reader) bad(t tuple) bool {
	quality := "Good"
	if err := t.at(2, &quality); err != nil {
		r.fail(fmt.Errorf("read quality: %w", err))
	}
	return oneOf(r, quality, map[string]bool{"Good": false, "Uncertain": true, "Bad": true})
}

func (r *reader) counter(w maybe[wireCounter]) *Counter {
	if w.IsZero() {
		return nil
	}
	c := &Counter{}
	if rule := w.of.Rule; !rule.IsZero() {
		kind := rule.of.Kind
		c.Rule.Rollover = kind != "" && oneOf(r, kind, map[string]bool{"reset": false, "rollover": true})
		c.Rule.Modulus, c.Rule.Epsilon = r.quantity(rule.of.Modulus), r.quantity(rule.of.Epsilon)
		c.Rule.MaxPerSecond = r.optional(rule.of.MaxPerSecond)
	}
	for _, t := range w.of.Readings {
		c.Readings = append(c.Readings, r.reading(t))
	}
	for _, s := range w.of.Swaps {
		c.Swaps = append(c.Swaps, Swap{At: r.moment(s.At), Final: r.quantity(s.Final), Initial: r.quantity(s.Initial)})
	}
	return c
}

func (r *reader) reading(t tuple) Reading {
	var value, revision number
	var at, known string
	var quality json.RawMessage // read by bad
	r.fields(t, &at, &value, &quality, &revision, &known)
	n, ok := revision.Int64()
	if !ok || n < 0 {
		r.fail(fmt.Errorf("read revision: %s is not a number of one", revision.Num))
	}
	moment := r.moment(at)
	return Reading{At: moment, KnownAt: r.time(known, moment), Value: r.quantity(value), Bad: r.bad(t), Revision: n}
}

// length is a number of seconds, at most the longest Duration.
func (r *reader) length(s number) time.Duration {
	ns := r.quantity(s).Mul(exact.Int(int64(time.Second)))
	if n, ok := ns.Int64(); ok {
		return time.Duration(n)
	}
	if !ns.Equal(ns.Round()) {
		r.fail(fmt.Errorf("read length: %s s is no whole number of nanoseconds", s.Num))
	}
	return math.MaxInt64
}

func (r *reader) query(w *wireQuery) Query {
	q := Query{Name: w.Name, Units: w.Target.Units, Plant: w.Target.Plant, Line: w.Target.Line, AsOf: r.time(w.AsOf, Never)}
	if w.Target.Unit != "" {
		q.Units = []string{w.Target.Unit}
	}
	q.Window = calendar.Interval{From: r.moment(w.Window[0]), To: r.moment(w.Window[1])}
	q.E79 = w.Standard != "" && oneOf(r, w.Standard, map[string]bool{"iso": false, "e79": true})
	return q
}
