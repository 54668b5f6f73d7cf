package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// The facts of a slice are one text field: the base64 (RFC 4648 §4, without padding) of
//
//	version 1 | flags 1 | findings v | length v | revision v | computed v | count v | count × (code 2, value v) | CRC-32 4
//
// where v is a varint of encoding/binary (signed for computed and value) and the rest is little endian. One field of a
// machine's day is read three times as fast as fifty integer fields, and a slice that is written again replaces all of itself:
// of integer fields, those that became zero would keep their old value. A fact is named by a code made of its name in the
// ledger, so that the order of the ledger's fields may change.
const packVersion = 1

// The flags of packed facts.
const (
	flagPieces = 1 << iota // Facts.HasPieces
	flagEnergy             // Facts.HasEnergy
	flagsKnown = flagPieces | flagEnergy
)

// packedCap is more than any packed facts need.
const packedCap = 1 + 1 + 5*binary.MaxVarintLen64 + int(ledger.NumFields)*(2+binary.MaxVarintLen64) + crc32.Size

var (
	errPacked  = errors.New("facts are damaged")
	errVersion = errors.New("facts were written by another version of the historian")
)

// codeOf is the code that stands for a fact: the two halves of the FNV-1a hash of its name, folded.
func codeOf(k ledger.Field) uint16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.String())) // never fails
	s := h.Sum32()
	return uint16(s>>16) ^ uint16(s)
}

// codes translate between facts and their codes.
type codes struct {
	of    [ledger.NumFields]uint16
	field map[uint16]ledger.Field
}

func newCodes() *codes {
	c := &codes{field: make(map[uint16]ledger.Field, ledger.NumFields)}
	for k := range ledger.NumFields {
		c.of[k] = codeOf(k)
		c.field[c.of[k]] = k
	}
	return c
}

// head is what packed facts say of their slice besides the facts.
type head struct {
	length   uint64
	revision uint64
	computed telemetry.Instant
}

// pack encodes s. The error says which fact is no integer of 53 bits.
func (c *codes) pack(s *Slice) (string, error) {
	f := &s.Facts
	if err := f.Storable(); err != nil {
		return "", err
	}
	b := make([]byte, 0, packedCap)
	var flags byte
	if f.HasPieces {
		flags |= flagPieces
	}
	if f.HasEnergy {
		flags |= flagEnergy
	}
	b = append(b, packVersion, flags)
	b = binary.AppendUvarint(b, uint64(f.Findings))
	b = binary.AppendUvarint(b, uint64(s.To-s.From))
	b = binary.AppendUvarint(b, uint64(s.Revision))
	b = binary.AppendVarint(b, int64(s.ComputedAt))
	n := 0
	for i := range f.Sum {
		if !f.Sum[i].IsZero() {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for i := range f.Sum {
		if v, _ := f.Sum[i].Int64(); v != 0 {
			b = binary.LittleEndian.AppendUint16(b, c.of[i])
			b = binary.AppendVarint(b, v)
		}
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawStdEncoding.EncodeToString(b), nil
}

// unpack decodes text into f, which must be zero. Every error is of errPacked or errVersion.
func (c *codes) unpack(text string, f *ledger.Facts) (head, error) {
	var room [packedCap]byte
	if base64.RawStdEncoding.DecodedLen(len(text)) > len(room) {
		return head{}, fmt.Errorf("%w: %d characters", errPacked, len(text))
	}
	n, err := base64.RawStdEncoding.Decode(room[:], []byte(text))
	if err != nil {
		return head{}, fmt.Errorf("%w: %w", errPacked, err)
	}
	b := room[:n]
	if n < 2+crc32.Size || crc32.ChecksumIEEE(b[:n-crc32.Size]) != binary.LittleEndian.Uint32(b[n-crc32.Size:]) {
		return head{}, fmt.Errorf("%w: their checksum does not fit", errPacked)
	}
	if b[0] != packVersion || b[1]&^flagsKnown != 0 {
		return head{}, fmt.Errorf("%w: version %d, flags %#x", errVersion, b[0], b[1])
	}
	f.HasPieces, f.HasEnergy = b[1]&flagPieces != 0, b[1]&flagEnergy != 0
	return c.body(&reader{b: b[2 : n-crc32.Size]}, f)
}

// body decodes what follows the flags.
func (c *codes) body(r *reader, f *ledger.Facts) (head, error) {
	f.Findings = ledger.Findings(r.uvarint())
	h := head{length: r.uvarint(), revision: r.uvarint(), computed: telemetry.Instant(r.varint())}
	for range r.uvarint() {
		code, v := r.uint16(), r.varint()
		if r.bad {
			break
		}
		k, known := c.field[code]
		if !known {
			return head{}, fmt.Errorf("%w: no fact has the code %#04x", errVersion, code)
		}
		f.Sum[k] = exact.Int(v)
	}
	if r.bad || len(r.b) > 0 {
		return head{}, fmt.Errorf("%w: their length does not fit", errPacked)
	}
	return h, nil
}

// interval is that of a slice stored at the time at.
func (h head) interval(at telemetry.Instant) (v calendar.Interval, ok bool) {
	if h.revision > uint64(maxRevision) || h.length == 0 || h.length > uint64(maxSlice) {
		return v, false
	}
	v.From = at - telemetry.Instant(h.revision)
	v.To = v.From + telemetry.Instant(h.length)
	return v, v.To > v.From
}

// reader takes a text of bytes apart. Its first error sticks: then every method returns 0.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *reader) uint16() uint16 {
	if len(r.b) < 2 {
		r.skip(0)
		return 0
	}
	v := binary.LittleEndian.Uint16(r.b)
	r.skip(2)
	return v
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}
