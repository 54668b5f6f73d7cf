package forward

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

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
	outage := 4 * time.Second
	if testing.Short() {
		outage = time.Second
	}
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
			interrupt(func() { produce(outage) })
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
