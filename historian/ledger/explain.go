package ledger

import (
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
)

// Segment is time in which a unit was one thing: the evidence behind its times.
type Segment struct {
	When          calendar.Interval
	Category      Category // effective: Unknown where nobody could know
	Code, Reason  string   // of the last reported state; "" before the first
	Planned       bool     // planned busy time (in PBT)
	Minor         bool     // of a minor stop
	Unknown       bool     // unknown planned time
	Bridged       bool     // within deltas of every piece counter, none a lower bound
	Uncounted     bool     // in state run, and nothing counts what is made
	Unscheduled   bool     // outside every shift
	InPlannedStop bool
}

// Delta is a quantity of an interval: the evidence behind pieces and energy.
type Delta struct {
	When       calendar.Interval
	Counter    string // "total", "good", "scrap", "energy"
	Amount     exact.Num
	Kind       DeltaKind
	LowerBound bool
	Findings   Findings
}

// Evidence is what facts of a window follow from.
type Evidence struct {
	Segments []Segment // without holes, cut at the window
	Deltas   []Delta   // whole, by counter and time: those that overlap the window
}

// Explain is the evidence behind the facts of a window.
func (u *Unit) Explain(w calendar.Interval) Evidence {
	w = w.Meet(calendar.Interval{From: dawn, To: u.in.Horizon})
	var e Evidence
	if w.Empty() {
		return e
	}
	for i := atomAt(u.atoms, w.From); i < len(u.atoms) && u.atoms[i].from < w.To; i++ {
		s := u.segment(&u.atoms[i])
		s.When = s.When.Meet(w)
		if n := len(e.Segments); n > 0 && e.Segments[n-1].continues(s) {
			e.Segments[n-1].When.To = s.When.To
			continue
		}
		e.Segments = append(e.Segments, s)
	}
	add := func(name string, deltas []delta) {
		for i := overlapping(deltas, nil, w.From); i < len(deltas) && deltas[i].from < w.To; i++ {
			d := &deltas[i]
			e.Deltas = append(e.Deltas, Delta{
				When: calendar.Interval{From: d.from, To: d.to}, Counter: name, Amount: d.amount, Kind: d.kind,
				LowerBound: d.lowerBound(), Findings: d.findings,
			})
		}
	}
	u.counters.each(add)
	if u.meter != nil {
		add("energy", u.meter.deltas)
	}
	return e
}

// segment is an atom in words.
func (u *Unit) segment(a *atom) Segment {
	s := Segment{
		When: calendar.Interval{From: a.from, To: a.to}, Category: a.category,
		Planned: a.planned(), Minor: a.has(minor), Unknown: a.iso == unknownTime, Bridged: a.has(bridging), Uncounted: a.has(uncounted),
		Unscheduled: a.has(unscheduled), InPlannedStop: a.has(inPlannedStop),
	}
	if i := u.stretches[a.stretch].state; i >= 0 {
		s.Code, s.Reason = u.in.States[i].Code, u.in.States[i].Reason
	}
	return s
}

// continues says that t is more of s.
func (s Segment) continues(t Segment) bool {
	s.When, t.When = calendar.Interval{}, calendar.Interval{}
	return s == t
}
