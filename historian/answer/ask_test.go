package answer_test

import (
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/answer"
	"kvarts/historian/kpi"
	"kvarts/historian/telemetry"
)

func TestFirst(t *testing.T) {
	c := factory.Embedded(t)
	factory.Fill(t, c, factory.Day(0, 2))
	now := factory.Begin().Add(40 * time.Hour)
	e := answer.New(c, func() telemetry.Instant { return now })
	begin := time.Now()
	a, err := e.Ask(t.Context(), answer.Question{Target: answer.Target{Level: answer.Plant}, Window: factory.Day(0, 2), By: answer.ByShift, Each: []answer.Level{answer.Line, answer.Unit}})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(begin))
	for i := range a.Rows {
		r := &a.Rows[i]
		t.Log(r.Subject, r.Part.Label, r.Part.Interval, r.Result.Get(kpi.OEE).Num.Float(), r.Result.Get(kpi.Coverage).Num.Float(), r.Err, r.Missing)
	}
	for _, f := range a.Findings {
		t.Log(f)
	}
}
