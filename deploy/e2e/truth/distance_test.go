package truth_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
)

// distances are how far the contract's answers are from what happened, by class of unit.
type distances struct {
	mu  sync.Mutex
	oee map[string][]float64 // contract less truth
	kWh map[string][]float64 // relative
}

// add adds those of a life.
func (d *distances) add(t testing.TB, l *life, want *truth.Answers) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.oee == nil {
		d.oee, d.kWh = map[string][]float64{}, map[string][]float64{}
	}
	for _, u := range l.Units() {
		record, _ := want.Unit(u.ID)
		answer, err := want.Answer(truth.UnitQuery(u.ID, l.window))
		if err != nil {
			t.Fatal(err)
		}
		c := truth.Integrate(record, u.Segments(), l.window)
		c.KWh = u.EnergyNow() - l.kWh[u.ID] // with all that a meter measures
		x := truth.NewDistance(u.ID, l.window, &answer, &c)
		class := u.Class.Name
		if delta, ok := x.OEE.Delta(); ok {
			d.oee[class] = append(d.oee[class], delta)
			if most := 0.005 + 2*longest(record).Seconds()/l.window.Duration().Seconds(); math.Abs(delta) > most {
				t.Errorf("OEE of %s: %+.5f from the continuous truth, more than %.5f", u.ID, delta, most)
			}
		}
		covered, known := answer.Numbers["E_coverage"]
		if delta, ok := x.KWh.Delta(); ok && known && covered.Float() > 0.99 && c.KWh > 0 {
			d.kWh[class] = append(d.kWh[class], delta/c.KWh)
		}
	}
}

// longest is the longest time between two different readings of the unit's pieces. What was begun before the window and counted
// in it, or begun in it and not counted yet, is at most so much at each end.
func longest(u *contract.Unit) time.Duration {
	var most time.Duration
	for _, c := range []*contract.Counter{u.Total, u.Good} {
		if c == nil || len(c.Readings) == 0 {
			continue
		}
		last := c.Readings[0]
		for _, r := range c.Readings {
			if !r.Value.Equal(last.Value) {
				most, last = max(most, r.At.Sub(last.At)), r
			}
		}
	}
	return most
}

// report tells the median and the worst of each class, and whether the medians are believable.
func (d *distances) report(t *testing.T) {
	t.Helper()
	var b strings.Builder
	line := func(what, class string, all []float64, most float64) {
		slices.SortFunc(all, func(x, y float64) int { return int(math.Copysign(1, math.Abs(x)-math.Abs(y))) })
		median, worst := math.Abs(all[len(all)/2]), all[len(all)-1]
		fmt.Fprintf(&b, "\n%-18s %-4s n %3d  median |Δ| %.5f  worst %+.5f", class, what, len(all), median, worst)
		if median > most {
			t.Errorf("%s of %s: the median distance from the continuous truth is %.5f, more than %.3f", what, class, median, most)
		}
	}
	for _, of := range []struct {
		what string
		all  map[string][]float64
		most float64
	}{
		{contract.KeyOEE, d.oee, 0.1}, // a furnace taps each two hours, and the shortest window has 13
		{"kWh", d.kWh, 0.001},
	} {
		classes := make([]string, 0, len(of.all))
		for class := range of.all {
			classes = append(classes, class)
		}
		slices.Sort(classes)
		for _, class := range classes {
			line(of.what, class, of.all[class], of.most)
		}
	}
	t.Log("the contract's answer less the continuous truth, by class:", b.String())
}
