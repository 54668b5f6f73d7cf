package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/oracle"
	"kvarts/deploy/e2e/peers"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// nodeServer is a node-opcua server in a collector's configuration.
type nodeServer struct {
	t       testing.TB
	peer    *peers.OPCUA
	targets map[string]oracle.Target // by string identifier
	yaml    strings.Builder
}

// newNodeServer begins the configuration; settings is YAML of the server's keys (security, auth), group of the group's.
func newNodeServer(t testing.TB, peer *peers.OPCUA, endpoint, settings, group string) *nodeServer {
	t.Helper()
	n := &nodeServer{t: t, peer: peer, targets: map[string]oracle.Target{}}
	fmt.Fprintf(&n.yaml, "  - name: node\n    endpoint: %q\n%s    backoff: {min: 200ms, max: 2s}\n    groups:\n      - name: all\n        measurement: node\n        tags: {site: test}\n%s        nodes:\n",
		endpoint, settings, group)
	return n
}

// load adds the server's load nodes, a hundred to a unit, as a plant has them.
func (n *nodeServer) load(items int) {
	n.t.Helper()
	for i := range items {
		unit := fmt.Sprintf("n%02d", i/100)
		series, err := telemetry.NewSeries("node", map[string]string{"site": "test", "unit": unit})
		if err != nil {
			n.t.Fatal(err)
		}
		id, field := fmt.Sprintf("load.%05d", i), fmt.Sprintf("load_%02d", i%100)
		fmt.Fprintf(&n.yaml, "          - {id: %q, field: %s, type: float, tags: {unit: %s}}\n", "nsu="+peers.NSLoad+";s="+id, field, unit)
		n.targets[id] = oracle.Target{Series: series, Field: field, Type: telemetry.Float}
	}
}

// made reads the server's journal.
func (n *nodeServer) made() []oracle.Sample {
	n.t.Helper()
	var out []oracle.Sample
	err := peers.ReadGenerated(n.peer.GeneratedLog(), func(g peers.Generated) error {
		t, ok := n.targets[g.Node]
		if !ok {
			return nil
		}
		s := oracle.Sample{Server: "node", Series: t.Series, Field: t.Field, Tick: g.Source, Status: telemetry.Status(g.Status)}
		if f, ok := g.Value.(float64); ok {
			s.Value = telemetry.FloatValue(f)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// loadPeer starts node-opcua with nothing but load nodes, each of which has a value before anybody looks and changes from
// StartLoad on.
func loadPeer(t testing.TB, items int, period time.Duration, options ...func(*peers.NodeOptions)) *peers.OPCUA {
	t.Helper()
	peer := peers.NodeOPCUA(t, append(options, func(o *peers.NodeOptions) {
		o.Load, o.LoadPeriod, o.NoMachine, o.NoOdd, o.NoTypes, o.StartLater = items, period, true, true, true, true
	})...)
	peer.Once()
	return peer
}

// collectLoad starts the embedded store and a collector of all load nodes, and waits until they are subscribed.
func (n *nodeServer) collectLoad(items int) (gw *gateway, store *program, url string) {
	n.t.Helper()
	n.load(items)
	store, url = startHistorian(n.t)
	gw = newGateway(n.t, "url: "+url+", database: kvarts", n.yaml.String())
	gw.start()
	gw.awaitRunning(items)
	return gw, store, url
}

// Settings and group keys of an unprotected server that is collected twice a second.
const (
	unprotected  = "    security: {policy: None, mode: None}\n"
	twiceASecond = "        publishing: 500ms\n        sampling: fastest\n        queue: 100\n"
)

// Every one of node-opcua's security policies and modes, user and password: values arrive whole.
func TestNodeOPCUASecurity(t *testing.T) {
	const items = 200
	for _, c := range []struct{ policy, mode string }{
		{"None", "None"},
		{"Basic256Sha256", "Sign"}, {"Basic256Sha256", "SignAndEncrypt"},
		{"Aes128Sha256RsaOaep", "Sign"}, {"Aes128Sha256RsaOaep", "SignAndEncrypt"},
		{"Aes256Sha256RsaPss", "Sign"}, {"Aes256Sha256RsaPss", "SignAndEncrypt"},
	} {
		t.Run(c.policy+" "+c.mode, func(t *testing.T) {
			t.Parallel()
			if c.policy != "Aes256Sha256RsaPss" {
				long(t)
			}
			peer := loadPeer(t, items, 100*time.Millisecond, func(o *peers.NodeOptions) { o.NoAnonymous = c.policy != "None" })
			password := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(password, []byte(peer.Password), 0o600); err != nil {
				t.Fatal(err)
			}
			settings, user := fmt.Sprintf("    security: {policy: %s, mode: %s}\n", c.policy, c.mode), ""
			if c.policy != "None" {
				user = peer.User
				settings += fmt.Sprintf("    auth: {user: %s, password_file: %s}\n", peer.User, password)
				der, err := filepath.Glob(filepath.Join(peer.PKI, "own", "certs", "*"))
				if err != nil || len(der) == 0 {
					t.Fatalf("the server's certificate is not in %s: %v", peer.PKI, err)
				}
				settings += fmt.Sprintf("    server_certificate: %q\n", der[0])
			}
			n := newNodeServer(t, peer, peer.Endpoint, settings, "        publishing: 200ms\n        sampling: fastest\n        queue: 100\n")
			gw, _, url := n.collectLoad(items)
			peer.StartLoad()
			time.Sleep(2 * time.Second)
			peer.StopLoad()
			a := gw.mustBalance(client(t, influx.Options{URL: url}), n.made)
			if a.Stored != a.Generated {
				t.Errorf("%+v", *a)
			}
			v, _ := gw.view()
			if s := v.Servers[0]; s.Policy != c.policy || s.Mode != c.mode || s.User != user {
				t.Errorf("session: %s %s user %q", s.Policy, s.Mode, s.User)
			}
			t.Logf("%+v", *a)
		})
	}
}

// 10,000 doubles every 500 ms arrive whole: 20,000 values a second.
func TestNodeOPCUALoad(t *testing.T) {
	long(t)
	const items = 10_000
	peer := loadPeer(t, items, 500*time.Millisecond)
	n := newNodeServer(t, peer, peer.Endpoint, unprotected, twiceASecond)
	gw, _, url := n.collectLoad(items)
	peer.StartLoad()
	time.Sleep(10 * time.Second)
	peer.StopLoad()
	a := gw.mustBalance(client(t, influx.Options{URL: url}), n.made)
	if a.Stored != a.Generated {
		t.Errorf("%+v", *a)
	}
	v, _ := gw.view()
	t.Logf("%+v %+v", *a, v.Servers[0].Counters)
}

// A link to node-opcua is cut while it is busy (fault 1): Republish brings what the server still has, the rest is ledgered.
func TestNodeOPCUALinkCut(t *testing.T) {
	const items = 500
	peer := loadPeer(t, items, 100*time.Millisecond)
	proxy := peers.Proxy(t, peer.Endpoint)
	n := newNodeServer(t, peer, proxy.Endpoint, unprotected, "        publishing: 200ms\n        keep_alive: 1s\n        sampling: fastest\n        queue: 200\n")
	gw, _, url := n.collectLoad(items)
	peer.StartLoad()
	for range 3 {
		time.Sleep(time.Second)
		proxy.Cut()
	}
	time.Sleep(2 * time.Second)
	peer.StopLoad()
	a := gw.mustBalance(client(t, influx.Options{URL: url}), n.made)
	v, _ := gw.view()
	t.Logf("%+v %+v", *a, v.Servers[0].Counters)
}
