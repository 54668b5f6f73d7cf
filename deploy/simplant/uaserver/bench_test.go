package uaserver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"
)

// countingPeer counts bytes and keeps nothing.
type countingPeer struct{ bytes int }

func (p *countingPeer) send(_ uint32, body []byte) bool { p.bytes += len(body); return true }
func (p *countingPeer) sendRaw([]byte)                  {}
func (p *countingPeer) hangUp()                         {}

// BenchmarkEngine sets 1000 doubles and publishes them, over and over: one operation is
// one value from Variable to encoded response, without the socket.
func BenchmarkEngine(b *testing.B) {
	clock := rigStart
	s := New(Options{Namespaces: []string{testURI}, Now: func() time.Time { return clock }})
	s.now = func() time.Time { return clock }
	p := &countingPeer{}
	sess := &session{token: "t", peer: p, activated: true, timeout: 1 << 60, seen: clock, subs: make(map[uint32]*subscription)}
	s.sessions["t"] = sess
	s.mu.Lock()
	c := &call{peer: p, token: "t", service: "Publish"}
	s.createSubscription(c, sess, &ua.CreateSubscriptionRequest{RequestedPublishingInterval: 100, RequestedMaxKeepAliveCount: 10, RequestedLifetimeCount: 1 << 30, PublishingEnabled: true})
	var sub *subscription
	for _, sub = range sess.subs {
	}
	s.mu.Unlock()
	updates := make([]Update, 1000)
	for i := range updates {
		v, err := s.AddVariable(NodeSpec{Namespace: testURI, Path: fmt.Sprintf("V%d", i), Initial: 0.0})
		if err != nil {
			b.Fatal(err)
		}
		s.mu.Lock()
		s.createItem(sub, itemRequestLocked(s, v, uint32(i)), ua.TimestampsToReturnBoth, clock)
		s.mu.Unlock()
		updates[i].Variable = v
	}
	b.ReportAllocs()
	b.ResetTimer()
	value := 1.0
	for n := 0; n < b.N; n += len(updates) {
		at := DateTimeOf(clock)
		for i := range updates {
			value++
			updates[i].Data = Data{Value: value, Source: at}
		}
		if err := s.SetAll(updates); err != nil {
			b.Fatal(err)
		}
		clock = clock.Add(100 * time.Millisecond)
		s.mu.Lock()
		var acks []*ua.SubscriptionAcknowledgement
		for _, m := range sub.unacked {
			acks = append(acks, &ua.SubscriptionAcknowledgement{SubscriptionID: sub.id, SequenceNumber: m.seq})
		}
		s.publish(c, sess, &ua.PublishRequest{SubscriptionAcknowledgements: acks})
		s.advance(clock)
		s.mu.Unlock()
	}
	b.ReportMetric(float64(p.bytes)/float64(b.N), "B/value")
	if s.stats.Published < uint64(b.N) {
		b.Fatalf("%d of %d values published", s.stats.Published, b.N)
	}
}

func itemRequestLocked(s *Server, v *Variable, handle uint32) *ua.MonitoredItemCreateRequest {
	return &ua.MonitoredItemCreateRequest{
		ItemToMonitor:       &ua.ReadValueID{NodeID: s.space.nodeID(v.node.key), AttributeID: ua.AttributeIDValue},
		MonitoringMode:      ua.MonitoringModeReporting,
		RequestedParameters: &ua.MonitoringParameters{ClientHandle: handle, QueueSize: 100, DiscardOldest: true},
	}
}

// BenchmarkSubscriber is the whole way over a socket to gopcua's decoder, with five
// Publish requests in flight; the client's part is most of the time. No value may be lost.
func BenchmarkSubscriber(b *testing.B) {
	const nodes, batch = 5000, 50_000
	s := New(Options{Namespaces: []string{testURI}})
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	updates, items := make([]Update, nodes), make([]*ua.MonitoredItemCreateRequest, nodes)
	for i := range updates {
		v, err := s.AddVariable(NodeSpec{Namespace: testURI, Path: fmt.Sprintf("V%d", i), Initial: 0.0})
		if err != nil {
			b.Fatal(err)
		}
		updates[i].Variable, items[i] = v, itemRequest(v, uint32(i), 0, 100, true, nil)
	}
	l := startListener(b, s, 10*time.Millisecond, items)
	l.waitFor(b, nodes) // initial values
	b.ResetTimer()
	value, sent := 1.0, uint64(nodes)
	for n := 0; n < b.N; n += batch {
		for range batch / nodes {
			value++
			at := DateTimeOf(time.Now())
			for i := range updates {
				updates[i].Data = Data{Value: value, Source: at}
			}
			if err := s.SetAll(updates); err != nil {
				b.Fatal(err)
			}
		}
		sent += batch
		l.waitFor(b, sent)
	}
	b.StopTimer()
	if q := s.Filtered()[CauseQueue]; q != 0 {
		b.Fatalf("%d values overflowed", q)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "values/s")
}

// listener counts the values of one subscription.
type listener struct {
	got  atomic.Uint64
	tick chan struct{}
}

func (l *listener) waitFor(b *testing.B, n uint64) {
	b.Helper()
	deadline := time.After(30 * time.Second)
	for l.got.Load() < n {
		select {
		case <-l.tick:
		case <-deadline:
			b.Fatalf("%d of %d values arrived", l.got.Load(), n)
		}
	}
}

// startListener subscribes to items and keeps five Publish requests in flight.
func startListener(b *testing.B, s *Server, interval time.Duration, items []*ua.MonitoredItemCreateRequest) *listener {
	b.Helper()
	c, err := opcua.NewClient(s.Endpoint(), opcua.SecurityMode(ua.MessageSecurityModeNone), opcua.RequestTimeout(time.Minute))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	if err := c.Dial(ctx); err != nil {
		b.Fatal(err)
	}
	sess, err := c.CreateSession(ctx, sessionConfig())
	if err != nil {
		b.Fatal(err)
	}
	if err := c.ActivateSession(ctx, sess); err != nil {
		b.Fatal(err)
	}
	l := &listener{tick: make(chan struct{}, 1)}
	var subID uint32
	must := func(req ua.Request, h func(ua.Response) error) {
		if err := c.Send(ctx, req, h); err != nil {
			b.Fatal(err)
		}
	}
	must(&ua.CreateSubscriptionRequest{RequestedPublishingInterval: inMilliseconds(interval), RequestedLifetimeCount: 10_000, RequestedMaxKeepAliveCount: 100, PublishingEnabled: true},
		func(r ua.Response) error { subID = r.(*ua.CreateSubscriptionResponse).SubscriptionID; return nil })
	for len(items) > 0 {
		n := min(1000, len(items))
		must(&ua.CreateMonitoredItemsRequest{SubscriptionID: subID, TimestampsToReturn: ua.TimestampsToReturnBoth, ItemsToCreate: items[:n]},
			func(ua.Response) error { return nil })
		items = items[n:]
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { l.run(ctx, c, subID) })
	}
	b.Cleanup(func() {
		cancel()
		wg.Wait()
		stop, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		_ = c.Close(stop)
	})
	return l
}

func (l *listener) run(ctx context.Context, c *opcua.Client, subID uint32) {
	var acks []*ua.SubscriptionAcknowledgement
	for ctx.Err() == nil {
		err := c.Send(ctx, &ua.PublishRequest{SubscriptionAcknowledgements: acks}, func(r ua.Response) error {
			p := r.(*ua.PublishResponse)
			acks = nil
			if len(p.NotificationMessage.NotificationData) > 0 {
				l.got.Add(uint64(len(p.NotificationMessage.NotificationData[0].Value.(*ua.DataChangeNotification).MonitoredItems)))
				acks = append(acks, &ua.SubscriptionAcknowledgement{SubscriptionID: subID, SequenceNumber: p.NotificationMessage.SequenceNumber})
			}
			return nil
		})
		if err != nil {
			return
		}
		select {
		case l.tick <- struct{}{}:
		default:
		}
	}
}

// BenchmarkHistory reads 100 nodes of 10,000 kept values each, page after page: one
// operation is one value from memory to the encoded response.
func BenchmarkHistory(b *testing.B) {
	const nodes, values = 100, 10_000
	s := New(Options{Namespaces: []string{testURI}, History: values})
	peer := &countingPeer{}
	sess := &session{token: "t", peer: peer, activated: true, history: make(map[string]*historyRead)}
	reads := make([]historyNode, nodes)
	for i := range reads {
		v, err := s.AddVariable(NodeSpec{Namespace: testURI, Path: fmt.Sprintf("V%d", i)})
		if err != nil {
			b.Fatal(err)
		}
		for n := range values {
			if err := v.SetData(Data{Value: float64(n), Source: DateTimeOf(rigStart) + DateTime(n)}); err != nil {
				b.Fatal(err)
			}
		}
		reads[i].read = newHistoryRead(v, &rawDetails{Start: 1, End: lastTime}, ua.TimestampsToReturnBoth, 1000, false)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += values {
		h := reads[n/values%nodes]
		again := *h.read
		h.read = &again
		for more := true; more; {
			p := h.page(lastTime, maxMessageBytes)
			s.mu.Lock()
			b := s.appendHistoryResult(s.scratch[:0], sess, &h, &p)
			s.scratch = b[:0]
			clear(sess.history)
			s.mu.Unlock()
			more = p.more
		}
	}
}
