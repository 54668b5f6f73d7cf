package conform

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// sameAnswer fails when two answers differ in any key.
func sameAnswer(t *rapid.T, what string, got, want Answer) {
	t.Helper()
	if diff := cmp.Diff(want.Rows(), got.Rows()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// TestChunks: the facts of a window are those of its parts, field by field, wherever it is cut.
func TestChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newSource(t)
		v := mustParse(t, g.vector())
		from, to := g.interval(1)
		w := calendar.Interval{From: tickTime(from), To: tickTime(to)}
		var borders []telemetry.Instant
		for range g.between(1, 6) {
			borders = append(borders, w.From+telemetry.Instant(g.Int64N(int64(w.Duration()))))
		}
		borders = append(borders, w.From, w.To)
		slices.Sort(borders)
		for i := range v.Units {
			unit, err := ledger.New(v.Units[i].input(v.Now))
			if err != nil {
				t.Fatal(err)
			}
			var sum ledger.Facts
			for k := range borders[1:] {
				f := unit.Facts(calendar.Interval{From: borders[k], To: borders[k+1]})
				sum.Add(&f)
			}
			whole := unit.Facts(w)
			for k := ledger.Field(0); k < ledger.NumFields; k++ {
				if !sum.Get(k).Equal(whole.Get(k)) {
					t.Errorf("unit %s: %s: %s in parts, %s whole", v.Units[i].ID, k, sum.Get(k), whole.Get(k))
				}
			}
			if sum.Findings != whole.Findings {
				t.Errorf("unit %s: findings %b in parts, %b whole", v.Units[i].ID, sum.Findings, whole.Findings)
			}
		}
	})
}

// TestAsOf: an answer as of a moment is the answer of a file that ends there.
func TestAsOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := mustParse(t, newSource(t).vector())
		for i, q := range v.Queries {
			known := *v
			known.Now = min(v.Now, q.AsOf)
			known.Units = nil
			for _, u := range v.Units {
				known.Units = append(known.Units, u.until(known.Now))
			}
			known.Queries = slices.Clone(v.Queries)
			known.Queries[i].AsOf = endOfTime
			sameAnswer(t, "query "+q.Name, mustAnswer(t, &known, i), mustAnswer(t, v, i))
		}
	})
}

// until is what a file written at a moment would hold of u.
func (u Unit) until(now telemetry.Instant) Unit {
	u.States = slices.DeleteFunc(slices.Clone(u.States), func(s State) bool { return s.At > now })
	counters := []**Counter{&u.Total, &u.Good, &u.Scrap, &u.Energy}
	for _, c := range counters {
		if *c == nil {
			continue
		}
		shorter := **c
		shorter.Readings = slices.DeleteFunc(slices.Clone(shorter.Readings), func(r Reading) bool { return r.At > now || r.KnownAt > now })
		shorter.Swaps = slices.DeleteFunc(slices.Clone(shorter.Swaps), func(s ledger.Swap) bool { return s.At > now })
		*c = &shorter
	}
	u.Booked = slices.DeleteFunc(slices.Clone(u.Booked), func(b Booking) bool { return b.ReportedAt > now })
	u.ScrapReports = slices.DeleteFunc(slices.Clone(u.ScrapReports), func(s ScrapReport) bool { return s.ReportedAt > now })
	if u.Power != nil {
		shorter := *u.Power
		shorter.Readings = slices.DeleteFunc(slices.Clone(shorter.Readings), func(r PowerReading) bool { return r.At > now })
		u.Power = &shorter
	}
	return u
}

// shuffled is entries in a random order in which those of one moment keep theirs.
func shuffled[T any](r *rand.Rand, entries []T, when func(T) telemetry.Instant) []T {
	places := map[telemetry.Instant][]int{}
	order := r.Perm(len(entries))
	for place, i := range order {
		places[when(entries[i])] = append(places[when(entries[i])], place)
	}
	out := make([]T, len(entries))
	for _, e := range entries {
		at := places[when(e)]
		out[at[0]] = e
		places[when(e)] = at[1:]
	}
	return out
}

// TestOrder: the order of a file's lists does not matter, but between entries of one moment.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newSource(t)
		v := mustParse(t, g.vector())
		other := *v
		other.Units = nil
		for _, u := range v.Units {
			u.Shifts = shuffled(g.Rand, u.Shifts, func(v calendar.Interval) telemetry.Instant { return v.From })
			u.PlannedStops = shuffled(g.Rand, u.PlannedStops, func(v calendar.Interval) telemetry.Instant { return v.From })
			u.Alive = shuffled(g.Rand, u.Alive, func(v calendar.Interval) telemetry.Instant { return v.From })
			u.States = shuffled(g.Rand, u.States, func(s State) telemetry.Instant { return s.At })
			u.Ideals = shuffled(g.Rand, u.Ideals, func(d Ideal) telemetry.Instant { return d.From })
			slices.Reverse(u.Booked)
			slices.Reverse(u.ScrapReports)
			for _, c := range []**Counter{&u.Total, &u.Good, &u.Scrap, &u.Energy} {
				if *c != nil {
					mixed := **c
					mixed.Readings = shuffled(g.Rand, mixed.Readings, func(r Reading) telemetry.Instant { return r.At })
					mixed.Swaps = shuffled(g.Rand, mixed.Swaps, func(s ledger.Swap) telemetry.Instant { return s.At })
					*c = &mixed
				}
			}
			if u.Power != nil {
				mixed := *u.Power
				mixed.Readings = shuffled(g.Rand, mixed.Readings, func(r PowerReading) telemetry.Instant { return r.At })
				u.Power = &mixed
			}
			other.Units = append(other.Units, u)
		}
		g.Shuffle(len(other.Units), func(i, j int) { other.Units[i], other.Units[j] = other.Units[j], other.Units[i] })
		for i, q := range v.Queries {
			sameAnswer(t, "query "+q.Name, mustAnswer(t, &other, i), mustAnswer(t, v, i))
		}
	})
}

// TestPlant: the plant's sums are its units'.
func TestPlant(t *testing.T) {
	sums := []string{"PBT_s", "APT_s", "SETUP_s", "STOP_s", "IDLE_s", "UNKNOWN_s", "PLANNED_s", "UNCOUNTED_s", "PQ", "GQ", "E_kwh", "E_low_kwh"}
	rapid.Check(t, func(t *rapid.T) {
		v := mustParse(t, newSource(t).vector())
		q := v.Queries[0]
		q.Line, q.Units = "", nil
		v.Queries = nil
		for _, u := range v.Units {
			one := q
			one.Units = []string{u.ID}
			v.Queries = append(v.Queries, one)
			q.Units = append(q.Units, u.ID)
		}
		plant := len(v.Queries)
		v.Queries = append(v.Queries, q)
		want := map[string]kpi.Value{}
		for _, key := range sums {
			want[key] = kpi.Value{Null: true}
		}
		for i := range v.Units {
			a := mustAnswer(t, v, i)
			for _, key := range sums {
				if x := a.Numbers[key]; !x.Null {
					want[key] = kpi.Value{Num: want[key].Num.Add(x.Num)}
				}
			}
		}
		got := mustAnswer(t, v, plant)
		for _, key := range sums {
			if !got.Numbers[key].Equal(want[key]) {
				t.Errorf("%s: the plant's %s, the units' %s", key, got.Numbers[key], want[key])
			}
		}
	})
}

// TestForgetting: whatever is not known any more, coverage does not rise.
func TestForgetting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newSource(t)
		v := mustParse(t, g.vector())
		less := *v
		less.Units = slices.Clone(v.Units)
		u := &less.Units[g.IntN(len(less.Units))]
		what := g.forget(u)
		for i, q := range v.Queries {
			if q.Line != "" {
				continue // its planned time is of all units, its unknown time of the last one only: they need not move together
			}
			before, after := mustAnswer(t, v, i), mustAnswer(t, &less, i)
			keys := []string{"coverage", "count_coverage", "E_coverage"}
			if what == "state" || what == "alive" {
				keys = []string{"coverage", "E_coverage"} // less run time is known: its share that is counted may be any
			}
			for _, key := range keys {
				a, b := before.Numbers[key], after.Numbers[key]
				if !a.Null && !b.Null && b.Num.Cmp(a.Num) > 0 {
					t.Errorf("query %s without some %s: %s rises from %s to %s", q.Name, what, key, a, b)
				}
			}
		}
	})
}

// forget takes something away that u knew, and says what.
func (g source) forget(u *Unit) string {
	counters := []**Counter{&u.Total, &u.Good, &u.Scrap, &u.Energy}
	which := counters[g.IntN(len(counters))]
	switch g.IntN(5) {
	case 0:
		from, to := g.interval(1)
		gap := calendar.NewSet(calendar.Interval{From: tickTime(from), To: tickTime(to)})
		alive := calendar.NewSet(calendar.Interval{From: beginOfTime, To: endOfTime})
		if !u.AlwaysAlive {
			alive = calendar.NewSet(u.Alive...)
		}
		u.AlwaysAlive, u.Alive = false, alive.Minus(gap)
		return "alive"
	case 1:
		u.States = slices.Clone(u.States)
		if len(u.States) > 0 {
			u.States[g.IntN(len(u.States))].Good = false
		}
		return "state"
	case 2:
		if *which != nil && len((*which).Readings) > 0 {
			c := **which
			i := g.IntN(len(c.Readings))
			c.Readings = slices.Delete(slices.Clone(c.Readings), i, i+1)
			*which = &c
		}
		return "reading"
	case 3:
		if len(u.Booked) > 1 { // without any, no piece is counted, which is another question
			u.Booked = u.Booked[1:]
		}
		return "booking"
	default:
		if u.Power != nil {
			p := *u.Power
			i := slices.IndexFunc(p.Readings, func(r PowerReading) bool { return r.Good })
			if i >= 0 {
				p.Readings = slices.Delete(slices.Clone(p.Readings), i, i+1)
			}
			u.Power = &p
		}
		return "power"
	}
}

// TestBounds: a machine that makes pieces only while it runs, at most at the ideal, is recorded in full and again by a
// collector that was away for a while: the truth lies within the bounds.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newSource(t)
		full := Unit{ID: "U", AlwaysAlive: true, Ideals: []Ideal{{From: always, Product: "A", Seconds: exact.Frac(1, 2)}}, Total: &Counter{}, Good: &Counter{}}
		state, total, good := ledger.Run, 0, 0
		for tick := 0; tick <= g.last; tick++ {
			full.Total.Readings = append(full.Total.Readings, readingAt(tick, total))
			full.Good.Readings = append(full.Good.Readings, readingAt(tick, good))
			if g.chance(40) {
				state = []ledger.Category{ledger.Run, ledger.Stop, ledger.Setup, ledger.Idle}[g.IntN(4)]
			}
			full.States = append(full.States, State{At: tickTime(tick), Code: strconv.Itoa(int(state)), Category: state, Mapped: true, Good: true})
			if state == ledger.Run {
				made := g.upTo(2)
				total += made
				good += g.upTo(made)
			}
		}
		from, to := g.interval(1)
		seen := full.unseen(from, to, g.last)
		v := &Vector{ID: "V", Now: tickTime(g.last), Units: []Unit{full}}
		a, b := g.interval(1)
		if a > from && a < to {
			a = from // of a delta over the gap nobody knows which part was made when
		}
		if b > from && b < to {
			b = to
		}
		v.Queries = []Query{{Name: "q", Units: []string{"U"}, Window: calendar.Interval{From: tickTime(a), To: tickTime(b)}, AsOf: endOfTime}}
		dark := *v
		dark.Units = []Unit{seen}
		truth, known := mustAnswer(t, v, 0), mustAnswer(t, &dark, 0)
		for _, key := range []string{"A", "OEE"} {
			x, low, high := truth.Numbers[key], known.Numbers[key+"_low"], known.Numbers[key+"_high"]
			if x.Null || low.Null || high.Null || x.Num.Cmp(low.Num) < 0 || x.Num.Cmp(high.Num) > 0 {
				t.Errorf("%s: the truth is %s, the bounds are %s and %s", key, x, low, high)
			}
		}
		if known.Numbers["coverage"].Num.Cmp(truth.Numbers["coverage"].Num) > 0 {
			t.Errorf("coverage rises to %s", known.Numbers["coverage"])
		}
	})
}

func readingAt(tick, value int) Reading {
	return Reading{At: tickTime(tick), KnownAt: tickTime(tick), Value: exact.Int(int64(value)), Good: true}
}

// unseen is u recorded by a collector that is away from one tick to another and reads everything when it is back.
func (u Unit) unseen(from, to, last int) Unit {
	gone := func(t telemetry.Instant) bool { return t > tickTime(from) && t < tickTime(to) }
	u.AlwaysAlive = false
	u.Alive = []calendar.Interval{{From: tickTime(0), To: tickTime(from)}, {From: tickTime(to), To: tickTime(last)}}
	u.States = slices.DeleteFunc(slices.Clone(u.States), func(s State) bool { return gone(s.At) })
	total, good := *u.Total, *u.Good
	total.Readings = slices.DeleteFunc(slices.Clone(total.Readings), func(r Reading) bool { return gone(r.At) })
	good.Readings = slices.DeleteFunc(slices.Clone(good.Readings), func(r Reading) bool { return gone(r.At) })
	u.Total, u.Good = &total, &good
	return u
}
