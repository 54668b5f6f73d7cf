package evidence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

func num(n int64) *exact.Num { x := exact.Int(n); return &x }

// recordOf is a record of ws01, known at a time.
func recordOf(t testing.TB, r record.Record, known string) record.Record {
	t.Helper()
	if r.Line == "" && r.Area == "" {
		r.Unit = "ws01"
	}
	if r.To == 0 {
		r.To = r.From
	}
	r.Revision, r.Audit, r.Reach = 1, record.Audit{By: "a", Why: "b", KnownAt: at(t, known), Source: "cli"}, r.To
	r.ID = r.DefaultID()
	return r
}

// What people entered is in the input, from when it was known on and not before.
func TestWhatPeopleKnow(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		mustWrite(t, c, aliveLines("ws01", between(t, "07:00", "21:00"))...)
		mustWrite(t, c,
			line("ws01", "state=1i", at(t, "07:00")), line("ws01", "state=3i", at(t, "10:00")), line("ws01", "state=1i", at(t, "11:00")),
			line("ws01", "energy_kwh=45210", at(t, "09:00")), line("ws01", "energy_kwh=87.25", at(t, "19:00")))
		mustWriteRecords(t, c,
			recordOf(t, record.Record{Kind: record.DowntimeReason, From: at(t, "10:10"), To: at(t, "10:20"), Reason: "crane", Category: "planned"}, "12:00"),
			recordOf(t, record.Record{Kind: record.Changeover, From: at(t, "10:30"), To: at(t, "10:40")}, "12:00"),
			recordOf(t, record.Record{Kind: record.Order, From: at(t, "12:00"), To: at(t, "14:00"), Order: "o1", Product: "G12"}, "12:00"),
			recordOf(t, record.Record{Kind: record.Booked, From: at(t, "08:00"), To: at(t, "09:30"), Total: num(100), Good: num(90), Product: "M10"}, "12:00"),
			recordOf(t, record.Record{Kind: record.Scrap, From: at(t, "08:00"), To: at(t, "10:00"), Quantity: num(3), ReportedAt: at(t, "13:00")}, "13:00"),
			recordOf(t, record.Record{Kind: record.CounterSwap, From: at(t, "15:00"), Signal: "energy_kwh", Final: num(45215), Initial: num(12)}, "16:00"),
			recordOf(t, record.Record{Kind: record.PlannedStop, Area: "wafer", From: at(t, "17:00"), To: at(t, "18:00"), Reason: "maintenance"}, "16:00"),
		)
		w := between(t, "08:00", "20:00")
		early, _ := mustGather(t, c, history(t), "ws01", w, at(t, "11:59"))
		if len(early.Booked)+len(early.ScrapReports)+len(early.PlannedStops)+len(early.Energy.Swaps) > 0 || len(early.States) != 3 {
			t.Errorf("before anybody knew: %+v", early)
		}
		in, _ := mustGather(t, c, history(t), "ws01", w, at(t, "20:00"))
		if d := cmp.Diff("07:00:00 run\n10:00:00 stop\n10:10:00 planned crane\n10:20:00 stop\n10:30:00 setup changeover\n10:40:00 stop\n11:00:00 run\n", stateCodes(in)); d != "" {
			t.Error(d)
		}
		nano := exact.Int(ledger.NanosPerPiece)
		if d := cmp.Diff([]ledger.Booking{{Interval: between(t, "08:00", "09:30"), Product: "M10", Total: nano.Mul(exact.Int(100)), Good: nano.Mul(exact.Int(90))}}, in.Booked); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]ledger.ScrapReport{{Made: between(t, "08:00", "10:00"), Quantity: nano.Mul(exact.Int(3))}}, in.ScrapReports); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(calendar.Set{between(t, "17:00", "18:00")}, in.PlannedStops); d != "" {
			t.Error(d)
		}
		f := mustFacts(t, in, w)
		if want := exact.Int(80_250_000_000); !f.Get(ledger.EnergyKnown).Equal(want) { // 45215 − 45210 + 87.25 − 12
			t.Errorf("energy %s, want %s", f.Get(ledger.EnergyKnown), want)
		}
		var ideals []string
		for _, i := range in.Ideals {
			if i.From > 0 {
				ideals = append(ideals, fmt.Sprint(i.From.Time().Format("15:04 "), i.Product, " ", i.Seconds))
			}
		}
		if d := cmp.Diff([]string{"12:00 M10 8/5", "12:00 G12 2", "14:00 M10 8/5"}, ideals); d != "" {
			t.Error(d)
		}
	})
}

// A definition that changes today does not move last month.
func TestDefinitionsHaveDates(t *testing.T) {
	c := mustClient(t, embedded(t))
	mustWrite(t, c, aliveLines("ws01", between(t, "07:00", "21:00"))...)
	mustWrite(t, c, line("ws01", "state=1i", at(t, "07:00")), line("ws01", "total=0i", at(t, "08:00")), line("ws01", "total=1000i", at(t, "08:10")),
		line("ws01", "total=2000i", at(t, "11:50")), line("ws01", "recipe=\"r1\"", at(t, "07:00")))
	w := between(t, "08:00", "10:00")
	one := history(t)
	m := mustParse(t, model(t, "ideal", "9", "codes", "{1: idle}"))
	two := plant.NewHistory(append(one, plant.Version{Model: m, Effective: at(t, "10:00"), Known: at(t, "10:00"), Hash: m.Hash})...)
	facts := func(h plant.History, v calendar.Interval) map[string]string {
		in, _ := mustGather(t, c, h, "ws01", v, at(t, "12:00"))
		f := mustFacts(t, in, v)
		out := map[string]string{}
		for k := range ledger.NumFields {
			out[k.String()] = f.Get(k).String()
		}
		return out
	}
	if d := cmp.Diff(facts(one, w), facts(two, w)); d != "" {
		t.Error(d)
	}
	if cmp.Equal(facts(one, between(t, "08:00", "12:00")), facts(two, between(t, "08:00", "12:00"))) {
		t.Error("the new model says nothing of the time that it is for")
	}
}

// A product that the model does not know has no ideal: not that of the product before, nor the model's.
func TestProductThatNobodyKnows(t *testing.T) {
	c := mustClient(t, embedded(t))
	mustWrite(t, c, line("ws01", "recipe=\"r2\"", at(t, "07:00")), line("ws01", "recipe=\"r9\"", at(t, "09:00")), line("ws01", "recipe=\"\"", at(t, "10:00")))
	in, p := mustGather(t, c, history(t), "ws01", between(t, "08:00", "12:00"), at(t, "12:00"))
	var ideals []string
	for _, i := range in.Ideals[1:] {
		ideals = append(ideals, fmt.Sprint(i.From.Time().Format("15:04 "), i.Product, " ", i.Seconds))
	}
	if d := cmp.Diff([]string{"07:00 G12 2", "09:00 r9 0", "10:00 M10 8/5"}, ideals); d != "" || len(p.Notes) != 1 {
		t.Error(d, p.Notes)
	}
}

// When retention took the raw data, the state goes on from the stored slice.
func TestStateOutlivesTheRawData(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		ctx := within(t, 20*time.Second)
		s, later := sliceOf(t, "ws01", "07:00", 0, "08:01", 1), sliceOf(t, "ws01", "07:00", 1, "08:02", 1)
		s.Carry, later.Carry = evidence.Carry{At: at(t, "03:00"), Code: "3"}, evidence.Carry{At: at(t, "04:00"), Code: "1"}
		if err := evidence.WriteSlices(ctx, c, []evidence.Slice{s, later, sliceOf(t, "ws02", "07:00", 0, "08:00", 1)}); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, c, line("ws01", "state=3i", at(t, "09:00")))
		in, p := mustGather(t, c, history(t), "ws01", between(t, "08:00", "10:00"), at(t, "12:00"))
		if got := stateCodes(in); got != "04:00:00 run\n09:00:00 stop\n" || !p.Stored {
			t.Errorf("states\n%s%+v", got, p)
		}
		// A slice at whose end the state was not known hides what earlier ones knew.
		none := sliceOf(t, "ws01", "07:30", 0, "08:03", 1)
		none.To, none.Carry = at(t, "08:00"), evidence.Carry{}
		if err := evidence.WriteSlices(ctx, c, []evidence.Slice{none}); err != nil {
			t.Fatal(err)
		}
		later.To, later.Revision = at(t, "07:30"), 2
		if err := evidence.WriteSlices(ctx, c, []evidence.Slice{later}); err != nil {
			t.Fatal(err)
		}
		in, p = mustGather(t, c, history(t), "ws01", between(t, "08:30", "10:00"), at(t, "12:00"))
		if got := stateCodes(in); got != "09:00:00 stop\n" || p.Stored {
			t.Errorf("states\n%s%+v", got, p)
		}
	})
}

// What cannot be a reading does not stop the rest, and is told.
func TestValuesThatAreNone(t *testing.T) {
	c := mustClient(t, embedded(t))
	mustWrite(t, c, aliveLines("ws01", between(t, "07:00", "13:00"))...)
	mustWrite(t, c,
		line("ws01", "state=1i", at(t, "07:00")),
		line("ws01", "total=10i", at(t, "08:00")), line("ws01", "total=-5i", at(t, "08:30")), line("ws01", "total=20i", at(t, "09:00")),
		line("ws01", "energy_kwh=1e300", at(t, "08:30")), line("ws01", "energy_kwh=7.5", at(t, "08:40")),
		line("ws01", "power_kw=-0.5", at(t, "08:30")), line("ws01", "power_kw=3", at(t, "08:40")),
		line("ws01", "scrap=\"many\"", at(t, "08:30")), // another type than the model says
	)
	w := between(t, "08:00", "10:00")
	in, p := mustGather(t, c, history(t), "ws01", w, at(t, "12:00"))
	mustFacts(t, in, w)
	if len(in.Total.Readings) != 2 || len(in.Energy.Readings) != 1 || !in.Power.Readings[0].Bad || in.Power.Readings[1].Bad || len(in.Scrap.Readings) != 0 || len(p.Notes) != 4 {
		t.Errorf("total %v energy %v power %v notes %q", in.Total.Readings, in.Energy.Readings, in.Power.Readings, p.Notes)
	}
}

func TestFingerprintsFindWhatWasTouched(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		ctx := within(t, 30*time.Second)
		h, w := history(t), between(t, "08:00", "12:00")
		read := func() map[string][]uint64 {
			t.Helper()
			f, err := evidence.ReadFingerprints(ctx, c, h, []string{"ws01", "ws02"}, w, at(t, "20:00"))
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Hours) != 4 || len(f.Units["ws01"]) != 4 {
				t.Fatalf("%+v", f)
			}
			return f.Units
		}
		last := read()
		if last["ws01"][0] != 0 {
			t.Error("nothing has a fingerprint")
		}
		for _, k := range []struct {
			name  string
			write func()
			want  string // unit and hours that are touched
		}{
			{"values", func() {
				mustWrite(t, c, line("ws01", "state=1i,state_status=0i", at(t, "08:30")), line("ws02", "total=5i", at(t, "10:00")))
			}, "ws01[0] ws02[2]"},
			{"the same again", func() { mustWrite(t, c, line("ws01", "state=1i,state_status=0i", at(t, "08:30"))) }, ""},
			{"a signal without a role", func() { mustWrite(t, c, line("ws01", "temperature=1", at(t, "08:30"))) }, ""},
			{"life", func() { mustWrite(t, c, aliveLines("ws02", between(t, "11:00", "11:01"))...) }, "ws02[3]"},
			{"a gap of a server", func() {
				mustWrite(t, c, "gap,server=saws,cause=session_lost to="+ns(at(t, "09:05"))+"i "+ns(at(t, "08:55")))
			}, "ws01[0] ws01[1]"},
			{"a record", func() {
				mustWriteRecords(t, c, recordOf(t, record.Record{Kind: record.PlannedStop, From: at(t, "10:00"), To: at(t, "12:00"), Reason: "x"}, "13:00"))
			}, "ws01[2] ws01[3]"},
		} {
			k.write()
			now := read()
			touched := ""
			for _, unit := range []string{"ws01", "ws02"} {
				for i := range now[unit] {
					if now[unit][i] != last[unit][i] {
						touched += fmt.Sprintf(" %s[%d]", unit, i)
					}
				}
			}
			if want := k.want; touched != "" && touched[1:] != want || touched == "" && want != "" {
				t.Errorf("%s touched%s, want %s", k.name, touched, want)
			}
			last = now
		}
	})
}

// A batch is credited as it advances, or at its end.
func TestBatches(t *testing.T) {
	for _, credit := range []string{"progress", "completion"} {
		t.Run(credit, func(t *testing.T) {
			c := mustClient(t, embedded(t))
			text := `
plant: test
site: here
zone: UTC
areas: [{id: crystal}]
calendars: [{name: always}]
products: [{name: mono, ideal: {puller: 100}}]
stages: [{name: crystal, output: kg, classes: [puller]}]
classes:
  - name: puller
    piece: kg
    namespace: urn:test:puller
    roles: {state: state, progress: weight_kg, batch: ingot}
    batch_quantity: 450
    progress_full: 450
    credit: ` + credit + `
    state_maps: [{namespace: "urn:test:puller", codes: {1: run}}]
    signals:
      - {name: state, kind: state, node: s=State}
      - {name: ingot, kind: counter, node: s=Ingot}
      - {name: weight_kg, unit: kg, range: [0, 450], node: s=Weight}
units:
  - {id: cz01, class: puller, area: crystal, calendar: always, product: mono, gateway: gw, server: pullers, endpoint: "opc.tcp://127.0.0.1:4840"}
gateways:
  - {name: gw, url: "http://127.0.0.1:8086", database: kvarts, policy: None, mode: None}
`
			m := mustParse(t, text)
			h := plant.NewHistory(plant.Version{Model: m, Effective: at(t, "01T00:00"), Known: at(t, "01T00:00"), Hash: m.Hash})
			puller := func(fields, when string) string {
				return fmt.Sprintf("puller,area=crystal,site=here,unit=cz01 %s %d", fields, at(t, when))
			}
			mustWrite(t, c, aliveLines("cz01", between(t, "00:00", "20:00"))...)
			mustWrite(t, c, puller("state=1i", "00:00"), puller("ingot=1i", "00:00"), puller("ingot=2i", "02:00"), puller("ingot=3i", "12:00"),
				puller("weight_kg=440.0", "01:00"), puller("weight_kg=0.5", "02:30"), puller("weight_kg=200.0", "07:00"), puller("weight_kg=199.5", "07:30"),
				puller("weight_kg=450.0", "11:00"), puller("weight_kg=1.0", "12:30"))
			sum := map[string]exact.Num{}
			for _, v := range []calendar.Interval{between(t, "02:00", "07:00"), between(t, "07:00", "12:00")} {
				in, p := mustGather(t, c, h, "cz01", v, at(t, "20:00"))
				if len(p.Notes) > 0 {
					t.Error(p.Notes)
				}
				f := mustFacts(t, in, v)
				sum[v.From.Time().Format("15")] = f.Get(ledger.TotalPieces)
			}
			want := map[string]map[string]exact.Num{
				"progress":   {"02": exact.Int(200e9), "07": exact.Int(250e9)},
				"completion": {"02": {}, "07": exact.Int(450e9)},
			}[credit]
			if d := cmp.Diff(want, sum); d != "" {
				t.Error(d)
			}
		})
	}
}
