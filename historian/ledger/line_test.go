package ledger_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

func named(name string, in *ledger.Input) *ledger.Input { in.Unit = name; return in }

func seconds(text string) []ledger.Ideal { return []ledger.Ideal{{From: midnight, Seconds: num(text)}} }

func TestLine(t *testing.T) {
	texture := named("TEXTURE", unit(shift(8, 16), states("7 run"), func(in *ledger.Input) { in.Total = counter("8 0, 16 52500") }))
	pecvd := named("PECVD", unit(shift(8, 16), states("7 run")))
	printer := named("PRINT", unit(shift(8, 16), states("7 run"), ideal("0.42"), func(in *ledger.Input) { in.Good = counter("8 7000, 16 58000") }))
	late := named("PRINT", unit(shift(10, 14), states("7 run, 12 bad, 13 run, 18 stop"), func(in *ledger.Input) {
		in.Good = counter("8 0, 11 300, 15 900")
		in.Total = counter("8 0, 12 500")
	}))
	dated := map[string][]ledger.Ideal{
		"TEXTURE": {{From: at(0), Seconds: num("2")}, {From: at(12), Seconds: num("1")}}, "PECVD": {{From: at(14), Seconds: num("3")}},
	}
	for _, c := range []struct {
		name     string
		units    []*ledger.Input
		seconds  map[string][]ledger.Ideal
		from, to float64
		want     want
	}{
		{"O4", []*ledger.Input{texture, pecvd, printer}, map[string][]ledger.Ideal{"TEXTURE": seconds("0.36"), "PECVD": seconds("0.48"), "PRINT": seconds("0.42")}, 0, 24, want{
			ledger.Span: "86400", ledger.LinePlannedTime: "28800", ledger.RunTime: "28800", ledger.UncountedTime: "0", ledger.UnknownTime: "0",
			ledger.TotalPieces: "51000", ledger.GoodPieces: "51000", ledger.IdealGood: "24480", ledger.StopTime: "0", ledger.PlannedTime: "0",
		}},
		{"the line's ideal has dates", []*ledger.Input{texture, pecvd, printer}, dated, 8, 16, want{ledger.IdealGood: "102000"}}, // 6375 an hour × (4×2 + 2×1 + 2×3)
		{"planned time is the union of the units'", []*ledger.Input{texture, late}, map[string][]ledger.Ideal{"TEXTURE": seconds("1")}, 0, 24, want{
			ledger.LinePlannedTime: "28800", ledger.RunTime: "25200", ledger.UnknownTime: "3600", ledger.BridgedTime: "0",
			ledger.UncountedTime: "10800", // nothing says what the total was after 12
			ledger.TotalPieces:   "500", ledger.GoodPieces: "900",
			ledger.IdealGood: "450", ledger.DarkGood: "150", ledger.BridgedGood: "0",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := ledger.LineInput{ID: "L", Out: "PRINT", UnitSeconds: c.seconds, Horizon: at(48)}
			for _, in := range c.units {
				l.Units = append(l.Units, mustNew(t, in))
			}
			line, err := ledger.NewLine(l)
			if err != nil {
				t.Fatal(err)
			}
			f := line.Facts(between(c.from, c.to))
			expect(t, &f, c.want)
		})
	}
}

// TestLineFindings: of a line's units only out's silence is a finding; energy is that of all.
func TestLineFindings(t *testing.T) {
	a := mustNew(t, named("A", unit(states("0 run"), func(in *ledger.Input) { in.Energy = register("0 0, 24 24") })))
	b := mustNew(t, named("B", unit(states("0 run"), func(in *ledger.Input) {
		in.Total, in.Energy = counter("0 5, 12 3, 24 9"), register("0 0, 24 48")
	})))
	for out, names := range map[string]string{"A": "counter_missing counter_reset_assumed", "B": "counter_reset_assumed"} {
		line, err := ledger.NewLine(ledger.LineInput{ID: "L", Units: []*ledger.Unit{a, b}, Out: out, Horizon: at(48)})
		if err != nil {
			t.Fatal(err)
		}
		f := line.Facts(between(0, 24))
		if got := strings.Join(f.Findings.Names(), " "); got != names || f.HasPieces != (out == "B") {
			t.Errorf("findings with out %s: %q, want %q", out, got, names)
		}
		expect(t, &f, want{ledger.EnergyKnown: "72", ledger.EnergySpan: "172800"})
	}
}

func TestLineThatIsNone(t *testing.T) {
	a, b := mustNew(t, named("A", unit())), mustNew(t, named("B", unit(func(in *ledger.Input) { in.Horizon = at(5) })))
	for _, c := range []struct {
		line ledger.LineInput
		want string
	}{
		{ledger.LineInput{ID: "L", Out: "A", Horizon: at(48)}, `prepare line "L": out "A" is none of its units`},
		{ledger.LineInput{ID: "L", Out: "C", Horizon: at(48), Units: []*ledger.Unit{a}}, `prepare line "L": out "C" is none of its units`},
		{ledger.LineInput{ID: "L", Out: "A", Horizon: at(48), Units: []*ledger.Unit{a, b}}, `prepare line "L": unit "B" ends at 2026-11-02T05:00:00Z, the line at 2026-11-04T00:00:00Z`},
		{ledger.LineInput{ID: "L", Out: "A", Horizon: at(48), Units: []*ledger.Unit{a, a}}, `prepare line "L": unit "A" twice`},
		{ledger.LineInput{ID: "L", Out: "A", Horizon: at(48), Units: []*ledger.Unit{a}, UnitSeconds: map[string][]ledger.Ideal{"B": seconds("1")}}, `prepare line "L": unit seconds of "B", which is none of its units`},
		{ledger.LineInput{ID: "L", Out: "A", Horizon: at(48), Units: []*ledger.Unit{a}, UnitSeconds: map[string][]ledger.Ideal{"A": seconds("0")}}, `prepare line "L": input of unit "A": unit_seconds[0]: 0: is not above zero`},
	} {
		if _, err := ledger.NewLine(c.line); err == nil || err.Error() != c.want {
			t.Errorf("NewLine: %v, want %s", err, c.want)
		}
	}
}

// TestLineFactsAreThoseOfEveryMoment compares lines with the oracles of their units.
func TestLineFactsAreThoseOfEveryMoment(t *testing.T) {
	check(t, 1, func(t rapid.TB, g generator) {
		l := g.lineInput(t, true)
		var oracles []*oracle
		for _, in := range l.inputs {
			oracles = append(oracles, newOracle(in))
		}
		w := g.window()
		line, err := ledger.NewLine(l.LineInput)
		if err != nil {
			t.Fatal(err)
		}
		got := line.Facts(w)
		want := lineFacts(oracles, l.UnitSeconds, w)
		for _, k := range []ledger.Field{
			ledger.Span, ledger.LinePlannedTime, ledger.RunTime, ledger.UncountedTime, ledger.UnknownTime, ledger.BridgedTime, ledger.IdealGood,
			ledger.BridgedGood, ledger.DarkGood, ledger.TotalPieces, ledger.GoodPieces, ledger.GoodWatts, ledger.StopTime, ledger.E79Run,
		} {
			if !got.Get(k).Equal(want[k]) {
				t.Fatalf("%s = %s, want %s, in %s", k, got.Get(k), want[k], w)
			}
		}
	})
}

func lineFacts(units []*oracle, seconds map[string][]ledger.Ideal, w calendar.Interval) map[ledger.Field]exact.Num {
	sum := map[ledger.Field]exact.Num{}
	add := func(k ledger.Field, x exact.Num, when bool) {
		if when {
			sum[k] = sum[k].Add(x)
		}
	}
	one, out := exact.Int(1), units[0]
	flows := out.flows()
	for m := max(w.From, 0); m < min(w.To, out.end); m++ {
		x := out.moment(m)
		planned := false
		for _, u := range units {
			planned = planned || u.moment(m).busy
		}
		run := planned && x.category == ledger.Run
		silent := run && x.uncounted
		add(ledger.Span, one, true)
		add(ledger.LinePlannedTime, one, planned)
		add(ledger.RunTime, one, run)
		add(ledger.UncountedTime, one, silent)
		add(ledger.UnknownTime, one, x.unknown)
		add(ledger.BridgedTime, one, x.unknown && x.bridged)
		var worth exact.Num
		for _, dated := range seconds {
			var s exact.Num
			for _, d := range dated {
				if d.From <= m {
					s = d.Seconds
				}
			}
			worth = exact.Max(worth, s)
		}
		for _, f := range flows[m] {
			add(ledger.TotalPieces, f.total, true)
			add(ledger.GoodPieces, f.good, true)
			add(ledger.GoodWatts, f.good.Mul(out.watts(f.product, m)), true)
			good := f.good.Mul(worth)
			add(ledger.IdealGood, good, planned && !silent && !x.unknown)
			add(ledger.BridgedGood, good, x.unknown && x.bridged)
			add(ledger.DarkGood, good, x.unknown && !x.bridged)
		}
	}
	return sum
}
