package worker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"kvarts/historian/telemetry"
)

// Tag is what must outlive a worker of one tag (one field of one series): its numbering within ticks and the type it
// was pinned to.
type Tag struct {
	telemetry.Track
	Type telemetry.Type
}

// Tracks is the memory of all tags of one server. It is made by the worker, kept on disk by the parent, and brought
// up to date from the buffer's tail (Replay) before a new worker gets it.
type Tracks struct {
	Server string
	Tags   map[string]*Tag // by TagKey
}

// TagKey names one tag: the escaped series key, a space, the field's name.
func TagKey(seriesKey, field string) string { return seriesKey + " " + field }

// Tag returns the memory of the tag named key, new if there was none.
func (t *Tracks) Tag(key string) *Tag {
	tag := t.Tags[key]
	if tag == nil {
		if t.Tags == nil {
			t.Tags = map[string]*Tag{}
		}
		tag = &Tag{}
		t.Tags[key] = tag
	}
	return tag
}

// Replay feeds back what one stored block holds. Blocks must come in the order in which they were stored.
func (t *Tracks) Replay(payload []byte) error {
	zr, err := gzip.NewReader(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("replay block of %s: %w", t.Server, err)
	}
	lines, err := io.ReadAll(io.LimitReader(zr, maxFrame*4))
	if err != nil {
		return fmt.Errorf("replay block of %s: %w", t.Server, err)
	}
	var line []byte
	for len(lines) > 0 {
		line, lines = telemetry.NextLine(lines)
		p, err := telemetry.ParseLine(line)
		if err != nil {
			return fmt.Errorf("replay block of %s: %w", t.Server, err)
		}
		t.restore(&p)
	}
	return nil
}

func (t *Tracks) restore(p *telemetry.Point) {
	var name string
	var value telemetry.Value
	var status telemetry.Status
	for _, f := range p.Fields {
		if base, ok := strings.CutSuffix(f.Name, telemetry.StatusSuffix); ok {
			name, status = base, telemetry.Status(f.Value.Int())
		} else {
			name, value = f.Name, f.Value
		}
	}
	tag := t.Tag(TagKey(p.Key, name))
	if value.Type() != telemetry.NoType {
		tag.Type = value.Type()
	}
	tag.Restore(p.Time, value, status)
}

// AppendBinary appends t:
//
//	len+server | tags 4 | tags × (key length 4 | key | type 1 | track)
//
// in the order of the keys, little endian.
func (t *Tracks) AppendBinary(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(append(dst, byte(len(t.Server))), t.Server...)
	dst = le.AppendUint32(dst, uint32(len(t.Tags)))
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		tag := t.Tags[key]
		dst = append(le.AppendUint32(dst, uint32(len(key))), key...)
		dst = append(dst, byte(tag.Type))
		dst = tag.Track.AppendBinary(dst)
	}
	return dst
}

var errTracks = errors.New("checkpoint of tags is damaged")

// ParseTracks reads what AppendBinary wrote and refuses anything else.
func ParseTracks(b []byte) (Tracks, error) {
	var t Tracks
	if len(b) == 0 || len(b) < 1+int(b[0])+4 {
		return t, errTracks
	}
	t.Server, b = string(b[1:1+b[0]]), b[1+b[0]:]
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	t.Tags = make(map[string]*Tag, min(int(n), len(b)/15)) // a tag takes at least 15 bytes
	for range n {
		if len(b) < 5 {
			return Tracks{}, errTracks
		}
		k := binary.LittleEndian.Uint32(b)
		b = b[4:]
		if uint64(len(b)) < uint64(k)+1 || b[k] > byte(telemetry.String) {
			return Tracks{}, errTracks
		}
		key, tag := string(b[:k]), &Tag{Type: telemetry.Type(b[k])}
		var err error
		if tag.Track, b, err = telemetry.UnmarshalTrack(b[k+1:]); err != nil {
			return Tracks{}, err
		}
		if t.Tags[key] != nil {
			return Tracks{}, errTracks
		}
		t.Tags[key] = tag
	}
	if len(b) != 0 {
		return Tracks{}, errTracks
	}
	return t, nil
}
