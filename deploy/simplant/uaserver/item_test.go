package uaserver

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"
)

func TestQueueOverflow(t *testing.T) {
	f := func(name string, queue uint32, oldest bool, values int, want string) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{})
			v := r.variable("V", 0.0)
			r.monitor(r.subscribe(10, 100, 0), itemRequest(v, 1, 0, queue, oldest, nil))
			for i := 1; i < values; i++ {
				r.set(v, float64(i))
			}
			id := r.publish()
			r.wait(100 * time.Millisecond)
			r.want(id, want)
			if lost := int(r.s.Filtered()[CauseQueue]); lost != max(0, values-int(max(1, queue))) {
				t.Errorf("%d samples counted as discarded", lost)
			}
		})
	}
	f("fits exactly", 3, true, 3, "1: 1=0 1=1 1=2")
	f("oldest goes, next is flagged", 3, true, 5, "1: 1=2/480 1=3 1=4")
	f("newest is replaced and flagged", 3, false, 5, "1: 1=0 1=1 1=4/480")
	f("one over, oldest", 2, true, 3, "1: 1=1/480 1=2")
	f("one over, newest", 2, false, 3, "1: 1=0 1=2/480")
	f("queue of one has no flag", 1, true, 5, "1: 1=4")
	f("queue of one, newest", 1, false, 5, "1: 1=4")
	f("zero means one", 0, true, 3, "1: 1=2")
}

func TestOverflowKeepsStatus(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	r.monitor(r.subscribe(10, 100, 0), itemRequest(v, 1, 0, 2, true, nil))
	for i, status := range []ua.StatusCode{ua.StatusOK, ua.StatusUncertainLastUsableValue, ua.StatusBadNoCommunication} {
		if err := v.Set(float64(i+1), status, r.clock); err != nil {
			t.Fatal(err)
		}
	}
	id := r.publish()
	r.wait(100 * time.Millisecond)
	r.want(id, fmt.Sprintf("1: 1=2/%x 1=3/%x", uint32(ua.StatusUncertainLastUsableValue|0x480), uint32(ua.StatusBadNoCommunication)))
}

func TestModifyQueueSize(t *testing.T) {
	f := func(oldest bool, want string) {
		t.Helper()
		r := newRig(t, Options{})
		v := r.variable("V", 0.0)
		sub := r.subscribe(10, 100, 0)
		it := r.monitor(sub, itemRequest(v, 1, 0, 10, oldest, nil))
		for i := 1; i < 6; i++ {
			r.set(v, float64(i))
		}
		res := call1[*ua.ModifyMonitoredItemsResponse](r, &ua.ModifyMonitoredItemsRequest{
			SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth,
			ItemsToModify: []*ua.MonitoredItemModifyRequest{{
				MonitoredItemID:     it.MonitoredItemID,
				RequestedParameters: itemRequest(v, 9, 0, 3, oldest, nil).RequestedParameters,
			}},
		})
		if res.Results[0].StatusCode != ua.StatusOK || res.Results[0].RevisedQueueSize != 3 {
			t.Errorf("modify: %+v", res.Results[0])
		}
		id := r.publish()
		r.wait(100 * time.Millisecond)
		r.want(id, want)
	}
	f(true, "1: 9=3/480 9=4 9=5")
	f(false, "1: 9=0 9=1 9=2/480")
}

// TestRingAgainstSlice compares the ring with a plain slice.
func TestRingAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring
		var want []float64
		for i := range rapid.IntRange(1, 200).Draw(t, "operations") {
			switch op := rapid.IntRange(0, 4).Draw(t, "op"); {
			case op < 3:
				r.push(sample{value: float64(i)})
				want = append(want, float64(i))
			case len(want) > 0 && op == 3:
				r.pop()
				want = want[1:]
			case len(want) > 0:
				r.unpush()
				want = want[:len(want)-1]
			}
			if r.size() != len(want) {
				t.Fatalf("size %d, want %d", r.size(), len(want))
			}
			for j, w := range want {
				if r.at(j).value != w {
					t.Fatalf("element %d is %v, want %v", j, r.at(j).value, w)
				}
			}
		}
	})
}

// TestRingGivesBack fills a ring as a long silence of the client does, and empties it.
func TestRingGivesBack(t *testing.T) {
	f := func(n, kept int) {
		t.Helper()
		var r ring
		for i := range n {
			r.push(sample{value: i})
		}
		for i := range n {
			if r.at(0).value != i {
				t.Fatalf("%v in place of %d", r.at(0).value, i)
			}
			r.pop()
		}
		if len(r.buf) != kept {
			t.Errorf("after %d samples: room for %d, want %d", n, len(r.buf), kept)
		}
		r.push(sample{value: "next"})
		if r.at(0).value != "next" || r.size() != 1 {
			t.Errorf("after %d samples: %v", n, r.at(0).value)
		}
	}
	f(3, 4)
	f(64, 64)
	f(65, 0)
	f(1000, 0)
}

func TestFilter(t *testing.T) {
	const (
		onStatus = ua.DataChangeTriggerStatus
		onValue  = ua.DataChangeTriggerStatusValue
		onTime   = ua.DataChangeTriggerStatusValueTimestamp
	)
	nan, inf := math.NaN(), math.Inf(1)
	f := func(name string, fl filter, last, next sample, want Cause) {
		t.Helper()
		if got := fl.rejects(&last, &next); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	val := func(v any) sample { return sample{value: v, source: 1} }
	later := func(v any) sample { return sample{value: v, source: 2} }
	bad := func(v any) sample { return sample{value: v, source: 2, status: ua.StatusBadNoCommunication} }
	f("same value", filter{trigger: onValue}, val(1.0), later(1.0), CauseUnchanged)
	f("new value", filter{trigger: onValue}, val(1.0), later(2.0), "")
	f("new type", filter{trigger: onValue}, val(1.0), later(int32(1)), "")
	f("new status", filter{trigger: onValue}, val(1.0), bad(1.0), "")
	f("negative zero", filter{trigger: onValue}, val(0.0), later(math.Copysign(0, -1)), "")
	f("NaN again", filter{trigger: onValue}, val(nan), later(nan), CauseUnchanged)
	f("null again", filter{trigger: onValue}, val(nil), later(nil), CauseUnchanged)
	f("string", filter{trigger: onValue}, val("a"), later("b"), "")
	f("status trigger ignores value", filter{trigger: onStatus}, val(1.0), later(2.0), CauseUnchanged)
	f("status trigger", filter{trigger: onStatus}, val(1.0), bad(1.0), "")
	f("time trigger", filter{trigger: onTime}, val(1.0), later(1.0), "")
	f("time trigger, same time", filter{trigger: onTime}, val(1.0), val(1.0), CauseUnchanged)

	band := filter{trigger: onValue, active: true, deadband: 2}
	f("inside", band, val(10.0), later(11.9), CauseDeadband)
	f("at the edge", band, val(10.0), later(12.0), CauseDeadband)
	f("outside", band, val(10.0), later(12.1), "")
	f("outside below", band, val(10.0), later(7.9), "")
	f("integers", band, val(int16(10)), later(int16(12)), CauseDeadband)
	f("integers outside", band, val(int16(10)), later(int16(13)), "")
	f("status beats deadband", band, val(10.0), bad(10.0), "")
	f("to NaN", band, val(10.0), later(nan), "")
	f("NaN to NaN", band, val(nan), later(nan), CauseDeadband)
	f("to infinity", band, val(10.0), later(inf), "")
	f("infinity again", band, val(inf), later(inf), CauseDeadband)
	f("from null", band, val(nil), later(1.0), "")
	f("time trigger with deadband", filter{trigger: onTime, active: true, deadband: 2}, val(10.0), later(11.0), CauseDeadband)
}

// TestDeadbandComparesWithReported makes sure that small steps add up.
func TestDeadbandComparesWithReported(t *testing.T) {
	f := func(typ ua.DeadbandType, width float64) {
		t.Helper()
		r := newRig(t, Options{})
		v := r.variable("V", 0.0) // range 0 to 200
		res := r.monitor(r.subscribe(10, 100, 0), itemRequest(v, 1, 0, 100, true,
			&ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValue, DeadbandType: uint32(typ), DeadbandValue: width}))
		if res.StatusCode != ua.StatusOK {
			t.Fatal(res.StatusCode)
		}
		for i := 1; i <= 10; i++ {
			r.set(v, float64(i))
		}
		id := r.publish()
		r.wait(100 * time.Millisecond)
		r.want(id, "1: 1=0 1=5 1=10")
		if n := r.s.Filtered()[CauseDeadband]; n != 8 {
			t.Errorf("%d samples counted as within the deadband", n)
		}
	}
	f(ua.DeadbandTypeAbsolute, 4)
	f(ua.DeadbandTypePercent, 2) // of 200
}

func TestFilterErrors(t *testing.T) {
	r := newRig(t, Options{})
	sub := r.subscribe(10, 100, 0)
	analog := r.variable("Analog", 1.0)
	plain := mustVariable(t, r.s, NodeSpec{Path: "Plain", Initial: 1.0})
	text := mustVariable(t, r.s, NodeSpec{Path: "Text", Initial: "x"})
	f := func(v *Variable, filter any, want ua.StatusCode) {
		t.Helper()
		if got := r.monitor(sub, itemRequest(v, 1, 0, 1, true, filter)).StatusCode; got != want {
			t.Errorf("%s with %+v: %v, want %v", v.ID(), filter, got, want)
		}
	}
	band := func(typ ua.DeadbandType, value float64) *ua.DataChangeFilter {
		return &ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValue, DeadbandType: uint32(typ), DeadbandValue: value}
	}
	f(analog, band(ua.DeadbandTypePercent, 5), ua.StatusOK)
	f(plain, band(ua.DeadbandTypeAbsolute, 5), ua.StatusOK)
	f(text, &ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatus}, ua.StatusOK)
	f(plain, band(ua.DeadbandTypePercent, 5), ua.StatusBadDeadbandFilterInvalid)
	f(analog, band(ua.DeadbandTypePercent, 101), ua.StatusBadDeadbandFilterInvalid)
	f(analog, band(ua.DeadbandTypeAbsolute, -1), ua.StatusBadDeadbandFilterInvalid)
	f(analog, band(ua.DeadbandTypeAbsolute, math.NaN()), ua.StatusBadDeadbandFilterInvalid)
	f(text, band(ua.DeadbandTypeAbsolute, 1), ua.StatusBadFilterNotAllowed)
	f(analog, band(3, 1), ua.StatusBadMonitoredItemFilterInvalid)
	f(analog, &ua.DataChangeFilter{Trigger: 3}, ua.StatusBadMonitoredItemFilterInvalid)
	f(analog, &ua.EventFilter{WhereClause: &ua.ContentFilter{}}, ua.StatusBadMonitoredItemFilterUnsupported)
}

func TestSamplingInterval(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	sub := r.subscribe(1, 1000, 0)
	r.monitor(sub, itemRequest(v, 1, 0, 100, true, nil))   // every sample
	r.monitor(sub, itemRequest(v, 2, 50, 100, true, nil))  // the last of each 50 ms
	r.monitor(sub, itemRequest(v, 3, -1, 100, true, nil))  // the publishing interval
	r.monitor(sub, itemRequest(v, 4, 250, 100, true, nil)) // longer than it
	for range 10 {
		r.wait(20 * time.Millisecond)
		r.set(v, math.Round(float64(r.clock.Sub(rigStart)/time.Millisecond)))
	}
	r.wait(5 * time.Millisecond)
	got := make(map[uint32]string)
	for range 4 {
		id := r.publish()
		r.wait(100 * time.Millisecond)
		p := r.published(id)
		if len(p.NotificationMessage.NotificationData) == 0 {
			continue
		}
		for _, it := range p.NotificationMessage.NotificationData[0].Value.(*ua.DataChangeNotification).MonitoredItems {
			got[it.ClientHandle] += fmt.Sprint(it.Value.Value.Value(), " ")
		}
	}
	for handle, want := range map[uint32]string{
		1: "0 20 40 60 80 100 120 140 160 180 200 ",
		2: "0 40 80 140 180 200 ", // grid: 50 100 150 200 250; a value set at 100 belongs to the slot after
		3: "0 80 180 200 ",
		4: "0 200 ",
	} {
		if got[handle] != want {
			t.Errorf("item %d: %s, want %s", handle, got[handle], want)
		}
	}
}

func TestRevisedSamplingInterval(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MinSamplingInterval: 50 * time.Millisecond, MaxQueueSize: 7}})
	v := r.variable("V", 0.0)
	sub := r.subscribe(10, 1000, 0)
	for asked, want := range map[float64]float64{0: 50, 10: 50, 75: 75, -1: 100, math.NaN(): 50} {
		res := r.monitor(sub, itemRequest(v, 1, asked, 1000, true, nil))
		if res.RevisedSamplingInterval != want || res.RevisedQueueSize != 7 {
			t.Errorf("asked for %v: %+v", asked, res)
		}
	}
}

// TestByException samples every change whatever a client asks for.
func TestByException(t *testing.T) {
	r := newRig(t, Options{ByException: true})
	v := r.variable("V", 0.0)
	sub := r.subscribe(10, 1000, 0)
	for handle, asked := range []float64{0, 50, 5000, -1} {
		if res := r.monitor(sub, itemRequest(v, uint32(handle), asked, 100, true, nil)); res.RevisedSamplingInterval != 0 {
			t.Errorf("asked for %v: %v", asked, res.RevisedSamplingInterval)
		}
	}
	r.set(v, 1.0)
	r.set(v, 2.0)
	id := r.publish()
	r.wait(cycleTime)
	r.want(id, "1: 0=0 0=1 0=2 1=0 1=1 1=2 2=0 2=1 2=2 3=0 3=1 3=2")
	if f := r.s.Filtered(); len(f) != 0 {
		t.Errorf("filtered %v", f)
	}
}

func TestMonitoringModes(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	sub := r.subscribe(10, 1000, 0)
	it := r.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	mode := func(m ua.MonitoringMode) {
		t.Helper()
		res := call1[*ua.SetMonitoringModeResponse](r, &ua.SetMonitoringModeRequest{
			SubscriptionID: sub, MonitoringMode: m, MonitoredItemIDs: []uint32{it.MonitoredItemID, 999_999},
		})
		if res.Results[0] != ua.StatusOK || res.Results[1] != ua.StatusBadMonitoredItemIDInvalid {
			t.Errorf("results %v", res.Results)
		}
	}
	expect := func(want string) {
		t.Helper()
		id := r.publish()
		r.wait(100 * time.Millisecond)
		r.want(id, want)
		if want == "nothing" {
			r.peer.sent = make(map[uint32][]byte)
		}
	}
	expect("1: 1=0")
	mode(ua.MonitoringModeSampling)
	r.set(v, 1.0)
	r.set(v, 2.0)
	idle := r.publish()
	r.wait(100 * time.Millisecond)
	r.want(idle, "nothing")
	mode(ua.MonitoringModeReporting)
	r.wait(100 * time.Millisecond)
	r.want(idle, "2: 1=1 1=2")
	mode(ua.MonitoringModeDisabled)
	r.set(v, 3.0)
	mode(ua.MonitoringModeReporting)
	expect("3: 1=3")
}

func TestRejectItem(t *testing.T) {
	r := newRig(t, Options{})
	good, bad := r.variable("Good", 1.0), r.variable("Bad", 1.0)
	if err := r.s.RejectItem(bad.ID(), ua.StatusBadUserAccessDenied); err != nil {
		t.Fatal(err)
	}
	sub := r.subscribe(10, 100, 0)
	res := call1[*ua.CreateMonitoredItemsResponse](r, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth,
		ItemsToCreate: []*ua.MonitoredItemCreateRequest{
			itemRequest(good, 1, 0, 1, true, nil), itemRequest(bad, 2, 0, 1, true, nil),
			{ItemToMonitor: &ua.ReadValueID{NodeID: ua.NewStringNodeID(2, "none"), AttributeID: 13, DataEncoding: &ua.QualifiedName{}}, RequestedParameters: itemRequest(good, 3, 0, 1, true, nil).RequestedParameters},
			{ItemToMonitor: &ua.ReadValueID{NodeID: ua.NewNumericNodeID(0, id.ObjectsFolder), AttributeID: 13, DataEncoding: &ua.QualifiedName{}}, RequestedParameters: itemRequest(good, 3, 0, 1, true, nil).RequestedParameters},
		},
	})
	want := []ua.StatusCode{ua.StatusOK, ua.StatusBadUserAccessDenied, ua.StatusBadNodeIDUnknown, ua.StatusBadAttributeIDInvalid}
	for i, w := range want {
		if res.Results[i].StatusCode != w {
			t.Errorf("item %d: %v, want %v", i, res.Results[i].StatusCode, w)
		}
	}
}
