package uaserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Server is a simulated OPC UA server. Fill its address space with AddFolder and
// AddVariable, then Start it; values may be set before, while and after it runs.
// All methods may be called from any goroutine.
//
// Stop followed by Start is a restart of the machine's server: sessions and
// subscriptions are gone, the address space and its values stay.
type Server struct {
	opts   Options
	limits Limits
	now    func() time.Time // engine time: publishing cycles, timeouts, sampling grids

	// mu guards everything below it, and the state of all sessions, subscriptions,
	// items and variables. Nothing blocks while it is held.
	mu         sync.Mutex
	space      *space
	sessions   map[string]*session // by authentication token
	subs       map[uint32]*subscription
	lastID     uint32
	startTime  DateTime
	properties map[any]any // frozen values of properties, by Range, Unit or stateNames
	skew       time.Duration
	scratch    []byte   // reused for encoding responses
	batch      []sample // reused by SetAll
	requests   map[string]uint64
	faults     faults
	truth      truth
	stats      Stats
	thawed     *sync.Cond // signalled when frozen ends or the server stops
	due        time.Time  // when advance has something to do; zero: nothing
	advancing  bool       // advance is running

	// Networking; lifecycle serialises Start, Stop, Restart and Close.
	lifecycle sync.Mutex
	running   bool
	closed    bool
	listener  net.Listener
	addr      string // where the listener is or was
	conns     map[*conn]struct{}
	cancel    context.CancelFunc
	wake      chan struct{} // capacity 1: due became earlier
	wg        sync.WaitGroup
}

// New returns a server that is not started.
func New(opts Options) *Server {
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	if opts.ApplicationURI == "" {
		opts.ApplicationURI = "urn:kvarts:sim"
	}
	if opts.ProductName == "" {
		opts.ProductName = "Kvarts simulated machine"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.FirstSequence == 0 {
		opts.FirstSequence = 1
	}
	s := &Server{
		opts:       opts,
		limits:     opts.Limits.withDefaults(),
		now:        time.Now,
		sessions:   make(map[string]*session),
		subs:       make(map[uint32]*subscription),
		requests:   make(map[string]uint64),
		properties: make(map[any]any),
		conns:      make(map[*conn]struct{}),
		wake:       make(chan struct{}, 1),
		addr:       opts.Addr,
	}
	s.thawed = sync.NewCond(&s.mu)
	s.faults.init()
	s.truth.init(opts)
	s.startTime = s.wall()
	s.space = newSpace(s)
	return s
}

// Start listens and serves until Stop, Close, or the end of ctx. After the end of ctx,
// Stop or Close still has to be called to wait for the goroutines.
func (s *Server) Start(ctx context.Context) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.closed {
		return errors.New("start simulated server: it was closed")
	}
	if s.isRunning() {
		return errors.New("start simulated server: it is running")
	}
	s.wg.Wait() // for what the end of an earlier ctx left running
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.addr, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.listener, s.addr, s.cancel = ln, ln.Addr().String(), cancel
	s.startTime = s.wall()
	s.running = true
	s.forgetSessions() // of a request that raced with the last Stop
	s.mu.Unlock()
	s.wg.Go(func() { s.accept(ln) })
	s.wg.Go(func() { s.clock(ctx) })
	return nil
}

// Endpoint returns the URL to dial, as of the last Start.
func (s *Server) Endpoint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoint()
}

func (s *Server) endpoint() string { return "opc.tcp://" + s.addr }

// announced is the URL that the endpoint list names.
func (s *Server) announced() string {
	if s.opts.AnnouncedURL != "" {
		return s.opts.AnnouncedURL
	}
	return s.endpoint()
}

// Stop closes the listener and all connections and forgets sessions and subscriptions.
// Every goroutine of the server has ended when it returns.
func (s *Server) Stop() {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.stop()
}

func (s *Server) stop() {
	s.halt()
	s.wg.Wait()
}

func (s *Server) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// halt ends everything that runs, without waiting for it.
func (s *Server) halt() {
	s.mu.Lock()
	if !s.running {
		s.mu.Unlock()
		return
	}
	s.running = false
	s.cancel()
	_ = s.listener.Close() // accept ends; there is nothing to lose
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.forgetSessions()
	s.faults.frozen = false
	s.thawed.Broadcast()
	s.mu.Unlock()
	for _, c := range conns {
		c.abort()
	}
}

// Close stops the server for good and flushes the sample log, whose first error it
// returns.
func (s *Server) Close() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.stop()
	s.closed = true
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.truth.flush()
}

// Restart stops the server, lets change (which may be nil) rearrange it, for instance
// by SetNamespaces or RemoveVariable, and starts it again on the same port.
func (s *Server) Restart(ctx context.Context, change func(*Server) error) error {
	s.Stop()
	if change != nil {
		if err := change(s); err != nil {
			return fmt.Errorf("change stopped server: %w", err)
		}
	}
	return s.Start(ctx)
}

func (s *Server) accept(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return // closed by stop, or unusable for good
		}
		s.mu.Lock()
		if !s.running {
			s.mu.Unlock()
			_ = nc.Close()
			return
		}
		c := newConn(s, nc)
		s.conns[c] = struct{}{}
		s.stats.Connections++
		s.mu.Unlock()
		s.wg.Go(c.run)
	}
}

// clock drives publishing cycles and timeouts: it sleeps until the next one is due.
func (s *Server) clock(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.mu.Lock()
		s.advance(s.now())
		wait := time.Hour
		if !s.due.IsZero() {
			wait = max(s.due.Sub(s.now()), 0)
		}
		s.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			s.halt()
			return
		case <-timer.C:
		case <-s.wake:
		}
	}
}

// schedule makes sure that advance runs at or before at; mu is held.
func (s *Server) schedule(at time.Time) {
	if !s.due.IsZero() && !at.Before(s.due) {
		return
	}
	s.due = at
	if s.advancing {
		return // the clock looks at due next
	}
	select {
	case s.wake <- struct{}{}:
	default: // a wake-up is already pending
	}
}

// advance does everything that is due at now; mu is held.
func (s *Server) advance(now time.Time) {
	s.due = time.Time{}
	s.advancing = true
	defer func() { s.advancing = false }()
	if s.faults.frozen {
		return // Thaw schedules again
	}
	for _, id := range sortedKeys(s.subs) {
		if sub := s.subs[id]; sub != nil {
			s.cycle(sub, now)
		}
	}
	for _, token := range sortedKeys(s.sessions) {
		s.expireSession(s.sessions[token], now)
	}
}

// wall is the server's wall clock with its skew; mu is held or the server is new.
func (s *Server) wall() DateTime { return DateTimeOf(s.opts.Now().Add(s.skew)) }

// wallNow is wall for callers without mu.
func (s *Server) wallNow() DateTime {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wall()
}

// nextID returns a number never used before in this server: channel, token, session,
// subscription and item ids all come from it, so that none is ever reused.
func (s *Server) nextID() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newID()
}

func (s *Server) newID() uint32 {
	s.lastID++
	return s.lastID
}

// dropPeer forgets a connection that ended. Its sessions survive until they time out.
func (s *Server) dropPeer(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.detachPeer(c)
}
