package plant

import (
	"strconv"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/markup"
	"kvarts/historian/telemetry"
)

// Calendar is when units are scheduled to work, and what of that is planned not to be used.
type Calendar struct {
	Name, Description string
	Rules             *calendar.Rules // checked; dates are in it
}

// calendars reads the list of calendars.
func (d *decoder) calendars(file *block) {
	seen := make(map[string]markup.Place)
	file.list("calendars", levelCalendar, func(b *block) {
		c := Calendar{Rules: &calendar.Rules{Zone: d.zone}}
		b.require("name", "write a short name; units refer to it")
		b.name("name", &c.Name)
		b.Unique(seen, "name", c.Name)
		b.text("description", &c.Description)
		b.dayStarts(c.Rules)
		b.list("shifts", levelShift, func(s *block) {
			shift := calendar.Shift{Daily: s.daily()}
			s.require("name", "write its name; reports are by it")
			s.text("name", &shift.Name)
			if shift.Name != "" {
				s.check(calendar.Rules{Zone: d.zone, Shifts: []calendar.Shift{shift}})
			}
			c.Rules.Shifts = append(c.Rules.Shifts, shift)
		})
		b.list("planned_stops", levelStop, func(s *block) { c.Rules.Stops = append(c.Rules.Stops, s.plannedStop()) })
		b.holidays(c.Rules)
		d.model.Calendars = append(d.model.Calendars, c)
		d.model.index.calendars[c.Name] = len(d.model.Calendars) - 1
	})
}

// check reports what the package calendar finds wrong with one of its rules.
func (b *block) check(r calendar.Rules) {
	err := r.Check()
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		message, remedy, _ := strings.Cut(strings.TrimSpace(line), "; ")
		if remedy == "" {
			remedy = "correct it"
		}
		b.FailHidden(message, remedy)
	}
}

// daily reads the keys of timing.
func (b *block) daily() calendar.Daily {
	var out calendar.Daily
	b.require("begin", `write the local time of the begin, for example begin: "08:00"`)
	b.clock("begin", &out.Begin)
	b.require("end", `write the local time of the end, for example end: "20:00"; one that is not after the begin is on the next day`)
	b.clock("end", &out.End)
	if v := b.get("days"); v != nil {
		out.Days = v.weekdays()
	}
	b.date("from", &out.Effective.From)
	b.date("until", &out.Effective.Until)
	if v := b.get("cycle"); v != nil && v.Is(markup.Mapping) {
		c := v.block(levelCycle)
		c.require("anchor", "write the date of day 0 of the cycle")
		c.date("anchor", &out.Cycle.Anchor)
		c.require("length", "write the number of days after which it repeats")
		c.Integer("length", &out.Cycle.Length, 1, 366)
		if on := c.require("on", "list the days that are worked, 0 is the first"); on != nil {
			for _, item := range on.items() {
				n, err := strconv.Atoi(item.Raw())
				if err != nil || n < 0 {
					item.Fail("this must be a day of the cycle, 0 is the first", "write a whole number")
					continue
				}
				out.Cycle.On = append(out.Cycle.On, n)
			}
		}
	}
	return out
}

// weekdays reads a list such as [mon, tue].
func (v *value) weekdays() calendar.Weekdays {
	words := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	var out calendar.Weekdays
	for _, item := range v.texts() {
		w, ok := choose(item, words...)
		for day, word := range words {
			if ok && w == word {
				out |= calendar.OnDays(time.Weekday(day))
			}
		}
	}
	if v.Empty() {
		v.FailHidden("the list is empty", "list the days, or remove the key for every day")
	}
	return out
}

// plannedStop reads a recurring or a single planned stop.
func (b *block) plannedStop() calendar.Stop {
	var s calendar.Stop
	b.require("name", "write its name; reports are by it")
	b.text("name", &s.Name)
	b.text("reason", &s.Reason)
	if v := b.get("once"); v != nil {
		for _, key := range timing {
			if w := b.get(key); w != nil {
				w.FailHidden("a stop that is once does not recur", "remove "+key+", or remove once")
			}
		}
		if v.Is(markup.Mapping) {
			o := v.block(levelOnce)
			s.Once.From, s.Once.To = o.moment("from"), o.moment("to")
			if s.Once.From != 0 && s.Once.To != 0 && s.Once.Empty() {
				v.FailHidden("it ends before it begins", "exchange or correct from and to")
			}
		}
		return s
	}
	daily := b.daily()
	s.Daily = &daily
	b.check(calendar.Rules{Zone: b.d.zone, Stops: []calendar.Stop{s}})
	return s
}

// moment reads a time that is required; 0 when it is missing or wrong.
func (b *block) moment(key string) telemetry.Instant {
	if v := b.require(key, "write a local time, for example 2026-12-31T20:00:00"); v != nil {
		t, _ := v.instant()
		return t
	}
	return 0
}

func (b *block) holidays(r *calendar.Rules) {
	seen := make(map[string]markup.Place)
	b.list("holidays", levelHoliday, func(h *block) {
		var out calendar.Holiday
		h.text("name", &out.Name)
		h.require("date", "write for example date: 2027-01-01")
		if h.date("date", &out.Date); out.Date.IsZero() {
			return
		}
		if h.Unique(seen, "date", out.Date.String()) {
			r.Holidays = append(r.Holidays, out)
		}
	})
}

// dayStarts reads when plant days begin.
func (b *block) dayStarts(r *calendar.Rules) {
	starts := dated(b.get("day_start"), func(v *value) (c calendar.Clock, ok bool) {
		c = -1
		if v.clock(&c); c == calendar.Clock(24*time.Hour) {
			v.Fail("a plant day begins before 24:00", `write "00:00"`)
			return c, false
		}
		return c, c >= 0
	})
	for _, s := range starts {
		start := calendar.DayStart{At: s.Value}
		if s.From != Always {
			start.From = calendar.DateOf(s.From, b.d.zone)
		}
		r.DayStarts = append(r.DayStarts, start)
	}
}
