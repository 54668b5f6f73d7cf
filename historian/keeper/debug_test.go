package keeper

import (
	"context"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

func TestDebug(t *testing.T) {
	c := factory.Embedded(t)
	factory.Fill(t, c, factory.Day(0, 2))
	end := factory.Day(0, 2).To
	now := end.Add(3 * time.Hour)
	k := New(c, Options{Parallel: 1, Now: func() telemetry.Instant { return now }, Lookback: 4 * 24 * time.Hour})
	old := map[string]evidence.Slice{}
	k.write = func(ctx context.Context, c *influx.Client, all []evidence.Slice) error {
		for _, s := range all {
			key := s.Subject.String() + s.Interval.String()
			if was, ok := old[key]; ok {
				t.Log(key, was.Revision, s.Revision, was.Inputs, s.Inputs, was.Carry, s.Carry, was.Facts.Findings.Names(), s.Facts.Findings.Names(), was.Facts.Reasons, s.Facts.Reasons)
				for k := range ledger.NumFields {
					if !was.Facts.Get(k).Equal(s.Facts.Get(k)) {
						t.Log(k, was.Facts.Get(k), s.Facts.Get(k))
					}
				}
			}
			old[key] = s
		}
		return evidence.WriteSlices(ctx, c, all)
	}
	for range 2 {
		k.Cycle(t.Context())
		t.Log("cycle")
	}
}
