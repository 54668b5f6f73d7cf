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

// storeProcess is that process as the demo sees it.
type storeProcess struct {
	dir, addr string
	mu        sync.Mutex
	cmd       *exec.Cmd
	in        io.Closer
	url       string
}

// startStore starts the store and waits until it answers.
func startStore(ctx context.Context, dir, addr string) (*storeProcess, error) {
	p := &storeProcess{dir: filepath.Join(dir, storeDir), addr: addr}
	return p, p.start(ctx)
}

func (p *storeProcess) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start the store: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), self, storeVerb, p.dir, p.addr)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return fmt.Errorf("start the store: %w", err)
	}
	said, err := p.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the store: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start the store: %w", err)
	}
	if _, err := fmt.Fscanln(said, &p.url); err != nil {
		return errors.Join(fmt.Errorf("start the store: it ended at once: %w", err), p.cmd.Wait())
	}
	return p.answers(ctx)
}

// answers waits until queries are answered.
func (p *storeProcess) answers(ctx context.Context) error {
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
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the store as a power cut does.
func (p *storeProcess) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says that it was killed
	return err
}

// close ends the store in good order.
func (p *storeProcess) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil || p.cmd.ProcessState != nil {
		return nil
	}
	if err := p.in.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}
