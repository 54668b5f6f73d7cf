package buffer

import (
	"bytes"
	"fmt"
	"testing"
)

func fuzzSeeds(f *testing.F) {
	f.Helper()
	o := options(memDir)
	m := newFaultFS()
	o.FS, o.SegmentBytes = m, 2048
	l := mustOpen(f, o)
	fill(f, l, 24)
	mustAck(f, l, "main", 3, 5)
	mustClose(f, l)
	for _, b := range m.contents() {
		f.Add(b[:min(len(b), 3000)])
	}
}

// FuzzSegment feeds the scanner, and everything it relies on, with any bytes: no panic, no endless loop, nothing allocated
// that the bytes do not hold, and the numbers that come out are in order.
func FuzzSegment(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		file := &faultFile{newFaultFS(), &memFile{data: b}, "x"}
		h, err := readHeader(file)
		if err != nil {
			h = segmentHeader{length: 0, base: position{1, 0}}
			if id := 24; len(b) > id {
				h.log = le.Uint64(b[16:])
			}
			if r, ok := rescueHeader(file, int64(len(b)), h.log, 1); ok {
				h = r
			}
		}
		out := scan(file, int64(len(b)), int64(h.length), h.log, h.base, h.until)
		at := h.base
		for i := range out.entries {
			e := &out.entries[i]
			if e.seq < at.Seq || int64(e.off)+int64(e.length) > int64(len(b)) {
				t.Fatalf("entry %+v after %v", e, at)
			}
			at.Seq = e.seq + uint64(e.span)
		}
		if out.end.Seq < at.Seq {
			t.Fatalf("ends at %v, last record at %v", out.end, at)
		}
		if ft, _, err := readFooter(file, int64(len(b)), h.log, h.base.Seq); err == nil {
			again := encodeFooter(h.log, h.base.Seq, &ft)
			if _, err := decodeFooter(again, h.log, h.base.Seq); err != nil {
				t.Fatalf("a footer that was read cannot be written: %v", err)
			}
		}
	})
}

// FuzzSmallFiles feeds the decoders of cursor, state and mark: what they accept is written back the same.
func FuzzSmallFiles(f *testing.F) {
	fuzzSeeds(f)
	f.Add([]byte("kvarts buffer cursor 1 3 00000000\n{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := decodeCursor(b); err == nil {
			out, err := encodeDocument("cursor", cursorVersion, c)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := decodeCursor(out); err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
				t.Fatalf("%+v became %+v, %v", c, again, err)
			}
			set := rangeSet{low: c.Low}
			for _, r := range c.Beyond {
				set.add(r.From, r.To)
			}
		}
		if s, err := decodeState(b); err == nil {
			out, err := encodeDocument("state", stateVersion, s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decodeState(out); err != nil {
				t.Fatal(err)
			}
		}
		if id, p, err := decodeMark(b); err == nil && !bytes.Equal(encodeMark(id, p)[16:], b[16:]) {
			t.Fatalf("mark %x", b)
		}
	})
}
