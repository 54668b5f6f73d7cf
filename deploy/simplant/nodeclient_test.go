package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/deploy/simplant/uaserver"

	"github.com/google/go-cmp/cmp"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// nodeModules is the folder of node-opcua, installed when it is not there yet.
func nodeModules(t *testing.T) string {
	t.Helper()
	dir, err := peers.Ensure(t.Context(), peers.PeerNodeOPCUA, func(e peers.Event) { t.Logf("%s: %s %s", e.Peer, e.State, e.Text) })
	var missing *peers.MissingToolError
	if errors.As(err, &missing) && !peers.Required(peers.PeerNodeOPCUA) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "node_modules")
}

// nodeLine is one line of testdata/nodeclient.js; one field of it is set.
type nodeLine struct {
	Browse []struct{ Path, NodeClass, Type string }
	Read   *struct {
		Analog     string
		Value      float64
		Source     time.Time
		Properties struct {
			EURange          struct{ Low, High float64 }
			EngineeringUnits struct {
				UnitID      int32 `json:"unitId"`
				DisplayName struct{ Text string }
			}
		}
		State           int
		MaxNodesPerRead int
	}
	Subscribed uint32
	Analog     *float64
	Counter    *uint32
	Status     uint32
	End        bool
}

// TestNodeOPCUAClient lets a client that shares no code with the server use all of it,
// and breaks its connection on the way: no value may be missing or come twice.
func TestNodeOPCUAClient(t *testing.T) {
	const uri, count = "urn:test:node", 301
	modules := nodeModules(t)
	srv := uaserver.New(uaserver.Options{Namespaces: []string{uri}, FirstSequence: 1<<32 - 3})
	add := func(spec uaserver.NodeSpec) *uaserver.Variable {
		t.Helper()
		spec.Namespace = uri
		v, err := srv.AddVariable(spec)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	analog := add(uaserver.NodeSpec{
		Path: "Machine/Group/Analog", Initial: 10.0, Range: &uaserver.Range{Low: 0, High: 200},
		Unit: &uaserver.Unit{Code: "KWT", Name: "kW", Text: "kilowatt"},
	})
	counter := add(uaserver.NodeSpec{Path: "Machine/Group/Counter", Initial: uint32(0)})
	for _, name := range []string{"A", "B", "C"} {
		add(uaserver.NodeSpec{Path: "Machine/Other/" + name, DataType: id.Boolean})
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}()

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "nodeclient.js"), srv.Endpoint(), uri, fmt.Sprint(count), clientPKI(t))
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	received := make(chan uint32, count*10)
	var feeder sync.WaitGroup
	defer feeder.Wait()
	defer cancel()
	var analogs []float64
	// Each value comes; order and repetition around a reconnect are the client's own affair: it may hand over a
	// republished message after those that came later, or twice.
	seen, ended := make([]int, count), false
	for sc := bufio.NewScanner(out); sc.Scan(); {
		var line nodeLine
		if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
			t.Logf("node: %s", sc.Bytes())
			continue
		}
		switch {
		case line.Browse != nil:
			checkBrowse(t, line)
		case line.Read != nil:
			checkRead(t, line, analog)
		case line.Subscribed != 0:
			feeder.Go(func() { feed(ctx, t, srv, analog, counter, count, received) })
		case line.Analog != nil:
			analogs = append(analogs, *line.Analog)
		case line.Counter != nil:
			if int(*line.Counter) >= len(seen) || line.Status != 0 {
				t.Fatalf("counter %d with status %x of %d", *line.Counter, line.Status, count)
			}
			seen[*line.Counter]++
			select {
			case received <- *line.Counter:
			default: // the feeder has heard all it wants to
			}
		case line.End:
			ended = true
		}
	}
	if err := cmd.Wait(); err != nil || !ended {
		t.Fatalf("node client: %v, ended %t", err, ended)
	}
	if d := cmp.Diff([]float64{10, 40, 70}, analogs); d != "" {
		t.Errorf("values of the item with a deadband of 10 %%: %s", d)
	}
	stats := srv.Stats()
	for value, times := range seen {
		if times == 0 {
			t.Errorf("counter value %d is missing", value)
		}
	}
	if srv.Mutations() != 0 || stats.Connections < 3 || stats.Acknowledgements == 0 {
		t.Errorf("%+v", stats)
	}
}

// feed sets values and breaks the connection twice while they flow. It keeps clear of two faults of the client, whose
// Republish asks for its newest number + 1: a break in the middle of a recovery makes it publish and ask at once, and
// what lies before the newest number is never asked for; and at the end of the numbers' circle that is no number.
func feed(ctx context.Context, t *testing.T, srv *uaserver.Server, analog, counter *uaserver.Variable, count uint32, received <-chan uint32) {
	const (
		circled    = 50 // comes in the 8th message at the earliest, and the numbers begin again with the 4th
		firstCut   = 100
		recovered  = 200 // made after the first cut: it can only come by Publish, which the client sends when it has recovered
		secondCut  = 250
		everyValue = 5 * time.Millisecond
	)
	tick := time.NewTicker(everyValue)
	defer tick.Stop()
	await := func(value uint32) {
		for {
			select {
			case <-ctx.Done():
				return
			case v := <-received:
				if v >= value {
					return
				}
			}
		}
	}
	for i := uint32(1); i < count; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := counter.Set(i, ua.StatusOK, time.Now()); err != nil {
			t.Error(err)
		}
		if i%10 == 0 && i <= 60 {
			if err := analog.Set(10+float64(i), ua.StatusOK, time.Now()); err != nil {
				t.Error(err)
			}
		}
		switch i {
		case firstCut:
			await(circled)
			srv.KillConnections()
		case recovered:
			await(recovered)
		case secondCut:
			srv.KillConnections()
		}
	}
}

// clientPKI makes the folder that node-opcua wants for a certificate store, with a key, so
// that it need not compute one in JavaScript.
func clientPKI(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, DNSNames: []string{"localhost"},
		URIs:      []*url.URL{{Scheme: "urn", Opaque: "kvarts:test:client"}}, // as in nodeclient.js
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("own/private/private_key.pem", "PRIVATE KEY", pkcs8)
	write("own/certs/client.pem", "CERTIFICATE", der)
	return dir
}

func checkBrowse(t *testing.T, line nodeLine) {
	t.Helper()
	var paths []string
	for _, n := range line.Browse {
		paths = append(paths, n.Path+" "+n.NodeClass+" "+n.Type)
	}
	want := []string{
		"/Group Object ns=0;i=61", "/Group/Analog Variable ns=0;i=2368",
		"/Group/Analog/EURange Variable ns=0;i=68", "/Group/Analog/EngineeringUnits Variable ns=0;i=68",
		"/Group/Counter Variable ns=0;i=63",
		"/Other Object ns=0;i=61", "/Other/A Variable ns=0;i=63", "/Other/B Variable ns=0;i=63", "/Other/C Variable ns=0;i=63",
	}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
}

func checkRead(t *testing.T, line nodeLine, analog *uaserver.Variable) {
	t.Helper()
	r := line.Read
	if r.Analog != analog.NodeID().String() || r.Value != 10 || r.State != 0 || r.MaxNodesPerRead != 1000 || time.Since(r.Source).Abs() > time.Minute {
		t.Errorf("%+v", r)
	}
	p := r.Properties
	if p.EURange.Low != 0 || p.EURange.High != 200 || p.EngineeringUnits.UnitID != 4937556 || p.EngineeringUnits.DisplayName.Text != "kW" {
		t.Errorf("properties %+v", p)
	}
}
