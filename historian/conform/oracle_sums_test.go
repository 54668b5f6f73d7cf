package conform

import (
	"math/big"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// The oracle's sums over pieces of time, and the keys that follow from them.

// oracleSums are the terms of the formulas, summed over units.
type oracleSums struct {
	t, pbt, apt, up, setup, stop, idle, u, planned, c, r, b                    rat
	pq, gq, idealTotalS, idealGoodS, idealTotal, idealGood, g, bridgedTotal, f rat
	e, low, high, covered, et                                                  rat
	highNull, hasPCS, hasE, noIdeal                                            bool
	findings                                                                   map[string]bool
}

func newOracleSums() *oracleSums {
	s := &oracleSums{findings: map[string]bool{}}
	for _, x := range []*rat{
		&s.t, &s.pbt, &s.apt, &s.up, &s.setup, &s.stop, &s.idle, &s.u, &s.planned, &s.c, &s.r, &s.b,
		&s.pq, &s.gq, &s.idealTotalS, &s.idealGoodS, &s.idealTotal, &s.idealGood, &s.g, &s.bridgedTotal, &s.f,
		&s.e, &s.low, &s.high, &s.covered, &s.et,
	} {
		*x = new(big.Rat)
	}
	return s
}

func (s *oracleSums) add(o *oracleUnit, w calendar.Interval, standard kpi.Standard) {
	e79 := standard == kpi.E79
	s.hasPCS = s.hasPCS || o.hasPCS
	s.t.Add(s.t, secondsOf(w))
	s.addEnergy(o, w)
	s.seen(o, w, e79)
	s.missing(o, w)
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		sec := secondsOf(p.Interval)
		for _, m := range p.made {
			s.pq.Add(s.pq, m.total)
			s.gq.Add(s.gq, m.good)
		}
		planned, unknown := p.class.planned(), p.class == inUnknown
		if e79 {
			planned, unknown = true, p.state == ledger.Unknown
		}
		inc := func(x rat, when bool) {
			if when {
				x.Add(x, sec)
			}
		}
		run := p.state == ledger.Run && planned
		inc(s.pbt, planned)
		inc(s.r, run)
		inc(s.c, run && p.uncounted)
		inc(s.u, unknown)
		inc(s.b, unknown && p.bridged)
		if e79 {
			minor := p.state == ledger.Stop && p.minor
			inc(s.apt, run || minor)
			inc(s.up, run || minor || p.state == ledger.Idle || p.state == ledger.Engineering)
			inc(s.stop, p.state == ledger.Stop && !minor)
			if p.firstOfStop && !p.minor {
				s.f.Add(s.f, num(1))
			}
		} else {
			inc(s.apt, run || p.class == inMinor)
			inc(s.up, run || p.class == inMinor)
			inc(s.setup, p.class == inSetup)
			inc(s.stop, p.class == inStopTime)
			inc(s.idle, p.class == inIdle)
			inc(s.planned, p.class == inPlanned)
			if p.firstOfStopInPlan {
				s.f.Add(s.f, num(1))
			}
		}
		if planned {
			s.value(p, unknown)
		}
	}
}

// value adds the ideal times of what was made in a planned piece.
func (s *oracleSums) value(p *piece, unknown bool) {
	for _, m := range p.made {
		if m.total.Sign() == 0 && m.good.Sign() == 0 && !m.cut {
			continue
		}
		if m.ideal == nil {
			s.noIdeal = true
			continue
		}
		total, good := times(m.total, m.ideal), times(m.good, m.ideal)
		if p.uncounted {
			continue
		}
		s.idealTotalS.Add(s.idealTotalS, total)
		s.idealGoodS.Add(s.idealGoodS, good)
		if !unknown {
			s.idealTotal.Add(s.idealTotal, total)
			s.idealGood.Add(s.idealGood, good)
		}
		if !unknown || p.bridged {
			s.g.Add(s.g, good)
		}
		if unknown && p.bridged {
			s.bridgedTotal.Add(s.bridgedTotal, total)
		}
	}
}

func (s *oracleSums) addEnergy(o *oracleUnit, w calendar.Interval) {
	if !o.hasE {
		return
	}
	s.hasE = true
	s.et.Add(s.et, secondsOf(w))
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		if p.covered {
			s.covered.Add(s.covered, secondsOf(p.Interval))
			s.e.Add(s.e, p.energy)
			continue
		}
		if o.u.Power != nil {
			s.low.Add(s.low, times(ratOf(o.u.Power.Min), hoursOf(p)))
		}
		if o.u.Power == nil || !o.u.Power.HasRated {
			s.highNull = true
		} else {
			s.high.Add(s.high, times(ratOf(o.u.Power.Rated), hoursOf(p)))
		}
	}
	for _, d := range o.deltas {
		if d.fromRegister && d.lower && !d.Meet(w).Empty() {
			s.highNull = true
		}
	}
}

func (s *oracleSums) seen(o *oracleUnit, w calendar.Interval, e79 bool) {
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		if p.unmapped {
			s.findings["unmapped_state"] = true
		}
		if p.state == ledger.Run && !p.inShift && !e79 {
			s.findings["ran_unscheduled"] = true
		}
		if p.state == ledger.Run && p.inShift && p.inStop && !e79 {
			s.findings["ran_in_planned_stop"] = true
		}
	}
	for _, d := range o.deltas {
		if d.Meet(w).Empty() {
			continue
		}
		for name, yes := range map[string]bool{
			"counter_reset_assumed": d.reset, "counter_drop_ignored": d.dropped,
			"rollover_ambiguous": d.ambiguous, "made_while_stopped": d.whileStopped,
		} {
			if yes {
				s.findings[name] = true
			}
		}
	}
}

func (s *oracleSums) missing(o *oracleUnit, w calendar.Interval) {
	for i := range o.pieces {
		if p := &o.pieces[i]; p.From >= w.From && p.To <= w.To && p.uncounted {
			s.findings["counter_missing"] = true
		}
	}
}

func oracleLine(l *Line, units map[string]*oracleUnit, w calendar.Interval) Answer {
	s := newOracleSums()
	s.t = secondsOf(w)
	out := units[l.Out]
	s.hasPCS = out.hasPCS
	slowest := new(big.Rat)
	for _, id := range l.Units {
		slowest = greater(slowest, ratOf(l.UnitSeconds[id]))
		s.addEnergy(units[id], w)
		s.seen(units[id], w, false)
	}
	s.missing(out, w)
	for i := range out.pieces {
		p := &out.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		good := new(big.Rat)
		for _, m := range p.made {
			s.pq.Add(s.pq, m.total)
			s.gq.Add(s.gq, m.good)
			good.Add(good, times(m.good, slowest))
		}
		planned := false
		for _, id := range l.Units {
			planned = planned || units[id].pieces[i].class.planned()
		}
		if !planned {
			continue
		}
		sec := secondsOf(p.Interval)
		s.pbt.Add(s.pbt, sec)
		if p.state == ledger.Run {
			s.r.Add(s.r, sec)
			if p.uncounted {
				s.c.Add(s.c, sec)
				continue
			}
		}
		s.idealGoodS.Add(s.idealGoodS, good)
		if p.class != inUnknown {
			s.idealGood.Add(s.idealGood, good)
			s.g.Add(s.g, good)
			continue
		}
		s.u.Add(s.u, sec)
		if p.bridged {
			s.b.Add(s.b, sec)
			s.g.Add(s.g, good)
		}
	}
	full := s.answer(kpi.ISO)
	kept := []string{
		"PBT_s", "UNKNOWN_s", "UNCOUNTED_s", "OEE", "OEE_low", "OEE_high", "coverage", "count_coverage", "TEEP", "PQ", "GQ", "ideal_good_s",
		"E_kwh", "E_low_kwh", "E_high_kwh", "E_coverage",
	}
	for key := range full.Numbers {
		if !slices.Contains(kept, key) {
			full.Numbers[key] = kpi.Value{Null: true}
		}
	}
	if !slices.Contains([]string{"no_planned_time", "no_known_time", "no_counters"}, full.Reason) {
		full.Reason = ""
	}
	full.Findings = slices.DeleteFunc(full.Findings, func(f string) bool { return f == "performance_over_one" || f == "quality_out_of_range" })
	return full
}

func (s *oracleSums) answer(standard kpi.Standard) Answer {
	e79 := standard == kpi.E79
	noCounters := s.c.Sign() > 0 && s.c.Cmp(s.r) == 0
	x, pace := new(big.Rat), num(1)
	if s.c.Sign() > 0 && !noCounters {
		x = over(times(s.idealGood, s.c), minus(s.r, s.c))
		pace = over(s.r, minus(s.r, s.c))
	}
	n := map[string]rat{}
	n["A"] = over(s.up, minus(s.pbt, s.u))
	n["A_high"] = over(plus(s.up, s.u), s.pbt)
	n["A_low"] = over(plus(s.up, lesser(s.u, s.bridgedTotal)), s.pbt)
	n["coverage"] = complement(over(s.u, s.pbt))
	n["count_coverage"] = complement(over(s.c, s.r))
	n["PBT_s"], n["APT_s"], n["UNKNOWN_s"], n["UNCOUNTED_s"] = s.pbt, s.apt, s.u, s.c
	if !e79 {
		n["SETUP_s"], n["STOP_s"], n["IDLE_s"], n["PLANNED_s"] = s.setup, s.stop, s.idle, s.planned
	} else {
		n["OpE"] = over(s.apt, s.up)
	}
	n["MTBF_s"], n["MTTR_s"] = over(plus(s.apt, s.setup), s.f), over(s.stop, s.f)
	if s.hasPCS {
		n["PQ"], n["GQ"] = s.pq, s.gq
	}
	if !s.noIdeal {
		if s.hasPCS {
			n["ideal_total_s"], n["ideal_good_s"] = s.idealTotalS, s.idealGoodS
		}
		n["OEE_low"] = over(s.idealGoodS, s.pbt)
		n["OEE_high"] = over(plus(s.g, greater(minus(s.u, s.b), minus(s.idealGoodS, s.g)), greater(s.c, x)), s.pbt)
		if !noCounters {
			if p := over(s.idealTotal, s.apt); p != nil {
				n["P"] = times(p, pace)
			}
			n["Q"] = over(s.idealGood, s.idealTotal)
			n["OEE"] = over(plus(s.g, x), plus(minus(s.pbt, s.u), s.b))
			if f, g := over(plus(s.apt, s.setup), s.apt), over(plus(s.idealGood, x), minus(s.pbt, s.u)); f != nil && g != nil && !e79 {
				n["NEE"] = times(f, g)
			}
			if s.hasPCS && !e79 {
				n["TEEP"] = over(plus(s.idealGoodS, x), s.t)
			}
		}
	}
	if s.hasE {
		n["E_kwh"], n["E_low_kwh"], n["E_coverage"] = s.e, plus(s.e, s.low), over(s.covered, s.et)
		if !s.highNull {
			n["E_high_kwh"] = plus(s.e, s.high)
		}
	}
	a := Answer{Numbers: map[string]kpi.Value{}}
	for _, key := range ExpectKeys() {
		if key == keyReason || key == keyFindings {
			continue
		}
		a.Numbers[key] = kpi.Value{Null: true}
		if n[key] != nil {
			a.Numbers[key] = kpi.Value{Num: exact.FromRat(n[key])}
		}
	}
	switch {
	case s.pbt.Sign() == 0:
		a.Reason = "no_planned_time"
	case s.pbt.Cmp(s.u) == 0:
		a.Reason = "no_known_time"
	case noCounters:
		a.Reason = "no_counters"
	case s.noIdeal:
		a.Reason = "no_ideal"
	case s.apt.Sign() == 0:
		a.Reason = "no_run_time"
	case s.idealTotal.Sign() == 0:
		a.Reason = "no_parts"
	}
	if s.noIdeal {
		s.findings["no_ideal"] = true
	}
	if n["P"] != nil && n["P"].Cmp(num(1)) > 0 {
		s.findings["performance_over_one"] = true
	}
	if q := n["Q"]; q != nil && (q.Sign() < 0 || q.Cmp(num(1)) > 0) {
		s.findings["quality_out_of_range"] = true
	}
	for f := range s.findings {
		a.Findings = append(a.Findings, f)
	}
	slices.Sort(a.Findings)
	return a
}

func complement(x rat) rat {
	if x == nil {
		return nil
	}
	return minus(num(1), x)
}

// differences are the keys in which the engine's answer is not the oracle's.
func differences(engine *Answer, oracle Answer) []string {
	var out []string
	for _, key := range ExpectKeys() {
		switch key {
		case keyReason:
			if engine.Reason != oracle.Reason {
				out = append(out, "reason: engine "+engine.show(key)+", oracle "+oracle.show(key))
			}
		case keyFindings:
			got := slices.Sorted(slices.Values(engine.Findings))
			if !slices.Equal(got, oracle.Findings) {
				out = append(out, "findings: engine "+engine.show(key)+", oracle "+oracle.show(key))
			}
		default:
			if !engine.Numbers[key].Equal(oracle.Numbers[key]) {
				out = append(out, key+": engine "+engine.show(key)+", oracle "+oracle.show(key))
			}
		}
	}
	return out
}
