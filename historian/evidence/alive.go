package evidence

import (
	"strconv"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// aliveMeasurement holds the proofs of life of units, which the collector writes.
const aliveMeasurement = "alive"

// beat is the grid of the proofs of life. A proof at t covers the interval of this length that ends at t.
const beat = 10 * time.Second

// lifeline is when a unit was demonstrably seen, as far as have. The proofs of a day are as many as the readings of a counter
// and nearly all the same, so that the store is asked only where they are further apart than the grid.
//
//	proofs     ·  ·  ·  ·           ·  ·  ·
//	first      ·                              rows of the answer
//	elapsed                         ·         (30 s: more than the grid)
//	last                                  ·
//	seen    [───────────)        [────────)
type lifeline struct {
	have   calendar.Interval // of which the proofs were read
	first  bool              // there is no proof before have
	seen   calendar.Set
	proofs int // runs of proofs without a hole that were read
}

// provenLife is the condition of a proof.
const provenLife = ` FROM ` + aliveMeasurement + ` WHERE "unit" = $unit AND alive = true`

// reach asks for what is missing of v, and of what lies between v and what there is.
func (l *lifeline) reach(a *ask, v calendar.Interval) {
	missing := []calendar.Interval{v}
	if !l.have.Empty() {
		missing = []calendar.Interval{{From: v.From, To: l.have.From}, {From: l.have.To, To: v.To}}
	}
	for _, m := range missing {
		if !m.Empty() {
			l.ask(a, m)
		}
	}
	l.have = hull(l.have, v)
}

// ask asks for the proofs at times in v. Proofs may arrive between the statements: the ends are asked for first, so that no
// time between them lacks what is asked last.
func (l *lifeline) ask(a *ask, v calendar.Interval) {
	part := provenLife + during(v)
	var ends []telemetry.Instant  // last, first
	var holes []calendar.Interval // from one proof to the next, where that is further than the grid
	end := func(r *influx.Row) error {
		t, _ := r.Time()
		ends = append(ends, t)
		return nil
	}
	a.add("SELECT last(alive)"+part, end, nil)
	a.add("SELECT first(alive)"+part, end, nil)
	a.add("SELECT gap FROM (SELECT elapsed(alive) AS gap"+part+") WHERE gap > "+strconv.FormatInt(int64(beat), 10), func(r *influx.Row) error {
		t, _ := r.Time()
		gap, _ := r.Values[1].Int()
		holes = append(holes, calendar.Interval{From: t.Add(-time.Duration(gap)), To: t.Add(-beat)})
		return nil
	}, func() {
		if len(ends) < 2 {
			return
		}
		seen := calendar.NewSet(calendar.Interval{From: ends[1].Add(-beat), To: ends[0]}).Minus(calendar.NewSet(holes...))
		l.proofs += len(seen)
		l.seen = l.seen.Union(seen)
	})
}

// back asks for the last proof before what was read.
func (l *lifeline) back(a *ask) {
	if l.first {
		return
	}
	found := false
	a.add("SELECT last(alive)"+provenLife+during(calendar.Interval{From: beginning, To: l.have.From}), func(r *influx.Row) error {
		t, _ := r.Time()
		found = true
		l.seen = l.seen.Union(calendar.NewSet(calendar.Interval{From: t.Add(-beat), To: t}))
		l.have.From = t
		return nil
	}, func() { l.first = l.first || !found })
}

// before is the begin of the last interval of the grid that was proven before t, as far as was read.
func (l *lifeline) before(t telemetry.Instant) (begin telemetry.Instant, ok bool) {
	for i := len(l.seen) - 1; i >= 0; i-- {
		if v := l.seen[i]; v.From < t {
			return max(v.From, min(v.To, t).Add(-2*beat)), true // the grid may be cut by t: then the interval before
		}
	}
	return 0, false
}
