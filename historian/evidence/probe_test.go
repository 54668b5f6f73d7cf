package evidence_test

import (
	"testing"

	"kvarts/historian/influx"
)

func BenchmarkProbe(b *testing.B) {
	c := mustClient(b, embedded(b))
	day := between(b, "02T00:00", "03T00:00")
	rawDay(b, c, day)
	w := ` WHERE "unit" = 'ws01' AND time >= ` + ns(day.From) + ` AND time < ` + ns(day.To)
	for _, k := range []struct{ name, q string }{
		{"alive raw", `SELECT alive FROM alive` + w},
		{"alive elapsed", `SELECT e FROM (SELECT elapsed(alive) AS e FROM alive` + w + ` AND alive = true) WHERE e > 10000000000; SELECT first(alive) FROM alive` + w + ` AND alive = true; SELECT last(alive) FROM alive` + w + ` AND alive = true`},
		{"alive elapsed nofilter", `SELECT e FROM (SELECT elapsed(alive) AS e FROM alive` + w + `) WHERE e > 10000000000`},
		{"alive count", `SELECT count(alive) FROM alive` + w + ` AND alive = true GROUP BY time(1h)`},
		{"total and status", `SELECT total, total_status FROM wire_saw` + w},
		{"total, status", `SELECT total FROM wire_saw` + w + `; SELECT total_status FROM wire_saw` + w},
		{"energy and status", `SELECT energy_kwh, energy_kwh_status FROM wire_saw` + w},
		{"all", `SELECT total, scrap, energy_kwh, power_kw, total_status, scrap_status, energy_kwh_status, power_kw_status, state, state_status FROM wire_saw` + w},
		{"empty", `SELECT nothing FROM wire_saw` + w},
		{"desc limit", `SELECT total, total_status FROM wire_saw WHERE "unit" = 'ws01' AND time < ` + ns(day.To) + ` ORDER BY time DESC LIMIT 2`},
		{"limit", `SELECT total, total_status FROM wire_saw WHERE "unit" = 'ws01' AND time >= ` + ns(day.From) + ` LIMIT 2`},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				if err := c.Query(b.Context(), influx.Query{Text: k.q}, func(influx.Row) error { n++; return nil }); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(n), "rows")
			}
		})
	}
}
