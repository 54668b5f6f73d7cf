package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"kvarts/collector/agent"
	"kvarts/collector/config"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/status"
	"kvarts/deploy/e2e/oracle"
	"kvarts/deploy/simplant/machine"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/influx"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

// plant is everything that the demo runs.
type plant struct {
	dir      string
	temp     bool // dir is removed at the end
	status   string
	config   string // file
	log      zerolog.Logger
	machines []*simulated
	store    *store.Store
	agent    *agent.Agent
	client   *influx.Client
	begun    telemetry.Instant // when everything was collected
}

// simulated is one machine with its OPC UA server and its own account of what it made.
type simulated struct {
	server  string // name in the configuration
	series  *telemetry.Series
	srv     *uaserver.Server
	runner  *machine.Runner
	logFile *os.File
	targets map[string]oracle.Target
}

func newPlant(o options, out io.Writer) (p *plant, err error) {
	p = &plant{dir: o.dir, log: zerolog.New(zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly, NoColor: true}).Level(zerolog.WarnLevel).With().Timestamp().Logger()}
	if p.dir == "" {
		p.temp = true
		if p.dir, err = os.MkdirTemp("", "kvarts-demo-"); err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.status, err = orFree(o.status); err != nil {
		return nil, err
	}
	addr, err := orFree(o.store)
	if err != nil {
		return nil, err
	}
	p.store, err = store.Open(context.Background(), store.Options{Dir: filepath.Join(p.dir, "store"), Addr: addr, Logger: p.log})
	if err != nil {
		return nil, err
	}
	puller, saw := machine.NewCZPuller(machine.Options{Seed: 1}), machine.NewWireSaw(machine.Options{Seed: 2})
	for _, m := range []struct {
		server, measurement, area, unit string
		machine                         machine.Machine
	}{{"pullers", "cz_puller", "crystal", "cz01", puller}, {"saws", "wire_saw", "wafer", "ws01", saw}} {
		s, err := p.newMachine(m.server, m.measurement, m.area, m.unit, m.machine)
		if err != nil {
			return nil, err
		}
		p.machines = append(p.machines, s)
	}
	text := p.configText()
	p.config = filepath.Join(p.dir, "collector.yaml")
	if err := os.WriteFile(p.config, text, 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	p.agent, err = agent.New(context.Background(), agent.Options{File: p.config, Text: text, Spawn: agent.InProcess{Log: p.log}, Log: p.log, Version: "demo"})
	if err != nil {
		return nil, err
	}
	p.client, err = influx.New(influx.Options{URL: p.store.URL(), Database: store.DefaultDatabase})
	return p, err
}

// orFree returns addr, or the same host with a free port when addr is taken.
func orFree(addr string) (string, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		host, _, herr := net.SplitHostPort(addr)
		if herr != nil {
			return "", fmt.Errorf("address %q: %w", addr, herr)
		}
		if ln, err = lc.Listen(context.Background(), "tcp", net.JoinHostPort(host, "0")); err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
	}
	free := ln.Addr().String()
	return free, ln.Close() // it was only a try
}

func (p *plant) newMachine(server, measurement, area, unit string, m machine.Machine) (*simulated, error) {
	series, err := telemetry.NewSeries(measurement, map[string]string{"site": "demo", "area": area, "unit": unit})
	if err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(p.dir, server+".samples.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("make the machine's log: %w", err)
	}
	s := &simulated{server: server, series: series, logFile: f, targets: map[string]oracle.Target{},
		srv: uaserver.New(uaserver.Options{ApplicationURI: m.URI() + ":server", ProductName: m.Name(), Namespaces: []string{m.URI()}, Log: f})}
	if s.runner, err = machine.Attach(s.srv, m); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for i, v := range s.runner.Variables() {
		sig := m.Signals()[i]
		s.targets[v.ID()] = oracle.Target{Series: series, Field: fieldName(sig), Type: typeOf(sig)}
	}
	if err := s.srv.Start(context.Background()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// One sample of every signal: what a collector finds when it comes to a machine that stands there.
	if _, err := s.runner.Step(time.Now()); err != nil {
		return nil, err
	}
	return s, nil
}

func fieldName(s machine.Signal) string {
	unit := ""
	if s.Unit != nil {
		unit = s.Unit.Name
	}
	return config.FieldName(path.Base(s.Path), unit)
}

// configText is the configuration that a person would write for these machines.
func (p *plant) configText() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "collector: demo\nbuffer:\n  dir: %q\n  max_bytes: 1GiB\npki:\n  dir: %q\nstatus:\n  listen: %q\n", filepath.Join(p.dir, "buffer"), filepath.Join(p.dir, "pki"), p.status)
	fmt.Fprintf(&b, "destinations:\n  - {name: store, url: %q, database: %s}\nservers:\n", p.store.URL(), store.DefaultDatabase)
	for _, m := range p.machines {
		fmt.Fprintf(&b, "  - name: %s\n    endpoint: %q\n    security: {policy: None, mode: None}\n    groups:\n", m.server, m.srv.Endpoint())
		fmt.Fprintf(&b, "      - name: all\n        measurement: %s\n        tags: {site: demo, area: %s, unit: %s}\n        publishing: 500ms\n        sampling: fastest\n        queue: 100\n        nodes:\n",
			m.series.Measurement, m.series.Tag("area"), m.series.Tag("unit"))
		for _, v := range m.runner.Variables() {
			t := m.targets[v.ID()]
			fmt.Fprintf(&b, "          - {id: %q, field: %s, type: %s}\n", v.ID(), t.Field, t.Type)
		}
	}
	return []byte(b.String())
}

// start begins to collect and waits until every tag is subscribed.
func (p *plant) start(ctx context.Context, group *errgroup.Group) error {
	group.Go(func() error { return p.agent.Run(ctx) })
	group.Go(func() error { return status.Serve(ctx, p.status, p.agent) })
	wait, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	for _, m := range p.machines {
		if err := m.srv.WaitMonitored(wait, len(m.targets)); err != nil {
			return fmt.Errorf("wait for the collector to subscribe to %s: %w", m.server, err)
		}
	}
	return p.describe(wait)
}

func (s *simulated) run(ctx context.Context) error { return s.runner.Run(ctx, nil) }

// close stops what runs and removes what was temporary.
func (p *plant) close() {
	if p.client != nil {
		p.client.Close()
	}
	for _, m := range p.machines {
		_ = m.srv.Close() // settle reports an error of the log
		_ = m.logFile.Close()
	}
	if p.store != nil {
		if err := p.store.Close(); err != nil {
			p.log.Error().Err(err).Msg("store not closed in good order")
		}
	}
	if p.temp {
		if err := os.RemoveAll(p.dir); err != nil {
			p.log.Error().Err(err).Msg("temporary folder not removed")
		}
	}
}

// settle compares what the machines made with what the store gives back. Nothing moves any more.
func (p *plant) settle(ctx context.Context) (*books, error) {
	var made []oracle.Sample
	for _, m := range p.machines {
		samples, err := m.account()
		if err != nil {
			return nil, err
		}
		made = append(made, samples...)
	}
	q, err := quarantine.Open(quarantine.Options{Dir: filepath.Join(p.dir, "buffer", agent.QuarantineDir)})
	if err != nil {
		return nil, err
	}
	aside, err := q.List(quarantine.Filter{})
	if err = errors.Join(err, q.Close()); err != nil {
		return nil, err
	}
	account, err := oracle.Settle(ctx, made, p.client, aside)
	if err != nil {
		return nil, err
	}
	return &books{Account: *account}, nil
}

// drain waits until the collector has taken as many samples as were made and delivered them all.
func (p *plant) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	for {
		var made uint64
		for _, m := range p.machines {
			made += m.srv.GeneratedCount() - m.srv.Filtered()[uaserver.CauseUnchanged]
		}
		v := p.agent.View()
		waiting := uint64(0)
		for _, d := range v.Destinations {
			waiting += d.Records
		}
		if v.Samples >= made && waiting == 0 {
			return
		}
		select {
		case <-ctx.Done(): // the books will say what is missing
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// account ends the machine's server and reads its log.
func (s *simulated) account() (samples []oracle.Sample, err error) {
	if err := s.srv.Close(); err != nil {
		return nil, fmt.Errorf("close %s: %w", s.server, err)
	}
	f, err := os.Open(s.logFile.Name())
	if err != nil {
		return nil, fmt.Errorf("open the machine's log: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return oracle.ReadLog(f, s.server, s.targets)
}
