package uaserver

import (
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"
)

// subState is the state of a subscription (OPC 10000-4 §5.14.1.2).
//
//	          data or first keep-alive sent            nothing to send
//	        ┌──────────────┐                        ┌───────────────────┐
//	        ▼              │                        │                   ▼
//	     ┌────────┐  cycle, nothing to send   ┌───────────┐  keep-alive sent
//	───► │ normal │ ────────────────────────► │ keepAlive │ ◄──────────┐
//	     └────────┘ ◄──────────────────────── └───────────┘            │
//	        │  ▲            data sent               │                  │
//	        │  │ Publish arrives: data          due, no Publish        │
//	        ▼  │                                    ▼                  │
//	     ┌───────────────────────────────────────────┐ Publish arrives:│
//	     │ late: something is due, no Publish waits  │─────────────────┘
//	     └───────────────────────────────────────────┘ nothing but keep-alive
//
// In every state a publishing cycle without a waiting Publish request counts down the
// lifetime; at its end the subscription is deleted with a StatusChange BadTimeout.
type subState uint8

const (
	normal subState = iota
	late
	keepAlive
)

// subscription is one subscription of a session. Server.mu guards it.
type subscription struct {
	id       uint32
	sess     *session // nil after its session ended
	user     string   // who created it; empty: anonymous
	state    subState
	enabled  bool // PublishingEnabled
	priority uint8

	interval  time.Duration
	next      time.Time // when the next publishing cycle is due
	lifetime  uint32    // revised lifetime count
	keepAlive uint32    // revised maximum keep-alive count
	maxNotes  int       // notifications per message

	lifeLeft  uint32 // cycles left without a Publish request
	aliveLeft uint32 // cycles left until a keep-alive
	sent      bool   // MessageSent: the first message went out
	more      bool   // MoreNotifications: the last message left some behind
	lateSince time.Time

	seq     uint32 // sequence number of the next message with data
	unacked []message
	items   map[uint32]*item
	holding []*item // items with a value that waits for its sampling interval to end
	dynamic []*item // items on values of the server itself, sampled by each cycle
	ready   []*item // items with queued values, in order of their first one
}

// message is a sent NotificationMessage, kept for Republish until acknowledged.
type message struct {
	seq   uint32
	bytes []byte
}

// statusMessage is the last message of a subscription that ended.
type statusMessage struct {
	subID uint32
	bytes []byte
}

// nextSequence follows n: after 4294967295 comes 1 (OPC 10000-4 §7.26).
func nextSequence(n uint32) uint32 {
	if n == 1<<32-1 {
		return 1
	}
	return n + 1
}

// available tells whether there is data to report, after settling sampled values.
func (sub *subscription) available(now time.Time) bool {
	sub.settle(now)
	sub.compact()
	return len(sub.ready) > 0
}

// settle moves held values whose sampling interval ended into their queues.
func (sub *subscription) settle(now time.Time) {
	kept := sub.holding[:0]
	for _, it := range sub.holding {
		if it.settle(now) {
			kept = append(kept, it)
			continue
		}
		it.waiting = false
	}
	clear(sub.holding[len(kept):])
	sub.holding = kept
}

// compact drops items from the front of ready that have nothing to report any more.
func (sub *subscription) compact() {
	n := 0
	for n < len(sub.ready) && !sub.ready[n].reportable() {
		sub.ready[n].readied = false
		n++
	}
	if n > 0 {
		sub.ready = append(sub.ready[:0], sub.ready[n:]...)
	}
}

func (it *item) reportable() bool {
	return it.mode == ua.MonitoringModeReporting && it.queue.size() > 0
}

// cycle runs the publishing cycles of sub that are due at now: the rows of OPC 10000-4
// Table 84 for "publishing timer expires". Cycles that were missed because the process
// slept are not made up for.
func (s *Server) cycle(sub *subscription, now time.Time) {
	if now.Before(sub.next) {
		s.schedule(sub.next)
		return
	}
	sub.next = sub.next.Add(sub.interval)
	if missed := now.Sub(sub.next); missed >= 0 {
		sub.next = sub.next.Add((missed/sub.interval + 1) * sub.interval)
	}
	queued := sub.sess != nil && len(sub.sess.publishes) > 0
	switch {
	case queued:
		sub.lifeLeft = sub.lifetime
	case sub.lifeLeft <= 1:
		s.stats.LifetimeTimeouts++
		s.closeWithStatus(sub, ua.StatusBadTimeout)
		return
	default:
		sub.lifeLeft--
	}
	s.schedule(sub.next)

	s.sampleDynamic(sub)
	data := sub.available(now) && sub.enabled
	switch {
	case sub.state == late:
		// Row 12: it stays late until a Publish request comes.
	case data && queued: // rows 6, 14
		s.sendData(sub, now)
	case data: // rows 8, 17
		sub.becomeLate(now)
	case sub.state == normal && !sub.sent && queued: // row 7
		s.sendKeepAlive(sub)
	case sub.state == normal && !sub.sent: // row 8
		sub.becomeLate(now)
	case sub.state == normal: // row 9
		sub.state, sub.aliveLeft = keepAlive, sub.keepAlive
		s.countDown(sub, now, queued)
	default:
		s.countDown(sub, now, queued)
	}
}

// countDown is one cycle without data in the keepAlive state (rows 15, 16, 17).
func (s *Server) countDown(sub *subscription, now time.Time, queued bool) {
	switch {
	case sub.aliveLeft > 1:
		sub.aliveLeft--
	case queued:
		s.sendKeepAlive(sub)
		sub.aliveLeft = sub.keepAlive
	default:
		sub.becomeLate(now)
	}
}

func (sub *subscription) becomeLate(now time.Time) {
	sub.state, sub.lateSince = late, now
}

// sampleDynamic offers the server's own values, such as CurrentTime, to their items.
func (s *Server) sampleDynamic(sub *subscription) {
	for _, it := range sub.dynamic {
		if it.mode != ua.MonitoringModeDisabled {
			cur := it.variable.current()
			it.admit(&cur)
		}
	}
}

// closeWithStatus ends sub and leaves its last word for the next Publish request.
func (s *Server) closeWithStatus(sub *subscription, status ua.StatusCode) {
	sess := sub.sess
	bytes := appendStatusChange(nil, sub.seq, s.wall(), status)
	s.removeSubscription(sub)
	if sess == nil {
		return
	}
	sess.farewells = append(sess.farewells, statusMessage{subID: sub.id, bytes: bytes})
	s.serveWaiting(sess)
}

// removeSubscription deletes sub and its items; what was queued is lost.
func (s *Server) removeSubscription(sub *subscription) {
	delete(s.subs, sub.id)
	if sub.sess != nil {
		delete(sub.sess.subs, sub.id)
	}
	for _, id := range sortedKeys(sub.items) {
		sub.removeItem(sub.items[id], CauseLost)
	}
}

// removeItem deletes an item of sub.
func (sub *subscription) removeItem(it *item, cause Cause) {
	it.clear(cause)
	it.mode = ua.MonitoringModeDisabled // leaves sub.ready and sub.holding when next looked at
	delete(sub.items, it.id)
	sub.dynamic = slices.DeleteFunc(sub.dynamic, func(other *item) bool { return other == it })
	if v := it.variable; v != nil {
		v.items = slices.DeleteFunc(v.items, func(other *item) bool { return other == it })
	}
}
