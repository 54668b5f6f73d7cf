package quarantine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Version of the segment format that this code writes. It reads this one and no other.
const Version = 1

// crcBytes is the hexadecimal CRC32C and the blank before the JSON.
const crcBytes = 9

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrVersion is a segment written by another version of Kvarts. It is left alone.
var ErrVersion = errors.New("segment of another version")

var errDamaged = errors.New("damaged line")

type header struct {
	Kvarts  string `json:"kvarts"`
	Version int    `json:"version"`
}

// appendSealed appends the JSON of v behind its checksum, with a newline.
func appendSealed(dst []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, fmt.Errorf("encode quarantine entry: %w", err)
	}
	body := bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})
	dst = fmt.Appendf(dst, "%08x ", crc32.Checksum(body, castagnoli))
	dst = append(dst, body...)
	return append(dst, '\n'), nil
}

// sealedHeader is the first line of a segment.
func sealedHeader() ([]byte, error) {
	return appendSealed(nil, header{Kvarts: "quarantine", Version: Version})
}

// unseal checks one line, without its newline, and returns its JSON.
func unseal(line []byte) ([]byte, error) {
	if len(line) <= crcBytes || line[crcBytes-1] != ' ' {
		return nil, errDamaged
	}
	body := line[crcBytes:]
	want := fmt.Appendf(nil, "%08x", crc32.Checksum(body, castagnoli))
	if !bytes.Equal(want, line[:crcBytes-1]) {
		return nil, errDamaged
	}
	return body, nil
}

func decodeStrict(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return errDamaged
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errDamaged
	}
	return nil
}

// stored is one line of a segment as found.
type stored struct {
	entry  Entry
	raw    []byte // with its newline, verbatim
	intact bool   // false: entry is not set, raw could not be read
}

// decodeSegment reads a whole segment. good is the length of the prefix that ends in a newline: what follows is a torn
// tail. A line in the middle that cannot be read comes as not intact, and the next is tried. ErrVersion when the first
// line is intact and names another version.
func decodeSegment(b []byte) (lines []stored, good int, err error) {
	for first := true; good < len(b); first = false {
		n := bytes.IndexByte(b[good:], '\n')
		if n < 0 {
			return lines, good, nil
		}
		raw := b[good : good+n+1]
		good += n + 1
		body, err := unseal(raw[:n])
		if first && err == nil {
			switch isHeader, err := checkHeader(body); {
			case err != nil:
				return nil, 0, err
			case isHeader:
				continue
			}
		}
		s := stored{raw: raw}
		if err == nil && decodeStrict(body, &s.entry) == nil && s.entry.ID != "" {
			s.intact = true
		}
		lines = append(lines, s)
	}
	return lines, good, nil
}

func checkHeader(body []byte) (isHeader bool, err error) {
	var h header
	if json.Unmarshal(body, &h) != nil || h.Kvarts != "quarantine" {
		return false, nil
	}
	if h.Version != Version {
		return true, fmt.Errorf("version %d, this program reads %d: %w", h.Version, Version, ErrVersion)
	}
	return true, nil
}
