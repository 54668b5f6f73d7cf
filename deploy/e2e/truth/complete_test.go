package truth_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/answer"
	"kvarts/historian/influx"
	"kvarts/historian/keeper"
)

// keep runs one round of the ledger at the present. A counter of 32 bits that seems to begin anew, as its clock is wrong, counts
// more than a slice can hold (53 bits of ns): that slice fails, and is computed from raw data whenever it is asked for.
func (l *life) keep(t testing.TB, c *influx.Client) {
	t.Helper()
	skewed := slices.ContainsFunc(l.faults, func(f world.Fault) bool { return f.Kind == world.Skewed })
	k := keeper.New(c, keeper.Options{Now: l.Now, Lookback: l.Now().Sub(l.window.From) + 24*time.Hour})
	r, err := k.Cycle(context.Background())
	if err != nil || len(r.Failed) > 0 && !skewed {
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

// TestComplete: where everything was seen, the product says what the contract says, whether from raw data or from what is stored;
// and what it says of lots and their energy is what the simulator knows.
func TestComplete(t *testing.T) {
	var far distances
	var saw sights
	t.Run("lives", func(t *testing.T) {
		for seed := range seeds() {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				l := newLife(t, seed, plan{before: time.Duration(seed%5) * 17 * time.Hour, lasts: 13*time.Hour + time.Duration(seed%4)*3*time.Hour})
				c := factory.Embedded(t)
				l.live(t, c)
				a := l.newAsked(t, answer.New(c, l.Now))
				questions := l.questions()
				a.ask(t, questions, true)
				l.keep(t, c)
				a.ask(t, questions[:3], false) // meters are units like others
				l.enterBook(t, c)
				l.genealogy(t, a.engine, a.want[0], seed%2 == 0)
				l.conserved(t)
				far.add(t, l, a.want[0])
				saw.add(t, l, a.want[0])
				t.Logf("%d rows, %d lots, %d steps", a.rows, len(l.lots), len(l.steps))
			})
		}
	})
	far.report(t)
	saw.report(t)
}
