package uaserver

import (
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// oneItem returns a rig with one item of a long queue.
func oneItem(t *testing.T) (*rig, uint32, *Variable) {
	t.Helper()
	r := newRig(t, Options{Record: true})
	v := r.variable("V", 0.0)
	sub := r.subscribe(10, 1000, 0)
	r.monitor(sub, itemRequest(v, 1, 0, 100, true, nil))
	return r, sub, v
}

func TestDropNotification(t *testing.T) {
	f := func(republish bool) {
		t.Helper()
		r, sub, v := oneItem(t)
		r.s.DropNotification(2, republish)
		id := r.publish()
		r.wait(cycleTime)
		r.want(id, "1: 1=0")
		id = r.publish()
		r.set(v, 1.0)
		r.wait(cycleTime)
		r.want(id, "nothing")
		r.set(v, 2.0)
		r.wait(cycleTime)
		r.want(id, "3: 1=2")
		missing := &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 2}
		if !republish {
			r.fault(missing, ua.StatusBadMessageNotAvailable)
			return
		}
		got := call1[*ua.RepublishResponse](r, missing)
		if text := dump(&ua.PublishResponse{NotificationMessage: got.NotificationMessage}); text != "2: 1=1" {
			t.Errorf("republished %s", text)
		}
	}
	f(true)
	f(false)
}

func TestReorderNext(t *testing.T) {
	r, _, v := oneItem(t)
	r.s.ReorderNext()
	a, b := r.publish(), r.publish()
	r.wait(cycleTime)
	r.want(a, "nothing")
	r.set(v, 1.0)
	r.wait(cycleTime)
	r.want(a, "1: 1=0")
	r.want(b, "2: 1=1")
	if i, j := slices.Index(r.peer.order, a), slices.Index(r.peer.order, b); i < j {
		t.Error("the messages came in order")
	}
	c := r.publish()
	r.set(v, 2.0)
	r.wait(cycleTime)
	r.want(c, "3: 1=2") // only one pair
}

func TestFaultOn(t *testing.T) {
	r := newRig(t, Options{})
	r.s.FaultOn("Read", ua.StatusBadTooManyOperations, 2)
	r.fault(anything(), ua.StatusBadTooManyOperations)
	r.fault(anything(), ua.StatusBadTooManyOperations)
	call1[*ua.ReadResponse](r, anything())
	r.s.FaultOn("Read", ua.StatusBadUserAccessDenied, -1)
	for range 5 {
		r.fault(anything(), ua.StatusBadUserAccessDenied)
	}
	r.s.FaultOn("Read", ua.StatusOK, 0)
	call1[*ua.ReadResponse](r, anything())
	if n := r.s.Requests()["Read"]; n != 9 {
		t.Errorf("%d reads counted", n)
	}
}

func TestBadAcknowledgements(t *testing.T) {
	r, sub, _ := oneItem(t)
	id := r.publish()
	r.wait(cycleTime)
	r.want(id, "1: 1=0")
	ack := &ua.SubscriptionAcknowledgement{SubscriptionID: sub, SequenceNumber: 1}
	r.s.BadAckStatus(ua.StatusBadSequenceNumberUnknown)
	id = r.publish(ack)
	r.wait(10 * cycleTime)
	if got := r.published(id); got.Results[0] != ua.StatusBadSequenceNumberUnknown || len(got.AvailableSequenceNumbers) != 1 {
		t.Errorf("%+v", got)
	}
	r.s.BadAckStatus(ua.StatusOK)
	r.s.CloseOnStaleAck(true)
	r.publish(ack)
	if r.peer.closed {
		t.Error("closed on a good acknowledgement")
	}
	r.publish(ack)
	if !r.peer.closed || r.s.Stats().StaleAckCloses != 1 {
		t.Error("not closed on a stale acknowledgement")
	}
}

func TestDropSubscriptions(t *testing.T) {
	r, sub, v := oneItem(t)
	id := r.publish()
	r.s.DropSubscriptions()
	r.wantFault(id, ua.StatusBadNoSubscription)
	r.fault(&ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 1}, ua.StatusBadSubscriptionIDInvalid)
	if len(v.items) != 0 || r.s.Filtered()[CauseLost] != 1 {
		t.Errorf("%d items, lost %v", len(v.items), r.s.Filtered())
	}
	call1[*ua.ReadResponse](r, anything()) // the session is alive
}

func TestEndSubscriptions(t *testing.T) {
	r, _, _ := oneItem(t)
	id := r.publish()
	r.s.EndSubscriptions(ua.StatusGoodSubscriptionTransferred)
	r.want(id, "status 1: 0x002d0000")
	r.fault(&ua.PublishRequest{}, ua.StatusBadNoSubscription)
}

func TestDropSessions(t *testing.T) {
	r, _, _ := oneItem(t)
	r.s.DropSessions()
	r.fault(anything(), ua.StatusBadSessionIDInvalid)
}

func TestGarbage(t *testing.T) {
	r := newRig(t, Options{})
	r.s.GarbageBytes("Read", []byte("not opc ua"))
	r.s.GarbageBody("Read", func(at DateTime, handle uint32) []byte {
		return append(ResponseHead(id.ReadResponse_Encoding_DefaultBinary, at, handle), 0xFF, 0xFF, 0xFF, 0x7F)
	})
	r.post(anything())
	if len(r.peer.raw) != 1 || string(r.peer.raw[0]) != "not opc ua" {
		t.Errorf("raw bytes %q", r.peer.raw)
	}
	id := r.post(anything())
	if _, _, err := ua.DecodeService(r.peer.sent[id]); err == nil {
		t.Error("a garbage body was decoded")
	}
	call1[*ua.ReadResponse](r, anything())
}

func TestClockSkew(t *testing.T) {
	r, _, v := oneItem(t)
	r.s.SetClockSkew(10 * time.Minute)
	r.set(v, 1.0)
	id := r.publish()
	r.wait(cycleTime)
	p := r.published(id)
	if d := p.NotificationMessage.PublishTime.Sub(r.clock); d != 10*time.Minute {
		t.Errorf("publish time is ahead by %v", d)
	}
	items := p.NotificationMessage.NotificationData[0].Value.(*ua.DataChangeNotification).MonitoredItems
	got := items[1].Value
	if !got.SourceTimestamp.Equal(rigStart) || !got.ServerTimestamp.Equal(rigStart.Add(10*time.Minute)) {
		t.Errorf("timestamps %v and %v", got.SourceTimestamp, got.ServerTimestamp)
	}
}

func TestTruth(t *testing.T) {
	r, _, v := oneItem(t)
	r.set(v, 1.0)
	r.set(v, 1.0)
	if err := v.Set(nil, ua.StatusBadNoCommunication, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Set(struct{}{}, ua.StatusOK, r.clock); err == nil {
		t.Error("a value without a Variant was accepted")
	}
	want := []Generated{
		{Value: 0.0, Source: DateTimeOf(rigStart)},
		{Value: 1.0, Source: DateTimeOf(rigStart), Monitored: 1},
		{Value: 1.0, Source: DateTimeOf(rigStart), Monitored: 1},
		{Status: ua.StatusBadNoCommunication, Monitored: 1},
	}
	i := 0
	for g := range r.s.Generated() {
		w := want[i]
		w.Node, w.Server = v.ID(), DateTimeOf(rigStart)
		if g != w {
			t.Errorf("sample %d: %+v, want %+v", i, g, w)
		}
		i++
	}
	if i != len(want) || r.s.GeneratedCount() != uint64(i) || r.s.Filtered()[CauseUnchanged] != 1 {
		t.Errorf("%d samples, filtered %v", i, r.s.Filtered())
	}
}
