package keeper

import (
	"context"
	"fmt"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/evidence"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// dense is some saws with a day of raw data in the density of a 1 GW plant: a state every two minutes, counters and register
// every ten seconds.
func dense(b *testing.B) *Keeper {
	b.Helper()
	c := factory.Embedded(b)
	effective := factory.Day(-1, 0).From
	if err := evidence.ApplyModel(b.Context(), c, factory.Model("1.5"), effective, effective, "bench", "bench"); err != nil {
		b.Fatal(err)
	}
	for _, unit := range []string{"ws01", "ws02", "ws03", "wc01"} {
		lines, n := factory.Dense(unit, factory.Day(0, 1))
		factory.Write(b, c, lines, n)
	}
	now := factory.Day(0, 1).To.Add(time.Hour)
	return New(c, Options{Now: func() telemetry.Instant { return now }, Lookback: 24 * time.Hour, Parallel: 1})
}

// BenchmarkLedger is the ledger's own work: from what was recorded in a day of a unit to its slices, on one core.
func BenchmarkLedger(b *testing.B) {
	k := dense(b)
	history, err := evidence.ReadModels(b.Context(), k.client, k.o.Now())
	if err != nil {
		b.Fatal(err)
	}
	day := factory.Day(0, 1)
	in, _, err := evidence.Gather(b.Context(), k.client, history, "ws01", day, k.o.Now(), k.o.Now())
	if err != nil {
		b.Fatal(err)
	}
	var borders []telemetry.Instant
	for t := day.From; t <= day.To; t = t.Add(time.Hour) {
		borders = append(borders, t)
	}
	b.ReportAllocs()
	for b.Loop() {
		u, err := ledger.New(in)
		if err != nil {
			b.Fatal(err)
		}
		u.Slices(borders)
	}
	b.ReportMetric(24*float64(b.N)/b.Elapsed().Seconds(), "unit-hours/s")
}

// BenchmarkRound is a whole round on one core: reading raw data and fingerprints, computing, comparing and storing. The first
// computes everything, each other one finds all of it touched by another model.
func BenchmarkRound(b *testing.B) {
	k := dense(b)
	computed := 0
	for i := 0; b.Loop(); i++ {
		if i > 0 {
			b.StopTimer()
			effective := factory.Day(-1, 0).From
			if err := evidence.ApplyModel(b.Context(), k.client, factory.Model(fmt.Sprintf("1.%d", 50+i)), effective, effective.Add(time.Duration(i)), "bench", "bench"); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		r, err := k.Cycle(context.Background())
		if err != nil || len(r.Failed) > 0 {
			b.Fatal(err, r.Failed)
		}
		computed += r.Computed
	}
	b.ReportMetric(float64(computed)/b.Elapsed().Seconds(), "slices/s")
}
