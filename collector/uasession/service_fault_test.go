package uasession

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

func TestRefusedItemsStopOnlyThemselves(t *testing.T) {
	const n = 600
	p := newPlant(t, n, uaserver.Options{})
	bad := []int{0, 17, 299, 300, n - 1}
	for _, i := range bad {
		if err := p.srv.RejectItem(p.vars[i].ID(), ua.StatusBadNodeIDUnknown); err != nil {
			t.Fatal(err)
		}
	}
	r := newRecorder(t)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{p.group("g", 0, n)}}, r)
	eventually(t, "the others flow", func() bool {
		st := r.snapshot()
		return st.ItemsOK == n-len(bad) && st.ItemsBad == len(bad)
	})
	p.tick()
	for i := range n {
		if !slices.Contains(bad, i) {
			p.arrived(r, fmt.Sprintf("v%d", i))
		}
	}
	for _, i := range bad {
		if err := p.srv.RejectItem(p.vars[i].ID(), ua.StatusOK); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "they are tried again", func() bool { return r.snapshot().ItemsBad == 0 })
	p.tick()
	p.arrived(r, "v0", "v17", fmt.Sprintf("v%d", n-1))
	gaps := r.gapsOf(telemetry.CauseItem)
	if len(gaps) < len(bad) {
		t.Errorf("%d gaps of single items, want at least %d", len(gaps), len(bad))
	}
	s.stop()
}

func TestRefusedFilterIsLeftOut(t *testing.T) {
	p := newPlant(t, 3, uaserver.Options{})
	r := newRecorder(t)
	g := p.group("g", 0, 3)
	g.Tags[1].Deadband = Deadband{PercentDeadband, 5} // the node has no EURange
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
	eventually(t, "all three flow", func() bool { return r.snapshot().ItemsOK == 3 })
	p.tick()
	p.arrived(r, "v0", "v1", "v2")
	st := r.snapshot()
	found := slices.ContainsFunc(st.Deviations, func(d Deviation) bool { return d.What == "filter" && d.Tag == "v1" && d.Count == 1 })
	if !found || st.ItemsBad != 0 {
		t.Errorf("deviations %+v", st.Deviations)
	}
	s.stop()
}

func TestTooManyOperationsHalves(t *testing.T) {
	p := newPlant(t, 100, uaserver.Options{})
	p.srv.FaultOn("CreateMonitoredItems", ua.StatusBadTooManyOperations, 3)
	r := newRecorder(t)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{p.group("g", 0, 100)}}, r)
	eventually(t, "all flow", func() bool { return r.snapshot().ItemsOK == 100 })
	if c := r.snapshot().Counters; c.Connects != 1 {
		t.Errorf("%d connects, want 1", c.Connects)
	}
	s.stop()
}

func TestServerLimitsAreHonoured(t *testing.T) {
	p := newPlant(t, 100, uaserver.Options{Limits: uaserver.Limits{MaxMonitoredItemsPerCall: 7, MaxNodesPerRead: 5, MaxNodesPerTranslate: 3}})
	g := p.group("g", 0, 100)
	for i := range g.Tags { // by path, and with a type that has to be read
		g.Tags[i].Node, g.Tags[i].Path = "", []QName{{testNS, "Line"}, {testNS, fmt.Sprintf("v%d", i)}}
		g.Tags[i].Outputs[0].Type = telemetry.NoType
	}
	r := newRecorder(t)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
	eventually(t, "all flow", func() bool { return r.snapshot().ItemsOK == 100 })
	p.tick()
	p.arrived(r, "v0", "v99")
	if f := p.srv.Stats().Faults; f != 0 {
		t.Errorf("the server refused %d requests, want none", f)
	}
	if v := r.values("v7"); v[0].Field.Type != telemetry.Float {
		t.Errorf("type %s, want float", v[0].Field.Type)
	}
	s.stop()
}

func TestFaultsOfServicesKeepTheChannel(t *testing.T) {
	for _, c := range []struct {
		service string
		status  ua.StatusCode
	}{
		{"Read", ua.StatusBadServiceUnsupported},
		{"Read", ua.StatusBadUserAccessDenied},
		{"CreateMonitoredItems", ua.StatusBadUserAccessDenied},
		{"Publish", ua.StatusBadTooManyPublishRequests},
		{"Publish", ua.StatusBadInternalError},
	} {
		t.Run(c.service+" "+statusText(c.status), func(t *testing.T) {
			sc := newScenario(t, uaserver.Options{}, nil)
			sc.srv.FaultOn(c.service, c.status, 3)
			sc.finish()
			if n := sc.counters(); n.Connects != 1 || n.Gaps != 0 {
				t.Errorf("%d connects, %d gaps: want 1, 0", n.Connects, n.Gaps)
			}
		})
	}
}

func TestStaleAcknowledgementsAreNotSent(t *testing.T) {
	// done comes long after the server's short retransmission queue has let go of the message; a server that closes
	// the connection over a stale acknowledgement must not be given one.
	p := newPlant(t, 1, uaserver.Options{Limits: uaserver.Limits{RetransmissionQueue: 3}})
	p.srv.CloseOnStaleAck(true)
	r := newRecorder(t)
	late := make(chan func(), 10000)
	r.ack = func(_ *Message, done func()) { late <- done }
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{p.group("g", 0, 1)}}, r)
	stop := p.run(5 * time.Millisecond)
	eventually(t, "20 messages wait", func() bool { return len(late) >= 20 })
	for range 10 { // all of them long gone, so that no race with the server's queue can make one stale on the way
		(<-late)()
	}
	n := r.count()
	eventually(t, "values flow on", func() bool { return r.count() >= n+40 })
	stop()
	c := r.snapshot().Counters
	if c.Connects != 1 || p.srv.Stats().StaleAckCloses != 0 || c.AckSkipped == 0 {
		t.Errorf("%d connects, %d closes, %d acknowledgements left out", c.Connects, p.srv.Stats().StaleAckCloses, c.AckSkipped)
	}
	s.stop()
}

func TestRefusedAcknowledgementsDoNoHarm(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	sc.srv.BadAckStatus(ua.StatusBadSequenceNumberUnknown)
	eventually(t, "some are refused", func() bool { return sc.counters().AckRefused > 5 })
	sc.srv.BadAckStatus(ua.StatusOK)
	sc.finish()
	if c := sc.counters(); c.Connects != 1 || c.Gaps != 0 {
		t.Errorf("%d connects, %d gaps: want 1, 0", c.Connects, c.Gaps)
	}
}

func TestAcknowledgedOnlyWhenDone(t *testing.T) {
	p := newPlant(t, 1, uaserver.Options{})
	r := newRecorder(t)
	r.ack = func(*Message, func()) {}
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{p.group("g", 0, 1)}}, r)
	stop := p.run(5 * time.Millisecond)
	eventually(t, "values flow", func() bool { return r.count() >= 30 })
	stop()
	if n := p.srv.Stats().Acknowledgements; n != 0 {
		t.Errorf("%d messages were acknowledged although none is on disk", n)
	}
	s.stop()
}
