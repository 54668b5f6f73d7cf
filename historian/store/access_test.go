package store_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvarts/historian/store"
)

func (q request) basic(user, password string) request {
	return q.with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

const (
	writeSecret = "secret-that-may-write"
	readSecret  = "secret-that-may-read"
)

var twoTokens = []store.Token{{Name: "collector", Secret: writeSecret}, {Name: "panel", Secret: readSecret, ReadOnly: true}}

func TestTokenSpellings(t *testing.T) {
	s := open(t, store.Options{Tokens: twoTokens})
	get := q("SHOW DATABASES")
	for name, c := range map[string]struct {
		request
		want int
	}{
		"none":                 {get, 401},
		"token":                {get.with("Authorization", "Token "+readSecret), 200},
		"token with user":      {get.with("Authorization", "Token me:"+readSecret), 200},
		"bearer":               {get.with("Authorization", "Bearer "+readSecret), 200},
		"bearer in small":      {get.with("Authorization", "bearer "+readSecret), 200},
		"basic":                {get.basic("me", readSecret), 200},
		"basic without user":   {get.basic("", readSecret), 200},
		"parameters":           {request{path: get.path + "&u=me&p=" + readSecret}, 200},
		"parameter alone":      {request{path: get.path + "&p=" + readSecret}, 200},
		"wrong token":          {get.with("Authorization", "Token wrong"), 401},
		"prefix of a token":    {get.with("Authorization", "Token "+readSecret[:8]), 401},
		"wrong bearer":         {get.with("Authorization", "Bearer a.b.c"), 401},
		"wrong basic":          {get.basic("collector", "wrong"), 401},
		"name as secret":       {get.basic("collector", "collector"), 401},
		"unknown scheme":       {get.with("Authorization", "Digest x"), 401},
		"write without":        {w("m v=1 1"), 401},
		"write with read":      {w("m v=1 1").with("Authorization", "Token "+readSecret), 403},
		"write with write":     {w("m v=1 1").with("Authorization", "Token "+writeSecret), 204},
		"ping needs none":      {request{path: "/ping"}, 204},
		"health needs none":    {request{path: "/health"}, 200},
		"health by HEAD":       {request{method: "HEAD", path: "/health"}, 200},
		"debug is off":         {request{path: "/debug/vars"}.with("Authorization", "Token "+writeSecret), 404},
		"profiles are off":     {request{path: "/debug/pprof/heap"}.with("Authorization", "Token "+writeSecret), 404},
		"requests are off":     {request{path: "/debug/requests"}.with("Authorization", "Token "+writeSecret), 404},
		"remote write is off":  {request{path: "/api/v1/prom/write?db=kvarts", body: "x"}.with("Authorization", "Token "+writeSecret), 404},
		"remote read is off":   {request{path: "/api/v1/prom/read?db=kvarts", body: "x"}.with("Authorization", "Token "+writeSecret), 404},
		"large without token":  {w(strings.Repeat("x", 1<<20)), 401},
		"foreign page, tokens": {get.with("Authorization", "Token "+readSecret).with("Origin", "http://grafana.plant"), 200},
	} {
		if a := c.send(t, s.URL()); a.Status != c.want {
			t.Errorf("%s: %d %s, want %d", name, a.Status, a.Body, c.want)
		}
	}
}

// TestReadOnlyToken runs a statement of every kind with a token that may only read.
func TestReadOnlyToken(t *testing.T) {
	s := open(t, store.Options{Tokens: twoTokens})
	if a := w("m,unit=x v=1 1700000000000000000").with("Authorization", "Token "+writeSecret).send(t, s.URL()); a.Status != 204 {
		t.Fatal(a)
	}
	for want, statements := range map[int][]string{
		http.StatusOK: {
			"SELECT * FROM m", "SELECT mean(v) FROM (SELECT v FROM m)", "EXPLAIN SELECT v FROM m", "EXPLAIN ANALYZE SELECT v FROM m",
			"SHOW DATABASES", "SHOW MEASUREMENTS", "SHOW SERIES", "SHOW TAG KEYS", "SHOW TAG VALUES WITH KEY = unit", "SHOW FIELD KEYS", "SHOW RETENTION POLICIES",
			"SHOW SHARDS", "SHOW SHARD GROUPS", "SHOW STATS", "SHOW DIAGNOSTICS", "SHOW QUERIES", "SHOW CONTINUOUS QUERIES", "SHOW SUBSCRIPTIONS", "SHOW USERS",
			"SHOW SERIES CARDINALITY", "SHOW MEASUREMENT CARDINALITY", "SHOW FIELD KEY CARDINALITY", "SHOW TAG KEY CARDINALITY", "SHOW TAG VALUES CARDINALITY WITH KEY = unit",
		},
		http.StatusForbidden: {
			"SELECT v INTO copy FROM m", "SELECT v FROM m; DROP DATABASE kvarts", "EXPLAIN SELECT v INTO copy FROM m", "DROP DATABASE kvarts", "CREATE DATABASE x",
			"DROP MEASUREMENT m", "DROP SERIES FROM m", "DELETE FROM m", "DROP SHARD 1", "ALTER RETENTION POLICY autogen ON kvarts DURATION 1h",
			"CREATE RETENTION POLICY p ON kvarts DURATION 1h REPLICATION 1", "DROP RETENTION POLICY autogen ON kvarts", "KILL QUERY 1",
			"CREATE USER u WITH PASSWORD 'p'", "DROP USER u", "GRANT ALL TO u", "GRANT READ ON kvarts TO u", "REVOKE ALL FROM u", "REVOKE READ ON kvarts FROM u", "SET PASSWORD FOR u = 'x'",
			"CREATE CONTINUOUS QUERY c ON kvarts BEGIN SELECT mean(v) INTO c FROM m GROUP BY time(1h) END", "DROP CONTINUOUS QUERY c ON kvarts",
			"CREATE SUBSCRIPTION s ON kvarts.autogen DESTINATIONS ALL 'http://x'", "DROP SUBSCRIPTION s ON kvarts.autogen",
		},
	} {
		for _, text := range statements {
			for _, r := range []request{q(text), {path: "/query", form: url.Values{"db": {"kvarts"}, "q": {text}}}} {
				a := r.with("Authorization", "Token "+readSecret).send(t, s.URL())
				if a.Status != want || want == http.StatusOK && strings.Contains(a.Body, `"error"`) {
					t.Errorf("%s: %d %s, want %d", text, a.Status, a.Body, want)
				}
			}
		}
	}
	if a := q("SELECT count(v) FROM m").with("Authorization", "Token "+readSecret).send(t, s.URL()); !strings.Contains(a.Body, `,1]]`) {
		t.Errorf("after all refusals: %s", a.Body)
	}
}

// TestSilentLies runs the statements that influxd accepts and this store could not keep its word on.
func TestSilentLies(t *testing.T) {
	s := open(t, store.Options{})
	for _, text := range []string{
		"CREATE CONTINUOUS QUERY c ON kvarts BEGIN SELECT mean(v) INTO c FROM m GROUP BY time(1h) END",
		"CREATE SUBSCRIPTION s ON kvarts.autogen DESTINATIONS ALL 'http://127.0.0.1:1'", "CREATE USER u WITH PASSWORD 'p' WITH ALL PRIVILEGES", "GRANT ALL TO u",
	} {
		if a := (request{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {text}}}).send(t, s.URL()); !strings.Contains(a.Body, "not supported by this store") {
			t.Errorf("%s: %s", text, a.Body)
		}
	}
}

// TestForeignPage plays a web page in a browser on the store's own machine, which a store without tokens must not serve.
func TestForeignPage(t *testing.T) {
	s := open(t, store.Options{})
	get := q("DROP DATABASE kvarts")
	host := strings.TrimPrefix(s.URL(), "http://")
	for name, c := range map[string]struct {
		request
		want int
	}{
		"fetch":             {get.with("Origin", "https://evil.example"), 403},
		"sandboxed frame":   {get.with("Origin", "null"), 403},
		"image":             {get.with("Sec-Fetch-Site", "cross-site"), 403},
		"other local port":  {q("SHOW DATABASES").with("Sec-Fetch-Site", "same-site"), 403},
		"own page":          {q("SHOW DATABASES").with("Origin", "http://"+host).with("Sec-Fetch-Site", "same-origin"), 200},
		"typed by a person": {q("SHOW DATABASES").with("Sec-Fetch-Site", "none"), 200},
	} {
		if a := c.send(t, s.URL()); a.Status != c.want {
			t.Errorf("%s: %d %s, want %d", name, a.Status, a.Body, c.want)
		}
	}
	r, err := http.NewRequest(http.MethodGet, s.URL()+get.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example:8086"
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("rebound name: %d %v", res.StatusCode, err)
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	save := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"":                               "holds no token",
		"# only a comment\n":             "holds no token",
		"a write\n":                      "line 1: has 2 words",
		"\n\na admin 0123456789abcdef\n": `line 3: "a" grants "admin"`,
		"a write short\n":                "at least 16",
		"a write 0123456789abcdef\na read 0123456789abcdeg\n": "used twice",
		"a write 0123456789abcdef\nb read 0123456789abcdef\n": "same secret",
		"a write 01234567:9abcdef\n":                          "colon",
	} {
		save(text, 0o600)
		_, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0", TokenFile: path})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%q: %v, want %q and no secret", text, err, want)
		}
	}
	save("a write 0123456789abcdef\n", 0o644)
	if _, err := store.Open(context.Background(), store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0", TokenFile: path}); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("world-readable: %v", err)
	}

	save("# plant\na write 0123456789abcdef\n", 0o600)
	s := open(t, store.Options{Addr: "0.0.0.0:0", TokenFile: path})
	show := func(secret string) int {
		return q("SHOW DATABASES").with("Authorization", "Token "+secret).send(t, s.URL()).Status
	}
	if show("0123456789abcdef") != 200 {
		t.Error("token of the file is refused")
	}
	save("a write rotated-to-this-one\n", 0o600)
	if err := s.ReloadTokens(); err != nil || show("0123456789abcdef") != 401 || show("rotated-to-this-one") != 200 {
		t.Errorf("after rotation: %v %d %d", err, show("0123456789abcdef"), show("rotated-to-this-one"))
	}
	save("broken", 0o600)
	if err := s.ReloadTokens(); err == nil || show("rotated-to-this-one") != 200 {
		t.Errorf("a broken file must change nothing: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir})
	for name, c := range map[string]struct {
		o    store.Options
		want string
	}{
		"no directory":        {store.Options{}, "directory is empty"},
		"bad address":         {store.Options{Dir: "x", Addr: "8086"}, "host:port"},
		"path as database":    {store.Options{Dir: "x", Database: "../x"}, "path separator"},
		"short retention":     {store.Options{Dir: "x", Retention: 1}, "at least 1h"},
		"short shards":        {store.Options{Dir: "x", ShardDuration: 1}, "at least 1h"},
		"shard over policy":   {store.Options{Dir: "x", Retention: 2e13, ShardDuration: 4e13}, "longer than the retention"},
		"half a certificate":  {store.Options{Dir: "x", CertFile: "x"}, "both files or none"},
		"missing certificate": {store.Options{Dir: "x", CertFile: "x", KeyFile: "y"}, "load certificate x"},
		"open to the network": {store.Options{Dir: t.TempDir(), Addr: "0.0.0.0:0"}, "name a token file"},
		"address in use":      {store.Options{Dir: t.TempDir(), Addr: strings.TrimPrefix(s.URL(), "http://")}, "listen on"},
		"directory in use":    {store.Options{Dir: dir, Addr: "127.0.0.1:0"}, store.ErrLocked.Error()},
		"missing token file":  {store.Options{Dir: t.TempDir(), TokenFile: "missing"}, "read token file"},
	} {
		_, err := store.Open(context.Background(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := store.Open(context.Background(), store.Options{Dir: dir, Addr: "127.0.0.1:0"}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second store: %v, want ErrLocked", err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := store.Open(canceled, store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
