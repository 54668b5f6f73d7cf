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
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"kvarts/collector/buffer"
	"kvarts/collector/config"
	"kvarts/collector/forward"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/uasession"
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

	fs buffer.FS // of the buffer; nil: the real disk
}

// Agent is one collector. Run it once.
type Agent struct {
	opts     Options
	events   zerolog.Logger
	now      func() telemetry.Instant
	started  time.Time
	patience time.Duration // with workers that were asked to stop

	log        *buffer.Log
	ledger     *ledger
	memories   *memories
	quarantine *quarantine.Store
	forwards   []*destination
	published  published
	heirlooms  heirlooms
	troubles   troubles
	samples    atomic.Uint64
	holding    atomic.Int32 // how many wait for room on the disk
	lossHeld   atomic.Bool  // a loss that the buffer reports waits for room on the disk

	mu       sync.Mutex // guards what is below, and is taken before a crew's
	group    *errgroup.Group
	running  context.Context // ends when Run stops; nil before Run
	stopping bool
	cfg      *config.Config
	text     []byte
	version  uint64 // of cfg, text and of who has which servers: grows with each change
	crews    []*crew
	states   map[string]uasession.ServerState
}

// QuarantineDir is the folder of the quarantine, below the buffer's.
const QuarantineDir = "quarantine"

// deliveryGrace is how long a stop waits for stores that are taking data to get the rest. What they do not get by then
// is delivered after the next start.
const deliveryGrace = 3 * time.Second

// New opens the buffer and everything else that lives on disk. The caller must Run the Agent or Close it.
func New(ctx context.Context, o Options) (*Agent, error) {
	cfg, err := config.Parse(o.File, o.Text)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = telemetry.Now
	}
	a := &Agent{opts: o, events: o.Log, now: o.Now, started: time.Now(), patience: killAfter, cfg: cfg, text: o.Text, version: 1, states: map[string]uasession.ServerState{}}
	a.troubles.events = o.Log
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
		Retain: b.Retain, SyncInterval: b.SyncInterval, Now: a.now, Destinations: names, OnLoss: a.lost, FS: a.opts.fs})
	if err != nil {
		return fmt.Errorf("open buffer: %w", err)
	}
	a.ledger = &ledger{log: a.log, now: a.now}
	a.memories = newMemories(filepath.Join(b.Dir, "tracks"), a.log)
	for _, f := range slices.Concat(a.log.Recovery().Findings, a.memories.keep(serverNames(a.cfg))) {
		a.events.Warn().Str("buffer", b.Dir).Msg(f)
	}
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
	if a.log != nil {
		a.ledger.retry()
		errs = append(errs, a.closeLog())
	}
	if a.quarantine != nil {
		errs = append(errs, a.quarantine.Close())
	}
	for _, d := range a.forwards {
		d.client.Close()
	}
	return errors.Join(errs...)
}

// closeLog closes the buffer. While the entry of a loss cannot be written, because the disk is full, it leaves it open
// instead, as a kill would: an orderly end would forget the loss, which so is reported again at the next start.
func (a *Agent) closeLog() error {
	closed := make(chan error, 1)
	go func() { closed <- a.log.Close() }()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-closed:
			return err
		case <-look.C:
			if a.lossHeld.Load() {
				return errors.New("the disk is full: a loss could not be ledgered, it is reported again at the next start")
			}
		}
	}
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

	group, running := errgroup.WithContext(ctx)
	a.mu.Lock()
	a.group, a.running = group, running
	group.Go(func() error { // as long as it lives, crews may be added
		<-running.Done()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.stopping = true
		return nil
	})
	a.addCrew(serverNames(a.cfg), nil)
	a.mu.Unlock()
	group.Go(func() error { return a.heartbeat(running) })
	group.Go(func() error { // delivery that fails for good ends the rest
		select {
		case <-delivery.Done():
			return errDelivery
		case <-running.Done():
			return nil
		}
	})
	if err = group.Wait(); err == nil {
		a.awaitDelivery(delivery)
	}
	stopDelivery()
	if derr := deliver.Wait(); derr != nil {
		if errors.Is(err, errDelivery) {
			return derr
		}
		err = errors.Join(err, derr)
	}
	return err
}

// errDelivery ends the rest when a forwarder has failed.
var errDelivery = errors.New("delivery has failed")

// awaitDelivery gives the stores that are taking data the time to get what is left.
func (a *Agent) awaitDelivery(ctx context.Context) {
	late := time.NewTimer(deliveryGrace)
	defer late.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		busy := slices.ContainsFunc(a.forwards, func(d *destination) bool {
			s := d.fwd.Snapshot()
			return s.Condition == forward.Delivering && s.Records > 0
		})
		if !busy {
			return
		}
		select {
		case <-look.C:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func serverNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Servers))
	for i, s := range cfg.Servers {
		names[i] = s.Name
	}
	slices.Sort(names)
	return names
}

// addCrew starts a crew. deaths are those that its servers have already seen together. a.mu is held.
func (a *Agent) addCrew(servers []string, deaths []time.Time) {
	ctx, cancel := context.WithCancel(a.running)
	c := &crew{a: a, cancel: cancel, servers: servers, deaths: deaths}
	a.crews = append(a.crews, c)
	a.group.Go(func() error {
		defer cancel()
		return c.run(ctx)
	})
}

// split puts two crews with half of the servers each in the place of c.
func (a *Agent) split(c *crew, deaths []time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := c.names()
	half := len(all) / 2
	a.events.Warn().Strs("first", all[:half]).Strs("second", all[half:]).Msg("worker died again: its servers are split to find the one that ends it")
	a.crews = slices.DeleteFunc(a.crews, func(o *crew) bool { return o == c })
	a.version++
	a.addCrew(all[:half:half], deaths)
	a.addCrew(all[half:], deaths)
}
