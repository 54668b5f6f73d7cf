package forward

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"

	"kvarts/collector/buffer"
	"kvarts/historian/telemetry"
)

// maxRecordRaw bounds what one record may become when it is decompressed: 32 MiB of payload never hold as much.
const maxRecordRaw = 256 << 20

// size of a set.
type size struct {
	lines int
	bytes int64 // compressed
	raw   int64 // uncompressed; of whole records as their gzip trailer says
}

// line is one line of a record that was taken apart.
type line struct {
	rec  *buffer.Entry
	text []byte // without its newline
}

// set is what one request carries: records as they are stored, and lines of others.
type set struct {
	whole []*buffer.Entry
	loose []line
	gz    []byte // loose as a gzip member, once it was needed
	z     size
}

func newSet(whole []*buffer.Entry, loose []line) *set {
	s := &set{whole: whole, loose: loose}
	for _, r := range whole {
		s.z.lines += int(r.Lines)
		s.z.bytes += int64(len(r.Payload))
		s.z.raw += rawSize(r.Payload)
	}
	s.z.lines += len(loose)
	for _, l := range loose {
		s.z.raw += int64(len(l.text)) + 1
	}
	s.z.bytes += looseBytes(loose)
	return s
}

// looseBytes estimates the compressed size of loose lines, before they are.
func looseBytes(loose []line) (n int64) {
	for _, l := range loose {
		n += int64(len(l.text)) + 1
	}
	return n / 4
}

// rawSize reads the length of the uncompressed data, modulo 2^32, from the trailer of a gzip member (RFC 1952 §2.3.1).
func rawSize(member []byte) int64 {
	if len(member) < 18 {
		return int64(len(member))
	}
	return int64(binary.LittleEndian.Uint32(member[len(member)-4:]))
}

// empty says that there is nothing to send.
func (s *set) empty() bool { return len(s.whole) == 0 && len(s.loose) == 0 }

// single says that s is one line.
func (s *set) single() bool { return len(s.whole) == 0 && len(s.loose) == 1 }

// members returns the gzip members to send.
func (s *set) members() ([][]byte, error) {
	out := make([][]byte, 0, len(s.whole)+1)
	for _, r := range s.whole {
		out = append(out, r.Payload)
	}
	if len(s.loose) > 0 {
		if s.gz == nil {
			gz, err := compress(s.loose)
			if err != nil {
				return nil, err
			}
			s.gz = gz
		}
		out = append(out, s.gz)
	}
	return out, nil
}

// halves cuts s in two, records first. ok is false when s is one line, or one record: take it apart first.
func (s *set) halves() (a, b *set, ok bool) {
	switch {
	case len(s.whole) > 1:
		m := len(s.whole) / 2
		return newSet(s.whole[:m], nil), newSet(s.whole[m:], s.loose), true
	case len(s.whole) == 1 && len(s.loose) > 0:
		return newSet(s.whole, nil), newSet(nil, s.loose), true
	case len(s.loose) > 1:
		m := len(s.loose) / 2
		return newSet(nil, s.loose[:m]), newSet(nil, s.loose[m:]), true
	}
	return nil, nil, false
}

var gzipWriters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is valid
	return z
}}

func compress(lines []line) ([]byte, error) {
	var buf bytes.Buffer
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(&buf)
	var raw []byte
	for _, l := range lines {
		raw = append(append(raw, l.text...), '\n')
	}
	_, err := z.Write(raw)
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("compress %d lines: %w", len(lines), err)
	}
	return buf.Bytes(), nil
}

// takeApart decompresses a record into its lines. An error means that no store can read the record either.
func takeApart(r *buffer.Entry) ([]line, error) {
	raw, err := decompress(r.Payload, maxRecordRaw)
	if err != nil {
		return nil, fmt.Errorf("decompress record %d: %w", r.Seq, err)
	}
	lines := make([]line, 0, r.Lines)
	for len(raw) > 0 {
		var text []byte
		text, raw = telemetry.NextLine(raw)
		if bytes.IndexByte(text, '\n') >= 0 {
			if _, err := telemetry.ParseLine(text); err != nil {
				// A quotation mark without its partner swallowed the lines behind it: cut at every newline instead.
				for part := range bytes.SplitSeq(text, []byte{'\n'}) {
					lines = appendLine(lines, r, part)
				}
				continue
			}
		}
		lines = appendLine(lines, r, text)
	}
	return lines, nil
}

func appendLine(lines []line, r *buffer.Entry, text []byte) []line {
	if len(text) == 0 {
		return lines
	}
	return append(lines, line{rec: r, text: text})
}

var errTooLong = errors.New("longer than any record can be")

func decompress(member []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(member))
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if n := rawSize(member); n > 0 && n < limit && n < 1100*int64(len(member)) { // deflate cannot do better than 1:1032
		buf.Grow(int(n) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, errTooLong
	}
	return buf.Bytes(), nil
}

// samples is how many machine samples the line is: one, unless it tells about the collector itself.
func (l line) samples() int {
	if l.rec.Kind != buffer.Data {
		return 0
	}
	if l.rec.Samples == l.rec.Lines {
		return 1
	}
	key, _, _ := bytes.Cut(l.text, []byte{','})
	if slices.Contains(ownMeasurements, string(key)) {
		return 0
	}
	return 1
}

// ownMeasurements are what Kvarts says of itself; these may stand between samples in one record.
var ownMeasurements = []string{telemetry.GapMeasurement, "alive", "collector"}
