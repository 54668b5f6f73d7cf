package ledger_test

import (
	"testing"
	"time"

	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// power reads "10 100, 10.5 bad", hours and kW.
func power(text string, bounds ...ledger.PowerBounds) *ledger.Power {
	p := &ledger.Power{Bounds: bounds}
	for _, r := range readings(kw("1"), text) {
		p.Readings = append(p.Readings, ledger.PowerReading{At: r.At, MW: exact.Max(r.Value, exact.Num{}), Bad: r.Value.Sign() < 0})
	}
	return p
}

func bounds(from float64, hold time.Duration, least, rated string) ledger.PowerBounds {
	b := ledger.PowerBounds{From: at(from), Hold: hold, Min: kw(least)}
	if rated != "" {
		b.Rated, b.HasRated = kw(rated), true
	}
	return b
}

func register(text string, rules ...ledger.Rule) *ledger.Counter {
	return &ledger.Counter{Readings: readings(kwh("1"), text), Rules: rules}
}

func TestEnergy(t *testing.T) {
	tenMinutes := bounds(0, 10*time.Minute, "0", "150")
	e4 := func(b ledger.PowerBounds) *ledger.Power {
		p := &ledger.Power{Bounds: []ledger.PowerBounds{b}}
		for _, s := range []struct{ minute, kw int64 }{{0, 100}, {5, 120}, {10, 120}, {40, 80}, {50, 80}} {
			p.Readings = append(p.Readings, ledger.PowerReading{At: at(10).Add(time.Duration(s.minute) * time.Minute), MW: exact.Int(s.kw * ledger.MilliWattPerKW)})
		}
		return p
	}
	const third = 1.0 / 3
	modulus := ledger.Rule{Kind: ledger.Rollover, Modulus: kwh("1000000")}
	for _, c := range []struct {
		name     string
		register *ledger.Counter
		power    *ledger.Power
		from, to float64
		want     want
	}{
		{"E3 rollover", register("8 999990, 9 15", modulus), nil, 8, 9, want{ledger.EnergyKnown: "25", ledger.Covered: "3600", ledger.UnboundedTime: "0"}},
		{"E3 longer than the register reaches", register("8 999990, 9 15", modulus), nil, 8, 10, want{ledger.EnergyKnown: "25", ledger.Covered: "3600", ledger.UnboundedTime: "3600", ledger.EnergySpan: "7200"}},
		{"E4 hour with register", register("10 5000, 11 5092"), e4(tenMinutes), 10, 11, want{ledger.EnergyKnown: "92", ledger.Covered: "3600", ledger.EnergyLow: "0"}},
		{"E4 dark minutes with register", register("10 5000, 11 5092"), e4(tenMinutes), 10 + third, 10 + 2*third, want{ledger.EnergyKnown: "27"}},
		{"E4 known minutes with register", register("10 5000, 11 5092"), e4(tenMinutes), 10, 10 + third, want{ledger.EnergyKnown: "115/3"}},
		{"E4 without register", nil, e4(tenMinutes), 10, 11, want{ledger.EnergyKnown: "65", ledger.EnergyHigh: "50", ledger.EnergyLow: "0", ledger.Covered: "2400", ledger.UnboundedTime: "0"}},
		{"E4 unrated", nil, e4(bounds(0, 10*time.Minute, "3", "")), 10, 11, want{ledger.EnergyKnown: "65", ledger.EnergyLow: "1", ledger.EnergyHigh: "0", ledger.UnboundedTime: "1200"}},
		{"the dark gets at most what is rated", register("0 0, 2 100"), power("0 10", bounds(0, time.Hour, "0", "30")), 1, 2, want{ledger.EnergyKnown: "30"}},
		{"and the lit the rest", register("0 0, 2 100"), power("0 10", bounds(0, time.Hour, "0", "30")), 0, 1, want{ledger.EnergyKnown: "70"}},
		{"the dark gets at least the minimum", register("0 0, 2 12"), power("0 10", bounds(0, time.Hour, "5", "30")), 1, 2, want{ledger.EnergyKnown: "5"}},
		{"as much as is left where part of the dark is unrated", register("0 0, 2 100"), power("0 10", bounds(0, time.Hour, "0", ""), bounds(1.5, time.Hour, "0", "5")), 1, 2, want{ledger.EnergyKnown: "90"}},
		{"but never more than there is", register("0 0, 2 3"), power("0 10", bounds(0, time.Hour, "5", "30")), 1, 2, want{ledger.EnergyKnown: "3"}},
		{"no power known: evenly", register("0 0, 4 12"), power("", bounds(0, time.Hour, "0", "1")), 1, 2, want{ledger.EnergyKnown: "3"}},
		{"power known to be zero: all goes to the dark", register("0 0, 2 8"), power("0 0", bounds(0, time.Hour, "0", "1")), 1, 2, want{ledger.EnergyKnown: "8"}},
		{"power zero all the time: evenly", register("0 0, 2 8"), power("0 0, 1 0", bounds(0, time.Hour, "0", "1")), 1, 2, want{ledger.EnergyKnown: "4"}},
		{"before and after the register the power counts", register("1 0, 2 8"), power("0 10, 2 6", bounds(0, 90*time.Minute, "0", "9")), 0, 4, want{ledger.EnergyKnown: "27", ledger.Covered: "12600", ledger.EnergyHigh: "4.5"}},
		{"one reading of a register covers nothing", register("1 0"), power("0 10", bounds(0, 2*time.Hour, "0", "9")), 0, 2, want{ledger.EnergyKnown: "20", ledger.Covered: "7200"}},
		{"a bad reading ends the one before", nil, power("0 10, 1 -1, 2 4", bounds(0, 5*time.Hour, "0", "9")), 0, 3, want{ledger.EnergyKnown: "14", ledger.Covered: "7200", ledger.EnergyHigh: "9"}},
		{"limits have dates: hold of the reading, bounds of the moment", nil, power("0 10, 4 10", bounds(0, time.Hour, "1", "20"), bounds(3, 2*time.Hour, "2", "30")), 0, 8, want{ledger.EnergyKnown: "30", ledger.Covered: "10800", ledger.EnergyLow: "8", ledger.EnergyHigh: "130"}},
		{"nothing known at all", &ledger.Counter{}, nil, 0, 2, want{ledger.EnergyKnown: "0", ledger.Covered: "0", ledger.EnergySpan: "7200", ledger.UnboundedTime: "7200"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := unit(func(in *ledger.Input) { in.Energy, in.Power = c.register, c.power })
			f := mustNew(t, in).Facts(between(c.from, c.to))
			expect(t, &f, c.want)
		})
	}
}

// TestEnergyByWhatTheUnitDid splits the energy by the classes of time.
func TestEnergyByWhatTheUnitDid(t *testing.T) {
	in := unit(shift(0, 14), states("0 run, 2 stop, 3 setup, 4 idle, 6 planned, 9 bad, 10 run, 11 stop, 11.25 run"), func(in *ledger.Input) {
		in.Energy = register("0 0, 16 160")
		in.Limits = []ledger.Limits{{From: at(0), MinorStop: 20 * time.Minute}}
	})
	f := mustNew(t, in).Facts(between(0, 16))
	expect(t, &f, want{
		ledger.EnergyKnown: "160", ledger.EnergyRun: "60", ledger.EnergyStop: "10", ledger.EnergySetup: "10", ledger.EnergyIdle: "20",
		ledger.EnergyPlanned: "30", ledger.EnergyUnknown: "10", ledger.EnergyOut: "20",
	})
}

// TestRegisterIgnoresOnChange: energy flows between two readings, however seldom the register reports.
func TestRegisterIgnoresOnChange(t *testing.T) {
	r := register("0 0, 10 100")
	r.OnChange = true
	f := mustNew(t, unit(func(in *ledger.Input) { in.Energy = r })).Facts(between(0, 5))
	expect(t, &f, want{ledger.EnergyKnown: "50"})
}
