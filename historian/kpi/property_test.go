package kpi_test

import (
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// within draws a whole number from 0 to most.
func within(t *rapid.T, what string, most int64) int64 {
	return rapid.Int64Range(0, max(0, most)).Draw(t, what)
}

// unit draws facts as a real unit has them: parts are no longer than their whole, and nothing is made faster than the ideal.
func unit(t *rapid.T) *ledger.Facts {
	const hour = 3600 * 1_000_000_000
	set := func(f *ledger.Facts, k ledger.Field, ns int64) int64 { f.Sum[k] = exact.Int(ns); return ns }
	f := &ledger.Facts{HasPieces: true}
	run := set(f, ledger.RunTime, within(t, "run", hour))
	sum := run
	for _, k := range []ledger.Field{ledger.MinorTime, ledger.SetupTime, ledger.StopTime, ledger.IdleTime, ledger.PlannedTime} {
		sum += set(f, k, within(t, k.String(), hour))
	}
	unknown := set(f, ledger.UnknownTime, within(t, "unknown", hour))
	bridged := set(f, ledger.BridgedTime, within(t, "bridged", unknown))
	uncounted := set(f, ledger.UncountedTime, within(t, "uncounted", run))
	set(f, ledger.IdealGood, within(t, "good", set(f, ledger.IdealTotal, within(t, "total", run-uncounted))))
	set(f, ledger.BridgedGood, within(t, "bridged good", set(f, ledger.BridgedTotal, within(t, "bridged total", bridged))))
	set(f, ledger.Span, sum+unknown+within(t, "out of schedule", hour))
	f.Sum[ledger.Failures] = exact.Int(within(t, "failures", 3))
	return f
}

// anything draws facts that no ledger would give, too.
func anything(t *rapid.T) *ledger.Facts {
	f := &ledger.Facts{HasPieces: rapid.Bool().Draw(t, "pieces"), HasEnergy: rapid.Bool().Draw(t, "energy"),
		Findings: ledger.Findings(rapid.Uint16().Draw(t, "findings"))}
	one := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.Just(int64(0)))
	for k := range f.Sum {
		f.Sum[k] = exact.Frac(one.Draw(t, "n"), rapid.SampledFrom([]int64{1, 1, 3}).Draw(t, "d"))
	}
	return f
}

func atMost(t *rapid.T, what string, low, high kpi.Value) {
	if !low.Null && !high.Null && low.Num.Cmp(high.Num) > 0 {
		t.Errorf("%s: %s is above %s", what, low, high)
	}
}

func TestBoundsHoldTheKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := kpi.Compute(unit(t), kpi.ISO)
		atMost(t, "OEE_low ≤ OEE", r.Get(kpi.OEELow), r.Get(kpi.OEE))
		atMost(t, "OEE ≤ OEE_high", r.Get(kpi.OEE), r.Get(kpi.OEEHigh))
		atMost(t, "A ≤ A_high", r.Get(kpi.Availability), r.Get(kpi.AvailabilityHigh))
		atMost(t, "A_low ≤ A_high", r.Get(kpi.AvailabilityLow), r.Get(kpi.AvailabilityHigh))
		atMost(t, "coverage ≤ 1", r.Get(kpi.Coverage), kpi.Value{Num: exact.Int(1)})
		atMost(t, "OEE_high ≤ 1", r.Get(kpi.OEEHigh), kpi.Value{Num: exact.Int(1)})
	})
}

// Whatever unknown and uncounted time really was, the truth lies within the bounds: it is drawn, then hidden.
func TestTruthIsWithinTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := unit(t)
		for _, k := range []ledger.Field{ledger.UnknownTime, ledger.BridgedTime, ledger.UncountedTime, ledger.BridgedTotal, ledger.BridgedGood} {
			truth.Sum[k] = exact.Num{}
		}
		run, _ := truth.Sum[ledger.RunTime].Int64()
		good, _ := truth.Sum[ledger.IdealGood].Int64()
		stop, _ := truth.Sum[ledger.StopTime].Int64()
		hidden := *truth
		dark, darkStop := within(t, "hidden run", run), within(t, "hidden stop", stop)
		lost := within(t, "good pieces made in it", min(good, dark))
		if good-lost > run-dark {
			lost = good - (run - dark)
		}
		hidden.Sum[ledger.RunTime] = exact.Int(run - dark)
		hidden.Sum[ledger.StopTime] = exact.Int(stop - darkStop)
		hidden.Sum[ledger.UnknownTime] = exact.Int(dark + darkStop)
		hidden.Sum[ledger.IdealGood] = exact.Int(good - lost)
		was, now := kpi.Compute(truth, kpi.ISO), kpi.Compute(&hidden, kpi.ISO)
		atMost(t, "OEE_low ≤ truth", now.Get(kpi.OEELow), was.Get(kpi.OEE))
		atMost(t, "truth ≤ OEE_high", was.Get(kpi.OEE), now.Get(kpi.OEEHigh))
		atMost(t, "A_low ≤ truth", now.Get(kpi.AvailabilityLow), was.Get(kpi.Availability))
		atMost(t, "truth ≤ A_high", was.Get(kpi.Availability), now.Get(kpi.AvailabilityHigh))
		atMost(t, "hiding raises no coverage", now.Get(kpi.Coverage), was.Get(kpi.Coverage))
	})
}

func TestBoundsCollapse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := unit(t)
		f.Sum[ledger.BridgedTime] = f.Sum[ledger.UnknownTime]
		f.Sum[ledger.UncountedTime] = exact.Num{}
		r := kpi.Compute(f, kpi.ISO)
		if low, known, high := r.Get(kpi.OEELow), r.Get(kpi.OEE), r.Get(kpi.OEEHigh); !low.Equal(known) || !high.Equal(known) {
			t.Errorf("all unknown time is bridged: OEE %s, %s, %s", low, known, high)
		}
		for _, k := range []ledger.Field{ledger.UnknownTime, ledger.BridgedTime, ledger.BridgedTotal, ledger.BridgedGood} {
			f.Sum[k] = exact.Num{}
		}
		r = kpi.Compute(f, kpi.ISO)
		if low, known, high := r.Get(kpi.AvailabilityLow), r.Get(kpi.Availability), r.Get(kpi.AvailabilityHigh); !low.Equal(known) || !high.Equal(known) {
			t.Errorf("nothing is unknown: A %s, %s, %s", low, known, high)
		}
		a, p, q, oee := r.Get(kpi.Availability), r.Get(kpi.Performance), r.Get(kpi.Quality), r.Get(kpi.OEE)
		if !a.Null && !p.Null && !q.Null && !a.Num.Mul(p.Num).Mul(q.Num).Equal(oee.Num) {
			t.Errorf("OEE %s is not %s · %s · %s", oee, a, p, q)
		}
	})
}

// No percentages are averaged: OEE and TEEP of several units are ratios of sums, computed here a second time by hand.
func TestSumsOfUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all ledger.Facts
		var good, planned, span exact.Num
		for range rapid.IntRange(1, 5).Draw(t, "units") {
			f := unit(t)
			f.Sum[ledger.BridgedTime] = f.Sum[ledger.UnknownTime]
			f.Sum[ledger.UncountedTime] = exact.Num{}
			all.Add(f)
			good = good.Add(f.Get(ledger.IdealGood)).Add(f.Get(ledger.BridgedGood))
			span = span.Add(f.Get(ledger.Span))
			for _, k := range []ledger.Field{ledger.RunTime, ledger.MinorTime, ledger.SetupTime, ledger.StopTime, ledger.IdleTime, ledger.UnknownTime} {
				planned = planned.Add(f.Get(k))
			}
		}
		r := kpi.Compute(&all, kpi.ISO)
		if v := r.Get(kpi.OEE); !v.Null && !v.Num.Mul(planned).Equal(good) {
			t.Errorf("OEE %s of %s good in %s planned", v, good, planned)
		}
		if v := r.Get(kpi.TEEP); !v.Null && !v.Num.Mul(span).Equal(good) {
			t.Errorf("TEEP %s of %s good in %s", v, good, span)
		}
	})
}

// The threshold of a minor stop moves time between availability and performance, and never OEE.
func TestO15MinorStopThresholdLeavesOEE(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := unit(t)
		moved := *f
		moved.Sum[ledger.MinorTime] = f.Sum[ledger.MinorTime].Add(f.Sum[ledger.StopTime])
		moved.Sum[ledger.StopTime] = exact.Num{}
		r, s := kpi.Compute(f, kpi.ISO), kpi.Compute(&moved, kpi.ISO)
		for _, k := range []kpi.Key{kpi.OEE, kpi.OEELow, kpi.OEEHigh, kpi.TEEP, kpi.Quality} {
			if !r.Get(k).Equal(s.Get(k)) {
				t.Errorf("%s moved from %s to %s", k, r.Get(k), s.Get(k))
			}
		}
	})
}

// wants says what every result must be, whatever the facts.
func wants(t interface{ Errorf(string, ...any) }, f *ledger.Facts, r *kpi.Result) {
	for k := range kpi.NumKeys {
		v := r.Get(k)
		if x, ok := v.Float(); ok == v.Null || math.IsNaN(x) {
			t.Errorf("%s is %v (%s)", k, x, v)
		}
	}
	for _, found := range r.Findings(kpi.Place{}, kpi.Limits{OffKW: exact.Int(1), StoppedKW: exact.Int(1), Coverage: exact.Int(1)}) {
		if found.Code == "" {
			t.Errorf("a finding without a code: %v", found)
		}
	}
	for _, s := range []kpi.Standard{kpi.ISO, kpi.E79} {
		w := kpi.Losses(f, s)
		sum := w.Good
		for _, l := range w.Losses {
			sum = sum.Add(l.Time)
		}
		if !sum.Equal(w.Total) || !w.Total.Equal(f.Get(ledger.Span)) {
			t.Errorf("bars sum to %s of %s", sum, w.Total)
		}
	}
}

func TestAnyFactsHaveAnAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anything(t)
		f.Reasons = map[ledger.Reason]ledger.ReasonSum{
			{Category: ledger.Stop, Reason: "a"}: {Time: f.Sum[ledger.StopTime].Mul(exact.Frac(1, 3)), Count: f.Sum[ledger.Failures]},
			{Category: ledger.Stop, Reason: "b"}: {Time: f.Sum[ledger.SetupTime]},
		}
		for _, r := range []kpi.Result{kpi.Compute(f, kpi.ISO), kpi.Compute(f, kpi.E79), kpi.ComputeLine(f)} {
			wants(t, f, &r)
		}
	})
}

func FuzzCompute(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add(make([]byte, 8*int(ledger.NumFields)), uint16(0xffff))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}, uint16(3))
	f.Fuzz(func(t *testing.T, raw []byte, flags uint16) {
		facts := &ledger.Facts{HasPieces: flags&1 != 0, HasEnergy: flags&2 != 0, Findings: ledger.Findings(flags >> 2)}
		for i := 0; i < len(facts.Sum) && len(raw) >= 8; i, raw = i+1, raw[8:] {
			facts.Sum[i] = exact.Int(int64(binary.LittleEndian.Uint64(raw)))
		}
		for _, r := range []kpi.Result{kpi.Compute(facts, kpi.ISO), kpi.Compute(facts, kpi.E79), kpi.ComputeLine(facts)} {
			wants(t, facts, &r)
		}
	})
}
