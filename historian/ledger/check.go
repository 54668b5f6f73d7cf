package ledger

import (
	"fmt"
	"math"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// The ledger knows the time from dawn to dusk: between 1900 and 2190 the length of any interval fits 63 bits.
const (
	dawn telemetry.Instant = -2_208_988_800_000_000_000 // 1900-01-01
	dusk telemetry.Instant = math.MaxInt64 + dawn
)

// InputError says what of an Input is not as the types require: a mistake of whoever filled it, or a reading that cannot be.
type InputError struct {
	Unit    string
	List    string // field of Input, "total.readings"
	Index   int    // of the entry in the list; −1: the field itself
	Value   string
	Problem string
}

func (e *InputError) Error() string {
	at := e.List
	if e.Index >= 0 {
		at = fmt.Sprintf("%s[%d]", e.List, e.Index)
	}
	return fmt.Sprintf("input of unit %q: %s: %s: %s", e.Unit, at, e.Value, e.Problem)
}

// checker keeps the first problem found.
type checker struct {
	unit  string
	exact bool
	err   *InputError
}

// fail is called with formatted values only once something is wrong: a unit's day holds tens of thousands of readings.
func (c *checker) fail(list string, index int, value any, problem string) {
	if c.err == nil {
		c.err = &InputError{Unit: c.unit, List: list, Index: index, Value: fmt.Sprint(value), Problem: problem}
	}
}

// check is nil or an *InputError.
func check(in *Input) error {
	c := &checker{unit: in.Unit, exact: in.Exact}
	c.set("shifts", in.Shifts)
	c.set("planned_stops", in.PlannedStops)
	c.set("alive", in.Alive)
	c.states(in.States)
	for i, l := range in.Limits {
		c.from("limits", i, l.From, i > 0 && l.From < in.Limits[i-1].From)
		c.duration("limits", i, l.MinorStop)
	}
	c.counter("total", in.Total)
	c.counter("good", in.Good)
	c.counter("scrap", in.Scrap)
	c.counter("energy", in.Energy)
	c.ideals("ideals", in.Ideals, c.notNegative)
	for i, w := range in.Watts {
		c.from("watts", i, w.From, i > 0 && w.From < in.Watts[i-1].From)
		c.notNegative("watts", i, w.PerPiece)
	}
	c.bookings(in.Booked)
	for i, s := range in.ScrapReports {
		c.interval("scrap_reports", i, s.Made, i > 0 && s.Made.From < in.ScrapReports[i-1].Made.From)
		c.quantity("scrap_reports", i, s.Quantity)
	}
	if in.Power != nil {
		c.power(in.Power)
	}
	if c.err != nil {
		return c.err
	}
	return nil
}

func (c *checker) set(list string, s calendar.Set) {
	for i, v := range s {
		if v.Empty() {
			c.fail(list, i, v, "is empty")
		}
		if i > 0 && v.From < s[i-1].To {
			c.fail(list, i, v, "begins before the one before it ends")
		}
	}
}

// time checks a time that something happened at.
func (c *checker) time(list string, i int, t telemetry.Instant, unsorted bool) {
	if t < dawn || t > dusk {
		c.fail(list, i, t, "is not between 1900 and 2190")
	}
	c.from(list, i, t, unsorted)
}

// from checks a date that something holds from, which may lie in the infinite past.
func (c *checker) from(list string, i int, t telemetry.Instant, unsorted bool) {
	if unsorted {
		c.fail(list, i, t, "is not after the one before")
	}
}

func (c *checker) interval(list string, i int, v calendar.Interval, unsorted bool) {
	c.time(list, i, v.From, unsorted)
	c.time(list, i, v.To, false)
	if v.Empty() {
		c.fail(list, i, v, "does not end after it begins")
	}
}

func (c *checker) duration(list string, i int, d time.Duration) {
	if d < 0 {
		c.fail(list, i, d, "is negative")
	}
}

// quantity checks an amount in quanta.
func (c *checker) notNegative(list string, i int, q exact.Num) {
	if q.Sign() < 0 {
		c.fail(list, i, q, "is negative")
	}
}

func (c *checker) quantity(list string, i int, q exact.Num) {
	c.notNegative(list, i, q)
	if _, whole := q.Int64(); !whole && !c.exact {
		c.fail(list, i, q, "is not a whole number of quanta within 64 bits")
	}
}

func (c *checker) positive(list string, i int, q exact.Num) {
	if q.Sign() <= 0 {
		c.fail(list, i, q, "is not above zero")
	}
}

func (c *checker) states(states []State) {
	for i, s := range states {
		c.time("states", i, s.At, i > 0 && s.At < states[i-1].At)
		if s.Category > Nonscheduled {
			c.fail("states", i, uint8(s.Category), "is no category")
		}
	}
}

func (c *checker) ideals(list string, ideals []Ideal, value func(list string, i int, q exact.Num)) {
	for i, d := range ideals {
		c.from(list, i, d.From, i > 0 && d.From < ideals[i-1].From)
		value(list, i, d.Seconds)
	}
}

func (c *checker) bookings(booked []Booking) {
	for i, b := range booked {
		c.interval("booked", i, b.Interval, i > 0 && b.From < booked[i-1].From)
		c.quantity("booked", i, b.Total)
		c.quantity("booked", i, b.Good)
	}
}

func (c *checker) counter(name string, n *Counter) {
	if n == nil {
		return
	}
	for i, r := range n.Rules {
		c.from(name+".rules", i, r.From, i > 0 && r.From < n.Rules[i-1].From)
		c.quantity(name+".rules", i, r.Epsilon)
		c.quantity(name+".rules", i, r.MaxPerSecond)
		switch r.Kind {
		case Reset:
		case Rollover:
			c.positive(name+".rules", i, r.Modulus)
			c.quantity(name+".rules", i, r.Modulus)
		default:
			c.fail(name+".rules", i, uint8(r.Kind), "is no kind of rule")
		}
	}
	c.set(name+".blind", n.Blind)
	c.duration(name+".beat", -1, n.Beat)
	c.readings(name, n)
	list := name + ".swaps"
	rules := ruleBook{rules: n.Rules}
	for i, s := range n.Swaps {
		c.time(list, i, s.At, i > 0 && s.At <= n.Swaps[i-1].At)
		rule := rules.at(s.At)
		c.value(list, i, s.Final, rule)
		c.value(list, i, s.Initial, rule)
	}
}

func (c *checker) readings(name string, n *Counter) {
	list := name + ".readings"
	rules := ruleBook{rules: n.Rules}
	for i := range n.Readings {
		r := &n.Readings[i]
		c.time(list, i, r.At, i > 0 && r.At <= n.Readings[i-1].At)
		c.value(list, i, r.Value, rules.at(r.At))
	}
}

func (c *checker) value(list string, i int, v exact.Num, rule *Rule) {
	c.quantity(list, i, v)
	if rule.Kind == Rollover && v.Cmp(rule.Modulus) >= 0 {
		c.fail(list, i, v, "is not below the modulus "+rule.Modulus.String())
	}
}

func (c *checker) power(p *Power) {
	for i := range p.Readings {
		r := &p.Readings[i]
		c.time("power.readings", i, r.At, i > 0 && r.At <= p.Readings[i-1].At)
		if !r.Bad {
			c.quantity("power.readings", i, r.MW)
		}
	}
	for i, b := range p.Bounds {
		c.from("power.bounds", i, b.From, i > 0 && b.From < p.Bounds[i-1].From)
		c.duration("power.bounds", i, b.Hold)
		c.quantity("power.bounds", i, b.Min)
		if b.HasRated {
			c.quantity("power.bounds", i, b.Rated)
		}
	}
}
