package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Influx is a running InfluxDB server with an empty database.
type Influx struct {
	*Process
	URL      string // http://127.0.0.1:port
	Version  string // as it reports itself: 1.8.10, v2.9.1
	Database string // kvarts; with InfluxDB 2 the bucket under its virtual mapping
	Token    string // as `Authorization: Token …` takes it; "" when the server asks for none
	Org      string // InfluxDB 2 only
	Bucket   string // InfluxDB 2: kvarts. 1.8 takes Database (or Database/policy) in its place
	Username string
	Password string
	DataDir  string
}

// influxOptions is what InfluxOptions change.
type influxOptions struct {
	auth      bool
	retention time.Duration
	settings  map[string]string
}

// InfluxOption changes how an InfluxDB server is started.
type InfluxOption func(*influxOptions)

// WithAuth makes InfluxDB 1.8 ask for a password. InfluxDB 2 always does.
func WithAuth() InfluxOption { return func(o *influxOptions) { o.auth = true } }

// WithRetention bounds how long the database keeps points; 1.8 accepts an hour or more.
func WithRetention(d time.Duration) InfluxOption {
	return func(o *influxOptions) { o.retention = d }
}

// WithSetting gives the server a setting of its own: for 1.8 "section.key" of its configuration file (e.g.
// "http.max-body-size"), for 2.x a flag without its dashes (e.g. "http-read-timeout").
func WithSetting(key, value string) InfluxOption {
	return func(o *influxOptions) { o.settings[key] = value }
}

// The names and secrets of every test server.
const (
	influxDatabase = "kvarts"
	influxUser     = "kvarts"
	influxPassword = "kvarts-test-password"
	influxToken    = "kvarts-test-token"
)

// Influxd18 starts InfluxDB 1.8.10 with the database kvarts. It asks for no password unless WithAuth is given: then
// Token is "user:password", which its /api/v2/write takes.
func Influxd18(tb testing.TB, options ...InfluxOption) *Influx {
	tb.Helper()
	o := applyInflux(options)
	bin := bring(tb, PeerInfluxd18)
	port := reservePort(tb)
	i := &Influx{
		Process: newProcess(tb, "influxd18"), URL: "http://" + loopback(port), Version: influxd18Version,
		Database: influxDatabase, DataDir: tb.TempDir(),
	}
	if o.auth {
		i.Username, i.Password, i.Token = influxUser, influxPassword, influxUser+":"+influxPassword
	}
	conf := filepath.Join(i.DataDir, "influxdb.conf")
	if err := os.WriteFile(conf, influxd18Config(i.DataDir, loopback(port), o), 0o644); err != nil {
		tb.Fatalf("write the configuration of influxd: %v", err)
	}
	i.command = func() *exec.Cmd { return exec.Command(filepath.Join(bin, "influxd"), "-config", conf) }
	i.ready = func(ctx context.Context) error { return i.get(ctx, "/ping", http.StatusNoContent) }
	i.mustStart()
	i.createDatabase18(o)
	return i
}

// influxd18Config writes the sections in which a test differs from the defaults; a setting given later replaces one.
func influxd18Config(dir, addr string, o influxOptions) []byte {
	settings := map[string]string{
		"reporting-disabled":            "true",
		"bind-address":                  `"127.0.0.1:0"`, // backup and restore, unused
		"meta.dir":                      strconv.Quote(filepath.Join(dir, "meta")),
		"data.dir":                      strconv.Quote(filepath.Join(dir, "data")),
		"data.wal-dir":                  strconv.Quote(filepath.Join(dir, "wal")),
		"data.query-log-enabled":        "false",
		"monitor.store-enabled":         "false",
		"http.bind-address":             strconv.Quote(addr),
		"http.auth-enabled":             strconv.FormatBool(o.auth),
		"http.log-enabled":              "false",
		"http.flux-enabled":             "false",
		"continuous_queries.enabled":    "false",
		"subscriber.enabled":            "false",
		"coordinator.query-timeout":     `"0s"`,
		"retention.check-interval":      `"30m"`,
		"shard-precreation.enabled":     "false",
		"http.max-row-limit":            "0",
		"http.pprof-enabled":            "false",
		"http.suppress-write-log":       "true",
		"logging.suppress-logo":         "true",
		"data.series-id-set-cache-size": "100",
	}
	for k, v := range o.settings {
		settings[k] = v
	}
	sections := map[string][]string{}
	for k, v := range settings {
		section, key, ok := strings.Cut(k, ".")
		if !ok {
			section, key = "", k
		}
		sections[section] = append(sections[section], key+" = "+v)
	}
	var b bytes.Buffer
	names := make([]string, 0, len(sections))
	for name := range sections {
		names = append(names, name)
	}
	slices.Sort(names) // the nameless one, which must stand first, sorts first
	for _, name := range names {
		if name != "" {
			fmt.Fprintf(&b, "\n[%s]\n", name)
		}
		slices.Sort(sections[name])
		b.WriteString(strings.Join(sections[name], "\n") + "\n")
	}
	return b.Bytes()
}

func (i *Influx) createDatabase18(o influxOptions) {
	i.tb.Helper()
	if o.auth { // the first user may be made without a password
		i.mustPost("/query", url.Values{"q": {fmt.Sprintf("CREATE USER %q WITH PASSWORD '%s' WITH ALL PRIVILEGES", influxUser, influxPassword)}})
	}
	q := fmt.Sprintf("CREATE DATABASE %q", i.Database)
	if o.retention > 0 {
		q += fmt.Sprintf(" WITH DURATION %ds", int64(o.retention/time.Second))
	}
	i.mustPost("/query", url.Values{"q": {q}})
}

// Influxd2 starts InfluxDB 2.9.1 and sets it up with an organisation, a bucket and a token. Its InfluxQL endpoint takes
// db=kvarts: every bucket has a virtual mapping of its own name.
func Influxd2(tb testing.TB, options ...InfluxOption) *Influx {
	tb.Helper()
	o := applyInflux(options)
	bin := bring(tb, PeerInfluxd2)
	port := reservePort(tb)
	i := &Influx{
		Process: newProcess(tb, "influxd2"), URL: "http://" + loopback(port), Version: influxd2Version,
		Database: influxDatabase, Org: "kvarts", Bucket: influxDatabase, Token: influxToken,
		Username: influxUser, Password: influxPassword, DataDir: tb.TempDir(),
	}
	args := []string{
		"--bolt-path", filepath.Join(i.DataDir, "influxd.bolt"),
		"--sqlite-path", filepath.Join(i.DataDir, "influxd.sqlite"),
		"--engine-path", filepath.Join(i.DataDir, "engine"),
		"--http-bind-address", loopback(port), "--reporting-disabled", "--ui-disabled", "--log-level", "info",
	}
	for k, v := range o.settings {
		args = append(args, "--"+k+"="+v)
	}
	i.command = func() *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, "influxd"), args...)
		cmd.Dir = i.DataDir
		return cmd
	}
	i.ready = func(ctx context.Context) error { return i.get(ctx, "/health", http.StatusOK) }
	i.mustStart()
	i.setup2(o)
	return i
}

func (i *Influx) setup2(o influxOptions) {
	i.tb.Helper()
	body, err := json.Marshal(map[string]any{
		"username": i.Username, "password": i.Password, "org": i.Org, "bucket": i.Bucket, "token": i.Token,
		"retentionPeriodSeconds": int64(o.retention / time.Second), // 0 = for ever
	})
	if err != nil {
		i.tb.Fatalf("encode set-up: %v", err)
	}
	if status, answer, err := i.post("/api/v2/setup", "application/json", bytes.NewReader(body)); err != nil || status != http.StatusCreated {
		i.tb.Fatalf("set up influxd2: %d %s %v", status, answer, err)
	}
}

func applyInflux(options []InfluxOption) influxOptions {
	o := influxOptions{settings: map[string]string{}}
	for _, f := range options {
		f(&o)
	}
	return o
}

func (i *Influx) mustStart() {
	i.tb.Helper()
	if err := i.start(); err != nil {
		i.tb.Fatalf("start: %v", err)
	}
}

// Query runs InfluxQL on the database and returns the JSON answer as it came, with times in nanoseconds.
func (i *Influx) Query(q string) string {
	i.tb.Helper()
	status, answer, err := i.post("/query", "application/x-www-form-urlencoded",
		strings.NewReader(url.Values{"q": {q}, "db": {i.Database}, "epoch": {"ns"}}.Encode()))
	if err != nil || status != http.StatusOK {
		i.tb.Errorf("query %s: %d %s %v", q, status, answer, err)
	}
	return answer
}

// Write posts line protocol with times in nanoseconds and returns the status and the text of the answer.
func (i *Influx) Write(lines string) (status int, answer string) {
	i.tb.Helper()
	bucket := i.Bucket
	if bucket == "" {
		bucket = i.Database
	}
	v := url.Values{"org": {i.Org}, "bucket": {bucket}, "precision": {"ns"}}
	status, answer, err := i.post("/api/v2/write?"+v.Encode(), "text/plain; charset=utf-8", strings.NewReader(lines))
	if err != nil {
		i.tb.Errorf("write: %v", err)
	}
	return status, answer
}

func (i *Influx) mustPost(path string, v url.Values) {
	i.tb.Helper()
	status, answer, err := i.post(path, "application/x-www-form-urlencoded", strings.NewReader(v.Encode()))
	if err != nil || status != http.StatusOK || strings.Contains(answer, `"error"`) {
		i.tb.Fatalf("set up %s: %d %s %v", i.name, status, answer, err)
	}
}

func (i *Influx) post(path, contentType string, body io.Reader) (int, string, error) {
	req, err := http.NewRequest(http.MethodPost, i.URL+path, body)
	if err != nil {
		return 0, "", fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	if i.Token != "" && path != "/api/v2/setup" {
		req.Header.Set("Authorization", "Token "+i.Token)
	}
	return i.do(req)
}

func (i *Influx) get(ctx context.Context, path string, want int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL+path, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	status, answer, err := i.do(req)
	if err == nil && status != want {
		err = fmt.Errorf("GET %s: %d %s", path, status, answer)
	}
	return err
}

// do sends one request on a connection of its own, so that no idle connection outlives a test.
func (i *Influx) do(req *http.Request) (int, string, error) {
	req.Close = true
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: readyWithin}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", i.name, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, string(text), fmt.Errorf("read the answer of %s: %w", i.name, err)
	}
	return res.StatusCode, string(text), nil
}
