package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
)

// expectFrom is the size of a body that is announced before it is sent (Expect: 100-continue), so that a server that
// will refuse it (too large, wrong token) can say so instead of breaking the connection in the middle of it.
const expectFrom = 1 << 20

// WriteGzip posts the concatenation of members, each one gzip member of line protocol with ns times, as one batch of
// lines lines. It never returns a bare error: Result says what to do, and Result.Err is an *Error unless the class is
// OK. A 401 makes it read the token again and, if there is another one, try once more. members must not be changed,
// also after it returned: an answer can come while the rest of the body is still being sent. A batch without bytes is OK
// without a request.
func (c *Client) WriteGzip(ctx context.Context, members [][]byte, lines int) Result {
	start := c.now()
	size := totalBytes(members)
	if size == 0 {
		return Result{Class: OK, Dropped: -1, Fate: FateAll}
	}
	callCtx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	a := c.post(callCtx, members, size)
	c.observe(a.header)
	r := classify(exchange{
		answer: a, habits: c.Habits(), lines: lines, now: c.now(),
		gzipErr: func() error { return readGzip(members) },
	})
	r.Message, r.Remedy = clean(c.cred.redact(r.Message)), clean(c.cred.redact(r.Remedy))
	if r.Class != OK {
		r.Err = c.writeError(ctx, a, &r)
	}
	r.Bytes, r.Took = size, c.now().Sub(start)
	return r
}

// post sends the batch through influxdb-client-go and returns the record that doer kept. What the library made of the
// answer is not needed.
func (c *Client) post(ctx context.Context, batch [][]byte, size int) *answer {
	ctx, a := withAnswer(ctx)
	err := c.svc.DoPostRequest(ctx, c.write, newMembers(batch), func(req *http.Request) {
		req.ContentLength = int64(size)
		req.GetBody = func() (io.ReadCloser, error) { return newMembers(batch), nil }
		req.Header.Set("Content-Encoding", "gzip")
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
		req.Header.Set("Accept", "application/json")
		if size >= expectFrom {
			req.Header.Set("Expect", "100-continue")
		}
	}, nil)
	if a.status == 0 && a.err == nil {
		a.err = errors.New("no answer")
		if err != nil {
			a.err = stripURL(err)
		}
	}
	return a
}

// writeError is the Err of a result. A cancelled caller is told so, not that the network failed.
func (c *Client) writeError(ctx context.Context, a *answer, r *Result) error {
	e := &Error{Op: "write", Server: c.shown, Status: r.Status, Text: r.Message, Hint: r.Remedy, Err: a.err}
	switch {
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case r.Status == 0:
		e.Kind, _ = networkKind(a.err)
	default:
		e.Kind = writeKind(r)
	}
	return e
}

func writeKind(r *Result) ErrorKind {
	switch {
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden || r.Status == http.StatusProxyAuthRequired:
		return KindAuth
	case r.Class == TooLarge:
		return KindTooLarge
	case r.Class == Split:
		return KindRefused
	case r.Class == Retry:
		return KindUnavailable
	case r.Status == http.StatusNotFound:
		return KindNotFound
	}
	return KindProtocol
}

// readGzip reads all members and returns the first error: it is asked only after a server complained.
func readGzip(members [][]byte) error {
	for _, m := range members {
		zr, err := gzip.NewReader(bytes.NewReader(m))
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, zr); err != nil {
			return err
		}
	}
	return nil
}

// observe keeps what the headers of any answer tell of the server: no request of its own is needed to know its habits,
// and a server that was replaced by another version is noticed with its first answer.
func (c *Client) observe(h http.Header) {
	s, ok := serverOf(h)
	if !ok || s.Kind == KindUnknown && s.Version == "" {
		return
	}
	c.seen.mu.Lock()
	same := c.seen.known && (c.seen.server.Version == s.Version || c.opts.Habits != nil)
	c.seen.mu.Unlock()
	if !same {
		c.remember(s)
	}
}
