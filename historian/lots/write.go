package lots

import (
	"context"

	"kvarts/historian/influx"
)

// batchBytes is how much line protocol goes into one request, far below the smallest limit of a server on the size of a body (25 MB).
const batchBytes = 2 << 20

// writer posts lines in batches.
type writer struct {
	client *influx.Client
	lines  []byte
	n      int
}

// added posts what there is once it is a batch; n lines were appended to w.lines.
func (w *writer) added(ctx context.Context, n int) error {
	w.n += n
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

// writeEntries writes entries: first each step at its lots, then lots and steps themselves. So what stands itself stands whole,
// and an import that was cut short is completed by importing again.
func writeEntries(ctx context.Context, client *influx.Client, entries []entry) error {
	w := writer{client: client}
	for _, uses := range []bool{true, false} {
		for i := range entries {
			var err error
			n := 1
			if uses {
				w.lines, n, err = entries[i].uses(w.lines)
			} else {
				w.lines, err = entries[i].own(w.lines)
			}
			if err != nil {
				return err
			}
			if err := w.added(ctx, n); err != nil {
				return err
			}
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
