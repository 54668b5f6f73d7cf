package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// TestDeltas is the rules of CONFORMANCE.md for pairs of readings, in their order.
func TestDeltas(t *testing.T) {
	roll := func(modulus string) ledger.Rule { return ledger.Rule{Kind: ledger.Rollover, Modulus: pieces(modulus)} }
	jitter := func(r ledger.Rule) ledger.Rule { r.Epsilon = pieces("5"); return r }
	limited := func(perHour string) ledger.Rule {
		r := roll("1000")
		r.MaxPerSecond = pieces(perHour).Quo(exact.Int(3600))
		return r
	}
	swap := func(hour float64, final, initial string) ledger.Swap {
		return ledger.Swap{At: at(hour), Final: pieces(final), Initial: pieces(initial)}
	}
	for _, c := range []struct {
		name     string
		rules    []ledger.Rule
		readings string
		swaps    []ledger.Swap
		want     string // amounts, with what each is unless a rise
	}{
		{"none", nil, "", nil, ""},
		{"one reading", nil, "8 7", nil, ""},
		{"16 bit", []ledger.Rule{roll("65536")}, "8 65200, 9 65500, 10 12, 11 340", nil, "300, 48 rollover, 328"},
		{"reset", nil, "8 65200, 9 65500, 10 12, 11 340", nil, "300, 12 reset bound, 328"},
		{"last cycle, reset", nil, "8 100, 9 110, 10 117, 11 123, 11.5 0, 12 3", nil, "10, 7, 6, 0 reset bound, 3"},
		{"last cycle, modulus", []ledger.Rule{roll("200")}, "8 100, 9 123, 9.5 0, 10 3", nil, "23, 77 rollover, 3"},
		{"jitter counts from the highest", []ledger.Rule{jitter(ledger.Rule{})}, "8 340, 9 338, 10 341", nil, "0 ignored, 1"},
		{"jitter comes before the modulus", []ledger.Rule{jitter(roll("65536"))}, "8 340, 9 335, 10 341", nil, "0 ignored, 1"},
		{"jitter is measured from the highest", []ledger.Rule{jitter(ledger.Rule{})}, "8 340, 9 336, 10 334", nil, "0 ignored, 334 reset bound"},
		{"equal is no fall", nil, "8 5, 9 5", nil, "0"},
		{"a rollover as fast as it may be", []ledger.Rule{limited("100")}, "8 950, 9 50", nil, "100 rollover"},
		{"a rollover that would be too fast", []ledger.Rule{limited("99")}, "8 950, 9 50", nil, "50 reset bound"},
		{"a rise with room for a turn more", []ledger.Rule{limited("1010")}, "8 0, 9 10", nil, "10 bound"},
		{"a rise without that room", []ledger.Rule{limited("1009")}, "8 0, 9 10", nil, "10"},
		{"a rollover with room for another", []ledger.Rule{limited("1100")}, "8 950, 9 50", nil, "100 rollover bound"},
		{"the rule of the later reading", []ledger.Rule{{}, {From: at(9), Kind: ledger.Rollover, Modulus: pieces("100")}}, "8 90, 9 5, 10 4", nil, "15 rollover, 99 rollover"},
		{"a modulus below what was counted", []ledger.Rule{{}, {From: at(9), Kind: ledger.Rollover, Modulus: pieces("10")}}, "8 90, 9 5", nil, "5 reset bound"},
		{"swap", nil, "8 45210, 10 87", []ledger.Swap{swap(9, "45215", "12")}, "5, 75"},
		{"swap before the first reading", nil, "8 20, 9 21", []ledger.Swap{swap(7, "999", "5")}, "15, 1"},
		{"swap after the last reading", nil, "8 20", []ledger.Swap{swap(9, "25", "0")}, "5"},
		{"swaps alone", nil, "", []ledger.Swap{swap(8, "9", "1"), swap(9, "4", "0")}, "3"},
		{"a reading at the swap is ignored", nil, "8 20, 9 777, 10 6", []ledger.Swap{swap(9, "25", "4")}, "5, 2"},
		{"a swap's final may fall", nil, "8 20, 10 6", []ledger.Swap{swap(9, "3", "4")}, "3 reset bound, 2"},
		{"a swap forgets the highest", []ledger.Rule{jitter(ledger.Rule{})}, "8 20, 8.5 18, 10 6", []ledger.Swap{swap(9, "21", "5")}, "0 ignored, 1, 1"},
		{"after the horizon nothing is", nil, "8 20, 49 25", []ledger.Swap{swap(50, "30", "0")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := counter(c.readings, c.rules...)
			n.Swaps = c.swaps
			u := mustNew(t, unit(func(in *ledger.Input) { in.Total = n }))
			if got := deltasOf(u); got != c.want {
				t.Errorf("deltas %q, want %q", got, c.want)
			}
		})
	}
}

func deltasOf(u *ledger.Unit) string {
	var out []string
	for _, d := range u.Explain(between(0, 48)).Deltas {
		s := d.Amount.Quo(pieces("1")).String()
		if d.Kind != ledger.Rise {
			s += " " + d.Kind.String()
		}
		if d.LowerBound {
			s += " bound"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// TestOnChange is where a counter stands that reports every change.
func TestOnChange(t *testing.T) {
	ns := exact.Frac(1, int64(time.Hour))
	for _, c := range []struct {
		name  string
		alive calendar.Set // nil: always
		beat  time.Duration
		blind calendar.Set
		at    string
		want  string // from-to=amount, in hours
	}{
		{"always alive: at the last nanosecond", nil, 0, nil, "8 0, 10 5", "8-10-ε=0 10-ε-10=5 10-48=0"},
		{"continuously alive", calendar.NewSet(between(0, 20)), 0, nil, "8 0, 10 5", "8-10-ε=0 10-ε-10=5 10-20=0"},
		{"on the grid", calendar.NewSet(between(0.25, 20)), time.Hour, nil, "8 0, 10 5", "8-9.25=0 9.25-10=5 10-19.25=0"},
		{"a proof at the reading itself shows the new value", calendar.NewSet(between(0, 20)), time.Hour, nil, "8 0, 10 5", "8-9=0 9-10=5 10-19=0"},
		{"no proof in between", calendar.NewSet(between(0, 20)), 4 * time.Hour, nil, "8.5 0, 10 5", "8.5-10=5 10-16=0"},
		{"a gap before the reading", calendar.NewSet(between(0, 8.5), between(9.5, 20)), time.Hour, nil, "8 0, 9.25 5, 9.5 6", "8-9.25=5 9.25-9.5=1 9.5-19.5=0"},
		{"alive until before the reading", calendar.NewSet(between(0, 9)), 0, nil, "8 0, 10 5", "8-9=0 9-10=5"},
		{"never alive", calendar.Set{}, 0, nil, "8 0, 10 5", "8-10=5"},
		{"blind: nobody saw it stand", calendar.NewSet(between(0, 20)), time.Hour, calendar.NewSet(between(9, 12)), "8 0, 12 5", "8-12=5 12-19=0"},
		{"blind, on the grid before", calendar.NewSet(between(0, 20)), time.Hour, calendar.NewSet(between(10, 12)), "8 0, 12 5", "8-9=0 9-12=5 12-19=0"},
		{"alive after the horizon is not known", calendar.NewSet(between(0, 60)), time.Hour, nil, "8 0", "8-48=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := counter(c.at)
			n.OnChange, n.Beat, n.Blind = true, c.beat, c.blind
			u := mustNew(t, unit(func(in *ledger.Input) { in.Scrap, in.Alive, in.AlwaysAlive = n, c.alive, c.alive == nil }))
			hour := func(i int64) string {
				h := exact.Frac(i-int64(midnight), int64(time.Hour))
				if up := h.Add(ns); up.Equal(up.Round()) {
					return up.String() + "-ε"
				}
				return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", h.Float()), "0"), ".")
			}
			var got []string
			for _, d := range u.Explain(between(0, 48)).Deltas {
				got = append(got, hour(int64(d.When.From))+"-"+hour(int64(d.When.To))+"="+d.Amount.Quo(pieces("1")).String())
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("deltas %q, want %q", s, c.want)
			}
		})
	}
}

// TestRareChangeIsCounted: a scrap counter that changes twice a day leaves no run time uncounted, and what was known of a
// closed slice does not change when the next reading comes.
func TestRareChangeIsCounted(t *testing.T) {
	in := unit(states("0 run"), ideal("1"), func(in *ledger.Input) {
		in.Total = counter("0 0, 4 100, 8 200, 12 300, 16 400")
		in.Scrap = counter("0 0, 9.5 3, 17 4")
		in.Scrap.OnChange, in.Alive, in.AlwaysAlive, in.Scrap.Beat = true, calendar.NewSet(between(0, 24)), false, time.Hour
	})
	early := *in
	early.Horizon = at(9)
	before, after := mustNew(t, &early).Facts(between(0, 9)), mustNew(t, in).Facts(between(0, 9))
	expect(t, &before, want{ledger.UncountedTime: "3600", ledger.GoodPieces: "200"}) // the total was last read at 8
	expect(t, &after, want{ledger.UncountedTime: "0", ledger.GoodPieces: "225"})
	closed, again := mustNew(t, &early).Facts(between(0, 8)), mustNew(t, in).Facts(between(0, 8))
	sameFacts(t, "closed slice", &closed, &again)
	all := mustNew(t, in).Facts(between(0, 16))
	expect(t, &all, want{ledger.UncountedTime: "0", ledger.GoodPieces: "397", ledger.TotalPieces: "400"})
}

// TestFindingsOfDeltas are reported for the windows that a delta's interval overlaps, and no others.
func TestFindingsOfDeltas(t *testing.T) {
	u := mustNew(t, unit(states("0 run, 12 stop"), func(in *ledger.Input) {
		in.Total = counter("8 10, 9 3, 10 2, 11 5, 13 6, 14 8", ledger.Rule{Epsilon: pieces("1")})
		in.Energy = &ledger.Counter{Readings: readings(kwh("1"), "0 50, 2 20")}
	}))
	for _, c := range []struct {
		from, to float64
		want     string
	}{
		{0, 2, "counter_missing counter_reset_assumed register_lower_bound"},
		{2, 8, "counter_missing"},
		{8, 9, "counter_reset_assumed"},
		{9, 10, "counter_drop_ignored"},
		{8.5, 9.5, "counter_reset_assumed counter_drop_ignored"},
		{10, 13, ""},
		{13.5, 13.6, "made_while_stopped"},
		{14, 48, ""},
		{9, 9, ""},
	} {
		f := u.Facts(between(c.from, c.to))
		if got := strings.Join(f.Findings.Names(), " "); got != c.want {
			t.Errorf("findings of %v to %v: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

func TestNamesTellApart(t *testing.T) {
	fields := map[string]ledger.Field{}
	for k := range ledger.NumFields {
		if was, taken := fields[k.String()]; taken || k.String() == "" {
			t.Errorf("field %d is %q, as field %d", k, k, was)
		}
		fields[k.String()] = k
	}
	all := ledger.Findings(1<<9 - 1).Names()
	if slices.Sort(all); len(slices.Compact(all)) != 9 {
		t.Errorf("names of nine findings: %q", all)
	}
}
