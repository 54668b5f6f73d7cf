package areas_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"kvarts/collector/agent"
	"kvarts/collector/forward/quarantine"
	"kvarts/deploy/e2e/oracle"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const small = `
plant: small
site: small
zone: Asia/Almaty
areas: [{id: hot}, {id: cold}]
calendars:
  - name: always
    shifts: [{name: day, begin: "00:00", end: "24:00"}]
products:
  - {name: p, ideal: {press: 1}}
classes:
  - name: press
    piece: piece
    hold: 1m
    namespace: urn:test:press
    node: "s={unit}.{signal}"
    sampling: fastest
    roles: {state: state, total: total, good: good, energy: energy_kwh, power: power_kw}
    state_maps: [{codes: {0: idle, 1: run, 3: {category: stop, reason: jam}}}]
    signals:
      - {name: state, kind: state}
      - {name: phase, kind: state, description: "Open, Close, Press"}
      - {name: total, kind: counter}
      - {name: good, kind: counter}
      - {name: energy_kwh, kind: register, unit: kWh, sampling: 200ms}
      - {name: power_kw, unit: kW, source_unit: MW, range: [0, 200], sampling: 200ms}
      - {name: oil_c, unit: °C, source_unit: K, range: [0, 100], sampling: 200ms}
      - {name: gap_mm, unit: mm, range: [0, 10], sampling: 200ms}
      - {name: force_n, unit: N, type: int, range: [0, 1000], sampling: 200ms}
      - {name: recipe, kind: text}
      - {name: lab_c, unit: "%", node: none}
units:
  - {id: "a{n}", count: 2, class: press, area: hot, calendar: always, product: p, gateway: g, server: hot, endpoint: "opc.tcp://127.0.0.1:1"}
  - {id: b1, class: press, area: cold, calendar: always, product: p, gateway: g, server: cold, endpoint: "opc.tcp://127.0.0.1:2"}
gateways:
  - {name: g, url: "http://127.0.0.1:1", database: kvarts}
`

// press makes a piece every 100 ms.
type press struct{}

func (press) Run(u *world.Unit) {
	u.Hazards(world.Hazard{Category: plant.Stop, Reason: "jam", Every: 2 * time.Second, Lasts: 300 * time.Millisecond})
	u.State(plant.Run, "")
	u.Load(120, 0.5)
	for n := 0; ; n++ {
		u.Set("phase", float64(n%3))
		u.Make(10, 10, 0.5)
	}
}

func model(t testing.TB) *plant.Model {
	t.Helper()
	m, err := plant.Parse("small.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serve starts a small plant whose servers keep logs.
func serve(t *testing.T, o areas.Options) (*areas.Plant, map[string]*bytes.Buffer) {
	t.Helper()
	logs := map[string]*bytes.Buffer{}
	var err error
	o.World, err = world.New(world.Options{Model: model(t), Seed: 1, Start: telemetry.Now(), Process: func(*world.Unit) world.Process { return press{} }})
	if err != nil {
		t.Fatal(err)
	}
	o.Log = func(server string) io.Writer {
		logs[server] = &bytes.Buffer{}
		return logs[server]
	}
	p, err := areas.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, logs
}

// collecting is a collector with its store.
type collecting struct {
	agent  *agent.Agent
	client *influx.Client
	dir    string
}

// collect lets a real collector collect p for as long as ctx.
func collect(ctx context.Context, t *testing.T, p *areas.Plant, group *errgroup.Group) *collecting {
	t.Helper()
	c := &collecting{dir: t.TempDir()}
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)
	s, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(c.dir, "store"), Addr: "127.0.0.1:0", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := p.CollectorConfig(areas.Collector{URL: s.URL(), Database: store.DefaultDatabase, Dir: c.dir})
	if err != nil {
		t.Fatal(err)
	}
	c.agent, err = agent.New(t.Context(), agent.Options{File: filepath.Join(c.dir, "collector.yaml"), Text: text, Spawn: agent.InProcess{Log: log}, Log: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if c.client, err = influx.New(influx.Options{URL: s.URL(), Database: store.DefaultDatabase}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	group.Go(func() error { return c.agent.Run(ctx) })
	for _, s := range p.Servers() {
		if err := s.UA.WaitMonitored(ctx, len(s.Targets)); err != nil {
			t.Fatalf("the collector does not come to %s: %v", s.Name, err)
		}
	}
	return c
}

// settle compares what the machines made with what is stored, when all of it is.
func (c *collecting) settle(t *testing.T, p *areas.Plant, logs map[string]*bytes.Buffer) *oracle.Account {
	t.Helper()
	q, err := quarantine.Open(quarantine.Options{Dir: filepath.Join(c.dir, "buffer", agent.QuarantineDir)})
	if err != nil {
		t.Fatal(err)
	}
	aside, err := q.List(quarantine.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	var made []oracle.Sample
	for _, s := range p.Servers() {
		if err := s.UA.FlushLog(); err != nil {
			t.Fatal(err)
		}
		samples, err := oracle.ReadLog(bytes.NewReader(logs[s.Name].Bytes()), s.Name, targets(t, s))
		if err != nil {
			t.Fatal(err)
		}
		for i := range samples {
			samples[i].Value = byName(s, samples[i].Series.Tag("unit"), samples[i].Field).Stored(samples[i].Value)
		}
		made = append(made, samples...)
	}
	account, err := oracle.Settle(t.Context(), made, c.client, aside)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// targets are where a server's values belong.
func targets(t *testing.T, s *areas.Server) map[string]oracle.Target {
	t.Helper()
	out := map[string]oracle.Target{}
	for node, target := range s.Targets {
		u := target.Unit
		series, err := telemetry.NewSeries(u.Class.Name, map[string]string{"site": "small", "area": u.Area, "unit": u.ID})
		if err != nil {
			t.Fatal(err)
		}
		typ, _ := telemetry.ParseType(string(target.Signal.Type))
		out[node] = oracle.Target{Series: series, Field: target.Signal.Name, Type: typ}
	}
	return out
}

func byName(s *areas.Server, unit, signal string) *areas.Target {
	for _, t := range s.Targets {
		if t.Unit.ID == unit && t.Signal.Name == signal {
			return &t
		}
	}
	return nil
}

// drained says that the collector has delivered all that the servers gave it.
func (c *collecting) drained(p *areas.Plant) bool {
	made := uint64(0)
	for _, s := range p.Servers() {
		kept := s.UA.Filtered()
		made += s.UA.GeneratedCount() - kept[uaserver.CauseUnchanged] - kept[uaserver.CauseSampling]
	}
	v := c.agent.View()
	for _, d := range v.Destinations {
		if d.Records > 0 {
			return false
		}
	}
	return v.Samples >= made
}

func TestCollectorGetsAllOfIt(t *testing.T) {
	p, logs := serve(t, areas.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	group, gctx := errgroup.WithContext(ctx)
	c := collect(gctx, t, p, group)
	run, stop := context.WithTimeout(gctx, 3*time.Second)
	defer stop()
	if err := p.Run(run, nil); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, func() bool { return c.drained(p) })
	account := c.settle(t, p, logs)
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if !account.Balanced() || account.Stored < 200 || account.Ledgered+account.Quarantined > 0 {
		t.Errorf("%+v", *account)
	}
}

// await waits until ok.
func await(ctx context.Context, t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Error("waited in vain")
			return
		case <-tick.C:
		}
	}
}
