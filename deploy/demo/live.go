package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"kvarts/collector/agent"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/status"
	"kvarts/deploy/e2e/oracle"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

// live is the plant as OPC UA servers, and who collects it.
type live struct {
	demo   *demo
	plant  *areas.Plant
	logs   *logs
	agent  *agent.Agent
	config string            // file
	begun  telemetry.Instant // when the past ended
	stop   func() error      // ends the collector; the error is of the first time
	over   <-chan struct{}   // the collector has ended
}

// goLive puts servers before the plant as it is now.
func goLive(d *demo) (l *live, err error) {
	l = &live{demo: d, logs: &logs{dir: d.work, files: map[string]*recent{}}, begun: d.past.world.Now(), stop: func() error { return nil }}
	if l.plant, err = areas.New(areas.Options{World: d.past.world, Observer: d.past.watch(world.Observer{}), Log: l.logs.of}); err != nil {
		return l, err
	}
	if err := errors.Join(l.logs.err, l.plant.Start(context.Background())); err != nil {
		return l, err
	}
	text, err := l.plant.CollectorConfig(areas.Collector{URL: d.store.url, Database: store.DefaultDatabase, Dir: d.work, Status: d.status})
	if err != nil {
		return l, err
	}
	l.config = filepath.Join(d.work, "collector.yaml")
	if err := os.WriteFile(l.config, text, 0o600); err != nil {
		return l, fmt.Errorf("write configuration: %w", err)
	}
	l.agent, err = agent.New(context.Background(), agent.Options{File: l.config, Text: text, Spawn: agent.InProcess{Log: d.log}, Log: d.log, Version: "demo"})
	return l, err
}

// close ends collector, servers and world.
func (l *live) close() error {
	if l.plant == nil {
		l.demo.past.world.Close()
		return nil
	}
	return errors.Join(l.stop(), l.plant.Close(), l.logs.close())
}

// settleWait bounds how long one waits for what is under way.
const settleWait = 20 * time.Second

// collect begins to collect, until path ends, and waits until every tag is subscribed, or ctx ends.
func (l *live) collect(ctx, path context.Context, group *errgroup.Group) error {
	group.Go(func() error { return l.agent.Run(path) })
	group.Go(func() error { return status.Serve(path, l.demo.status, l.agent) })
	wait, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	defer context.AfterFunc(path, cancel)()
	for _, s := range l.plant.Servers() {
		if err := s.UA.WaitMonitored(wait, len(s.Targets)); err != nil {
			return fmt.Errorf("wait for the collector to subscribe to %s: %w", s.Name, err)
		}
	}
	return nil
}

// drain waits until the collector has taken what was made, as far as the servers gave it, and delivered it all.
func (l *live) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	quiet, last := 0, uint64(0)
	for quiet < 20 { // a second without a new sample, nothing waits and every server is there
		v := l.agent.View()
		waiting := uint64(0)
		for _, d := range v.Destinations {
			waiting += d.Records
		}
		away := slices.ContainsFunc(v.Servers, func(s status.Server) bool { return !s.Connected })
		if quiet++; v.Samples != last || waiting > 0 || away {
			quiet, last = 0, v.Samples
		}
		if !rest(ctx, 50*time.Millisecond) {
			return // the books will say what is missing
		}
	}
}

// account settles the books of the live part as far back as the logs go, and says since when. Nothing moves any more.
func (l *live) account(ctx context.Context) (*oracle.Account, telemetry.Instant, error) {
	var made []oracle.Sample
	since := l.begun
	for _, s := range l.plant.Servers() {
		samples, err := l.samplesOf(s)
		if err != nil {
			return nil, 0, err
		}
		if l.logs.files[s.Name].lost && len(samples) > 0 { // what was forgotten may reach into the moment of the first
			since = max(since, samples[0].Tick.Instant()+telemetry.SubTicks)
		}
		made = append(made, samples...)
	}
	made = slices.DeleteFunc(made, func(s oracle.Sample) bool { return s.Tick.Instant() < since })
	q, err := quarantine.Open(quarantine.Options{Dir: filepath.Join(l.demo.work, "buffer", agent.QuarantineDir)})
	if err != nil {
		return nil, 0, err
	}
	aside, err := q.List(quarantine.Filter{})
	if err = errors.Join(err, q.Close()); err != nil {
		return nil, 0, err
	}
	a, err := oracle.SettleSince(ctx, since, made, l.demo.client, aside)
	return a, since, err
}

// samplesOf ends a server and reads what it made.
func (l *live) samplesOf(s *areas.Server) (samples []oracle.Sample, err error) {
	if err := s.UA.Close(); err != nil {
		return nil, fmt.Errorf("close %s: %w", s.Name, err)
	}
	p, targets := l.demo.past, map[string]oracle.Target{}
	for id, t := range s.Targets {
		u, _ := p.world.Unit(t.Unit.ID) // the servers show this world
		targets[id] = oracle.Target{Series: p.words.series[u], Field: t.Signal.Name, Type: typeOf(t.Signal)}
	}
	err = l.logs.files[s.Name].read(func(r io.Reader) error {
		samples, err = oracle.ReadLog(r, s.Name, targets)
		return err
	})
	return samples, err
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
