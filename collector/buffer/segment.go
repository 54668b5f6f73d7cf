package buffer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kvarts/historian/telemetry"
)

const (
	segmentSuffix = ".seg"
	tmpSuffix     = ".tmp"
	damagedSuffix = ".damaged"
	// maxSegmentRecords bounds a footer and what the newest segment holds in memory: with 16 MiB it is reached only
	// by records under 256 bytes.
	maxSegmentRecords = 1 << 16
)

// rec is what the log keeps in memory of each record: 16 bytes.
type rec struct {
	delta    uint32 // sequence number - segment.name
	off      uint32 // in the file
	received telemetry.Instant
}

// segment is one file of the log. Fields without a remark do not change after the segment has joined the log.
type segment struct {
	path   string
	name   uint64 // the sequence number in the file's name
	header segmentHeader

	// Guarded by Log.mu. recs grows at its end and is replaced when a record is taken out: a copy of the slice
	// header stays valid without the lock.
	recs    []rec
	end     position // behind the last record
	dataEnd int64    // behind the last record in the file
	size    int64    // of the file
	gone    bool     // removed or replaced: a reader that fails on it starts again
	// normal is how many Normal Data records it holds: what DropClass can take.
	normal int
	newest telemetry.Instant // log clock at the last append
	until  telemetry.Instant // largest time of all records up to here

	// Guarded by Log.wmu, only while the segment is the newest.
	file    File
	entries []entry
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", first, segmentSuffix))
}

// segmentNumber is the inverse of segmentPath for a name without directory.
func segmentNumber(name string) (uint64, bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 16 || strings.ToLower(hex) != hex {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	return n, err == nil && n > 0
}

// base is the file's name without directory, for people.
func (s *segment) base() string { return filepath.Base(s.path) }

// seq is the sequence number of r.
func (s *segment) seq(r rec) uint64 { return s.name + uint64(r.delta) }

// find returns the index of the first record with at least that number.
func (s *segment) find(seq uint64) int {
	i, _ := slices.BinarySearchFunc(s.recs, seq, func(r rec, seq uint64) int {
		if s.seq(r) < seq {
			return -1
		}
		return 1
	})
	return i
}

// index fills recs and normal from entries, leaving out what stands for dropped records and what is below from.
func (s *segment) index(entries []entry, from uint64) {
	s.recs, s.normal = make([]rec, 0, len(entries)), 0
	for i := range entries {
		if e := &entries[i]; e.key.kind != dropped && e.seq >= from {
			s.add(e)
		}
	}
}

func (s *segment) add(e *entry) {
	s.recs = append(s.recs, rec{uint32(e.seq - s.name), e.off, e.received})
	if e.normal() {
		s.normal++
	}
}

// offsetOf is where record i begins; behind the last one, where the data ends.
func (s *segment) offsetOf(i int) int64 {
	if i < len(s.recs) {
		return int64(s.recs[i].off)
	}
	return s.dataEnd
}

// readHeader reads the header of an open segment.
func readHeader(f File) (segmentHeader, error) {
	var fixed [16]byte
	if err := readFull(f, fixed[:], 0); err != nil {
		return segmentHeader{}, err
	}
	n, err := headerLength(fixed[:])
	if err != nil {
		return segmentHeader{}, err
	}
	b := make([]byte, n)
	if err := readFull(f, b, 0); err != nil {
		return segmentHeader{}, err
	}
	return decodeHeader(b)
}

// readFooter reads the footer of a closed segment of the given size. at is where it begins.
func readFooter(f File, size int64, log, name uint64) (ft footer, at int64, err error) {
	if size < headerSize+footerSize+footerTail {
		return ft, 0, errShort
	}
	var tail [footerTail]byte
	if err := readFull(f, tail[:], size-footerTail); err != nil {
		return ft, 0, err
	}
	n, err := footerLength(tail[:])
	if err != nil {
		return ft, 0, err
	}
	if n > size-headerSize {
		return ft, 0, errLength
	}
	b := make([]byte, n)
	if err := readFull(f, b, size-n); err != nil {
		return ft, 0, err
	}
	if ft, err = decodeFooter(b, log, name); err == nil {
		err = ft.fits(size - n)
	}
	return ft, size - n, err
}

// fits checks that the records lie one behind the other up to the footer: else bytes were lost or put in between, and only
// a scan finds the records.
func (f *footer) fits(end int64) error {
	for i := len(f.entries) - 1; i >= 0; i-- {
		e := &f.entries[i]
		if int64(e.off)+int64(e.length) != end {
			return errLength
		}
		end = int64(e.off)
	}
	return nil
}

// base is the position of the first record.
func (f *footer) base(first uint64) position {
	at := position{first, f.next.Cum}
	for i := range f.entries {
		at.Cum -= uint64(f.entries[i].samples)
	}
	return at
}

// rescueHeader makes a header for a segment whose own is damaged from its first whole record. ok is false when there is
// none.
func rescueHeader(f File, size int64, log, name uint64) (h segmentHeader, ok bool) {
	s := scanner{w: window{r: f, size: size}, log: log}
	for off := s.w.find(0); off < size; off = s.w.find(off + 1) {
		if r, err := s.header(off); err == nil && r.pos.Seq >= name && r.pos.Seq-name < maxSegmentBytes {
			return segmentHeader{length: int(off), log: log, base: r.pos, until: max(r.published, r.first)}, true
		}
	}
	return h, false
}

// contents returns what is known of each record of a segment that is not the newest: from its footer, else by scanning.
func (l *Log) contents(s *segment) ([]entry, []hole, error) {
	f, err := l.fs.Open(s.path, false)
	if err != nil {
		return nil, nil, fmt.Errorf("open segment %s: %w", s.path, err)
	}
	entries, holes := readContents(f, s, l.id)
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("close segment %s: %w", s.path, err)
	}
	return entries, holes, nil
}

func readContents(f File, s *segment, log uint64) ([]entry, []hole) {
	if ft, _, err := readFooter(f, s.size, log, s.name); err == nil {
		return ft.entries, nil
	}
	out := scan(f, s.size, int64(s.header.length), log, s.header.base, s.header.until)
	out.missing(s.end, s.until)
	return out.entries, out.holes
}

// missing makes holes of what should be behind the last whole record, up to end. until is the largest time before end.
func (out *scanned) missing(end position, until telemetry.Instant) {
	if t := out.torn; t != nil && t.seq+uint64(t.span) <= end.Seq {
		h := tornHole(out)
		out.holes, out.end, out.torn = append(out.holes, h), h.to, nil
	}
	if out.end.Seq < end.Seq {
		out.holes = append(out.holes, hole{from: out.end, to: end, first: out.oldest, last: max(out.until, until), why: "no record passes its checksum"})
		out.end = end
	}
}

// tornHole is the hole that the torn record at the end of a scan leaves when it has to count.
func tornHole(out *scanned) hole {
	t := out.torn
	to := position{t.seq + uint64(t.span), out.end.Cum + uint64(t.samples)}
	return hole{from: out.end, to: to, known: t, first: t.first, last: t.last, why: "payload fails its checksum"}
}
