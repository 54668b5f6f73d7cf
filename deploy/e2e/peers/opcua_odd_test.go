package peers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// TestNodeOPCUAOddSamplesReachClients subscribes to the odd nodes and compares every notification with the journal: it
// proves that the server sends statuses and times as they were made.
func TestNodeOPCUAOddSamplesReachClients(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) { o.StartLater, o.NoMachine, o.NoTypes = true, true, true })
	c := dial(t, u.Endpoint)
	ids := []string{
		"odd.good", "odd.clamped", "odd.uncertain", "odd.bad", "odd.bad_value", "odd.bad_no_time", "odd.first_bad", "odd.rotating",
		"odd.same_tick", "odd.good_bad_tick", "odd.backwards", "odd.no_source_time", "odd.insane_time", "odd.ahead",
	}
	var got collected
	monitor(t, c, u, NSOdd, 1000, got.add, ids...)
	await(t, "first values", func() bool { return got.count() == len(ids) })
	const rounds = 5
	for range rounds {
		u.Once()
	}
	want := generated(t, u)
	// A sample that differs from the one before by its time alone is no data change: trigger StatusValue, the default.
	expect := map[string][]string{}
	n := len(ids)
	for id, samples := range want {
		last := ""
		for _, g := range samples {
			if s := fmt.Sprint(g.Value, g.Status); s != last {
				expect[id] = append(expect[id], describe(g))
				last = s
				n++
			}
		}
	}
	await(t, fmt.Sprintf("%d notifications", n), func() bool { return got.count() >= n })
	got.mu.Lock()
	defer got.mu.Unlock()
	for _, id := range ids {
		values := got.m[id][1:] // the first is the state before generation
		if len(values) != len(expect[id]) {
			t.Errorf("%s: %d notifications, want %d", id, len(values), len(expect[id]))
			continue
		}
		for i, v := range values {
			if s := describeValue(v); s != expect[id][i] {
				t.Errorf("%s, sample %d: got %s, journal has %s", id, i, s, expect[id][i])
			}
		}
	}
	for _, special := range []struct {
		id string
		ok func(a, b Generated) bool
	}{
		{"odd.same_tick", func(a, b Generated) bool { return a.Source == b.Source && a.Value != b.Value }},
		{"odd.good_bad_tick", func(a, b Generated) bool { return a.Source == b.Source && a.Status == 0 && b.Status>>30 == 2 }},
		{"odd.bad_no_time", func(a, _ Generated) bool { return !a.HasSource && a.Value == nil && a.Server > 0 }},
		{"odd.first_bad", func(a, b Generated) bool { return a.Status>>30 == 2 && b.Status == 0 }},
		{"odd.clamped", func(a, _ Generated) bool { return a.Status == 0x00300000 }},
		{"odd.backwards", func(a, b Generated) bool { return b.Source.Instant().Sub(a.Source.Instant()) < -59*time.Minute }},
	} {
		if s := want[special.id]; !special.ok(s[0], s[1]) {
			t.Errorf("%s does not show what it is for: %+v", special.id, s[:2])
		}
	}
}

// epochOPCUA is 1601-01-01, where the wire's DateTime counts from.
const epochOPCUA = telemetry.Tick(-116444736000000000)

// describe and describeValue print a sample alike. gopcua's times wrap around beyond 2262: so does the journal's here.
func describe(g Generated) string {
	source := "none"
	if g.Source == epochOPCUA {
		source = "1601"
	} else if g.HasSource {
		source = fmt.Sprint(int64(g.Source) * 100)
	}
	return fmt.Sprintf("%v %#x %s", g.Value, g.Status, source)
}

func describeValue(v *ua.DataValue) string {
	var value any
	if v.Value != nil {
		value = v.Value.Value()
	}
	source := "none"
	if v.EncodingMask&ua.DataValueSourceTimestamp != 0 && v.SourceTimestamp.IsZero() { // gopcua's reading of 0
		source = "1601"
	} else if v.EncodingMask&ua.DataValueSourceTimestamp != 0 {
		source = fmt.Sprint(v.SourceTimestamp.UnixNano())
	}
	return fmt.Sprintf("%v %#x %s", value, uint32(v.Status), source)
}

// TestNodeOPCUAFastNodeOverflows proves that a queue shorter than a publishing interval's samples sets the overflow bit.
func TestNodeOPCUAFastNodeOverflows(t *testing.T) {
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.Fast, o.StartLater, o.NoOdd, o.NoMachine, o.NoTypes = 1, true, true, true, true
	})
	c := dial(t, u.Endpoint)
	var got collected
	monitor(t, c, u, NSLoad, 10, got.add, "fast.0")
	u.StartLoad()
	const overflow = 0x480 // InfoType DataValue and Overflow, Part 4 §7.39
	await(t, "the overflow bit of 4 publishing intervals", func() bool {
		got.mu.Lock()
		defer got.mu.Unlock()
		flagged := 0
		for _, v := range got.m["fast.0"] {
			if uint32(v.Status)&overflow == overflow {
				flagged++
			}
		}
		return flagged >= 4
	})
	u.StopLoad()
	samples := generated(t, u)["fast.0"]
	for i, g := range samples {
		if g.Value != float64(i) || i > 0 && g.Source <= samples[i-1].Source {
			t.Fatalf("sample %d is %+v", i, g)
		}
	}
}

func TestNodeOPCUACommands(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.Load, o.StartLater, o.NoOdd, o.NoMachine, o.NoTypes = 4, true, true, true, true
	})
	c := dial(t, u.Endpoint)
	value := func(id string) *ua.DataValue { return read(t, c, u, NSLoad, id)[0] }

	u.SetStatus("load.00000", 0x40900000, true) // UncertainLastUsableValue
	u.Retype("load.00001", "Int64")
	u.Retype("load.00002", "String")
	u.DeleteNode("load.00003")
	if n := u.Once(); n != 3 {
		t.Errorf("a round of 3 nodes: %d", n)
	}
	if v := value("load.00000"); uint32(v.Status) != 0x40900000 || v.Value.Value() != 0.0 {
		t.Errorf("status: %+v", v)
	}
	if v := value("load.00001"); v.Value.Value() != int64(0) {
		t.Errorf("Int64: %v", v.Value)
	}
	if v := value("load.00002"); v.Value.Value() != "v0" {
		t.Errorf("String: %v", v.Value)
	}
	if v := value("load.00003"); v.Status != ua.StatusBadNodeIDUnknown {
		t.Errorf("deleted: %v", v.Status)
	}
	const at = telemetry.Tick(1700000000_123_456_7)
	u.Set("load.00000", Sample{Value: 42.5, Source: at})
	if v := value("load.00000"); v.Value.Value() != 42.5 || v.SourceTimestamp.UnixNano() != int64(at.Instant()) || v.Status != ua.StatusOK {
		t.Errorf("set: %+v", v)
	}
	samples := generated(t, u)
	if s := samples["load.00000"]; s[1] != (Generated{Node: "load.00000", Source: at, HasSource: true, Value: 42.5}) {
		t.Errorf("journal: %+v", s)
	}
	if s := samples["load.00001"]; s[0].Value != 0.0 {
		t.Errorf("journal of an Int64: %+v", s)
	}
	if s := u.Status(); s.Generated != 4 || s.Running || s.Sessions != 1 || s.RSS == 0 {
		t.Errorf("status: %+v", s)
	}
}

func TestNodeOPCUARestartPermutesNamespaces(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.Load, o.StartLater, o.NoOdd, o.NoMachine, o.NoTypes = 1, true, true, true, true
	})
	before, endpoint := u.Namespaces, u.Endpoint
	u.Once()
	if !u.RestartWith(func(o *NodeOptions) { o.Namespaces = []string{NSOdd, NSTypes, NSLoad, NSMachine} }) {
		return
	}
	if u.Endpoint != endpoint || fmt.Sprint(u.Namespaces) == fmt.Sprint(before) || len(u.Namespaces) != len(before) {
		t.Errorf("%s %v, before %s %v", u.Endpoint, u.Namespaces, endpoint, before)
	}
	u.Once()
	c := dial(t, u.Endpoint)
	s := generated(t, u)["load.00000"]
	if len(s) != 2 || s[1].Value != s[0].Value.(float64)+firstPerLife {
		t.Fatalf("journal over two lives: %+v", s)
	}
	if v := read(t, c, u, NSLoad, "load.00000")[0]; v.Value == nil || v.Value.Value() != s[1].Value {
		t.Errorf("client reads %+v", v)
	}
}

func TestNodeOPCUALimits(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.Load, o.NoOdd, o.NoMachine, o.NoTypes = 10, true, true, true
		o.OperationLimits = map[string]int{"maxNodesPerRead": 5, "maxMonitoredItemsPerCall": 2}
		o.Capabilities = map[string]int{"maxSubscriptionsPerSession": 1}
	})
	c := dial(t, u.Endpoint)
	ids := make([]*ua.ReadValueID, 6)
	for i := range ids {
		ids[i] = &ua.ReadValueID{NodeID: nodeID(t, u, NSLoad, fmt.Sprintf("load.%05d", i)), AttributeID: ua.AttributeIDValue}
	}
	if _, err := c.Read(t.Context(), &ua.ReadRequest{NodesToRead: ids[:5]}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := c.Read(t.Context(), &ua.ReadRequest{NodesToRead: ids}); err == nil {
		t.Error("6 nodes are read with a limit of 5")
	}
	sub, err := c.Subscribe(t.Context(), &opcua.SubscriptionParameters{}, make(chan *opcua.PublishNotificationData, 10))
	if err != nil {
		t.Fatal(err)
	}
	var items []*ua.MonitoredItemCreateRequest
	for _, id := range ids {
		items = append(items, opcua.NewMonitoredItemCreateRequestWithDefaults(id.NodeID, ua.AttributeIDValue, 1))
	}
	if _, err := sub.Monitor(t.Context(), ua.TimestampsToReturnBoth, items[:3]...); err == nil {
		t.Error("3 items are made with a limit of 2")
	}
	if _, err := c.Subscribe(t.Context(), &opcua.SubscriptionParameters{}, make(chan *opcua.PublishNotificationData, 10)); err == nil {
		t.Error("2 subscriptions are made with a limit of 1")
	}
}

func TestNodeOPCUAUsers(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.NoOdd, o.NoMachine, o.NoTypes, o.NoAnonymous = true, true, true, true
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	endpoints, err := opcua.GetEndpoints(ctx, u.Endpoint)
	if err != nil {
		t.Fatalf("get endpoints: %v", err)
	}
	try := func(token ua.UserTokenType, auth opcua.Option) error {
		for _, e := range endpoints {
			if e.SecurityMode != ua.MessageSecurityModeNone {
				continue
			}
			c, err := opcua.NewClient(u.Endpoint, opcua.AutoReconnect(false), auth, opcua.SecurityFromEndpoint(e, token))
			if err != nil {
				return err
			}
			err = c.Connect(ctx)
			_ = c.Close(ctx) // of a session that may not exist
			return err
		}
		return errors.New("no endpoint without security")
	}
	if err := try(ua.UserTokenTypeAnonymous, opcua.AuthAnonymous()); err == nil {
		t.Error("anonymous gets in")
	}
	if err := try(ua.UserTokenTypeUserName, opcua.AuthUsername(u.User, "wrong")); err == nil {
		t.Error("a wrong password gets in")
	}
	if err := try(ua.UserTokenTypeUserName, opcua.AuthUsername(u.User, u.Password)); err != nil {
		t.Errorf("the right password: %v", err)
	}
}
