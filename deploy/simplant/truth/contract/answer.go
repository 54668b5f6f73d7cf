package contract

import (
	"slices"

	"kvarts/historian/exact"
)

// Answer is the answer to one query: a value for every key of the text.
type Answer struct {
	Numbers  map[string]exact.Num // a key that is missing is null
	Reason   string               // "": null
	Findings []string             // sorted
}

// The keys that other code of this package or of its users names.
const (
	KeyOEE  = "OEE"
	KeyEkWh = "E_kwh"
)

// Keys are the keys of an answer but reason and findings, in the order of the text.
func Keys() []string {
	return []string{
		"A", "P", "Q", KeyOEE, "NEE", "TEEP", "OpE", "A_low", "A_high", "OEE_low", "OEE_high", "coverage", "count_coverage",
		"PBT_s", "APT_s", "SETUP_s", "STOP_s", "IDLE_s", "UNKNOWN_s", "PLANNED_s", "UNCOUNTED_s", "PQ", "GQ", "ideal_total_s", "ideal_good_s",
		KeyEkWh, "E_low_kwh", "E_high_kwh", "E_coverage", "MTBF_s", "MTTR_s",
	}
}

// sheet collects the numbers of an answer. null is nil.
type sheet map[string]exact.Num

func (n sheet) set(key string, x *exact.Num) {
	if x != nil {
		n[key] = *x
	}
}

// over is a/b; null where b is 0.
func over(a, b exact.Num) *exact.Num {
	if b.IsZero() {
		return nil
	}
	q := a.Quo(b)
	return &q
}

// complement is 1 − x.
func complement(x *exact.Num) *exact.Num {
	if x == nil {
		return nil
	}
	c := exact.Int(1).Sub(*x)
	return &c
}

// product is the product of factors; null if one is.
func product(xs ...*exact.Num) *exact.Num {
	p := exact.Int(1)
	for _, x := range xs {
		if x == nil {
			return nil
		}
		p = p.Mul(*x)
	}
	return &p
}

// uncounted is how uncounted time is taken: at the pace of counted run time.
type uncounted struct {
	nothing bool      // run time, and none of it counted
	extra   exact.Num // X
	pace    exact.Num // R/(R − C)
}

func (s *sums) uncountedTime() uncounted {
	u := uncounted{pace: exact.Int(1)}
	rest := s.run.Sub(s.uncounted)
	switch {
	case s.uncounted.IsZero():
	case rest.IsZero():
		u.nothing = true
	default:
		u.extra, u.pace = s.idealGoodKnown.Mul(s.uncounted).Quo(rest), s.run.Quo(rest)
	}
	return u
}

// answer is what the sums of units say.
func (s *sums) answer(e79 bool) Answer {
	u, n := s.uncountedTime(), sheet{}
	s.times(n, e79)
	s.availability(n)
	if s.hasPieces {
		n["PQ"], n["GQ"] = s.total, s.good
	}
	if !s.noIdeal {
		s.effectiveness(n, u, e79)
	}
	s.energy(n)
	if p, ok := n["P"]; ok {
		s.find(foundOverOne, p.Cmp(exact.Int(1)) > 0)
	}
	if q, ok := n["Q"]; ok {
		s.find(foundQualityOutRange, q.Sign() < 0 || q.Cmp(exact.Int(1)) > 0)
	}
	s.find(foundNoIdeal, s.noIdeal)
	return Answer{Numbers: n, Reason: s.reason(u), Findings: s.found()}
}

func (s *sums) found() []string {
	var out []string
	for f := range s.findings {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

func (s *sums) times(n sheet, e79 bool) {
	n["PBT_s"], n["APT_s"], n["UNKNOWN_s"], n["UNCOUNTED_s"] = s.pbt, s.apt, s.unknown, s.uncounted
	if e79 {
		n.set("OpE", over(s.apt, s.up))
	} else {
		n["SETUP_s"], n["STOP_s"], n["IDLE_s"], n["PLANNED_s"] = s.setup, s.stop, s.idle, s.planned
	}
	n.set("MTBF_s", over(s.apt.Add(s.setup), exact.Int(s.stops)))
	n.set("MTTR_s", over(s.stop, exact.Int(s.stops)))
	n.set("count_coverage", complement(over(s.uncounted, s.run)))
	n.set("coverage", complement(over(s.unknown, s.pbt)))
}

func (s *sums) availability(n sheet) {
	n.set("A", over(s.up, s.pbt.Sub(s.unknown)))
	n.set("A_low", over(s.up.Add(exact.Min(s.unknown, s.idealTotalBridged)), s.pbt))
	n.set("A_high", over(s.up.Add(s.unknown), s.pbt))
}

// effectiveness is what needs an ideal for every piece.
func (s *sums) effectiveness(n sheet, u uncounted, e79 bool) {
	if s.hasPieces {
		n["ideal_total_s"], n["ideal_good_s"] = s.idealTotalAll, s.idealGoodAll
	}
	s.bounds(n, u)
	if u.nothing {
		return
	}
	known := s.pbt.Sub(s.unknown)
	n.set("P", product(over(s.idealTotalKnown, s.apt), &u.pace))
	n.set("Q", over(s.idealGoodKnown, s.idealTotalKnown))
	n.set(KeyOEE, over(s.idealGoodSure.Add(u.extra), known.Add(s.bridged)))
	if e79 {
		return
	}
	n.set("NEE", product(over(s.apt.Add(s.setup), s.apt), over(s.idealGoodKnown.Add(u.extra), known)))
	if s.hasPieces {
		n.set("TEEP", over(s.idealGoodAll.Add(u.extra), s.t))
	}
}

func (s *sums) bounds(n sheet, u uncounted) {
	n.set("OEE_low", over(s.idealGoodAll, s.pbt))
	dark := exact.Max(s.unknown.Sub(s.bridged), s.idealGoodAll.Sub(s.idealGoodSure))
	n.set("OEE_high", over(s.idealGoodSure.Add(dark).Add(exact.Max(s.uncounted, u.extra)), s.pbt))
}

func (s *sums) energy(n sheet) {
	if !s.hasEnergy {
		return
	}
	n[KeyEkWh], n["E_low_kwh"] = s.kwh, s.kwh.Add(s.low)
	if !s.noHigh {
		n["E_high_kwh"] = s.kwh.Add(s.high)
	}
	n.set("E_coverage", over(s.covered, s.energyT))
}

// reason is the first reason why something is missing.
func (s *sums) reason(u uncounted) string {
	switch {
	case s.pbt.IsZero():
		return "no_planned_time"
	case s.pbt.Equal(s.unknown):
		return "no_known_time"
	case u.nothing:
		return "no_counters"
	case s.noIdeal:
		return "no_ideal"
	case s.apt.IsZero():
		return "no_run_time"
	case s.idealTotalKnown.IsZero():
		return "no_parts"
	default:
		return ""
	}
}

// lineAnswer is what the sums of a line say.
func (s *sums) lineAnswer() Answer {
	u, n := s.uncountedTime(), sheet{}
	n["PBT_s"], n["UNKNOWN_s"], n["UNCOUNTED_s"] = s.pbt, s.unknown, s.uncounted
	n.set("coverage", complement(over(s.unknown, s.pbt)))
	n.set("count_coverage", complement(over(s.uncounted, s.run)))
	s.bounds(n, u)
	if s.hasPieces {
		n["PQ"], n["GQ"], n["ideal_good_s"] = s.total, s.good, s.idealGoodAll
	}
	if !u.nothing {
		n.set(KeyOEE, over(s.idealGoodSure.Add(u.extra), s.pbt.Sub(s.unknown).Add(s.bridged)))
		if s.hasPieces {
			n.set("TEEP", over(s.idealGoodAll.Add(u.extra), s.t))
		}
	}
	s.energy(n)
	reason := s.reason(u)
	if !slices.Contains([]string{"no_planned_time", "no_known_time", "no_counters"}, reason) {
		reason = ""
	}
	return Answer{Numbers: n, Reason: reason, Findings: s.found()}
}

// Findings are all findings that the text names.
func Findings() []string {
	return []string{
		foundUnmapped, foundRanUnscheduled, foundRanInPlanned, foundCounterMissing, foundReset, foundDropIgnored, foundAmbiguous, foundWhileStopped,
		foundNoIdeal, foundOverOne, foundQualityOutRange,
	}
}
