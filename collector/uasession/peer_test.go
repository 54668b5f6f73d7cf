package uasession

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/telemetry"
)

// testCertificates is an own certificate and a judge of the server's.
type testCertificates struct {
	der    []byte
	key    *rsa.PrivateKey
	refuse error

	mu      sync.Mutex
	checked int
}

const testURI = "urn:kvarts:test:collector"

// ownCertificate is made once: keys take their time.
var ownCertificate = sync.OnceValues(func() (*testCertificates, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	uri, _ := url.Parse(testURI)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kvarts test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		URIs:        []*url.URL{uri}, DNSNames: []string{"localhost"}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return &testCertificates{der: der, key: key}, err
})

func certificates(t *testing.T) *testCertificates {
	t.Helper()
	own, err := ownCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return &testCertificates{der: own.der, key: own.key}
}

func (c *testCertificates) Own() ([]byte, *rsa.PrivateKey, string, error) {
	return c.der, c.key, testURI, nil
}

func (c *testCertificates) CheckServerCertificate([]byte, string, string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked++
	return c.refuse
}

// loadGroup monitors node-opcua's load nodes.
func loadGroup(t *testing.T, name string, n int, publishing time.Duration) Group {
	g := Group{Name: name, Publishing: publishing}
	series := testSeries(t, name)
	for i := range n {
		f := loadName(i)
		g.Tags = append(g.Tags, Tag{
			Name: f, Node: "nsu=" + peers.NSLoad + ";s=" + f, Queue: 50,
			Outputs: []Output{{Series: series, Name: f}},
		})
	}
	return g
}

func loadName(i int) string { return fmt.Sprintf("load.%05d", i) }

func peerTiming() Timing {
	t := quick()
	t.KeepAlive, t.Session, t.Lifetime = time.Second, time.Minute, time.Minute
	return t
}

func TestPeerEveryPolicyModeAndUser(t *testing.T) {
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) {
		o.Load, o.LoadPeriod, o.NoMachine, o.NoOdd, o.NoTypes = 3, 50*time.Millisecond, true, true, true
	})
	type choice struct {
		policy Policy
		mode   Mode
	}
	choices := []choice{
		{PolicyNone, ModeNone},
		{PolicyAuto, ModeAuto},
		{PolicyBasic256Sha256, ModeSign},
		{PolicyBasic256Sha256, ModeSignAndEncrypt},
		{PolicyAes128Sha256RsaOaep, ModeSign},
		{PolicyAes128Sha256RsaOaep, ModeSignAndEncrypt},
		{PolicyAes256Sha256RsaPss, ModeSign},
		{PolicyAes256Sha256RsaPss, ModeSignAndEncrypt},
	}
	for _, c := range choices {
		for _, user := range []string{"", u.User} {
			t.Run(fmt.Sprintf("%s %s %q", c.policy, c.mode, user), func(t *testing.T) {
				certs := certificates(t)
				r := newRecorder(t)
				cfg := ServerConfig{
					Endpoint: u.Endpoint, Policy: c.policy, Mode: c.mode, Certificates: certs, Timing: peerTiming(),
					Groups: []Group{loadGroup(t, "g", 3, 50*time.Millisecond)},
				}
				if user != "" {
					cfg.User, cfg.Password = user, u.Password
				}
				s := start(t, cfg, r)
				eventually(t, "30 values: "+r.snapshot().LastError, func() bool { return r.count() >= 30 })
				st := r.snapshot()
				want := c
				if c.policy == PolicyAuto {
					want = choice{PolicyAes256Sha256RsaPss, ModeSignAndEncrypt}
				}
				if st.Policy != string(want.policy) || st.Mode != string(want.mode) || st.User != user {
					t.Errorf("connected with %s %s as %q", st.Policy, st.Mode, st.User)
				}
				if secured := want.policy != PolicyNone; secured && (certs.checked == 0 || st.ServerCert == "" || st.ServerCertUntil.IsZero()) {
					t.Errorf("server's certificate %q until %s, checked %d times", st.ServerCert, st.ServerCertUntil, certs.checked)
				}
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestPeerRefusals(t *testing.T) {
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) {
		o.Load, o.NoMachine, o.NoOdd, o.NoTypes = 1, true, true, true
		o.Policies = []string{"None", "Basic256Sha256"}
		o.NoAnonymous, o.RejectUnknownClients = true, true
	})
	untrusted := certificates(t)
	untrusted.refuse = errors.New("it is not on the list")
	for name, c := range map[string]struct {
		change func(*ServerConfig)
		want   string
	}{
		"wrong password": {func(c *ServerConfig) { c.Policy, c.User, c.Password = PolicyNone, u.User, "wrong" }, "check the password"},
		"anonymous":      {func(c *ServerConfig) { c.Policy = PolicyNone }, "configure user and password"},
		"policy not offered": {func(c *ServerConfig) {
			c.Policy, c.User, c.Password = PolicyAes256Sha256RsaPss, u.User, u.Password
		}, "the server offers"},
		"server not trusted": {func(c *ServerConfig) {
			c.Policy, c.Certificates, c.User, c.Password = PolicyBasic256Sha256, untrusted, u.User, u.Password
		}, "not on the list"},
		"we are not trusted": {func(c *ServerConfig) { c.Policy, c.User, c.Password = PolicyBasic256Sha256, u.User, u.Password }, "trust"},
		"no certificate":     {func(c *ServerConfig) { c.Policy, c.Certificates = PolicyBasic256Sha256, nil }, "own certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t)
			cfg := ServerConfig{Endpoint: u.Endpoint, Certificates: certificates(t), Timing: peerTiming(), Groups: []Group{loadGroup(t, "g", 1, time.Second)}}
			c.change(&cfg)
			s := start(t, cfg, r)
			eventually(t, "the connect fails", func() bool { return r.snapshot().Counters.ConnectFails > 0 })
			if st := r.snapshot(); !strings.Contains(st.LastError, c.want) || st.Connected {
				t.Errorf("error %q, want one with %q", st.LastError, c.want)
			}
			s.stop()
		})
	}
	t.Run("trusted after all", func(t *testing.T) {
		r := newRecorder(t)
		start(t, ServerConfig{
			Endpoint: u.Endpoint, Policy: PolicyBasic256Sha256, Mode: ModeSignAndEncrypt, User: u.User, Password: u.Password,
			Certificates: certificates(t), Timing: peerTiming(), Groups: []Group{loadGroup(t, "g", 1, 100*time.Millisecond)},
		}, r)
		eventually(t, "the connect fails", func() bool { return r.snapshot().Counters.ConnectFails > 0 })
		if n := u.Trust(); n == 0 {
			t.Error("the server has not seen our certificate")
		}
		eventually(t, "it connects by itself", func() bool { return r.count() > 0 })
	})
}

// generated reads what node-opcua made of the load nodes.
func generated(t *testing.T, u *peers.OPCUA, each func(field string, at telemetry.Instant, value float64)) {
	t.Helper()
	err := peers.ReadGenerated(u.GeneratedLog(), func(g peers.Generated) error {
		if v, ok := g.Value.(float64); ok && strings.HasPrefix(g.Node, "load.") {
			each(g.Node, g.Source.Instant(), v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// account checks that every sample node-opcua made after a tag's first one is delivered or in a gap.
func account(t *testing.T, u *peers.OPCUA, r *recorder, server string, g Group) (made, delivered int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	type key struct {
		field string
		at    telemetry.Instant
		value float64
	}
	have := make(map[key]bool)
	begin := make(map[string]telemetry.Instant)
	for _, s := range r.samples {
		if s.sample.Value.Type() == telemetry.NoType {
			continue
		}
		f := s.sample.Field.Name
		have[key{f, s.sample.Source, s.sample.Value.Float()}] = true
		if b, ok := begin[f]; !ok || s.sample.Source < b {
			begin[f] = s.sample.Source
		}
	}
	series := string(g.Tags[0].Outputs[0].Series.Key())
	missing := 0
	known := make(map[key]bool)
	generated(t, u, func(f string, at telemetry.Instant, v float64) {
		k := key{f, at, v}
		known[k] = true
		if at < begin[f] {
			return
		}
		made++
		if have[k] {
			delivered++
			return
		}
		for i := range r.gaps {
			if r.gaps[i].Covers(server, series, f, at) {
				return
			}
		}
		if missing++; missing < 5 {
			t.Errorf("%s = %v at %s is neither delivered nor in a gap", f, v, at)
		}
	})
	for k := range have {
		if !known[k] {
			t.Errorf("%s = %v at %s was never made", k.field, k.value, k.at)
			break
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d samples missing; %d gaps", missing, made, len(r.gaps))
	}
	return made, delivered
}

func TestPeerFiveThousandItems(t *testing.T) {
	const n = 5000
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) {
		o.Load, o.LoadPeriod, o.StartLater, o.NoMachine, o.NoOdd, o.NoTypes = n, time.Second, true, true, true, true
		o.OperationLimits = map[string]int{"maxMonitoredItemsPerCall": 333, "maxNodesPerRead": 250}
	})
	r := newRecorder(t)
	g := loadGroup(t, "g", n, 250*time.Millisecond)
	g.Tags[17].Node = "nsu=" + peers.NSLoad + ";s=nowhere"
	timing := peerTiming()
	timing.RetryItem, timing.RetryMax = time.Hour, time.Hour // what load.00017 would have had is in the ledger all the same
	s := start(t, ServerConfig{Endpoint: u.Endpoint, Policy: PolicyNone, Timing: timing, Groups: []Group{g}}, r)
	eventually(t, "4999 items", func() bool { st := r.snapshot(); return st.ItemsOK == n-1 && st.ItemsBad == 1 })
	u.StartLoad()
	eventually(t, "15000 values", func() bool { return r.count() >= 15000 })
	u.StopLoad()
	r.settle(t)
	s.stop()
	g.Tags = append(g.Tags[:17:17], g.Tags[18:]...)
	made, delivered := account(t, u, r, "server", g)
	t.Logf("%d made, %d delivered, %d messages", made, delivered, r.snapshot().Counters.Messages)
	if c := r.snapshot().Counters; c.Strays != 0 || c.Overflows != 0 || c.Connects != 1 {
		t.Errorf("counters %+v", c)
	}
}

// settle waits until no more values come for a while.
func (r *recorder) settle(t *testing.T) {
	n, since := r.count(), time.Now()
	eventually(t, "nothing more comes", func() bool {
		if now := r.count(); now != n {
			n, since = now, time.Now()
		}
		return time.Since(since) > 700*time.Millisecond
	})
}

func TestPeerThroughACuttingProxy(t *testing.T) {
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) {
		o.Load, o.LoadPeriod, o.NoMachine, o.NoOdd, o.NoTypes = 200, 50*time.Millisecond, true, true, true
	})
	px := peers.Proxy(t, u.Endpoint)
	r := newRecorder(t)
	g := loadGroup(t, "g", 200, 100*time.Millisecond)
	timing := peerTiming()
	timing.Grace, timing.Dial = time.Second, 2*time.Second
	s := start(t, ServerConfig{
		Endpoint: px.Endpoint, Policy: PolicyBasic256Sha256, Mode: ModeSignAndEncrypt, Certificates: certificates(t),
		Timing: timing, Groups: []Group{g},
	}, r)
	eventually(t, "values flow", func() bool { return r.count() >= 1000 })
	for i, cut := range []func(){px.Cut, px.Fin, px.Cut, px.Freeze, px.FreezeAnswers} {
		before := r.snapshot().Counters.Reactivated
		cut()
		if i >= 3 { // half open: nothing tells but the silence
			eventually(t, "the silence is noticed", func() bool { return !r.snapshot().Connected })
			px.Cut()
			px.Thaw()
		}
		eventually(t, "the session is taken over", func() bool { return r.snapshot().Counters.Reactivated > before })
		n := r.count()
		eventually(t, "values flow on", func() bool { return r.count() >= n+2000 })
	}
	u.StopLoad()
	r.settle(t)
	s.stop()
	made, delivered := account(t, u, r, "server", g)
	c := r.snapshot().Counters
	t.Logf("%d made, %d delivered, counters %+v", made, delivered, c)
	if c.Lost != 0 || made != delivered || c.Sessions != 1 {
		t.Errorf("%d messages lost, %d of %d samples delivered, %d sessions: Republish works, so nothing may be lost", c.Lost, delivered, made, c.Sessions)
	}
}

func TestPeerRestart(t *testing.T) {
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) {
		o.Load, o.LoadPeriod, o.NoMachine, o.NoOdd, o.NoTypes = 20, 50*time.Millisecond, true, true, true
	})
	r := newRecorder(t)
	g := loadGroup(t, "g", 20, 100*time.Millisecond)
	s := start(t, ServerConfig{Endpoint: u.Endpoint, Policy: PolicyNone, Timing: peerTiming(), Groups: []Group{g}}, r)
	eventually(t, "values flow", func() bool { return r.count() >= 200 })
	u.RestartWith(func(o *peers.NodeOptions) {
		o.Namespaces = []string{peers.NSOdd, peers.NSTypes, peers.NSLoad, peers.NSMachine}
	})
	n := r.count()
	eventually(t, "values flow on", func() bool { return r.count() >= n+400 })
	u.StopLoad()
	r.settle(t)
	s.stop()
	made, delivered := account(t, u, r, "server", g)
	t.Logf("%d made, %d delivered, gaps %+v", made, delivered, r.gaps)
	if len(r.gapsOf(telemetry.CauseSession)) != 1 {
		t.Errorf("gaps %+v, want one for the restart", r.gaps)
	}
}
