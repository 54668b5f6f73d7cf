package answer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/lots"
	"kvarts/historian/telemetry"
)

// book imports JSON lines, known at a time.
func (w *works) book(known telemetry.Instant, format string, args ...any) {
	w.t.Helper()
	rows, problems := lots.Read(strings.NewReader(fmt.Sprintf(format, args...)), lots.ReadOptions{Format: lots.JSON, Name: "book", By: "test"})
	if len(problems) > 0 {
		w.t.Fatal(problems)
	}
	p, err := lots.PlanImport(w.t.Context(), w.c, rows, known)
	if err == nil {
		err = p.Write(w.t.Context(), w.c)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *works) lot(q LotQuestion) *LotAnswer {
	w.t.Helper()
	q.Energy = true
	a, err := w.Lot(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

const (
	lotLine  = `{"lot":%q,"kind":%q,"quantity":"%d","unit_of":"kg","made_at":%q}` + "\n"
	stepLine = `{"step":%q,"stage":%q,"unit":%q,"from":%q,"to":%q,"inputs":[{"lot":%q}],"outputs":[{"lot":%q,"quantity":"%d"}]}` + "\n"
)

// The energy of a step is that of its unit in its time, whatever it is put together from.
func TestEnergyOfLots(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	at := func(h float64) telemetry.Instant {
		return factory.Begin().Add(time.Duration(h * float64(time.Hour)))
	}
	var text strings.Builder
	fmt.Fprintf(&text, lotLine, "QZ", "quartz", 100, at(0))
	window := map[string]calendar.Interval{
		"A": {From: at(1), To: at(5.21)}, "B": {From: at(5.21), To: at(30)}, "C": {From: at(30), To: at(40.5)},
		"D": {From: at(16.5), To: at(19)}, // in the night in which nobody sees the line
	}
	units := map[string]string{"A": "ws01", "B": "ws01", "C": "wc01", "D": "ws02"}
	before := "QZ"
	for _, id := range []string{"A", "B", "C"} {
		v := window[id]
		fmt.Fprintf(&text, lotLine, id, "wafer", 100, v.To)
		fmt.Fprintf(&text, stepLine, "S"+id, "stage-"+id, units[id], v.From, v.To, before, id, 100)
		before = id
	}
	v := window["D"]
	fmt.Fprintf(&text, lotLine+lotLine, "QZ2", "quartz", 100, at(0), "D", "wafer", 100, v.To)
	fmt.Fprintf(&text, stepLine, "SD", "stage-D", units["D"], v.From, v.To, "QZ2", "D", 100)
	w.book(w.now.Add(-time.Minute), "%s", text.String())
	check := func(what string) {
		t.Helper()
		for _, raw := range []bool{false, true} {
			for _, id := range []string{"C", "D"} {
				a := w.lot(LotQuestion{ID: id, Raw: raw})
				for _, s := range a.Energy.Stages {
					lot := strings.TrimPrefix(s.Stage, "stage-")
					asked := w.ask(Question{Kind: Energy, Target: Target{Level: Unit, IDs: []string{units[lot]}}, Window: window[lot], Raw: true})
					r := &asked.Rows[0].Result
					want := r.Get(kpi.Energy).String() + " " + r.Get(kpi.EnergyLow).String() + " " + r.Get(kpi.EnergyHigh).String()
					if got := fmt.Sprint(s.KWh, s.Low, s.High); got != want || s.KWh.Sign() <= 0 {
						t.Errorf("%s, raw %v: step S%s used %s, the unit %s", what, raw, lot, got, want)
					}
				}
				if n := len(a.Energy.Stages); id == "C" && n != 3 {
					t.Errorf("%s: %d stages", what, n)
				}
			}
		}
	}
	check("from raw data")
	w.keep()
	check("from slices")
	if a := w.lot(LotQuestion{ID: "C"}); a.Sources.DaySlices+a.Sources.HourSlices == 0 || len(a.Findings) > 0 || a.Zone != factory.Zone {
		t.Errorf("sources %+v, findings %v, zone %s", a.Sources, a.Findings, a.Zone)
	}
}

// What cannot be known has no number made up for it.
func TestUnknownEnergyOfLots(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	day := factory.Day(0, 1)
	var text strings.Builder
	fmt.Fprintf(&text, lotLine, "QZ", "quartz", 1000, day.From)
	add := func(id, unit string, from, to telemetry.Instant) {
		fmt.Fprintf(&text, lotLine, id, "wafer", 100, to)
		fmt.Fprintf(&text, strings.Replace(stepLine, `{"lot":%q}]`, `{"lot":%q,"quantity":100}]`, 1), "S"+id, "one", unit, from, to, "QZ", id, 100)
	}
	add("GOES-ON", "ws01", w.now.Add(-time.Hour), w.now.Add(time.Hour))
	add("LATER", "ws01", w.now.Add(time.Hour), w.now.Add(2*time.Hour))
	add("NOBODY", "", day.From, day.To)
	add("STRANGER", "ws99", day.From, day.To)
	add("MOMENT", "", day.From, day.From)
	w.book(w.now.Add(-time.Minute), "%s", text.String())
	for id, want := range map[string]string{
		"GOES-ON": "it goes on after", "LATER": "it begins after", "NOBODY": "it names no unit", "STRANGER": `the unit "ws99"`, "MOMENT": "",
	} {
		a := w.lot(LotQuestion{ID: id})
		told := ""
		for _, f := range a.Findings {
			told += f.Text
		}
		if a.Energy.Total.Unbounded != (want != "") || !strings.Contains(told, want) {
			t.Errorf("%s: %+v, %s", id, a.Energy.Total, told)
		}
		if want == "" && len(a.Findings) > 0 {
			t.Errorf("%s: %v", id, a.Findings)
		}
	}
}

func TestStepsShareAUnit(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	day := factory.Day(0, 1)
	var text strings.Builder
	fmt.Fprintf(&text, lotLine, "QZ", "quartz", 100, day.From)
	before := "QZ"
	for i, id := range []string{"A", "B", "C"} {
		from := day.From.Add(time.Duration(i) * 30 * time.Minute)
		fmt.Fprintf(&text, lotLine, id, "wafer", 100, from)
		fmt.Fprintf(&text, stepLine, "S"+id, "one", "ws03", from, from.Add(time.Hour), before, id, 100)
		before = id
	}
	w.book(w.now.Add(-time.Minute), "%s", text.String())
	found := 0
	for _, f := range w.lot(LotQuestion{ID: "C"}).Findings {
		if f.Code == UnitShared && strings.Contains(f.Text, "overlaps step SA on unit ws03, and 1 more") {
			found++
		}
	}
	if found != 1 {
		t.Errorf("that steps overlap is told %d times", found)
	}
}

// Watts restated by the cell test, and what was known before it.
func TestWattsOfALot(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	day := factory.Day(0, 1)
	lot := `{"lot":"CELLS","kind":"cell","quantity":9850,"unit_of":"pcs","made_at":%q,"wp_nominal":"81262.5"%s}` + "\n"
	w.book(w.now.Add(-2*time.Hour), lotLine+lot+`{"step":"S","stage":"cells","from":%[5]q,"to":%[5]q,"inputs":[{"lot":"QZ"}],"outputs":[{"lot":"CELLS","quantity":9850}],"energy_kwh":800}`,
		"QZ", "quartz", 100, day.From, day.To, "")
	w.book(w.now.Add(-time.Hour), lot, day.To, `,"wp_realised":"80841","why":"cell test"`)
	a := w.lot(LotQuestion{ID: "CELLS"})
	wh := func(v kpi.Value) string { return v.Num.Mul(exact.Int(1000)).Rat().FloatString(9) }
	if a.Nominal == nil || a.Realised == nil || wh(a.Nominal.KWh) != "9.844639286" || wh(a.Realised.KWh) != "9.895968630" {
		t.Errorf("%+v, %+v", a.Nominal, a.Realised)
	}
	before := w.lot(LotQuestion{ID: "CELLS", Asof: w.now.Add(-90 * time.Minute)})
	if before.Realised != nil || wh(before.Nominal.KWh) != "9.844639286" || before.Horizon != w.now.Add(-90*time.Minute) {
		t.Errorf("before the cell test: %+v, %+v", before.Nominal, before.Realised)
	}
	for _, q := range []LotQuestion{{ID: "NONE"}, {ID: "CELLS", Asof: w.now.Add(-3 * time.Hour)}, {ID: "CELLS", Energy: true, Direction: lots.Forward}} {
		if _, err := w.Lot(t.Context(), q); !errors.Is(err, ErrQuestion) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	forward, err := w.Lot(t.Context(), LotQuestion{ID: "QZ", Direction: lots.Forward})
	if err != nil || len(forward.Trace.Relatives) != 1 || forward.Energy != nil {
		t.Errorf("forward: %+v, %v", forward, err)
	}
}

// A register that fell counts at least what it shows: there is no upper bound.
func TestEnergyOfFacts(t *testing.T) {
	f := ledger.Facts{HasEnergy: true, Findings: ledger.Findings(ledger.RegisterLowerBound)}
	f.Sum[ledger.EnergyKnown], f.Sum[ledger.EnergySpan], f.Sum[ledger.Covered] = exact.Int(ledger.MicroWhPerKWh), exact.Int(10), exact.Int(10)
	if m := energyOf(&f, "u"); !m.Unbounded || m.KWh.String() != "1" || !strings.Contains(m.why, "at least this much") {
		t.Errorf("%+v", m)
	}
	f.Findings, f.Sum[ledger.Covered], f.Sum[ledger.EnergyHigh] = 0, exact.Int(5), exact.Int(ledger.MicroWhPerKWh)
	if m := energyOf(&f, "u"); m.Unbounded || m.High.String() != "2" || !strings.Contains(m.why, "50.0 %") {
		t.Errorf("%+v", m)
	}
	if m := energyOf(&ledger.Facts{}, "u"); !m.Unbounded || m.why == "" {
		t.Errorf("%+v", m)
	}
}
