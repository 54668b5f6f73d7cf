package truth_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// faulty is how many faults of each kind one plant has.
const faulty = 3

// someFaults is what goes wrong in a life: sensors fail, networks are cut; in every second life values are also wrong, stuck or at
// a wrong time, of which no observer can know.
func someFaults(l *life) []world.Fault {
	var out []world.Fault
	during := func(least, most time.Duration) calendar.Interval {
		at := l.window.From.Add(time.Duration(l.rng.Int64N(int64(l.window.Duration()))))
		at -= at % 100 // nothing happens between
		return calendar.Interval{From: at, To: at.Add(least + time.Duration(l.rng.Int64N(int64(most-least)))/100*100)}
	}
	unit := func() *plant.Unit { return l.model.Units[l.rng.IntN(len(l.model.Units))] }
	for range faulty {
		u := unit()
		out = append(out, world.Fault{Kind: world.Silent, Unit: u.ID, Interval: during(3*time.Second, 40*time.Minute)})
		for _, kind := range []world.FaultKind{world.Failed, world.Unsure} {
			u, s := l.roleOf(unit())
			out = append(out, world.Fault{Kind: kind, Unit: u.ID, Signal: s.Name, Interval: during(time.Minute, 90*time.Minute)})
		}
		if l.seed%2 == 0 {
			continue
		}
		u, s := l.roleOf(unit())
		out = append(out, world.Fault{Kind: world.Stuck, Unit: u.ID, Signal: s.Name, Interval: during(time.Minute, 90*time.Minute)})
		skew := time.Duration(l.rng.Int64N(int64(4*time.Minute))).Truncate(time.Millisecond) - 2*time.Minute
		out = append(out, world.Fault{Kind: world.Skewed, Unit: unit().ID, Interval: during(time.Minute, 3*time.Hour), Skew: skew})
	}
	cut := during(time.Minute, time.Hour) // the network of one server: all its units
	server := unit().Server
	for _, u := range l.model.Units {
		if u.Server == server {
			out = append(out, world.Fault{Kind: world.Silent, Unit: u.ID, Interval: cut})
		}
	}
	return out
}

// roleOf is a signal of a unit that answers rest on.
func (l *life) roleOf(u *plant.Unit) (*plant.Unit, *plant.Signal) {
	var all []*plant.Signal
	for i := range u.Class.Signals {
		if s := &u.Class.Signals[i]; hasRole(u.Class, s) {
			all = append(all, s)
		}
	}
	return u, all[l.rng.IntN(len(all))]
}

// gaps adds what a collector writes into the loss ledger of faults that it notices: of its connections.
func (l *life) gaps(t testing.TB) {
	t.Helper()
	for i := range l.faults {
		f := &l.faults[i]
		if f.Kind != world.Silent {
			continue
		}
		u, _ := l.model.Unit(f.Unit)
		g := telemetry.Gap{Server: u.Server, Series: string(l.out.series[u.ID].Key()), From: f.From, To: f.To - 1, Cause: telemetry.CauseSession, Count: -1, Detail: "cut"}
		var err error
		if l.out.lines, err = g.AppendLine(l.out.lines); err != nil {
			t.Fatal(err)
		}
		l.out.n++
	}
}

// units are those whose facts a row rests on.
func (l *life) units(s answer.Subject) []string {
	var out []string
	switch s.Level {
	case answer.Unit:
		return []string{s.ID}
	case answer.Line:
		line, _ := l.model.Line(s.ID)
		for _, step := range line.Steps {
			out = append(out, step.Units...)
		}
	default:
		for _, u := range l.model.Units {
			if produces(u) {
				out = append(out, u.ID)
			}
		}
	}
	return out
}

// bounded says that the contract bounds what is not known of a row: that it is missing, and not wrong, and that no border of the
// row's time cuts what was counted over a time in which something went wrong. A share of such a quantity is an estimate.
func (a *asked) bounded(s answer.Subject, w calendar.Interval) bool {
	for _, id := range a.units(s) {
		for i := range a.faults {
			if f := &a.faults[i]; f.Unit == id && a.misleads(f) {
				return false
			}
		}
		if s.Level == answer.Line && a.sharesScrap(id) {
			return false
		}
		for _, border := range []telemetry.Instant{w.From, w.To} {
			for _, v := range a.cut(id, border) {
				if slices.ContainsFunc(a.faults, func(f world.Fault) bool { return f.Unit == id && !f.Meet(v).Empty() }) {
					return false
				}
			}
		}
	}
	return true
}

// sharesScrap says that scrap was reported later of a time in which something went wrong: how much of it belongs to the line's time
// and how much to other time of the unit is an estimate.
func (a *asked) sharesScrap(id string) bool {
	u, _ := a.clear.Unit(id)
	return slices.ContainsFunc(u.ScrapReports, func(r contract.ScrapReport) bool {
		return slices.ContainsFunc(a.faults, func(f world.Fault) bool { return f.Unit == id && !f.Meet(r.Made).Empty() })
	})
}

// misleads says that what is seen because of a fault is not so: a value that stands, a time that is off, a counter of whole batches
// that tells late of one that has ended, as if it had been made until then.
func (a *asked) misleads(f *world.Fault) bool {
	if f.Kind == world.Stuck || f.Kind == world.Skewed {
		return true
	}
	u, _ := a.model.Unit(f.Unit)
	total := u.Class.Total
	if total == nil || total.Reporting != plant.PerBatch || f.Signal != "" && f.Signal != total.Name {
		return false
	}
	clear, _ := a.clear.Unit(f.Unit)
	return slices.ContainsFunc(clear.Total.Readings, func(r contract.Reading) bool { return f.Holds(r.At) })
}

// cut are the times over which something of a unit was counted, or found bad, that hold a border; none at the ends of the record.
func (a *asked) cut(id string, border telemetry.Instant) []calendar.Interval {
	if border <= a.window.From || border >= a.window.To {
		return nil
	}
	u, _ := a.clear.Unit(id)
	var out []calendar.Interval
	for _, c := range []*contract.Counter{u.Total, u.Good, u.Scrap, u.Energy} {
		if c == nil {
			continue
		}
		v := a.window
		for _, r := range c.Readings {
			if !r.Bad && r.At <= border {
				v.From = max(v.From, r.At)
			}
			if !r.Bad && r.At >= border {
				v.To = min(v.To, r.At)
			}
		}
		if !v.Empty() {
			out = append(out, v)
		}
	}
	for _, r := range u.ScrapReports { // shared out by what was made at each moment
		if r.Made.Holds(border) {
			out = append(out, r.Made)
		}
	}
	return out
}

// outOfBounds says in words where a product's bounds exclude what is true. An undisturbed observer may not know all either (a
// window begins before the record, a power reading does not hold to the next): then its bounds must lie in the product's.
func (a *asked) outOfBounds(s answer.Subject, product, clear *contract.Answer, cuts contract.Cuts) []string {
	if p, ok := clear.Numbers["P"]; ok && p.Cmp(exact.Int(1)) > 0 || product.Reason == "no_ideal" {
		return nil // bounds rest on ideals, and on no piece that takes less
	}
	least, most := bound(clear, "low"), bound(clear, "high")
	if x := clear.Numbers["PBT_s"]; s.Level == answer.Line && x.Sign() > 0 { // what is not counted of a line is made at its pace, an estimate
		shift(most.Numbers, contract.KeyOEE, clear.Numbers["UNCOUNTED_s"].Quo(x).Neg())
	}
	// Time of which nobody saw that it was planned not to be used counts as if it should have been used.
	if p, ok := product.Numbers["PBT_s"]; ok && p.Sign() > 0 {
		part := clear.Numbers["PBT_s"].Quo(p)
		scale(least.Numbers, contract.KeyOEE, part)
		scale(most.Numbers, contract.KeyOEE, part)
	}
	for i := range a.faults {
		u, _ := a.clear.Unit(a.faults[i].Unit)
		x, ok := clear.Numbers["PBT_s"]
		if !slices.Contains(a.units(s), u.ID) {
			continue
		}
		// Where a register was not read its power stands in, which sensors measure to a thousandth.
		if u.Power != nil {
			shift(most.Numbers, contract.KeyEkWh, clear.Numbers[contract.KeyEkWh].Quo(exact.Int(-1000)))
			shift(least.Numbers, contract.KeyEkWh, clear.Numbers[contract.KeyEkWh].Quo(exact.Int(1000)))
		}
		if !ok || x.Sign() <= 0 {
			continue
		}
		// Progress is shown in steps: what was made before and after what was not seen is known to a step.
		shift(most.Numbers, contract.KeyOEE, a.step(u).Quo(x).Neg())
		shift(least.Numbers, contract.KeyOEE, a.step(u).Quo(x))
		// A stop of which not all was seen cannot be called minor: then it costs availability.
		shift(most.Numbers, "A", u.MinorStop.Quo(x).Neg())
		// What was counted over it was perhaps made before or after it, faster: then less was made in it than an even share.
		shift(least.Numbers, "A", a.around(u).Quo(x))
	}
	below := slices.DeleteFunc(truth.Within(product, &least, cuts), func(d string) bool { return !strings.Contains(d, "below") })
	above := slices.DeleteFunc(truth.Within(product, &most, cuts), func(d string) bool { return !strings.Contains(d, "above") })
	return append(below, above...)
}

// around is at most how long, in seconds, what was counted over a fault took besides: from the reading before to that after it,
// and a piece that was begun before.
func (a *asked) around(u *contract.Unit) exact.Num {
	unit, _ := a.model.Unit(u.ID)
	var ideal exact.Num
	for i := range u.Ideals {
		ideal = exact.Max(ideal, u.Ideals[i].Seconds)
	}
	every := max(beat, cadences[a.seed%uint64(len(cadences))][0])
	if unit.Class.Total != nil && unit.Class.Total.Reporting == plant.PerBatch {
		every = a.window.Duration()
	}
	return exact.Int(2 * int64(every/time.Second)).Add(ideal.Mul(exact.Int(2)))
}

// steps is how finely the simulated sensors show their range: as converters of 14 bits do.
const steps = 1 << 14

// step is what one step of a unit's progress is worth, in ideal seconds; 0 where it has none.
func (a *asked) step(u *contract.Unit) exact.Num {
	unit, _ := a.model.Unit(u.ID)
	p := unit.Class.Progress
	if p == nil || p.Range == nil {
		return exact.Num{}
	}
	quantity, _ := unit.BatchQuantity("").At(a.window.From)
	full, _ := unit.Class.ProgressFull.At(a.window.From)
	var ideal exact.Num
	for i := range u.Ideals {
		ideal = exact.Max(ideal, u.Ideals[i].Seconds)
	}
	return p.Range.High.Sub(p.Range.Low).Quo(exact.Int(steps)).Mul(quantity).Quo(full).Mul(ideal)
}

// shift adds to a number where there is one.
func shift(numbers map[string]exact.Num, key string, by exact.Num) {
	if x, ok := numbers[key]; ok {
		numbers[key] = x.Add(by)
	}
}

// scale multiplies a number where there is one.
func scale(numbers map[string]exact.Num, key string, by exact.Num) {
	if x, ok := numbers[key]; ok {
		numbers[key] = x.Mul(by)
	}
}

// bound is an answer with its own lower, or upper, bounds in the place of what is bounded.
func bound(a *contract.Answer, side string) contract.Answer {
	out := *a
	out.Numbers = maps.Clone(a.Numbers)
	for key, of := range map[string]string{"A": "A_" + side, contract.KeyOEE: "OEE_" + side, contract.KeyEkWh: "E_" + side + "_kwh"} {
		if x, ok := a.Numbers[of]; ok {
			out.Numbers[key] = x
		} else {
			delete(out.Numbers, key)
		}
	}
	return out
}

// TestFaults: where something was not seen, or seen wrong, the product says what the contract says of what was seen; where it was
// not seen, its bounds hold what an undisturbed observer knows.
func TestFaults(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, 100+seed, plan{before: time.Duration(seed%3) * 20 * time.Hour, lasts: 9*time.Hour + time.Duration(seed%3)*time.Hour, faults: someFaults})
			c := factory.Embedded(t)
			l.apply(t, c)
			l.advance(t, l.window.To)
			l.gaps(t)
			l.flush(t, c)
			l.enterRecords(t, c, 0)
			a := l.newAsked(t, answer.New(c, func() telemetry.Instant { return l.Now() }))
			var err error
			if a.clear, err = l.clear.Answers(l.Now()); err != nil {
				t.Fatal(err)
			}
			questions := l.questions()
			raw := seed%3 != 0
			if !raw {
				l.keep(t, c)
			}
			a.ask(t, questions, raw)
			t.Logf("%d rows, of %d of them bounds were held against the truth", a.rows, a.held)
			if t.Failed() {
				for _, f := range l.faults {
					t.Logf("%s %s %s %s skew %s", f.Kind, f.Unit, f.Signal, f.Interval, f.Skew)
				}
			}
		})
	}
}
