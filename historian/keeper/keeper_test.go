package keeper

import (
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/evidence"
	"kvarts/historian/telemetry"
)

func TestFirst(t *testing.T) {
	c := factory.Embedded(t)
	factory.Fill(t, c, factory.Day(0, 2))
	now := factory.Day(0, 2).To.Add(3 * time.Hour)
	k := New(c, Options{Now: func() telemetry.Instant { return now }, Lookback: 4 * 24 * time.Hour, Progress: func(p Progress) { t.Logf("%+v", p) }})
	for range 2 {
		begin := time.Now()
		r, err := k.Cycle(t.Context())
		t.Log(time.Since(begin), r, err)
		for _, id := range []string{"ws01", "L1"} {
			kind := evidence.Unit
			if id == "L1" {
				kind = evidence.Line
			}
			for _, grain := range []evidence.Grain{evidence.Hour, evidence.Day} {
				s, d, err := evidence.ReadSlices(t.Context(), c, evidence.Ask{Kind: kind, IDs: []string{id}, Grain: grain, Window: factory.Day(-3, 3)})
				t.Log(id, grain, len(s), d, err)
				for i := range s {
					t.Log(s[i].Interval, s[i].Revision)
				}
			}
		}
	}
}
