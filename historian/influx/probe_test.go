package influx

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/store"
)

// liar is a store with bad habits: a proxy in front of the embedded one that swallows complaints about lines and rounds
// integers, as openGemini does.
func liar(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Header.Del("Accept-Encoding") },
		ModifyResponse: func(r *http.Response) error {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			if bytes.Contains(b, []byte("unable to parse")) {
				r.StatusCode, r.Status, b = http.StatusNoContent, "204 No Content", nil
			}
			b = bytes.ReplaceAll(b, []byte("9007199254740993"), []byte("9007199254740992"))
			r.Body = io.NopCloser(bytes.NewReader(b))
			r.ContentLength = int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			r.Header.Del("X-Influxdb-Error")
			return nil
		},
	}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	return srv.URL
}

func openStore(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	o.Dir, o.Addr = t.TempDir(), "127.0.0.1:0"
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestProbeShowsBadHabits(t *testing.T) {
	s := openStore(t, store.Options{Limits: store.Limits{BodyBytes: 5 << 20}})
	c := mustNew(t, Options{URL: liar(t, s.URL()), Database: store.DefaultDatabase})
	report, err := Probe(testContext(t, 30*time.Second), c, ProbeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct{ got, meaning string }{
		"batch with an unparsable line":     {"204, good lines stored", "lost without a word"},
		"batch with a time outside 64 bits": {"204, good lines stored", "lost without a word"},
		"integers above 2^53":               {"no", "rounded"},
		"largest body":                      {"4 MiB, 8 MiB refused (413)", "smaller"},
	}
	for _, k := range report.Checks {
		w, bad := want[k.Name]
		if k.OK == bad || bad && (k.Got != w.got || !strings.Contains(k.Meaning, w.meaning)) {
			t.Errorf("%s: ok %t, got %q, meaning %q", k.Name, k.OK, k.Got, k.Meaning)
		}
		if k.Meaning == "" {
			t.Errorf("%s says nothing", k.Name)
		}
		delete(want, k.Name)
	}
	if len(want) > 0 || report.OK() {
		t.Errorf("not found: %v", want)
	}
}

// A token that may not create databases gets an error that says so, and no report of a healthy server.
func TestProbeNeedsRights(t *testing.T) {
	s := openStore(t, store.Options{Tokens: []store.Token{{Name: "r", Secret: "secret-that-may-only-read", ReadOnly: true}}})
	c := mustNew(t, Options{URL: s.URL(), Token: "secret-that-may-only-read", Database: store.DefaultDatabase})
	report, err := Probe(testContext(t, 10*time.Second), c, ProbeOptions{})
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindAuth {
		t.Errorf("%v", err)
	}
	if report == nil || len(report.Checks) != 0 {
		t.Errorf("%+v", report)
	}
}

// A batch that does not compress, so that it is announced before it is sent.
func incompressible(t *testing.T, size int) ([][]byte, int) {
	t.Helper()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	r := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	lines := 0
	for text.Len() < size*4/3 {
		text.WriteString(`big s="`)
		for range 10_000 {
			text.WriteByte(letters[r.IntN(len(letters))])
		}
		text.WriteString(`" ` + strconv.Itoa(lines+1) + "\n")
		lines++
	}
	return [][]byte{mustGzip(t, text.String())}, lines
}

func TestLargeBatches(t *testing.T) {
	batch, lines := incompressible(t, 3<<20)
	if n := totalBytes(batch); n < expectFrom {
		t.Fatalf("%d bytes", n)
	}
	eachTarget(t, func(t *testing.T, c *Client, _ Kind) {
		if r := c.WriteGzip(t.Context(), batch, lines); r.Class != OK {
			t.Errorf("%s %v", r.Class, r.Err)
		}
	})
	t.Run("too large for influxd 1.8.10", func(t *testing.T) {
		s := peers.Influxd18(t, peers.WithSetting("http.max-body-size", "2000000"))
		r := mustNew(t, Options{URL: s.URL, Database: s.Database}).WriteGzip(t.Context(), batch, lines)
		// It closes the connection on the body that it did not read: the reset may overtake its 413.
		if r.Class != TooLarge && (r.Class != Retry || !r.Suspect) {
			t.Errorf("%s %v", r.Class, r.Err)
		}
	})
	t.Run("too large for the embedded store", func(t *testing.T) {
		s := openStore(t, store.Options{Limits: store.Limits{BodyBytes: 2_000_000}})
		r := mustNew(t, Options{URL: s.URL(), Database: store.DefaultDatabase}).WriteGzip(t.Context(), batch, lines)
		if r.Class != TooLarge {
			t.Errorf("%s %v", r.Class, r.Err)
		}
	})
	t.Run("wrong token", func(t *testing.T) {
		s := peers.Influxd2(t)
		r := mustNew(t, Options{URL: s.URL, Org: s.Org, Bucket: s.Bucket, Token: "wrong"}).WriteGzip(t.Context(), batch, lines)
		if r.Class != Hold || r.Status != http.StatusUnauthorized {
			t.Errorf("%s %v", r.Class, r.Err)
		}
	})
}
