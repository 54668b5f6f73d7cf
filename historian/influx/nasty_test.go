package influx

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// rawServer answers each connection by a function that writes what it likes, after the request was read (or not).
type rawServer struct {
	url string
	wg  sync.WaitGroup
}

// serveRaw starts a server on a free port. handle gets the connection and the request's reader; the connection is closed
// when it returns. done is closed when the test ends, so that a handler that hangs can end.
func serveRaw(t testing.TB, handle func(conn net.Conn, r *bufio.Reader, done <-chan struct{})) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{url: "http://" + ln.Addr().String()}
	done := make(chan struct{})
	s.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() {
				defer conn.Close()
				handle(conn, bufio.NewReader(conn), done)
			})
		}
	})
	t.Cleanup(func() {
		close(done)
		ln.Close()
		s.wg.Wait()
	})
	return s.url
}

// readRequest reads a whole request, body included.
func readRequest(r *bufio.Reader) (*http.Request, []byte, error) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(req.Body)
	return req, body, err
}

func TestNastyReplies(t *testing.T) {
	const head = "HTTP/1.1 204 No Content\r\n"
	say := func(text string) func(net.Conn, <-chan struct{}) {
		return func(c net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(c, text) }
	}
	drip := func(text string) func(net.Conn, <-chan struct{}) {
		return func(c net.Conn, done <-chan struct{}) {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
					return
				}
				select {
				case <-done:
					return
				case <-tick.C:
				}
			}
		}
	}
	for _, k := range []struct {
		name    string
		reply   func(net.Conn, <-chan struct{})
		class   Class
		kind    ErrorKind
		suspect bool
	}{
		{"cut after commit", say(""), Retry, KindNetwork, true},
		{"half a status line", say("HTTP/1.1 20"), Retry, KindNetwork, true},
		{"half a header", say(head + "X-Influxdb-Ver"), Retry, KindNetwork, true},
		{"not HTTP", say("220 mail.plant ESMTP\r\n"), Retry, KindNetwork, true},
		{"error body cut", say("HTTP/1.1 400 Bad Request\r\nX-Influxdb-Version: 1.8.10\r\nContent-Length: 500\r\n\r\n{\"error\":\"par"), Retry, KindUnavailable, false},
		{"error in a chunk that never ends", say("HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{"), Retry, KindUnavailable, false},
		{"control character in the header", say("HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: unable to parse 'm s=\x01': missing fields\r\nContent-Length: 0\r\n\r\n"), Split, KindRefused, false},
		{"headers without end", drip("X-A: b\r\n"), Retry, KindNetwork, true},
		{"slow loris", drip(head + "X: y\r\nX: z"), Retry, KindTimeout, true},
		{"slow loris in the body", func(c net.Conn, done <-chan struct{}) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
			drip(`{"error":"x`)(c, done)
		}, Retry, KindUnavailable, false},
		{"hangs", func(_ net.Conn, done <-chan struct{}) { <-done }, Retry, KindTimeout, true},
		{"endless error", func(c net.Conn, _ <-chan struct{}) {
			_, _ = io.WriteString(c, "HTTP/1.1 503 X\r\nContent-Type: text/plain\r\n\r\n")
			for range 1 << 20 {
				if _, err := c.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, Retry, KindUnavailable, false},
		{"JSON that rewrites the library's error", say("HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: 49\r\n\r\n{\"StatusCode\":204,\"Header\":null,\"message\":\"fine\"}"), Retry, KindUnavailable, false},
		{"100 without end, then nothing", say(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50)), Retry, KindNetwork, true},
		{"2 MB of headers", say(head + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 2000)), Retry, KindNetwork, true},
		{"204 with words behind it", say(head + "\r\nHTTP/1.1 400 Bad Request\r\n\r\n"), OK, KindOther, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			url := serveRaw(t, func(conn net.Conn, r *bufio.Reader, done <-chan struct{}) {
				if _, _, err := readRequest(r); err == nil {
					k.reply(conn, done)
				}
			})
			c := mustNew(t, Options{URL: url, Bucket: "b", Timeout: time.Second})
			start := time.Now()
			r := c.WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			var e *Error
			if errors.As(r.Err, &e); e == nil {
				e = &Error{}
			}
			// What the kernel makes of a cut connection differs: a network error it is.
			if r.Class != k.class || k.class != OK && e.Kind != k.kind && e.Kind != KindTimeout {
				t.Errorf("%s kind %d (%v), want %s kind %d", r.Class, e.Kind, r.Err, k.class, k.kind)
			}
			if r.Status == 0 && r.Suspect != k.suspect {
				t.Errorf("suspect %t", r.Suspect)
			}
			if (r.Err == nil) != (r.Class == OK) {
				t.Errorf("class %s with error %v", r.Class, r.Err)
			}
		})
	}
}

// A server that refuses a large body before it has read it is understood, whether or not it waits for the rest.
func TestEarlyRefusalOfLargeBody(t *testing.T) {
	random := make([]byte, 8<<20) // what it holds does not matter: the server never looks
	for i := range random {
		random[i] = byte(i*7 + i>>8)
	}
	for name, continues := range map[string]bool{"at the headers": false, "in the middle": true} {
		t.Run(name, func(t *testing.T) {
			url := serveRaw(t, func(conn net.Conn, r *bufio.Reader, _ <-chan struct{}) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if req.Header.Get("Expect") != "100-continue" {
					t.Errorf("a body of %d bytes was sent without a question", req.ContentLength)
				}
				if continues {
					_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
					_, _ = io.CopyN(io.Discard, req.Body, 1<<20)
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				if continues { // linger, as servers do, so that the answer is not lost in a reset
					_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			c := mustNew(t, Options{URL: url, Bucket: "b", Timeout: 10 * time.Second})
			if r := c.WriteGzip(t.Context(), [][]byte{random}, 1000); r.Class != TooLarge {
				t.Errorf("%s: %v", r.Class, r.Err)
			}
		})
	}
}

// A proxy that does not know Expect answers 417 (RFC 9110 §15.5.18): the batch is sent again without it.
func TestExpectationRefused(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	url := serveRaw(t, func(conn net.Conn, r *bufio.Reader, _ <-chan struct{}) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			mu.Lock()
			asked++
			mu.Unlock()
			if req.Header.Get("Expect") != "" {
				_, _ = io.WriteString(conn, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				return
			}
			n, _ := io.Copy(io.Discard, req.Body)
			if n != 2<<20 {
				t.Errorf("body of %d bytes", n)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	c := mustNew(t, Options{URL: url, Bucket: "b"})
	if r := c.WriteGzip(t.Context(), [][]byte{make([]byte, 1<<20), make([]byte, 1<<20)}, 9); r.Class != OK {
		t.Errorf("%s: %v", r.Class, r.Err)
	}
	if mu.Lock(); asked != 2 {
		t.Errorf("%d requests", asked)
	}
	mu.Unlock()
}

func TestNoServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	c := mustNew(t, Options{URL: "http://" + addr, Bucket: "b"})
	r := c.WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1)
	if r.Class != Retry || r.Suspect || r.Fate != FateNone || !strings.Contains(r.Remedy, "running") {
		t.Errorf("%+v", r)
	}
	if err := c.Ping(t.Context()); err == nil {
		t.Error("ping of nobody")
	}
}

func TestCallerGivesUp(t *testing.T) {
	url := serveRaw(t, func(_ net.Conn, r *bufio.Reader, done <-chan struct{}) {
		_, _, _ = readRequest(r)
		<-done
	})
	c := mustNew(t, Options{URL: url, Database: "d"})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	r := c.WriteGzip(ctx, [][]byte{mustGzip(t, "m f=1 1\n")}, 1)
	if r.Class != Retry || r.Suspect || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("%s suspect %t %v", r.Class, r.Suspect, r.Err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := c.Query(ctx, Query{Text: "x"}, func(Row) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A query's answer may take as long as it likes while data comes, and is given up when none comes.
func TestQueryStalls(t *testing.T) {
	const document = `{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time"],"values":[[%d]]}]}]}` + "\n"
	url := serveRaw(t, func(conn net.Conn, r *bufio.Reader, done <-chan struct{}) {
		_, body, err := readRequest(r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for i := range 10 {
			_, _ = fmt.Fprintf(conn, document, i)
			<-tick.C
		}
		if strings.Contains(string(body), "hang") {
			<-done
		}
	})
	c := mustNew(t, Options{URL: url, Database: "d", Timeout: time.Second})
	rows := 0
	count := func(Row) error { rows++; return nil }
	if err := c.Query(t.Context(), Query{Text: "slow"}, count); err != nil || rows != 10 {
		t.Errorf("%d rows, %v", rows, err)
	}
	rows = 0
	var e *Error
	if err := c.Query(t.Context(), Query{Text: "hang"}, count); !errors.As(err, &e) || e.Kind != KindTimeout || rows != 10 {
		t.Errorf("%d rows, %v", rows, err)
	}
	// A slow reader of the rows is not a slow server.
	rows = 0
	wait := make(chan struct{})
	time.AfterFunc(1200*time.Millisecond, func() { close(wait) })
	if err := c.Query(t.Context(), Query{Text: "slow"}, func(Row) error { rows++; <-wait; return nil }); err != nil || rows != 10 {
		t.Errorf("%d rows, %v", rows, err)
	}
}
