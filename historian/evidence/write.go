package evidence

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"

	"kvarts/historian/influx"
)

// batchBytes is how much line protocol goes into one request: a few thousand slices, far below the smallest limit of a
// server on the size of a body (25 MB).
const batchBytes = 2 << 20

// writer posts lines in batches. The first error ends it.
type writer struct {
	client *influx.Client
	lines  []byte
	n      int
}

// add takes one line over. It returns the error of a batch that became full.
func (w *writer) add(ctx context.Context, line []byte) error {
	w.lines = append(w.lines, line...)
	w.n++
	if len(w.lines) < batchBytes {
		return nil
	}
	return w.flush(ctx)
}

// flush posts what was added. Lines that the server refused are an error: what is written here was checked before.
func (w *writer) flush(ctx context.Context) error {
	if w.n == 0 {
		return nil
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("compress %d lines: %w", w.n, err)
	}
	if _, err = z.Write(w.lines); err == nil {
		err = z.Close()
	}
	if err != nil {
		return fmt.Errorf("compress %d lines: %w", w.n, err)
	}
	r := w.client.WriteGzip(ctx, [][]byte{b.Bytes()}, w.n)
	if r.Class != influx.OK {
		return fmt.Errorf("write %d lines: %w", w.n, r.Err)
	}
	w.lines, w.n = w.lines[:0], 0
	return nil
}
