package uaserver

import (
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

func TestHistoryAttributes(t *testing.T) {
	r := newRig(t, Options{History: 3})
	f := func(spec NodeSpec, access uint8) {
		t.Helper()
		v := mustVariable(t, r.s, spec)
		for _, attr := range []ua.AttributeID{ua.AttributeIDAccessLevel, ua.AttributeIDUserAccessLevel} {
			if got := r.readOne(v.NodeID(), attr).Value.Value(); got != access {
				t.Errorf("%s: access level %v, want %d", v.ID(), got, access)
			}
		}
		if got := r.readOne(v.NodeID(), ua.AttributeIDHistorizing).Value.Value(); got != (access != 1) {
			t.Errorf("%s: historizing %v", v.ID(), got)
		}
	}
	f(NodeSpec{Path: "Default"}, 5)
	f(NodeSpec{Path: "Own", History: 9}, 5)
	f(NodeSpec{Path: "None", History: -1}, 1)
	f(NodeSpec{Path: "Past", History: -1, Past: listPast(nil)}, 5)
	for node, want := range map[uint32]any{
		id.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData: uint32(100),
		id.Server_ServerCapabilities_MaxHistoryContinuationPoints:               uint16(100),
		id.HistoryServerCapabilities_AccessHistoryDataCapability:                true,
		id.HistoryServerCapabilities_UpdateDataCapability:                       false,
		id.HistoryServerCapabilities_MaxReturnDataValues:                        uint32(10_000),
	} {
		if got := r.readOne(ua.NewNumericNodeID(0, node), ua.AttributeIDValue).Value.Value(); got != want {
			t.Errorf("i=%d: %v, want %v", node, got, want)
		}
	}
}

func TestHistoryErrors(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MaxNodesPerHistoryRead: 2}})
	v := r.historian(nil)[0]
	plain := r.variable("Plain", 1.0)
	details := &ua.ReadRawModifiedDetails{StartTime: minute(0), EndTime: minute(9)}
	node := func() *ua.HistoryReadValueID { return &ua.HistoryReadValueID{NodeID: v.NodeID()} }

	r.fault(historyRequest(details), ua.StatusBadNothingToDo)
	r.fault(historyRequest(details, node(), node(), node()), ua.StatusBadTooManyOperations)
	neither := historyRequest(details, node())
	neither.TimestampsToReturn = ua.TimestampsToReturnNeither
	r.fault(neither, ua.StatusBadTimestampsToReturnInvalid)
	service := func(details any, status ua.StatusCode) {
		t.Helper()
		req := historyRequest(nil, node())
		req.HistoryReadDetails = ua.NewExtensionObject(details)
		r.fault(req, status)
	}
	service(nil, ua.StatusBadHistoryOperationInvalid)
	service(&ua.ReadValueID{NodeID: v.NodeID(), DataEncoding: &ua.QualifiedName{}}, ua.StatusBadHistoryOperationInvalid)
	service(&ua.ReadAtTimeDetails{}, ua.StatusBadHistoryOperationUnsupported)
	service(&ua.ReadRawModifiedDetails{}, ua.StatusBadHistoryOperationInvalid)
	service(&ua.ReadRawModifiedDetails{StartTime: minute(0)}, ua.StatusBadHistoryOperationInvalid)
	service(&ua.ReadRawModifiedDetails{NumValuesPerNode: 7}, ua.StatusBadHistoryOperationInvalid)

	operation := func(d *ua.ReadRawModifiedDetails, n *ua.HistoryReadValueID, status ua.StatusCode) {
		t.Helper()
		res := call1[*ua.HistoryReadResponse](r, historyRequest(d, n)).Results[0]
		if res.StatusCode != status || res.ContinuationPoint != nil {
			t.Errorf("%v, want %v", res.StatusCode, status)
		}
	}
	operation(details, &ua.HistoryReadValueID{NodeID: ua.NewStringNodeID(2, "Nowhere")}, ua.StatusBadNodeIDUnknown)
	operation(details, &ua.HistoryReadValueID{NodeID: plain.NodeID()}, ua.StatusBadHistoryOperationUnsupported)
	operation(details, &ua.HistoryReadValueID{NodeID: ua.NewNumericNodeID(0, id.ObjectsFolder)}, ua.StatusBadHistoryOperationUnsupported)
	operation(&ua.ReadRawModifiedDetails{IsReadModified: true, StartTime: minute(0), EndTime: minute(9)}, node(), ua.StatusBadHistoryOperationUnsupported)
	operation(details, &ua.HistoryReadValueID{NodeID: v.NodeID(), DataEncoding: &ua.QualifiedName{Name: "Default XML"}}, ua.StatusBadDataEncodingUnsupported)
	operation(details, &ua.HistoryReadValueID{NodeID: v.NodeID(), IndexRange: "1:2"}, ua.StatusBadIndexRangeNoData)
	operation(details, &ua.HistoryReadValueID{NodeID: v.NodeID(), ContinuationPoint: []byte("hp-0")}, ua.StatusBadContinuationPointInvalid)
	odd := mustVariable(t, r.s, NodeSpec{Path: "Odd", Past: listPast([]Data{{Value: struct{}{}, Source: DateTimeOf(minute(1))}})})
	operation(details, &ua.HistoryReadValueID{NodeID: odd.NodeID()}, ua.StatusBadInternalError)

	r.s.FaultOn("HistoryRead", ua.StatusBadServiceUnsupported, 1)
	r.fault(historyRequest(details, node()), ua.StatusBadServiceUnsupported)
}

func TestHistoryContinuationPoints(t *testing.T) {
	r := newRig(t, Options{History: 10, Limits: Limits{MaxHistoryValues: 2, MaxHistoryContinuationPoints: 2}})
	v, w := r.variable("V", 0.0), r.variable("W", 0.0)
	for i := range 5 {
		for _, x := range []*Variable{v, w} {
			if err := x.Set(float64(i), ua.StatusOK, minute(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := &ua.ReadRawModifiedDetails{StartTime: minute(0), EndTime: minute(9)}
	first := r.history(v, d, nil)
	if got := r.history(w, d, first.ContinuationPoint).StatusCode; got != ua.StatusBadContinuationPointInvalid {
		t.Errorf("the point of another node: %v", got)
	}
	second := r.history(v, d, first.ContinuationPoint)
	if got := dumpHistory(dataOf(second)); got != "2 3" {
		t.Errorf("second page %q", got)
	}
	if got := r.history(v, d, first.ContinuationPoint).StatusCode; got != ua.StatusBadContinuationPointInvalid {
		t.Errorf("a point that was used: %v", got)
	}
	release := func(point []byte) ua.StatusCode {
		t.Helper()
		req := historyRequest(d, &ua.HistoryReadValueID{NodeID: v.NodeID(), ContinuationPoint: point})
		req.ReleaseContinuationPoints = true
		res := call1[*ua.HistoryReadResponse](r, req).Results[0]
		if dataOf(res) != nil || res.ContinuationPoint != nil {
			t.Errorf("released with %+v", res)
		}
		return res.StatusCode
	}
	if got := release(second.ContinuationPoint); got != ua.StatusOK {
		t.Errorf("release: %v", got)
	}
	if got := release(second.ContinuationPoint); got != ua.StatusBadContinuationPointInvalid {
		t.Errorf("release again: %v", got)
	}
	node := func(x *Variable) *ua.HistoryReadValueID { return &ua.HistoryReadValueID{NodeID: x.NodeID()} }
	res := call1[*ua.HistoryReadResponse](r, historyRequest(d, node(v), node(w), node(v))).Results
	if res[0].StatusCode != ua.StatusOK || res[1].StatusCode != ua.StatusOK || res[2].StatusCode != ua.StatusBadNoContinuationPoints || dataOf(res[2]) != nil {
		t.Errorf("%v %v %v", res[0].StatusCode, res[1].StatusCode, res[2].StatusCode)
	}
	for _, page := range res[:2] {
		release(page.ContinuationPoint)
	}
	if n := r.s.Stats().HistoryValues; n != 8 {
		t.Errorf("%d values counted", n)
	}
}

// TestHistoryAnswerIsBounded gives each node at least one value and ends the answer's
// growth at maxMessageBytes.
func TestHistoryAnswerIsBounded(t *testing.T) {
	r := newRig(t, Options{})
	text := strings.Repeat("x", 200_000)
	var data []Data
	for i := range 8 {
		data = append(data, Data{Value: text, Source: DateTimeOf(minute(i))})
	}
	vars := r.historian(data)
	d := &ua.ReadRawModifiedDetails{StartTime: minute(0), EndTime: minute(9)}
	req := historyRequest(d, &ua.HistoryReadValueID{NodeID: vars[0].NodeID()}, &ua.HistoryReadValueID{NodeID: vars[1].NodeID()})
	res := call1[*ua.HistoryReadResponse](r, req).Results
	if a, b := len(dataOf(res[0])), len(dataOf(res[1])); a != 6 || b != 1 {
		t.Errorf("%d and %d values", a, b)
	}
	if all, pages := r.allHistory(vars[1], d); len(all) != 8 || pages != 2 {
		t.Errorf("%d values in %d pages", len(all), pages)
	}
}

// TestHistoryUpToTheYear9999 has the times with which clients say "all".
func TestHistoryUpToTheYear9999(t *testing.T) {
	const year9999 = DateTime(2650467743990000000)
	r := newRig(t, Options{})
	v := r.historian([]Data{
		{Value: 1.0, Source: 1}, {Value: 2.0, Source: DateTimeOf(minute(0)), Status: ua.StatusBadSensorFailure},
		{Value: nil, Source: DateTimeOf(minute(1)), Status: ua.StatusUncertainLastUsableValue}, {Value: 3.0, Source: year9999 - 1}, {Value: 4.0, Source: math.MaxInt64},
	})[0]
	f := func(start, end DateTime, backward bool, want string) {
		t.Helper()
		h := newHistoryRead(v, &rawDetails{Start: start, End: end}, ua.TimestampsToReturnBoth, 2, false)
		if h.rng.Backward != backward {
			t.Errorf("from %d to %d: backward %t", start, end, h.rng.Backward)
		}
		var got []any
		for more := true; more; {
			var err error
			more, err = h.read(lastTime, func(s *sample) bool { got = append(got, s.value); return true })
			if err != nil {
				t.Fatal(err)
			}
		}
		if text := fmt.Sprint(got); text != want {
			t.Errorf("from %d to %d: %s, want %s", start, end, text, want)
		}
	}
	f(1, year9999, false, "[1 2 <nil> 3]")
	f(1, math.MaxInt64, false, "[1 2 <nil> 3]")
	f(math.MaxInt64, 1, true, "[4 3 <nil> 2]")
	f(math.MaxInt64, math.MaxInt64, false, "[4]")

	// And as bytes: gopcua's encoder knows no such time, so they are put in place by hand.
	req := historyRequest(&ua.ReadRawModifiedDetails{StartTime: minute(0), EndTime: minute(7)}, &ua.HistoryReadValueID{NodeID: v.NodeID()})
	req.RequestHeader = &ua.RequestHeader{AuthenticationToken: r.token, AdditionalHeader: ua.NewExtensionObject(nil)}
	body, err := ua.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	old, far := appendVariant(nil, DateTimeOf(minute(7)))[1:], appendVariant(nil, year9999)[1:]
	patched := strings.Replace(string(body), string(old), string(far), 1)
	if err := r.s.dispatch(r.peer, 77, append(appendTypeID(nil, ua.ServiceTypeID(req)), patched...)); err != nil {
		t.Fatal(err)
	}
	_, svc, err := ua.DecodeService(r.peer.sent[77])
	if err != nil {
		t.Fatal(err)
	}
	values := dataOf(svc.(*ua.HistoryReadResponse).Results[0])
	if len(values) != 3 || values[0].Status != ua.StatusBadSensorFailure || values[1].Status != ua.StatusUncertainLastUsableValue || values[1].EncodingMask&ua.DataValueValue != 0 {
		t.Errorf("%d values: %+v %+v", len(values), values[0], values[1])
	}
}

func TestHistoryFaults(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MaxHistoryValues: 2}})
	var data []Data
	for i := range 5 {
		data = append(data, Data{Value: float64(i), Source: DateTimeOf(minute(i))})
	}
	d := &ua.ReadRawModifiedDetails{StartTime: minute(1), EndTime: minute(4)}
	for _, v := range r.historian(data) {
		read := func(f HistoryFaults) string {
			t.Helper()
			r.s.SetHistoryFaults(f)
			all, _ := r.allHistory(v, d)
			return dumpHistory(all)
		}
		if got := read(HistoryFaults{NewestFirst: true}); got != "3 2 1" {
			t.Errorf("newest first: %q", got)
		}
		r.clock = minute(2).Add(5 * time.Second)
		if got := read(HistoryFaults{Lag: 5 * time.Second}); got != "1 2" {
			t.Errorf("late: %q", got)
		}
		r.s.SetHistoryFaults(HistoryFaults{Status: ua.StatusBadOutOfService})
		if res := r.history(v, d, nil); res.StatusCode != ua.StatusBadOutOfService || dataOf(res) != nil {
			t.Errorf("%+v", res)
		}
		r.s.SetHistoryFaults(HistoryFaults{SamePoint: true})
		first := r.history(v, d, nil)
		for range 3 {
			again := r.history(v, d, first.ContinuationPoint)
			if string(again.ContinuationPoint) != string(first.ContinuationPoint) {
				t.Errorf("the point became %q", again.ContinuationPoint)
			}
			if got := dumpHistory(dataOf(again)); got != "3" {
				t.Errorf("%q", got)
			}
		}
		r.s.SetHistoryFaults(HistoryFaults{})
		if got := read(HistoryFaults{}); got != "1 2 3" {
			t.Errorf("%q", got)
		}
	}
}

// TestPastMayLock has a Past that waits for a lock which the machine holds while it sets
// values: the server must not hold its own meanwhile.
func TestPastMayLock(t *testing.T) {
	s := startServer(t, Options{})
	var machine sync.Mutex
	reading := make(chan struct{})
	past := func(v *Variable, _ PastRange) iter.Seq[Data] {
		return func(yield func(Data) bool) {
			close(reading)
			machine.Lock()
			defer machine.Unlock()
			yield(Data{Value: 1.0, Source: DateTimeOf(minute(0))})
		}
	}
	v := mustVariable(t, s, NodeSpec{Path: "V", Past: past, DataType: id.Double})
	c := connect(t, s)
	machine.Lock()
	done := make(chan error)
	go func() {
		res, err := c.HistoryReadRawModified(t.Context(), []*ua.HistoryReadValueID{{NodeID: v.NodeID(), DataEncoding: &ua.QualifiedName{}}},
			&ua.ReadRawModifiedDetails{StartTime: minute(0), EndTime: minute(1)})
		if err == nil && len(dataOf(res.Results[0])) != 1 {
			err = fmt.Errorf("%+v", res.Results[0])
		}
		done <- err
	}()
	<-reading
	if err := v.Set(2.0, ua.StatusOK, minute(2)); err != nil {
		t.Error(err)
	}
	machine.Unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestGopcuaClientReadsHistory reads many pages of many nodes over a socket.
func TestGopcuaClientReadsHistory(t *testing.T) {
	const nodes, values = 7, 500
	s := startServer(t, Options{History: values, Limits: Limits{MaxHistoryValues: 60}})
	var want []*ua.HistoryReadValueID
	for n := range nodes {
		v := mustVariable(t, s, NodeSpec{Path: fmt.Sprintf("V%d", n), DataType: id.Double})
		for i := range values {
			if err := v.Set(float64(n*values+i), ua.StatusOK, fiveOClock.Add(time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, &ua.HistoryReadValueID{NodeID: v.NodeID(), DataEncoding: &ua.QualifiedName{}})
	}
	c := connect(t, s)
	next := make([]float64, nodes)
	index := make(map[*ua.HistoryReadValueID]int)
	for n, w := range want {
		next[n], index[w] = float64(n*values), n
	}
	for len(want) > 0 {
		res, err := c.HistoryReadRawModified(t.Context(), want, &ua.ReadRawModifiedDetails{StartTime: fiveOClock, EndTime: minute(60), NumValuesPerNode: 90})
		if err != nil {
			t.Fatal(err)
		}
		var rest []*ua.HistoryReadValueID
		for i, r := range res.Results {
			n := index[want[i]]
			for _, d := range dataOf(r) {
				if d.Value.Float() != next[n] {
					t.Fatalf("node %d: %v, want %v", n, d.Value.Float(), next[n])
				}
				next[n]++
			}
			if len(r.ContinuationPoint) > 0 {
				want[i].ContinuationPoint = r.ContinuationPoint
				rest = append(rest, want[i])
			}
		}
		want = rest
	}
	for n := range nodes {
		if next[n] != float64((n+1)*values) {
			t.Errorf("node %d ends before %v", n, next[n])
		}
	}
}
