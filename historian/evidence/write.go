package evidence

import (
	"context"

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

// flush posts what was added.
func (w *writer) flush(ctx context.Context) error {
	if err := w.client.WriteLines(ctx, w.lines, w.n); err != nil {
		return err
	}
	w.lines, w.n = w.lines[:0], 0
	return nil
}
