package forward

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxdb/models"

	"kvarts/deploy/e2e/peers"
)

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
