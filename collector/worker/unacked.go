package worker

import (
	"context"
	"sync"
	"time"
)

// unacked holds what to do when the parent confirms a block, and makes sessions wait when too much is unconfirmed.
type unacked struct {
	mu    sync.Mutex
	queue []waiting // by id
	next  uint64    // id of the next block
	bytes int
	moved chan struct{} // closed and replaced whenever bytes falls
}

type waiting struct {
	id    uint64
	bytes int
	done  []func()
}

func (u *unacked) init() { u.next, u.moved = 1, make(chan struct{}) }

// add gives a block its id. The caller sends blocks in the order of their ids.
func (u *unacked) add(bytes int, done []func()) uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	id := u.next
	u.next++
	u.bytes += bytes
	u.queue = append(u.queue, waiting{id, bytes, done})
	return id
}

// ack runs what waits for the blocks up to id.
func (u *unacked) ack(id uint64) {
	u.mu.Lock()
	n := 0
	for n < len(u.queue) && u.queue[n].id <= id {
		u.bytes -= u.queue[n].bytes
		n++
	}
	ready := append([]waiting(nil), u.queue[:n]...)
	u.queue = append(u.queue[:0], u.queue[n:]...)
	if n > 0 {
		close(u.moved)
		u.moved = make(chan struct{})
	}
	u.mu.Unlock()
	for _, w := range ready {
		for _, done := range w.done {
			done()
		}
	}
}

// room waits until less than limit bytes are unconfirmed.
func (u *unacked) room(ctx context.Context, limit int) error {
	for {
		u.mu.Lock()
		ok, moved := u.bytes < limit, u.moved
		u.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait waits until everything is confirmed, at most for grace.
func (u *unacked) wait(grace time.Duration) {
	late := time.NewTimer(grace)
	defer late.Stop()
	for {
		u.mu.Lock()
		empty, moved := len(u.queue) == 0, u.moved
		u.mu.Unlock()
		if empty {
			return
		}
		select {
		case <-moved:
		case <-late.C: // the server sends it again to the next worker
			return
		}
	}
}
