package truth_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/influx"
	"kvarts/historian/purity"
	"kvarts/historian/telemetry"
)

// masses are the standard atomic weights (IUPAC 2007, as historian/purity has them) of what the simulated laboratory looks for by atoms.
var masses = map[string]*big.Rat{"B": big.NewRat(10811, 1000), "P": big.NewRat(30973762, 1_000_000), "Al": big.NewRat(269815386, 10_000_000), "As": big.NewRat(7492160, 100_000)}

// perTrillion is a decimal of a unit in parts per trillion by mass: ppta·M/28.0855 = pptw.
func perTrillion(t testing.TB, text, unit, element string) *big.Rat {
	t.Helper()
	if text == "" {
		return new(big.Rat)
	}
	x, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	switch unit {
	case "pptw":
		return x
	case "ppbw":
		return times(x, big.NewRat(1000, 1))
	case "ppba":
		m, ok := masses[element]
		if !ok {
			t.Fatalf("no weight of %s", element)
		}
		return times(times(x, big.NewRat(1000, 1)), over(m, big.NewRat(280855, 10000)))
	default:
		t.Fatalf("unit %q", unit)
		return nil
	}
}

// demonstrated is what results show of a lot, as known at a moment: the sum of all impurities and the nines that it allows.
func (l *life) demonstrated(t testing.TB, lot string, asof telemetry.Instant) (low, high *big.Rat, nines int) {
	t.Helper()
	best := map[string]*world.LabResult{}
	for i := range l.results {
		r := &l.results[i]
		if r.it.Lot != lot || r.at > asof || r.it.ApprovedAt.After(asof.Time()) {
			continue
		}
		key := r.it.Sample + r.it.Method + r.it.Element
		if best[key] == nil || best[key].Revision < r.it.Revision {
			best[key] = &r.it
		}
	}
	low, high = new(big.Rat), new(big.Rat)
	for _, r := range best {
		if r.Censored == "<" {
			high.Add(high, perTrillion(t, r.LOD, r.Unit, r.Element))
			continue
		}
		v, u := perTrillion(t, r.Value, r.Unit, r.Element), perTrillion(t, r.U, r.Unit, r.Element)
		if d := new(big.Rat).Sub(v, u); d.Sign() > 0 {
			low.Add(low, d)
		}
		high.Add(high, new(big.Rat).Add(v, u))
	}
	if len(best) == 0 {
		return low, high, 0
	}
	for limit := big.NewRat(1_000_000_000_000, 10); high.Cmp(limit) <= 0; limit = over(limit, big.NewRat(10, 1)) {
		nines++
	}
	return low, high, nines
}

// graded compares what the product says of all lots that have results, before and after each of them became known.
func (l *life) graded(t *testing.T, c *influx.Client) (answers, revised int) {
	t.Helper()
	moments := map[string][]telemetry.Instant{}
	for i := range l.results {
		r := &l.results[i]
		if r.it.Revision > 1 {
			revised++
		}
		moments[r.it.Lot] = append(moments[r.it.Lot], r.at-1000, r.at)
	}
	for lot, asked := range moments {
		s := purity.Subject{Lot: lot}
		results, err := purity.ReadSubject(context.Background(), c, s)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(asked)
		for _, asof := range append(slices.Compact(asked), l.Now()) {
			answers++
			a, err := purity.Assess(s, results, purity.DefaultPolicy(), asof)
			if err != nil {
				t.Fatal(err)
			}
			low, high, nines := l.demonstrated(t, lot, asof)
			if !a.Sum.Low.Equal(number(low)) || !a.Sum.High.Equal(number(high)) || int(a.Grade) != nines {
				t.Errorf("lot %s as known at %s: Σ %s to %s ppt, %dN; the product says %s to %s, %s", lot, asof,
					low.FloatString(6), high.FloatString(6), nines, a.Sum.Low, a.Sum.High, a.Grade)
			}
			if f, _ := high.Float64(); f > 0 && (a.Sum.NLow == nil || math.Abs(*a.Sum.NLow-(12-math.Log10(f))) > 1e-9) {
				t.Errorf("lot %s as known at %s: N is at least %.9f, the product says %v", lot, asof, 12-math.Log10(f), a.Sum.NLow)
			}
			if f, _ := low.Float64(); f > 0 && (a.Sum.NHigh == nil || math.Abs(*a.Sum.NHigh-(12-math.Log10(f))) > 1e-9) {
				t.Errorf("lot %s as known at %s: N is at most %.9f, the product says %v", lot, asof, 12-math.Log10(f), a.Sum.NHigh)
			}
		}
	}
	return answers, revised
}

// TestPurity: what the product says of the purity of each lot is what the laboratory found, at any time that is asked about. Results
// come a day late and revisions days later: these plants live longer, and nobody looks at their machines.
func TestPurity(t *testing.T) {
	answers, revised := 0, 0
	for seed := range seeds() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			l := newLife(t, 200+seed, plan{before: 8 * 24 * time.Hour, lasts: time.Second})
			c := factory.Embedded(t)
			l.enterResults(t, c)
			n, m := l.graded(t, c)
			if n == 0 {
				t.Error("the laboratory found nothing")
			}
			answers, revised = answers+n, revised+m
		})
	}
	t.Logf("%d answers, %d late revisions", answers, revised)
	if revised == 0 && !someSeeds() {
		t.Error("no result was revised")
	}
}
