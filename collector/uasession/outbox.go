package uasession

import (
	"context"
	"sync"

	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// event is one thing on the way to the sink: a message or a gap.
type event struct {
	m    *Message
	done func()
	gap  telemetry.Gap // when m is nil
}

// outbox is the ordered queue between the session's goroutine and the one that delivers. put never blocks; what
// bounds it is that the session sends no Publish while length is at its limit.
type outbox struct {
	mu    sync.Mutex
	queue []event
	busy  bool // an event is with the sink
	ended bool // nobody delivers any more

	kick chan struct{} // one token: there is something to take
	room chan struct{} // one token: an event was taken
}

func newOutbox() *outbox {
	return &outbox{kick: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (o *outbox) put(e event) {
	o.mu.Lock()
	o.queue = append(o.queue, e)
	o.mu.Unlock()
	signal(o.kick)
}

// length counts events not yet taken by the sink.
func (o *outbox) length() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue)
}

func (o *outbox) take() (e event, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy = false
	if len(o.queue) == 0 {
		return event{}, false
	}
	e = o.queue[0]
	o.queue[0] = event{}
	o.queue = o.queue[1:]
	o.busy = true
	return e, true
}

func (o *outbox) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended || len(o.queue) == 0 && !o.busy
}

func (o *outbox) end() {
	o.mu.Lock()
	o.ended = true
	o.mu.Unlock()
	signal(o.room)
}

// run delivers until ctx is done or the sink fails.
func (o *outbox) run(ctx context.Context, sink Sink) error {
	defer o.end()
	for {
		e, ok := o.take()
		signal(o.room)
		if !ok {
			select {
			case <-o.kick:
			case <-ctx.Done():
				return nil
			}
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		var err error
		if e.m != nil {
			err = sink.Deliver(ctx, e.m, e.done)
		} else {
			err = sink.Gap(ctx, e.gap)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// drain waits until all was delivered, which it says, or nobody delivers any more, or ctx is done.
func (o *outbox) drain(ctx context.Context) bool {
	for !o.idle() {
		select {
		case <-o.room:
		case <-ctx.Done():
			return false
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.ended
}

// ack is a message that is on disk.
type ack struct {
	sub uint32
	seq uint32
}

// ackList collects what may be acknowledged. done callbacks of any goroutine fill it, the session empties it.
type ackList struct {
	mu      sync.Mutex
	loop    uint64 // the session that the list belongs to
	ready   []ack
	pending int // delivered or waiting for delivery, not done
	change  chan struct{}
}

func newAckList() *ackList { return &ackList{change: make(chan struct{}, 1)} }

// done returns the callback for one message, and for others that are acknowledged with it. Only its first call counts.
func (a *ackList) done(loop uint64, sub, seq uint32, riders ...uint32) func() {
	a.mu.Lock()
	a.pending++
	a.mu.Unlock()
	called := false
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if called {
			return
		}
		called = true
		a.pending--
		if loop == a.loop {
			for _, n := range riders {
				a.ready = append(a.ready, ack{sub, n})
			}
			if seq != 0 {
				a.ready = append(a.ready, ack{sub, seq})
			}
		}
		signal(a.change)
	}
}

// put gives acknowledgements back whose Publish request failed.
func (a *ackList) put(loop uint64, back []*ua.SubscriptionAcknowledgement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if loop != a.loop {
		return
	}
	for _, b := range back {
		a.ready = append(a.ready, ack{b.SubscriptionID, b.SequenceNumber})
	}
}

// take empties the list of what keep agrees to; the rest is dropped and counted.
func (a *ackList) take(keep func(ack) bool) (out []*ua.SubscriptionAcknowledgement, dropped int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.ready {
		if !keep(r) {
			dropped++
			continue
		}
		out = append(out, &ua.SubscriptionAcknowledgement{SubscriptionID: r.sub, SequenceNumber: r.seq})
	}
	a.ready = a.ready[:0]
	return out, dropped
}

// reset begins a new session: what was to be acknowledged in the one before is void.
func (a *ackList) reset(loop uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loop, a.ready = loop, nil
}

func (a *ackList) allDone() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pending == 0
}

// drain waits until every delivered message is done or ctx is done.
func (a *ackList) drain(ctx context.Context) {
	for !a.allDone() {
		select {
		case <-a.change:
		case <-ctx.Done():
			return
		}
	}
}
