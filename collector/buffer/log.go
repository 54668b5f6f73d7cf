package buffer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"kvarts/historian/telemetry"
)

// Log is the durable log. All methods may be called at the same time.
//
// Append puts a record into the page cache and gives it the next number; the committer makes it durable; Read returns it
// from then on; it is deleted, with its whole segment, when every active destination has acknowledged it and no Pin
// holds it, or when a limit says so. What it guarantees and assumes: FORMAT.md.
//
// Locks, in the order in which they are taken:
//
//	wmu      one writer: append, rotation, drops, state file. Held during disk writes and fsyncs.
//	syncMu   the newest segment's file is not closed while the committer fsyncs it. Held during fsyncs.
//	mu       what is in memory. Never held during disk operations, so reading and asking never wait for the disk.
//
// Memory changes only after the disk agreed. A failed fsync (of a segment, the state, or a directory entry that
// records depend on) ends the Log: afterwards nobody knows what the disk has, and a second fsync would lie.
type Log struct {
	o        Options
	fs       FS
	id       uint64
	clock    *clock
	mono     func() time.Duration
	recovery Recovery
	lock     io.Closer
	cursors  map[string]*Cursor // of the active destinations; does not change

	wmu     sync.Mutex
	st      state // as last saved
	sf      *stateFile
	active  *segment   // accepts records; nil until the first Append and after seal
	sums    []groupSum // what the newest closed segment holds
	lastSeg uint64     // its name; 0: none
	scratch []byte     // one encoded record
	garbage []*segment // gone from the log, their files still to be removed

	syncMu sync.Mutex
	mark   *markFile

	cursorMu sync.Mutex // one saver of cursors at a time

	mu         sync.Mutex
	segs       []*segment // in order; the newest last
	usage      int64      // bytes of segs and garbage
	next       position   // of the next record
	until      telemetry.Instant
	durable    uint64        // all records up to here are durable
	changed    chan struct{} // closed and replaced when durable moves, or the log fails or closes
	failed     error         // the fail-stop error
	closing    bool
	closed     bool
	pins       map[string]uint64
	absent     rangeSet // records that are gone or damaged, their losses found
	losses     []*openLoss
	stateDirty bool  // the state file is to be saved: losses were added or forgotten
	troubled   error // last error of the keeper; nil when its last round went well
	damaged    int64 // bytes of *.damaged files

	once       sync.Once
	begun      chan struct{} // closed at the first call of a method: OnLoss may be called from then on
	kick       chan struct{} // there is something to fsync
	force      chan struct{} // do not wait for the group commit window
	lossKick   chan struct{}
	stop       chan struct{}
	stopReport chan struct{}
	workers    sync.WaitGroup // committer and keeper
	reporter   sync.WaitGroup
}

// ID identifies the log: another log, and this one after its directory was emptied, have other ids. Positions that are
// kept elsewhere mean nothing in a log with another id.
func (l *Log) ID() string { return idText(l.id) }

func idText(id uint64) string { return fmt.Sprintf("%016x", id) }

// Recovery says what Open found and did.
func (l *Log) Recovery() Recovery { return l.recovery }

func (l *Log) begin() { l.once.Do(func() { close(l.begun) }) }

// usable returns the error that every call gets once the log has failed or is closed. mu is held.
func (l *Log) usable() error {
	if l.failed != nil {
		return l.failed
	}
	if l.closed {
		return ErrClosed
	}
	return nil
}

func (l *Log) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usable()
}

// fail ends the log and returns the error that all calls get from now on.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
		l.wake()
	}
	return l.failed
}

// errSync marks errors of fsync on their way to fail.
var errSync = errors.New("fsync")

// failSync passes err on, through fail when it is of an fsync.
func (l *Log) failSync(err error) error {
	if errors.Is(err, errSync) {
		return l.fail(err)
	}
	return err
}

func (l *Log) syncDir() error {
	if err := l.fs.SyncDir(l.o.Dir); err != nil {
		return fmt.Errorf("%w directory %s: %w", errSync, l.o.Dir, err)
	}
	return nil
}

// wake tells all who wait on Changed. mu is held.
func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// trouble remembers an error of work that is tried again; nil: it went well. Stat shows it.
func (l *Log) trouble(err error) {
	l.mu.Lock()
	l.troubled = err
	l.mu.Unlock()
}

// saveState makes a change of the state durable, with the losses that it causes, and then lets them be reported.
// wmu is not held.
func (l *Log) saveState(change func(*state), losses []Loss) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	return l.commitState(change, losses)
}

// commitState is saveState with wmu held.
func (l *Log) commitState(change func(*state), losses []Loss) error {
	s := l.st
	s.Gone = append([]goneRange(nil), s.Gone...)
	if change != nil {
		change(&s)
	}
	s.Stamp = l.clock.stamp()
	l.mu.Lock()
	if l.failed != nil {
		defer l.mu.Unlock()
		return l.failed
	}
	s.Losses = append(l.openLosses(), losses...)
	l.stateDirty = false
	l.mu.Unlock()
	if err := l.sf.save(&s); err != nil {
		l.mu.Lock()
		l.stateDirty = true
		l.mu.Unlock()
		return l.failSync(err)
	}
	l.st = s
	l.mu.Lock()
	l.queueLosses(losses)
	l.mu.Unlock()
	return nil
}

// Pin keeps the records with that number and above although every destination has them, until the pin of that name is
// moved or taken away. Limits go before pins. Pins are not kept over a restart.
func (l *Log) Pin(name string, seq uint64) {
	l.begin()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pins[name] = seq
}

// Unpin takes a pin away.
func (l *Log) Unpin(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pins, name)
}

// Stat is what the status page shows. Bytes are of segments.
type Stat struct {
	Segments     int               `json:"segments"`
	Bytes        int64             `json:"bytes"`
	MaxBytes     int64             `json:"max_bytes"` // 0: no limit
	Records      uint64            `json:"records"`
	FirstSeq     uint64            `json:"first_seq"` // oldest record; NextSeq when there is none
	NextSeq      uint64            `json:"next_seq"`
	DurableSeq   uint64            `json:"durable_seq"`
	Oldest       telemetry.Instant `json:"oldest"`        // when the oldest record was received; 0: there is none
	DamagedBytes int64             `json:"damaged_bytes"` // of *.damaged files, which are not part of Bytes
	FreeBytes    int64             `json:"free_bytes"`    // on the file system; -1: not known
	OpenLosses   int               `json:"open_losses"`   // reported or to be reported, not yet known to be ledgered
	Trouble      string            `json:"trouble,omitempty"`
	Failed       string            `json:"failed,omitempty"`
}

// Stat returns the state of the log. It also works after a failure.
func (l *Log) Stat() Stat {
	free := l.fs.Free(l.o.Dir)
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Stat{
		Segments: len(l.segs), Bytes: l.usage, MaxBytes: l.o.MaxBytes, FirstSeq: l.next.Seq, NextSeq: l.next.Seq,
		DurableSeq: l.durable, DamagedBytes: l.damaged, FreeBytes: free, OpenLosses: len(l.losses),
	}
	for _, s := range l.segs {
		if len(s.recs) > 0 && st.Records == 0 {
			st.FirstSeq, st.Oldest = s.seq(s.recs[0]), s.recs[0].received
		}
		st.Records += uint64(len(s.recs))
	}
	if l.troubled != nil {
		st.Trouble = l.troubled.Error()
	}
	if l.failed != nil {
		st.Failed = l.failed.Error()
	}
	return st
}

// Close makes everything durable, closes the newest segment, saves cursors and state, and lets the directory go. It waits
// for a running OnLoss; losses that have not been reported are reported after the next Open. All other calls get
// ErrClosed from then on. Closing twice is ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closing = true
	l.mu.Unlock()
	close(l.stopReport)
	l.reporter.Wait() // first, so that a running OnLoss can still append
	l.mu.Lock()
	l.closed = true // from here on nobody appends: what is sealed below is all
	l.wake()
	l.mu.Unlock()
	close(l.stop)
	l.workers.Wait()

	l.wmu.Lock()
	defer l.wmu.Unlock()
	var errs []error
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	if failed != nil {
		errs = append(errs, failed)
	} else {
		errs = append(errs, l.seal(), l.saveCursors(), l.commitState(nil, nil))
	}
	errs = append(errs, l.closeFiles())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close buffer %s: %w", l.o.Dir, err)
	}
	return nil
}

// closeFiles gives everything back to the system. wmu is held, or nobody else has the log.
func (l *Log) closeFiles() error {
	var errs []error
	if l.active != nil {
		errs = append(errs, l.active.file.Close())
		l.active = nil
	}
	if l.sf != nil {
		errs = append(errs, l.sf.f.Close())
	}
	if l.mark != nil {
		errs = append(errs, l.mark.f.Close())
	}
	return errors.Join(append(errs, l.lock.Close())...)
}

// Sync makes everything that was appended before the call durable, without waiting for the group commit window, and with
// it the losses of refused records that have not been reported.
func (l *Log) Sync(ctx context.Context) error {
	l.begin()
	l.mu.Lock()
	last, dirty := l.next.Seq-1, l.stateDirty
	err := l.usable()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if dirty {
		if err := l.saveState(nil, nil); err != nil {
			return err
		}
	}
	kick(l.force)
	return l.WaitDurable(ctx, last)
}
