package contract

import (
	"cmp"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// class is what a moment is to a unit by the rules of CONFORMANCE.md, "What each moment is".
type class uint8

const (
	inNone    class = iota // in none of the sums
	inPlanned              // PLANNED_s; those after it are planned time
	inRun
	inMinor // of a minor stop: APT_s, but nothing is made
	inSetup
	inStop
	inIdle
	inUnknown
)

// bucket is what is the same for all moments of a span.
type bucket struct {
	class     class
	state     Category // Unknown where it is not known
	minor     bool     // of a stop
	unmapped  bool     // the state's code is not in the map
	inShift   bool
	inPlanned bool // in a planned stop
	uncounted bool // in state run, planned or not
	bridged   bool // in state unknown, planned or not
	inLine    bool // in planned time of the line that is asked of
	ideal     int  // of counted pieces, index into the unit's ideals; noIdeal: there is none
}

// noIdeal is the index of no ideal.
const noIdeal = -1

// takes says that pieces can be made then: in state run, or UNKNOWN_s.
func (b *bucket) takes() bool { return b.state == Run || b.class == inUnknown }

// planned says that the moment is planned time.
func (b *bucket) planned() bool { return b.class >= inRun }

// span is a time in which nothing changes.
type span struct {
	calendar.Interval
	bucket int
	before time.Duration // time before it, since the first span, in which pieces can be made
}

// picture is a unit as known at a horizon: all that windows have in common. Its spans lie side by side from the begin of
// time to the horizon. It does not change any more.
type picture struct {
	unit    *Unit
	horizon telemetry.Instant
	spans   []span
	buckets []bucket
	stops   []telemetry.Instant // begins of stops that are not minor
	inStops []telemetry.Instant // the first moments of those that are STOP_s

	counters [numCounters]*series // nil: the unit has none
	booked   []Booking            // by From
	scrap    []ScrapReport
	stopped  [numCounters][]calendar.Interval // deltas above 0 during which nothing can be made, in order
	energy   *meterEnergy                     // nil: neither register nor power
}

// The counters of pieces.
const (
	countsTotal = iota
	countsGood
	countsScrap
	numCounters
)

func newPicture(u *Unit, h telemetry.Instant) *picture {
	p := &picture{unit: u, horizon: h}
	for i, c := range []*Counter{u.Total, u.Good, u.Scrap} {
		if c != nil {
			p.counters[i] = newSeries(c, h)
		}
	}
	for _, b := range u.Booked {
		if b.ReportedAt <= h {
			p.booked = append(p.booked, b)
		}
	}
	slices.SortStableFunc(p.booked, func(a, b Booking) int { return cmp.Compare(a.From, b.From) })
	for _, s := range u.ScrapReports {
		if s.ReportedAt <= h {
			p.scrap = append(p.scrap, s)
		}
	}
	d := newDraft(p)
	d.readStates()
	d.findStops()
	d.classify()
	p.fill(d.spans, d.of)
	p.findMadeWhileStopped()
	p.energy = newMeterEnergy(u, h)
	return p
}

// fill takes over spans and what each is.
func (p *picture) fill(spans []calendar.Interval, of []bucket) {
	index := map[bucket]int{}
	p.spans = make([]span, len(spans))
	var before time.Duration
	for i, v := range spans {
		b, ok := index[of[i]]
		if !ok {
			b = len(p.buckets)
			index[of[i]] = b
			p.buckets = append(p.buckets, of[i])
		}
		p.spans[i] = span{Interval: v, bucket: b, before: before}
		if of[i].takes() {
			before += v.Duration()
		}
	}
}

// at is the index of the span that holds t, or the number of spans when t is the horizon or later.
func (p *picture) at(t telemetry.Instant) int {
	i, _ := slices.BinarySearchFunc(p.spans, t, func(s span, t telemetry.Instant) int {
		if s.To <= t {
			return -1
		}
		return 1
	})
	return i
}

// open is the time before t, since the first span, in which pieces can be made.
func (p *picture) open(t telemetry.Instant) time.Duration {
	i := p.at(t)
	if i == len(p.spans) {
		if i == 0 {
			return 0
		}
		i--
	}
	s := &p.spans[i]
	if p.buckets[s.bucket].takes() {
		return s.before + min(t, s.To).Sub(s.From)
	}
	return s.before
}

// openIn is the time in v in which pieces can be made.
func (p *picture) openIn(v calendar.Interval) time.Duration { return p.open(v.To) - p.open(v.From) }

// each calls f with every span that meets w and what they have in common.
func (p *picture) each(w calendar.Interval, f func(s *span, v calendar.Interval)) {
	if w.Empty() {
		return
	}
	for i := p.at(w.From); i < len(p.spans) && p.spans[i].From < w.To; i++ {
		f(&p.spans[i], p.spans[i].Meet(w))
	}
}

// of is what a span is.
func (p *picture) of(s *span) *bucket { return &p.buckets[s.bucket] }

// forLine is the picture with the planned time of a line marked, given as a union.
func (p *picture) forLine(planned []calendar.Interval) *picture {
	marked := *p
	marked.buckets = nil
	in := cursor{planned}
	var spans []calendar.Interval
	var of []bucket
	for i := range p.spans {
		s := &p.spans[i]
		for from := s.From; from < s.To; {
			b := *p.of(s)
			b.inLine = in.holds(from)
			to := s.To
			if len(in.rest) > 0 {
				border := in.rest[0].From
				if b.inLine {
					border = in.rest[0].To
				}
				to = min(to, border)
			}
			spans, of = append(spans, calendar.Interval{From: from, To: to}), append(of, b)
			from = to
		}
	}
	marked.fill(spans, of)
	return &marked
}

// plannedTime is the unit's planned time as a union.
func (p *picture) plannedTime() []calendar.Interval {
	var out []calendar.Interval
	for i := range p.spans {
		if p.of(&p.spans[i]).planned() {
			out = append(out, p.spans[i].Interval)
		}
	}
	return union(out)
}

// findMadeWhileStopped notes what was made while nothing can be.
func (p *picture) findMadeWhileStopped() {
	for k, c := range p.counters {
		if c == nil {
			continue
		}
		for i := range c.deltas {
			if d := &c.deltas[i]; d.amount.Sign() > 0 && p.openIn(d.Interval) == 0 {
				p.stopped[k] = append(p.stopped[k], d.Interval)
			}
		}
	}
}

// hasPieces says that the unit has a piece counter, be it without readings, or something booked.
func (p *picture) hasPieces() bool { return p.counted() || len(p.booked) > 0 }

// counted says that the unit has a piece counter.
func (p *picture) counted() bool { return p.counters != [numCounters]*series{} }

// idealsByDate are the indices of the ideals of product, or of all products if it is "", by their dates: the last of
// those of one date is the one that counts.
func idealsByDate(u *Unit, product string) []int {
	var out []int
	for i := range u.Ideals {
		if product == "" || u.Ideals[i].Product == product {
			out = append(out, i)
		}
	}
	return latest(out, func(i int) telemetry.Instant { return u.Ideals[i].From })
}

// idealFrom is the date of the ideal of an index.
func (p *picture) idealFrom(i int) telemetry.Instant { return p.unit.Ideals[i].From }

// idealOf is the index of an entry that holds, nil before the first; noIdeal where there is no ideal.
func (p *picture) idealOf(index *int) int {
	if index == nil || p.secondsOf(*index).IsZero() {
		return noIdeal
	}
	return *index
}

// secondsOf is the ideal of an index, which is not noIdeal.
func (p *picture) secondsOf(ideal int) exact.Num { return p.unit.Ideals[ideal].Seconds }
