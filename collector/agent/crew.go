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
	"kvarts/historian/telemetry"
)

// Process is a running worker, be it a child process or a goroutine.
type Process interface {
	In() io.WriteCloser // frames to the worker
	Out() io.Reader     // frames from it; ends when the worker ends
	PID() int           // 0 for a goroutine
	Kill()              // ends it at once
	Wait() error        // after Out has ended; once
}

// Spawner starts workers.
type Spawner interface {
	Spawn(ctx context.Context) (Process, error)
}

// crew is one worker with its servers, started again whenever it dies:
//
//	start ──▶ recall what is known of its servers ──▶ frames … ──▶ died ──▶ wait ──▶ start
//	                                                                │ second death within deathWindow, several servers
//	                                                                └──▶ two crews with half of the servers each
//
// So a server whose messages end the process is alone after a few deaths, and stops nobody else.
type crew struct {
	a *Agent

	mu      sync.Mutex
	servers []string // sorted; replaced, never changed in place
	proc    Process
	out     *worker.Writer
	since   time.Time
	starts  int
	lastErr string
}

const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 60 * time.Second
	deathWindow  = 10 * time.Minute
	killAfter    = 15 * time.Second // for a worker that was asked to stop
)

// run keeps the crew's worker alive until ctx is done. It returns an error only when the buffer fails.
func (c *crew) run(ctx context.Context) error {
	var deaths []time.Time
	wait := firstRestart
	for {
		err := c.once(ctx)
		switch {
		case isFatal(err):
			return err
		case ctx.Err() != nil:
			return nil
		}
		now := time.Now()
		deaths = slices.DeleteFunc(append(deaths, now), func(t time.Time) bool { return now.Sub(t) > deathWindow })
		c.died(err)
		if len(deaths) >= 2 && len(c.names()) > 1 {
			c.split()
			return nil
		}
		if len(deaths) == 1 {
			wait = firstRestart
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, lastRestart)
	}
}

// died logs the end of a worker and keeps it for the page.
func (c *crew) died(err error) {
	c.mu.Lock()
	c.proc, c.out = nil, nil
	c.lastErr = fmt.Sprint(err)
	c.mu.Unlock()
	c.a.events.Error().Err(err).Strs("servers", c.names()).Msg("worker died")
	c.a.disconnected(c.names(), "the worker process died; it is started again")
}

// split hands the servers to two new crews.
func (c *crew) split() {
	all := c.names()
	half := len(all) / 2
	c.a.events.Warn().Strs("first", all[:half]).Strs("second", all[half:]).Msg("worker died again: its servers are split to find the one that ends it")
	c.a.replace(c, all[:half], all[half:])
}

// once runs one worker from start to end.
func (c *crew) once(ctx context.Context) error {
	servers := c.names()
	known, err := c.a.recall(ctx, servers)
	if err != nil {
		return fatal(err)
	}
	proc, err := c.a.opts.Spawn.Spawn(ctx)
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	out := worker.NewWriter(proc.In())
	in := &intake{a: c.a, out: out, wake: make(chan struct{}, 1)}
	stopped := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() { c.stopper(ctx, proc, out, stopped) })
	defer helpers.Wait()
	defer close(stopped)

	// A worker's pipe may be full of its frames while it is briefed: both directions at once.
	helpers.Go(func() {
		if err := c.brief(out, servers, known); err == nil {
			c.began(proc, out)
		}
	})
	// The frames of a worker that is asked to stop are still taken: its end ends the reading.
	err = in.run(context.WithoutCancel(ctx), worker.NewReader(proc.Out()))
	_ = proc.In().Close() // a worker that still lives ends by it
	if !errors.Is(err, io.EOF) {
		proc.Kill()
	}
	if werr := proc.Wait(); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// brief tells a new worker what is known of its servers and what to collect.
func (c *crew) brief(out *worker.Writer, servers []string, known map[string]*memory) error {
	setup := c.a.setup(servers)
	setup.Resume = map[string]map[string]telemetry.Instant{}
	for s, mem := range known {
		if err := out.Write(worker.KindTracks, func(b []byte) ([]byte, error) { return mem.tracks.AppendBinary(b), nil }); err != nil {
			return err
		}
		setup.Resume[s] = mem.resume
	}
	return out.JSON(worker.KindSetup, setup)
}

func (c *crew) began(proc Process, out *worker.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proc, c.out, c.since = proc, out, time.Now()
	c.starts++
}

// stopper asks the worker to stop when ctx is done, and ends it when it does not.
func (c *crew) stopper(ctx context.Context, proc Process, out *worker.Writer, stopped <-chan struct{}) {
	select {
	case <-stopped:
		return
	case <-ctx.Done():
	}
	_ = out.Write(worker.KindStop, func(b []byte) ([]byte, error) { return b, nil }) // a dead worker needs no asking
	select {
	case <-stopped:
	case <-time.After(killAfter):
		proc.Kill()
	}
}

func (c *crew) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers
}

// resetup gives the crew other servers and sends the current configuration to the living worker; one that is being
// started gets it anyway.
func (c *crew) resetup(ctx context.Context, servers []string) error {
	c.mu.Lock()
	added := slices.DeleteFunc(slices.Clone(servers), func(s string) bool { return slices.Contains(c.servers, s) })
	c.servers = servers
	out := c.out
	c.mu.Unlock()
	if out == nil {
		return nil
	}
	known, err := c.a.recall(ctx, added)
	if err != nil {
		return err
	}
	return c.brief(out, servers, known)
}

func (c *crew) state() status.Worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := status.Worker{Servers: slices.Clone(c.servers), Since: c.since, Starts: c.starts, LastError: c.lastErr}
	if c.proc != nil {
		s.PID, s.Running = c.proc.PID(), true
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
