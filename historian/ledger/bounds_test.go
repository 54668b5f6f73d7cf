package ledger_test

import (
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// machine draws a unit of which everything is known: its state and its counters at every nanosecond, never faster than its
// ideal, and never in state run in a planned stop.
func (g generator) machine() *ledger.Input {
	in := &ledger.Input{Unit: "U", Horizon: generatedEnd, Always: true, AlwaysAlive: true, Exact: true, Total: &ledger.Counter{}, Good: &ledger.Counter{}}
	in.Ideals = []ledger.Ideal{{From: -1, Product: "P", Seconds: exact.Int(1)}} // 1 ns for a nano-piece
	in.PlannedStops = g.set(2, "planned stops")
	category := ledger.Idle
	pace := 50
	var total, good int64
	for m := telemetry.Instant(0); m < generatedEnd; m++ {
		in.Total.Readings = append(in.Total.Readings, ledger.Reading{At: m, Value: exact.Int(total)})
		in.Good.Readings = append(in.Good.Readings, ledger.Reading{At: m, Value: exact.Int(good)})
		if g.chance(12, "change") {
			category = pick(g, "category", ledger.Run, ledger.Run, ledger.Stop, ledger.Idle, ledger.Setup)
			pace = g.int(0, 100, "pace")
		}
		now := category
		if now == ledger.Run && in.PlannedStops.Holds(m) {
			now = ledger.Idle
		}
		in.States = append(in.States, ledger.State{At: m, Category: now})
		if now == ledger.Run && g.chance(pace, "piece") {
			total++
			if g.chance(90, "good") {
				good++
			}
		}
	}
	in.Total.Readings = append(in.Total.Readings, ledger.Reading{At: generatedEnd, Value: exact.Int(total)})
	in.Good.Readings = append(in.Good.Readings, ledger.Reading{At: generatedEnd, Value: exact.Int(good)})
	return in
}

// forget is what is left of a counter when readings are lost.
func (g generator) forget(c *ledger.Counter, percent int) *ledger.Counter {
	out := &ledger.Counter{}
	for _, r := range c.Readings {
		if !g.chance(percent, "lost") {
			out.Readings = append(out.Readings, r)
		}
	}
	return out
}

// ratios are A and OEE with their bounds by the formulas of CONFORMANCE.md.
type ratios struct{ aLow, aHigh, oeeLow, oeeHigh, coverage exact.Num }

func ratiosOf(f *ledger.Facts) (ratios, bool) {
	get := f.Get
	apt := get(ledger.RunTime).Add(get(ledger.MinorTime))
	u, b, c, r := get(ledger.UnknownTime), get(ledger.BridgedTime), get(ledger.UncountedTime), get(ledger.RunTime)
	pbt := apt.Add(get(ledger.SetupTime)).Add(get(ledger.StopTime)).Add(get(ledger.IdleTime)).Add(u)
	if pbt.IsZero() {
		return ratios{}, false
	}
	known := get(ledger.IdealGood)
	g := known.Add(get(ledger.BridgedGood))
	all := g.Add(get(ledger.DarkGood))
	var x exact.Num
	if !c.IsZero() && !r.Equal(c) {
		x = known.Mul(c).Quo(r.Sub(c))
	}
	return ratios{
		aLow:     apt.Add(exact.Min(u, get(ledger.BridgedTotal))).Quo(pbt),
		aHigh:    apt.Add(u).Quo(pbt),
		oeeLow:   all.Quo(pbt),
		oeeHigh:  g.Add(exact.Max(u.Sub(b), all.Sub(g))).Add(exact.Max(c, x)).Quo(pbt),
		coverage: pbt.Sub(u).Quo(pbt),
	}, true
}

// TestTruthStaysInsideTheBounds: whatever is forgotten of a machine, its true OEE and A lie between low and high, and
// coverage does not rise.
func TestTruthStaysInsideTheBounds(t *testing.T) {
	whole := calendar.Interval{From: 0, To: generatedEnd}
	check(t, 1, func(t rapid.TB, g generator) {
		in := g.machine()
		f := mustNew(t, in).Facts(whole)
		truth, ok := ratiosOf(&f)
		if !ok {
			return
		}
		if !truth.aLow.Equal(truth.aHigh) || !truth.oeeLow.Equal(truth.oeeHigh) {
			t.Fatalf("nothing is forgotten, and yet A in [%s, %s], OEE in [%s, %s]", truth.aLow, truth.aHigh, truth.oeeLow, truth.oeeHigh)
		}
		left := *in
		left.States = append([]ledger.State(nil), in.States...)
		for range g.int(0, 3, "bad stretches") {
			for bad, m := g.interval("bad"), 0; m < len(left.States); m++ {
				left.States[m].Bad = left.States[m].Bad || bad.Holds(left.States[m].At)
			}
		}
		left.AlwaysAlive, left.Alive = false, calendar.NewSet(whole).Minus(g.set(3, "dead"))
		lost := g.chance(50, "readings lost")
		if lost {
			percent := g.int(0, 100, "percent")
			left.Total, left.Good = g.forget(in.Total, percent), g.forget(in.Good, percent)
		}
		f = mustNew(t, &left).Facts(whole)
		seen, _ := ratiosOf(&f)
		if truth.oeeLow.Cmp(seen.oeeLow) < 0 || truth.oeeLow.Cmp(seen.oeeHigh) > 0 {
			t.Fatalf("OEE %s is not in [%s, %s]", truth.oeeLow, seen.oeeLow, seen.oeeHigh)
		}
		// Of a delta that begins before unknown time, part is taken to be made in it: only readings at its borders say how much.
		if !lost && truth.aLow.Cmp(seen.aLow) < 0 || truth.aLow.Cmp(seen.aHigh) > 0 {
			t.Fatalf("A %s is not in [%s, %s]", truth.aLow, seen.aLow, seen.aHigh)
		}
		if seen.coverage.Cmp(truth.coverage) > 0 {
			t.Fatalf("coverage rose from %s to %s", truth.coverage, seen.coverage)
		}
	})
}
