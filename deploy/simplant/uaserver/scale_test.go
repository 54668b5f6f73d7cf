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
