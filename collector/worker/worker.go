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

	"kvarts/collector/config"
	"kvarts/collector/pki"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

// Setup tells a worker what to collect. It is sent once at the start and again at each reload.
type Setup struct {
	File    string   // name of the configuration file, for messages
	Text    []byte   // the file as the parent accepted it
	Servers []string // names of the servers that this worker has
	// Resume holds per server and group up to when (publish time) everything is on disk.
	Resume map[string]map[string]telemetry.Instant
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
	stopGrace   = 10 * time.Second // for the sessions to deliver and be acknowledged at a clean stop
	maxUnacked  = 64 << 20         // bytes of blocks that the parent has not confirmed: beyond, sessions wait
)

// errParentGone ends a worker whose parent closed the pipe without a word: it was killed.
var errParentGone = errors.New("the parent process is gone")

// Run collects until the parent sends Stop or goes away. It returns nil after a Stop.
func Run(ctx context.Context, o Options) error {
	w := &worker{o: o, out: NewWriter(o.Out), feeds: map[string]*feed{}, restored: map[string]*Tracks{}, states: map[string]uasession.ServerState{}, pins: map[string]telemetry.Type{}}
	w.unacked.init()
	group, ctx := errgroup.WithContext(ctx)
	w.sessions, w.sessionsCtx = errgroup.WithContext(ctx)
	commands := make(chan command)
	// read ends with the pipe: it is the one goroutine that Run does not join when something else fails first, as
	// nothing can interrupt a Read of a pipe that the parent holds open. The process exits then.
	go w.read(ctx, commands)
	group.Go(func() error { return w.control(ctx, commands) })
	group.Go(func() error { return w.tick(ctx) })
	err := group.Wait()
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

	mu       sync.Mutex
	feeds    map[string]*feed   // by server
	restored map[string]*Tracks // received from the parent, not yet taken by a feed
	states   map[string]uasession.ServerState
	changed  bool                      // states differ from what was sent
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
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.sessionsCtx.Done():
			return w.sessions.Wait()
		case c := <-commands:
			switch {
			case errors.Is(c.err, errStopped):
				return w.stop()
			case c.err != nil:
				return c.err
			}
			if err := w.setup(ctx, c.setup); err != nil {
				return err
			}
		}
	}
}

// setup makes the running sessions those of s; it leaves alone what has not changed.
func (w *worker) setup(ctx context.Context, s *Setup) error {
	cfg, err := config.Parse(s.File, s.Text)
	if err != nil {
		return fmt.Errorf("worker: configuration that the parent accepted: %w", err)
	}
	certs, err := pki.Open(cfg.PKI.Dir)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	servers := map[string]config.Server{}
	for _, srv := range cfg.Servers {
		if slices.Contains(s.Servers, srv.Name) {
			servers[srv.Name] = srv
		}
	}
	for _, f := range w.running() {
		if srv, ok := servers[f.name]; !ok || !sameSession(&f.server, &srv) {
			f.close()
			w.mu.Lock()
			delete(w.feeds, f.name)
			delete(w.states, f.name)
			w.restored[f.name] = f.takeTracks()
			w.mu.Unlock()
		}
	}
	w.pinTypes(cfg)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		srv := servers[name]
		w.mu.Lock()
		f := w.feeds[name]
		w.mu.Unlock()
		if f != nil {
			if err := f.apply(ctx, srv); err != nil {
				return err
			}
			continue
		}
		if err := w.start(srv, certs, s.Resume[name]); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) running() []*feed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.feeds))
}

func (w *worker) start(srv config.Server, certs *pki.Store, resume map[string]telemetry.Instant) error {
	w.mu.Lock()
	tracks := w.restored[srv.Name]
	delete(w.restored, srv.Name)
	w.mu.Unlock()
	if tracks == nil {
		tracks = &Tracks{Server: srv.Name}
	}
	f, err := newFeed(w, srv, tracks)
	if err != nil {
		return err
	}
	cfg, err := sessionConfig(&srv, certs.Peer(srv.ServerCertificate), resume)
	if err != nil {
		return err
	}
	cfg.Pin = f.pin
	f.session = uasession.New(cfg, f, w.o.Log.With().Str("server", srv.Name).Logger())
	ctx, cancel := context.WithCancel(w.sessionsCtx)
	f.cancel, f.ended = cancel, make(chan struct{})
	w.mu.Lock()
	w.feeds[srv.Name] = f
	w.mu.Unlock()
	w.sessions.Go(func() error {
		defer close(f.ended)
		if err := f.session.Run(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("collect from %s: %w", srv.Name, err)
		}
		return nil
	})
	return nil
}

// tick flushes, and sends states and tracks, each at its interval.
func (w *worker) tick(ctx context.Context) error {
	flush, state, tracks := time.NewTicker(flushEvery), time.NewTicker(stateEvery), time.NewTicker(tracksEvery)
	defer flush.Stop()
	defer state.Stop()
	defer tracks.Stop()
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
				err = errors.Join(err, f.sendTracks())
			}
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

// stop ends all sessions in good order: what they have is delivered, and acknowledged as far as the grace allows.
func (w *worker) stop() error {
	feeds := w.running()
	var wg sync.WaitGroup
	for _, f := range feeds {
		wg.Go(f.close)
	}
	wg.Wait()
	var err error
	for _, f := range feeds {
		err = errors.Join(err, f.sendTracks())
	}
	w.unacked.wait(stopGrace)
	return errors.Join(err, w.sendStates(), errStopped)
}
