package store_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/store"
)

// everything is a query that shows all points of a database.
const everything = "SELECT * FROM /.*/"

// TestRealServerReadsOurDirectory starts influxd on a directory this store wrote, with points in TSM files and in the log.
func TestRealServerReadsOurDirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir, Engine: store.Engine{SnapshotBytes: 1 << 10}})
	write(t, s.URL(), lines(2000, 1_700_000_000_000_000_000))
	eventually(t, "a TSM file", func() bool {
		files, err := filepath.Glob(filepath.Join(dir, "data", "kvarts", "autogen", "*", "*.tsm"))
		return err == nil && len(files) > 0
	})
	write(t, s.URL(), "late,unit=x f=1.5,i=9007199254740993i,s=\"text\",b=true 1700000000000000000")
	want := q(everything, "epoch", "ns").send(t, s.URL())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	real := peers.Influxd18(t,
		peers.WithSetting("meta.dir", strconv.Quote(filepath.Join(dir, "meta"))),
		peers.WithSetting("data.dir", strconv.Quote(filepath.Join(dir, "data"))),
		peers.WithSetting("data.wal-dir", strconv.Quote(filepath.Join(dir, "wal"))))
	got := q(everything, "epoch", "ns").send(t, real.URL)
	if d := cmp.Diff(want.Body, got.Body); d != "" || !strings.Contains(got.Body, "9007199254740993") {
		t.Errorf("this store (-) and influxd (+) on its directory differ:\n%s", d)
	}
}

// TestWeReadARealDirectory opens the directory of an influxd that was killed, with either of its indexes.
func TestWeReadARealDirectory(t *testing.T) {
	for _, index := range []string{"inmem", "tsi1"} {
		t.Run(index, func(t *testing.T) {
			real := peers.Influxd18(t, peers.WithSetting("data.index-version", strconv.Quote(index)))
			write(t, real.URL, lines(500, 1_700_000_000_000_000_000))
			want := q(everything, "epoch", "ns").send(t, real.URL)
			http.DefaultClient.CloseIdleConnections()
			real.Kill()
			s := open(t, store.Options{Dir: real.DataDir})
			got := q(everything, "epoch", "ns").send(t, s.URL())
			if d := cmp.Diff(want.Body, got.Body); d != "" || !strings.Contains(got.Body, "u3") {
				t.Errorf("influxd (-) and this store (+) on its directory differ:\n%s", d)
			}
			write(t, s.URL(), lines(5, 1_700_000_000_000_001_000))
			if n := count(t, s.URL()); n != 505 {
				t.Errorf("%d points, want 505", n)
			}
		})
	}
}

// TestClientLibrary uses influxdb-client-go v2 as its documentation tells users of 1.8.
func TestClientLibrary(t *testing.T) {
	const secret = "client-library-secret"
	s := open(t, store.Options{Tokens: []store.Token{{Name: "client", Secret: secret}}})
	for _, token := range []string{secret, "anyone:" + secret} {
		c := influxdb2.NewClient(s.URL(), token)
		ctx := context.Background()
		if ok, err := c.Ping(ctx); !ok || err != nil {
			t.Errorf("ping: %v %v", ok, err)
		}
		if h, err := c.Health(ctx); err != nil || h.Status != "pass" {
			t.Errorf("health: %v %v", h, err)
		}
		w := c.WriteAPIBlocking("", "kvarts/autogen")
		p := influxdb2.NewPoint("m", map[string]string{"unit": "p1"}, map[string]any{"v": 81.5}, time.Unix(1_700_000_000, 0))
		if err := w.WritePoint(ctx, p); err != nil {
			t.Errorf("write: %v", err)
		}
		if err := w.WriteRecord(ctx, "m,unit=p1 v=\"text\" 1700000001000000000"); err == nil || !strings.Contains(err.Error(), "field type conflict") {
			t.Errorf("write of another type: %v", err)
		}
		err := c.HTTPService().DoPostRequest(ctx, s.URL()+"/api/v2/write?bucket=kvarts", strings.NewReader(zipped("m,unit=p2 v=1 1700000002000000000\n", "m,unit=p2 v=2 1700000003000000000\n")),
			func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, nil)
		if err != nil {
			t.Errorf("post of gzip members: %v", err)
		}
		var body []byte
		get, readErr := http.NewRequest(http.MethodGet, s.URL()+"/query?db=kvarts&epoch=ms&q="+url.QueryEscape("SELECT count(v) FROM m"), nil)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err := c.HTTPService().DoHTTPRequest(get, nil, func(r *http.Response) error {
			body, readErr = io.ReadAll(r.Body)
			return r.Body.Close()
		}); err != nil || readErr != nil || !strings.Contains(string(body), "[0,3]") {
			t.Errorf("query: %s %v %v", body, err, readErr)
		}
		c.Close()
	}
}

// TestGrafana sends what Grafana's own InfluxDB data source (InfluxQL) sends: health check, variable and field lists,
// and a panel's query, by GET and as a POST form, with basic authentication whose password is a token.
func TestGrafana(t *testing.T) {
	const secret = "grafana-reads-with-this"
	s := open(t, store.Options{Tokens: []store.Token{{Name: "w", Secret: "writer-writes-with-this"}, {Name: "grafana", Secret: secret, ReadOnly: true}}})
	r := request{path: "/write?db=kvarts&precision=s&u=any&p=writer-writes-with-this",
		body: "cz_puller,site=a,unit=p1 heater_kw=80,on=true 1700000000\ncz_puller,site=a,unit=p1 heater_kw=90 1700000030\ncz_puller,site=a,unit=p2 heater_kw=70 1700000090"}
	if a := r.send(t, s.URL()); a.Status != http.StatusNoContent {
		t.Fatalf("write: %+v", a)
	}
	panel := `SELECT mean("heater_kw") FROM "cz_puller" WHERE ("unit"::tag =~ /^(p1|p2)$/) AND time >= 1700000000000ms and time <= 1700000120000ms GROUP BY time(1m), "unit"::tag fill(null)`
	for _, c := range []struct{ query, want string }{
		{"SHOW DATABASES", `[["kvarts"]]`},
		{"SHOW RETENTION POLICIES on \"kvarts\"", `["autogen","0s","168h0m0s",1,true]`},
		{"SHOW MEASUREMENTS LIMIT 100", `[["cz_puller"]]`},
		{`SHOW TAG KEYS FROM "cz_puller"`, `[["site"],["unit"]]`},
		{`SHOW TAG VALUES FROM "cz_puller" WITH KEY = "unit" WHERE "site" = 'a'`, `[["unit","p1"],["unit","p2"]]`},
		{`SHOW TAG VALUES FROM "cz_puller" WITH KEY = "unit" WHERE time >= 1700000060000ms`, `[["unit","p1"],["unit","p2"]]`},
		{`SHOW FIELD KEYS FROM "cz_puller"`, `[["heater_kw","float"],["on","boolean"]]`},
		{panel, `"tags":{"unit":"p1"},"values":[[1699999980000,85],[1700000040000,null],[1700000100000,null]]`},
	} {
		params := url.Values{"db": {"kvarts"}, "epoch": {"ms"}, "q": {c.query}}
		get := request{path: "/query?" + params.Encode()}.basic("grafana", secret)
		post := request{method: "POST", path: "/query?db=kvarts&epoch=ms", form: url.Values{"q": {c.query}}}.basic("grafana", secret)
		for _, r := range []request{get, post} {
			a := r.send(t, s.URL())
			if a.Status != http.StatusOK || !strings.Contains(compact(t, a.Body), c.want) {
				t.Errorf("%s %s: %d %s", r.method, c.query, a.Status, a.Body)
			}
		}
	}
}

func compact(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
