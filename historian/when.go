package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// whenHelp is what --from and --to take, for --help.
const whenHelp = "RFC 3339, the plant's wall clock ('2026-11-02 08:00'), a plant day ('2026-11-02', 'today', 'yesterday'), 'shift' (begin of this one; 'shift-1': of the one before), 'now' or 'now-8h'"

// when reads moments as people say them, in the plant's time.
type when struct {
	now   telemetry.Instant
	rules *calendar.Rules
}

// errNoSuchTime says that a text is none of the forms that when reads.
var errNoSuchTime = errors.New("not a time: use " + whenHelp)

// parse gives the moment that s names.
func (w *when) parse(s string) (telemetry.Instant, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "today":
		return w.day(0)
	case s == "yesterday":
		return w.day(-1)
	case strings.HasPrefix(s, "now"):
		return w.ago(s)
	case strings.HasPrefix(s, "shift"):
		return w.shift(s)
	}
	if d, err := calendar.ParseDate(s); err == nil {
		return w.dayOf(d)
	}
	t, err := calendar.ParseTime(wholeClock(strings.Replace(s, " ", "T", 1)), w.rules.Zone)
	if err != nil {
		return 0, fmt.Errorf("time %q: %w", s, errNoSuchTime)
	}
	return t, nil
}

// shortClock is a time without seconds: people leave them out.
var shortClock = regexp.MustCompile(`T\d\d:\d\d($|Z|[+-])`)

// wholeClock adds the seconds that s leaves out.
func wholeClock(s string) string {
	if at := shortClock.FindStringIndex(s); at != nil {
		end := at[0] + len("T08:00")
		return s[:end] + ":00" + s[end:]
	}
	return s
}

// day is the begin of the plant day that holds now, moved by so many days.
func (w *when) day(offset int) (telemetry.Instant, error) {
	days := w.rules.Days(calendar.Interval{From: w.now, To: w.now + 1})
	if len(days) == 0 {
		return 0, fmt.Errorf("no plant day holds %s: say the date", w.now)
	}
	return w.dayOf(days[0].Day.Add(offset))
}

// dayOf is the begin of the plant day of date d.
func (w *when) dayOf(d calendar.Date) (telemetry.Instant, error) {
	noon := calendar.Local(w.rules.Zone, d, calendar.Clock(12*time.Hour))
	const reach = telemetry.Instant(48 * time.Hour)
	for _, v := range w.rules.Days(calendar.Interval{From: noon - reach, To: noon + reach}) {
		if v.Day == d {
			return v.From, nil
		}
	}
	return 0, fmt.Errorf("%s is no day in %s: say another", d, w.rules.Zone)
}

// ago is now, or so long before it: now-90m, now-1h30m, now-7d.
func (w *when) ago(s string) (telemetry.Instant, error) {
	text, ok := strings.CutPrefix(strings.TrimPrefix(s, "now"), "-")
	if !ok {
		if s == "now" {
			return w.now, nil
		}
		return 0, fmt.Errorf("time %q: %w", s, errNoSuchTime)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 36500 {
			return w.now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("time %q: %w", s, errNoSuchTime)
	}
	return w.now.Add(-d), nil
}

// shift is the begin of the shift that began last, or of one before it.
func (w *when) shift(s string) (telemetry.Instant, error) {
	back := 0
	if text := strings.TrimPrefix(s, "shift"); text != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(text, "-"))
		if err != nil || text[0] != '-' || n < 1 || n > 1000 {
			return 0, fmt.Errorf("time %q: %w", s, errNoSuchTime)
		}
		back = n
	}
	reach := time.Duration(back+1)*24*time.Hour + 14*24*time.Hour // holidays and all
	shifts := w.rules.ShiftsIn(calendar.Interval{From: w.now.Add(-reach), To: w.now + 1})
	if len(shifts) <= back {
		return 0, fmt.Errorf("time %q: the calendar has no such shift before %s: say the time", s, w.now.Time().In(w.rules.Zone).Format("2006-01-02 15:04"))
	}
	return shifts[len(shifts)-1-back].From, nil
}
