package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/influx"
	"kvarts/historian/store"
)

// served is the factory's first two days in a store, as its URL.
func served(t *testing.T) string {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	factory.Fill(t, factory.Client(t, influx.Options{URL: s.URL(), Database: store.DefaultDatabase}), factory.Day(0, 2))
	return s.URL()
}

// captured is what f writes to a standard stream.
func captured(t *testing.T, stream **os.File, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	was := *stream
	*stream = w
	done := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r) // a broken pipe shows as missing text
		done <- b
	}()
	f()
	*stream = was
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return string(<-done)
}

// historian runs a command line and gives its exit code and what it printed.
func historian(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	out = captured(t, &os.Stdout, func() { code = run(t.Context(), args) })
	return code, out
}

func TestKPICommand(t *testing.T) {
	url := served(t)
	two := []string{"--url", url, "--from", "2026-11-02", "--to", "2026-11-04"}
	ask := func(args ...string) string {
		t.Helper()
		code, out := historian(t, append(append([]string{"kpi"}, args...), two...)...)
		if code != 0 {
			t.Fatalf("%q: exit %d, %s", args, code, out)
		}
		return out
	}
	table := ask("oee", "--each", "unit", "--each", "line", "--by", "shift")
	for _, part := range []string{"OEE of plant, 2026-11-02 08:00 to 2026-11-04 08:00 (Asia/Almaty, calendar two-shifts)", "unit ws02", "line L1",
		"2026-11-02 day", "together", " %", "Findings:", "counter_reset_assumed", "Model factory", "applied", "From 0 day and 0 hour slices and the raw data of 5 units and lines"} {
		if !strings.Contains(table, part) {
			t.Errorf("table lacks %q:\n%s", part, table)
		}
	}
	if code, _ := historian(t, "ledger", "--url", url, "--from", "2026-11-02", "--to", "2026-11-04"); code != 0 {
		t.Fatalf("ledger: exit %d", code)
	}
	figures := func(s string) string { s, _, _ = strings.Cut(s, "\nFindings"); return s }
	if again := ask("oee", "--each", "unit", "--each", "line", "--by", "shift"); figures(again) != figures(table) {
		t.Errorf("from slices:\n%s\nfrom raw data:\n%s", again, table)
	} else if strings.Contains(again, "From 0 day and 0 hour") {
		t.Errorf("no slices used:\n%s", again)
	}
	for kind, part := range map[string]string{"energy": "kWh/W", "losses": "1 broken", "states": "set-up"} {
		if out := ask(kind, "--chain"); !strings.Contains(out, part) {
			t.Errorf("%s lacks %q:\n%s", kind, part, out)
		}
	}
	if out := ask("oee", "--unit", "ws01", "--explain"); !strings.Contains(out, "day slice, revision 0") || !strings.Contains(out, "Timeline") || !strings.Contains(out, "Counters") {
		t.Errorf("explanation:\n%s", out)
	}
}

// Scripts read numbers, not words: the same in JSON and CSV.
func TestKPIForScripts(t *testing.T) {
	url := served(t)
	args := []string{"kpi", "oee", "--url", url, "--unit", "ws01", "--from", "2026-11-02", "--to", "2026-11-04", "--by", "day"}
	code, out := historian(t, append(args, "--json")...)
	var a struct {
		Window struct{ From time.Time }
		Rows   []struct {
			ID     string
			Part   string
			Values map[string]*float64
		}
		Totals []any
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if len(a.Rows) != 2 || len(a.Totals) != 1 || a.Rows[0].Values["OEE"] == nil || !a.Window.From.Equal(factory.Begin().Time()) {
		t.Fatalf("answer %+v", a)
	}
	code, out = historian(t, append(args, "--csv")...)
	rows, err := csv.NewReader(bytes.NewReader([]byte(out))).ReadAll()
	if err != nil || code != 0 || len(rows) != 4 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	for i, name := range rows[0] {
		if name == "OEE" && rows[1][i] == "" {
			t.Errorf("no OEE in %q", rows[1])
		}
	}
}

func TestKPIWithoutAnswer(t *testing.T) {
	url := served(t)
	for _, args := range [][]string{
		{"kpi", "oee", "--url", url, "--unit", "nobody"},
		{"kpi", "oee", "--url", url, "--from", "the other day"},
		{"kpi", "oee", "--url", url, "--unit", "ws01", "--plant"},
		{"kpi", "oee", "--url", "http://127.0.0.1:1"},
	} {
		if code, out := historian(t, args...); code == 0 || out != "" {
			t.Errorf("%q: exit %d, %s", args, code, out)
		}
	}
}

// The ledger is a service that ends with the first Ctrl-C, and cleanly.
func TestLedgerEndsOnCtrlC(t *testing.T) {
	url := served(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if code := run(ctx, []string{"ledger", "--url", url}); code != 0 {
		t.Errorf("exit %d", code)
	}
	if code := run(t.Context(), []string{"ledger", "--url", url, "--once"}); code != 0 {
		t.Errorf("one round: exit %d", code)
	}
	if code := run(t.Context(), []string{"ledger", "--url", "http://127.0.0.1:1", "--once"}); code != exitFailed {
		t.Errorf("without a store: exit %d", code)
	}
}

// serve --ledger keeps the ledger of its own store, also when that asks for tokens.
func TestServeKeepsTheLedger(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("reader read 0123456789abcdef0123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"--token-file", tokens}} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		code := 0
		log := captured(t, &os.Stderr, func() {
			code = run(ctx, append([]string{"serve", "--ledger", "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, more...))
		})
		cancel()
		if code != 0 || strings.Contains(log, `"error"`) {
			t.Errorf("%q: exit %d, %s", more, code, log)
		}
	}
}
