package uaserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

func TestDiscovery(t *testing.T) {
	s := startServer(t, Options{AnnouncedURL: "opc.tcp://plc-17.plant.example:4840", ApplicationURI: "urn:app", ProductName: "Saw"})
	c := channel(t, s) // without a session
	eps, err := ask[*ua.GetEndpointsResponse](t, c, &ua.GetEndpointsRequest{EndpointURL: s.Endpoint()})
	if err != nil || len(eps.Endpoints) != 1 {
		t.Fatalf("%+v, %v", eps, err)
	}
	ep := eps.Endpoints[0]
	if ep.EndpointURL != "opc.tcp://plc-17.plant.example:4840" || ep.SecurityPolicyURI != ua.SecurityPolicyURINone ||
		ep.Server.ApplicationURI != "urn:app" || ep.UserIdentityTokens[0].TokenType != ua.UserTokenTypeAnonymous {
		t.Errorf("endpoint %+v", ep)
	}
	servers, err := ask[*ua.FindServersResponse](t, c, &ua.FindServersRequest{EndpointURL: s.Endpoint()})
	if err != nil || len(servers.Servers) != 1 || servers.Servers[0].ApplicationName.Text != "Saw" {
		t.Errorf("%+v, %v", servers, err)
	}
}

func TestFolders(t *testing.T) {
	r := newRig(t, Options{})
	if err := r.s.AddFolder(NodeSpec{ID: "nsu=" + testURI + ";i=5", Path: "Machine/Heater", Description: "hot"}); err != nil {
		t.Fatal(err)
	}
	v := r.variable("Machine/Heater/Power", 1.0)
	got := call1[*ua.BrowseResponse](r, browseRequest(ua.NewNumericNodeID(2, 5), 0)).Results[0]
	if len(got.References) != 1 || got.References[0].NodeID.NodeID.String() != v.NodeID().String() {
		t.Errorf("%+v", got)
	}
	for _, spec := range []NodeSpec{
		{ID: "nsu=" + testURI + ";i=5", Path: "Other"}, {Path: "X", Namespace: "urn:unknown"}, {Namespace: testURI}, {ID: "bad", Path: "X"},
	} {
		if err := r.s.AddFolder(spec); err == nil {
			t.Errorf("folder %+v was added", spec)
		}
		if _, err := r.s.AddVariable(spec); err == nil {
			t.Errorf("variable %+v was added", spec)
		}
	}
	if _, err := r.s.AddVariable(NodeSpec{Namespace: testURI, Path: "Y", Initial: struct{}{}}); err == nil {
		t.Error("a value without a Variant was accepted")
	}
}

func TestRemoveAndRetype(t *testing.T) {
	r := newRig(t, Options{})
	old := r.variable("Machine/V", int32(1))
	key := old.ID()
	r.s.RemoveVariable(old)
	if got := r.readOne(old.NodeID(), ua.AttributeIDValue).Status; got != ua.StatusBadNodeIDUnknown {
		t.Errorf("removed variable: %v", got)
	}
	if got := r.readOne(ua.NewStringNodeID(2, "Machine/V.EURange"), ua.AttributeIDValue).Status; got != ua.StatusBadNodeIDUnknown {
		t.Errorf("its property: %v", got)
	}
	if got := call1[*ua.BrowseResponse](r, browseRequest(ua.NewStringNodeID(2, "Machine"), 0)).Results[0]; len(got.References) != 0 {
		t.Errorf("its folder has %v", names(got.References))
	}
	retyped := r.variable("Machine/V", 2.5)
	if got := r.readOne(retyped.NodeID(), ua.AttributeIDDataType).Value.NodeID().IntID(); got != id.Double || retyped.ID() != key {
		t.Errorf("data type %d, id %s", got, retyped.ID())
	}
}

func TestServerValuesAreSampledByTheCycle(t *testing.T) {
	r := newRig(t, Options{})
	sub := r.subscribe(10, 1000, 0)
	req := itemRequest(r.variable("V", 0.0), 1, 0, 10, true, nil)
	req.ItemToMonitor.NodeID = ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime)
	res := r.monitor(sub, req)
	if res.StatusCode != ua.StatusOK || res.RevisedSamplingInterval != 100 {
		t.Errorf("%+v", res)
	}
	var times []time.Time
	for range 3 {
		id := r.publish()
		r.wait(cycleTime)
		for _, it := range r.published(id).NotificationMessage.NotificationData[0].Value.(*ua.DataChangeNotification).MonitoredItems {
			times = append(times, it.Value.Value.Value().(time.Time))
		}
	}
	want := []time.Time{rigStart, rigStart.Add(cycleTime), rigStart.Add(2 * cycleTime), rigStart.Add(3 * cycleTime)}
	if d := cmp.Diff(want, times); d != "" {
		t.Error(d)
	}
	call1[*ua.DeleteMonitoredItemsResponse](r, &ua.DeleteMonitoredItemsRequest{SubscriptionID: sub, MonitoredItemIDs: []uint32{res.MonitoredItemID}})
	quiet := r.publish()
	r.wait(3 * cycleTime)
	r.want(quiet, "nothing")
}

func TestDeleteMonitoredItems(t *testing.T) {
	r := newRig(t, Options{})
	v, w := r.variable("V", 0.0), r.variable("W", 0.0)
	sub := r.subscribe(10, 1000, 0)
	a := r.monitor(sub, itemRequest(v, 1, 50, 10, true, nil)) // with a sampling grid: it may hold a value
	r.monitor(sub, itemRequest(w, 2, 0, 10, true, nil))
	r.set(v, 1.0)
	res := call1[*ua.DeleteMonitoredItemsResponse](r, &ua.DeleteMonitoredItemsRequest{SubscriptionID: sub, MonitoredItemIDs: []uint32{a.MonitoredItemID, 999_999}})
	if res.Results[0] != ua.StatusOK || res.Results[1] != ua.StatusBadMonitoredItemIDInvalid {
		t.Errorf("results %v", res.Results)
	}
	r.set(v, 2.0)
	id := r.publish()
	r.wait(cycleTime)
	r.want(id, "1: 2=0")
	if n := r.s.Filtered()[CauseMode]; n != 2 || r.s.MonitoredItems() != 1 {
		t.Errorf("%d samples went with the item, %d items left", n, r.s.MonitoredItems())
	}
}

func TestItemServiceErrors(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MaxMonitoredItemsPerCall: 2, MaxMonitoredItems: 1}})
	v := r.variable("V", 0.0)
	sub := r.subscribe(10, 1000, 0)
	items := func(n int) (all []*ua.MonitoredItemCreateRequest) {
		for range n {
			all = append(all, itemRequest(v, 1, 0, 1, true, nil))
		}
		return all
	}
	create := func(sub uint32, n int, ts ua.TimestampsToReturn) *ua.CreateMonitoredItemsRequest {
		return &ua.CreateMonitoredItemsRequest{SubscriptionID: sub, TimestampsToReturn: ts, ItemsToCreate: items(n)}
	}
	r.fault(create(4711, 1, 2), ua.StatusBadSubscriptionIDInvalid)
	r.fault(create(sub, 0, 2), ua.StatusBadNothingToDo)
	r.fault(create(sub, 3, 2), ua.StatusBadTooManyOperations)
	r.fault(create(sub, 1, 4), ua.StatusBadTimestampsToReturnInvalid)
	res := call1[*ua.CreateMonitoredItemsResponse](r, create(sub, 2, 2)).Results
	if res[0].StatusCode != ua.StatusOK || res[1].StatusCode != ua.StatusBadTooManyMonitoredItems {
		t.Errorf("%v %v", res[0].StatusCode, res[1].StatusCode)
	}
	r.fault(&ua.SetMonitoringModeRequest{SubscriptionID: sub, MonitoringMode: 3, MonitoredItemIDs: []uint32{1}}, ua.StatusBadMonitoringModeInvalid)
	r.fault(&ua.DeleteSubscriptionsRequest{}, ua.StatusBadNothingToDo)
	r.s.SetLimits(Limits{MaxSubscriptions: 1, MaxMonitoredItems: 1, MaxNodesPerBrowse: 1, MaxNodesPerTranslate: 1, MaxNodesPerRegister: 1})
	wrong := items(1)[0]
	wrong.MonitoringMode = 7
	if got := call1[*ua.CreateMonitoredItemsResponse](r, create(sub, 1, 2)).Results[0].StatusCode; got != ua.StatusBadTooManyMonitoredItems {
		t.Errorf("%v", got)
	}
	r.fault(&ua.CreateSubscriptionRequest{}, ua.StatusBadTooManySubscriptions)
	two := browseRequest(v.NodeID(), 0)
	two.NodesToBrowse = append(two.NodesToBrowse, two.NodesToBrowse[0])
	r.fault(two, ua.StatusBadTooManyOperations)
	r.fault(&ua.BrowseNextRequest{ContinuationPoints: [][]byte{{1}, {2}}}, ua.StatusBadTooManyOperations)
	path := pathOf(v.NodeID(), &ua.QualifiedName{Name: "x"})
	r.fault(&ua.TranslateBrowsePathsToNodeIDsRequest{BrowsePaths: []*ua.BrowsePath{path, path}}, ua.StatusBadTooManyOperations)
	r.fault(&ua.RegisterNodesRequest{NodesToRegister: []*ua.NodeID{v.NodeID(), v.NodeID()}}, ua.StatusBadTooManyOperations)
	r.fault(&ua.RegisterNodesRequest{}, ua.StatusBadNothingToDo)
	r.fault(&ua.UnregisterNodesRequest{}, ua.StatusBadNothingToDo)
	if got := call1[*ua.RegisterNodesResponse](r, &ua.RegisterNodesRequest{NodesToRegister: []*ua.NodeID{v.NodeID()}}); got.RegisteredNodeIDs[0].String() != v.NodeID().String() {
		t.Errorf("registered %v", got.RegisteredNodeIDs)
	}
	call1[*ua.UnregisterNodesResponse](r, &ua.UnregisterNodesRequest{NodesToUnregister: []*ua.NodeID{v.NodeID()}})
}

func TestDeletedItemsLeaveTheReadyList(t *testing.T) {
	r := newRig(t, Options{})
	v, w := r.variable("V", 0.0), r.variable("W", 0.0)
	sub := r.subscribe(10, 1000, 1)
	a := r.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	b := r.monitor(sub, itemRequest(w, 2, 0, 10, true, nil))
	id := r.publish()
	r.wait(cycleTime)
	r.want(id, "1: 1=0 …")
	call1[*ua.DeleteMonitoredItemsResponse](r, &ua.DeleteMonitoredItemsRequest{SubscriptionID: sub, MonitoredItemIDs: []uint32{a.MonitoredItemID, b.MonitoredItemID}})
	r.want(r.publish(), "keep-alive 2") // what was promised by MoreNotifications is gone
	quiet := r.publish()
	r.wait(5 * cycleTime)
	r.want(quiet, "nothing")
}

// TestSink compares what the sink got with what the server recorded.
func TestSink(t *testing.T) {
	var got []Generated
	var calls []int
	r := newRig(t, Options{Record: true, Sink: func(batch []Generated) { got, calls = append(got, batch...), append(calls, len(batch)) }})
	v, w := r.variable("V", 0.0), r.variable("W", nil)
	r.monitor(r.subscribe(10, 1000, 0), itemRequest(v, 1, 0, 1, true, nil))
	at := DateTimeOf(r.clock)
	updates := []Update{
		{v, Data{Value: 1.0, Source: at}}, {w, Data{Value: []float64{1, 2}, Source: at}},
		{v, Data{Value: nil, Status: ua.StatusBadSensorFailure, Source: at}}, {w, Data{Value: int32(3), Status: ua.StatusUncertainSensorNotAccurate}},
	}
	if err := r.s.SetAll(updates); err != nil {
		t.Fatal(err)
	}
	if err := r.s.SetAll([]Update{{v, Data{Value: 2.0}}, {v, Data{Value: struct{}{}}}}); err == nil {
		t.Error("a value without a Variant was accepted")
	}
	if d := cmp.Diff(slices.Collect(r.s.Generated()), got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{1, 4}, calls); d != "" {
		t.Error(d)
	}
}

func TestSampleLog(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, Options{Log: &log})
	v := r.variable("V", 0.0)
	r.monitor(r.subscribe(10, 1000, 0), itemRequest(v, 1, 0, 1, true, nil))
	for _, value := range []any{math.NaN(), float32(math.Inf(1)), int64(1<<53 + 1), []byte("ab"), DateTime(7), nil} {
		if err := v.SetData(Data{Value: value, Source: unixEpoch + 5}); err != nil {
			t.Fatal(err)
		}
	}
	if log.Len() != 0 {
		t.Error("the log is written line by line")
	}
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for dec := json.NewDecoder(&log); dec.More(); {
		var e struct {
			LogEntry
			Value json.RawMessage `json:"value"`
		}
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == "sample" && len(got) > 0 && (e.Ticks != int64(unixEpoch)+5 || e.Source != "1970-01-01T00:00:00.0000005Z" || e.Monitored != 1) {
			t.Errorf("%+v", e)
		}
		got = append(got, e.Kind+" "+string(e.Value)+" "+string(e.Cause))
	}
	want := []string{
		`sample 0 `, `sample "NaN" `, `filtered 0 queue`, `sample "+Inf" `, `filtered "NaN" queue`, `sample 9007199254740993 `, `filtered "+Inf" queue`,
		`sample "YWI=" `, `filtered 9007199254740993 queue`, `sample 7 `, `filtered "YWI=" queue`, `sample null `, `filtered 7 queue`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestSampleLogErrorSurfacesAtClose(t *testing.T) {
	s := New(Options{Namespaces: []string{testURI}, Log: brokenWriter{}})
	mustVariable(t, s, NodeSpec{Path: "V", Initial: 1.0})
	if err := s.Close(); !errors.Is(err, errBroken) {
		t.Errorf("close: %v", err)
	}
}

func TestWaitMonitored(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	r.monitor(r.subscribe(10, 1000, 0), itemRequest(v, 1, 0, 1, true, nil))
	if err := r.s.WaitMonitored(t.Context(), 1); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.s.WaitMonitored(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSetFirstSequence(t *testing.T) {
	r := newRig(t, Options{})
	r.s.SetFirstSequence(77)
	r.subscribe(1, 1000, 0)
	id := r.publish()
	r.wait(cycleTime)
	r.want(id, "keep-alive 77")
	if at := r.s.CurrentTime(); !at.Equal(r.clock) {
		t.Errorf("current time %v", at)
	}
}
