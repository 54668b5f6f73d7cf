// Package factory makes what a small plant records in some days, the same every time: two wire saws and a washer in a line, a
// third saw beside it, a compressor that all of them share, with everything that makes a figure hard to compute: minor and
// long stops, a night in which nobody sees the line, a counter that begins again at zero, readings that straddle every
// border, a register that is read seldom, a unit that is not scheduled at weekends.
//
// It is a set-up of tests: historian/answer and historian/keeper compute its figures from raw data and from slices.
package factory

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

// Units of the plant, those of Line first, in the order of its steps; the last is only a meter.
func Units() []string { return []string{"ws01", "ws02", "wc01", "ws03", "co01"} }

// Line is the plant's only one: ws01 and ws02, then wc01.
const Line = "L1"

// Zone is the plant's.
const Zone = "Asia/Almaty"

// model is the plant file; {ideal} is the saws' ideal cycle.
const model = `
plant: factory
site: test
zone: Asia/Almaty
areas:
  - {id: wafer}
  - {id: supply}
calendars:
  - name: two-shifts
    day_start: "08:00"
    shifts:
      - {name: day, begin: "08:00", end: "20:15"}
      - {name: night, begin: "20:00", end: "08:15"}
    planned_stops:
      - {name: cleaning, reason: weekly cleaning, begin: "10:00", end: "10:40", days: [tue]}
  - name: weekdays
    day_start: "08:00"
    shifts:
      - {name: day, begin: "08:00", end: "20:00", days: [mon, tue, wed, thu, fri]}
products:
  - {name: M10, watts: 8.25, ideal: {wire_saw: {ideal}, washer: 0.7}}
stages:
  - {name: wafer, output: wafer, classes: [wire_saw, washer], good_at: washer}
classes:
  - name: wire_saw
    piece: wafer
    minor_stop: 4m
    rated_kw: 150
    hold: 5m
    roles: {state: state, total: total, scrap: scrap, energy: energy_kwh, power: power_kw}
    state_maps:
      - codes: {0: idle, 1: run, 2: setup, 3: {category: stop, reason: wire break}, 4: {category: stop, reason: fault}}
    signals:
      - {name: state, kind: state}
      - {name: total, kind: counter}
      - {name: scrap, kind: counter}
      - {name: energy_kwh, kind: register, unit: kWh, reporting: periodic}
      - {name: power_kw, unit: kW, range: [0, 150]}
  - name: washer
    piece: wafer
    minor_stop: 2m
    rated_kw: 40
    roles: {state: state, total: total, good: good, energy: energy_kwh}
    state_maps:
      - codes: {0: idle, 1: run, 2: setup, 3: stop, 4: stop}
    signals:
      - {name: state, kind: state}
      - {name: total, kind: counter}
      - {name: good, kind: counter, reporting: periodic}
      - {name: energy_kwh, kind: register, unit: kWh, reporting: periodic}
  - name: meter
    roles: {energy: energy_kwh}
    signals:
      - {name: energy_kwh, kind: register, unit: kWh, reporting: periodic}
units:
  - {id: ws01, class: wire_saw, area: wafer, calendar: two-shifts, product: M10}
  - {id: ws02, class: wire_saw, area: wafer, calendar: two-shifts, product: M10}
  - {id: ws03, class: wire_saw, area: wafer, calendar: weekdays, product: M10}
  - {id: wc01, class: washer, area: wafer, calendar: two-shifts, product: M10}
  - {id: co01, class: meter, area: supply, calendar: two-shifts}
lines:
  - id: L1
    area: wafer
    product: M10
    steps:
      - {name: sawing, units: [ws01, ws02]}
      - {name: washing, units: [wc01]}
    out: wc01
meters:
  - {id: co01, kind: shared, units: [ws01, ws02, ws03, wc01], key: run_hours}
`

// Model is the plant file with an ideal cycle of the saws, in seconds.
func Model(ideal string) []byte {
	return bytes.ReplaceAll([]byte(model), []byte("{ideal}"), []byte(ideal))
}

// Begin is the begin of a plant day, a Monday.
func Begin() telemetry.Instant {
	loc, err := calendar.Zone(Zone)
	if err != nil {
		panic(err)
	}
	return calendar.Local(loc, calendar.Date{Year: 2026, Month: time.November, Day: 2}, calendar.Clock(8*time.Hour))
}

// Day is v days, counted from Begin, up to another.
func Day(from, to int) calendar.Interval {
	day := func(n int) telemetry.Instant { return Begin().Add(time.Duration(n) * 24 * time.Hour) }
	return calendar.Interval{From: day(from), To: day(to)}
}

// machine is one unit while its record is made.
type machine struct {
	rng        *rand.Rand
	key        string // series key
	unit       string
	class      string
	state      int
	until      telemetry.Instant // of the state
	total, bad float64
	energy     float64
	lines      []byte
	n          int
}

// step is the grid on which machines go on.
const step = 10 * time.Second

// Record is what unit recorded in v, as line protocol. It begins anew, so it is the same only for the same v.
func Record(unit string, v calendar.Interval) (lines []byte, n int) {
	m := &machine{rng: rand.New(rand.NewPCG(7, uint64(unit[len(unit)-1])+uint64(unit[1])<<8)), unit: unit, class: classOf(unit), energy: 1000}
	m.key = fmt.Sprintf("%s,area=%s,line=%s,site=test,unit=%s", m.class, areaOf(unit), Line, unit)
	if unit == "ws03" || unit == "co01" {
		m.key = fmt.Sprintf("%s,area=%s,site=test,unit=%s", m.class, areaOf(unit), unit)
	}
	for t := v.From; t < v.To; t = t.Add(step) {
		m.step(t, t.Sub(v.From))
	}
	return m.lines, m.n
}

func classOf(unit string) string {
	switch unit[:2] {
	case "ws":
		return "wire_saw"
	case "wc":
		return "washer"
	default:
		return "meter"
	}
}

func areaOf(unit string) string {
	if unit == "co01" {
		return "supply"
	}
	return "wafer"
}

// point adds a line of the machine's own series.
func (m *machine) point(t telemetry.Instant, format string, args ...any) {
	m.lines = fmt.Appendf(m.lines, m.key+" "+format, args...)
	m.lines = fmt.Appendf(m.lines, " %d\n", t)
	m.n++
}

// step goes on to t, so long after the begin.
func (m *machine) step(t telemetry.Instant, since time.Duration) {
	kw := 20.0
	if m.class == "meter" {
		m.energy += (30 + 5*m.rng.Float64()) * step.Hours()
	} else {
		kw = m.work(t)
		m.energy += kw * step.Hours()
	}
	if !unseen(m.unit, since) {
		m.lines = fmt.Appendf(m.lines, "alive,area=%s,site=test,unit=%s alive=true %d\n", areaOf(m.unit), m.unit, t.Add(step))
		m.n++
	}
	minute := since % time.Minute
	if minute == 0 && m.class == "wire_saw" {
		m.point(t.Add(300*time.Millisecond), "power_kw=%.2f", kw)
	}
	if since%(7*time.Minute) == 0 && !unseen(m.unit, since) {
		m.point(t.Add(1100*time.Millisecond), "energy_kwh=%.3f", m.energy)
	}
	if since%(3*time.Minute) == 2*time.Minute+50*time.Second {
		m.count(t, since)
	}
}

// unseen is the time of the night in which no gateway sees the line.
func unseen(unit string, since time.Duration) bool {
	return unit != "ws03" && since > 17*time.Hour && since < 18*time.Hour+25*time.Minute
}

// work is ten seconds of a machine; it gives the power in kW.
func (m *machine) work(t telemetry.Instant) float64 {
	if t >= m.until {
		m.state = []int{1, 1, 1, 3, 1, 4, 2, 0}[m.rng.IntN(8)]
		length := time.Duration(m.rng.IntN(40)+5) * time.Minute
		if m.state != 1 {
			length = time.Duration(m.rng.IntN(900)+20) * time.Second
		}
		m.until = t.Add(length)
		m.point(t.Add(time.Duration(m.rng.IntN(9000))*time.Millisecond), "state=%di", m.state)
	}
	if m.state != 1 {
		return 8
	}
	made := step.Seconds() / 1.5 * (0.8 + 0.15*m.rng.Float64())
	m.total += made
	m.bad += made * 0.02 * m.rng.Float64()
	return 90 + 20*m.rng.Float64()
}

// count reports the counters. Once the machine's are set back to zero.
func (m *machine) count(t telemetry.Instant, since time.Duration) {
	if m.class == "meter" || unseen(m.unit, since) {
		return
	}
	if m.unit == "ws02" && since > 9*time.Hour && since < 9*time.Hour+3*time.Minute {
		m.total, m.bad = 0, 0
	}
	at := t.Add(time.Duration(m.rng.IntN(9000)) * time.Millisecond)
	if m.class == "washer" {
		m.point(at, "total=%di,good=%di", int64(m.total), int64(m.total)-int64(m.bad))
		return
	}
	m.point(at, "total=%di,scrap=%di", int64(m.total), int64(m.bad))
}

// Write stores line protocol.
func Write(tb testing.TB, client *influx.Client, lines []byte, n int) {
	tb.Helper()
	if err := client.WriteLines(context.Background(), lines, n); err != nil {
		tb.Fatal(err)
	}
}

// Fill applies the model from before the begin on and stores what all units recorded in v.
func Fill(tb testing.TB, client *influx.Client, v calendar.Interval) {
	tb.Helper()
	effective := Begin().Add(-30 * 24 * time.Hour)
	if err := evidence.ApplyModel(context.Background(), client, Model("1.5"), effective, effective, "test", "first model"); err != nil {
		tb.Fatal(err)
	}
	for _, u := range Units() {
		lines, n := Record(u, v)
		Write(tb, client, lines, n)
	}
}

// Embedded is an empty embedded store.
func Embedded(tb testing.TB) *influx.Client {
	tb.Helper()
	s, err := store.Open(context.Background(), store.Options{Dir: tb.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return Client(tb, influx.Options{URL: s.URL(), Database: store.DefaultDatabase})
}

// Client is one that is closed with the test.
func Client(tb testing.TB, o influx.Options) *influx.Client {
	tb.Helper()
	c, err := influx.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// Dense is what a busy unit records in v: a state every two minutes, counters, register and proof of life every ten seconds,
// nothing odd. It is for measurements.
func Dense(unit string, v calendar.Interval) (lines []byte, n int) {
	rng := rand.New(rand.NewPCG(7, 7))
	m := &machine{key: fmt.Sprintf("%s,area=wafer,site=test,unit=%s", classOf(unit), unit), unit: unit, class: classOf(unit)}
	for t := v.From; t < v.To; t = t.Add(step) {
		since := t.Sub(v.From)
		if since%(2*time.Minute) == 0 {
			m.state = []int{1, 1, 1, 1, 3, 2}[rng.IntN(6)]
			m.point(t.Add(100*time.Millisecond), "state=%di", m.state)
		}
		if m.state == 1 {
			m.total, m.bad = m.total+5, m.bad+0.1
		}
		m.energy += 100 * step.Hours()
		second := "scrap"
		if m.class == "washer" {
			second, m.bad = "good", m.total
		}
		m.point(t.Add(1700*time.Millisecond), "total=%di,%s=%di,energy_kwh=%.3f", int64(m.total), second, int64(m.bad), m.energy)
		m.lines = fmt.Appendf(m.lines, "alive,area=wafer,site=test,unit=%s alive=true %d\n", unit, t.Add(step))
		m.n++
	}
	return m.lines, m.n
}
