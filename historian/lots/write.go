package lots

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"

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
	if r := w.client.WriteGzip(ctx, [][]byte{b.Bytes()}, w.n); r.Class != influx.OK {
		return fmt.Errorf("write %d lines: %w", w.n, r.Err)
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
