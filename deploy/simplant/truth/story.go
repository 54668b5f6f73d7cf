package truth

import (
	"slices"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// part is one batch, or what was seen of it in one piece: in its time it came from least to most.
type part struct {
	calendar.Interval
	terms
	least, most exact.Num
	whole, over bool // its begin and its end are known
}

// story is what is known of a unit's batches, look after look.
type story struct {
	*dossier
	labels  []label
	bad     []telemetry.Instant // when the progress could not be used
	parts   []part
	at      telemetry.Instant // of the last look
	under   int               // the label that was in force then
	counter *contract.Counter
	shows   exact.Num // what the counter shows now
}

// passage is what is known of the time between two looks.
type passage struct {
	calendar.Interval
	to     int // the label in force at its end
	others int // how many other batches were named in it
	change int // the last label that named one
}

func (s *story) passage(to telemetry.Instant) passage {
	p := passage{Interval: calendar.Interval{From: s.at, To: to}, to: s.under}
	for p.to+1 < len(s.labels) && s.labels[p.to+1].at <= to {
		p.to++
		if s.labels[p.to].other {
			p.others++
			p.change = p.to
		}
	}
	return p
}

// unseen says that something may have happened in v that nobody saw.
func (s *story) unseen(v calendar.Interval) bool {
	covered := slices.ContainsFunc(s.alive, func(a calendar.Interval) bool { return a.From <= v.From && v.To <= a.To })
	return !covered || slices.ContainsFunc(s.bad, v.Holds)
}

// see takes in the next look. Which of these is the case, in this order:
//
//   - Both looks are at one batch by its name: progress does not go back, a fall is noise.
//   - Nothing tells whether they are, as the name was not known at one of them: a fall by more than noise is another batch. A rise is
//     one, if nothing was unseen; else it is the least that was made.
//   - Another batch was named once, and nothing was unseen up to then: the old one came to what was seen last, the new one
//     began from nothing.
//   - Else the least that was made is what the last batch had come to when it was first seen.
func (s *story) see(l look) error {
	if len(s.parts) == 0 {
		return s.begin(l)
	}
	p := s.passage(l.at)
	defer func() { s.at, s.under = l.at, p.to }()
	now := &s.parts[len(s.parts)-1]
	nameless := !s.labels[s.under].known || p.others == 0 && !s.labels[p.to].known
	falls := now.most.Sub(now.pieces(l.done)).Cmp(now.noise()) > 0
	rises := exact.Max(now.most, now.pieces(l.done))
	switch {
	case p.others == 0 && !nameless:
		now.most = rises
		s.read(l.at, rises)
		return nil
	case p.others == 0 && falls:
		t, err := s.termsAt(l.at)
		if err != nil {
			return err
		}
		s.lost(l.at, t, t.pieces(l.done), t.pieces(l.done))
		return nil
	case p.others == 0 && s.unseen(p.Interval):
		s.lost(l.at, now.terms, rises.Sub(now.most), rises)
		return nil
	case p.others == 0:
		now.most = rises
		s.read(l.at, rises)
		return nil
	}
	t, err := s.termsOf(p.change)
	if err != nil {
		return err
	}
	v, change := t.pieces(l.done), s.labels[p.change].at
	clearly := p.change == s.under+1 && !s.unseen(calendar.Interval{From: p.From, To: change}) &&
		(s.labels[p.to].known || !s.unseen(calendar.Interval{From: change, To: p.To}))
	switch {
	case p.others == 1 && nameless && !falls && s.unseen(p.Interval):
		s.lost(l.at, t, rises.Sub(now.most), v)
	case p.others == 1 && nameless && !falls:
		now.To, now.over = l.at, true
		s.read(l.at, rises)
		s.parts = append(s.parts, s.from(l.at, t, v))
		s.swap(l.at, v)
	case p.others == 1 && !nameless && clearly:
		now.To, now.over = change, true
		s.swap(change, exact.Num{})
		next := s.from(change, t, v)
		next.least = exact.Num{}
		s.parts = append(s.parts, next)
		s.read(l.at, v)
	default:
		s.lost(l.at, t, v, v)
	}
	return nil
}

// begin takes in the first look.
func (s *story) begin(l look) error {
	s.at = l.at
	p := s.passage(l.at)
	s.under = p.to
	if p.others > 1 { // a batch was named before, so that this one began when it was named
		t, err := s.termsOf(p.change)
		if err != nil {
			return err
		}
		first := s.from(s.labels[p.change].at, t, t.pieces(l.done))
		first.least = exact.Num{}
		s.parts = append(s.parts, first)
	} else {
		t, err := s.termsAt(l.at)
		if err != nil {
			return err
		}
		first := s.from(l.at, t, t.pieces(l.done))
		first.whole = false
		s.parts = append(s.parts, first)
	}
	s.read(l.at, s.parts[0].most)
	return nil
}

// termsOf are those of a batch that was named: as it was named, or first looked at where it is the first of all.
func (s *story) termsOf(change int) (terms, error) {
	at := s.labels[change].at
	if !slices.ContainsFunc(s.labels[:change], func(l label) bool { return l.known }) {
		for _, p := range s.tracks[roleProgress] {
			if p.at >= at {
				at = p.at
				break
			}
		}
	}
	return s.termsAt(at)
}

// from is a batch that is known from a moment on, when so many pieces were made of it.
func (s *story) from(at telemetry.Instant, t terms, v exact.Num) part {
	return part{Interval: calendar.Interval{From: at, To: s.span.To + 1}, terms: t, least: v, most: v, whole: true}
}

// finish takes in a change after the last look.
func (s *story) finish() {
	if len(s.parts) == 0 {
		return
	}
	for k := s.under + 1; k < len(s.labels); k++ {
		if !s.labels[k].other {
			continue
		}
		now, at := &s.parts[len(s.parts)-1], s.labels[k].at
		now.To, now.over = s.at, true
		if k == s.under+1 && s.labels[s.under].known && !s.unseen(calendar.Interval{From: s.at, To: at}) {
			now.To = at
			s.swap(at, exact.Num{})
		}
		return
	}
}

// read adds a reading.
func (s *story) read(at telemetry.Instant, v exact.Num) {
	if !s.parts[len(s.parts)-1].completion {
		s.counter.Readings = append(s.counter.Readings, contract.Reading{At: at, KnownAt: at, Value: v})
		s.shows = v
	}
}

// swap ends the counter and begins one that shows v.
func (s *story) swap(at telemetry.Instant, v exact.Num) {
	if len(s.counter.Readings) == 0 {
		return
	}
	c := s.counter
	if n := len(c.Swaps); n > 0 && c.Swaps[n-1].At == at {
		c.Swaps[n-1].Initial, s.shows = v, v
		return
	}
	if c.Readings[len(c.Readings)-1].At == at && s.shows.Equal(v) {
		return // it goes on as it is
	}
	c.Swaps = append(c.Swaps, contract.Swap{At: at, Final: s.shows, Initial: v})
	s.shows = v
}

// lost ends a batch with the last look and begins one with this, of which v were made; between the two at least so many were made.
// So says a counter that has fallen to as many: it restarted. It is made to fall by a swap at the last reading for one that shows
// more, and swapped for one that shows v.
func (s *story) lost(at telemetry.Instant, t terms, least, v exact.Num) {
	now := &s.parts[len(s.parts)-1]
	now.To, now.over = s.at, true
	s.parts = append(s.parts, s.from(at, t, v))
	if n := len(s.counter.Readings); n > 0 {
		s.swap(s.counter.Readings[n-1].At, least.Add(exact.Frac(1, quantumCounted)))
		s.read(at, least)
		s.swap(at, v)
		return
	}
	s.read(at, v)
}
