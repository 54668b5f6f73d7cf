package world

import (
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
)

// Segment is a stretch of the truth: what a unit really did, whatever was seen of it.
type Segment struct {
	calendar.Interval
	Category plant.Category
	Reason   string
	// Pieces a second, of which Scrap are known at once to be no good.
	Total, Scrap float64
	// KW at the begin and its growth in kW per second: of the unit itself, not of what it measures.
	KW, Slope float64
}

// Segments is the truth so far, in order, without holes (Options.KeepSegments).
func (u *Unit) Segments() []Segment {
	out := append([]Segment(nil), u.segments...)
	if n := len(out); n > 0 {
		out[n-1].To = u.w.now
	}
	return out
}

// note begins a segment when the present one is no longer true.
func (u *Unit) note() {
	if !u.w.opts.KeepSegments {
		return
	}
	s := Segment{
		Interval: calendar.Interval{From: u.w.now}, Category: u.category, Reason: u.reason,
		Total: u.making.perSecond, Scrap: u.making.scrapSecond, KW: u.standby,
	}
	if !u.paused {
		s.KW, s.Slope = u.load.kw+u.load.slope*(u.workedNow()-u.load.from), u.load.slope
	}
	n := len(u.segments)
	if n > 0 && u.segments[n-1].From == s.From {
		u.segments[n-1] = s
		return
	}
	if n > 0 {
		last := &u.segments[n-1]
		last.To = s.From
		if last.Category == s.Category && last.Reason == s.Reason && last.Total == s.Total && last.Scrap == s.Scrap &&
			last.Slope == s.Slope && last.KW+last.Slope*s.From.Sub(last.From).Seconds() == s.KW {
			return
		}
	}
	u.segments = append(u.segments, s)
}
