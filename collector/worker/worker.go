// Package worker is the collector's child process: the sessions of its servers, whose values it numbers, encodes and
// packs into blocks for the parent.
//
// gopcua decodes in goroutines of its own, so a hostile message can end the process that reads it. What must not stop
// (the buffer, delivery, the page) is in the parent; a worker holds nothing that the parent or the server could not
// give to the next one. It trusts its parent and nobody else: the pipe carries no secrets, passwords are read from
// their files here.
//
//	server ── uasession ── feed (number, encode) ── block ── pipe ──▶ parent: fsync ──▶ ack ── pipe ──▶ done ── server
package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

// Setup tells a worker what to collect. It is sent once at the start and again at each reload.
type Setup struct {
	File    string   // name of the configuration file, for messages
	Text    []byte   // the file as the parent accepted it
	Servers []string // names of the servers that this worker has
	PKI     string   // folder of certificates and trust: the one that the parent began with, whatever Text says
	// Resume holds per server and group up to when (publish time) everything is on disk.
	Resume map[string]map[string]telemetry.Instant
	// Estates holds per server what the worker before left, and Next per server and group the first message that is not
	// on disk. They count for sessions that this worker begins with; it makes others anew.
	Estates map[string]*uasession.Estate
	Next    map[string]map[string]uasession.Mark
}

// Options of Run.
type Options struct {
	In  io.Reader // frames from the parent
	Out io.Writer // frames to the parent
	Log zerolog.Logger
}

const (
	flushEvery  = 200 * time.Millisecond // how long lines wait for company: it delays the server's acknowledgement, not more
	stateEvery  = time.Second
	tracksEvery = 30 * time.Second // bounds what the parent re-reads of the buffer at a restart
	knownEvery  = 5 * time.Second
	retryEvery  = 5 * time.Second // for a server whose password cannot be read
	stopGrace   = 5 * time.Second // for the parent to confirm the last blocks at a clean stop
	maxUnacked  = 64 << 20        // bytes of blocks that the parent has not confirmed: beyond, sessions wait
	// maxCommands is how many commands wait while sessions are being closed, which needs the acks that come behind them.
	maxCommands = 64
)

// errParentGone ends a worker whose parent closed the pipe without a word: it was killed.
var errParentGone = errors.New("the parent process is gone")

// Run collects until the parent sends Stop or goes away. It returns nil after a Stop. All its goroutines have ended
// then but the one that reads In, which ends when In does.
func Run(ctx context.Context, o Options) error {
	w := &worker{o: o, out: NewWriter(o.Out), feeds: map[string]*feed{}, restored: map[string]*Tracks{}, states: map[string]uasession.ServerState{},
		known: Known{}, begun: map[string]bool{}, pins: map[string]telemetry.Type{}}
	w.unacked.init()
	group, ctx := errgroup.WithContext(ctx)
	w.sessions, w.sessionsCtx = errgroup.WithContext(ctx)
	commands := make(chan command, maxCommands)
	// read ends with the pipe: it is the one goroutine that Run does not join when something else fails first, as
	// nothing can interrupt a Read of a pipe that the parent holds open. The process exits then.
	go w.read(ctx, commands)
	group.Go(func() error { return w.control(ctx, commands) })
	group.Go(func() error { return w.tick(ctx) })
	err := group.Wait()
	_ = w.sessions.Wait() // they end with ctx; why they did is in err already
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

var errStopped = errors.New("stopped")

type worker struct {
	o   Options
	out *Writer

	sessions    *errgroup.Group
	sessionsCtx context.Context
	unacked     unacked
	sending     sync.Mutex // blocks go out in the order of their ids

	// Touched only by the control goroutine.
	setup *Setup          // in force
	begun map[string]bool // servers that had a session in this worker: what the worker before left of them is used up

	mu       sync.Mutex
	feeds    map[string]*feed   // by server
	restored map[string]*Tracks // received from the parent, not yet taken by a feed
	states   map[string]uasession.ServerState
	changed  bool                      // states differ from what was sent
	known    Known                     // not yet sent
	pins     map[string]telemetry.Type // by measurement and signal
}

type command struct {
	setup *Setup
	err   error // errStopped, errParentGone or a broken pipe
}

// read takes frames from the parent. Acks are handled at once: a session that waits for room needs them.
func (w *worker) read(ctx context.Context, commands chan<- command) {
	send := func(c command) {
		select {
		case commands <- c:
		case <-ctx.Done():
		}
	}
	for r := NewReader(w.o.In); ; {
		f, err := r.Next()
		if err == nil {
			var c command
			if c, err = w.take(f); err == nil {
				if c != (command{}) {
					send(c)
				}
				continue
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errParentGone
		}
		send(command{err: err})
		return
	}
}

func (w *worker) take(f Frame) (command, error) {
	switch f.Kind {
	case KindAck:
		id, err := AckID(f.Body)
		if err == nil {
			w.unacked.ack(id)
		}
		return command{}, err
	case KindTracks:
		t, err := ParseTracks(f.Body)
		if err == nil {
			w.mu.Lock()
			w.restored[t.Server] = &t
			w.mu.Unlock()
		}
		return command{}, err
	case KindSetup:
		var s Setup
		err := decodeJSON(f, &s)
		return command{setup: &s}, err
	case KindStop:
		return command{err: errStopped}, nil
	default:
		return command{}, fmt.Errorf("frame %q is not one that a worker gets", f.Kind)
	}
}

func (w *worker) control(ctx context.Context, commands <-chan command) error {
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	for {
		reload := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.sessionsCtx.Done():
			return w.sessions.Wait()
		case <-retry.C:
			if w.setup == nil || !w.incomplete() {
				continue
			}
		case c := <-commands:
			switch {
			case errors.Is(c.err, errStopped):
				return w.stop()
			case c.err != nil:
				return c.err
			}
			w.setup, reload = c.setup, true
		}
		if err := w.apply(ctx, w.setup, reload); err != nil {
			return err
		}
	}
}

// tick flushes, and sends states and tracks, each at its interval.
func (w *worker) tick(ctx context.Context) error {
	flush, state, tracks, known := time.NewTicker(flushEvery), time.NewTicker(stateEvery), time.NewTicker(tracksEvery), time.NewTicker(knownEvery)
	defer flush.Stop()
	defer state.Stop()
	defer tracks.Stop()
	defer known.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-flush.C:
			for _, f := range w.running() {
				err = errors.Join(err, f.flushOld(flushEvery/2))
			}
		case <-state.C:
			err = w.sendStates()
		case <-tracks.C:
			for _, f := range w.running() {
				err = errors.Join(err, f.sendTracks(false))
			}
		case <-known.C:
			err = w.sendKnown()
		}
		if err != nil {
			return err
		}
	}
}

func (w *worker) sendStates() error {
	w.mu.Lock()
	if !w.changed {
		w.mu.Unlock()
		return nil
	}
	w.changed = false
	all := slices.Collect(maps.Values(w.states))
	w.mu.Unlock()
	return w.out.JSON(KindState, all)
}

func (w *worker) sendKnown() error {
	w.mu.Lock()
	known := w.known
	w.known = Known{}
	w.mu.Unlock()
	if len(known) == 0 {
		return nil
	}
	return w.out.JSON(KindKnown, known)
}

// stop ends all sessions in good order: what they have is delivered, and acknowledged as far as the grace allows.
func (w *worker) stop() error {
	feeds := w.running()
	var wg sync.WaitGroup
	for _, f := range feeds {
		wg.Go(f.close)
	}
	wg.Wait()
	w.unacked.wait(stopGrace)
	return errors.Join(w.sendStates(), errStopped)
}
