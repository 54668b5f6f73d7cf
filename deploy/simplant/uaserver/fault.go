package uaserver

import (
	"context"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"
)

// faults are the switches that make a server misbehave. Server.mu guards them.
type faults struct {
	services        map[string]*serviceFault
	reject          map[nodeKey]ua.StatusCode
	drops           map[uint32]bool // sequence number → still available for Republish
	reorder         int             // pairs of messages to swap
	held            *heldResponse
	closeOnStaleAck bool
	ackStatus       ua.StatusCode
	garbageQueue    map[string][]garbage
	frozen          bool
	history         HistoryFaults
	transfer        ua.StatusCode // of every TransferSubscriptions result, when bad
}

type serviceFault struct {
	status ua.StatusCode
	left   int // < 0: for ever
}

// heldResponse waits for the message that overtakes it.
type heldResponse struct {
	call *call
	body []byte
}

// garbage replaces a response.
type garbage struct {
	raw   bool
	bytes []byte
	build func(at DateTime, handle uint32) []byte
}

func (f *faults) init() {
	f.services = make(map[string]*serviceFault)
	f.reject = make(map[nodeKey]ua.StatusCode)
	f.drops = make(map[uint32]bool)
	f.garbageQueue = make(map[string][]garbage)
}

// take uses up one ServiceFault of a service.
func (f *faults) take(service string) (ua.StatusCode, bool) {
	sf := f.services[service]
	if sf == nil || sf.left == 0 {
		return 0, false
	}
	if sf.left > 0 {
		sf.left--
	}
	return sf.status, true
}

// drop tells whether the message with this number is kept back, and if it may be
// republished.
func (f *faults) drop(seq uint32) (keep, dropped bool) {
	keep, dropped = f.drops[seq]
	delete(f.drops, seq)
	return keep, dropped
}

func (f *faults) garbage(service string) (garbage, bool) {
	q := f.garbageQueue[service]
	if len(q) == 0 {
		return garbage{}, false
	}
	f.garbageQueue[service] = q[1:]
	return q[0], true
}

// reorder swaps this response with the next one of its kind.
func (s *Server) reorder(c *call, body []byte) {
	if s.faults.held == nil {
		s.faults.held = &heldResponse{call: c, body: append([]byte(nil), body...)}
		return
	}
	h := s.faults.held
	s.faults.held = nil
	s.faults.reorder--
	s.reply(c, body)
	s.reply(h.call, h.body)
}

// DropNotification keeps back the message with sequence number seq of any subscription,
// once. With republish it stays available for Republish, otherwise it is gone for good.
func (s *Server) DropNotification(seq uint32, republish bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.drops[seq] = republish
}

// ReorderNext sends the next two messages with data in the wrong order. The first one is
// held until the second is due and both of their Publish requests are there.
func (s *Server) ReorderNext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.reorder++
}

// FaultOn answers the next n requests of a service, such as "Read", with a ServiceFault;
// n < 0 means all, 0 none.
func (s *Server) FaultOn(service string, status ua.StatusCode, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.services[service] = &serviceFault{status: status, left: n}
}

// RejectItem makes CreateMonitoredItems refuse a node (expanded id, as Variable.ID) with
// status; StatusOK accepts it again.
func (s *Server) RejectItem(nodeID string, status ua.StatusCode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.space.parse(nodeID)
	if err != nil {
		return fmt.Errorf("reject item: %w", err)
	}
	if status == ua.StatusOK {
		delete(s.faults.reject, key)
		return nil
	}
	s.faults.reject[key] = status
	return nil
}

// CloseOnStaleAck makes the server close the connection when an acknowledgement names a
// message that it no longer has, as some servers do.
func (s *Server) CloseOnStaleAck(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.closeOnStaleAck = on
}

// BadAckStatus answers every acknowledgement with status, and keeps the message;
// StatusOK ends that.
func (s *Server) BadAckStatus(status ua.StatusCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.ackStatus = status
}

// KillConnections closes all TCP connections; sessions and subscriptions live on.
func (s *Server) KillConnections() {
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.abort()
	}
}

// DropSubscriptions makes the server forget all subscriptions but not the sessions:
// waiting Publish requests are answered with BadNoSubscription.
func (s *Server) DropSubscriptions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range sortedKeys(s.subs) {
		s.removeSubscription(s.subs[id])
	}
	for _, token := range sortedKeys(s.sessions) {
		s.serveWaiting(s.sessions[token])
	}
}

// EndSubscriptions deletes all subscriptions with a StatusChange notification, such as
// BadTimeout or GoodSubscriptionTransferred.
func (s *Server) EndSubscriptions(status ua.StatusCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range sortedKeys(s.subs) {
		s.closeWithStatus(s.subs[id], status)
	}
}

// DropSessions makes the server forget all sessions and subscriptions while connections
// stay open, as after a restart behind a gateway.
func (s *Server) DropSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetSessions()
}

// SetNamespaces rearranges the namespace array from index 1 on. It belongs between Stop
// and Start: clients may cache the array for the time of a connection.
func (s *Server) SetNamespaces(uris ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.space.permute(uris); err != nil {
		return fmt.Errorf("set namespaces: %w", err)
	}
	return nil
}

// Freeze stops all communication without closing anything: requests are read but not
// answered, nothing is published. Values still change and are queued.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.frozen = true
}

// Thaw ends Freeze; requests that waited are answered now.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.frozen = false
	s.thawed.Broadcast()
	s.schedule(s.now())
}

// SetClockSkew shifts the server's wall clock: server timestamps, publish times and
// CurrentTime. Source timestamps are the machine's business.
func (s *Server) SetClockSkew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// SetFirstSequence sets the first sequence number of subscriptions created from now on.
func (s *Server) SetFirstSequence(n uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.FirstSequence = max(n, 1)
}

// SetLimits replaces the limits for what is created from now on; zero fields take the
// defaults.
func (s *Server) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l.withDefaults()
}

// GarbageBytes puts b on the wire in place of the next response of a service: not even
// the chunk header is the server's.
func (s *Server) GarbageBytes(service string, b []byte) {
	s.addGarbage(service, garbage{raw: true, bytes: b})
}

// GarbageBody puts a body of the caller's making, in proper chunks, in place of the next
// response of a service. build gets the time and the request handle for the header.
func (s *Server) GarbageBody(service string, build func(at DateTime, handle uint32) []byte) {
	s.addGarbage(service, garbage{build: build})
}

func (s *Server) addGarbage(service string, g garbage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.garbageQueue[service] = append(s.faults.garbageQueue[service], g)
}

// WaitMonitored blocks until at least n monitored items exist, or ctx ends.
func (s *Server) WaitMonitored(ctx context.Context, n int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.MonitoredItems() < n {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d monitored items, have %d: %w", n, s.MonitoredItems(), ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
