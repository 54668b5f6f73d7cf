package buffer

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"

	"kvarts/historian/telemetry"
)

// readFull fills b from off.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

const (
	windowBytes = 1 << 20
	// pageBytes is what a disk gives up at a time: where a read fails the scan goes on at the next page.
	pageBytes = 4096
)

// window reads a file front to back through one buffer.
type window struct {
	r    io.ReaderAt
	size int64
	off  int64 // of buf in the file
	buf  []byte
}

// at returns the n bytes at off. They are valid until the next call.
func (w *window) at(off int64, n int) ([]byte, error) {
	if off+int64(n) > w.size {
		return nil, io.ErrUnexpectedEOF
	}
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		if err := w.fill(off, n); err != nil {
			return nil, err
		}
	}
	return w.buf[off-w.off:][:n], nil
}

func (w *window) fill(off int64, n int) error {
	want := int(min(int64(max(n, windowBytes)), w.size-off))
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.off, w.buf = off, w.buf[:want]
	got, err := w.r.ReadAt(w.buf, off)
	if got >= n {
		w.buf = w.buf[:got]
		return nil
	}
	w.buf = w.buf[:0]
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// find returns the next offset at or behind off where a record or a footer may begin, or the size.
func (w *window) find(off int64) int64 {
	for off+4 <= w.size {
		n := int(min(windowBytes, w.size-off))
		b, err := w.at(off, n)
		if err != nil { // an unreadable page: try the rest page by page
			n = int(min(pageBytes-off%pageBytes, w.size-off))
			if b, err = w.at(off, n); err != nil {
				off += int64(n)
				continue
			}
		}
		i := bytes.Index(b, recordMark[:])
		if j := bytes.Index(b, footerMagic[:]); j >= 0 && (i < 0 || j < i) {
			i = j
		}
		if i >= 0 {
			return off + int64(i)
		}
		off += int64(max(n-3, 1)) // a mark may lie across the border
	}
	return w.size
}

// hole is a range of records that cannot be read.
type hole struct {
	from, to position          // [from, to): to.Cum - from.Cum samples
	known    *entry            // what it held, when the record's header or the footer survived
	groups   []groupSum        // what it held, when the header of the next segment says so
	first    telemetry.Instant // widest source times that it can have, from what is around it
	last     telemetry.Instant
	why      string
}

// scanned is what a scan of a whole segment finds.
type scanned struct {
	entries []entry  // whole records, Kind dropped included
	holes   []hole   // between and before them, in order; not behind the last
	end     position // behind the last whole or known record
	dataEnd int64    // where it ends in the file
	bad     int64    // bytes that are no record, before dataEnd
	tail    int64    // bytes behind dataEnd that are neither record nor footer
	torn    *entry   // record at dataEnd whose header is whole and whose payload is not
	whole   bool     // torn has all its bytes in the file
	footer  bool     // an intact footer follows dataEnd
	until   telemetry.Instant
	oldest  telemetry.Instant // the oldest of the groups' newest records: a lost record behind the end is not older
}

// scanner finds the records of a segment. It trusts nothing but checksums: behind anything that is not a whole record it
// goes on at the next one that is, and the numbers that each record carries say what is missing between them.
type scanner struct {
	w      window
	log    uint64
	base   uint64
	out    scanned
	recent map[groupKey]telemetry.Instant // published time of the newest record of each group
}

// scan reads a segment of the given size whose records begin at off with position base. until is the largest time of
// all records before. It does not fail: what cannot be read is damage.
func scan(r io.ReaderAt, size, off int64, log uint64, base position, until telemetry.Instant) scanned {
	s := scanner{w: window{r: r, size: size}, log: log, base: base.Seq, recent: map[groupKey]telemetry.Instant{}}
	s.out = scanned{end: base, dataEnd: off, until: until}
	for off < size {
		next, done := s.step(off)
		if done {
			return s.out
		}
		if next < 0 {
			next = s.w.find(off + 1)
		}
		off = next
	}
	s.out.tail = size - s.out.dataEnd
	s.out.oldest, _ = s.bounds()
	return s.out
}

// step looks at off. It returns where to go on; -1 when there is nothing at off; done at an intact footer.
func (s *scanner) step(off int64) (next int64, done bool) {
	h, err := s.header(off)
	if err != nil {
		return -1, s.footerAt(off)
	}
	if !s.follows(&h) {
		return -1, false
	}
	e := entryOf(&h, off)
	payload, err := s.w.at(off+h.head(), int(h.payload))
	if err != nil || crc32.Checksum(payload, castagnoli) != h.payloadSum {
		s.broken(off, &h, &e)
		return off + h.head(), false // not behind the payload: what stands there may be a record that took its place
	}
	s.accept(off, &h, e)
	return off + h.size(), false
}

func (s *scanner) header(off int64) (recordHeader, error) {
	b, err := s.w.at(off, recordSize)
	if err != nil {
		return recordHeader{}, err
	}
	n, err := recordHead(b)
	if err != nil {
		return recordHeader{}, err
	}
	if b, err = s.w.at(off, n); err != nil {
		return recordHeader{}, err
	}
	return decodeRecordHeader(b, s.log)
}

// follows says that h can come next: what an earlier life of the file left behind cannot.
func (s *scanner) follows(h *recordHeader) bool {
	end := s.out.end
	if t := s.out.torn; t != nil {
		end = position{t.seq + uint64(t.span), end.Cum + uint64(t.samples)}
	}
	if h.pos.Seq == end.Seq {
		return h.pos.Cum == end.Cum
	}
	return h.pos.Seq > end.Seq && h.pos.Cum >= end.Cum && h.pos.Seq-s.base < maxSegmentBytes
}

// broken remembers a record whose header is whole and whose payload is not. It is a hole when another record follows,
// else it is the torn end, and the caller decides.
func (s *scanner) broken(off int64, h *recordHeader, e *entry) {
	s.settleTorn()
	s.miss(h.pos, e.first)
	s.out.torn, s.out.whole = e, off+h.size() <= s.w.size
	s.out.bad += off - s.out.dataEnd
	s.out.dataEnd = off
}

// settleTorn makes a hole of the record that broken remembered.
func (s *scanner) settleTorn() {
	t := s.out.torn
	if t == nil {
		return
	}
	to := position{t.seq + uint64(t.span), s.out.end.Cum + uint64(t.samples)}
	s.out.holes = append(s.out.holes, hole{from: s.out.end, to: to, known: t, first: t.first, last: t.last, why: "payload fails its checksum"})
	s.out.end, s.out.torn = to, nil
}

func (s *scanner) accept(off int64, h *recordHeader, e entry) {
	s.settleTorn()
	s.miss(h.pos, max(h.published, h.first))
	s.out.bad += off - s.out.dataEnd
	s.out.entries = append(s.out.entries, e)
	s.out.end, s.out.dataEnd = h.next(), off+h.size()
	if h.kind == Data {
		s.recent[e.key] = max(h.published, h.last)
		s.out.until = max(s.out.until, h.published, h.last)
	}
}

// miss makes a hole of what is missing before the record at pos, whose times begin at next.
func (s *scanner) miss(pos position, next telemetry.Instant) {
	if pos.Seq <= s.out.end.Seq {
		return
	}
	h := hole{from: s.out.end, to: pos, why: "no record passes its checksum"}
	h.first, h.last = s.bounds()
	h.last = max(h.last, next)
	s.out.holes = append(s.out.holes, h)
	s.out.end = pos
}

// bounds are the times that a lost record of any group can have: not before the oldest of the groups' newest records.
func (s *scanner) bounds() (first, last telemetry.Instant) {
	first, last = s.out.until, s.out.until
	for _, t := range s.recent {
		first = min(first, t)
	}
	return first, last
}

func (s *scanner) footerAt(off int64) bool {
	b, err := s.w.at(off, 8)
	if err != nil || [4]byte(b) != footerMagic {
		return false
	}
	n := int64(le.Uint32(b[4:]))
	if n > maxFooterBytes || off+n != s.w.size {
		return false
	}
	if b, err = s.w.at(off, int(n)); err != nil {
		return false
	}
	f, err := decodeFooter(b, s.log, s.base)
	if err != nil {
		return false
	}
	s.settleTorn()
	s.miss(f.next, s.out.until)
	s.out.holes = explain(s.out.holes, f.entries)
	s.out.footer, s.out.bad = true, s.out.bad+off-s.out.dataEnd
	s.out.dataEnd = off
	return true
}

// explain replaces holes by what the footer's entries know of them, record by record.
func explain(holes []hole, entries []entry) []hole {
	var out []hole
	for _, h := range holes {
		if h.known != nil {
			out = append(out, h)
			continue
		}
		at := h.from
		for i := range entries {
			e := &entries[i]
			if e.seq != at.Seq || e.seq >= h.to.Seq {
				continue
			}
			to := position{e.seq + uint64(e.span), at.Cum + uint64(e.samples)}
			out = append(out, hole{from: at, to: to, known: e, first: e.first, last: e.last, why: h.why})
			at = to
		}
		if at.Seq < h.to.Seq {
			h.from = at
			out = append(out, h)
		}
	}
	return out
}
