package buffer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// committer is the goroutine that makes records durable: one fsync for all that was appended while the previous one ran,
// or within SyncInterval.
func (l *Log) committer() {
	defer l.workers.Done()
	for {
		forced := false
		select {
		case <-l.kick:
		case <-l.force:
			forced = true
		case <-l.stop:
			return
		}
		if l.o.SyncInterval > 0 && !forced {
			window := time.NewTimer(l.o.SyncInterval)
			select {
			case <-window.C:
			case <-l.force:
			case <-l.stop:
				window.Stop()
				return
			}
			window.Stop()
		}
		if err := l.commit(); err != nil {
			_ = l.fail(err) // everybody who waits, and every later call, gets it
			return
		}
	}
}

// commit makes everything durable that was appended before it began. Records in segments before the newest are durable
// since their segment was sealed.
func (l *Log) commit() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	target, done := l.next, l.next.Seq-1 == l.durable || l.failed != nil
	var f File
	var path string
	if !done && len(l.segs) > 0 {
		s := l.segs[len(l.segs)-1]
		f, path = s.file, s.path
	}
	l.mu.Unlock()
	if done || f == nil {
		return nil
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w segment %s: %w", errSync, path, err)
	}
	if err := l.writeMark(target); err != nil {
		return err
	}
	l.mu.Lock()
	l.advance(target)
	l.mu.Unlock()
	return nil
}

// writeMark says on disk that everything before p is durable. On a disk without room for it (one that copies on write)
// the mark stays behind, which it may. syncMu is held.
func (l *Log) writeMark(p position) error {
	if err := l.mark.write(l.id, p); err != nil && !errors.Is(err, ErrNoSpace) {
		return err
	}
	return nil
}

// advance lets everybody see that all before p is durable. mu is held.
func (l *Log) advance(p position) {
	if p.Seq-1 > l.durable {
		l.durable = p.Seq - 1
		l.wake()
	}
}

// Durable returns the largest number up to which all records are durable; 0: none.
func (l *Log) Durable() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// Changed returns a channel that is closed when something new is durable, or the log has failed or is closed. Take it
// before looking, and a new one after each wait.
func (l *Log) Changed() <-chan struct{} {
	l.begin()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.usable() != nil {
		gone := make(chan struct{})
		close(gone)
		return gone
	}
	return l.changed
}

// WaitDurable returns when the record with that number is durable. It does not hurry the group commit: see Sync.
func (l *Log) WaitDurable(ctx context.Context, seq uint64) error {
	l.begin()
	for {
		l.mu.Lock()
		done, err, changed := l.durable >= seq, l.usable(), l.changed
		l.mu.Unlock()
		switch {
		case done:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait until record %d is durable: %w", seq, ctx.Err())
		}
	}
}
