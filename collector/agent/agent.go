// Package agent is the collector's parent process: it owns what must not stop, which is the buffer, the delivery to
// the stores, the loss ledger and the status. Sessions with machines live in workers, which it starts, feeds with what
// is known of their tags, and starts again when they die.
//
//	worker ──▶ intake ──▶ buffer ──▶ forward ──▶ InfluxDB
//	              ▲ ack after fsync
//	heartbeat, ledger ──▶ buffer
package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"kvarts/collector/buffer"
	"kvarts/collector/config"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/uasession"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

// Options of an Agent.
type Options struct {
	File    string // name of the configuration file, for messages
	Text    []byte // its text, as config.Parse accepted it
	Spawn   Spawner
	Log     zerolog.Logger
	Version string
	// CertificateUntil says until when our own certificate is valid, zero when there is none.
	CertificateUntil func() time.Time
	Now              func() telemetry.Instant // nil: telemetry.Now
}

// Agent is one collector. Run it once.
type Agent struct {
	opts    Options
	events  zerolog.Logger
	now     func() telemetry.Instant
	started time.Time

	log        *buffer.Log
	ledger     *ledger
	memories   *memories
	quarantine *quarantine.Store
	forwards   []*destination
	published  published
	samples    atomic.Uint64
	diskFull   atomic.Bool

	group   *errgroup.Group // of everything that Run owns
	running context.Context // ends when Run stops

	mu     sync.Mutex
	cfg    *config.Config
	text   []byte
	crews  []*crew
	states map[string]uasession.ServerState
}

// QuarantineDir is the folder of the quarantine, below the buffer's.
const QuarantineDir = "quarantine"

// New opens the buffer and everything else that lives on disk. The caller must Run the Agent or Close it.
func New(ctx context.Context, o Options) (*Agent, error) {
	cfg, err := config.Parse(o.File, o.Text)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = telemetry.Now
	}
	a := &Agent{opts: o, events: o.Log, now: o.Now, started: time.Now(), cfg: cfg, text: o.Text, states: map[string]uasession.ServerState{},
		published: published{at: map[string]map[string]telemetry.Instant{}}}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Agent) open(ctx context.Context) (err error) {
	policy, err := buffer.ParsePolicy(string(a.cfg.Buffer.Policy))
	if err != nil {
		return err
	}
	names := make([]string, len(a.cfg.Destinations))
	var quarantineBytes int64
	for i, d := range a.cfg.Destinations {
		names[i] = d.Name
		quarantineBytes = max(quarantineBytes, d.QuarantineMaxBytes)
	}
	b := a.cfg.Buffer
	a.log, err = buffer.Open(ctx, buffer.Options{Dir: b.Dir, SegmentBytes: b.SegmentBytes, MaxBytes: b.MaxBytes, MaxAge: b.MaxAge, Policy: policy,
		Retain: b.Retain, SyncInterval: b.SyncInterval, Now: a.now, Destinations: names, OnLoss: a.lost})
	if err != nil {
		return fmt.Errorf("open buffer: %w", err)
	}
	for _, f := range a.log.Recovery().Findings {
		a.events.Warn().Str("buffer", b.Dir).Msg(f)
	}
	a.ledger = &ledger{log: a.log, now: a.now}
	a.memories = &memories{dir: filepath.Join(b.Dir, "tracks"), log: a.log}
	a.quarantine, err = quarantine.Open(quarantine.Options{Dir: filepath.Join(b.Dir, QuarantineDir), MaxBytes: quarantineBytes, OnLoss: a.quarantineLost, Now: a.now})
	if err != nil {
		return fmt.Errorf("open quarantine: %w", err)
	}
	for _, d := range a.cfg.Destinations {
		if err := a.addDestination(d); err != nil {
			return fmt.Errorf("destination %s: %w", d.Name, err)
		}
	}
	return nil
}

// Close releases what New opened. Run does it by itself.
func (a *Agent) Close() error {
	var errs []error
	if a.quarantine != nil {
		errs = append(errs, a.quarantine.Close())
	}
	if a.log != nil {
		errs = append(errs, a.log.Close())
	}
	for _, d := range a.forwards {
		d.client.Close()
	}
	return errors.Join(errs...)
}

// Run collects and delivers until ctx is done, then stops in good order: workers first, so that what they hold is on
// disk, then delivery. It returns an error when the buffer fails; the process should end then and be started again.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.Close()) }()

	delivery, stopDelivery := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivery()
	deliver, delivery := errgroup.WithContext(delivery)
	for _, d := range a.forwards {
		deliver.Go(func() error { return d.fwd.Run(delivery) })
	}

	a.group, a.running = errgroup.WithContext(ctx)
	a.mu.Lock()
	a.addCrew(serverNames(a.cfg))
	a.mu.Unlock()
	a.group.Go(func() error { return a.heartbeat(a.running) })
	a.group.Go(func() error { // delivery that fails for good ends the rest
		select {
		case <-delivery.Done():
			return context.Cause(delivery)
		case <-a.running.Done():
			return nil
		}
	})
	err = a.group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	stopDelivery()
	if derr := deliver.Wait(); derr != nil && !errors.Is(derr, context.Canceled) {
		err = errors.Join(err, derr)
	}
	return err
}

func serverNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Servers))
	for i, s := range cfg.Servers {
		names[i] = s.Name
	}
	slices.Sort(names)
	return names
}

// addCrew starts a crew. a.mu is held.
func (a *Agent) addCrew(servers []string) {
	c := &crew{a: a, servers: servers}
	a.crews = append(a.crews, c)
	a.group.Go(func() error { return c.run(a.running) })
}

// replace puts a crew for each part in the place of c.
func (a *Agent) replace(c *crew, parts ...[]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.crews = slices.DeleteFunc(a.crews, func(o *crew) bool { return o == c })
	for _, p := range parts {
		a.addCrew(p)
	}
}

// setup is what the worker of servers gets.
func (a *Agent) setup(servers []string) worker.Setup {
	a.mu.Lock()
	defer a.mu.Unlock()
	return worker.Setup{File: a.opts.File, Text: a.text, Servers: servers}
}

// recall gathers what is known of servers, for a new worker.
func (a *Agent) recall(ctx context.Context, servers []string) (map[string]*memory, error) {
	known, findings, err := a.memories.recall(ctx, servers)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		a.events.Warn().Msg(f)
	}
	for server, mem := range known {
		for group, at := range mem.resume {
			a.published.note(server, group, at)
		}
		mem.resume = a.published.of(server)
	}
	return known, nil
}

// Reload takes a new configuration text. Servers and their groups change at once, and only they: for the rest it
// returns what needs a restart. A text with mistakes changes nothing.
func (a *Agent) Reload(ctx context.Context, text []byte) (needRestart []string, err error) {
	cfg, err := config.Parse(a.opts.File, text)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	diff := config.Diff(a.cfg, cfg)
	needRestart = diff.Restart
	if len(diff.Destinations) > 0 {
		needRestart = append(needRestart, "destinations")
	}
	// What runs keeps the sections that cannot change while it runs.
	cfg.Buffer, cfg.Destinations, cfg.Status, cfg.PKI, cfg.Collector = a.cfg.Buffer, a.cfg.Destinations, a.cfg.Status, a.cfg.PKI, a.cfg.Collector
	a.cfg, a.text = cfg, text
	want := serverNames(cfg)
	type change struct {
		crew    *crew
		servers []string
	}
	var changes []change
	for _, c := range a.crews {
		keep := slices.DeleteFunc(slices.Clone(c.names()), func(s string) bool { return !slices.Contains(want, s) })
		want = slices.DeleteFunc(want, func(s string) bool { return slices.Contains(keep, s) })
		changes = append(changes, change{c, keep})
	}
	if len(want) > 0 { // new servers join the first crew
		changes[0].servers = slices.Sorted(slices.Values(append(changes[0].servers, want...)))
	}
	for s := range a.states {
		if !slices.Contains(serverNames(cfg), s) {
			delete(a.states, s)
			a.log.Unpin(pinName(s))
		}
	}
	a.mu.Unlock()
	for _, c := range changes {
		if err := c.crew.resetup(ctx, c.servers); err != nil {
			return needRestart, err
		}
	}
	return needRestart, nil
}

// lost ledgers what the buffer gave up or could not read.
func (a *Agent) lost(loss buffer.Loss) {
	a.mu.Lock()
	servers := serverNames(a.cfg)
	a.mu.Unlock()
	for _, g := range gapsOf(loss, servers) {
		if err := a.ledger.gap(g); err != nil {
			// The buffer reports the loss again after a restart, as the ledger's record is not durable.
			a.events.Error().Err(err).Msg("loss could not be ledgered")
		}
	}
}

func (a *Agent) count(samples uint32)  { a.samples.Add(uint64(samples)) }
func (a *Agent) setDiskFull(full bool) { a.diskFull.Store(full) }

func (a *Agent) setStates(states []uasession.ServerState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range states {
		a.states[s.Server] = s
	}
}

// disconnected marks servers whose worker is gone.
func (a *Agent) disconnected(servers []string, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range servers {
		s := a.states[name]
		s.Server, s.Connected, s.State, s.Since, s.Text = name, false, uasession.StateWaiting, time.Now(), why
		a.states[name] = s
	}
}

// serverStates returns the newest state of each configured server, in the order of the configuration.
func (a *Agent) serverStates() ([]uasession.ServerState, *config.Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := maps.Clone(a.states)
	out := make([]uasession.ServerState, len(a.cfg.Servers))
	for i, s := range a.cfg.Servers {
		st, ok := all[s.Name]
		if !ok {
			st = uasession.ServerState{Server: s.Name, State: uasession.StateConnecting, Since: a.started, Text: "starting"}
		}
		out[i] = st
	}
	return out, a.cfg
}
