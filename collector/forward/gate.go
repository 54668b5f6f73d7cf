package forward

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"kvarts/historian/influx"
)

// gate decides when a request may go out. While the store works it is open for all; after a failure it lets one
// request through at a time, and only after a wait, until one succeeds:
//
//	   ┌───────────── OK, Split, TooLarge ─────────────┐
//	   ▼                                               │
//	┌──────┐  Retry, Hold   ┌─────────┐  wait over  ┌───────┐
//	│ open │ ─────────────▶ │ waiting │ ──────────▶ │ probe │ ── Retry, Hold: longer wait ──▶ waiting
//	└──────┘                └─────────┘             └───────┘
//
// Which of several waiting batches is the probe goes round, those that were tried least first and live ones before
// replayed ones, so that a batch which the store cannot digest does not decide alone whether the store is believed
// to work.
type gate struct {
	limits Backoff
	jitter func() float64 // in [0, 1)

	mu      sync.Mutex
	failing bool
	held    bool          // a person must act
	until   time.Time     // no request before, while failing
	wait    time.Duration // the last wait, without jitter
	probing bool
	epoch   uint64 // counts changes, so that requests sent before one do not count again
	queue   []*waiter
	moved   chan struct{} // closed and replaced at every change
}

// Backoff bounds how often a store that fails is asked.
type Backoff struct {
	Min  time.Duration // first wait after a failure; default 1 s
	Max  time.Duration // longest wait of Retry unless the store asks for more; default 10 s
	Hold time.Duration // wait of Hold, plus up to as much again; default 30 s
}

func (b *Backoff) setDefaults() {
	b.Min = orDefault(b.Min, time.Second)
	b.Max = max(orDefault(b.Max, 10*time.Second), b.Min)
	b.Hold = orDefault(b.Hold, 30*time.Second)
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

type waiter struct {
	live  bool
	tries int // how often this batch was tried and failed
}

func newGate(b Backoff) *gate {
	return &gate{limits: b, jitter: rand.Float64, moved: make(chan struct{})}
}

// ticket is the permission for one request.
type ticket struct {
	w     *waiter
	epoch uint64
	probe bool
}

// enter waits until w's request may go out, or for the end of ctx.
func (g *gate) enter(ctx context.Context, w *waiter) (ticket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	queued := false
	defer func() {
		if queued {
			g.queue = slices.DeleteFunc(g.queue, func(o *waiter) bool { return o == w })
			g.broadcast() // another one may be first now
		}
	}()
	for {
		if err := ctx.Err(); err != nil {
			return ticket{}, err
		}
		if !g.failing {
			return ticket{w: w, epoch: g.epoch}, nil
		}
		if !queued {
			g.queue, queued = append(g.queue, w), true
		}
		left := time.Until(g.until)
		if left <= 0 && !g.probing && g.front() == w {
			g.probing = true
			return ticket{w: w, epoch: g.epoch, probe: true}, nil
		}
		g.sleep(ctx, left)
	}
}

// sleep waits, without the lock, for a change, or for left when that is positive.
func (g *gate) sleep(ctx context.Context, left time.Duration) {
	moved := g.moved
	g.mu.Unlock()
	defer g.mu.Lock()
	var due <-chan time.Time
	if left > 0 {
		t := time.NewTimer(left)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-moved:
	case <-due:
	case <-ctx.Done():
	}
}

func (g *gate) front() *waiter {
	return slices.MinFunc(g.queue, func(a, b *waiter) int {
		if a.tries != b.tries {
			return a.tries - b.tries
		}
		if a.live != b.live {
			if a.live {
				return -1
			}
			return 1
		}
		return 0
	})
}

// leave gives the ticket back with the outcome of its request.
func (g *gate) leave(t ticket, res *influx.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.probe {
		g.probing = false
	}
	switch res.Class {
	case influx.Retry, influx.Hold:
		if t.epoch == g.epoch {
			g.fail(res)
			if res.Suspect && slices.ContainsFunc(g.queue, func(o *waiter) bool { return o.tries <= t.w.tries }) {
				g.hasten(res.RetryAfter) // it may be the batch: let another one try
			}
		} else if until := time.Now().Add(res.RetryAfter); g.failing && until.After(g.until) {
			g.until = until
		}
	default:
		if g.failing || g.wait != 0 {
			g.epoch++
			g.failing, g.held, g.wait = false, false, 0
		}
	}
	g.broadcast()
}

// giveBack returns a ticket that was not used, or whose request was cancelled by its sender.
func (g *gate) giveBack(t ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.probe {
		g.probing = false
	}
	g.broadcast()
}

func (g *gate) fail(res *influx.Result) {
	g.epoch++
	g.failing, g.held = true, res.Class == influx.Hold
	if g.held {
		g.wait = g.limits.Hold
		g.until = time.Now().Add(max(g.wait+time.Duration(g.jitter()*float64(g.wait)), res.RetryAfter))
		return
	}
	g.wait = min(max(2*g.wait, g.limits.Min), g.limits.Max)
	spread := time.Duration(g.jitter() * float64(g.wait) / 4)
	g.until = time.Now().Add(max(g.wait+spread, res.RetryAfter))
}

// hasten shortens the present wait to the shortest that there is.
func (g *gate) hasten(least time.Duration) {
	if soon := time.Now().Add(max(g.limits.Min, least)); soon.Before(g.until) {
		g.until = soon
	}
}

// partsFollow says that the batch that failed last comes again in parts, one of which may be what the store trips over.
func (g *gate) partsFollow(retryAfter time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.held {
		g.hasten(retryAfter)
	}
	g.broadcast()
}

// nudge ends the present wait: something was changed that may make the next request succeed.
func (g *gate) nudge() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until = time.Time{}
	g.wait = 0
	g.broadcast()
}

func (g *gate) broadcast() {
	close(g.moved)
	g.moved = make(chan struct{})
}

// isOpen says that nothing stands against sending now.
func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.failing
}

// next is when the next request may go out; zero when the gate is open.
func (g *gate) next() (at time.Time, held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.failing {
		return time.Time{}, false
	}
	return g.until, g.held
}
