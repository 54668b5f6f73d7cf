package peers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"
)

// dial opens a session without security by gopcua's simple client.
func dial(t *testing.T, endpoint string, options ...opcua.Option) *opcua.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := opcua.NewClient(endpoint, append(options, opcua.AutoReconnect(false))...)
	if err != nil {
		t.Fatalf("make client: %v", err)
	}
	if err := c.Connect(ctx); err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Close(ctx) // the server may be gone
	})
	return c
}

// nodeID names a node of one of the server's namespaces.
func nodeID(t *testing.T, u *OPCUA, uri, id string) *ua.NodeID {
	t.Helper()
	i := slices.Index(u.Namespaces, uri)
	if i < 0 {
		t.Fatalf("no namespace %s in %v", uri, u.Namespaces)
	}
	return ua.NewStringNodeID(uint16(i), id)
}

// read reads the Value attributes of nodes of one namespace.
func read(t *testing.T, c *opcua.Client, u *OPCUA, uri string, ids ...string) []*ua.DataValue {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth}
	for _, id := range ids {
		req.NodesToRead = append(req.NodesToRead, &ua.ReadValueID{NodeID: nodeID(t, u, uri, id), AttributeID: ua.AttributeIDValue})
	}
	res, err := c.Read(ctx, req)
	if err != nil {
		t.Fatalf("read %v: %v", ids, err)
	}
	return res.Results
}

func TestNodeOPCUAServesWhatItLogs(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.Load, o.StartLater, o.NoOdd, o.NoMachine, o.NoTypes = 3, true, true, true, true
	})
	c := dial(t, u.Endpoint)
	if n := u.Once(); n != 3 {
		t.Errorf("one round of 3 nodes generated %d samples", n)
	}
	u.Once()
	got := read(t, c, u, NSLoad, "load.00000", "load.00002")
	samples := generated(t, u)
	if len(samples["load.00002"]) != 2 {
		t.Fatalf("journal: %v", samples)
	}
	for i, id := range []string{"load.00000", "load.00002"} {
		want := samples[id][1]
		if got[i].Value.Value() != want.Value || got[i].SourceTimestamp.UnixNano() != int64(want.Source.Instant()) || want.Value != 1.0 {
			t.Errorf("%s: client has %v at %d, journal %+v", id, got[i].Value.Value(), got[i].SourceTimestamp.UnixNano(), want)
		}
	}
}

// generated reads the journal, by node.
func generated(t *testing.T, u *OPCUA) map[string][]Generated {
	t.Helper()
	m := map[string][]Generated{}
	err := ReadGenerated(u.GeneratedLog(), func(g Generated) error {
		m[g.Node] = append(m[g.Node], g)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// monitor subscribes to nodes of one namespace with sampling interval 0 and calls each with every notification, until
// the test ends. It returns once all items exist.
func monitor(t *testing.T, c *opcua.Client, u *OPCUA, uri string, queue uint32, each func(id string, v *ua.DataValue), ids ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	notes := make(chan *opcua.PublishNotificationData, 100)
	sub, err := c.Subscribe(ctx, &opcua.SubscriptionParameters{Interval: 200 * time.Millisecond}, notes)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	for chunk := range slices.Chunk(ids, 1000) {
		var reqs []*ua.MonitoredItemCreateRequest
		for _, id := range chunk {
			r := opcua.NewMonitoredItemCreateRequestWithDefaults(nodeID(t, u, uri, id), ua.AttributeIDValue, uint32(slices.Index(ids, id)))
			r.RequestedParameters.QueueSize, r.RequestedParameters.SamplingInterval = queue, 0
			reqs = append(reqs, r)
		}
		res, err := sub.Monitor(ctx, ua.TimestampsToReturnBoth, reqs...)
		if err != nil {
			t.Fatalf("monitor: %v", err)
		}
		for i, r := range res.Results {
			if r.StatusCode != ua.StatusOK {
				t.Fatalf("monitor %s: %v", chunk[i], r.StatusCode)
			}
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case n := <-notes:
				if d, ok := n.Value.(*ua.DataChangeNotification); ok {
					for _, item := range d.MonitoredItems {
						each(ids[item.ClientHandle], item.Value)
					}
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// collected is what a client got, by node.
type collected struct {
	mu sync.Mutex
	m  map[string][]*ua.DataValue
	n  int
}

func (c *collected) add(id string, v *ua.DataValue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string][]*ua.DataValue{}
	}
	c.m[id] = append(c.m[id], v)
	c.n++
}

func (c *collected) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestNodeOPCUALoadIsOneCore(t *testing.T) {
	nodes := 10_000
	if testing.Short() {
		nodes = 2000
	}
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.Load, o.StartLater, o.NoOdd, o.NoMachine, o.NoTypes = nodes, true, true, true, true
	})
	c := dial(t, u.Endpoint)
	ids := make([]string, nodes)
	for i := range ids {
		ids[i] = fmt.Sprintf("load.%05d", i)
	}
	var got collected
	monitor(t, c, u, NSLoad, 20, got.add, ids...)
	await(t, "first values", func() bool { return got.count() == nodes })
	before := u.Status()
	began := time.Now()
	u.StartLoad()
	await(t, "ten rounds", func() bool { return u.Status().Generated >= 10*nodes })
	after := u.Status()
	took := time.Since(began)
	total := u.StopLoad()
	await(t, "all values", func() bool { return got.count() >= nodes+total })
	if n := got.count(); n != nodes+total {
		t.Errorf("got %d values of %d", n, nodes+total)
	}
	cpu := time.Duration(after.CPUus-before.CPUus) * time.Microsecond
	t.Logf("%d values in %v: %v CPU, %d MB", after.Generated, took, cpu, after.RSS>>20)
	if cpu > took {
		t.Errorf("%v of CPU for %v: more than one core", cpu, took)
	}
}
