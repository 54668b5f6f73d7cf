package peers

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/influxdata/influxdb/models"
)

// maxFakeBody bounds what a fake InfluxDB reads, before and after decompression.
const maxFakeBody = 256 << 20

// serveWrite takes one write: decide, read, store, answer.
func (f *FakeStore) serveWrite(w http.ResponseWriter, r *http.Request) {
	req := Request{At: time.Now(), Path: r.URL.RequestURI(), Header: r.Header.Clone()}
	a, refused := f.decide(&req, r)
	body, err := readBody(r, a.ReadHalf)
	req.WireBytes, req.Err = len(body), err
	if refused == nil {
		refused = a.refuseBody(r, len(body))
	}
	if refused == nil {
		refused = f.store(&req, r, a, body)
	}
	req.Status = a.status(refused)
	f.mu.Lock()
	f.requests = append(f.requests, req)
	f.mu.Unlock()
	f.answer(w, r, a, refused)
}

// decide takes the next scripted answer and checks token and bucket.
func (f *FakeStore) decide(req *Request, r *http.Request) (Answer, *refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var a Answer
	if len(f.next) > 0 {
		a, f.next, req.Scripted = f.next[0], f.next[1:], true
	} else {
		a = f.always(*req)
	}
	if f.token != "" && r.Header.Get("Authorization") != "Token "+f.token {
		return a, &refusal{http.StatusUnauthorized, map[Dialect]string{V18: "authorization failed", V2: "unauthorized access"}[f.dialect]}
	}
	q := r.URL.Query()
	if bucket := q.Get("bucket") + q.Get("db"); f.bucket != "" && bucket != f.bucket {
		return a, &refusal{http.StatusNotFound, map[Dialect]string{
			V18: fmt.Sprintf("database not found: %q", bucket), V2: fmt.Sprintf("bucket %q not found", bucket),
		}[f.dialect]}
	}
	return a, nil
}

func readBody(r *http.Request, half bool) ([]byte, error) {
	limit := int64(maxFakeBody)
	if half && r.ContentLength > 0 {
		limit = r.ContentLength / 2
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit))
	if err != nil {
		return body, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}

// refuseBody applies what can be said before decompression.
func (a Answer) refuseBody(r *http.Request, size int) *refusal {
	switch {
	case a.MaxBytes > 0 && size > a.MaxBytes:
		return &refusal{http.StatusRequestEntityTooLarge, "Request Entity Too Large"}
	case a.NoGzip && r.Header.Get("Content-Encoding") == "gzip":
		return &refusal{http.StatusUnsupportedMediaType, "unsupported content encoding gzip"}
	}
	return nil
}

// store parses the body and keeps what the answer says. What it returns is how a real server would refuse.
func (f *FakeStore) store(req *Request, r *http.Request, a Answer, body []byte) *refusal {
	if req.Err != nil { // the client broke off: a real server keeps nothing
		return &refusal{http.StatusBadRequest, req.Err.Error()}
	}
	text := body
	if r.Header.Get("Content-Encoding") == "gzip" {
		if text, req.Err = gunzip(body); req.Err != nil && !a.ReadHalf {
			return &refusal{http.StatusBadRequest, req.Err.Error()}
		}
	}
	if a.ReadHalf { // the torn line at the end did not come
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	req.Bytes = len(text)
	points, parseErr := models.ParsePointsWithPrecision(text, time.Unix(0, noTime), precision(r))
	req.Points = len(points)
	f.mu.Lock()
	defer f.mu.Unlock()
	if parseErr != nil && (f.dialect == V2 || len(points) == 0) {
		return &refusal{http.StatusBadRequest, parseErr.Error()}
	}
	return f.keep(points, a, parseErr)
}

// keep stores points and reports a partial write. The caller holds the lock.
func (f *FakeStore) keep(points []models.Point, a Answer, parseErr error) *refusal {
	limit := len(points)
	switch a.Keep {
	case KeepNone:
		limit = 0
	case KeepHalf:
		limit /= 2
	}
	reason, dropped := "", 0
	for i, pt := range points {
		why := f.points.conflict(pt)
		if why == "" && a.Bad != nil && a.Bad(pt) {
			why = a.Reason
			if why == "" {
				why = "points beyond retention policy"
			}
		}
		if why != "" {
			reason, dropped = why, dropped+1
			continue
		}
		if i >= limit {
			continue
		}
		if err := f.points.put(pt); err != nil {
			f.tb.Errorf("fake InfluxDB: store: %v", err)
		}
	}
	return f.partial(parseErr, reason, dropped)
}

// partial is the answer to a write of which some was kept, nil if nothing was wrong.
func (f *FakeStore) partial(parseErr error, reason string, dropped int) *refusal {
	if parseErr != nil {
		reason = parseErr.Error()
	}
	switch {
	case reason == "":
		return nil
	case f.dialect == V2:
		return &refusal{
			http.StatusUnprocessableEntity,
			fmt.Sprintf("failure writing points to database: partial write: %s dropped=%d", reason, dropped),
		}
	}
	return &refusal{http.StatusBadRequest, fmt.Sprintf("partial write: %s dropped=%d", reason, dropped)}
}

// precision gives the name that the parser has for the query's precision; no precision means nanoseconds.
func precision(r *http.Request) string {
	p := r.URL.Query().Get("precision")
	if short, ok := map[string]string{"": "n", "ns": "n", "us": "u"}[p]; ok {
		return short
	}
	return p
}

// gunzip reads all members. With an error it returns what could be read.
func gunzip(body []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(zr, maxFakeBody))
	if err != nil {
		return text, fmt.Errorf("decompress: %w", err)
	}
	return text, nil
}

// status is what will be answered, 0 for no answer.
func (a Answer) status(refused *refusal) int {
	switch {
	case a.Cut || a.Hang:
		return 0
	case a.Status != 0:
		return a.Status
	case refused != nil:
		return refused.status
	}
	return http.StatusNoContent
}

func (f *FakeStore) answer(w http.ResponseWriter, r *http.Request, a Answer, refused *refusal) {
	if a.After > 0 && !f.wait(r, a.After) || a.Hang && !f.wait(r, 0) {
		return
	}
	if a.Cut {
		if err := reset(w); err != nil {
			f.tb.Errorf("fake InfluxDB: cut: %v", err)
		}
		return
	}
	f.identify(w.Header())
	w.Header().Set("Content-Type", "application/json")
	body := a.Body
	if a.Status == 0 && refused != nil {
		body = refused.apply(f.dialect, w.Header())
	}
	for k, v := range a.Header {
		w.Header()[k] = v
	}
	if a.ReadHalf {
		w.Header().Set("Connection", "close")
	}
	if a.Drip > 0 {
		f.drip(w, a.Drip, a.status(refused), body)
		return
	}
	w.WriteHeader(a.status(refused))
	_, _ = io.WriteString(w, body) // a client that is gone needs no answer
}

// wait returns true after d, false when the client or the test has gone before; d = 0 waits for that.
func (f *FakeStore) wait(r *http.Request, d time.Duration) bool {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
		return true
	case <-r.Context().Done():
	case <-f.closing:
	}
	return false
}

// drip writes the answer one byte at a time.
func (f *FakeStore) drip(w http.ResponseWriter, every time.Duration, status int, body string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.tb.Errorf("fake InfluxDB: drip: %v", err)
		return
	}
	defer conn.Close()
	text := fmt.Sprintf("HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), len(body), body)
	for i := range len(text) {
		t := time.NewTimer(every)
		select {
		case <-t.C:
		case <-f.closing:
			t.Stop()
			return
		}
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return // the client has had enough
		}
	}
}

// reset ends the connection of a request with RST.
func reset(w http.ResponseWriter) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over connection: %w", err)
	}
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		err = tcp.SetLinger(0)
	}
	return errors.Join(err, raw.Close())
}
