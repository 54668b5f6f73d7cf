package uasession

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"kvarts/historian/telemetry"
)

// Session collects from one server until it is told to stop.
//
//	      ┌────────── backoff ◄──────────────┬──────────────────┐
//	      ▼                                  │ refused          │ line dead, silence,
//	connecting ── channel, then ─────────────┤                  │ session forgotten
//	      │       1 take the old session over│                  │
//	      │       2 else make a new one      │                  │
//	      ▼                                  │                  │
//	    setup ── per group ──────────────────┘                  │
//	      │      1 the subscription lives: Republish until      │
//	      │        the server has no more                       │
//	      │      2 else create it again; what lies between      │
//	      │        becomes a gap                                │
//	      ▼                                                     │
//	   running ─── Publish × n, sequence, Republish, acks ──────┘
//	      │
//	      ▼ ctx done
//	   stopped ── what was received is delivered, then CloseSession
//
// The first old session may be the one of the process before (ServerConfig.Estate): its subscriptions are recovered in
// the same way, from the first message that is not on disk.
//
// Guarantees. Messages of a group reach the sink in sequence order, each once per process unless its done never came.
// A message is acknowledged after its done, and only while the server still lists it. What cannot be recovered is
// given to Sink.Gap before the message that follows it. At most Limits.Undelivered + Limits.Publish messages wait in
// memory. One bad item, group or message stops only itself.
//
// Goroutines: Run's own, which owns all state; one that delivers; one per Publish in flight; one that keeps the
// session alive. All have ended when Run returns.
type Session struct {
	cfg  ServerConfig
	sink Sink
	log  zerolog.Logger

	mu      sync.Mutex
	wanted  []Group       // guarded by mu
	changed chan struct{} // one token: wanted changed

	out  *outbox
	acks *ackList

	// Owned by the goroutine of Run.
	groups    []*group
	handles   handles  // monitored items by client handle
	old       *session // the server's session that another channel may take over
	said      string   // the last failure that was logged
	trusted   bool     // the endpoint of old was good at the last connect
	orphans   []uint32 // subscriptions to delete at the server
	estate    *Estate  // being taken over, until its messages have been asked for; else nil
	heir      bool     // old was taken over from another process
	attempts  int      // see Estate.Attempts
	doubts    []Doubt  // see Estate.Doubts; the last one is being asked for when asking
	asking    bool
	unsaid    bool // the estate is not what the sink was told
	mute      int  // take-overs in a row that got no answer
	resume    map[string]telemetry.Instant
	loop      uint64 // counts sessions: acknowledgements of an older one are void
	namespace []string
	limits    opLimits
	backoff   backoff
	board     board
}

// New makes a session. Run starts it. An error of the configuration is returned by Run.
func New(cfg ServerConfig, sink Sink, log zerolog.Logger) *Session {
	cfg = cfg.withDefaults()
	s := &Session{
		cfg: cfg, sink: sink, log: log.With().Str("server", cfg.Name).Logger(),
		wanted: cfg.Groups, changed: make(chan struct{}, 1),
		out: newOutbox(), acks: newAckList(),
		resume:  maps.Clone(cfg.Resume),
		backoff: backoff{min: cfg.Timing.BackoffMin, max: cfg.Timing.BackoffMax},
	}
	s.board.init(cfg)
	return s
}

// Apply changes what is collected: only the difference is sent to the server, and what is unchanged is not touched.
// It checks groups, hands them to Run and returns; ServerState shows what came of it. It may be called at any time
// from any goroutine. When it returns an error, nothing has changed.
func (s *Session) Apply(_ context.Context, groups []Group) error {
	if err := checkGroups(groups); err != nil {
		return fmt.Errorf("apply to %s: %w", s.cfg.Name, err)
	}
	s.mu.Lock()
	s.wanted = slices.Clone(groups)
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return nil
}

func (s *Session) wantedGroups() []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted
}

// Run collects until ctx is done, and returns nil then, or until the sink returns an error, which it returns. It may
// be called once.
func (s *Session) Run(ctx context.Context) error {
	if _, err := parseTarget(s.cfg.Endpoint); err != nil {
		return fmt.Errorf("run %s: %w", s.cfg.Name, err)
	}
	if err := checkGroups(s.cfg.Groups); err != nil {
		return fmt.Errorf("run %s: %w", s.cfg.Name, err)
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	// Deliveries outlive ctx: what was received is brought to disk before the end.
	delivery, stopDelivery := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivery()
	var (
		wg      sync.WaitGroup
		refused error // the sink's; read after wg.Wait
	)
	wg.Go(func() {
		if err := s.out.run(delivery, s.sink); err != nil {
			refused = fmt.Errorf("deliver from %s: %w", s.cfg.Name, err)
			stop()
		}
	})
	s.inherit()
	s.regroup()
	for run.Err() == nil {
		s.once(run)
		s.wait(run)
	}
	stopDelivery()
	wg.Wait()
	s.board.set(StateStopped, "stopped")
	s.show()
	s.sink.Estate(Estate{})
	return refused
}

// once makes one connection and serves it to its end.
func (s *Session) once(ctx context.Context) {
	s.board.set(StateConnecting, "connecting to "+s.cfg.Endpoint)
	s.show()
	c, ses, reactivated, err := establish(ctx, &s.cfg, s.old, s.trusted)
	if err != nil {
		s.trusted = false // the next try asks the server for its endpoints again
		s.muted(err)
		if ctx.Err() == nil {
			s.failed(err)
			s.board.n.ConnectFails++
		}
		return
	}
	s.trusted = true
	s.board.n.Connects++
	s.board.connected(&s.cfg, ses)
	if reactivated {
		s.board.n.Reactivated++
		s.attempted()
	} else {
		s.board.n.Sessions++
		s.newSession()
	}
	s.old, s.mute, s.unsaid = ses, 0, true
	s.tell()
	l := newLink(ctx, s, c, ses)
	err = s.serve(l, reactivated)
	s.board.disconnected()
	s.backoff.lived(time.Since(l.born))
	if ctx.Err() != nil {
		s.finish(l)
		return
	}
	l.close()
	s.leftovers(l)
	if sessionGone(err) {
		s.old, s.unsaid = nil, true
	}
	s.tell()
	s.failed(err)
}

// newSession forgets what belonged to the one before: subscriptions, items, acknowledgements.
func (s *Session) newSession() {
	s.loop++
	s.acks.reset(s.loop)
	s.handles.reset()
	s.orphans, s.estate, s.heir, s.attempts, s.doubts = nil, nil, false, 0, nil
	for _, g := range s.groups {
		if g.sub != nil {
			s.lose(g, telemetry.CauseSession, "the server did not keep the session")
			s.board.n.Recreated++
		}
		g.forget()
	}
}

// failed notes why a connection did not come about or ended.
func (s *Session) failed(err error) {
	if err == nil {
		return
	}
	// Said once as long as it stays the same; the page shows it all the time.
	level := zerolog.DebugLevel
	if text := err.Error(); text != s.said {
		s.said, level = text, zerolog.WarnLevel
	}
	s.board.failed(err)
	s.log.WithLevel(level).Err(err).Msg("not connected")
}

// wait lets the backoff pass.
func (s *Session) wait(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	d := s.backoff.next()
	s.board.set(StateWaiting, fmt.Sprintf("next try in %s: %s", d.Round(time.Millisecond), s.board.lastError))
	s.show()
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
			s.regroup()
		case <-t.C:
			return
		}
	}
}

// finish ends a session in the orderly way: what was received is delivered and on disk before the server may forget.
func (s *Session) finish(l *link) {
	l.cancel()
	l.wg.Wait()
	s.leftovers(l)
	for _, g := range s.groups {
		for _, it := range g.items {
			s.itemEnds(it)
		}
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(l.parent), s.cfg.Timing.Drain)
	defer cancel()
	if s.out.drain(limit) {
		s.acks.drain(limit)
	}
	if !l.ch.isGone() {
		end, cancelEnd := context.WithTimeout(context.WithoutCancel(l.parent), s.cfg.Timing.Request)
		defer cancelEnd()
		closeSession(end, l.ch, s.cfg.Timing)
		l.ch.farewell(time.Second)
	}
	l.close()
	s.old = nil
}
