package quarantine

import (
	"bytes"
	"context"
	"fmt"

	"github.com/klauspost/compress/gzip"

	"kvarts/historian/influx"
)

// Writer is the store that entries are sent to again; *influx.Client is one.
type Writer interface {
	WriteGzip(ctx context.Context, members [][]byte, lines int) influx.Result
}

// Outcome of Retry.
type Outcome struct {
	Stored  int           // accepted by the store and removed from quarantine
	Refused int           // refused again: they stay, with the new message
	Skipped int           // hold no line: an unreadable block, or a value that was never encoded
	Left    int           // not tried, because the store could not be reached or needs a person: see Last
	Last    influx.Result // the answer that ended it early; its Class is Retry or Hold then
}

// retryBatch is how many entries go in one request.
const retryBatch = 1000

// Retry sends the entries of one destination to w, which is that destination, again: those with the ids, or all when
// there are none. What w accepts is removed, what it refuses stays. A crash between the two leaves an entry that is
// stored too: retrying it again is harmless, the bytes are the same.
func (s *Store) Retry(ctx context.Context, destination string, w Writer, ids ...string) (Outcome, error) {
	entries, err := s.List(Filter{Destination: destination})
	if err != nil {
		return Outcome{}, err
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var try []Entry
	var out Outcome
	for i := range entries {
		if len(ids) > 0 && !wanted[entries[i].ID] {
			continue
		}
		if _, ok := entries[i].RawLine(); !ok {
			out.Skipped++
			continue
		}
		try = append(try, entries[i])
	}
	out.Left = len(try)
	r := retrier{w: w, refused: make(map[string]influx.Result)}
	for len(try) > 0 && out.Last.Err == nil && ctx.Err() == nil {
		n := min(retryBatch, len(try))
		r.send(ctx, try[:n])
		if err := s.settle(&r, &out); err != nil {
			return out, err
		}
		out.Last = r.stopped
		try = try[n:]
	}
	return out, ctx.Err()
}

// settle writes down what a batch came to.
func (s *Store) settle(r *retrier, out *Outcome) error {
	accepted := make(map[string]bool, len(r.accepted))
	for _, id := range r.accepted {
		accepted[id] = true
	}
	_, err := s.edit(func(e *Entry) verdict {
		if accepted[e.ID] {
			return remove
		}
		if res, ok := r.refused[e.ID]; ok {
			e.Message, e.Status = res.Message, res.Status
			e.Retries++
			return change
		}
		return keep
	})
	if err != nil {
		return fmt.Errorf("write down what was sent again: %w", err)
	}
	out.Stored += len(r.accepted)
	out.Refused += len(r.refused)
	out.Left -= len(r.accepted) + len(r.refused)
	r.accepted, r.refused = nil, make(map[string]influx.Result)
	return nil
}

type retrier struct {
	w        Writer
	accepted []string
	refused  map[string]influx.Result
	stopped  influx.Result // the answer after which nothing more is sent
}

// send halves a refused batch down to single lines: at most 2n-1 requests, and one when all are accepted.
func (r *retrier) send(ctx context.Context, entries []Entry) {
	if r.stopped.Err != nil || ctx.Err() != nil {
		return
	}
	member, err := compress(entries)
	if err != nil {
		r.stopped = influx.Result{Err: err, Message: err.Error()}
		return
	}
	switch res := r.w.WriteGzip(ctx, [][]byte{member}, len(entries)); res.Class {
	case influx.OK:
		for i := range entries {
			r.accepted = append(r.accepted, entries[i].ID)
		}
	case influx.Split, influx.TooLarge:
		if len(entries) == 1 || res.Dropped >= len(entries) {
			for i := range entries {
				r.refused[entries[i].ID] = res
			}
			return
		}
		half := len(entries) / 2
		r.send(ctx, entries[:half])
		r.send(ctx, entries[half:])
	default:
		r.stopped = res
		if r.stopped.Err == nil {
			r.stopped.Err = fmt.Errorf("store answers: %s", res.Class)
		}
	}
}

func compress(entries []Entry) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("compress quarantined lines: %w", err)
	}
	for i := range entries {
		line, _ := entries[i].RawLine()
		if _, err := z.Write(line); err != nil {
			return nil, fmt.Errorf("compress quarantined lines: %w", err)
		}
		if _, err := z.Write([]byte{'\n'}); err != nil {
			return nil, fmt.Errorf("compress quarantined lines: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress quarantined lines: %w", err)
	}
	return buf.Bytes(), nil
}
