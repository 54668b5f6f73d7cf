package keeper

import (
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// day is one plant day of a subject and the slices that it is cut into.
type day struct {
	calendar.Interval
	hours []calendar.Interval // the hours of UTC, cut at the begins and ends of shifts and days
	place evidence.Place
}

// days are the plant days of the subject that meet w, each by the model in force at its begin. Time without a model has none.
// Where a model changes the begin of the day, the day before ends, or begins, with it.
func (s *cycle) days(subject evidence.Subject, w calendar.Interval) []day {
	var out []day
	for at := w.From; at < w.To; {
		v, ok := s.history.At(at, s.now)
		rules, place := ruled(v, ok, subject)
		if rules == nil {
			at = s.nextVersion(at, w.To)
			continue
		}
		days := rules.Days(calendar.Interval{From: at, To: at + 1})
		if len(days) == 0 {
			at = s.nextVersion(at, w.To)
			continue
		}
		d := day{Interval: days[0].Interval, place: place}
		if n := len(out); n > 0 {
			d.From = max(d.From, out[n-1].To)
		}
		d.hours = cutAt(d.Interval, rules.Borders(d.Interval))
		out = append(out, d)
		at = d.To
	}
	return out
}

// nextVersion is the begin of the next version's time after t, or end.
func (s *cycle) nextVersion(t, end telemetry.Instant) telemetry.Instant {
	for _, span := range s.history.Spans(calendar.Interval{From: t, To: end}, s.now) {
		if span.From > t {
			return span.From
		}
	}
	return end
}

// ruled is the calendar that a version of the model cuts the subject's time by; nil when it does not have the subject.
func ruled(v *plant.Version, ok bool, subject evidence.Subject) (*calendar.Rules, evidence.Place) {
	if !ok {
		return nil, evidence.Place{}
	}
	m, id := v.Model, subject.ID
	place := evidence.Place{Site: m.Site}
	if subject.Kind == evidence.Line {
		l, found := m.Line(id)
		if !found {
			return nil, place
		}
		id, place.Area, place.Line = l.Out, l.Area, l.ID
	}
	u, found := m.Unit(id)
	if !found {
		return nil, place
	}
	if subject.Kind == evidence.Unit {
		place.Area, place.Line = u.Area, u.Line
	}
	c, found := m.Calendar(u.Calendar)
	if !found {
		return nil, place
	}
	return c.Rules, place
}

// cutAt divides v at borders, which lie inside of it.
func cutAt(v calendar.Interval, borders []telemetry.Instant) []calendar.Interval {
	out := make([]calendar.Interval, 0, len(borders)+1)
	from := v.From
	for _, b := range append(slices.Clone(borders), v.To) {
		if b > from {
			out = append(out, calendar.Interval{From: from, To: b})
			from = b
		}
	}
	return out
}

// closed are the slices of days whose hour is over for the settle time.
func (s *cycle) closed(days []day) []calendar.Interval {
	var out []calendar.Interval
	for _, d := range days {
		for _, h := range d.hours {
			if hourOf(h.From).Add(time.Hour+s.o.Settle) <= s.now {
				out = append(out, h)
			}
		}
	}
	return out
}
