package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"kvarts/historian/telemetry"
)

// compact gives up the Normal records of a closed segment. When nothing else is in it the segment goes as a whole; else
// it is written anew without them, a record of Kind dropped standing for each run of them, and takes the old one's place:
//
//	copy to *.tmp, fsync ──▶ state: losses, "compact" ──▶ rename ──▶ memory
//	                  crash: copy thrown away │ crash: Open renames
//
// wmu is held.
func (l *Log) compact(s *segment, why string) error {
	entries, holes, err := l.contents(s)
	if err != nil {
		return l.drop(why, s)
	}
	var normal []entry
	kept := 0
	for i := range entries {
		switch {
		case entries[i].normal():
			normal = append(normal, entries[i])
		case entries[i].key.kind != dropped:
			kept++
		}
	}
	if kept == 0 {
		return l.drop(why, s)
	}
	c, err := l.writeCompacted(s, entries)
	if err != nil {
		return errors.Join(err, l.removeTmp(s.path))
	}
	l.mu.Lock()
	losses := l.lossesOf(normal, telemetry.CauseBufferLimit, why)
	for i := range holes {
		losses = append(losses, l.lossesOfHole(&holes[i], s.base())...)
	}
	for i := range c.broken {
		losses = append(losses, l.lossesOf(c.broken[i:i+1], telemetry.CauseBufferDamage, s.base()+": fails its checksum")...)
	}
	l.mu.Unlock()
	if err := l.commitState(func(st *state) { st.Compact = s.name }, losses); err != nil {
		return errors.Join(err, l.removeTmp(s.path))
	}
	return l.replace(s, c)
}

func (l *Log) removeTmp(path string) error {
	if err := l.fs.Remove(path + tmpSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// compacted is what the copy holds.
type compacted struct {
	entries []entry
	broken  []entry // records to be kept that could not be read
	dataEnd int64
	size    int64
	end     position
}

// writeCompacted writes the copy of s, durable, to the segment's name with tmpSuffix.
func (l *Log) writeCompacted(s *segment, entries []entry) (c compacted, err error) {
	if err := l.removeTmp(s.path); err != nil {
		return c, fmt.Errorf("compact segment %s: %w", s.path, err)
	}
	old, err := l.fs.Open(s.path, false)
	if err != nil {
		return c, fmt.Errorf("compact segment %s: %w", s.path, err)
	}
	tmp, err := l.fs.Create(s.path + tmpSuffix)
	if err == nil {
		c, err = l.copyKept(tmp, old, s, entries)
		if err == nil {
			err = tmp.Sync()
		}
		err = errors.Join(err, tmp.Close())
	}
	err = errors.Join(err, old.Close())
	if err == nil {
		err = l.fs.SyncDir(l.o.Dir)
	}
	if err != nil {
		return c, fmt.Errorf("compact segment %s: %w", s.path, typed(err))
	}
	return c, nil
}

func (l *Log) copyKept(dst, src File, s *segment, entries []entry) (c compacted, err error) {
	h := s.header
	out := copier{dst: dst, log: l.id, c: compacted{end: h.base}}
	h.log = l.id
	if err := out.put(encodeHeader(&h)); err != nil {
		return c, err
	}
	for i := range entries {
		e := &entries[i]
		if e.normal() || e.key.kind == dropped {
			out.skip(e.seq+uint64(e.span), uint64(e.samples))
			continue
		}
		b := make([]byte, e.length)
		err := readFull(src, b, int64(e.off))
		var r recordHeader
		if err == nil {
			r, err = checkedRecord(b, l.id, e.seq)
		}
		if err != nil {
			out.c.broken = append(out.c.broken, *e)
			out.skip(e.seq+uint64(e.span), uint64(e.samples))
			continue
		}
		if err := out.record(&r, b); err != nil {
			return c, err
		}
	}
	out.skip(s.end.Seq, 0)
	out.gap.samples = s.end.Cum - out.c.end.Cum
	if err := out.flush(); err != nil {
		return c, err
	}
	c = out.c
	c.dataEnd = c.size
	ft := footer{next: c.end, newest: s.newest, until: s.until, entries: c.entries}
	err = out.put(encodeFooter(l.id, s.name, &ft))
	c.size = out.c.size
	return c, err
}

// copier writes records one behind the other, and one of Kind dropped for what is skipped between them.
type copier struct {
	dst File
	log uint64
	c   compacted
	gap struct {
		to      uint64 // sequence number behind what is skipped; 0: nothing
		samples uint64
	}
}

func (o *copier) put(b []byte) error {
	_, err := o.dst.WriteAt(b, o.c.size)
	o.c.size += int64(len(b))
	return err
}

func (o *copier) skip(to, samples uint64) {
	if to > o.c.end.Seq {
		o.gap.to = to
		o.gap.samples += samples
	}
}

// record copies a record as it is; what is between its position and the last one's is skipped too, so that damage in the
// old file does not show as damage in the new one: it is in the losses of the compaction.
func (o *copier) record(h *recordHeader, b []byte) error {
	if h.pos.Seq > o.c.end.Seq {
		o.gap.to, o.gap.samples = h.pos.Seq, h.pos.Cum-o.c.end.Cum
	}
	if err := o.flush(); err != nil {
		return err
	}
	return o.append(h, b)
}

func (o *copier) append(h *recordHeader, b []byte) error {
	o.c.entries = append(o.c.entries, entryOf(h, o.c.size))
	o.c.end = h.next()
	return o.put(b)
}

// flush writes what is skipped. More samples than a record can say are several records.
func (o *copier) flush() error {
	for o.gap.to > o.c.end.Seq {
		span := min(o.gap.to-o.c.end.Seq, math.MaxUint32)
		samples := min(o.gap.samples, math.MaxUint32)
		if o.gap.samples > math.MaxUint32 && span > 1 {
			span = 1
		}
		h := recordHeader{pos: o.c.end, samples: uint32(samples), span: uint32(span), kind: dropped}
		if err := o.append(&h, appendRecord(nil, o.log, &h, nil)); err != nil {
			return err
		}
		o.gap.samples -= samples
	}
	o.gap.to, o.gap.samples = 0, 0
	return nil
}

// replace lets the compacted copy take the place of s, which the state already says.
func (l *Log) replace(s *segment, c compacted) error {
	if err := l.fs.Rename(s.path+tmpSuffix, s.path); err != nil {
		// The state says that the copy counts: nothing else may happen to this log before Open has renamed it.
		return l.fail(fmt.Errorf("rename compacted segment %s: %w", s.path, err))
	}
	if err := l.syncDir(); err != nil {
		return l.fail(err)
	}
	l.st.Compact = 0
	n := &segment{path: s.path, name: s.name, header: s.header, end: s.end, dataEnd: c.dataEnd, size: c.size, newest: s.newest, until: s.until}
	n.header.length = int(c.entriesStart())
	n.index(c.entries, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range l.segs {
		if o == s {
			l.segs[i] = n
		}
	}
	s.gone = true
	l.usage += n.size - s.size
	for i := range c.entries {
		if e := &c.entries[i]; e.key.kind == dropped {
			l.ackAll(e.seq, e.seq+uint64(e.span)-1)
		}
	}
	return nil
}

// entriesStart is where the first record begins.
func (c *compacted) entriesStart() uint32 { return c.entries[0].off }
