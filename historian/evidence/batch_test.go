package evidence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// pullers is a plant of one machine that makes batches, and one that counts whole ones.
const pullers = `
plant: test
site: here
zone: UTC
areas: [{id: crystal}]
calendars: [{name: always}]
products: [{name: mono, ideal: {puller: 100, furnace: 10}}]
stages: [{name: crystal, output: kg, classes: [puller, furnace], good_at: puller}]
classes:
  - name: puller
    piece: kg
    namespace: urn:test:puller
    roles: {state: state, progress: weight_kg, batch: ingot}
    batch_quantity: 400
    progress_full: 400
    credit: <credit>
    state_maps: [{namespace: "urn:test:puller", codes: {1: run}}]
    signals:
      - {name: state, kind: state, node: s=State}
      - {name: ingot, kind: counter, node: s=Ingot}
      - {name: weight_kg, unit: kg, range: [0, 400], node: s=Weight}
  - name: furnace
    piece: kg
    namespace: urn:test:furnace
    roles: {state: state, total: total}
    state_maps: [{namespace: "urn:test:furnace", codes: {1: run}}]
    signals:
      - {name: state, kind: state, node: s=State}
      - {name: total, kind: counter, node: s=Total, reporting: per_batch}
units:
  - {id: cz01, class: puller, area: crystal, calendar: always, product: mono, gateway: gw, server: pullers, endpoint: "opc.tcp://127.0.0.1:4840"}
  - {id: tf01, class: furnace, area: crystal, calendar: always, product: mono, gateway: gw, server: furnaces, endpoint: "opc.tcp://127.0.0.1:4841"}
gateways:
  - {name: gw, url: "http://127.0.0.1:8086", database: kvarts, policy: None, mode: None}
`

func pullerHistory(t testing.TB, credit string) plant.History {
	t.Helper()
	m := mustParse(t, strings.ReplaceAll(pullers, "<credit>", credit))
	return plant.NewHistory(plant.Version{Model: m, Effective: at(t, "01T00:00"), Known: at(t, "01T00:00"), Hash: m.Hash})
}

// point is a point of one of the two.
func pullerLine(unit, fields string, t telemetry.Instant) string {
	class := map[string]string{"cz01": "puller", "tf01": "furnace"}[unit]
	return fmt.Sprintf("%s,area=crystal,site=here,unit=%s %s %d", class, unit, fields, t)
}

func crystalAlive(unit string, v calendar.Interval) []string {
	out := aliveLines(unit, v)
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], "area=wafer", "area=crystal")
	}
	return out
}

// What was seen of a change of the batch says what is known of the pieces around it.
func TestChangeOfBatch(t *testing.T) {
	const bad = 2157641728
	for _, k := range []struct {
		name    string
		alive   []string // pairs
		points  string   // time=field:value; ! is Bad
		pieces  int64
		bounded bool // a restart, so a lower bound
	}{
		{"all seen", []string{"00:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w100 03:00=w390 04:00=i2 05:00=w20 06:00=w60", 450, false},
		{"noise", []string{"00:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w300 03:00=w100 04:00=i2 05:00=w20 06:00=w60", 360, false},
		{"silent over the change", []string{"00:00", "02:30", "04:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w100 04:00=i2 05:00=w20 06:00=w60", 160, true},
		{"silent, the new one above the old", []string{"00:00", "02:30", "04:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w100 04:00=i2 05:00=w120 06:00=w160", 260, true},
		{"silent, the same batch", []string{"00:00", "02:30", "04:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w100 05:00=w120 06:00=w160", 160, false},
		{"silent after the change", []string{"00:00", "04:10", "04:50", "12:00"}, "00:00=i1 01:00=w0 02:00=w100 04:00=i2 05:00=w20 06:00=w60", 160, false},
		{"progress bad before the change", []string{"00:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w100 03:00=w! 04:00=i2 05:00=w20 06:00=w60", 160, true},
		{"batch bad, changed", []string{"00:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w300 03:00=i! 04:00=w20 05:00=w60 05:30=w55 06:00=w80", 380, true},
		{"batch bad, goes on", []string{"00:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w300 03:00=i! 04:00=w310 04:30=i1 05:00=w340 06:00=w350", 350, false},
		{"batch bad and silent", []string{"00:00", "03:20", "03:40", "12:00"}, "00:00=i1 01:00=w0 02:00=w300 03:00=i! 04:00=w310 05:00=w340 06:00=w350", 350, true},
		{"a batch of which nothing was seen", []string{"00:00", "12:00"}, "00:00=i1 01:00=w0 02:00=w300 03:00=i2 03:10=i3 04:00=w10 06:00=w50", 350, true},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, w := mustClient(t, embedded(t)), between(t, "01:00", "06:00")
			lines := []string{pullerLine("cz01", "state=1i", at(t, "00:00"))}
			for i := 0; i < len(k.alive); i += 2 {
				lines = append(lines, crystalAlive("cz01", between(t, k.alive[i], k.alive[i+1]))...)
			}
			for p := range strings.FieldsSeq(k.points) {
				when, what, _ := strings.Cut(p, "=")
				field, value := map[byte]string{'i': "ingot", 'w': "weight_kg"}[what[0]], what[1:]
				switch {
				case value == "!":
					field, value = field+"_status", fmt.Sprint(bad, "i")
				case field == "ingot":
					value += "i"
				default:
					value += ".0"
				}
				lines = append(lines, pullerLine("cz01", field+"="+value, at(t, when)))
			}
			mustWrite(t, c, lines...)
			in, _ := mustGather(t, c, pullerHistory(t, "progress"), "cz01", w, at(t, "12:00"))
			f := mustFacts(t, in, w)
			if got, want := f.Get(ledger.TotalPieces), exact.Int(k.pieces*ledger.NanosPerPiece); !got.Equal(want) {
				t.Errorf("%s pieces, want %s", got, want)
			}
			if got := f.Findings.Has(ledger.CounterResetAssumed); got != k.bounded {
				t.Errorf("a lower bound: %t, want %t", got, k.bounded)
			}
			if k.bounded == (f.Get(ledger.UnknownTime).Sign() > 0 && f.Get(ledger.BridgedTime).Equal(f.Get(ledger.UnknownTime))) && len(k.alive) > 2 {
				t.Errorf("unknown %s, bridged %s", f.Get(ledger.UnknownTime), f.Get(ledger.BridgedTime))
			}
		})
	}
}

// A batch that counts at its end is booked as far as it is known exactly.
func TestBookedBatch(t *testing.T) {
	c, w := mustClient(t, embedded(t)), between(t, "00:00", "20:00")
	lines := append(crystalAlive("cz01", between(t, "00:00", "08:00")), crystalAlive("cz01", between(t, "09:00", "21:00"))...)
	for when, fields := range map[string]string{
		"00:00": "state=1i,ingot=1i", "00:30": "weight_kg=380.0", "01:00": "ingot=2i", "02:00": "weight_kg=100.0", "07:00": "weight_kg=390.0",
		"09:00": "ingot=3i", "10:00": "weight_kg=20.0", "14:00": "weight_kg=200.0", "15:00": "ingot=4i",
	} {
		lines = append(lines, pullerLine("cz01", fields, at(t, when)))
	}
	mustWrite(t, c, lines...)
	in, _ := mustGather(t, c, pullerHistory(t, "completion"), "cz01", w, at(t, "20:00"))
	booked := func(from, to string, n int64) ledger.Booking {
		q := exact.Int(n * ledger.NanosPerPiece)
		return ledger.Booking{Interval: between(t, from, to), Product: "mono", Total: q, Good: q, Completion: true}
	}
	if d := cmp.Diff([]ledger.Booking{booked("01:00", "07:00", 390), booked("10:00", "15:00", 180)}, in.Booked); d != "" {
		t.Error(d)
	}
}

// What a counter of whole batches tells again says nothing, whatever window is asked for.
func TestToldAgain(t *testing.T) {
	c := mustClient(t, embedded(t))
	lines := append(crystalAlive("tf01", between(t, "00:00", "12:00")), pullerLine("tf01", "state=1i", at(t, "00:00")))
	for when, n := range map[string]int{"01:00": 0, "02:00": 0, "02:30": 0, "02:45": 0, "05:00": 2400, "05:30": 2400, "06:00": 2400, "06:30": 2400, "09:00": 4800} {
		lines = append(lines, pullerLine("tf01", fmt.Sprintf("total=%di", n), at(t, when)))
	}
	mustWrite(t, c, lines...)
	for _, k := range []struct {
		from, to string
		pieces   int64
	}{{"01:00", "05:00", 2400}, {"01:00", "02:00", 600}, {"02:50", "03:50", 600}, {"05:00", "05:10", 100}, {"01:00", "09:00", 4800}} {
		w := between(t, k.from, k.to)
		in, _ := mustGather(t, c, pullerHistory(t, "progress"), "tf01", w, at(t, "12:00"))
		f := mustFacts(t, in, w)
		if got, want := f.Get(ledger.TotalPieces), exact.Int(k.pieces*ledger.NanosPerPiece); !got.Equal(want) {
			t.Errorf("%s to %s: %s pieces, want %s", k.from, k.to, got, want)
		}
	}
}

// randomBatches are days of a puller with everything that happens to what is seen of it.
func randomBatches(t testing.TB, c *influx.Client, seed uint64, v calendar.Interval) {
	rng := rand.New(rand.NewPCG(seed, 9))
	var lines []string
	minutes := func(n int) time.Duration { return time.Duration(n) * 10 * time.Second * 6 }
	for at := v.From; at < v.To; at = at.Add(minutes(2 + rng.IntN(60))) {
		until := at.Add(minutes(20 + rng.IntN(900)))
		for _, unit := range []string{"cz01", "tf01"} {
			lines = append(lines, crystalAlive(unit, calendar.Interval{From: at, To: until})...)
		}
		at = until
	}
	ingot, weight, total := 1, 0.0, 0
	for at := v.From.Add(minutes(3)); at < v.To; at = at.Add(time.Duration(1+rng.IntN(1500)) * time.Second) {
		bad := ""
		if rng.IntN(12) == 0 {
			bad = ",%s_status=2157641728i"
		}
		field := func(format string, args ...any) {
			s := fmt.Sprintf(format, args...)
			name, _, _ := strings.Cut(s, "=")
			lines = append(lines, pullerLine("cz01", s+strings.ReplaceAll(bad, "%s", name), at))
		}
		switch weight += rng.Float64() * 30; rng.IntN(14) {
		case 0:
			ingot, weight = ingot+1, rng.Float64()*9
			if rng.IntN(5) > 0 {
				field("ingot=%di", ingot)
			}
		case 1:
			field("ingot=%di", ingot)
		case 2:
			lines = append(lines, pullerLine("cz01", fmt.Sprintf("state=%di", rng.IntN(3)), at))
		case 3:
			total += 100 * rng.IntN(2)
			lines = append(lines, pullerLine("tf01", fmt.Sprintf("total=%di,state=1i", total), at))
		default:
			field("weight_kg=%.3f", max(0, min(weight+rng.Float64()*2-1, 405)))
		}
	}
	for range 4 {
		from := v.From.Add(time.Duration(rng.Int64N(int64(v.Duration()))))
		cause := []telemetry.Cause{telemetry.CauseSession, telemetry.CauseSequence}[rng.IntN(2)]
		gap := telemetry.Gap{Server: "pullers", From: from, To: from.Add(minutes(rng.IntN(90))), Cause: cause, Count: -1}
		b, err := gap.AppendLine(nil)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b[:len(b)-1]))
	}
	mustWrite(t, c, lines...)
}

// Law 6 for batches: what was not seen of a change is the same in whatever windows it is asked for.
func TestWindowsOfBatchesAddUp(t *testing.T) {
	for seed := range uint64(6) {
		c := mustClient(t, embedded(t))
		all := calendar.Interval{From: at(t, "02T00:00"), To: at(t, "05T00:00")}
		randomBatches(t, c, seed, all)
		h := pullerHistory(t, []string{"progress", "completion"}[seed%2])
		whole := calendar.Interval{From: at(t, "02T06:00"), To: at(t, "04T18:00")}
		rng := rand.New(rand.NewPCG(seed, 10))
		cuts := []telemetry.Instant{whole.From, whole.To}
		for range 25 {
			cuts = append(cuts, whole.From.Add(time.Duration(rng.Int64N(int64(whole.Duration())))))
		}
		slices.Sort(cuts)
		for _, unit := range []string{"cz01", "tf01"} {
			in, _ := mustGather(t, c, h, unit, whole, at(t, "04T20:00"))
			want := mustFacts(t, in, whole)
			var sum ledger.Facts
			for i, from := range cuts[:len(cuts)-1] {
				v := calendar.Interval{From: from, To: cuts[i+1]}
				in, _ := mustGather(t, c, h, unit, v, at(t, "04T20:00"))
				part := mustFacts(t, in, v)
				sum.Add(&part)
			}
			if d := cmp.Diff(show(&want), show(&sum)); d != "" {
				t.Errorf("seed %d: %s: cut at %v: %s", seed, unit, cuts, d)
			}
		}
	}
}
