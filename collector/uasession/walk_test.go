package uasession

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gopcua/opcua/id"

	"kvarts/deploy/e2e/peers"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

func browsePlant(t *testing.T) *plant {
	t.Helper()
	p := newPlant(t, 25, uaserver.Options{Limits: uaserver.Limits{MaxReferencesPerNode: 4, MaxNodesPerRead: 10, MaxNodesPerBrowse: 3}})
	_, err := p.srv.AddVariable(uaserver.NodeSpec{
		Path: "Puller/Heater/Power", Namespace: testNS, DataType: id.Double, Initial: 42.0, Description: "main heater",
		Unit: &uaserver.Unit{Code: "KWT", Name: "kW", Text: "kilowatt"}, Range: &uaserver.Range{Low: 0, High: 150},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBrowse(t *testing.T) {
	p := browsePlant(t)
	cfg := ServerConfig{Endpoint: p.srv.Endpoint(), Timing: quick()}
	byPath := make(map[string]BrowseNode)
	err := Browse(t.Context(), cfg, BrowseOptions{}, func(n BrowseNode) error {
		names := make([]string, 0, len(n.Path))
		for _, q := range n.Path {
			names = append(names, q.Name)
		}
		path := strings.Join(names, "/")
		if _, twice := byPath[path]; twice {
			t.Errorf("%s is reported twice", path)
		}
		byPath[path] = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		if n := byPath[fmt.Sprintf("Line/v%d", i)]; n.Node != p.vars[i].ID() || n.Class != "Variable" || n.Type != telemetry.Float || n.DataType != "Double" {
			t.Errorf("v%d: %+v", i, n)
		}
	}
	power := byPath["Puller/Heater/Power"]
	if power.Unit != "kW" || power.UnitText != "kilowatt" || !power.HasRange || power.High != 150 || power.Description != "main heater" ||
		!power.Readable || power.Depth != 3 || power.ValueRank != -1 || power.Path[0].URI != testNS {
		t.Errorf("power: %+v", power)
	}
	if _, ok := byPath["Server"]; ok {
		t.Error("the Server object is reported although nobody asked")
	}
	if n := p.srv.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestBrowseBounds(t *testing.T) {
	p := browsePlant(t)
	cfg := ServerConfig{Endpoint: p.srv.Endpoint(), Timing: quick()}
	count := func(opts BrowseOptions) (n int) {
		t.Helper()
		if err := Browse(t.Context(), cfg, opts, func(BrowseNode) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(BrowseOptions{Limit: 7}); n != 7 {
		t.Errorf("%d nodes, want 7", n)
	}
	if n := count(BrowseOptions{Depth: 1}); n != 2 {
		t.Errorf("%d nodes at depth 1, want Line and Puller", n)
	}
	// Round the whole address space, with its loops between types and instances: it ends.
	if n := count(BrowseOptions{Start: "i=84", Server: true, Properties: true}); n < 50 {
		t.Errorf("%d nodes below the root", n)
	}
	stop := errors.New("enough")
	if err := Browse(t.Context(), cfg, BrowseOptions{}, func(BrowseNode) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want the callback's", err)
	}
	if err := Browse(t.Context(), cfg, BrowseOptions{Start: "nsu=urn:nobody;i=1"}, nil); !errors.Is(err, errNamespace) {
		t.Errorf("error %v, want that the namespace is not there", err)
	}
}

func TestProbe(t *testing.T) {
	p := newPlant(t, 1, uaserver.Options{Limits: uaserver.Limits{
		MaxMonitoredItemsPerCall: 300, MaxQueueSize: 77, MinPublishingInterval: 30_000_000, MaxNodesPerRead: 55,
	}})
	p.srv.SetClockSkew(-90_000_000_000)
	r, err := Probe(t.Context(), ServerConfig{Endpoint: p.srv.Endpoint(), Timing: quick()}, ProbeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.MaxItemsPerCall != 300 || r.MaxNodesPerRead != 55 || r.QueueGranted != 77 || r.MinPublishing != 30_000_000 ||
		r.ItemsPerCall != 200 || r.ItemsRefused == "" {
		t.Errorf("limits: %+v", r)
	}
	if !r.Republish || !r.ListsMessages || r.FirstSequence != 1 || !r.SourceTimestamp {
		t.Errorf("messages: %+v", r)
	}
	if r.ClockOffset.Seconds() > -89 || r.ClockOffset.Seconds() < -91 || r.RTT == 0 {
		t.Errorf("clock offset %s, round trip %s", r.ClockOffset, r.RTT)
	}
	if r.KeepAliveTaken < r.KeepAliveAsked/2 || r.KeepAliveTaken > 3*r.KeepAliveAsked {
		t.Errorf("keep-alive takes %s, promised %s", r.KeepAliveTaken, r.KeepAliveAsked)
	}
	if len(r.Endpoints) != 1 || r.Endpoints[0].Policy != "None" || !slices.Contains(r.Endpoints[0].Users, "Anonymous") {
		t.Errorf("endpoints %+v", r.Endpoints)
	}
	for _, want := range []string{"clock", "no security"} {
		if !slices.ContainsFunc(r.Findings, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("findings %q say nothing of %q", r.Findings, want)
		}
	}
	if n := p.srv.Sessions() + p.srv.MonitoredItems(); n != 0 {
		t.Errorf("%d sessions and items are left", n)
	}
}

func TestPeerBrowseAndProbe(t *testing.T) {
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) { o.Load, o.NoOdd = 5, true })
	cfg := ServerConfig{Endpoint: u.Endpoint, Certificates: certificates(t), Timing: peerTiming()}
	units, loads := 0, 0
	err := Browse(t.Context(), cfg, BrowseOptions{}, func(n BrowseNode) error {
		if n.Unit != "" && n.HasRange && strings.HasPrefix(n.Node, "nsu="+peers.NSMachine) {
			units++
		}
		if strings.HasPrefix(n.Node, "nsu="+peers.NSLoad+";s=load.") && n.Type == telemetry.Float {
			loads++
		}
		return nil
	})
	if err != nil || units == 0 || loads != 5 {
		t.Errorf("%d nodes with unit and range, %d of 5 load nodes: %v", units, loads, err)
	}
	r, err := Probe(t.Context(), cfg, ProbeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *r)
	if !r.Republish || r.FirstSequence != 1 || r.ItemsPerCall == 0 || r.KeepAliveTaken == 0 || len(r.Endpoints) < 9 {
		t.Errorf("probe %+v", r)
	}
}
