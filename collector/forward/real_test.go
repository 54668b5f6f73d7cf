package forward

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/influxdata/influxdb/models"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/deploy/e2e/peers"
	"kvarts/historian/influx"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

// The types that a collector puts together fit the interfaces of this package.
var (
	_ Log        = (*buffer.Log)(nil)
	_ Cursor     = (*buffer.Cursor)(nil)
	_ Store      = (*influx.Client)(nil)
	_ Quarantine = (*quarantine.Store)(nil)
)

// gateway is a real buffer, quarantine and Forwarder on a disk, as on a plant gateway.
type gateway struct {
	t          testing.TB
	dir        string
	log        *buffer.Log
	quarantine *quarantine.Store
	f          *Forwarder
	stop       func()
	options    func(*Options)

	mu        sync.Mutex
	generated []string
	events    []Event
}

// fast makes the waits of a test short; what they are in earnest is tested with fake time.
func fast(o *Options) {
	o.Backoff = Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond, Hold: 100 * time.Millisecond}
	o.Limits.Lines = 2000
	o.LiveLag = 500 * time.Millisecond
	o.Grace = 300 * time.Millisecond
}

func newGateway(t testing.TB, client influx.Options, options ...func(*Options)) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), options: func(o *Options) {
		fast(o)
		for _, change := range options {
			change(o)
		}
	}}
	g.open(g.client(client))
	t.Cleanup(g.close)
	return g
}

func (g *gateway) client(o influx.Options) *influx.Client {
	g.t.Helper()
	c, err := influx.New(o)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(c.Close)
	return c
}

// open starts what a collector starts, after a crash or for the first time.
func (g *gateway) open(c Store) {
	g.t.Helper()
	log, err := buffer.Open(context.Background(), buffer.Options{
		Dir: filepath.Join(g.dir, "buffer"), SegmentBytes: 1 << 20, Destinations: []string{"plant"},
	})
	if err != nil {
		g.t.Fatal(err)
	}
	q, err := quarantine.Open(quarantine.Options{Dir: filepath.Join(g.dir, "quarantine")})
	if err != nil {
		g.t.Fatal(err)
	}
	cursor, err := log.Cursor("plant")
	if err != nil {
		g.t.Fatal(err)
	}
	o := Options{Name: "plant", Log: log, Cursor: cursor, Store: c, Quarantine: q, OnEvent: func(e Event) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.events = append(g.events, e)
	}}
	g.options(&o)
	if g.f, err = New(o); err != nil {
		g.t.Fatal(err)
	}
	g.log, g.quarantine = log, q
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	f := g.f
	go func() { done <- f.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			g.t.Errorf("Run: %v", err)
		}
	})
}

func (g *gateway) close() {
	g.stop()
	if err := errors.Join(g.log.Close(), g.quarantine.Close()); err != nil {
		g.t.Error(err)
	}
}

// add makes a record of lines durable.
func (g *gateway) add(server, group string, lines ...string) {
	g.t.Helper()
	r := record(server, group, lines...)
	seq, err := g.log.Append(&r)
	if err == nil {
		err = g.log.WaitDurable(context.Background(), seq)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.generated = append(g.generated, lines...)
}

func (g *gateway) delivered() bool {
	s := g.f.Snapshot()
	return s.Records == 0
}

func (g *gateway) waitDelivered() {
	g.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for !g.delivered() {
		if time.Now().After(deadline) {
			g.t.Fatalf("not delivered in time: %+v, failure %+v", g.f.Snapshot(), g.f.Snapshot().Failure)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// account is the oracle: each generated value is stored as it was, or its line is in quarantine, nothing else is in
// either.
func (g *gateway) account(stored map[string]string) (quarantined int) {
	g.t.Helper()
	entries, err := g.quarantine.List(quarantine.Filter{})
	if err != nil {
		g.t.Fatal(err)
	}
	aside := make(map[string]bool)
	for _, e := range entries {
		l, ok := e.RawLine()
		if !ok || e.Destination != "plant" || e.Server == "" || e.At == 0 || e.Message == "" || e.Samples != 1 {
			g.t.Errorf("entry says too little: %+v", e)
		}
		aside[string(l)] = true
	}
	errorsLeft := 10
	fail := func(format string, args ...any) {
		if errorsLeft--; errorsLeft >= 0 {
			g.t.Errorf(format, args...)
		}
	}
	found := 0
	for _, l := range g.generated {
		ids, isStored := valuesOf(l), true
		for id, v := range ids {
			got, ok := stored[id]
			if ok {
				found++
			}
			if isStored = isStored && ok; ok && got != v {
				fail("%s is stored as %s, want %s", id, got, v)
			}
		}
		if isStored = isStored && len(ids) > 0; isStored == aside[l] {
			fail("line %.120q: stored %v, in quarantine %v", l, isStored, aside[l])
		}
		delete(aside, l)
	}
	for l := range aside {
		fail("line %q is in quarantine but was never generated", l)
	}
	if found != len(stored) {
		fail("%d values are stored, %d of them were generated", len(stored), found)
	}
	return len(entries)
}

// valuesOf a line, by what identifies them. None when the line is not line protocol.
func valuesOf(l string) map[string]string {
	p, err := telemetry.ParseLine([]byte(l))
	if err != nil {
		return nil
	}
	out := make(map[string]string)
	for _, f := range p.Fields {
		out[fmt.Sprintf("%s %s %d", p.Key, f.Name, p.Time)] = f.Value.String()
	}
	return out
}

func fakeValues(s *peers.FakeStore) map[string]string {
	out := make(map[string]string)
	for _, series := range s.Series() {
		for _, field := range s.Fields(series) {
			for _, v := range s.Values(series, field) {
				out[fmt.Sprintf("%s %s %d", series, field, v.Time)] = fmt.Sprint(v.Value)
			}
		}
	}
	return out
}

func realValues(t testing.TB, o influx.Options) map[string]string {
	t.Helper()
	c, err := influx.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := make(map[string]string)
	err = c.Query(t.Context(), influx.Query{Text: `SELECT * FROM /.*/ GROUP BY *`}, func(r influx.Row) error {
		key := r.Series
		for _, tag := range r.Tags {
			if tag.Value != "" {
				key += "," + tag.Key + "=" + tag.Value
			}
		}
		at, _ := r.Time()
		for i, v := range r.Values {
			if i > 0 && !v.IsNull() {
				out[fmt.Sprintf("%s %s %d", key, r.Columns[i], at)] = v.String()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// maker makes lines of distinct points near the present, so that no retention policy is in their way.
type maker struct {
	n    int
	base int64
}

func newMaker() *maker { return &maker{base: time.Now().Add(-time.Minute).UnixNano() / 1e6 * 1e6} }

func (m *maker) lines(n int) []string {
	out := make([]string, n)
	for i := range out {
		m.n++
		out[i] = fmt.Sprintf("cz_puller,site=s1,unit=p%d power_kw=%d.25 %d", m.n%5, m.n, m.base+int64(m.n)*1000)
	}
	return out
}

func fakeOptions(s *peers.FakeStore) influx.Options {
	return influx.Options{URL: s.URL, Database: "kvarts", Token: "secret", CAFile: s.CAFile, Timeout: 300 * time.Millisecond}
}

// Fault 24, and 23: whatever the store answers, good lines arrive, bad ones are put aside, and when it is over all is
// well without a hand's turn.
func TestFaultsOfTheSink(t *testing.T) {
	isBad := func(p models.Point) bool { return strings.Contains(string(p.Key()), "bad") }
	bad := func(m *maker) string {
		return strings.Replace(m.lines(1)[0], "unit=", "unit=bad", 1)
	}
	httpDate := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		name    string
		options []peers.FakeOption
		script  func(*peers.FakeStore)
		extra   func(*maker) []string // lines of a record between the others
		aside   int
		most    int // requests, 0 = any
	}{
		{name: "nothing wrong", most: 20},
		{name: "commit, then the connection is cut", script: func(s *peers.FakeStore) { s.Next(peers.Times(3, peers.CommitThenCut())...) }},
		{name: "half committed, then cut", script: func(s *peers.FakeStore) { s.Next(peers.Times(3, peers.CommitHalfThenCut())...) }},
		{name: "400 line 537 of 1000, 1.8", script: func(s *peers.FakeStore) { s.Always(peers.Partial(isBad)) }, aside: 1,
			extra: func(m *maker) []string { return append(append(m.lines(536), bad(m)), m.lines(463)...) }},
		{name: "422 with many dropped, 2", options: []peers.FakeOption{peers.WithDialect(peers.V2)}, aside: 40,
			script: func(s *peers.FakeStore) { s.Always(peers.Partial(isBad)) },
			extra: func(m *maker) (out []string) {
				for range 40 {
					out = append(append(out, bad(m)), m.lines(3)...)
				}
				return out
			}},
		{name: "a whole tag of the wrong type, 1.8", aside: 300, extra: wrongType(300), most: 60},
		{name: "a whole tag of the wrong type, 2", options: []peers.FakeOption{peers.WithDialect(peers.V2)}, aside: 300, extra: wrongType(300), most: 60},
		{name: "unparsable line, 1.8", aside: 1, extra: unparsable},
		{name: "unparsable line, 2", options: []peers.FakeOption{peers.WithDialect(peers.V2)}, aside: 1, extra: unparsable},
		{name: "413 above 4 KB", script: func(s *peers.FakeStore) { s.Always(peers.TooLarge(4096)) }},
		{name: "429 with Retry-After 1", script: retryLater(429, "1")},
		{name: "429 with Retry-After as a date", script: retryLater(429, httpDate(time.Second))},
		{name: "429 with Retry-After 0", script: retryLater(429, "0")},
		{name: "429 with Retry-After in the past", script: retryLater(429, httpDate(-time.Hour))},
		{name: "429 with a Retry-After of nonsense", script: retryLater(429, "soon, perhaps")},
		{name: "503 flapping", script: func(s *peers.FakeStore) {
			for range 6 {
				s.Next(peers.Fail(503, ""), peers.Answer{})
			}
		}},
		{name: "404 bucket", script: func(s *peers.FakeStore) {
			s.Next(peers.Times(3, peers.Fail(404, `{"error":"database not found: \"kvarts\""}`))...)
		}},
		{name: "gzip refused for a while", script: func(s *peers.FakeStore) { s.Next(peers.Times(3, peers.RefuseGzip())...) }},
		{name: "hangs", script: func(s *peers.FakeStore) { s.Next(peers.Times(2, peers.Hang())...) }},
		{name: "slow-loris", script: func(s *peers.FakeStore) { s.Next(peers.Times(2, peers.SlowLoris(50*time.Millisecond))...) }},
		{name: "500 without a reason", script: func(s *peers.FakeStore) { s.Next(peers.Times(5, peers.Fail(500, "oops"))...) }},
		{name: "a proxy's login page", script: func(s *peers.FakeStore) { s.Next(peers.Times(3, peers.Fail(200, "<html><title>Sign in</title>"))...) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := peers.FakeInflux(t, c.options...)
			g := newGateway(t, fakeOptions(s))
			m := newMaker()
			g.add("saw", "first", "cz_puller,site=s1,unit=p0 text_kw=1.5 5") // settles the type of a field
			g.waitDelivered()
			if c.script != nil {
				c.script(s)
			}
			g.add("saw", "fast", m.lines(200)...)
			if c.extra != nil {
				g.add("saw", "odd", c.extra(m)...)
			}
			for range 5 {
				g.add("saw", "fast", m.lines(100)...)
			}
			g.waitDelivered()
			if n := g.account(fakeValues(s)); n != c.aside {
				t.Errorf("%d lines in quarantine, want %d", n, c.aside)
			}
			if o := s.Overwrites(); len(o) > 0 {
				t.Errorf("values were overwritten: %v", o)
			}
			if n := len(s.Requests()); c.most > 0 && n > c.most {
				t.Errorf("%d requests, want at most %d", n, c.most)
			}
		})
	}
}

func wrongType(n int) func(*maker) []string {
	return func(m *maker) (out []string) {
		for range n {
			m.n++
			out = append(out, fmt.Sprintf(`cz_puller,site=s1,unit=p0 text_kw="on" %d`, m.base+int64(m.n)*1000))
			out = append(out, m.lines(1)...)
		}
		return out
	}
}

func unparsable(m *maker) []string {
	return append(append(m.lines(50), fmt.Sprintf("cz_puller,site=s1,unit=p1 power_kw=1.2.3 %d", m.base)), m.lines(50)...)
}

func retryLater(status int, after string) func(*peers.FakeStore) {
	return func(s *peers.FakeStore) { s.Next(peers.Times(2, peers.RetryLater(status, after))...) }
}

// Fault 24: a server that answers a type conflict with 500, as early 2.0 did, is no poison loop.
func TestTypeConflictAs500(t *testing.T) {
	s := peers.FakeInflux(t)
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusBadRequest {
				r.StatusCode = http.StatusInternalServerError
			}
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	o := fakeOptions(s)
	o.URL = front.URL
	g := newGateway(t, o)
	m := newMaker()
	g.add("saw", "first", "cz_puller,site=s1,unit=p0 text_kw=1.5 5")
	g.waitDelivered()
	g.add("saw", "odd", wrongType(20)(m)...)
	g.add("saw", "fast", m.lines(300)...)
	g.waitDelivered()
	if n := g.account(fakeValues(s)); n != 20 {
		t.Errorf("%d lines in quarantine, want 20", n)
	}
}

// Fault 24: a refused token holds delivery and says what to do; the new token in its file ends it.
func TestTokenRotated(t *testing.T) {
	s := peers.FakeInflux(t)
	s.SetToken("new")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := fakeOptions(s)
	o.Token, o.TokenFile = "", file
	g := newGateway(t, o)
	g.add("saw", "fast", newMaker().lines(50)...)
	waitFor(t, "hold", func() bool { return g.f.Snapshot().Condition == Held })
	if st := g.f.Snapshot(); st.Failure.Status != 401 || st.Failure.Remedy == "" {
		t.Errorf("state %+v", st.Failure)
	}
	if err := os.WriteFile(file, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.waitDelivered()
	g.account(fakeValues(s))
}

// Fault 24: an expired certificate holds; a new client for a new certificate ends it.
func TestCertificateExpired(t *testing.T) {
	expired := peers.FakeInflux(t, peers.WithTLS(time.Now().Add(-time.Hour)))
	g := newGateway(t, fakeOptions(expired))
	g.add("saw", "fast", newMaker().lines(50)...)
	waitFor(t, "hold", func() bool { return g.f.Snapshot().Condition == Held })
	if st := g.f.Snapshot(); !strings.Contains(st.Failure.Message, "expired") {
		t.Errorf("state %+v", st.Failure)
	}
	renewed := peers.FakeInflux(t, peers.WithTLS(time.Now().Add(time.Hour)))
	g.f.SetStore(g.client(fakeOptions(renewed)))
	g.waitDelivered()
	g.account(fakeValues(renewed))
}

// Killed and started again, between every two steps that matter, under a store that refuses lines: no line is lost or
// put aside twice, and nothing is stored that was not generated.
func TestRestartsOnDisk(t *testing.T) {
	s := peers.FakeInflux(t)
	g := newGateway(t, fakeOptions(s))
	m := newMaker()
	g.add("saw", "first", "cz_puller,site=s1,unit=p0 text_kw=1.5 5")
	g.waitDelivered()
	bad := 0
	for i := range 12 {
		n := rand.IntN(6)
		bad += n
		g.add("saw", "fast", m.lines(200)...)
		g.add("saw", "odd", append(m.lines(20), wrongType(n)(m)...)...)
		if i%3 == 0 {
			s.Next(peers.Fail(503, ""), peers.CommitThenCut())
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // a moment to be interrupted in, not a wait for anything
		g.close()
		g.open(g.client(fakeOptions(s)))
	}
	g.waitDelivered()
	if n := g.account(fakeValues(s)); n != bad {
		t.Errorf("%d lines in quarantine, want %d", n, bad)
	}
}

// backends are the stores that must take all this.
var backends = map[string]func(t *testing.T) (o influx.Options, interrupt func(func())){
	"embedded": func(t *testing.T) (influx.Options, func(func())) {
		dir := t.TempDir()
		open := func(addr string) *store.Store {
			s, err := store.Open(context.Background(), store.Options{Dir: dir, Addr: addr, Database: "kvarts"})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open("127.0.0.1:0")
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return influx.Options{URL: s.URL(), Database: "kvarts"}, func(during func()) {
			u, err := url.Parse(s.URL())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			during()
			s = open(u.Host)
		}
	},
	"influxd 1.8": func(t *testing.T) (influx.Options, func(func())) {
		i := peers.Influxd18(t)
		return influx.Options{URL: i.URL, Database: i.Database, Token: i.Token}, interruptPeer(i)
	},
	"influxd 2": func(t *testing.T) (influx.Options, func(func())) {
		i := peers.Influxd2(t)
		return influx.Options{URL: i.URL, Database: i.Database, Bucket: i.Bucket, Org: i.Org, Token: i.Token}, interruptPeer(i)
	},
}

func interruptPeer(i *peers.Influx) func(func()) {
	return func(during func()) {
		i.Kill()
		during()
		i.Restart()
	}
}

// Fault 22 on real stores: killed under load, back after a while; the backlog is drained with live data between, and
// everything is there. Then what real servers refuse: types, unparsable lines.
func TestRealStores(t *testing.T) {
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, interrupt := start(t)
			o.Timeout = 10 * time.Second
			g := newGateway(t, o)
			m := newMaker()
			produce := func(d time.Duration) {
				for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					for group := range 3 {
						g.add("saw", fmt.Sprint("g", group), m.lines(250)...)
					}
				}
			}
			produce(500 * time.Millisecond)
			interrupt(func() { produce(4 * time.Second) })
			back := time.Now()
			worst := time.Duration(0)
			for time.Since(back) < 2*time.Second {
				produce(100 * time.Millisecond)
				if time.Since(back) > time.Second {
					worst = max(worst, g.f.Snapshot().LiveLag)
				}
			}
			g.waitDelivered()
			t.Logf("%d lines, drained %s after the store was back, live lag at most %s", m.n, time.Since(back), worst)
			if worst > 5*time.Second {
				t.Errorf("live lag %s", worst)
			}
			if n := g.account(realValues(t, o)); n != 0 {
				t.Errorf("%d good lines in quarantine", n)
			}
			before := g.f.Snapshot().Totals.Requests
			g.add("saw", "first", fmt.Sprintf("cz_puller,site=s1,unit=p0 text_kw=1.5 %d", m.base))
			g.waitDelivered()
			g.add("saw", "odd", wrongType(200)(m)...)
			g.waitDelivered()
			spent := g.f.Snapshot().Totals.Requests - before
			g.add("saw", "odd", unparsable(m)...)
			g.waitDelivered()
			if n := g.account(realValues(t, o)); n != 201 {
				t.Errorf("%d lines in quarantine, want 201", n)
			}
			t.Logf("200 lines of the wrong type cost %d requests", spent)
			if spent > 40 {
				t.Errorf("%d requests for a tag of the wrong type", spent)
			}
		})
	}
}
