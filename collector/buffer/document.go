package buffer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
)

// The small files (cursors, state) are documents: one line that says what it is, then JSON, so that a person can read
// them with cat.
//
//	kvarts buffer cursor 1 143 8c4be1d0
//	{"log":"…", …}
//
// The line holds kind, version, length of the JSON in bytes and the CRC32C of "kind version length" and the JSON.
const documentLine = "kvarts buffer %s %d %d %08x\n"

const maxDocument = 1 << 22

func documentSum(kind string, version int, body []byte) uint32 {
	crc := crc32.Checksum(fmt.Appendf(nil, "%s %d %d", kind, version, len(body)), castagnoli)
	return crc32.Update(crc, castagnoli, body)
}

func encodeDocument(kind string, version int, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, documentLine, kind, version, len(body), documentSum(kind, version, body)), body...), nil
}

// decodeDocument decodes the document at the front of b into v and returns what follows it. Checksum before version,
// as in decodeHeader.
func decodeDocument(b []byte, kind string, newest int, v any) (rest []byte, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || len(line) > 200 {
		return nil, errMagic
	}
	var gotKind string
	var version, length int
	var sum uint32
	if n, err := fmt.Sscanf(string(line), documentLine[:len(documentLine)-1], &gotKind, &version, &length, &sum); err != nil || n != 4 || gotKind != kind {
		return nil, errMagic
	}
	if length < 0 || length > maxDocument || version < 1 || version > math.MaxInt32 {
		return nil, errLength
	}
	if length > len(rest) {
		return nil, errShort
	}
	body := rest[:length]
	if documentSum(kind, version, body) != sum {
		return nil, errChecksum
	}
	if version > newest {
		return nil, &VersionError{Have: version, Max: newest}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	return rest[length:], nil
}

// readAll reads a small file.
func readAll(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name, false)
	if err != nil {
		return nil, err
	}
	b, err := readFile(f, maxDocument)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return b, err
}

func readFile(f File, limit int64) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, errLength
	}
	b := make([]byte, size)
	if err := readFull(f, b, 0); err != nil {
		return nil, err
	}
	return b, nil
}
