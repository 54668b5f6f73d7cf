package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Deadlines. They are for machines on which other tests take both cores; nothing waits for them when all is well.
const (
	readyWithin = 90 * time.Second
	stopWithin  = 20 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// Process is a peer's process over all of its lives: the same command line each time, one log.
type Process struct {
	tb      testing.TB
	name    string
	command func() *exec.Cmd
	// ready returns nil once the server answers. It is polled.
	ready func(context.Context) error
	log   string

	mu   sync.Mutex // held over a start or an end: they do not overlap
	life *child     // nil before the first start
}

// newProcess registers the clean-up; start it with restart. Output goes into a file that is shown if the test fails.
func newProcess(tb testing.TB, name string) *Process {
	s := &Process{tb: tb, name: name, log: filepath.Join(tb.TempDir(), name+".log")}
	tb.Cleanup(func() {
		s.Kill()
		if tb.Failed() {
			tb.Logf("---- end of the log of %s:\n%s", name, lastLines(s.log, 60))
		}
	})
	return s
}

// Kill ends the server as a power cut of its process would (SIGKILL) and waits until it is gone.
func (s *Process) Kill() { s.end((*child).kill) }

// Stop asks the server to end (SIGTERM) and waits until it is gone.
func (s *Process) Stop() { s.end(func(c *child) { c.terminate(stopWithin) }) }

func (s *Process) end(how func(*child)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == nil {
		return
	}
	how(s.life)
	<-s.life.done
}

// Pid is the server's process, for tests that measure it; 0 before its first start.
func (s *Process) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == nil {
		return 0
	}
	return s.life.cmd.Process.Pid
}

// Restart starts the server again with the same port and data and waits until it answers. A running one is killed
// before. It reports whether that worked.
func (s *Process) Restart() bool {
	s.tb.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		s.tb.Errorf("restart %s: %v", s.name, err)
		return false
	}
	return true
}

// start starts the server and waits until it answers.
func (s *Process) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer out.Close() // the process has its own descriptor
	cmd := s.command()
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	cmd.Stderr = out
	life, err := startChild(cmd)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	s.life = life
	return s.awaitReady(life)
}

// awaitReady polls ready until it returns nil, the process ends or time is up.
func (s *Process) awaitReady(life *child) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-life.done:
			return fmt.Errorf("%s ended before it answered: %w", s.name, errors.Join(life.err, err))
		case <-ctx.Done():
			life.kill()
			return fmt.Errorf("%s did not answer within %v: %w", s.name, readyWithin, err)
		case <-tick.C:
		}
	}
}

// bring returns the folder of an installed peer, installing it if needed. What it cannot bring skips the test, or fails
// it if the peer is required.
func bring(tb testing.TB, p Peer) string {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if t, ok := tb.(interface{ Deadline() (time.Time, bool) }); ok {
		if d, ok := t.Deadline(); ok { // before the test binary panics, which would say nothing of the cause
			ctx, cancel = context.WithDeadlineCause(ctx, d.Add(-5*time.Second),
				fmt.Errorf("the test's time is over: run `go run ./deploy/setup %s` before", p))
			defer cancel()
		}
	}
	dir, err := Ensure(ctx, p, func(e Event) {
		if e.State != StatePresent {
			fmt.Fprintf(os.Stderr, "peer %s: %s %s\n", e.Peer, e.State, e.Text)
		}
	})
	var missing *MissingToolError
	switch {
	case err == nil:
		return dir
	case errors.As(err, &missing) && !Required(p):
		tb.Skipf("SKIPPED: %v (KVARTS_PEERS=all makes this a failure)", missing)
	default:
		tb.Fatalf("bring peer: %v", err)
	}
	return ""
}
