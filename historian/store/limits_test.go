package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kvarts/historian/store"
)

func TestLargeBodies(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{BodyBytes: 100_000, QueryBytes: 10_000}})
	line := "m v=1 1700000000000000000\n"
	big := strings.Repeat(line, 5000)
	fits := strings.Repeat(line, 3000)
	for name, c := range map[string]struct {
		request
		want int
	}{
		"just fits":          {w(fits), 204},
		"too large":          {w(big), 413},
		"too large over v1":  {request{path: "/write?db=kvarts", body: big}, 413},
		"gzip that fits":     {w(zipped(fits)).with("Content-Encoding", "gzip"), 204},
		"gzip bomb":          {w(zipped(big)).with("Content-Encoding", "gzip"), 413},
		"bomb in members":    {w(zipped(fits, fits)).with("Content-Encoding", "gzip"), 413},
		"query in form":      {request{path: "/query", form: url.Values{"q": {strings.Repeat("x", 20_000)}}}, 413},
		"query in address":   {q(strings.Repeat("x", 20_000)), 413},
		"query as file":      {request{path: "/query", body: strings.Repeat("x", 20_000), header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}}, 413},
		"parameters in form": {request{path: "/query", form: url.Values{"q": {"SHOW DATABASES"}, "params": {strings.Repeat("x", 20_000)}}}, 413},
	} {
		if a := c.send(t, s.URL()); a.Status != c.want {
			t.Errorf("%s: %d %.100s, want %d", name, a.Status, a.Body, c.want)
		}
	}
	// Without an announced length the limit is met while reading.
	r, err := http.NewRequest(http.MethodPost, s.URL()+"/api/v2/write?bucket=kvarts", io.MultiReader(strings.NewReader(big)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked body: %d %v", res.StatusCode, err)
	}
	if n := len(values(t, s.URL(), "SELECT v FROM m")); n != 1 {
		t.Errorf("%d points, want the 1 that fits", n)
	}
}

// TestSlowClients sends a request byte by byte, or not to its end: the connection is closed, others are served.
func TestSlowClients(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{HeaderTimeout: 300 * time.Millisecond, ReadTimeout: 600 * time.Millisecond, ConcurrentWrites: 1}})
	for name, start := range map[string]string{
		"header": "POST /api/v2/write?bucket=kvarts HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"body":   "POST /api/v2/write?bucket=kvarts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
		"chunks": "POST /api/v2/write?bucket=kvarts HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
		"form":   "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\nq=",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		var dripping sync.WaitGroup
		stop := make(chan struct{})
		dripping.Go(func() {
			if _, err := io.WriteString(conn, start); err != nil {
				return
			}
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					if _, err := io.WriteString(conn, "1"); err != nil {
						return
					}
				}
			}
		})
		write(t, s.URL(), "m v=1 1") // the only slot for writes is not held by the slow one
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, conn) // returns at the end of the connection
		if e := (net.Error)(nil); errors.As(err, &e) && e.Timeout() {
			t.Errorf("slow %s: connection still open", name)
		}
		close(stop)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		dripping.Wait()
	}
}

func TestConnectionLimit(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{Connections: 4}})
	addr := strings.TrimPrefix(s.URL(), "http://")
	var held []net.Conn
	for range 4 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		if _, err := fmt.Fprint(c, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("connection within the limit: %v", err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatalf("connection within the limit: status %d, %v", res.StatusCode, err)
		}
	}
	if _, err := (request{path: "/ping"}).try(s.URL()); err == nil {
		t.Error("a fifth connection was served")
	}
	for _, c := range held {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "a connection after others closed", func() bool {
		_, err := (request{path: "/ping"}).try(s.URL())
		return err == nil
	})
}

// TestCostlyQueries are small texts that ask for much.
func TestCostlyQueries(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{QueryTimeout: 2 * time.Second, Rows: 1000, Buckets: 5000}})
	write(t, s.URL(), lines(3000, 1_700_000_000_000_000_000))
	for name, c := range map[string]struct {
		text, want string
	}{
		"rows are cut and said so": {"SELECT v FROM m", `"partial":true`},
		"endless buckets":          {"SELECT mean(v) FROM m WHERE time > 0 AND time < 1700000000s GROUP BY time(1ns)", "max-select-buckets limit exceeded"},
		"parentheses":              {"SELECT " + strings.Repeat("(", 100_000) + "v" + strings.Repeat(")", 100_000) + " FROM m", "parentheses"},
		"nested subqueries":        {"SELECT v FROM " + strings.Repeat("(SELECT v FROM ", 1_900) + "m" + strings.Repeat(")", 1_900), "more than 100"},
		"deepest subqueries":       {"SELECT v FROM " + strings.Repeat("(SELECT v FROM ", 100) + "m" + strings.Repeat(")", 100), "[["},
		"operators":                {"SELECT v" + strings.Repeat("+1", 200_000) + " FROM m", "operators"},
		"conditions":               {"SELECT v FROM m WHERE v=1" + strings.Repeat(` OR"v"=1`, 50_000), "operators"},
		"conditions unlike":        {"SELECT v FROM m WHERE \"v\"" + strings.Repeat(`or"v"`, 50_000), "operators"},
		"most operators":           {"SELECT v" + strings.Repeat("+1", 500) + " FROM m", ""},
		"operators past planning":  {"SELECT v" + strings.Repeat("+v", 5_000) + " FROM m", "more than 1000"},
		"conditions past planning": {"SELECT v FROM m WHERE v=1" + strings.Repeat(" OR v=1", 5_000), "more than 1000"},
		"operators in a subquery":  {"SELECT v FROM (SELECT v" + strings.Repeat("+v", 5_000) + " FROM m)", "more than 1000"},
		"operators explained":      {"EXPLAIN SELECT v" + strings.Repeat("+v", 5_000) + " FROM m", "more than 1000"},
		"long list of units":       {"SELECT v FROM m WHERE unit =~ /^(" + strings.Repeat("puller|", 2_000) + "u1)$/ LIMIT 1", "[["},
		"many groups":              {"SELECT v FROM m GROUP BY unit" + strings.Repeat(",unit", 1_000), ""},
		"shown tags":               {"SHOW TAG VALUES WITH KEY = unit WHERE unit='a'" + strings.Repeat(" OR unit='b'", 3_000), "more than 1000"},
		"deleted":                  {"DELETE FROM m WHERE unit='a'" + strings.Repeat(" OR unit='b'", 3_000), "more than 1000"},
		"many fields":              {"SELECT v" + strings.Repeat(",v", 20_000) + " FROM m LIMIT 1", ""},
		"many sources":             {"SELECT v FROM m" + strings.Repeat(",m", 5_000) + " LIMIT 1", ""},
		"many statements":          {strings.Repeat("SHOW DATABASES;", 5_000), "statements"},
		"heavy expression":         {"SELECT v FROM m WHERE unit =~ /((a{1,100}){1,100}){1,100}/", ""},
		"nul bytes":                {"SELECT\x00v FROM m", "error"},
		"invalid UTF-8":            {"SELECT \xff\xfe FROM m", "error"},
	} {
		start := time.Now()
		a := request{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {c.text}}}.send(t, s.URL())
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("%s: took %v", name, d)
		} else {
			t.Logf("%s: %v, %d, %d bytes", name, d, a.Status, len(a.Body))
		}
		if !strings.Contains(a.Body, c.want) {
			t.Errorf("%s: %d %.200s, want %q", name, a.Status, a.Body, c.want)
		}
	}
	if a := q("SELECT v FROM m", "chunked", "true").send(t, s.URL()); strings.Contains(a.Body, `"partial":true}]}`) || strings.Count(a.Body, "[\"") < 3000 {
		t.Errorf("a chunked answer must be whole: %d rows", strings.Count(a.Body, "[\""))
	}
	if a := q("SHOW DATABASES", "async", "true").send(t, s.URL()); a.Status != http.StatusBadRequest {
		t.Errorf("async: %d", a.Status)
	}
}

// TestSpreadTimes writes points of more shards than one body may touch.
func TestSpreadTimes(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{ShardsPerWrite: 3}})
	const week = 7 * 24 * int64(time.Hour)
	var b strings.Builder
	for i := range int64(8) {
		fmt.Fprintf(&b, "m v=%di %d\n", i, 1_700_000_000_000_000_000-i/2*week+i)
	}
	a := w(b.String()).send(t, s.URL())
	if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "partial write") || !strings.Contains(a.Body, "dropped=2") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if n := count(t, s.URL()); n != 6 {
		t.Errorf("%d points, want those of 3 shards: 6", n)
	}
}

// TestErrorHeader: an error repeats what was sent, also in a header, which must stay one that clients can read.
func TestErrorHeader(t *testing.T) {
	s := open(t, store.Options{})
	for _, text := range []string{"\x06", "a\r\nSet-Cookie: x=1", "\x7f\x00", "SELECT \xff", strings.Repeat("ø", 5000)} {
		for _, r := range []request{
			{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {text}}},
			{path: "/api/v2/write?bucket=kvarts", body: text},
			{path: "/api/v2/write?bucket=kvarts&precision=" + url.QueryEscape(text), body: "m v=1"},
		} {
			a := r.send(t, s.URL())
			h := a.Header.Get("X-Influxdb-Error")
			if a.Status != http.StatusBadRequest || h == "" || len(h) > 1024 || a.Header.Get("Set-Cookie") != "" || !strings.Contains(a.Body, `"error"`) {
				t.Errorf("%q to %s: %d %q", text, r.path, a.Status, a.Header)
			}
		}
	}
}
