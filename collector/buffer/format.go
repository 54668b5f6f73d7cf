package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"kvarts/historian/telemetry"
)

// A segment file, `<first sequence, 16 hex digits>.seg`. All integers are little-endian, all checksums CRC32C. FORMAT.md
// has the same layout as tables; a test compares them with the constants below.
//
//	┌────────┬────────┬────────┬───┬────────┬────────┐
//	│ header │ record │ record │ … │ record │ footer │   the footer is written when the segment is closed
//	└────────┴────────┴────────┴───┴────────┴────────┘
//
//	header   0        4        6        8        12       16       24       32       40       48       56       64
//	         │ "KVSG" │version │ groups │ length │  CRC   │ log id │  base  │  cum   │created │previous│ until  │ group…
//	record   0        4        8        12       16       24       32       40       48       56       64
//	         │  mark  │ hdrCRC │ payCRC │ paylen │  seq   │  cum   │ first  │  last  │publish.│receivd.│
//	         64       68       72       76       77       78       79       80
//	         │samples │ lines  │  span  │  kind  │ class  │ srvlen │ grplen │ server, group, payload
//	footer   0        4        8        12       16       20       24       32       40       48       56
//	         │ "KVFT" │ length │  CRC   │ entries│ groups │    0   │  next  │ nextcum│ newest │ until  │ names, entries
//	         … -8     -4       0
//	         │ length │ "KVEN" │
//
// The checksums of records and footers begin with the 8 bytes of the log id, so that what an earlier log left in the
// disk's blocks never passes for a record of this one.
const (
	segmentVersion = 1

	headerSize     = 64      // without the groups
	maxHeaderBytes = 1 << 18 // with them: 256 groups with the longest names are 140 KB
	maxGroups      = 256     // more groups in one segment are summed up under an unknown name

	recordSize = 80 // without names and payload

	footerSize     = 56 // without names, entries and tail
	footerTail     = 8
	entrySize      = 48
	groupSize      = 36      // one group of a header, without names
	maxFooterBytes = 1 << 28 // 5 million records of one segment; offsets end at 4 GiB anyway

	maxSegmentBytes = 1 << 30 // offsets in memory and in the footer have 32 bits
)

var (
	segmentMagic = [4]byte{'K', 'V', 'S', 'G'}
	// recordMark begins each record. Its first byte is no text, so that it is rare in what people put into files.
	recordMark  = [4]byte{0xA5, 'K', 'V', 'R'}
	footerMagic = [4]byte{'K', 'V', 'F', 'T'}
	endMagic    = [4]byte{'K', 'V', 'E', 'N'}
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	le          = binary.LittleEndian
)

// Errors of decoding. All of them mean damage, except VersionError.
var (
	errMagic    = errors.New("magic number is wrong")
	errChecksum = errors.New("checksum is wrong")
	errShort    = errors.New("ends too early")
	errLength   = errors.New("length is out of range")
	errTrailing = errors.New("bytes left over")
)

// VersionError says that a file is of a version that this program does not know. It is an ErrVersion.
type VersionError struct {
	File string
	Have int // the file's
	Max  int // newest that this program reads
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has format version %d, this program knows versions up to %d: install the collector that wrote it "+
		"(or a newer one), or let that one deliver the buffer before going back; nothing was changed", e.File, e.Have, e.Max)
}

// Unwrap makes errors.Is(err, ErrVersion) true.
func (e *VersionError) Unwrap() error { return ErrVersion }

// dec reads little-endian fields off the front of b. The first failure sticks; the caller checks err once.
type dec struct {
	b   []byte
	err error
}

func (d *dec) take(n int) []byte {
	if d.err != nil || n > len(d.b) {
		if d.err == nil {
			d.err = errShort
		}
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *dec) u8() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *dec) u16() uint16 {
	if v := d.take(2); v != nil {
		return le.Uint16(v)
	}
	return 0
}

func (d *dec) u32() uint32 {
	if v := d.take(4); v != nil {
		return le.Uint32(v)
	}
	return 0
}

func (d *dec) u64() uint64 {
	if v := d.take(8); v != nil {
		return le.Uint64(v)
	}
	return 0
}

func (d *dec) instant() telemetry.Instant { return telemetry.Instant(d.u64()) }

func (d *dec) magic(want [4]byte) {
	if v := d.take(4); v != nil && [4]byte(v) != want {
		d.err = errMagic
	}
}

// end returns the sticky error, or errTrailing when something is left.
func (d *dec) end() error {
	if d.err == nil && len(d.b) > 0 {
		return errTrailing
	}
	return d.err
}

// position is a place in the log: the next record's number and how many samples all records before it hold.
type position struct {
	Seq uint64 `json:"seq"`
	Cum uint64 `json:"samples"`
}

// groupKey is whose samples a record holds.
type groupKey struct {
	server, group string
	kind          Kind
	known         bool // false: several groups, or nobody knows
}

// groupSum is what a segment holds of one group.
type groupSum struct {
	groupKey
	records, samples uint64
	first, last      telemetry.Instant
}

// segmentHeader is the decoded header of a segment.
type segmentHeader struct {
	length  int // bytes, groups included
	log     uint64
	base    position          // of the segment's first record
	created telemetry.Instant // log clock, see clock
	// previous is the first sequence number of the segment before, whose sum groups hold: if that one is lost, this
	// says what was in it. 0: none, or unknown.
	previous uint64
	groups   []groupSum
	until    telemetry.Instant // largest source or publish time of all records before
}

func appendNames(b []byte, server, group string) []byte {
	return append(append(b, server...), group...)
}

// encodeHeader encodes h, checksum included.
func encodeHeader(h *segmentHeader) []byte {
	b := slices.Clone(segmentMagic[:])
	b = le.AppendUint16(b, segmentVersion)
	b = le.AppendUint16(b, uint16(len(h.groups)))
	b = le.AppendUint64(b, 0) // length and checksum, below
	b = le.AppendUint64(b, h.log)
	b = le.AppendUint64(b, h.base.Seq)
	b = le.AppendUint64(b, h.base.Cum)
	b = le.AppendUint64(b, uint64(h.created))
	b = le.AppendUint64(b, h.previous)
	b = le.AppendUint64(b, uint64(h.until))
	for i := range h.groups {
		g := &h.groups[i]
		known := byte(0)
		if g.known {
			known = 1
		}
		b = append(b, byte(len(g.server)), byte(len(g.group)), byte(g.kind), known)
		for _, v := range [...]uint64{g.records, g.samples, uint64(g.first), uint64(g.last)} {
			b = le.AppendUint64(b, v)
		}
		b = appendNames(b, g.server, g.group)
	}
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[12:], headerSum(b))
	return b
}

func headerSum(e []byte) uint32 {
	return crc32.Update(crc32.Checksum(e[:12], castagnoli), castagnoli, e[16:])
}

// headerLength reads how long the header is that b, at least 16 bytes, begins with.
func headerLength(b []byte) (int, error) {
	if len(b) < 16 {
		return 0, errShort
	}
	if [4]byte(b) != segmentMagic {
		return 0, errMagic
	}
	n := le.Uint32(b[8:])
	if n < headerSize || n > maxHeaderBytes {
		return 0, errLength
	}
	return int(n), nil
}

// decodeHeader decodes b, the whole header. The checksum is looked at before the version, and stands at the same place
// in every version: so a flipped bit is damage, and only an intact header can be newer.
func decodeHeader(b []byte) (segmentHeader, error) {
	var h segmentHeader
	n, err := headerLength(b)
	if err != nil {
		return h, err
	}
	if n != len(b) {
		return h, errLength
	}
	if le.Uint32(b[12:]) != headerSum(b) {
		return h, errChecksum
	}
	if v := le.Uint16(b[4:]); v != segmentVersion {
		return h, &VersionError{Have: int(v), Max: segmentVersion}
	}
	h.length = n
	d := dec{b: b[6:]}
	groups := int(d.u16())
	d.take(8)
	h.log = d.u64()
	h.base = position{d.u64(), d.u64()}
	h.created = d.instant()
	h.previous = d.u64()
	h.until = d.instant()
	if groups > maxGroups {
		return h, errLength
	}
	for i := 0; i < groups && d.err == nil; i++ {
		h.groups = append(h.groups, d.group())
	}
	return h, d.end()
}

func (d *dec) group() (g groupSum) {
	server, group := int(d.u8()), int(d.u8())
	g.kind = Kind(d.u8())
	g.known = d.u8() == 1
	g.records, g.samples = d.u64(), d.u64()
	g.first, g.last = d.instant(), d.instant()
	g.server, g.group = string(d.take(server)), string(d.take(group))
	return g
}

// recordHeader is a record without its payload.
type recordHeader struct {
	payload    uint32 // length in bytes
	payloadSum uint32
	pos        position // seq of the record, cumulative samples before it
	samples    uint32
	lines      uint32
	// span is how many sequence numbers the record stands for: 1, or more for Kind dropped.
	span          uint32
	kind          Kind
	class         Class
	server, group string
	first, last   telemetry.Instant
	published     telemetry.Instant
	received      telemetry.Instant
}

// size is the length of the whole record in bytes.
func (h *recordHeader) size() int64 { return h.head() + int64(h.payload) }

// head is the length of header and names.
func (h *recordHeader) head() int64 { return recordSize + int64(len(h.server)) + int64(len(h.group)) }

// next is the position behind the record.
func (h *recordHeader) next() position {
	return position{h.pos.Seq + uint64(h.span), h.pos.Cum + uint64(h.samples)}
}

func headerOf(r *Record, at position) recordHeader {
	return recordHeader{
		payload: uint32(len(r.Payload)), payloadSum: crc32.Checksum(r.Payload, castagnoli), pos: at,
		samples: r.Samples, lines: r.Lines, span: 1, kind: r.Kind, class: r.Class, server: r.Server, group: r.Group,
		first: r.First, last: r.Last, published: r.Published, received: r.Received,
	}
}

func (h *recordHeader) record(payload []byte) Record {
	return Record{
		Kind: h.kind, Class: h.class, Server: h.server, Group: h.group, Samples: h.samples, Lines: h.lines,
		First: h.first, Last: h.last, Published: h.published, Received: h.received, Payload: payload,
	}
}

// appendRecord encodes h and payload.
func appendRecord(b []byte, log uint64, h *recordHeader, payload []byte) []byte {
	start := len(b)
	b = append(b, recordMark[:]...)
	b = le.AppendUint32(b, 0) // checksum, below
	b = le.AppendUint32(b, h.payloadSum)
	b = le.AppendUint32(b, h.payload)
	for _, v := range [...]uint64{h.pos.Seq, h.pos.Cum, uint64(h.first), uint64(h.last), uint64(h.published), uint64(h.received)} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, h.samples)
	b = le.AppendUint32(b, h.lines)
	b = le.AppendUint32(b, h.span)
	b = append(b, byte(h.kind), byte(h.class), byte(len(h.server)), byte(len(h.group)))
	b = appendNames(b, h.server, h.group)
	le.PutUint32(b[start+4:], seededSum(log, b[start+8:]))
	return append(b, payload...)
}

// seededSum is the checksum of the log id followed by b.
func seededSum(log uint64, b []byte) uint32 {
	var id [8]byte
	le.PutUint64(id[:], log)
	return crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, b)
}

// recordHead reads how long header and names are of the record that b, at least recordSize bytes, begins with.
func recordHead(b []byte) (int, error) {
	if len(b) < recordSize {
		return 0, errShort
	}
	if [4]byte(b) != recordMark {
		return 0, errMagic
	}
	if le.Uint32(b[12:]) > MaxPayloadBytes {
		return 0, errLength
	}
	return recordSize + int(b[78]) + int(b[79]), nil
}

// decodeRecordHeader decodes b, which begins with the record's header and names. The payload is not looked at.
func decodeRecordHeader(b []byte, log uint64) (recordHeader, error) {
	var h recordHeader
	n, err := recordHead(b)
	if err != nil {
		return h, err
	}
	if len(b) < n {
		return h, errShort
	}
	b = b[:n]
	if le.Uint32(b[4:]) != seededSum(log, b[8:]) {
		return h, errChecksum
	}
	d := dec{b: b[8:]}
	h.payloadSum, h.payload = d.u32(), d.u32()
	h.pos = position{d.u64(), d.u64()}
	h.first, h.last, h.published, h.received = d.instant(), d.instant(), d.instant(), d.instant()
	h.samples, h.lines, h.span = d.u32(), d.u32(), d.u32()
	h.kind, h.class = Kind(d.u8()), Class(d.u8())
	server, group := int(d.u8()), int(d.u8())
	h.server, h.group = string(d.take(server)), string(d.take(group))
	if h.span == 0 || h.pos.Seq == 0 || h.pos.Seq > math.MaxUint64-uint64(h.span) || h.kind > dropped {
		return h, errLength
	}
	return h, d.end()
}
