package uaserver

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"
)

const cycleTime = 100 * time.Millisecond // of every subscription of a rig

func TestKeepAlive(t *testing.T) {
	// The first message comes with the first cycle; after it a keep-alive comes when
	// the maximum keep-alive count of cycles had nothing to say.
	f := func(count uint32, want string) {
		t.Helper()
		r := newRig(t, Options{})
		r.subscribe(count, 1000, 0)
		var got strings.Builder
		id := r.publish()
		for range 12 {
			r.wait(cycleTime)
			if r.published(id) == nil {
				got.WriteByte('.')
				continue
			}
			r.want(id, "keep-alive 1")
			got.WriteByte('K')
			id = r.publish()
		}
		if got.String() != want {
			t.Errorf("keep-alive count %d: %s, want %s", count, got.String(), want)
		}
	}
	f(1, "KKKKKKKKKKKK")
	f(2, "K.K.K.K.K.K.")
	f(3, "K..K..K..K..")
	f(5, "K....K....K.")
}

func TestDataRestartsKeepAlive(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	sub := r.subscribe(4, 1000, 0)
	first := r.publish()
	r.wait(cycleTime)
	r.want(first, "keep-alive 1")
	r.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	id := r.publish()
	r.wait(cycleTime)
	r.want(id, "1: 1=0")
	alive := r.publish()
	r.wait(3 * cycleTime)
	r.want(alive, "nothing")
	r.set(v, 1.0)
	r.wait(cycleTime) // would have been the keep-alive
	r.want(alive, "2: 1=1")
	alive = r.publish()
	r.wait(3 * cycleTime)
	r.want(alive, "nothing")
	r.wait(cycleTime)
	r.want(alive, "keep-alive 3") // the number of the next message
}

func TestLateSubscription(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	r.monitor(r.subscribe(10, 1000, 0), itemRequest(v, 1, 0, 10, true, nil))
	r.wait(5*cycleTime + cycleTime/2)
	id := r.publish() // between two cycles: a late subscription answers at once
	r.want(id, "1: 1=0")
	next := r.publish()
	r.want(next, "nothing")
}

func TestLateKeepAlive(t *testing.T) {
	r := newRig(t, Options{})
	r.subscribe(3, 1000, 0)
	r.wait(cycleTime)
	id := r.publish()
	r.want(id, "keep-alive 1")
}

func TestLifetime(t *testing.T) {
	r := newRig(t, Options{})
	r.subscribe(2, 6, 0)
	r.wait(5 * cycleTime)
	if n := len(r.s.subs); n != 1 {
		t.Fatalf("%d subscriptions after 5 of 6 cycles", n)
	}
	r.want(r.publish(), "keep-alive 1") // late, and the lifetime begins again
	r.wait(5 * cycleTime)
	if n := len(r.s.subs); n != 1 {
		t.Fatalf("%d subscriptions after another 5 cycles", n)
	}
	r.wait(cycleTime)
	if n := len(r.s.subs); n != 0 || r.s.Stats().LifetimeTimeouts != 1 {
		t.Fatalf("%d subscriptions after the lifetime", n)
	}
	r.want(r.publish(), "status 1: 0x800a0000") // BadTimeout
	r.wantFault(r.publish(), ua.StatusBadNoSubscription)
}

func TestLifetimeIsKeptByServices(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	sub := r.subscribe(2, 6, 0)
	for range 4 {
		r.wait(4 * cycleTime)
		r.monitor(sub, itemRequest(v, 1, 0, 1, true, nil))
	}
	if len(r.s.subs) != 1 {
		t.Error("the subscription ended although its client was active")
	}
}

func TestRevisedCounts(t *testing.T) {
	f := func(alive, life, wantAlive, wantLife uint32) {
		t.Helper()
		l := DefaultLimits()
		p := l.revise(100, life, alive, 0)
		if p.keepAlive != wantAlive || p.lifetime != wantLife {
			t.Errorf("keep-alive %d lifetime %d revised to %d, %d; want %d, %d", alive, life, p.keepAlive, p.lifetime, wantAlive, wantLife)
		}
	}
	f(10, 100, 10, 100)
	f(10, 5, 10, 30)
	f(0, 0, 10, 30)
	f(1, 3, 1, 3)
	f(math.MaxUint32, math.MaxUint32, 100_000, 1_000_000)
}

func TestMaxNotifications(t *testing.T) {
	r := newRig(t, Options{})
	v, w := r.variable("V", 0.0), r.variable("W", 0.0)
	sub := r.subscribe(10, 1000, 3)
	r.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	r.monitor(sub, itemRequest(w, 2, 0, 10, true, nil))
	for i := 1; i < 4; i++ {
		r.set(v, float64(i))
	}
	a, b := r.publish(), r.publish()
	r.wait(cycleTime)
	r.want(a, "1: 1=0 1=1 1=2 …")
	r.want(b, "2: 1=3 2=0")
	for i := range 5 {
		r.set(w, float64(10+i))
	}
	c := r.publish()
	r.wait(cycleTime)
	r.want(c, "3: 2=10 2=11 2=12 …")
	r.want(r.publish(), "4: 2=13 2=14") // at once, MoreNotifications was true
}

func TestAcknowledgeAndRepublish(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{RetransmissionQueue: 3}})
	v := r.variable("V", 0.0)
	sub := r.subscribe(10, 1000, 0)
	r.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	var last *ua.PublishResponse
	for i := range 5 {
		r.set(v, float64(i))
		id := r.publish()
		r.wait(cycleTime)
		last = r.published(id)
	}
	if got := last.AvailableSequenceNumbers; len(got) != 3 || got[0] != 3 || got[2] != 5 {
		t.Errorf("available %v, want the last three of five", got)
	}
	again := call1[*ua.RepublishResponse](r, &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 4})
	if got := dump(&ua.PublishResponse{NotificationMessage: again.NotificationMessage}); got != "4: 1=3" {
		t.Errorf("republished %s", got)
	}
	r.fault(&ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 2}, ua.StatusBadMessageNotAvailable)
	r.fault(&ua.RepublishRequest{SubscriptionID: 4711, RetransmitSequenceNumber: 4}, ua.StatusBadSubscriptionIDInvalid)

	ack := func(sub, seq uint32) *ua.SubscriptionAcknowledgement {
		return &ua.SubscriptionAcknowledgement{SubscriptionID: sub, SequenceNumber: seq}
	}
	r.set(v, 99.0)
	id := r.publish(ack(sub, 4), ack(sub, 4), ack(sub, 1), ack(4711, 5), ack(sub, 3))
	r.wait(cycleTime)
	want := []ua.StatusCode{ua.StatusOK, ua.StatusBadSequenceNumberUnknown, ua.StatusBadSequenceNumberUnknown, ua.StatusBadSubscriptionIDInvalid, ua.StatusOK}
	p := r.published(id)
	for i, w := range want {
		if p.Results[i] != w {
			t.Errorf("acknowledgement %d: %v, want %v", i, p.Results[i], w)
		}
	}
	if got := p.AvailableSequenceNumbers; len(got) != 2 || got[0] != 5 || got[1] != 6 {
		t.Errorf("available %v, want 5 and 6", got)
	}
	r.fault(&ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 4}, ua.StatusBadMessageNotAvailable)
}

func TestSequenceRollover(t *testing.T) {
	r := newRig(t, Options{FirstSequence: math.MaxUint32 - 1})
	v := r.variable("V", 0.0)
	r.monitor(r.subscribe(2, 1000, 0), itemRequest(v, 1, 0, 10, true, nil))
	for i, want := range []string{"4294967294: 1=0", "4294967295: 1=1", "1: 1=2", "2: 1=3"} {
		r.set(v, float64(i))
		id := r.publish()
		r.wait(cycleTime)
		r.want(id, want)
	}
}

func TestPublishQueue(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MaxPublishRequests: 2}})
	r.wantFault(r.publish(), ua.StatusBadNoSubscription)
	sub := r.subscribe(3, 1000, 0)
	a, b, c := r.publish(), r.publish(), r.publish()
	r.wantFault(a, ua.StatusBadTooManyPublishRequests)
	r.wait(cycleTime)
	r.want(b, "keep-alive 1")
	r.want(c, "nothing")
	call1[*ua.DeleteSubscriptionsResponse](r, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{sub}})
	r.wantFault(c, ua.StatusBadNoSubscription)
}

func TestPublishTimeoutHint(t *testing.T) {
	r := newRig(t, Options{})
	r.subscribe(50, 1000, 0)
	first := r.publish()
	r.wait(cycleTime)
	r.want(first, "keep-alive 1")
	id := r.postHint(&ua.PublishRequest{}, 250*time.Millisecond)
	r.wait(200 * time.Millisecond)
	r.want(id, "nothing")
	r.wait(50 * time.Millisecond)
	r.wantFault(id, ua.StatusBadTimeout)
}

func TestPriorityAndFairness(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	sub := func(priority uint8, handle uint32) {
		id := call1[*ua.CreateSubscriptionResponse](r, &ua.CreateSubscriptionRequest{
			RequestedPublishingInterval: 100, RequestedMaxKeepAliveCount: 10, RequestedLifetimeCount: 100,
			PublishingEnabled: true, Priority: priority,
		}).SubscriptionID
		r.monitor(id, itemRequest(v, handle, 0, 1, true, nil))
		r.wait(cycleTime / 10)
	}
	sub(1, 10)
	sub(1, 11)
	sub(9, 90)
	r.wait(2 * cycleTime) // all three are late now
	for _, want := range []string{"1: 90=0", "1: 10=0", "1: 11=0"} {
		r.want(r.publish(), want)
	}
}

func TestSetPublishingMode(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	sub := r.subscribe(2, 1000, 0)
	r.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	mode := func(on bool) {
		res := call1[*ua.SetPublishingModeResponse](r, &ua.SetPublishingModeRequest{PublishingEnabled: on, SubscriptionIDs: []uint32{sub, 4711}})
		if res.Results[0] != ua.StatusOK || res.Results[1] != ua.StatusBadSubscriptionIDInvalid {
			t.Errorf("results %v", res.Results)
		}
	}
	mode(false)
	id := r.publish()
	r.wait(cycleTime)
	r.want(id, "keep-alive 1")
	mode(true)
	id = r.publish()
	r.wait(cycleTime)
	r.want(id, "1: 1=0")
}

func TestModifySubscription(t *testing.T) {
	r := newRig(t, Options{})
	sub := r.subscribe(1, 1000, 0)
	res := call1[*ua.ModifySubscriptionResponse](r, &ua.ModifySubscriptionRequest{
		SubscriptionID: sub, RequestedPublishingInterval: 1000, RequestedMaxKeepAliveCount: 2, RequestedLifetimeCount: 3,
	})
	if res.RevisedPublishingInterval != 1000 || res.RevisedMaxKeepAliveCount != 2 || res.RevisedLifetimeCount != 6 {
		t.Errorf("revised %+v", res)
	}
	id := r.publish()
	r.wait(900 * time.Millisecond)
	r.want(id, "nothing")
	r.wait(100 * time.Millisecond)
	r.want(id, "keep-alive 1")
	r.fault(&ua.ModifySubscriptionRequest{SubscriptionID: 4711}, ua.StatusBadSubscriptionIDInvalid)
}

// TestNothingIsLost runs a subscription with random sets, publishes, acknowledgements and
// waits, and wants every value in order, over messages in sequence.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, Options{})
		v := r.variable("V", 0.0)
		sub := r.subscribe(3, 1_000_000, uint32(rapid.IntRange(0, 4).Draw(rt, "max notifications")))
		r.monitor(sub, itemRequest(v, 1, 0, 10_000, true, nil))
		n := 0
		var ids []uint32
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0, 1:
				n++
				r.set(v, float64(n))
			case 2:
				if len(ids) < 10 {
					ids = append(ids, r.publish())
				}
			case 3:
				r.wait(time.Duration(rapid.IntRange(1, 250).Draw(rt, "ms")) * time.Millisecond)
			}
		}
		for range 2*n + 30 { // enough for the rest, one notification a message
			ids = append(ids, r.publish())
			r.wait(cycleTime)
		}
		next, seq := 0, uint32(1)
		for _, id := range r.peer.order {
			p := r.published(id)
			if p == nil {
				continue
			}
			m := p.NotificationMessage
			if m.SequenceNumber != seq {
				rt.Fatalf("sequence number %d, want %d", m.SequenceNumber, seq)
			}
			if len(m.NotificationData) == 0 {
				continue // keep-alive: the number is used again
			}
			seq++
			for _, it := range m.NotificationData[0].Value.(*ua.DataChangeNotification).MonitoredItems {
				if it.Value.Value.Float() != float64(next) || it.Value.Status != ua.StatusOK {
					rt.Fatalf("value %v %v, want %d", it.Value.Value.Float(), it.Value.Status, next)
				}
				next++
			}
		}
		if next != n+1 {
			rt.Fatalf("%d of %d values arrived", next, n+1)
		}
	})
}
