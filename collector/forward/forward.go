// Package forward delivers what the durable buffer holds to one InfluxDB.
//
//	buffer ── Read ──▶ lanes ── batch ──▶ gate ── POST ──▶ OK ──────────▶ Cursor.Ack
//	                   live, replay       may it go now?   Retry, Hold ─▶ the same batch again, later
//	                                                       TooLarge ────▶ halves, and smaller batches from now on
//	                                                       Split ───────▶ search for the bad lines ──▶ quarantine, fsync
//	                                                                                                └─▶ Cursor.Ack
//
// The stored gzip members are sent as they are, one after the other; only what has to be taken apart to find a bad line
// is compressed again. A record is acknowledged when each of its lines is stored or durable in quarantine, and not
// before: a crash at any point sends some lines twice, which is harmless because a point's identity is in its bytes.
// README.md has the table of classes and the cost of a search.
package forward

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Log is what is read from; *buffer.Log is one. Its methods may be called from any goroutine.
type Log interface {
	Read(from uint64, max, maxBytes int, dst []buffer.Entry) ([]buffer.Entry, error)
	Durable() uint64
	Changed() <-chan struct{}
}

// Cursor is the destination's position in the Log; *buffer.Cursor is one.
type Cursor interface {
	Acked() (low uint64, beyond []buffer.Range)
	Ack(from, to uint64) error
	Pending() (records, bytes uint64, oldest telemetry.Instant)
}

// Store is the destination; *influx.Client is one. Both methods may be called from several goroutines at once.
type Store interface {
	WriteGzip(ctx context.Context, members [][]byte, lines int) influx.Result
	Detect(ctx context.Context) (influx.Server, error)
}

// Quarantine takes what the store refuses; *quarantine.Store is one. Entries are durable when Add returns.
type Quarantine interface {
	Add(entries ...quarantine.Entry) (added int, err error)
}

// Options of a Forwarder. Name, Log, Cursor, Store and Quarantine are required.
type Options struct {
	Name       string // of the destination, in states, events and quarantine
	Log        Log
	Cursor     Cursor
	Store      Store
	Quarantine Quarantine

	Limits  Limits
	Backoff Backoff
	// InFlight is the most requests at a time; default 3: one for live data and two for a backlog.
	InFlight int
	// LiveLag is the age at which waiting data, if it is more than one batch, is left to the replay lane, so that new
	// data passes it; default 3 s.
	LiveLag time.Duration
	// Grace is how long requests under way may take to end after Run's context is done; default 5 s.
	Grace time.Duration

	Now     func() telemetry.Instant // wall clock; nil: telemetry.Now
	OnEvent func(Event)              // called for each change of state, from any goroutine; must not block; may be nil
}

const (
	defaultInFlight = 3
	defaultLiveLag  = 3 * time.Second
	defaultGrace    = 5 * time.Second
)

// Forwarder delivers one destination's records. Run it once.
type Forwarder struct {
	opts  Options
	gate  *gate
	sizer *sizer
	state *tracker
	store atomic.Pointer[Store]

	refusing atomic.Bool // the store refuses even lines that are known to be good: see proof
	control  control

	// Owned by the goroutine of Run.
	live, replay lane
	claimed      rangeSet // acknowledged, in flight, or found missing
	running      int
	lastLive     bool
	retryRead    time.Time // when to read again after a failed read
	readFailing  bool
	flying       map[*batch]struct{}
	parked       []*batch // parts of batches that were broken up, to be sent next
	troubled     int      // of flying, how many are such parts

	done   chan *batch
	nudged chan struct{} // wakes Run; capacity 1

	mu     sync.Mutex
	resume chan struct{} // closed and replaced by Nudge: ends the pauses of batches
}

// New checks o.
func New(o Options) (*Forwarder, error) {
	switch {
	case o.Name == "":
		return nil, errors.New("forwarder: destination has no name")
	case o.Log == nil || o.Cursor == nil || o.Store == nil || o.Quarantine == nil:
		return nil, fmt.Errorf("forwarder %s: log, cursor, store and quarantine are required", o.Name)
	case o.InFlight < 0 || o.Limits.Lines < 0 || o.Limits.Bytes < 0 || o.Limits.Raw < 0:
		return nil, fmt.Errorf("forwarder %s: a limit is negative", o.Name)
	}
	o.Limits.setDefaults()
	o.Backoff.setDefaults()
	o.InFlight = orDefault(o.InFlight, defaultInFlight)
	o.LiveLag = orDefault(o.LiveLag, defaultLiveLag)
	o.Grace = orDefault(o.Grace, defaultGrace)
	if o.Now == nil {
		o.Now = telemetry.Now
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	f := &Forwarder{
		opts: o, gate: newGate(o.Backoff), sizer: newSizer(o.Limits),
		done: make(chan *batch), flying: make(map[*batch]struct{}), nudged: make(chan struct{}, 1), resume: make(chan struct{}),
	}
	f.state = newTracker(o)
	f.store.Store(&o.Store)
	return f, nil
}

// SetStore changes where to and how from the next request on, and ends a wait that a person's action has ended:
// for a new token, URL or certificate. What is under way ends with the old one.
func (f *Forwarder) SetStore(s Store) {
	f.store.Store(&s)
	f.refusing.Store(false)
	f.Nudge()
}

// Nudge makes a waiting destination try at once.
func (f *Forwarder) Nudge() {
	f.gate.nudge()
	f.mu.Lock()
	close(f.resume)
	f.resume = make(chan struct{})
	f.mu.Unlock()
	select {
	case f.nudged <- struct{}{}:
	default:
	}
}

func (f *Forwarder) resumed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resume
}

// Run delivers until ctx is done. Requests that are then under way get Options.Grace to end; what was not acknowledged
// is delivered after the next start. It returns nil after ctx, or why it cannot go on: the log or the cursor has failed
// or was closed.
func (f *Forwarder) Run(ctx context.Context) error {
	// Requests outlive ctx by the grace; everything else ends with it.
	sendCtx, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	var helpers sync.WaitGroup
	helpCtx, stopHelpers := context.WithCancel(ctx)
	helpers.Go(func() { f.detect(helpCtx) })
	defer helpers.Wait()
	defer stopHelpers()

	f.start()
	runCtx, stopRun := context.WithCancel(ctx)
	defer stopRun()
	err := f.loop(runCtx, sendCtx)
	stopRun()
	grace := time.AfterFunc(f.opts.Grace, abort)
	defer grace.Stop()
	for f.running > 0 {
		err = errors.Join(err, f.finish(<-f.done))
	}
	if err != nil {
		return fmt.Errorf("forward to %s: %w", f.opts.Name, err)
	}
	return nil
}

// start takes up what the cursor says: everything not acknowledged is one live lane until it turns out to be old.
func (f *Forwarder) start() {
	low, beyond := f.opts.Cursor.Acked()
	if low > 0 {
		f.claimed.add(1, low)
	}
	for _, r := range beyond {
		f.claimed.add(r.From, r.To)
	}
	f.live = lane{live: true, pos: low + 1}
	f.replay = lane{pos: low + 1, end: low + 1}
}

func (f *Forwarder) loop(ctx, sendCtx context.Context) error {
	for {
		changed := f.opts.Log.Changed()
		if ctx.Err() != nil {
			return nil
		}
		if err := f.fill(); err != nil {
			return err
		}
		for b := f.nextBatch(); b != nil; b = f.nextBatch() {
			f.launch(ctx, sendCtx, b)
			if err := f.fill(); err != nil {
				return err
			}
		}
		f.state.scheduled(f)
		wake := time.NewTimer(f.nap())
		select {
		case b := <-f.done:
			if err := f.finish(b); err != nil {
				wake.Stop()
				return err
			}
		case <-changed:
		case <-f.nudged:
		case <-wake.C:
		case <-ctx.Done():
		}
		wake.Stop()
	}
}

// nap is how long the loop may wait when nothing happens.
func (f *Forwarder) nap() time.Duration {
	if !f.retryRead.IsZero() || len(f.live.window) > 0 || len(f.replay.window) > 0 {
		return launchAnyway
	}
	return time.Second
}

// launch starts the delivery of b in a goroutine that finish joins.
func (f *Forwarder) launch(ctx, sendCtx context.Context, b *batch) {
	f.running++
	b.lane.begin(b)
	f.lastLive = b.live
	f.flying[b] = struct{}{}
	if b.troubled {
		f.troubled++
	}
	d := &delivery{f: f, sendCtx: sendCtx, w: waiter{live: b.live}, mixed: len(b.streams) > 1}
	go func() {
		b.err = d.run(ctx, newSet(b.records, nil))
		f.done <- b
	}()
}

// finish takes a delivery's end and acknowledges its records.
func (f *Forwarder) finish(b *batch) error {
	f.running--
	if b.troubled {
		f.troubled--
	}
	brokenUp := errors.Is(b.err, errBreakUp)
	b.lane.finish(b, brokenUp)
	delete(f.flying, b)
	if brokenUp {
		f.parked = append(f.parked, b.breakUp()...)
		return nil
	}
	if b.err != nil {
		// Stopped on the way: nothing is acknowledged, all of it comes again.
		if errors.Is(b.err, context.Canceled) || errors.Is(b.err, context.DeadlineExceeded) {
			return nil
		}
		return b.err
	}
	f.state.delivered(b)
	for _, r := range b.ranges() {
		if err := f.opts.Cursor.Ack(r.From, r.To); err != nil {
			return fmt.Errorf("acknowledge records %d to %d: %w", r.From, r.To, err)
		}
	}
	return nil
}

const (
	detectAgain = 10 * time.Minute // a server may be upgraded under the same URL
	detectRetry = 30 * time.Second
)

// detect learns what the server is, for the state only: what its answers mean is the Store's business.
func (f *Forwarder) detect(ctx context.Context) {
	for {
		wait := detectRetry
		if server, err := (*f.store.Load()).Detect(ctx); err == nil {
			f.state.detected(server)
			wait = detectAgain
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-f.resumed():
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
