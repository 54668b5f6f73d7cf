package plant

import (
	"fmt"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/markup"
	"kvarts/historian/telemetry"
)

// instant reads a date (local midnight), a local time or an absolute one.
func (v *value) instant() (telemetry.Instant, bool) {
	s, ok := v.Scalar()
	if !ok {
		return 0, false
	}
	if date, err := calendar.ParseDate(s); err == nil {
		return calendar.Local(v.d.zone, date, 0), true
	}
	t, err := calendar.ParseTime(s, v.d.zone)
	if err != nil {
		v.Fail("this must be a date or a time", "write 2026-12-01 (midnight in the plant's zone), 2026-12-01T08:00:00 or 2026-12-01T08:00:00+05:00")
		return 0, false
	}
	return t, true
}

// date reads a local date.
func (b *block) date(key string, dst *calendar.Date) {
	v, s, ok := b.Scalar(key)
	if !ok {
		return
	}
	d, err := calendar.ParseDate(s)
	if err != nil {
		v.Fail("this must be a date", "write for example 2026-12-01")
		return
	}
	*dst = d
}

// clock reads a local time of day.
func (b *block) clock(key string, dst *calendar.Clock) {
	if v := b.get(key); v != nil {
		v.clock(dst)
	}
}

func (v *value) clock(dst *calendar.Clock) {
	s, ok := v.Scalar()
	if !ok {
		return
	}
	c, err := calendar.ParseClock(s)
	if err != nil {
		v.Fail("this must be a time of day", `write for example "08:00" or "20:00:30", at most "24:00"`)
		return
	}
	*dst = c
}

// dated reads a plain value, which holds always, or a list of {from, value} in order of time. read reads one value.
func dated[T any](v *value, read func(*value) (T, bool)) Dated[T] {
	if v == nil {
		return nil
	}
	if v.Kind() != markup.Sequence {
		if x, ok := read(v); ok {
			return Constant(x)
		}
		return nil
	}
	var out Dated[T]
	var last order
	for i, item := range v.items() {
		if !item.Is(markup.Mapping) {
			continue
		}
		b := item.block(levelDated)
		x := b.require("value", "write value: …, what holds from that date on")
		at, ok := b.since(i, &last)
		if x == nil {
			continue
		}
		if val, good := read(x); good && ok {
			out = append(out, Since[T]{From: at, Value: val})
		}
	}
	if v.Empty() {
		v.FailHidden("the list is empty", "write a value, or a list of {from: DATE, value: …}")
	}
	return out
}

// order is the date of the entry before.
type order struct {
	at   telemetry.Instant
	line int
}

// since reads the date of entry i of a list by dates and holds it against the entry before. Without from an entry holds
// always, which only the first can.
func (b *block) since(i int, last *order) (telemetry.Instant, bool) {
	at, here := Always, b.Value
	if v := b.get("from"); v != nil {
		t, ok := v.instant()
		if !ok {
			return 0, false
		}
		at, here = t, v.Value
	} else if i > 0 {
		b.Missing("from", "write from: DATE; only the first entry may leave it out, which means always")
		return 0, false
	}
	switch {
	case i == 0 || last.line == 0:
	case at == last.at:
		here.Fail(fmt.Sprintf("two values begin on the same date, the other one in line %d", last.line), "keep one of the two")
		return 0, false
	case at < last.at:
		here.Fail(fmt.Sprintf("the entry before, in line %d, begins later", last.line), "put the entries in the order of their dates")
		return 0, false
	}
	*last = order{at, here.Pos().Line}
	return at, true
}

// nums reads a Dated number over the one that is there.
func (b *block) nums(key string, dst *Dated[exact.Num], is bound) {
	if v := b.get(key); v != nil {
		*dst = dated(v, func(v *value) (exact.Num, bool) { return v.num(is) }).over(*dst)
	}
}

// durations reads a Dated duration over the one that is there.
func (b *block) durations(key string, dst *Dated[time.Duration], low, high time.Duration) {
	if v := b.get(key); v != nil {
		*dst = dated(v, func(v *value) (time.Duration, bool) { return v.duration(low, high) }).over(*dst)
	}
}

// numsBy reads {name: number or list by dates}.
func (b *block) numsBy(key string, is bound, allow func(*value) bool) map[string]Dated[exact.Num] {
	v := b.get(key)
	if v == nil || !v.Is(markup.Mapping) {
		return nil
	}
	out := make(map[string]Dated[exact.Num])
	for _, e := range v.entries() {
		d := dated(e, func(v *value) (exact.Num, bool) { return v.num(is) })
		if allow(e) && d != nil {
			out[e.Key()] = d
		}
	}
	return out
}
