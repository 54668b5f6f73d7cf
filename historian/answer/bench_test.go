package answer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// benchDays is the month that is asked for.
const benchDays = 30

// chain is the 1 GW plant with a month of day slices of each unit and line.
func chain(b *testing.B) (c *influx.Client, m *plant.Model, month calendar.Interval) {
	b.Helper()
	c = factory.Embedded(b)
	text, err := os.ReadFile("../../configs/plants/chain-1gw.yaml")
	if err != nil {
		b.Fatal(err)
	}
	loc, err := calendar.Zone(factory.Zone)
	if err != nil {
		b.Fatal(err)
	}
	from := calendar.Local(loc, calendar.Date{Year: 2026, Month: time.October, Day: 1}, calendar.Clock(8*time.Hour))
	month = calendar.Interval{From: from, To: from.Add(benchDays * 24 * time.Hour)}
	effective := from.Add(-24 * time.Hour)
	if err := evidence.ApplyModel(b.Context(), c, text, effective, effective, "bench", "bench"); err != nil {
		b.Fatal(err)
	}
	if m, err = plant.Parse("chain", text); err != nil {
		b.Fatal(err)
	}
	var all []evidence.Slice
	rng := rand.New(rand.NewPCG(1, 1))
	add := func(kind evidence.Kind, id string) {
		for d := range benchDays {
			at := from.Add(time.Duration(d) * 24 * time.Hour)
			all = append(all, evidence.Slice{Subject: evidence.Subject{Kind: kind, ID: id}, Grain: evidence.Day, Place: evidence.Place{Site: m.Site},
				Interval: calendar.Interval{From: at, To: at.Add(24 * time.Hour)}, ComputedAt: month.To, Model: m.Hash, Inputs: "bench", Facts: dayFacts(rng)})
		}
	}
	for _, u := range m.Units {
		add(evidence.Unit, u.ID)
	}
	for _, l := range m.Lines {
		add(evidence.Line, l.ID)
	}
	if err := evidence.WriteSlices(b.Context(), c, all); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d units, %d lines, %d day slices", len(m.Units), len(m.Lines), len(all))
	return c, m, month
}

// dayFacts are those of a day in which a unit ran most of the time, with every kind of fact in it.
func dayFacts(rng *rand.Rand) ledger.Facts {
	const day = int64(24 * time.Hour)
	f := ledger.Facts{HasPieces: true, HasEnergy: true, Findings: ledger.Findings(rng.IntN(4))}
	set := func(v int64, keys ...ledger.Field) {
		for _, k := range keys {
			f.Sum[k] = exact.Int(v)
		}
	}
	stop, setup, idle, unknown := rng.Int64N(day/20), rng.Int64N(day/20), rng.Int64N(day/20), rng.Int64N(day/100)
	runs := day - stop - setup - idle - unknown
	set(day, ledger.Span, ledger.EnergySpan, ledger.LinePlannedTime)
	set(day-unknown, ledger.Covered)
	set(runs, ledger.RunTime, ledger.E79Run)
	set(stop, ledger.StopTime, ledger.E79Stop)
	set(setup, ledger.SetupTime, ledger.E79Scheduled)
	set(idle, ledger.IdleTime, ledger.E79Idle)
	set(unknown, ledger.UnknownTime, ledger.E79Unknown)
	total := runs / 100 * (80 + rng.Int64N(15))
	set(total, ledger.IdealTotal, ledger.E79IdealTotal)
	set(total/100*97, ledger.IdealGood, ledger.E79IdealGood)
	set(total/2, ledger.TotalPieces)
	set(total/200*97, ledger.GoodPieces)
	set(total/200*97/1000*8, ledger.GoodWatts)
	set(20, ledger.Failures, ledger.E79Failures)
	kwh := 2000*int64(ledger.MicroWhPerKWh) + rng.Int64N(ledger.MicroWhPerKWh*100)
	set(kwh, ledger.EnergyKnown)
	set(kwh/10*9, ledger.EnergyRun)
	set(kwh/10, ledger.EnergyStop)
	set(kwh/1000, ledger.EnergyHigh)
	return f
}

// month's questions: OEE and kWh/W of every unit, line and stage and of the plant, by day.
func monthOf(month calendar.Interval) []Question {
	return []Question{
		{Kind: OEE, Target: Target{Level: Plant}, Each: []Level{Unit, Line}, Window: month, By: ByDay},
		{Kind: Energy, Target: Target{Level: Chain}, Each: []Level{Unit, Line, Stage}, Window: month, By: ByDay},
	}
}

// timed runs f until the benchmark has enough and reports the median and the 95th percentile.
func timed(b *testing.B, f func()) {
	b.Helper()
	b.ReportAllocs()
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		f()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// BenchmarkMonth asks for a month of the 1 GW chain from day slices: with a new engine each time (cold: everything is read from
// the store) and with one that was asked before (warm: only the watermark is).
func BenchmarkMonth(b *testing.B) {
	c, _, month := chain(b)
	clock := func() telemetry.Instant { return month.To.Add(time.Minute) }
	for _, q := range monthOf(month) {
		ask := func(e *Engine) {
			a, err := e.Ask(context.Background(), q)
			if err != nil {
				b.Fatal(err)
			}
			if len(a.Sources.Raw) > 0 {
				b.Fatalf("raw data of %d units", len(a.Sources.Raw))
			}
		}
		b.Run(q.Kind.String()+"/cold", func(b *testing.B) {
			timed(b, func() { ask(New(c, clock)) })
		})
		b.Run(q.Kind.String()+"/warm", func(b *testing.B) {
			e := New(c, clock)
			ask(e)
			timed(b, func() { ask(e) })
		})
	}
}

// rawUnits of the raw month are compared with plain InfluxQL: a month of all 200 units would take minutes to write, so both
// are asked of some units for some days, and scale with units × days.
const (
	rawUnits = 4
	rawDays  = 3
)

// saws is the factory's model with rawUnits of raw data in the density of the issue: a state every 2 minutes, counters and
// registers every 10 s.
func saws(b *testing.B) (*influx.Client, calendar.Interval) {
	b.Helper()
	c := factory.Embedded(b)
	v := factory.Day(0, rawDays)
	effective := factory.Day(-1, 0).From
	if err := evidence.ApplyModel(b.Context(), c, factory.Model("1.5"), effective, effective, "bench", "bench"); err != nil {
		b.Fatal(err)
	}
	for _, unit := range factory.Units()[:rawUnits] {
		lines, n := factory.Dense(unit, v)
		factory.Write(b, c, lines, n)
	}
	return c, v
}

// BenchmarkRawDay is one unit's day from raw data, by hour.
func BenchmarkRawDay(b *testing.B) {
	c, v := saws(b)
	e := New(c, func() telemetry.Instant { return v.To.Add(time.Hour) })
	q := Question{Target: Target{Level: Unit, IDs: []string{"ws01"}}, Window: factory.Day(1, 2), By: ByHour, Raw: true}
	timed(b, func() {
		if _, err := e.Ask(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkInfluxQL asks the store itself what it can say of raw days of rawUnits: run time as an integral, counted pieces and
// energy as differences, by day. It knows no carried state, no shift, no reset, no gap; the figure is there to compare times.
func BenchmarkInfluxQL(b *testing.B) {
	c, v := saws(b)
	text := fmt.Sprintf(`SELECT integral(running) FROM (SELECT state AS running FROM wire_saw WHERE time >= %[1]d AND time < %[2]d) WHERE running = 1 GROUP BY time(1d), unit; `+
		`SELECT spread(total), spread(energy_kwh) FROM wire_saw WHERE time >= %[1]d AND time < %[2]d GROUP BY time(1d), unit`, v.From, v.To)
	timed(b, func() {
		rows := 0
		if err := c.Query(context.Background(), influx.Query{Text: text}, func(influx.Row) error { rows++; return nil }); err != nil {
			b.Fatal(err)
		}
		if rows == 0 {
			b.Fatal("no rows")
		}
	})
	b.ReportMetric(rawUnits*rawDays, "unit-days/op")
}
