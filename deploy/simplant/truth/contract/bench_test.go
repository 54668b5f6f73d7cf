package contract

import (
	"math/rand/v2"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// machineDays is a machine of so many days: per day 8640 readings of four counters at moments of their own, 1440 of power,
// 500 states, three shifts, twenty reports of scrap.
func machineDays(days int) *Unit {
	r := rand.New(rand.NewPCG(1, 2))
	start := telemetry.Instant(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC).UnixNano())
	moment := func(n, of int) telemetry.Instant {
		step := 24 * time.Hour / time.Duration(of)
		return start.Add(time.Duration(n)*step + time.Duration(r.Int64N(int64(step)/100))*100)
	}
	codes := []string{"run", "run", "run", "stop", "setup", "idle"}
	u := &Unit{ID: "M", AlwaysAlive: true, StateMap: categories(), MinorStop: exact.Int(60), Total: &Counter{}, Good: &Counter{}, Scrap: &Counter{}}
	u.Energy = &Counter{Rule: Rule{Rollover: true, Modulus: exact.Int(1000)}}
	u.Ideals = []Ideal{{Product: "A", From: Always, Seconds: exact.Frac(16, 10)}, {Product: "B", From: moment(days*24/2, 24), Seconds: exact.Int(2)}}
	u.Power = &Power{Hold: 10 * time.Minute}
	for i := range 500 * days {
		u.States = append(u.States, State{At: moment(i, 500), Code: codes[r.IntN(len(codes))]})
	}
	for i := range 1440 * days {
		u.Power.Readings = append(u.Power.Readings, PowerReading{At: moment(i, 1440), KW: exact.Frac(r.Int64N(100_000), 1000)})
	}
	var counts [4]int64
	for i := range 8640 * days {
		for k, c := range []*Counter{u.Total, u.Good, u.Scrap, u.Energy} {
			counts[k] += r.Int64N(9)
			value := exact.Int(counts[k])
			if k == 3 {
				value = exact.Frac(counts[k]%10_000, 10)
			}
			at := moment(i, 8640)
			c.Readings = append(c.Readings, Reading{At: at, KnownAt: at, Value: value})
		}
	}
	for i := range 20 * days {
		v := calendar.Interval{From: moment(i, 20), To: moment(i+1, 20)}
		u.ScrapReports = append(u.ScrapReports, ScrapReport{Made: v, Quantity: exact.Int(r.Int64N(5)), ReportedAt: v.To.Add(time.Hour)})
	}
	for i := range 3 * days {
		v := calendar.Interval{From: start.Add(time.Duration(i) * 8 * time.Hour), To: start.Add(time.Duration(i+1)*8*time.Hour - 20*time.Minute)}
		u.Shifts = append(u.Shifts, v)
	}
	return u
}

func day(first, n int) calendar.Interval {
	start := telemetry.Instant(time.Date(2026, 11, 2+first, 0, 0, 0, 0, time.UTC).UnixNano())
	return calendar.Interval{From: start, To: start.Add(time.Duration(n) * 24 * time.Hour)}
}

// BenchmarkDay: one day of one unit, from its readings to the answer.
func BenchmarkDay(b *testing.B) {
	v := &Vector{Now: Never, Units: []Unit{*machineDays(1)}}
	q := Query{Plant: true, Window: day(0, 1), AsOf: Never}
	for b.Loop() {
		if _, err := NewEvaluator(v).Evaluate(&q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWeek: seven days of one unit and its answers for the week, each day and each hour.
func BenchmarkWeek(b *testing.B) {
	v := &Vector{Now: Never, Units: []Unit{*machineDays(7)}}
	windows := []calendar.Interval{day(0, 7)}
	for d := range 7 {
		windows = append(windows, day(d, 1))
		windows = append(windows, calendar.Hours(day(d, 1))...)
	}
	for b.Loop() {
		e := NewEvaluator(v)
		for _, w := range windows {
			if _, err := e.Evaluate(&Query{Plant: true, Window: w, AsOf: Never}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
