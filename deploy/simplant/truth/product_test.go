package truth_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/truth/product"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/kpi"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// productSays is the product's answer to q.
func (x *trial) productSays(t testing.TB, c *influx.Client, q contract.Query) contract.Answer {
	t.Helper()
	target := answer.Target{Level: answer.Unit, IDs: q.Units}
	switch {
	case strings.HasPrefix(q.Name, "plant"):
		target = answer.Target{Level: answer.Plant}
	case q.Line != "":
		target = answer.Target{Level: answer.Line, IDs: []string{q.Line}}
	}
	standard := kpi.ISO
	if q.E79 {
		standard = kpi.E79
	}
	engine := answer.New(c, func() telemetry.Instant { return x.Now() })
	a, err := engine.Ask(context.Background(), answer.Question{Kind: answer.OEE, Target: target, Window: q.Window, Standard: standard, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Rows) != 1 || a.Rows[0].Err != nil || a.Rows[0].Incomplete() {
		t.Fatalf("%s: %d rows, %+v", q.Name, len(a.Rows), a.Findings)
	}
	return product.Of(&a.Rows[0])
}

func (x *trial) windows() []calendar.Interval {
	at := func(h float64) telemetry.Instant { return x.begin.Add(time.Duration(h * float64(time.Hour))) }
	return []calendar.Interval{{From: at(0), To: at(26)}, {From: at(2), To: at(14)}, {From: at(3.71), To: at(5.13)}, {From: at(23), To: at(30)}}
}

// queries are of all units, the line and the plant.
func (x *trial) queries(a *truth.Answers, w calendar.Interval) []contract.Query {
	out := []contract.Query{a.PlantQuery(w)}
	for _, l := range x.Model().Lines {
		out = append(out, truth.LineQuery(l.ID, w))
	}
	for _, u := range x.Units() {
		q := truth.UnitQuery(u.ID, w)
		out = append(out, q)
		q.E79 = true
		out = append(out, q)
	}
	return out
}

func mustAnswers(t testing.TB, r *truth.Recorder, now telemetry.Instant) *truth.Answers {
	t.Helper()
	a, err := r.Answers(now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustAnswer(t testing.TB, a *truth.Answers, q contract.Query) (contract.Answer, contract.Cuts) {
	t.Helper()
	want, err := a.Answer(q)
	if err != nil {
		t.Fatal(err)
	}
	cuts, err := a.Cuts(q)
	if err != nil {
		t.Fatal(err)
	}
	return want, cuts
}

func mustAdvance(t testing.TB, x *trial, d time.Duration) {
	t.Helper()
	if err := x.Advance(x.begin.Add(d)); err != nil {
		t.Fatal(err)
	}
}

// TestProduct: where everything was seen, the product says what the contract says.
func TestProduct(t *testing.T) {
	for seed := range uint64(2) {
		x := newTrial(t, seed)
		mustAdvance(t, x, 26*time.Hour+7*time.Minute+3*time.Second)
		c, a := x.store(t), mustAnswers(t, x.seen, x.Now())
		for _, w := range x.windows() {
			for _, q := range x.queries(a, w) {
				want, cuts := mustAnswer(t, a, q)
				got := x.productSays(t, c, q)
				for _, d := range truth.Compare(&got, &want, cuts) {
					t.Errorf("seed %d: %s, E79 %t: %s", seed, q.Name, q.E79, d)
				}
			}
		}
	}
}

// TestFaults: where something was not seen, the product says what the contract says of the rest, and its bounds hold what an
// undisturbed observer would have known. A batch of the reactor takes five hours and forty minutes.
func TestFaults(t *testing.T) {
	begin := mustTime(t, "2026-11-02T06:00:00+05:00")
	during := func(from, to time.Duration) calendar.Interval {
		return calendar.Interval{From: begin.Add(from), To: begin.Add(to)}
	}
	for seed := range uint64(3) {
		shift := time.Duration(seed) * 20 * time.Minute
		x := newTrial(t, 3+seed,
			world.Fault{Kind: world.Silent, Unit: "saw1", Interval: during(4*time.Hour, 4*time.Hour+17*time.Minute+3*time.Second)},
			world.Fault{Kind: world.Failed, Unit: "sorter1", Signal: "good", Interval: during(5*time.Hour, 6*time.Hour)},
			world.Fault{Kind: world.Failed, Unit: "saw2", Signal: "power_kw", Interval: during(7*time.Hour, 8*time.Hour)},
			world.Fault{Kind: world.Unsure, Unit: "sorter1", Signal: "state", Interval: during(8*time.Hour, 11*time.Hour)},
			world.Fault{Kind: world.Silent, Unit: "rx1", Interval: during(5*time.Hour+shift, 6*time.Hour+shift)},
			world.Fault{Kind: world.Unsure, Unit: "rx1", Signal: "batch_id", Interval: during(11*time.Hour, 12*time.Hour)},
			world.Fault{Kind: world.Silent, Unit: "rx1", Interval: during(13*time.Hour, 13*time.Hour+10*time.Minute)},
			world.Fault{Kind: world.Silent, Unit: "rx1", Interval: during(18*time.Hour, 19*time.Hour)},
		)
		mustAdvance(t, x, 26*time.Hour)
		c, seen, clearly := x.store(t), mustAnswers(t, x.seen, x.Now()), mustAnswers(t, x.clear, x.Now())
		for _, w := range x.windows()[:2] {
			for _, q := range x.queries(seen, w) {
				want, cuts := mustAnswer(t, seen, q)
				got := x.productSays(t, c, q)
				for _, d := range truth.Compare(&got, &want, cuts) {
					t.Errorf("seed %d: %s, E79 %t: %s", seed, q.Name, q.E79, d)
				}
				if q.E79 || q.Line != "" {
					continue
				}
				all, _ := mustAnswer(t, clearly, q)
				for _, d := range truth.Within(&got, &all, cuts) {
					t.Errorf("seed %d: %s: %s", seed, q.Name, d)
				}
			}
		}
	}
}

// troubles are faults of a world in its first hours, of every kind.
func troubles(w *world.World, seed uint64) []world.Fault {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]world.Fault, 25)
	for i := range out {
		u := w.Units()[r.IntN(len(w.Units()))]
		f := world.Fault{Kind: []world.FaultKind{world.Silent, world.Failed, world.Unsure, world.Stuck, world.Skewed}[i%5], Unit: u.ID}
		if f.Kind != world.Silent && r.IntN(2) == 0 {
			f.Signal = u.Class.Signals[r.IntN(len(u.Class.Signals))].Name
		}
		if f.Kind == world.Skewed {
			f.Skew = time.Duration(r.IntN(400)-200) * 100 * time.Millisecond
		}
		from := w.Now().Add(time.Duration(r.IntN(7000)) * 700 * time.Millisecond)
		f.Interval = calendar.Interval{From: from, To: from.Add(time.Duration(r.IntN(2000)+1) * 900 * time.Millisecond)}
		out[i] = f
	}
	return out
}

// TestLivingPlant: of the demo's plant, with machines of the whole chain, the product says what the contract says of the same
// samples, whatever went wrong between the machines and who looked at them.
func TestLivingPlant(t *testing.T) {
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	for seed, faults := range map[uint64]bool{1: false, 2: true} {
		w := mustWorld(t, m, seed, areas.Processes)
		if faults {
			for _, f := range troubles(w, seed) {
				if err := w.AddFault(f); err != nil {
					t.Fatal(err)
				}
			}
		}
		x := watch(t, m, w)
		mustAdvance(t, x, 90*time.Minute)
		c, a := x.store(t), mustAnswers(t, x.seen, x.Now())
		for _, q := range x.queries(a, calendar.Interval{From: x.begin.Add(3 * time.Minute), To: x.Now().Add(-4 * time.Minute)}) {
			want, cuts := mustAnswer(t, a, q)
			got := x.productSays(t, c, q)
			for _, d := range truth.Compare(&got, &want, cuts) {
				t.Errorf("seed %d: %s, E79 %t: %s", seed, q.Name, q.E79, d)
			}
		}
	}
}

// BenchmarkWeek: seven days of the trial plant, from its samples to the plant's answer of the week and of each hour.
func BenchmarkWeek(b *testing.B) {
	x := newTrial(b, 1)
	x.Observe(world.Observer{Sample: x.seen.Sample, Record: x.seen.Record}, world.AsTheModelSays)
	if err := x.Advance(x.begin.Add(7 * 24 * time.Hour)); err != nil {
		b.Fatal(err)
	}
	week := calendar.Interval{From: x.begin, To: x.Now()}
	for b.Loop() {
		a := mustAnswers(b, x.seen, x.Now())
		mustAnswer(b, a, a.PlantQuery(week))
		for _, h := range calendar.Hours(week) {
			mustAnswer(b, a, a.PlantQuery(h))
		}
	}
}
