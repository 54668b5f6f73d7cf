package evidence_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The engine of the embedded store starts these at import and never ends them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// stores are the servers that everything here must work the same on.
func stores() map[string]func(testing.TB) influx.Options {
	all := map[string]func(testing.TB) influx.Options{
		"embedded": embedded,
		"influxd 1.8.10": func(t testing.TB) influx.Options {
			s := peers.Influxd18(t)
			return influx.Options{URL: s.URL, Database: s.Database}
		},
		"influxd 2.9.1": func(t testing.TB) influx.Options {
			s := peers.Influxd2(t)
			return influx.Options{URL: s.URL, Token: s.Token, Org: s.Org, Bucket: s.Bucket}
		},
	}
	if u := os.Getenv("KVARTS_TEST_INFLUX_URL"); u != "" {
		all["KVARTS_TEST_INFLUX_URL"] = func(testing.TB) influx.Options {
			return influx.Options{URL: u, Token: os.Getenv("KVARTS_TEST_INFLUX_TOKEN"), Database: os.Getenv("KVARTS_TEST_INFLUX_DB")}
		}
	}
	return all
}

func embedded(t testing.TB) influx.Options {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return influx.Options{URL: s.URL(), Database: store.DefaultDatabase}
}

func mustClient(t testing.TB, o influx.Options) *influx.Client {
	t.Helper()
	c, err := influx.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// eachStore runs f against an empty database of each server.
func eachStore(t *testing.T, f func(t *testing.T, c *influx.Client)) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) { f(t, mustClient(t, open(t))) })
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// mustWrite stores lines of line protocol.
func mustWrite(t testing.TB, c *influx.Client, lines ...string) {
	t.Helper()
	text := strings.Join(lines, "\n") + "\n"
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if r := c.WriteGzip(within(t, 30*time.Second), [][]byte{b.Bytes()}, strings.Count(text, "\n")); r.Class != influx.OK {
		t.Fatal(r.Err)
	}
}

// at is a time of 2 November 2026 in UTC, or with a date of that month "03T04:05:06".
func at(t testing.TB, s string) telemetry.Instant {
	t.Helper()
	day, clock, ok := strings.Cut(s, "T")
	if !ok {
		day, clock = "02", s
	}
	if strings.Count(clock, ":") == 1 {
		clock += ":00"
	}
	v, err := time.Parse(time.RFC3339Nano, "2026-11-"+day+"T"+clock+"Z")
	if err != nil {
		t.Fatal(err)
	}
	i, _ := telemetry.FromTime(v)
	return i
}

func between(t testing.TB, from, to string) calendar.Interval {
	t.Helper()
	return calendar.Interval{From: at(t, from), To: at(t, to)}
}

// sawModel is a plant of two saws; its parts in angle brackets may be replaced.
const sawModel = `
plant: test
site: here
zone: UTC
areas:
  - {id: wafer}
calendars:
  - name: days
    shifts:
      - {name: day, begin: "08:00", end: "20:00"}
products:
  - {name: M10, watts: 8.25, ideal: {wire_saw: <ideal>}}
  - {name: G12, watts: 11, ideal: {wire_saw: 2}}
stages:
  - {name: wafer, output: wafer, classes: [wire_saw]}
classes:
  - name: wire_saw
    piece: wafer
    namespace: urn:test:saw
    minor_stop: 5m
    hold: 60s
    rated_kw: 150
    roles: {state: state, total: total, scrap: scrap, energy: energy_kwh, power: power_kw, product: recipe, reason: reason_code}
    product_codes: {r1: M10, r2: G12}
    reasons: {7: wire break}
    state_maps:
      - namespace: urn:test:saw
        codes: <codes>
    signals:
      - {name: state, kind: state, node: s=State}
      - {name: total, kind: counter, node: s=Total}
      - {name: scrap, kind: counter, node: s=Scrap}
      - {name: energy_kwh, kind: register, unit: kWh, node: s=Energy, reporting: <register>}
      - {name: power_kw, unit: kW, range: [0, 150], node: s=Power}
      - {name: recipe, kind: text, node: s=Recipe}
      - {name: reason_code, kind: state, node: s=Reason}
units:
  - {id: ws01, class: wire_saw, area: wafer, calendar: days, product: M10, gateway: gw, server: saws, endpoint: "opc.tcp://127.0.0.1:4840"}
  - {id: ws02, class: wire_saw, area: wafer, calendar: days, product: M10, gateway: gw, server: saws2, endpoint: "opc.tcp://127.0.0.1:4841"}
gateways:
  - {name: gw, url: "http://127.0.0.1:8086", database: kvarts, policy: None, mode: None}
`

// model is sawModel with parts replaced: pairs of a name and its text.
func model(t testing.TB, parts ...string) string {
	t.Helper()
	text := sawModel
	for i := 0; i+1 < len(parts); i += 2 {
		text = strings.ReplaceAll(text, "<"+parts[i]+">", parts[i+1])
	}
	text = strings.ReplaceAll(text, "<ideal>", "1.6")
	text = strings.ReplaceAll(text, "<register>", "periodic")
	return strings.ReplaceAll(text, "<codes>", "{0: idle, 1: run, 2: setup, 3: stop}")
}

func mustParse(t testing.TB, text string) *plant.Model {
	t.Helper()
	m, err := plant.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// history is one model that was always in force.
func history(t testing.TB, parts ...string) plant.History {
	t.Helper()
	m := mustParse(t, model(t, parts...))
	return plant.NewHistory(plant.Version{Model: m, Effective: at(t, "01T00:00"), Known: at(t, "01T00:00"), By: "test", Hash: m.Hash})
}

// aliveLines are proofs of life of a unit for all of v.
func aliveLines(unit string, v calendar.Interval) []string {
	var out []string
	for t := v.From.Add(10 * time.Second); t <= v.To; t = t.Add(10 * time.Second) {
		out = append(out, fmt.Sprintf("alive,area=wafer,site=here,unit=%s alive=true %d", unit, t))
	}
	return out
}

// line is a point of a saw.
func line(unit, fields string, t telemetry.Instant) string {
	return fmt.Sprintf("wire_saw,area=wafer,site=here,unit=%s %s %d", unit, fields, t)
}

func mustGather(t testing.TB, c *influx.Client, h plant.History, unit string, w calendar.Interval, horizon telemetry.Instant) (*ledger.Input, *evidence.Provenance) {
	t.Helper()
	in, p, err := evidence.Gather(within(t, 30*time.Second), c, h, unit, w, horizon, horizon)
	if err != nil {
		t.Fatal(err)
	}
	return in, p
}

func mustFacts(t testing.TB, in *ledger.Input, w calendar.Interval) ledger.Facts {
	t.Helper()
	u, err := ledger.New(in)
	if err != nil {
		t.Fatal(err)
	}
	return u.Facts(w)
}
