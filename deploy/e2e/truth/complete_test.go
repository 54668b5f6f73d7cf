package truth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/answer"
	"kvarts/historian/influx"
	"kvarts/historian/keeper"
	"kvarts/historian/telemetry"
)

// keep runs one round of the ledger at the present.
func (l *life) keep(t testing.TB, c *influx.Client) {
	t.Helper()
	k := keeper.New(c, keeper.Options{Now: l.Now, Lookback: l.Now().Sub(l.window.From) + 24*time.Hour})
	r, err := k.Cycle(context.Background())
	if err != nil || len(r.Failed) > 0 {
		t.Fatal(err, r.Failed)
	}
	if r.Written == 0 {
		t.Error("nothing was stored")
	}
}

// live lives through the window and writes all of it: up to the middle, where the ledger is kept, and the rest, of which some
// touches what was stored.
func (l *life) live(t testing.TB, c *influx.Client) {
	t.Helper()
	l.apply(t, c)
	l.advance(t, l.middle)
	l.flush(t, c)
	l.enterRecords(t, c, 0)
	n := len(l.records)
	l.keep(t, c)
	l.advance(t, l.window.To)
	l.flush(t, c)
	l.enterRecords(t, c, n)
}

// TestComplete: where everything was seen, the product says what the contract says, whether from raw data or from what is stored.
func TestComplete(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, seed, plan{before: time.Duration(seed%5) * 17 * time.Hour, lasts: 14*time.Hour + time.Duration(seed%4)*4*time.Hour})
			c := factory.Embedded(t)
			start := time.Now()
			l.live(t, c)
			t.Logf("lived and written: %s", time.Since(start))
			start = time.Now()
			a := l.newAsked(t, answer.New(c, func() telemetry.Instant { return l.Now() }))
			questions := l.questions()
			a.ask(t, questions, true)
			t.Logf("raw: %s, %d rows", time.Since(start), a.rows)
			start = time.Now()
			l.keep(t, c)
			t.Logf("keep: %s", time.Since(start))
			start = time.Now()
			a.ask(t, questions, false)
			t.Logf("stored: %s, %d rows", time.Since(start), a.rows)
		})
	}
}
