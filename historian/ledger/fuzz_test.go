package ledger_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// FuzzInput reads any bytes as an Input, valid or not: New refuses it with an *InputError, or its facts add up.
func FuzzInput(f *testing.F) {
	f.Add([]byte{})
	for seed := range byte(40) {
		b := make([]byte, 300)
		for i := range b {
			b[i] = seed*31 + byte(i*i)%(seed+7)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &byteReader{b: b}
		in := r.input()
		u, err := ledger.New(in)
		var bad *ledger.InputError
		if err != nil {
			if !errors.As(err, &bad) || bad.List == "" || bad.Problem == "" {
				t.Fatalf("New: %v", err)
			}
			return
		}
		borders := []telemetry.Instant{math.MinInt64, 0, r.time(), in.Horizon, math.MaxInt64}
		whole := u.Facts(calendar.Interval{From: borders[0], To: borders[4]})
		if borders[2] > 0 && borders[2] < in.Horizon {
			sameFacts(t, "sum of slices and whole", sumOf(u.Slices(borders)), &whole)
		}
		u.Explain(calendar.Interval{From: borders[0], To: borders[4]})
	})
}

// FuzzGenerated lets the fuzzer choose what the generator draws.
func FuzzGenerated(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		g := generator{t: t, scale: 1}
		in := g.input()
		u := mustNew(t, in)
		borders := g.borders()
		whole := u.Facts(calendar.Interval{From: borders[0], To: borders[len(borders)-1]})
		sameFacts(t, "sum of slices and whole", sumOf(u.Slices(borders)), &whole)
	}))
}

// byteReader reads numbers; behind the end all are 0.
type byteReader struct{ b []byte }

func (r *byteReader) byte() byte {
	if len(r.b) == 0 {
		return 0
	}
	x := r.b[0]
	r.b = r.b[1:]
	return x
}

// number is mostly small, sometimes as large as they come.
func (r *byteReader) number() int64 {
	switch x := r.byte(); {
	case x == 255:
		return math.MaxInt64 - int64(r.byte())
	case x == 254:
		return -int64(r.byte())
	case x > 240:
		return int64(x) << 50
	default:
		return int64(x)
	}
}

func (r *byteReader) time() telemetry.Instant { return telemetry.Instant(r.number()) }
func (r *byteReader) flag() bool              { return r.byte()&1 == 1 }

func (r *byteReader) num() exact.Num {
	if x := r.byte(); x > 230 {
		return exact.Frac(r.number(), 1+int64(x&7))
	}
	return exact.Int(r.number())
}

// many calls f with moments that mostly rise.
func (r *byteReader) many(f func(at telemetry.Instant)) {
	at := telemetry.Instant(0)
	for range r.byte() % 6 {
		at += r.time() % 64
		f(at)
	}
}

func (r *byteReader) set() calendar.Set {
	var s calendar.Set
	r.many(func(at telemetry.Instant) { s = append(s, calendar.Interval{From: at, To: at + 1 + r.time()%16}) })
	if r.flag() {
		return calendar.NewSet(s...)
	}
	return s
}

func (r *byteReader) counter() *ledger.Counter {
	if r.flag() {
		return nil
	}
	c := &ledger.Counter{OnChange: r.flag(), Beat: time.Duration(r.byte() % 8), Blind: r.set()}
	r.many(func(at telemetry.Instant) { c.Readings = append(c.Readings, ledger.Reading{At: at, Value: r.num()}) })
	r.many(func(at telemetry.Instant) {
		c.Rules = append(c.Rules, ledger.Rule{From: at, Kind: ledger.RuleKind(r.byte() % 3), Modulus: r.num(), Epsilon: r.num(), MaxPerSecond: r.num()})
	})
	r.many(func(at telemetry.Instant) {
		c.Swaps = append(c.Swaps, ledger.Swap{At: at, Final: r.num(), Initial: r.num()})
	})
	return c
}

func (r *byteReader) input() *ledger.Input {
	in := &ledger.Input{Horizon: r.time(), Always: r.flag(), AlwaysAlive: r.flag(), Exact: r.flag(), Shifts: r.set(), PlannedStops: r.set(), Alive: r.set()}
	r.many(func(at telemetry.Instant) {
		in.States = append(in.States, ledger.State{At: at, Category: ledger.Category(r.byte() % 9), Bad: r.byte()%4 == 0, Unmapped: r.flag()})
	})
	r.many(func(at telemetry.Instant) {
		in.Limits = append(in.Limits, ledger.Limits{From: at, MinorStop: time.Duration(r.number())})
	})
	in.Total, in.Good, in.Scrap, in.Energy = r.counter(), r.counter(), r.counter(), r.counter()
	r.many(func(at telemetry.Instant) { in.Ideals = append(in.Ideals, ledger.Ideal{From: at, Seconds: r.num()}) })
	r.many(func(at telemetry.Instant) { in.Watts = append(in.Watts, ledger.Watts{From: at, PerPiece: r.num()}) })
	r.many(func(at telemetry.Instant) {
		in.Booked = append(in.Booked, ledger.Booking{Interval: calendar.Interval{From: at, To: at + r.time()}, Total: r.num(), Good: r.num(), Completion: r.flag()})
	})
	r.many(func(at telemetry.Instant) {
		in.ScrapReports = append(in.ScrapReports, ledger.ScrapReport{Made: calendar.Interval{From: at, To: at + r.time()}, Quantity: r.num()})
	})
	if r.flag() {
		in.Power = &ledger.Power{}
		r.many(func(at telemetry.Instant) {
			in.Power.Readings = append(in.Power.Readings, ledger.PowerReading{At: at, MW: r.num(), Bad: r.byte()%4 == 0})
		})
		r.many(func(at telemetry.Instant) {
			in.Power.Bounds = append(in.Power.Bounds, ledger.PowerBounds{From: at, Hold: time.Duration(r.number()), Min: r.num(), Rated: r.num(), HasRated: r.flag()})
		})
	}
	return in
}
