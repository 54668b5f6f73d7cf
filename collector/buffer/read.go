package buffer

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"kvarts/historian/telemetry"
)

// Read appends to dst the records from number from on, in order: at most max of them and at most maxBytes of payload and
// header (but one record at least, when there is one). Only durable records are returned; at the head of the log there
// are none: wait for Changed. Numbers that were dropped or are damaged are left out, damage is reported by OnLoss.
//
// The disk is read without a lock. A Read that runs beside drops may miss what was dropped meanwhile.
func (l *Log) Read(from uint64, max, maxBytes int, dst []Entry) ([]Entry, error) {
	l.begin()
	for count := 0; count < max; {
		c, err := l.chunk(from, max-count, int64(maxBytes))
		if err != nil || len(c.recs) == 0 {
			return dst, err
		}
		n := len(dst)
		var again bool
		if dst, again, err = l.readChunk(&c, dst); err != nil {
			return dst[:n], err
		}
		if again {
			continue
		}
		count += len(dst) - n
		maxBytes -= int(c.end - c.start)
		from = c.seg.seq(c.recs[len(c.recs)-1]) + 1
		if maxBytes <= 0 {
			break
		}
	}
	return dst, nil
}

// chunk is what one ReadAt brings: records of one segment that lie one behind the other.
type chunk struct {
	seg        *segment
	recs       []rec
	start, end int64 // in the file
}

// chunk finds what to read. first is set when nothing has been found for this Read yet.
func (l *Log) chunk(from uint64, max int, maxBytes int64) (c chunk, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return c, err
	}
	for _, s := range l.segs {
		if s.end.Seq <= from {
			continue
		}
		i := s.find(from)
		j := i
		for j < len(s.recs) && j-i < max && s.seq(s.recs[j]) <= l.durable {
			if j > i && s.offsetOf(j+1)-int64(s.recs[i].off) > maxBytes {
				break
			}
			j++
		}
		if j > i {
			return chunk{s, s.recs[i:j:j], int64(s.recs[i].off), s.offsetOf(j)}, nil
		}
	}
	return c, nil
}

// readChunk appends the records of c to dst. again says that the segment was removed or replaced meanwhile, or that
// damage was taken out of it: look anew.
func (l *Log) readChunk(c *chunk, dst []Entry) (_ []Entry, again bool, err error) {
	buf := make([]byte, c.end-c.start)
	got, err := l.readFrom(c.seg, buf, c.start)
	if err != nil {
		return dst, l.isGone(c.seg), l.unlessGone(c.seg, err)
	}
	n := len(dst)
	var bad []uint64
	for _, r := range c.recs {
		seq := c.seg.seq(r)
		b := buf[min(int64(r.off)-c.start, int64(got)):got]
		h, err := checkedRecord(b, l.id, seq)
		if err != nil {
			bad = append(bad, seq)
			continue
		}
		payload := b[h.head():h.size():h.size()]
		dst = append(dst, Entry{seq, h.record(payload)})
	}
	if len(bad) == 0 {
		return dst, false, nil
	}
	if l.isGone(c.seg) {
		return dst[:n], true, nil
	}
	return dst[:n], true, l.damage(c.seg, bad)
}

// readFrom reads buf at off. A file that is missing or too short, or a disk that cannot read, is damage and no error: got
// is how much could be read.
func (l *Log) readFrom(s *segment, buf []byte, off int64) (got int, err error) {
	f, err := l.fs.Open(s.path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open segment %s: %w", s.path, err)
	}
	got, err = f.ReadAt(buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		got = readPages(f, buf, off)
	}
	if err := f.Close(); err != nil {
		return 0, fmt.Errorf("close segment %s: %w", s.path, err)
	}
	return got, nil
}

// readPages reads what a failing disk still gives, page by page, and leaves zeros in the place of the rest.
func readPages(f File, buf []byte, off int64) int {
	for at := 0; at < len(buf); {
		n := min(int(pageBytes-(off+int64(at))%pageBytes), len(buf)-at)
		if readFull(f, buf[at:at+n], off+int64(at)) != nil {
			clear(buf[at : at+n])
		}
		at += n
	}
	return len(buf)
}

func (l *Log) isGone(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.gone
}

func (l *Log) unlessGone(s *segment, err error) error {
	if l.isGone(s) {
		return nil
	}
	return err
}

// checkedRecord decodes the record that b begins with and checks number and payload.
func checkedRecord(b []byte, log, seq uint64) (recordHeader, error) {
	h, err := decodeRecordHeader(b, log)
	if err != nil {
		return h, err
	}
	if h.pos.Seq != seq {
		return h, errLength
	}
	if h.size() > int64(len(b)) {
		return h, errShort
	}
	if crc32.Checksum(b[h.head():h.size()], castagnoli) != h.payloadSum {
		return h, errChecksum
	}
	return h, nil
}

// damage takes records out of a segment that a Read could not get, and reports them once. Other readers may have been
// first.
func (l *Log) damage(s *segment, seqs []uint64) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	bad := make(map[uint64]bool, len(seqs))
	for _, seq := range seqs {
		bad[seq] = true
	}
	entries, holes := s.entries, []hole(nil)
	if s != l.active {
		var err error
		if entries, holes, err = l.contents(s); err != nil {
			holes = []hole{{from: s.header.base, to: s.end, first: s.header.until, last: s.until, why: err.Error()}}
		}
	}
	l.mu.Lock()
	if s.gone {
		l.mu.Unlock()
		return nil
	}
	holes = touched(holes, bad)
	left, taken := s.without(bad, holes)
	losses := l.lossesOf(among(entries, bad, holes), telemetry.CauseBufferDamage, s.base()+": fails its checksum")
	for i := range holes {
		losses = append(losses, l.lossesOfHole(&holes[i], s.base())...)
	}
	l.mu.Unlock()
	if len(losses) > 0 {
		if err := l.commitState(nil, losses); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.recs = left
	for _, seq := range taken {
		l.ackAll(seq, seq)
	}
	return nil
}

// touched returns the holes that hold one of the bad records.
func touched(holes []hole, bad map[uint64]bool) []hole {
	var out []hole
	for _, h := range holes {
		for seq := range bad {
			if h.holds(seq) {
				out = append(out, h)
				break
			}
		}
	}
	return out
}

func (h *hole) holds(seq uint64) bool { return h.from.Seq <= seq && seq < h.to.Seq }

func inHoles(holes []hole, seq uint64) bool {
	for i := range holes {
		if holes[i].holds(seq) {
			return true
		}
	}
	return false
}

// without returns the index of s without the bad records and without those in holes, and the numbers of these.
// Log.mu is held.
func (s *segment) without(bad map[uint64]bool, holes []hole) (left []rec, taken []uint64) {
	left = make([]rec, 0, len(s.recs))
	for _, r := range s.recs {
		if seq := s.seq(r); bad[seq] || inHoles(holes, seq) {
			taken = append(taken, seq)
		} else {
			left = append(left, r)
		}
	}
	return left, taken
}

// among returns the entries of the bad records that are in no hole.
func among(entries []entry, bad map[uint64]bool, holes []hole) []entry {
	var out []entry
	for i := range entries {
		if seq := entries[i].seq; bad[seq] && !inHoles(holes, seq) {
			out = append(out, entries[i])
		}
	}
	return out
}
