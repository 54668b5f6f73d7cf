package uaserver

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// The plant of 2 GW: its variables are spread over one server for each area.
const (
	plantServers   = 10
	plantVariables = 40_420
)

// plant is a number of servers with variables as machines have them: names of the usual
// length, and for two of three a unit and a range.
type plant struct {
	servers []*Server
	updates [][]Update // one for each variable, by server
}

func newPlant(tb testing.TB, opts Options) *plant {
	tb.Helper()
	p := &plant{}
	opts.Namespaces = []string{testURI}
	for s := range plantServers {
		srv := New(opts)
		updates := make([]Update, plantVariables/plantServers)
		for i := range updates {
			spec := NodeSpec{Namespace: testURI, Path: fmt.Sprintf("Area%d/Machine%03d/Group%d/MainHeaterPower%02d", s, i/40, i%4, i%40), Initial: 0.0}
			if i%3 != 0 {
				spec.Unit, spec.Range = &Unit{Code: "KWT", Name: "kW", Text: "kilowatt"}, &Range{0, 180}
			}
			v, err := srv.AddVariable(spec)
			if err != nil {
				tb.Fatal(err)
			}
			updates[i].Variable = v
		}
		p.servers, p.updates = append(p.servers, srv), append(p.updates, updates)
	}
	return p
}

// monitor makes an item for each variable of server i in a session without a socket.
func (p *plant) monitor(i int, peer peer, interval time.Duration, now time.Time) *subscription {
	s := p.servers[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	sess := &session{token: "t", peer: peer, activated: true, timeout: 1 << 60, seen: now, subs: make(map[uint32]*subscription)}
	s.sessions["t"] = sess
	c := &call{peer: peer, token: "t", service: "Publish"}
	s.createSubscription(c, sess, &ua.CreateSubscriptionRequest{RequestedPublishingInterval: 500, RequestedMaxKeepAliveCount: 10, RequestedLifetimeCount: 1 << 30, PublishingEnabled: true})
	var sub *subscription
	for _, sub = range sess.subs {
	}
	for n := range p.updates[i] {
		req := itemRequestLocked(s, p.updates[i][n].Variable, uint32(n))
		req.RequestedParameters.SamplingInterval = float64(interval) / float64(time.Millisecond)
		s.createItem(sub, req, ua.TimestampsToReturnBoth, now)
	}
	return sub
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPlant makes the servers of a plant of 2 GW, with an item for each variable: how
// long that takes and what it keeps in memory.
func BenchmarkPlant(b *testing.B) {
	for b.Loop() {
		before := heap()
		start := time.Now()
		p := newPlant(b, Options{})
		created := time.Since(start)
		variables := heap()
		for i := range p.servers {
			p.monitor(i, &countingPeer{}, time.Second, rigStart)
		}
		all := heap()
		b.ReportMetric(created.Seconds(), "s/plant")
		b.ReportMetric(float64(variables-before)/plantVariables, "B/variable")
		b.ReportMetric(float64(all-variables)/plantVariables, "B/item")
		runtime.KeepAlive(p)
	}
}

// BenchmarkPlantLoad runs the plant of 2 GW by a clock of its own: 12,700 values a second,
// set every 100 ms, sampled with a period of 1 s and published every 500 ms. One operation
// is one value from SetAll to the encoded response, without the socket.
func BenchmarkPlantLoad(b *testing.B) {
	const perSecond, tick = 12_700, 100 * time.Millisecond
	clock := rigStart
	p := newPlant(b, Options{Now: func() time.Time { return clock }})
	peers, subs := make([]*countingPeer, plantServers), make([]*subscription, plantServers)
	for i, s := range p.servers {
		s.now = func() time.Time { return clock }
		peers[i] = &countingPeer{}
		subs[i] = p.monitor(i, peers[i], time.Second, clock)
	}
	next := make([]int, plantServers)
	value, set := 1.0, 0
	b.ReportAllocs()
	b.ResetTimer()
	for set < b.N {
		at := DateTimeOf(clock)
		for i, s := range p.servers {
			all := p.updates[i]
			from := next[i]
			to := min(from+perSecond/plantServers/10, len(all))
			for n := from; n < to; n++ {
				value++
				all[n].Data = Data{Value: value, Source: at}
			}
			if err := s.SetAll(all[from:to]); err != nil {
				b.Fatal(err)
			}
			set += to - from
			next[i] = to % len(all)
		}
		clock = clock.Add(tick)
		for i, s := range p.servers {
			s.mu.Lock()
			if len(subs[i].sess.publishes) == 0 {
				var acks []*ua.SubscriptionAcknowledgement
				for _, m := range subs[i].unacked {
					acks = append(acks, &ua.SubscriptionAcknowledgement{SubscriptionID: subs[i].id, SequenceNumber: m.seq})
				}
				s.publish(&call{peer: peers[i], token: "t", service: "Publish"}, subs[i].sess, &ua.PublishRequest{SubscriptionAcknowledgements: acks})
			}
			s.advance(clock)
			s.mu.Unlock()
		}
	}
	b.StopTimer()
	for i, s := range p.servers {
		if f := s.Filtered(); len(f) != 0 {
			b.Fatalf("server %d filtered %v", i, f)
		}
	}
}

// BenchmarkPlantLive serves the plant of 2 GW over sockets to gopcua's client, in real time
// for ten seconds: 12,700 values a second. It reports the time from SetAll to the client
// as the wait for the last value beyond the publishing interval.
func BenchmarkPlantLive(b *testing.B) {
	const perSecond, tick, publishing = 12_700, 100 * time.Millisecond, 500 * time.Millisecond
	const ticks = int(10 * time.Second / tick)
	p := newPlant(b, Options{})
	listeners := make([]*listener, plantServers)
	for i, s := range p.servers {
		if err := s.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		items := make([]*ua.MonitoredItemCreateRequest, len(p.updates[i]))
		for n := range items {
			items[n] = itemRequest(p.updates[i][n].Variable, uint32(n), 0, 10, true, nil)
		}
		listeners[i] = startListener(b, s, publishing, items)
		listeners[i].waitFor(b, uint64(len(items)))
	}
	next, value, sent := make([]int, plantServers), 1.0, uint64(0)
	before := heap()
	pace := time.NewTicker(tick)
	defer pace.Stop()
	b.ResetTimer()
	for range b.N * ticks {
		<-pace.C
		at := DateTimeOf(time.Now())
		for i, s := range p.servers {
			all := p.updates[i]
			from, to := next[i], min(next[i]+perSecond/plantServers/10, len(all))
			for n := from; n < to; n++ {
				value++
				all[n].Data = Data{Value: value, Source: at}
			}
			if err := s.SetAll(all[from:to]); err != nil {
				b.Fatal(err)
			}
			sent += uint64(to - from)
			next[i] = to % len(all)
		}
	}
	end := time.Now()
	got := uint64(0)
	for i, l := range listeners {
		l.waitFor(b, p.servers[i].GeneratedCount())
		got += l.got.Load()
	}
	b.StopTimer()
	if got != sent+plantServers*(plantVariables/plantServers) {
		b.Fatalf("%d values arrived, %d were set", got, sent)
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "values/s")
	b.ReportMetric(float64(max(0, time.Since(end)-publishing))/1e6, "ms/lag")
	b.ReportMetric(float64(heap())-float64(before), "B/growth")
}

// BenchmarkBrowsePlant walks 20,000 variables in one folder, and the properties of each, as
// a client does that reads the address space: a thousand references or nodes in a request.
func BenchmarkBrowsePlant(b *testing.B) {
	const variables = 20_000
	s := New(Options{Namespaces: []string{testURI}})
	for i := range variables {
		_, err := s.AddVariable(NodeSpec{
			Namespace: testURI, Path: fmt.Sprintf("Area/V%05d", i), Initial: 0.0, Unit: &Unit{Code: "KWT", Name: "kW"}, Range: &Range{0, 180},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	r := newBenchRig(b, s)
	for b.Loop() {
		nodes := r.browseAll(browseRequest(ua.NewStringNodeID(2, "Area"), 0))
		properties := 0
		for len(nodes) > 0 {
			n := min(1000, len(nodes))
			req := browseRequest(nodes[0], 0)
			only := *req.NodesToBrowse[0]
			req.NodesToBrowse = req.NodesToBrowse[:0]
			for _, id := range nodes[:n] {
				d := only
				d.NodeID = id
				req.NodesToBrowse = append(req.NodesToBrowse, &d)
			}
			properties += len(r.browseAll(req))
			nodes = nodes[n:]
		}
		if properties != 2*variables {
			b.Fatalf("%d properties", properties)
		}
	}
}

// benchRig is a session that browses without a socket.
type benchRig struct {
	b    *testing.B
	s    *Server
	sess *session
	peer *fakePeer
}

func newBenchRig(b *testing.B, s *Server) *benchRig {
	peer := newPeer()
	return &benchRig{b: b, s: s, peer: peer, sess: &session{peer: peer, points: make(map[string]*continuation)}}
}

// browseAll follows continuation points and returns the targets.
func (r *benchRig) browseAll(req *ua.BrowseRequest) (targets []*ua.NodeID) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.browse(&call{peer: r.peer, requestID: 1, service: "Browse"}, r.sess, req)
	for {
		_, svc, err := ua.DecodeService(r.peer.sent[1])
		if err != nil {
			r.b.Fatal(err)
		}
		var results []*ua.BrowseResult
		switch resp := svc.(type) {
		case *ua.BrowseResponse:
			results = resp.Results
		case *ua.BrowseNextResponse:
			results = resp.Results
		}
		var points [][]byte
		for _, res := range results {
			for _, ref := range res.References {
				targets = append(targets, ref.NodeID.NodeID)
			}
			if len(res.ContinuationPoint) > 0 {
				points = append(points, res.ContinuationPoint)
			}
		}
		if len(points) == 0 {
			return targets
		}
		r.s.browseNext(&call{peer: r.peer, requestID: 1, service: "BrowseNext"}, r.sess, &ua.BrowseNextRequest{ContinuationPoints: points})
	}
}
