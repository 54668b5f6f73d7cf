package evidence_test

import (
	"fmt"
	"testing"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// rawDay writes a day of ws01: a state every 2 minutes; two counters, a register and power every 10 s, each at its own time.
func rawDay(b testing.TB, c *influx.Client, day calendar.Interval) {
	b.Helper()
	lines := aliveLines("ws01", day)
	total, scrap, energy := 0, 0, 1000.0
	for i := 0; ; i++ {
		t := day.From.Add(10e9*1).Add(0) + telemetry.Instant(i)*10e9
		if t >= day.To {
			break
		}
		if i%12 == 0 {
			lines = append(lines, line("ws01", fmt.Sprintf("state=%di", 1+i/12%2*2), t-3e8))
		}
		if i/12%2 == 0 {
			total += 6 + i%3
		}
		if i%50 == 0 {
			scrap++
		}
		energy += 0.3 + float64(i%7)*0.013
		lines = append(lines,
			line("ws01", fmt.Sprintf("total=%di", total), t+1e8),
			line("ws01", fmt.Sprintf("scrap=%di", scrap), t+2e8),
			line("ws01", fmt.Sprintf("energy_kwh=%.3f", energy), t+3e8),
			line("ws01", fmt.Sprintf("power_kw=%.2f", 80+float64(i%9)), t+4e8))
	}
	mustWrite(b, c, lines...)
}

// BenchmarkRawDay is one unit's day from raw data to facts by hour.
func BenchmarkRawDay(b *testing.B) {
	c := mustClient(b, embedded(b))
	day := between(b, "02T00:00", "03T00:00")
	rawDay(b, c, day)
	h := history(b)
	borders := []telemetry.Instant{day.From}
	for _, v := range calendar.Hours(day) {
		borders = append(borders, v.To)
	}
	b.Run("gather", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := evidence.Gather(b.Context(), c, h, "ws01", day, day.To, day.To); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gather and ledger", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			in, _, err := evidence.Gather(b.Context(), c, h, "ws01", day, day.To, day.To)
			if err != nil {
				b.Fatal(err)
			}
			u, err := ledger.New(in)
			if err != nil {
				b.Fatal(err)
			}
			u.Slices(borders)
		}
	})
}
