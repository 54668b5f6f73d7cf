package buffer

import (
	"errors"
	"fmt"
	"io/fs"

	"kvarts/historian/telemetry"
)

// Append puts r into the log and returns its number. When it returns, the record is in the page cache: it survives the
// end of the process, not a power cut; WaitDurable waits for that. r and its payload are not kept. Received is filled in
// when it is 0.
//
// ErrFull, ErrNoSpace and ErrTooLarge say what the caller should do. After any error the log is as it was before.
func (l *Log) Append(r *Record) (seq uint64, err error) {
	l.begin()
	if err := checkRecord(r); err != nil {
		return 0, err
	}
	if r.Received == 0 {
		r.Received = l.o.Now()
	}
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.check(); err != nil {
		return 0, err
	}
	size := recordSize + int64(len(r.Server)+len(r.Group)+len(r.Payload))
	if err := l.makeRoom(size, r); err != nil {
		if errors.Is(err, ErrFull) {
			l.refuse(r)
		}
		return 0, fmt.Errorf("append %d lines of %q: %w", r.Lines, r.Server, err)
	}
	seq, err = l.write(r, size)
	if errors.Is(err, ErrNoSpace) && l.o.Policy != DropNewest {
		// To whom the newest matters most, a full disk is a limit that comes early.
		var freed bool
		if freed, err = l.giveUp(fmt.Sprintf("disk full, policy %s", l.o.Policy)); freed && err == nil {
			seq, err = l.write(r, size)
		} else if err == nil {
			err = ErrNoSpace
		}
	}
	if err != nil {
		return 0, fmt.Errorf("append %d lines of %q: %w", r.Lines, r.Server, err)
	}
	return seq, nil
}

func checkRecord(r *Record) error {
	switch {
	case len(r.Payload) > MaxPayloadBytes:
		return fmt.Errorf("%w: payload of %d bytes, at most %d", ErrTooLarge, len(r.Payload), MaxPayloadBytes)
	case len(r.Server) > MaxNameBytes || len(r.Group) > MaxNameBytes:
		return fmt.Errorf("%w: server name of %d and group name of %d bytes, at most %d each", ErrTooLarge, len(r.Server), len(r.Group), MaxNameBytes)
	case r.Kind > Meta || r.Class > Keep:
		return fmt.Errorf("append record: kind %s, class %s: not to be appended", r.Kind, r.Class)
	}
	return nil
}

// write appends r to the newest segment, or to a new one. wmu is held.
func (l *Log) write(r *Record, size int64) (seq uint64, err error) {
	if err := l.roll(size); err != nil {
		return 0, err
	}
	s := l.active
	l.mu.Lock()
	at, off, until := l.next, s.dataEnd, l.until
	l.mu.Unlock()
	h := headerOf(r, at)
	l.scratch = appendRecord(l.scratch[:0], l.id, &h, r.Payload)
	if _, err := s.file.WriteAt(l.scratch, off); err != nil {
		return 0, l.rollBack(s, off, err)
	}
	if r.Kind == Data {
		until = max(until, r.Last, r.Published)
	}
	e := entryOf(&h, off)
	s.entries = append(s.entries, e)
	stamp := l.clock.stamp()
	l.mu.Lock()
	s.add(&e)
	s.dataEnd, s.size = off+size, off+size
	s.end, s.newest, s.until = h.next(), stamp, until
	l.next, l.until = s.end, until
	l.usage += size
	l.mu.Unlock()
	kick(l.kick)
	const keepScratch = 1 << 20
	if cap(l.scratch) > keepScratch {
		l.scratch = nil
	}
	return at.Seq, nil
}

// rollBack takes a partial write back. When even that fails nobody knows what the file ends with, and the log has
// failed.
func (l *Log) rollBack(s *segment, off int64, err error) error {
	err = fmt.Errorf("write segment %s: %w", s.path, typed(err))
	if terr := s.file.Truncate(off); terr != nil {
		return l.fail(errors.Join(err, fmt.Errorf("truncate segment %s: %w", s.path, terr)))
	}
	return err
}

// roll makes sure that there is a newest segment with room for size bytes. wmu is held.
func (l *Log) roll(size int64) error {
	if s := l.active; s != nil {
		full := s.dataEnd+size > l.o.SegmentBytes || len(s.entries) >= maxSegmentRecords
		old := l.o.MaxAge > 0 && l.clock.age(s.header.created) > l.o.MaxAge/8
		if len(s.entries) == 0 || !full && !old {
			return nil
		}
		if err := l.seal(); err != nil {
			return err
		}
	}
	return l.create()
}

// seal closes the newest segment: footer, fsync. What it holds is durable then. wmu is held.
func (l *Log) seal() error {
	s := l.active
	if s == nil {
		return nil
	}
	l.mu.Lock()
	ft := footer{next: s.end, newest: s.newest, until: s.until, entries: s.entries}
	off := s.dataEnd
	l.mu.Unlock()
	b := encodeFooter(l.id, s.name, &ft)
	if _, err := s.file.WriteAt(b, off); err != nil {
		// A segment without a footer is as good, only slower to open: a full disk does not stop the sealing.
		if err = l.rollBack(s, off, err); !errors.Is(err, ErrNoSpace) {
			return err
		}
		b = nil
	}
	if err := l.syncAndClose(s); err != nil {
		return l.fail(err)
	}
	l.sums, l.lastSeg = sum(s.entries), s.name
	s.entries, l.active = nil, nil
	l.mu.Lock()
	s.size += int64(len(b))
	l.usage += int64(len(b))
	l.advance(s.end)
	l.mu.Unlock()
	return nil
}

func (l *Log) syncAndClose(s *segment) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("%w segment %s: %w", errSync, s.path, err)
	}
	if err := l.writeMark(s.end); err != nil {
		return err
	}
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close segment %s: %w", s.path, err)
	}
	l.mu.Lock()
	s.file = nil
	l.mu.Unlock()
	return nil
}

// create makes a new segment the newest. It is durable, directory entry included, before it accepts a record. wmu is
// held.
func (l *Log) create() error {
	l.mu.Lock()
	base, until := l.next, l.until
	l.mu.Unlock()
	h := segmentHeader{log: l.id, base: base, created: l.clock.stamp(), previous: l.lastSeg, groups: l.sums, until: until}
	b := encodeHeader(&h)
	h.length = len(b)
	path := segmentPath(l.o.Dir, base.Seq)
	f, err := l.newFile(path, b)
	if err != nil {
		return l.failSync(fmt.Errorf("create segment %s: %w", path, typed(err)))
	}
	s := &segment{path: path, name: base.Seq, header: h, end: base, dataEnd: int64(len(b)), size: int64(len(b)), newest: h.created, until: until, file: f}
	l.mu.Lock()
	l.segs = append(l.segs, s)
	l.usage += s.size
	l.mu.Unlock()
	l.active = s
	return nil
}

// newFile makes a durable file that holds b. Until it has all of b it has another name: so a segment has a whole header,
// or its disk is bad.
func (l *Log) newFile(path string, b []byte) (File, error) {
	tmp := path + tmpSuffix
	if err := l.fs.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := l.fs.Create(tmp)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		if err = f.Sync(); err != nil {
			err = fmt.Errorf("%w %s: %w", errSync, tmp, err)
		}
	}
	if err == nil {
		err = l.fs.Rename(tmp, path)
		tmp = path
	}
	if err == nil {
		err = l.syncDir()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), l.fs.Remove(tmp))
	}
	return f, nil
}

// newestStamp is the largest log clock in segments, for the clock to start from.
func newestStamp(segs []*segment) (t telemetry.Instant) {
	for _, s := range segs {
		t = max(t, s.newest, s.header.created)
	}
	return t
}
