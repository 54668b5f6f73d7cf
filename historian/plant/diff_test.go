package plant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const diffBase = `
plant: p
site: s
zone: Asia/Almaty
areas: [{id: a}, {id: b}]
calendars:
  - name: c
    day_start: "08:00"
    shifts: [{name: day, begin: "08:00", end: "20:00"}]
    planned_stops:
      - {name: cleaning, begin: "08:00", end: "10:00", days: [mon]}
      - {name: overhaul, once: {from: 2026-07-01, to: 2026-07-08}}
    holidays: [{name: New Year, date: 2026-01-01}]
products:
  - {name: M10, watts: 8.25, ideal: {wire_saw: 1.6}}
  - {name: M6, ideal: {wire_saw: 1}}
stages:
  - {name: wafer, output: wafer, classes: [wire_saw]}
classes:
  - name: wire_saw
    piece: wafer
    hold: 60s
    rated_kw: 120
    minor_stop: 2m
    roles: {state: state, total: wafers, energy: energy_kwh, power: power_kw}
    state_maps: [{codes: {1: run, 2: stop}}]
    signals:
      - {name: state, kind: state}
      - {name: wafers, kind: counter}
      - {name: energy_kwh, kind: register, unit: kWh}
      - {name: power_kw, unit: kW, range: [0, 120]}
  - name: plc
    node: "s={unit}.{n}.{signal}"
    signals:
      - {name: power_kw, unit: kW, source_unit: W, deadband: 1%}
      - {name: heat_kw, node: nsu=urn:other;i=7}
      - {name: lab_ppm, node: none}
units:
  - {id: "SAW-{n}", count: 3, class: wire_saw, area: a, calendar: c, product: M10}
  - {id: EM, class: wire_saw, area: a, calendar: c, product: M10}
lines:
  - {id: L, product: M10, steps: [{name: cut, units: ["SAW-*"]}], out: SAW-1}
meters:
  - {id: EM, units: ["SAW-*"], key: run_hours}
limits:
  - {name: x, class: wire_saw, kpi: oee, below: 0.6, text: look}
`

func parse(t *testing.T, text string) *Model {
	t.Helper()
	m, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string // old becomes new
		want           []string
	}{
		{"nothing", "", "", nil},
		{"a date", "ideal: {wire_saw: 1.6}", "ideal: {wire_saw: [{value: 1.6}, {from: 2026-12-01, value: 1.5}]}",
			[]string{"product M10: ideal of wire_saw from 1.6 to 1.5 s from 2026-12-01"}},
		{"since ever", "watts: 8.25", "watts: 8.37", []string{"product M10: watts from 8.25 to 8.37 W"}},
		{"a fraction", "watts: 8.25", "watts: 25/3", []string{"product M10: watts from 8.25 to 25/3 W"}},
		{"a value goes", "watts: 8.25, ", "", []string{"product M10: watts is no longer said (was 8.25 W)"}},
		{"a value comes", "{name: M6,", "{name: M6, watts: 4.5,", []string{"product M6: watts is now 4.5 W"}},
		{"two dates", "rated_kw: 120", "rated_kw: [{value: 120}, {from: 2026-12-01, value: 130}, {from: 2027-01-01T06:00:00, value: 140}]",
			[]string{"class wire_saw: rated power from 120 to 130 kW from 2026-12-01", "class wire_saw: rated power from 120 to 140 kW from 2027-01-01T06:00:00+05:00"}},
		{"a part comes", "{name: M6,", "{name: M12}\n  - {name: M6,", []string{"product M12: is new"}},
		{"a part goes", "  - {name: M6, ideal: {wire_saw: 1}}\n", "", []string{"product M6: is gone"}},
		{"more units", "count: 3", "count: 4", []string{"unit SAW-4: is new", "line L: step cut units now with SAW-4", "meter EM: units now with SAW-4"}},
		{"other units", `units: ["SAW-*"], key`, "units: [SAW-3, SAW-1], key", []string{"meter EM: units without SAW-2"}},
		{"units in another order", `units: ["SAW-*"], key`, "units: [SAW-3, SAW-1, SAW-2], key", []string{"meter EM: units in another order"}},
		{"units together", "count: 3, class: wire_saw, area: a", "count: 3, class: wire_saw, area: b", []string{"unit SAW-1, SAW-2, SAW-3: area from a to b"}},
		{"one unit", "count: 3,", "count: 3, overrides: {SAW-2: {rated_kw: 90}},", []string{"unit SAW-2: rated power is now 90 kW"}},
		{"a state", "2: stop", "2: {category: planned, reason: service}, 3: PRD",
			[]string{"class wire_saw: state 2 from stop to planned (service)", "class wire_saw: state 3 is now run"}},
		{"a shift", `begin: "08:00"`, `begin: "07:00"`, []string{"calendar c: shift 1 day from 08:00 to 20:00 to 07:00 to 20:00"}},
		{"a stop", "days: [mon]", "days: [mon, thu], from: 2026-12-01", []string{"calendar c: planned stop 1 cleaning from 08:00 to 10:00 Mon to 08:00 to 10:00 Mon Thu from 2026-12-01"}},
		{"a crew", `end: "20:00"}`, `end: "20:00", until: 2027-01-01, cycle: {anchor: 2026-01-01, length: 8, on: [0, 1]}}`,
			[]string{"calendar c: shift 1 day from 08:00 to 20:00 to 08:00 to 20:00, days [0 1] of 8 from 2026-01-01 until 2027-01-01"}},
		{"a holiday", "date: 2026-01-01", "date: 2026-01-02", []string{"calendar c: holiday 2026-01-01 is no longer said (was free New Year)", "calendar c: holiday 2026-01-02 is now free New Year"}},
		{"the plant day", `day_start: "08:00"`, `day_start: [{value: "08:00"}, {from: 2027-01-01, value: "06:00"}]`, []string{"calendar c: plant day from 2027-01-01 is now 06:00"}},
		{"a node", "i=7", "i=8", []string{"signal plc.heat_kw: node from nsu=urn:other;i=7 to nsu=urn:other;i=8"}},
		{"a key", "key: run_hours", "key: [{value: run_hours}, {from: 2026-12-01, value: {kind: shares, shares: {SAW-1: 2, SAW-2: 1, SAW-3: 1}}}]",
			[]string{"meter EM: key from run_hours to shares SAW-1 2 SAW-2 1 SAW-3 1 from 2026-12-01"}},
		{"a signal", "kind: counter", "kind: counter, counter: {rule: rollover, modulus: 65536}", []string{"signal wire_saw.wafers: counting from reset to rollover, modulus 65536"}},
		{"a range", "[0, 120]", "[0, 150]", []string{"signal wire_saw.power_kw: range from 0 to 120 to 0 to 150"}},
		{"a limit", "below: 0.6", "below: 0.65, for: 8h", []string{"limit x: below from 0.6 to 0.65", "limit x: for from 0s to 8h"}},
		{"the zone", "zone: Asia/Almaty", "zone: Europe/Berlin", []string{"plant: zone from Asia/Almaty to Europe/Berlin"}},
		{"a comment", "site: s", "site: s # the same", nil},
	} {
		if !strings.Contains(diffBase, tt.old) {
			t.Fatalf("%s: the base has no %q", tt.name, tt.old)
		}
		var got []string
		for _, c := range Diff(parse(t, diffBase), parse(t, strings.Replace(diffBase, tt.old, tt.new, 1))) {
			got = append(got, c.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDiffOfManyUnits(t *testing.T) {
	was := parse(t, strings.Replace(diffBase, "count: 3", "count: 30", 1))
	is := parse(t, strings.Replace(strings.Replace(diffBase, "count: 3", "count: 30", 1), "count: 30, class: wire_saw, area: a", "count: 30, class: wire_saw, area: b", 1))
	got := Diff(was, is)
	if len(got) != 1 || got[0].String() != "unit SAW-1 … SAW-30 (30): area from a to b" || len(got[0].Also) != 29 {
		t.Errorf("%v", got)
	}
}
