package ledger_test

import (
	"strings"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// The tables below live on 2026-11-02, in hours: at(8.5) is half past eight.
var midnight = telemetry.Instant(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC).UnixNano())

func at(hours float64) telemetry.Instant {
	return midnight + telemetry.Instant(hours*float64(time.Hour))
}

func between(from, to float64) calendar.Interval {
	return calendar.Interval{From: at(from), To: at(to)}
}

func num(s string) exact.Num {
	n, err := exact.Parse(s)
	if err != nil {
		panic(err)
	}
	return n
}

func pieces(s string) exact.Num { return num(s).Mul(exact.Int(ledger.NanosPerPiece)) }
func kwh(s string) exact.Num    { return num(s).Mul(exact.Int(ledger.MicroWhPerKWh)) }
func kw(s string) exact.Num     { return num(s).Mul(exact.Int(ledger.MilliWattPerKW)) }

// unit is a unit that is always scheduled and alive, asked two days later.
func unit(change ...func(*ledger.Input)) *ledger.Input {
	in := &ledger.Input{Unit: "U", Horizon: at(48), Always: true, AlwaysAlive: true, Exact: true}
	for _, c := range change {
		c(in)
	}
	return in
}

// states reads "8 run, 10 stop, 10.5 run", hours and categories.
func states(text string) func(*ledger.Input) {
	return func(in *ledger.Input) {
		for _, s := range strings.Split(text, ",") {
			when, what, _ := strings.Cut(strings.TrimSpace(s), " ")
			in.States = append(in.States, ledger.State{At: at(num(when).Float()), Category: category(what), Code: strings.ToUpper(what), Bad: what == "bad"})
		}
	}
}

func category(name string) ledger.Category {
	return map[string]ledger.Category{
		"run": ledger.Run, "setup": ledger.Setup, "stop": ledger.Stop, "idle": ledger.Idle, "planned": ledger.Planned,
		"engineering": ledger.Engineering, "nonscheduled": ledger.Nonscheduled,
	}[name]
}

// readings reads "8 65200, 9 65500", hours and values in units of one.
func readings(one exact.Num, text string) []ledger.Reading {
	var out []ledger.Reading
	for _, r := range strings.Split(text, ",") {
		when, value, ok := strings.Cut(strings.TrimSpace(r), " ")
		if ok {
			out = append(out, ledger.Reading{At: at(num(when).Float()), Value: num(value).Mul(one)})
		}
	}
	return out
}

func counter(text string, rules ...ledger.Rule) *ledger.Counter {
	return &ledger.Counter{Readings: readings(pieces("1"), text), Rules: rules}
}

func ideal(seconds string) func(*ledger.Input) {
	return func(in *ledger.Input) {
		in.Ideals = append(in.Ideals, ledger.Ideal{From: midnight - 1, Product: "M10", Seconds: num(seconds)})
	}
}

func shift(from, to float64) func(*ledger.Input) {
	return func(in *ledger.Input) {
		in.Always, in.Shifts = false, in.Shifts.Union(calendar.NewSet(between(from, to)))
	}
}

// want is a list of fields and what they must be, in whole units: s of time, pieces, kWh; "" of a field: it is not looked at.
type want map[ledger.Field]string

// expect compares facts with what they must be; fields that are not listed are not looked at.
func expect(t *testing.T, f *ledger.Facts, w want) {
	t.Helper()
	for k, text := range w {
		one := exact.Int(1_000_000_000) // ns, nano-pieces, µWh
		if k == ledger.Failures || k == ledger.E79Failures {
			one = exact.Int(1)
		}
		if got := f.Get(k).Quo(one); !got.Equal(num(text)) {
			t.Errorf("%s = %s, want %s", k, got, text)
		}
	}
}
