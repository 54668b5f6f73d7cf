package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
)

func testGuard(t *testing.T, next http.HandlerFunc, l Limits, lg *zap.Logger) *guard {
	t.Helper()
	tk, err := loadTokens(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newGuard(next, tk, l.withDefaults(), lg)
}

func localRequest(method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8086"
	return r
}

func TestPanicStaysInRequest(t *testing.T) {
	var out bytes.Buffer
	g := testGuard(t, func(http.ResponseWriter, *http.Request) { panic("broken\nhandler") }, Limits{}, newEngineLogger(zerolog.New(&out)))
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, localRequest("GET", "/ping"))
	if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), "internal error") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	var entry map[string]any
	if err := json.Unmarshal(out.Bytes(), &entry); err != nil || entry["panic"] != "broken\nhandler" || !strings.Contains(entry["stack"].(string), "guard_internal_test") {
		t.Errorf("log: %s %v", out.Bytes(), err)
	}
	// A panicking request gives its slot back.
	g = testGuard(t, func(http.ResponseWriter, *http.Request) { panic("again") }, Limits{ConcurrentQueries: 1, QueueTimeout: time.Millisecond}, zap.NewNop())
	for range 3 {
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, localRequest("GET", "/query?q=SHOW+DATABASES"))
		if rec.Code != http.StatusInternalServerError {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside, leave := make(chan struct{}), make(chan struct{})
		g := testGuard(t, func(http.ResponseWriter, *http.Request) { inside <- struct{}{}; <-leave }, Limits{ConcurrentQueries: 2, QueueTimeout: 30 * time.Second}, zap.NewNop())
		var running sync.WaitGroup
		for range 2 {
			running.Go(func() { g.ServeHTTP(httptest.NewRecorder(), localRequest("GET", "/query?q=x")) })
			<-inside
		}
		start := time.Now()
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, localRequest("GET", "/query?q=x"))
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || time.Since(start) != 30*time.Second {
			t.Errorf("third query: %d after %v", rec.Code, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		rec = httptest.NewRecorder()
		g.ServeHTTP(rec, localRequest("GET", "/query?q=x").WithContext(ctx))
		if rec.Code != http.StatusServiceUnavailable || time.Since(start) != 30*time.Second {
			t.Errorf("a client that left: %d after %v", rec.Code, time.Since(start))
		}
		running.Go(func() { g.ServeHTTP(httptest.NewRecorder(), localRequest("GET", "/query?q=x")) })
		synctest.Wait()
		leave <- struct{}{}
		<-inside // the one that waited
		leave <- struct{}{}
		leave <- struct{}{}
		running.Wait()
	})
}

func TestUnlimitedSlots(t *testing.T) {
	s := newSlots(-1)
	for range 100 {
		if err := s.enter(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	s.leave()
}

// TestLogBridge: the engine reports a shard it cannot open at Info, with the error as a field.
func TestLogBridge(t *testing.T) {
	var out bytes.Buffer
	lg := newEngineLogger(zerolog.New(&out)).With(zap.String("service", "store"))
	for _, c := range []struct {
		log         func()
		level, text string
	}{
		{func() { lg.Info("Opened shard") }, "", ""},
		{func() { lg.Debug("detail", zap.Error(errors.New("x"))) }, "", ""},
		{func() { lg.Info("Failed to open shard", zap.Error(errors.New("bad magic"))) }, "warn", "bad magic"},
		{func() { lg.Warn("slow") }, "warn", "store"},
		{func() { lg.Error("broken") }, "error", "store"},
		{func() { _, _ = logWriter{lg.Warn, "HTTP server"}.Write([]byte("tls: bad\n")) }, "warn", "tls: bad"},
	} {
		out.Reset()
		c.log()
		got := out.String()
		if c.level == "" && got != "" || c.level != "" && (!strings.Contains(got, `"level":"`+c.level+`"`) || !strings.Contains(got, c.text)) {
			t.Errorf("logged %q, want level %q with %q", got, c.level, c.text)
		}
	}
	newEngineLogger(zerolog.Logger{}).Error("nobody listens") // must not panic
}

func TestLoopbackHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8086": true, "127.0.0.1:8086": true, "127.8.9.1": true, "[::1]:8086": true, "[::1]": true, "": true,
		"evil.example": false, "evil.example:8086": false, "192.168.0.1:8086": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "[fe80::1]:8086": false,
	} {
		if got := loopbackHost(host); got != want {
			t.Errorf("loopbackHost(%q) = %v", host, got)
		}
	}
}

func TestCheckQuery(t *testing.T) {
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"panel", `SELECT mean("v") FROM "m" WHERE "unit" =~ /^(a|b|c)$/ AND time > now() - 1h GROUP BY time(1m) fill(null)`, true},
		{"many units", "SELECT v FROM m WHERE unit='x'" + strings.Repeat(" OR unit='1'", 5000), true},
		{"words that hold and, or", strings.Repeat(`"order_android_band"`, 20_001), true},
		{"empty", "", true},
		{"parentheses at limit", strings.Repeat("()", maxParentheses), true},
		{"parentheses", strings.Repeat("()", maxParentheses+1), false},
		{"operators at limit", strings.Repeat("+", maxOperators), true},
		{"operators", strings.Repeat("+", maxOperators+1), false},
		{"or", strings.Repeat(`"a"Or`, maxOperators+1), false},
		{"and", strings.Repeat(`1 aND `, maxOperators+1), false},
		{"statements", strings.Repeat(";", maxStatements), false},
	} {
		if err := checkQuery(c.text); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
