package calendar

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Check finds everything that is wrong with r; each error says what, and what to do. The methods of rules that were not
// checked, or failed, may give nonsense.
func (r *Rules) Check() error {
	var errs []error
	if r.Zone == nil {
		errs = append(errs, errors.New("zone: missing; name an IANA zone, like Asia/Almaty"))
	}
	for i, s := range r.Shifts {
		errs = append(errs, within(name("shift", s.Name, i), s.check()))
	}
	for i, s := range r.Stops {
		errs = append(errs, within(name("planned stop", s.Name, i), s.check()))
	}
	errs = append(errs, r.checkHolidays(), r.checkDayStarts())
	return errors.Join(errs...)
}

func name(what, name string, i int) string {
	if name == "" {
		return fmt.Sprintf("%s number %d", what, i+1)
	}
	return fmt.Sprintf("%s %q", what, name)
}

// within puts where in front of each of the errors that err joins.
func within(where string, errs []error) error {
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", where, err)
	}
	return errors.Join(errs...)
}

func (s *Shift) check() []error {
	errs := s.Daily.check()
	if s.Name == "" {
		errs = append(errs, errors.New("has no name; give it one, reports are by it"))
	}
	return errs
}

func (s *Stop) check() []error {
	switch {
	case s.Daily != nil && s.Once != Interval{}:
		return []error{errors.New("is both recurring and single; make it two stops")}
	case s.Daily != nil:
		return s.Daily.check()
	case s.Once.Empty():
		return []error{fmt.Errorf("ends at %s, not after its begin at %s; exchange or correct them", s.Once.To, s.Once.From)}
	}
	return nil
}

func (d *Daily) check() []error {
	var errs []error
	const day = Clock(24 * time.Hour)
	if d.Begin < 0 || d.Begin >= day {
		errs = append(errs, fmt.Errorf("begins at %s; use 00:00 to 23:59:59", d.Begin))
	}
	if d.End < 0 || d.End > day {
		errs = append(errs, fmt.Errorf("ends at %s; use 00:00 to 24:00", d.End))
	}
	if d.Days >= 1<<7 {
		errs = append(errs, fmt.Errorf("days of the week %#x; use Sunday to Saturday", uint8(d.Days)))
	}
	return append(append(errs, d.Cycle.check()...), d.Effective.check()...)
}

func (c *Cycle) check() []error {
	if c.Length == 0 && len(c.On) == 0 && c.Anchor.IsZero() {
		return nil
	}
	var errs []error
	if c.Length < 1 || c.Length > 366 {
		errs = append(errs, fmt.Errorf("cycle of %d days; use 1 to 366", c.Length))
	}
	if !c.Anchor.exists() {
		errs = append(errs, fmt.Errorf("cycle counts from %s, which is no date; give the date of its day 0", c.Anchor))
	}
	if len(c.On) == 0 {
		errs = append(errs, errors.New("cycle has no days; list those that are worked, 0 is the first"))
	}
	for i, k := range c.On {
		if k < 0 || k >= c.Length {
			errs = append(errs, fmt.Errorf("day %d of a cycle of %d days; use 0 to %d", k, c.Length, c.Length-1))
		}
		if slices.Contains(c.On[:i], k) {
			errs = append(errs, fmt.Errorf("day %d of the cycle is listed twice; list it once", k))
		}
	}
	return errs
}

func (p *Period) check() []error {
	var errs []error
	for _, d := range []Date{p.From, p.Until} {
		if !d.IsZero() && !d.exists() {
			errs = append(errs, fmt.Errorf("%s is no date; use one of the calendar", d))
		}
	}
	if !p.From.IsZero() && !p.Until.IsZero() && !p.From.Before(p.Until) {
		errs = append(errs, fmt.Errorf("holds from %s until %s, which is never; put the dates in order", p.From, p.Until))
	}
	return errs
}

func (r *Rules) checkHolidays() error {
	var errs []error
	seen := make(map[Date]bool)
	for i, h := range r.Holidays {
		where := name("holiday", h.Name, i)
		if !h.Date.exists() {
			errs = append(errs, fmt.Errorf("%s: %s is no date; use one of the calendar", where, h.Date))
		}
		if seen[h.Date] {
			errs = append(errs, fmt.Errorf("%s: %s is a holiday already; list it once", where, h.Date))
		}
		seen[h.Date] = true
	}
	return errors.Join(errs...)
}

func (r *Rules) checkDayStarts() error {
	var errs []error
	seen := make(map[Date]bool)
	for _, s := range r.DayStarts {
		if s.At < 0 || s.At >= Clock(24*time.Hour) {
			errs = append(errs, fmt.Errorf("plant day begins at %s; use 00:00 to 23:59:59", s.At))
		}
		if !s.From.IsZero() && !s.From.exists() {
			errs = append(errs, fmt.Errorf("plant day begins at %s from %s on, which is no date; use one of the calendar", s.At, s.From))
		}
		if seen[s.From] {
			errs = append(errs, fmt.Errorf("plant day has two begins from %s on; keep one", s.From))
		}
		seen[s.From] = true
	}
	return errors.Join(errs...)
}
