package status

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, v View, path string) (code int, body string, header http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(fixed(v)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String(), w.Header()
}

// words is the text of a page, its tags left out.
func words(html string) string {
	_, html, _ = strings.Cut(html, "<body>")
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " ")), " ")
}

func TestPage(t *testing.T) {
	_, well, header := get(t, healthy(), "/")
	_, bad, _ := get(t, troubled(), "/")
	_, paused, _ := get(t, healthy(), "/?pause")
	if got := header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %s", got)
	}
	if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	for _, c := range []struct {
		name, html string
		has, not   []string
	}{
		{"well", well, []string{"All well", "pullers collecting", "last value 400 ms ago", "tags 4 321 ok", "security Aes256Sha256RsaPss, SignAndEncrypt, user historian",
			"certificate 200 days left", "its clock 12 ms behind ours", "on disk 40.0 MiB of 20.0 GiB", "disk left 80.0 GiB", "→ plant delivering", "last success 300 ms ago", "waiting 2 blocks, 59.6 KiB, oldest 1.0 s ago",
			"Worker 4711 running", "Gaps of the last day none"}, []string{"to look at", "refused", "Configuration warnings"}},
		{"bad", bad, []string{"11 to look at", "server saws is not connected: connect to opc.tcp://saws.plant.example:4840: dial tcp 192.0.2.77:4840: i/o timeout", "buffer: save cursors: read-only file system",
			"save checkpoint of saws: no space left on device", "destination plant is 7 h 12 min behind",
			"destination head-office: unauthorized access — put a token", "server pullers refuses 3 of 4324 tags", "the certificate of server saws ended on 2026-11-23",
			"the clock of server saws is 2 min 3 s ahead of ours", "the disk has 300.0 MiB left", "our own certificate ends on 2026-12-13", "12 entries in quarantine",
			"saws not connected for 42 min", "refused tags, the first 2", "sampling asked 100ms, got 250ms (120 tags)", "→ head-office held", "error unauthorized access 18 s ago, since 26 h ago",
			"Gaps since the start 5 h ago", "saws / saw01", "session lost ? the server did not keep", "1 h buffer limit 1 204 332 limit of", "melt_temp_c: the server", "Configuration warnings collector.yaml:41:9"}, []string{"All well"}},
		{"paused", paused, []string{"go on"}, []string{"pause"}},
	} {
		text := words(c.html)
		for _, s := range c.has {
			if !strings.Contains(strings.ReplaceAll(text, "\u2009", " "), s) {
				t.Errorf("%s: lacks %q in\n%s", c.name, s, text)
			}
		}
		for _, s := range c.not {
			if strings.Contains(text, s) {
				t.Errorf("%s: has %q", c.name, s)
			}
		}
	}
	if !strings.Contains(well, `http-equiv="refresh"`) || strings.Contains(paused, `http-equiv="refresh"`) {
		t.Error("the page loads itself again exactly when it is not paused")
	}
	for _, external := range []string{"<script", "src=", "@import", "url(", "http-equiv=\"Content"} {
		if strings.Contains(well, external) {
			t.Errorf("the page has %s", external)
		}
	}
	if len(bad) > 40_000 {
		t.Errorf("the page has %d bytes", len(bad))
	}
}

// What a machine or a store says is shown as text, wherever it is shown.
func TestHostileTexts(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{.}}`
	v := troubled()
	v.Collector, v.Version, v.Warnings, v.Troubles = evil, evil, []string{evil}, []string{evil}
	v.Buffer.Trouble, v.Buffer.Failed = evil, evil
	for i := range v.Servers {
		s := &v.Servers[i]
		s.Server = fmt.Sprint(i, evil)
		s.Endpoint, s.Text, s.Policy, s.Mode, s.User, s.LastError, s.State = evil, evil, evil, evil, evil, evil, uasession.ConnState(evil)
		s.BadItems = []uasession.BadItem{{Tag: evil, Reason: evil, Group: evil}}
		s.Deviations = []uasession.Deviation{{Group: evil, What: evil, Asked: evil, Got: evil}}
		s.Findings = []uasession.Finding{{Tag: evil, Text: evil}}
	}
	for i := range v.Destinations {
		d := &v.Destinations[i]
		d.Name, d.URL, d.Server.Version = fmt.Sprint(i, evil), evil, evil
		if d.Failure != nil {
			d.Failure.Message, d.Failure.Remedy = evil, evil
		}
	}
	v.Workers[0].Servers, v.Workers[0].LastError = []string{evil}, evil
	v.Gaps = []telemetry.Gap{{Server: evil, Group: evil, Signal: evil, Cause: evil, Detail: evil, Closed: evil}}
	code, html, _ := get(t, v, "/")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, html)
	}
	for _, bad := range []string{"<script", "<img", `"'>`} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if !strings.Contains(html, "&lt;script&gt;") {
		t.Error("the text is not shown at all")
	}
	if code, text, _ := get(t, v, "/metrics"); code != http.StatusOK {
		t.Errorf("metrics: %d %.300s", code, text)
	}
}

func TestReadiness(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(v *View)
		want   string // "" ready
	}{
		{"well", func(*View) {}, ""},
		{"a store is away", func(v *View) { v.Destinations[0].Condition = "held" }, ""},
		{"server away", func(v *View) { v.Servers[0].Connected, v.Servers[0].LastError = false, "no route" }, "server pullers is not connected: no route"},
		{"worker down", func(v *View) { v.Workers[0].Running = false }, "the worker of pullers is not running"},
		{"disk full", func(v *View) { v.Buffer.DiskFull = true }, "disk is full"},
		{"buffer failed", func(v *View) { v.Buffer.Failed = "fsync: EIO" }, "buffer has failed: fsync: EIO"},
	} {
		v := healthy()
		c.change(&v)
		code, body, _ := get(t, v, "/readyz")
		if (code == http.StatusOK) != (c.want == "") || c.want == "" && body != "ok\n" || !strings.Contains(body, c.want) || code != http.StatusOK && code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %q", c.name, code, body)
		}
		if code, _, _ := get(t, v, "/healthz"); code != http.StatusOK {
			t.Errorf("%s: health %d", c.name, code)
		}
	}
}

func TestHandlerOnlyReads(t *testing.T) {
	h := Handler(fixed(healthy()))
	for _, c := range []struct {
		method, path string
		want         int
	}{{"POST", "/", 405}, {"PUT", "/status.json", 405}, {"DELETE", "/metrics", 405}, {"GET", "/x", 404}, {"GET", "/../etc/passwd", 307}, {"HEAD", "/", 200}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.want {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
	}
}

func TestJSON(t *testing.T) {
	want := troubled()
	_, body, _ := get(t, want, "/status.json")
	var got View
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Servers[1].LastError != want.Servers[1].LastError || len(got.Gaps) != 3 || got.Destinations[1].Failure.Remedy == "" || !got.Started.Equal(want.Started) {
		t.Errorf("%+v", got)
	}
}

// documented reads the table of README.md: metric → meaning.
func documented(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open("README.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if m := regexp.MustCompile("^\\| `(kvarts_[a-z_]+)` \\| (.+) \\| (.*) \\|$").FindStringSubmatch(sc.Text()); m != nil {
			out[m[1]] = m[2] + "|" + m[3]
		}
	}
	return out
}

// Each metric stands in README.md with its meaning and labels, and nothing else does; names follow Prometheus' rules.
func TestMetricsAreDocumented(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(newMetrics(fixed(troubled()))); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		got[f.GetName()] = f.GetHelp() + "|" + strings.Join(labels, ", ")
	}
	if d := cmp.Diff(got, documented(t)); d != "" {
		t.Errorf("README.md (+) differs from the metrics (-):\n%s", d)
		table := ""
		for _, n := range slices.Sorted(maps.Keys(got)) {
			help, labels, _ := strings.Cut(got[n], "|")
			table += fmt.Sprintf("| `%s` | %s | %s |\n", n, help, labels)
		}
		t.Logf("the table as it should be:\n%s", table)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestMetricsValues(t *testing.T) {
	_, text, _ := get(t, troubled(), "/metrics")
	for _, line := range []string{
		`kvarts_collector_samples_total 1.23456789e+09`, `kvarts_collector_server_connected{server="saws"} 0`, `kvarts_collector_server_last_value_age_seconds{server="saws"} 2520`,
		`kvarts_collector_server_clock_offset_seconds{server="pullers"} -0.012`, `kvarts_collector_destination_held{destination="head-office"} 1`,
		`kvarts_collector_destination_oldest_seconds{destination="head-office"} 93600`, `kvarts_collector_destination_answers_total{class="hold",destination="head-office"} 40`,
		`kvarts_collector_worker_running{server="pullers"} 1`, `kvarts_collector_build_info{version="v0.1.0"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("lacks %s", line)
		}
	}
}

func TestHuman(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 ms", 999 * time.Millisecond: "999 ms", 9990 * time.Millisecond: "9.9 s", 59900 * time.Millisecond: "59 s", time.Minute: "1 min",
		61 * time.Second: "1 min 1 s", 3 * time.Hour: "3 h", 47*time.Hour + 59*time.Minute: "47 h 59 min", 49 * time.Hour: "2 days", -time.Second: "-1.0 s"} {
		if got := human(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 40: "1.0 TiB", 5 << 50: "5120.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1\u2009000", -1234567: "-1\u2009234\u2009567", -100: "-100"} {
		if got := count(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// The listener ends with its context, also while somebody holds a connection open without saying anything; a second one
// on the same address is told so.
func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := Serve(t.Context(), addr, fixed(healthy())); err == nil || !strings.Contains(err.Error(), "status.listen") {
		t.Errorf("on a used address: %v", err)
	}
	ln.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, addr, fixed(healthy())) }()
	var conn net.Conn
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if conn, err = net.Dial("tcp", addr); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(stopGrace + 5*time.Second):
		t.Fatal("it serves on")
	}
}

// A client that sends its header slowly is cut off.
func TestSlowHeader(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = newServer(fixed(healthy()))
	srv.Config.ReadHeaderTimeout = 50 * time.Millisecond
	srv.Start()
	defer srv.Close()
	if s := newServer(fixed(healthy())); s.ReadHeaderTimeout != headerTimeout || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.ReadTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("a limit is missing: %+v", s)
	}
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || strings.Contains(string(answer), "200 OK") {
		t.Errorf("%q, %v", answer, err)
	}
}
