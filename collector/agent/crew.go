package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"kvarts/collector/status"
	"kvarts/collector/worker"
)

// Process is a running worker, be it a child process or a goroutine.
type Process interface {
	In() io.WriteCloser // frames to the worker
	Out() io.Reader     // frames from it; ends when the worker ends
	PID() int           // 0 for a goroutine
	Kill()              // ends it at once; from any goroutine, also when it has ended
	Wait() error        // after Out has ended; once
}

// Spawner starts workers.
type Spawner interface {
	Spawn(ctx context.Context) (Process, error)
}

// crew is one worker with its servers, started again whenever it dies:
//
//	start ──▶ told what is known of its servers ──▶ frames … ──▶ died ──▶ wait ──▶ start
//	                                                              │ second death within deathWindow, several servers
//	                                                              └──▶ two crews with half of the servers each
//
// The halves inherit the death, so the next one splits again: a server whose messages end the process is alone after
// 1 + log2(servers) deaths, and stops nobody else from then on.
type crew struct {
	a      *Agent
	cancel context.CancelFunc // ends run

	mu      sync.Mutex
	servers []string // sorted; replaced, never changed in place; changes only under Agent.mu
	mate    *mate    // nil while there is no worker
	since   time.Time
	starts  int
	deaths  []time.Time // within deathWindow
	lastErr string
}

// mate is a living worker.
type mate struct {
	proc Process
	out  *worker.Writer

	mu      sync.Mutex // one briefing at a time
	version uint64     // of what it was told; 0: nothing yet
	told    []string   // its servers
}

const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 60 * time.Second
	deathWindow  = 10 * time.Minute
	manyDeaths   = 4                // in deathWindow: a server that is alone gets a new session, whatever came through
	killAfter    = 15 * time.Second // for a worker that was asked to stop
)

// errSpawn: there was no worker that could have died.
var errSpawn = errors.New("start worker")

// run keeps the crew's worker alive until ctx is done. It returns an error only when the buffer fails.
func (c *crew) run(ctx context.Context) error {
	for wait := firstRestart; ; wait = min(2*wait, lastRestart) {
		err := c.once(ctx)
		switch {
		case isFatal(err):
			return err
		case ctx.Err() != nil:
			return nil
		}
		deaths := c.died(err)
		if len(deaths) >= 2 && len(c.names()) > 1 && !errors.Is(err, errSpawn) {
			c.a.split(c, deaths[len(deaths)-1:])
			return nil
		}
		if len(deaths) == 1 {
			wait = firstRestart
		} else if alone := c.names(); len(alone) == 1 && (len(deaths) >= manyDeaths || c.a.heirlooms.deadly(alone[0])) {
			// What ends the worker may be a message that its session would get again and again: the next one is new.
			c.a.heirlooms.leave(alone[0], nil)
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return nil
		}
	}
}

// died logs the end of a worker, keeps it for the page, and returns the deaths within deathWindow.
func (c *crew) died(err error) []time.Time {
	c.mu.Lock()
	now := time.Now()
	c.deaths = slices.DeleteFunc(slices.Clone(c.deaths), func(t time.Time) bool { return now.Sub(t) > deathWindow })
	if !errors.Is(err, errSpawn) {
		c.deaths = append(c.deaths, now)
	}
	c.mate, c.lastErr = nil, fmt.Sprint(err)
	deaths, names := c.deaths, c.servers
	c.mu.Unlock()
	c.a.events.Error().Err(err).Strs("servers", names).Msg("worker died")
	c.a.disconnected(names, "the worker process died; it is started again")
	return deaths
}

// once runs one worker from start to end.
func (c *crew) once(ctx context.Context) error {
	proc, err := c.a.opts.Spawn.Spawn(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errSpawn, err)
	}
	m := &mate{proc: proc, out: worker.NewWriter(proc.In())}
	c.began(m)
	// The frames of a worker that is asked to stop are still taken: its end ends the reading, or its time is up.
	taking, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	ended := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() { c.stopper(ctx, m, ended, abort) })
	var briefing error
	helpers.Go(func() { // a worker's pipe may be full of its frames while it is briefed: both directions at once
		if briefing = c.brief(taking, m); briefing != nil {
			proc.Kill()
		}
	})
	in := &intake{a: c.a, out: m.out, abort: proc.Kill, wake: make(chan struct{}, 1)}
	err = in.run(taking, worker.NewReader(proc.Out()))
	_ = proc.In().Close() // a worker that still lives ends by it
	if !errors.Is(err, io.EOF) {
		proc.Kill()
	}
	late := time.AfterFunc(c.a.patience, proc.Kill)
	werr := proc.Wait()
	late.Stop()
	close(ended)
	abort()
	helpers.Wait()
	if isFatal(briefing) {
		return briefing
	}
	if errors.Is(err, io.EOF) {
		err = errEnded
	}
	return errors.Join(err, werr)
}

// errEnded: a worker closed its side of the pipe; how it ended says Wait.
var errEnded = errors.New("the worker ended by itself")

func (c *crew) began(m *mate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mate, c.since = m, time.Now()
	c.starts++
}

// tell brings the living worker, if there is one, up to the present configuration.
func (c *crew) tell(ctx context.Context) error {
	c.mu.Lock()
	m := c.mate
	c.mu.Unlock()
	if m == nil {
		return nil
	}
	return c.brief(ctx, m)
}

// brief tells a worker what is known of the servers that are new to it and what to collect, until that is the present
// configuration. An error that is not fatal is of the pipe.
func (c *crew) brief(ctx context.Context, m *mate) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		setup, version := c.a.setup(c)
		if version == m.version {
			return nil
		}
		added := slices.DeleteFunc(slices.Clone(setup.Servers), func(s string) bool { return slices.Contains(m.told, s) })
		known, err := c.a.recall(ctx, added)
		if err != nil {
			if ctx.Err() == nil {
				err = fatal(err)
			}
			return err
		}
		for _, mem := range known {
			if err := m.out.Tracks(&mem.tracks); err != nil {
				return err
			}
		}
		setup.Resume = worker.Known{}
		for _, s := range setup.Servers { // also of those that it has: a session may have to be made anew
			setup.Resume[s] = c.a.published.of(s)
		}
		setup.Estates, setup.Next = c.a.heirlooms.of(setup.Servers)
		if err := m.out.JSON(worker.KindSetup, setup); err != nil {
			return err
		}
		m.version, m.told = version, setup.Servers
	}
}

// stopper asks the worker to stop when ctx is done, and ends it and the taking of its frames when it does not.
func (c *crew) stopper(ctx context.Context, m *mate, ended <-chan struct{}, abort func()) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	late := time.AfterFunc(c.a.patience, func() {
		abort()
		m.proc.Kill()
	})
	defer late.Stop()
	_ = m.out.Stop() // a dead worker needs no asking
	<-ended
}

func (c *crew) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers
}

// assign gives the crew other servers. Agent.mu is held; tell tells the worker.
func (c *crew) assign(servers []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers = servers
}

// steady says that the worker has not died lately.
func (c *crew) steady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(c.deaths, func(t time.Time) bool { return time.Since(t) <= deathWindow })
}

func (c *crew) state() status.Worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := status.Worker{Servers: slices.Clone(c.servers), Since: c.since, Starts: c.starts, LastError: c.lastErr}
	if c.mate != nil {
		s.PID, s.Running = c.mate.proc.PID(), true
	}
	return s
}

// fatalError ends the agent: the buffer cannot take values any more.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

func fatal(err error) error {
	if err == nil {
		return nil
	}
	return fatalError{err}
}

func isFatal(err error) bool {
	var f fatalError
	return errors.As(err, &f)
}
