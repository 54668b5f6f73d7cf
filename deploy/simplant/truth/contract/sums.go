package contract

import (
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// The findings of a unit.
const (
	foundUnmapped        = "unmapped_state"
	foundRanUnscheduled  = "ran_unscheduled"
	foundRanInPlanned    = "ran_in_planned_stop"
	foundCounterMissing  = "counter_missing"
	foundReset           = "counter_reset_assumed"
	foundDropIgnored     = "counter_drop_ignored"
	foundAmbiguous       = "rollover_ambiguous"
	foundWhileStopped    = "made_while_stopped"
	foundNoIdeal         = "no_ideal"
	foundOverOne         = "performance_over_one"
	foundQualityOutRange = "quality_out_of_range"
)

// sums are the terms of the text's formulas, added up over units. Times are in seconds.
type sums struct {
	t, pbt, apt, setup, stop, idle, unknown, planned exact.Num
	up                                               exact.Num // what A divides: APT, or the uptime of E79
	run, uncounted, bridged                          exact.Num // R, C, B
	stops                                            int64     // F

	total, good                      exact.Num // PQ, GQ
	idealTotalAll, idealGoodAll      exact.Num // of what was made in planned time that is not uncounted
	idealTotalKnown, idealGoodKnown  exact.Num // of those, in time that is not unknown
	idealTotalBridged, idealGoodSure exact.Num // total made in bridged time; good made in known or bridged time: G
	hasPieces, noIdeal               bool

	kwh, low, high, covered, energyT exact.Num
	hasEnergy, noHigh                bool

	findings map[string]bool
}

func newSums() *sums { return &sums{findings: map[string]bool{}} }

// inc adds a length of time to a term.
func inc(term *exact.Num, d time.Duration, when bool) {
	if when {
		*term = term.Add(seconds(d))
	}
}

// lengths are the times in w that a unit spent in each of its buckets.
func (p *picture) lengths(w calendar.Interval) []time.Duration {
	out := make([]time.Duration, len(p.buckets))
	p.each(w, func(s *span, v calendar.Interval) { out[s.bucket] += v.Duration() })
	return out
}

// add adds what a unit did in w.
func (s *sums) add(p *picture, w calendar.Interval, e79 bool) {
	s.hasPieces = s.hasPieces || p.hasPieces()
	s.t = s.t.Add(seconds(w.Duration()))
	lengths := p.lengths(w)
	for i, length := range lengths {
		if length == 0 {
			continue
		}
		if b := &p.buckets[i]; e79 {
			s.addE79(b, length)
		} else {
			s.addISO(b, length)
		}
	}
	if e79 {
		s.stops += within(p.stops, w)
	} else {
		s.stops += within(p.inStops, w)
	}
	s.addPieces(p, w, e79)
	s.addEnergy(p.energy, w)
	s.addFindings(p, w, lengths, e79)
	s.addMissing(p, lengths)
}

func (s *sums) addISO(b *bucket, length time.Duration) {
	inc(&s.pbt, length, b.planned())
	inc(&s.apt, length, b.class == inRun || b.class == inMinor)
	inc(&s.up, length, b.class == inRun || b.class == inMinor)
	inc(&s.setup, length, b.class == inSetup)
	inc(&s.stop, length, b.class == inStop)
	inc(&s.idle, length, b.class == inIdle)
	inc(&s.planned, length, b.class == inPlanned)
	inc(&s.unknown, length, b.class == inUnknown)
	inc(&s.bridged, length, b.class == inUnknown && b.bridged)
	inc(&s.run, length, b.class == inRun)
	inc(&s.uncounted, length, b.class == inRun && b.uncounted)
}

func (s *sums) addE79(b *bucket, length time.Duration) {
	minor := b.state == Stop && b.minor
	productive := b.state == Run || minor
	inc(&s.pbt, length, true)
	inc(&s.apt, length, productive)
	inc(&s.up, length, productive || b.state == Idle || b.state == Engineering)
	inc(&s.stop, length, b.state == Stop && !minor)
	inc(&s.unknown, length, b.state == Unknown)
	inc(&s.bridged, length, b.bridged)
	inc(&s.run, length, b.state == Run)
	inc(&s.uncounted, length, b.uncounted)
}

// within is the number of moments, in order, that w holds.
func within(ts []telemetry.Instant, w calendar.Interval) int64 {
	from, _ := slices.BinarySearch(ts, w.From)
	to, _ := slices.BinarySearch(ts, w.To)
	return int64(max(0, to-from))
}

// addPieces adds what was made, and its ideal time where planned.
func (s *sums) addPieces(p *picture, w calendar.Interval, e79 bool) {
	for c, m := range p.pieces(w) {
		s.total, s.good = s.total.Add(m.total), s.good.Add(m.good)
		b := &p.buckets[c.bucket]
		planned, unknown := b.planned(), b.class == inUnknown
		if e79 {
			planned, unknown = true, b.state == Unknown
		}
		if !planned || !m.any {
			continue
		}
		if c.ideal == noIdeal {
			s.noIdeal = true
			continue
		}
		if !b.uncounted {
			each := p.secondsOf(c.ideal)
			s.value(m.total.Mul(each), m.good.Mul(each), unknown, b.bridged)
		}
	}
}

// value adds the ideal time of pieces made in planned time that is not uncounted.
func (s *sums) value(total, good exact.Num, unknown, bridged bool) {
	s.idealTotalAll, s.idealGoodAll = s.idealTotalAll.Add(total), s.idealGoodAll.Add(good)
	switch {
	case !unknown:
		s.idealTotalKnown, s.idealGoodKnown = s.idealTotalKnown.Add(total), s.idealGoodKnown.Add(good)
		s.idealGoodSure = s.idealGoodSure.Add(good)
	case bridged:
		s.idealTotalBridged, s.idealGoodSure = s.idealTotalBridged.Add(total), s.idealGoodSure.Add(good)
	}
}

func (s *sums) addEnergy(e *meterEnergy, w calendar.Interval) {
	if e == nil {
		return
	}
	s.hasEnergy = true
	u := e.over(w)
	missing := hours(u.missing)
	s.kwh = s.kwh.Add(u.kwh)
	s.energyT = s.energyT.Add(seconds(w.Duration()))
	s.covered = s.covered.Add(seconds(w.Duration() - u.missing))
	s.low = s.low.Add(e.min.Mul(missing))
	if e.rated != nil {
		s.high = s.high.Add(e.rated.Mul(missing))
	} else if u.missing > 0 {
		s.noHigh = true
	}
	s.noHigh = s.noHigh || u.unsure
}

// addFindings notes what happened in w; lengths is that of its buckets.
func (s *sums) addFindings(p *picture, w calendar.Interval, lengths []time.Duration, e79 bool) {
	for i, length := range lengths {
		if length == 0 {
			continue
		}
		b := &p.buckets[i]
		s.find(foundUnmapped, b.unmapped)
		s.find(foundRanUnscheduled, !e79 && b.state == Run && !b.inShift)
		s.find(foundRanInPlanned, !e79 && b.state == Run && b.inShift && b.inPlanned)
	}
	if w.Empty() {
		return
	}
	counters := p.counters[:]
	if p.energy != nil {
		counters = append(slices.Clone(counters), p.energy.register)
	}
	for _, c := range counters {
		if c == nil {
			continue
		}
		for _, d := range c.overlapping(w) {
			s.find(foundReset, d.reset)
			s.find(foundDropIgnored, d.dropped)
			s.find(foundAmbiguous, d.ambiguous)
		}
	}
	s.find(foundWhileStopped, p.madeWhileStopped(w))
}

// addMissing notes that the unit ran uncounted.
func (s *sums) addMissing(p *picture, lengths []time.Duration) {
	for i, length := range lengths {
		s.find(foundCounterMissing, length > 0 && p.buckets[i].uncounted)
	}
}

func (s *sums) find(name string, yes bool) {
	if yes {
		s.findings[name] = true
	}
}

// addLine adds what a line did in w: out is the picture of its unit of that name with the line's planned time marked,
// each the ideal time of one of its pieces.
func (s *sums) addLine(out *picture, w calendar.Interval, each exact.Num) {
	s.hasPieces = out.hasPieces()
	s.t = seconds(w.Duration())
	lengths := out.lengths(w)
	for i, length := range lengths {
		b := &out.buckets[i]
		inc(&s.pbt, length, b.inLine)
		inc(&s.run, length, b.inLine && b.state == Run)
		inc(&s.uncounted, length, b.inLine && b.uncounted)
		inc(&s.unknown, length, b.class == inUnknown)
		inc(&s.bridged, length, b.class == inUnknown && b.bridged)
	}
	for c, m := range out.pieces(w) {
		s.total, s.good = s.total.Add(m.total), s.good.Add(m.good)
		if b := &out.buckets[c.bucket]; b.inLine && !b.uncounted {
			s.value(exact.Num{}, m.good.Mul(each), b.class == inUnknown, b.bridged)
		}
	}
	s.addMissing(out, lengths)
}
