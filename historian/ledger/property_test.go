package ledger_test

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

func mustNew(t rapid.TB, in *ledger.Input) *ledger.Unit {
	t.Helper()
	u, err := ledger.New(in)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return u
}

// window is a window that holds about half of the generated time.
func (g generator) window() calendar.Interval {
	return calendar.Interval{From: telemetry.Instant(g.int(0, generatedEnd/2, "from")), To: telemetry.Instant(g.int(generatedEnd/3, generatedEnd+20, "to"))}
}

// always holds all of the generated time.
var always = calendar.Interval{From: -50, To: generatedEnd + 50}

// TestFactsAreThoseOfEveryMoment compares all fields and findings with an oracle that looks at one nanosecond after the other.
func TestFactsAreThoseOfEveryMoment(t *testing.T) {
	check(t, 1, func(t rapid.TB, g generator) {
		in := g.input()
		in.Exact = true
		w := g.window()
		got := mustNew(t, in).Facts(w)
		o := newOracle(in)
		want := o.facts(w)
		for k := range ledger.NumFields {
			same := got.Get(k).Equal(want[k])
			if magnitude(k) {
				same = got.Get(k).IsZero() == want[k].IsZero()
			}
			if !same {
				t.Fatalf("%s = %s, want %s, in %s", k, got.Get(k), want[k], w)
			}
		}
		if f := o.findings(w); got.Findings != f {
			t.Fatalf("findings %v, want %v, in %s", got.Findings.Names(), f.Names(), w)
		}
	})
}

// sameFacts fails unless a and b are the same in every respect.
func sameFacts(t rapid.TB, what string, a, b *ledger.Facts) {
	t.Helper()
	for k := range ledger.NumFields {
		if !a.Get(k).Equal(b.Get(k)) {
			t.Fatalf("%s: %s is %s and %s", what, k, a.Get(k), b.Get(k))
		}
	}
	same := func(x, y ledger.ReasonSum) bool { return x.Time.Equal(y.Time) && x.Count.Equal(y.Count) }
	if a.Findings != b.Findings || a.HasPieces != b.HasPieces || a.HasEnergy != b.HasEnergy || !maps.EqualFunc(a.Reasons, b.Reasons, same) {
		t.Fatalf("%s: findings, flags or reasons differ: %+v and %+v", what, a, b)
	}
}

func sumOf(all []ledger.Facts) *ledger.Facts {
	var sum ledger.Facts
	for i := range all {
		sum.Add(&all[i])
	}
	return &sum
}

// TestFactsAddUpForAnyCut is law 6: slices are the facts of their windows, and their sum is the facts of the whole.
func TestFactsAddUpForAnyCut(t *testing.T) {
	check(t, 1, func(t rapid.TB, g generator) {
		in := g.input()
		in.Exact = g.chance(50, "exact")
		u := mustNew(t, in)
		borders := g.borders()
		slices := u.Slices(borders)
		for i := range slices {
			own := u.Facts(calendar.Interval{From: borders[i], To: borders[i+1]})
			sameFacts(t, "slice and window", &slices[i], &own)
		}
		whole := u.Facts(calendar.Interval{From: borders[0], To: borders[len(borders)-1]})
		sameFacts(t, "sum of slices and whole", sumOf(slices), &whole)
	})
}

// TestLineFactsAddUpForAnyCut is law 6 for lines.
func TestLineFactsAddUpForAnyCut(t *testing.T) {
	check(t, 1, func(t rapid.TB, g generator) {
		line, err := ledger.NewLine(g.lineInput(t, g.chance(50, "exact")).LineInput)
		if err != nil {
			t.Fatal(err)
		}
		borders := g.borders()
		slices := line.Slices(borders)
		whole := line.Facts(calendar.Interval{From: borders[0], To: borders[len(borders)-1]})
		sameFacts(t, "sum of slices and whole", sumOf(slices), &whole)
	})
}

// TestNothingIsLost checks over all time that what counters, people and registers said is in the facts, to the quantum.
func TestNothingIsLost(t *testing.T) {
	check(t, 1, func(t rapid.TB, g generator) {
		in := g.input()
		in.Exact = g.chance(50, "exact")
		u := mustNew(t, in)
		f := u.Facts(always)
		o := newOracle(in)
		total, good := sumOfSpans(o.total), sumOfSpans(o.good)
		for _, r := range in.ScrapReports {
			if r.Made.To <= in.Horizon && o.hasPieces() {
				good = good.Sub(r.Quantity)
			}
		}
		sums := func(what string, fields []ledger.Field, want exact.Num) {
			var sum exact.Num
			for _, k := range fields {
				sum = sum.Add(f.Get(k))
			}
			if !sum.Equal(want) {
				t.Fatalf("%s: %s, want %s", what, sum, want)
			}
		}
		sums("pieces", []ledger.Field{ledger.TotalPieces}, total)
		sums("good pieces", []ledger.Field{ledger.GoodPieces}, good)
		sums("energy by what the unit did", []ledger.Field{
			ledger.EnergyRun, ledger.EnergySetup, ledger.EnergyStop, ledger.EnergyIdle, ledger.EnergyPlanned, ledger.EnergyOut, ledger.EnergyUnknown,
		}, f.Get(ledger.EnergyKnown))
		if in.Power == nil {
			sums("energy", []ledger.Field{ledger.EnergyKnown}, sumOfSpans(o.energy))
		}
		sums("E79 times", []ledger.Field{
			ledger.E79Run, ledger.E79Minor, ledger.E79Idle, ledger.E79Engineering, ledger.E79Stop, ledger.E79Scheduled,
			ledger.E79Nonscheduled, ledger.E79Unknown,
		}, f.Get(ledger.Span))
	})
}

func sumOfSpans(all []span) exact.Num {
	var sum exact.Num
	for _, s := range all {
		sum = sum.Add(s.amount)
	}
	return sum
}

// TestRoundingIsSmall compares the two modes. README.md gives the bound: each end of a window cuts a quantity once, and there
// every one of its shares is off by less than one quantum, what it is worth by less than one and what its pieces are off by.
func TestRoundingIsSmall(t *testing.T) {
	check(t, 1_000_000, func(t rapid.TB, g generator) {
		in := g.input()
		w := g.window()
		rounded := mustNew(t, in).Facts(w)
		in.Exact = true
		exactly := mustNew(t, in).Facts(w)
		bound := roundingBound(in)
		for k := range ledger.NumFields {
			off := rounded.Get(k).Sub(exactly.Get(k))
			if exact.Max(off, off.Neg()).Cmp(bound) > 0 {
				t.Fatalf("%s: rounded %s, exactly %s: more than %s apart", k, rounded.Get(k), exactly.Get(k), bound)
			}
			if _, whole := rounded.Get(k).Int64(); !whole {
				t.Fatalf("%s: %s is not a whole number", k, rounded.Get(k))
			}
		}
	})
}

// roundingBound is (quantities) × (tariffs they may be cut by) × (1 + the largest worth of a quantum) quanta.
func roundingBound(in *ledger.Input) exact.Num {
	quantities := 2*len(in.Booked) + len(in.ScrapReports)
	for _, c := range []*ledger.Counter{in.Total, in.Good, in.Scrap, in.Energy} {
		if c != nil {
			quantities += 2 * (len(c.Readings) + len(c.Swaps) + 1)
		}
	}
	quantities *= 1 + len(in.ScrapReports)
	if in.Power != nil {
		quantities += 2*len(in.Power.Readings) + len(in.Power.Bounds) + 1
	}
	most := exact.Int(1)
	for _, d := range in.Ideals {
		most = exact.Max(most, d.Seconds)
	}
	return most.Add(exact.Int(1)).Mul(exact.Int(int64(quantities * (1 + len(in.Ideals) + len(in.Watts)))))
}

// lineInputs are a line's input and those of its units.
type lineInputs struct {
	ledger.LineInput
	inputs []*ledger.Input
}

// lineInput draws a line of up to three units.
func (g generator) lineInput(t rapid.TB, exactly bool) lineInputs {
	l := lineInputs{LineInput: ledger.LineInput{ID: "L", Out: "A", UnitSeconds: map[string][]ledger.Ideal{}}}
	for _, name := range []string{"A", "B", "C"}[:g.int(1, 3, "units")] {
		in := g.input()
		in.Unit, in.Exact = name, exactly
		if name == "A" {
			l.Horizon = in.Horizon
		}
		in.Horizon = l.Horizon
		l.inputs = append(l.inputs, in)
		l.Units = append(l.Units, mustNew(t, in))
		l.UnitSeconds[name], _ = g.prices()
	}
	return l
}
