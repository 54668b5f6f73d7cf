package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
)

// errTooLarge is a body over its limit.
var errTooLarge = errors.New(http.StatusText(http.StatusRequestEntityTooLarge))

// firstBuffer is what is set aside for a body on its announced length alone; more comes as it arrives.
const firstBuffer = 1 << 20

// readBody reads the body of r as it was sent. limit < 0 is none.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if limit >= 0 {
		if r.ContentLength > limit {
			return nil, errTooLarge
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, firstBuffer)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(r.Body); err != nil {
		return nil, bodyError(err)
	}
	return buf.Bytes(), nil
}

func bodyError(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return fmt.Errorf("read request body: %w", err)
}

// refuseBody answers a request whose body or form could not be read.
func refuseBody(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusRequestTimeout
	}
	w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	refuse(w, status, err.Error())
}

// gunzip unpacks one or more gzip members as they are read. It opens at the first Read, so that a body which is no gzip
// is refused where the handler would refuse it, with the same words.
type gunzip struct {
	src io.Reader
	zr  *gzip.Reader
}

// errNothing is influxd's answer to a gzip body without a byte. It is not io.EOF, which would mean an empty body.
var errNothing = errors.New("EOF")

func (g *gunzip) Read(p []byte) (int, error) {
	if g.zr == nil {
		zr, err := gzip.NewReader(g.src)
		if errors.Is(err, io.EOF) {
			return 0, errNothing
		}
		if err != nil {
			return 0, err
		}
		g.zr = zr
	}
	return g.zr.Read(p)
}

func (g *gunzip) Close() error {
	if g.zr == nil {
		return nil
	}
	return g.zr.Close()
}

// checkPrecision refuses an unknown unit of time in influxd's words. influxd answers the same and then stores the lines as
// if their times were nanoseconds, which leaves points of 1970 behind a write that was refused.
func checkPrecision(r *http.Request) error {
	precision := r.URL.Query().Get("precision")
	known, use := []string{"", "ns", "us", "ms", "s"}, "ns, us, ms or s"
	if r.URL.Path == "/write" {
		known, use = []string{"", "n", "ns", "u", "ms", "s", "m", "h"}, "n, u, ms, s, m or h"
	}
	if slices.Contains(known, precision) {
		return nil
	}
	return fmt.Errorf("invalid precision %q (use %s)", precision, use)
}
