package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"kvarts/historian/influx"
	"kvarts/historian/store"
)

// The store is a process of its own, as in a plant: so that --chaos can kill it the hard way.

// storeVerb is the hidden verb that makes this program the store.
const storeVerb = "store-process"

// serveStore is the store's process: dir and address are its arguments. It ends when its standard input does, so that it never
// outlives the demo.
func serveStore(args []string) int {
	if len(args) != 2 {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole terminal; the demo settles its books first
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	closing, err := lock(ctx, filepath.Join(filepath.Dir(args[0]), storeLock), storeWait)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: open the store:", err)
		return 1
	}
	defer closing.Close()
	log := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly, NoColor: true}).Level(zerolog.WarnLevel).With().Timestamp().Logger()
	s, err := store.Open(ctx, store.Options{Dir: args[0], Addr: args[1], Logger: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: open the store:", err)
		return 1
	}
	fmt.Println(s.URL())
	select {
	case <-ctx.Done():
	case <-s.Failed():
	}
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "demo: close the store:", err)
		return 1
	}
	return 0
}

// storeDir is where the store keeps its data, in the plant's folder.
const storeDir = "store"

// storeProcess is that process as the demo sees it. It may be used from any goroutine.
type storeProcess struct {
	dir, addr string
	url       string // set by the first start

	mu  sync.Mutex // guards what is below
	now *process   // nil before the first start
}

// process is one life of the store.
type process struct {
	cmd   *exec.Cmd
	in    io.Closer
	meant atomic.Bool   // its end is meant
	over  chan struct{} // closed when it has ended
	err   error         // once over; nil: in good order
}

// startStore starts the store and waits until it answers.
func startStore(ctx context.Context, dir, addr string) (*storeProcess, error) {
	p := &storeProcess{dir: filepath.Join(dir, storeDir), addr: addr}
	return p, p.start(ctx)
}

// start starts the store, which must not run, and waits until it answers.
func (p *storeProcess) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, url, err := launch(ctx, p.dir, p.addr)
	if err != nil {
		return fmt.Errorf("start the store: %w", err)
	}
	if p.now = now; p.url == "" {
		p.url = url
	}
	return p.answers(ctx, now)
}

// launch starts the process and waits until it says where it is.
func launch(ctx context.Context, dir, addr string) (p *process, url string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	p = &process{over: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), self, storeVerb, dir, addr)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	said, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, "", err
	}
	if _, err := fmt.Fscanln(said, &url); err != nil {
		return nil, "", errors.Join(errors.New("it ended at once"), p.cmd.Wait())
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.over)
	}()
	return p, url, nil
}

// answers waits until queries are answered.
func (p *storeProcess) answers(ctx context.Context, now *process) error {
	c, err := influx.New(influx.Options{URL: p.url, Database: store.DefaultDatabase})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		err := c.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the store: %w", err)
		case <-now.over:
			return fmt.Errorf("wait for the store: it ended (%s)", now.cmd.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// current is the present life of the store.
func (p *storeProcess) current() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// keep starts the store again each time it ends by itself, until ctx ends; say is told how it ended. The error says that it does
// not start any more.
func (p *storeProcess) keep(ctx context.Context, say func(how string)) error {
	for {
		now := p.current()
		select {
		case <-ctx.Done():
			return nil
		case <-now.over:
		}
		if !now.meant.Load() {
			say(now.cmd.ProcessState.String())
			if err := p.again(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		}
		rest(ctx, time.Second) // before it may end again; who meant the end starts it meanwhile
	}
}

// again starts the store, and once more if it did not: a Ctrl-C may hit the new process before it knows to ignore it.
func (p *storeProcess) again(ctx context.Context) error {
	if p.start(ctx) == nil {
		return nil
	}
	return p.start(ctx)
}

// kill ends the store as a power cut does.
func (p *storeProcess) kill() error {
	now := p.current()
	now.meant.Store(true)
	if err := now.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the store: %w", err)
	}
	<-now.over
	return nil
}

// close ends the store in good order.
func (p *storeProcess) close() error {
	now := p.current()
	if now == nil || now.meant.Swap(true) {
		return nil
	}
	select {
	case <-now.over:
		return fmt.Errorf("close the store: it ended by itself (%s)", now.cmd.ProcessState)
	default:
	}
	if err := now.in.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	if <-now.over; now.err != nil {
		return fmt.Errorf("close the store: %w", now.err)
	}
	return nil
}
