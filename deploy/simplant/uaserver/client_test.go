package uaserver

import (
	"context"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testURI = "urn:test:machine"

// startServer runs a server that ends with the test.
func startServer(t *testing.T, opts Options) *Server {
	t.Helper()
	if opts.Namespaces == nil {
		opts.Namespaces = []string{testURI}
	}
	s := New(opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	return s
}

func mustVariable(t *testing.T, s *Server, spec NodeSpec) *Variable {
	t.Helper()
	if spec.Namespace == "" {
		spec.Namespace = testURI
	}
	v, err := s.AddVariable(spec)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// connect opens a session with gopcua's own client.
func connect(t *testing.T, s *Server) *opcua.Client {
	t.Helper()
	c, err := opcua.NewClient(s.Endpoint(), opcua.SecurityMode(ua.MessageSecurityModeNone), opcua.AutoReconnect(false))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Close(ctx) // the server may be gone already
	})
	return c
}

func TestGopcuaClientReadsBrowsesAndSubscribes(t *testing.T) {
	s := startServer(t, Options{Record: true})
	v := mustVariable(t, s, NodeSpec{
		Path: "Machine/Heater/Power", Unit: &Unit{Code: "KWT", Name: "kW", Text: "kilowatt"}, Range: &Range{0, 180},
		Description: "main heater", Initial: 1.5,
	})
	c := connect(t, s)
	ctx := t.Context()

	got, err := c.Node(v.NodeID()).Value(ctx)
	if err != nil || got.Float() != 1.5 {
		t.Fatalf("read value: %v, %v", got, err)
	}
	dt, err := c.Node(v.NodeID()).Attribute(ctx, ua.AttributeIDDataType)
	if err != nil || dt.NodeID().IntID() != id.Double {
		t.Fatalf("read data type: %v, %v", dt, err)
	}
	state, err := c.Node(ua.NewNumericNodeID(0, id.Server_ServerStatus)).Value(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if st, ok := state.ExtensionObject().Value.(*ua.ServerStatusDataType); !ok || st.State != ua.ServerStateRunning {
		t.Fatalf("server status: %v", state.Value())
	}
	refs, err := c.Node(v.NodeID()).ReferencedNodes(ctx, id.HasProperty, ua.BrowseDirectionForward, ua.NodeClassAll, true)
	if err != nil || len(refs) != 2 {
		t.Fatalf("properties: %v, %v", refs, err)
	}

	notify := make(chan *opcua.PublishNotificationData, 100)
	sub, err := c.Subscribe(ctx, &opcua.SubscriptionParameters{Interval: 20 * time.Millisecond}, notify)
	if err != nil {
		t.Fatal(err)
	}
	req := opcua.NewMonitoredItemCreateRequestWithDefaults(v.NodeID(), ua.AttributeIDValue, 7)
	req.RequestedParameters.SamplingInterval = 0
	req.RequestedParameters.QueueSize = 100
	res, err := sub.Monitor(ctx, ua.TimestampsToReturnBoth, req)
	if err != nil || res.Results[0].StatusCode != ua.StatusOK {
		t.Fatalf("monitor: %v, %v", res, err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	for i := range 10 {
		if err := v.Set(float64(i), ua.StatusOK, at.Add(time.Duration(i)*100)); err != nil {
			t.Fatal(err)
		}
	}
	var values []float64
	deadline := time.After(10 * time.Second)
	for len(values) < 11 {
		select {
		case n := <-notify:
			if n.Error != nil {
				t.Fatal(n.Error)
			}
			for _, it := range n.Value.(*ua.DataChangeNotification).MonitoredItems {
				if it.ClientHandle != 7 {
					t.Errorf("client handle %d", it.ClientHandle)
				}
				if i := len(values) - 1; i >= 0 && !it.Value.SourceTimestamp.Equal(at.Add(time.Duration(i)*100)) {
					t.Errorf("value %d has source time %v", i, it.Value.SourceTimestamp)
				}
				values = append(values, it.Value.Value.Float())
			}
		case <-deadline:
			t.Fatalf("only %v", values)
		}
	}
	if s.GeneratedCount() != 11 || s.Mutations() != 0 {
		t.Errorf("generated %d, mutations %d", s.GeneratedCount(), s.Mutations())
	}
	if err := sub.Cancel(ctx); err != nil {
		t.Error(err)
	}
}
