package evidence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/calendar"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// randomLines are days of a saw with everything that happens: silence of the gateway, bad values, gaps, resets, replaced
// products, reasons.
func randomLines(t testing.TB, seed uint64, v calendar.Interval) []string {
	rng := rand.New(rand.NewPCG(seed, 7))
	var out []string
	for at := v.From; at < v.To; {
		until := min(v.To, at.Add(time.Duration(1+rng.IntN(600))*time.Minute/10*10))
		until -= until % telemetry.Instant(10*time.Second)
		if rng.IntN(5) > 0 {
			out = append(out, aliveLines("ws01", calendar.Interval{From: at, To: until})...)
		}
		at = until.Add(10 * time.Second)
	}
	often := func(mean time.Duration, f func(at telemetry.Instant) string) {
		for at := v.From; at < v.To; at = at.Add(time.Duration(rng.ExpFloat64()*float64(mean)) + 1) {
			out = append(out, line("ws01", f(at), at))
		}
	}
	often(20*time.Minute, func(telemetry.Instant) string {
		if rng.IntN(12) == 0 {
			return "state_status=2157641728i"
		}
		return fmt.Sprintf("state=%di", []int{1, 1, 1, 2, 3, 3, 0, 42}[rng.IntN(8)])
	})
	total, scrap, energy := 0, 0, 1000.0
	often(7*time.Minute, func(telemetry.Instant) string {
		if total += rng.IntN(200); rng.IntN(60) == 0 {
			total = rng.IntN(9)
		}
		if rng.IntN(30) == 0 {
			return fmt.Sprintf("total=%di,total_status=2157641728i", rng.IntN(9999))
		}
		return fmt.Sprintf("total=%di", total)
	})
	often(3*time.Hour, func(telemetry.Instant) string { scrap += rng.IntN(9); return fmt.Sprintf("scrap=%di", scrap) })
	often(15*time.Minute, func(telemetry.Instant) string {
		energy += rng.Float64() * 20
		return fmt.Sprintf("energy_kwh=%.3f", energy)
	})
	often(40*time.Second*9, func(telemetry.Instant) string { return fmt.Sprintf("power_kw=%.2f", rng.Float64()*120) })
	often(9*time.Hour, func(telemetry.Instant) string { return fmt.Sprintf("recipe=\"r%d\"", 1+rng.IntN(2)) })
	often(2*time.Hour, func(telemetry.Instant) string { return fmt.Sprintf("reason_code=%di", 5+rng.IntN(4)) })
	for range 3 {
		from := v.From.Add(time.Duration(rng.Int64N(int64(v.Duration()))))
		cause := []telemetry.Cause{telemetry.CauseSession, telemetry.CauseSequence, telemetry.CauseBufferLimit}[rng.IntN(3)]
		gap := telemetry.Gap{Server: "saws", From: from, To: from.Add(time.Duration(rng.IntN(90)) * time.Minute), Cause: cause, Count: -1}
		b, err := gap.AppendLine(nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b[:len(b)-1]))
	}
	return out
}

// twoModels is a model, and another one from noon of the second day on; parts are of both.
func twoModels(t testing.TB, parts ...string) plant.History {
	m := mustParse(t, model(t, append([]string{"ideal", "1.7", "codes", "{0: idle, 1: run, 2: planned, 3: idle, 42: stop}"}, parts...)...))
	return plant.NewHistory(append(history(t, parts...), plant.Version{Model: m, Effective: at(t, "03T12:00"), Known: at(t, "03T12:00"), By: "test", Hash: m.Hash})...)
}

// Law 6 from end to end: whatever was recorded, the facts of windows that are gathered one by one add up to those of the
// whole, field by field.
func TestGatheredWindowsAddUp(t *testing.T) {
	for seed := range uint64(6) {
		c := mustClient(t, embedded(t))
		all := calendar.Interval{From: at(t, "02T00:00"), To: at(t, "05T00:00")}
		mustWrite(t, c, randomLines(t, seed, all)...)
		h := twoModels(t, "register", []string{"periodic", "on_change"}[seed%2])
		whole := calendar.Interval{From: at(t, "02T06:00"), To: at(t, "04T18:00")}
		in, _ := mustGather(t, c, h, "ws01", whole, at(t, "04T20:00"))
		want := mustFacts(t, in, whole)

		rng := rand.New(rand.NewPCG(seed, 8))
		cuts := []telemetry.Instant{whole.From, whole.To}
		for range 12 {
			cuts = append(cuts, whole.From.Add(time.Duration(rng.Int64N(int64(whole.Duration())))))
		}
		slices.Sort(cuts)
		var sum ledger.Facts
		for i, from := range cuts[:len(cuts)-1] {
			v := calendar.Interval{From: from, To: cuts[i+1]}
			in, _ := mustGather(t, c, h, "ws01", v, at(t, "04T20:00"))
			part := mustFacts(t, in, v)
			sum.Add(&part)
		}
		if d := cmp.Diff(show(&want), show(&sum)); d != "" {
			t.Errorf("seed %d: cut at %v: %s", seed, cuts, d)
		}
	}
}

// show is facts as text by name.
func show(f *ledger.Facts) map[string]string {
	out := map[string]string{"findings": fmt.Sprintf("%#x", uint16(f.Findings)), "has": fmt.Sprint(f.HasPieces, f.HasEnergy)}
	for k := range ledger.NumFields {
		out[k.String()] = f.Get(k).String()
	}
	for k, v := range f.Reasons {
		out[fmt.Sprintf("reason %+v", k)] = v.Time.String() + " ns, " + v.Count.String()
	}
	return out
}

// The embedded store and the real servers give the same Input, in whatever order the data arrived.
func TestSameInputFromEveryStore(t *testing.T) {
	v := calendar.Interval{From: at(t, "02T00:00"), To: at(t, "05T00:00")}
	lines := randomLines(t, 42, v)
	w := calendar.Interval{From: at(t, "02T10:00"), To: at(t, "04T09:30")}
	var first *ledger.Input
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			c := mustClient(t, open(t))
			mixed := slices.Clone(lines)
			rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			mustWrite(t, c, mixed...)
			mustWrite(t, c, mixed[:len(mixed)/3]...) // what is delivered twice is there once
			in, _ := mustGather(t, c, twoModels(t), "ws01", w, at(t, "04T20:00"))
			if first == nil {
				first = in
				return
			}
			if d := cmp.Diff(first, in); d != "" {
				t.Errorf("another input: %s", d)
			}
		})
	}
}
