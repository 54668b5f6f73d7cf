package buffer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

// tables parses FORMAT.md: heading → offset of each field, and the text behind it.
func tables(t *testing.T) map[string][]tableRow {
	t.Helper()
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^\| (\d+) \| (\d*) \| (.*) \|$`)
	out, heading := map[string][]tableRow{}, ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "### "); ok {
			heading = h
		}
		if m := row.FindStringSubmatch(line); m != nil {
			off, _ := strconv.Atoi(m[1])
			n, _ := strconv.Atoi(m[2])
			out[heading] = append(out[heading], tableRow{off, n, m[3]})
		}
	}
	return out
}

type tableRow struct {
	off, n int
	text   string
}

// TestFormatPage compares FORMAT.md with the code: each table has no hole, ends where the code says that the fixed part
// ends, and each of its fields holds what an encoded example has there.
func TestFormatPage(t *testing.T) {
	const id = 0x1122334455667788
	h := segmentHeader{log: id, base: position{3, 4}, created: 5, previous: 6, until: 7, groups: []groupSum{{groupKey: groupKey{"srv", "group", Meta, true}, records: 8, samples: 9, first: 10, last: 11}}}
	header := encodeHeader(&h)
	rh := recordHeader{payload: 3, payloadSum: 4, pos: position{5, 6}, first: 7, last: 8, published: 9, received: 10, samples: 11, lines: 12, span: 13, kind: Meta, class: Keep, server: "srv", group: "group"}
	record := appendRecord(nil, id, &rh, []byte("abc"))
	e := entry{seq: 103, off: 4, samples: 5, span: 6, length: 7, key: groupKey{"srv", "group", Meta, true}, class: Keep, first: 8, last: 9, received: 10}
	footer := encodeFooter(id, 100, &footer{next: position{3, 4}, newest: 5, until: 6, entries: []entry{e}})
	mark := encodeMark(id, position{3, 4})
	anything := uint64(0xDEADBEEF)
	f := func(name string, size int, b []byte, want ...any) {
		t.Helper()
		rows := tables(t)[name]
		at := 0
		for i, r := range rows {
			if r.off != at {
				t.Errorf("%s: %q is at %d, want %d", name, r.text, r.off, at)
			}
			at += r.n
			if r.n == 0 {
				continue
			}
			if i >= len(want) {
				t.Fatalf("%s: the page has %d fields, the test %d", name, len(rows), len(want))
			}
			got := b[r.off : r.off+r.n]
			switch w := want[i].(type) {
			case string:
				if string(got) != w || !strings.Contains(r.text, strings.TrimPrefix(w, "\xA5")) {
					t.Errorf("%s: %q holds %q, want %q", name, r.text, got, w)
				}
			case int:
				if n := le.Uint64(append(slices.Clone(got), make([]byte, 8)...)); n != uint64(w) {
					t.Errorf("%s: %q holds %d, want %d", name, r.text, n, w)
				}
			case uint64: // anything
			}
		}
		if at != size {
			t.Errorf("%s: the page has %d bytes, the code %d", name, at, size)
		}
	}
	f("Segment header", headerSize, header, "KVSG", segmentVersion, 1, len(header), anything, id, 3, 4, 5, 6, 7)
	f("Group of a segment header", groupSize, header[headerSize:], 3, 5, int(Meta), 1, 8, 9, 10, 11)
	f("Record", recordSize, record, "\xA5KVR", anything, 4, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, int(Meta), int(Keep), 3, 5)
	f("Segment footer", footerSize, footer, "KVFT", len(footer), anything, 1, 1, 0, 3, 4, 5, 6)
	f("Entry of a segment footer", entrySize, footer[footerSize+2+8:], 3, 4, 5, 6, 7, 0, int(Meta), int(Keep), 8, 9, 10)
	f("Mark", markSize, mark, "KVMK", markVersion, 0, anything, 0, id, 3, 4)
	if len(record) != recordSize+8+3 || len(footer) != footerSize+2+8+entrySize+footerTail || len(header) != headerSize+groupSize+8 {
		t.Errorf("encoded sizes: record %d, footer %d, header %d", len(record), len(footer), len(header))
	}
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"`" + stateName + "`", "`" + markName + "`", "`" + lockName + "`", damagedSuffix, segmentSuffix, cursorPrefix, string(endMagic[:]), fmt.Sprintf("%d KiB", stateSlot>>10), fmt.Sprintf("%d MiB", MaxPayloadBytes>>20), fmt.Sprintf("%d bytes, written", markSector)} {
		if !strings.Contains(string(page), want) {
			t.Errorf("FORMAT.md does not say %q", want)
		}
	}
}

// TestNewerVersions: each file of a newer version keeps the log from opening, names itself and the remedy, and nothing is
// changed.
func TestNewerVersions(t *testing.T) {
	_, files := hurtable(t, 30, true)
	f := func(name string, change func(b []byte) []byte) {
		t.Run(name, func(t *testing.T) {
			changed := maps.Clone(files)
			changed[name] = change(slices.Clone(files[name]))
			m := disk(changed)
			o, _ := inMemory()
			o.FS = m
			_, err := Open(t.Context(), o.Options)
			if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "install the collector that wrote it") {
				t.Errorf("err %v", err)
			}
			after := m.contents()
			delete(after, lockName)
			delete(changed, lockName)
			if !maps.EqualFunc(changed, after, bytes.Equal) {
				t.Error("files were changed")
			}
			if len(m.locks) > 0 {
				t.Error("still locked")
			}
		})
	}
	f(segmentFiles(files)[1], func(b []byte) []byte {
		b[4] = 2
		n, _ := headerLength(b)
		le.PutUint32(b[12:], headerSum(b[:n]))
		return b
	})
	newer := func(kind string) func(b []byte) []byte {
		return func(b []byte) []byte {
			doc, err := encodeDocument(kind, 2, map[string]string{"new": "thing"})
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > len(doc) {
				copy(b, doc)
				return b
			}
			return doc
		}
	}
	f(stateName, newer("state"))
	f(cursorName("main"), newer("cursor"))
	f(markName, func(b []byte) []byte {
		b[4] = 2
		le.PutUint32(b[8:], markSum(b[:markSize]))
		return b
	})
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Custom(func(t *rapid.T) telemetry.Instant { return telemetry.Instant(rapid.Int64().Draw(t, "i")) })
		name := rapid.StringN(-1, -1, MaxNameBytes)
		r := Record{
			Kind: Kind(rapid.IntRange(0, 1).Draw(t, "kind")), Class: Class(rapid.IntRange(0, 1).Draw(t, "class")), Server: name.Draw(t, "server"), Group: name.Draw(t, "group"),
			Samples: rapid.Uint32().Draw(t, "samples"), Lines: rapid.Uint32().Draw(t, "lines"), First: instant.Draw(t, "first"), Last: instant.Draw(t, "last"),
			Published: instant.Draw(t, "published"), Received: instant.Draw(t, "received"), Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
		}
		id, at := rapid.Uint64().Draw(t, "log"), position{rapid.Uint64Range(1, 1<<60).Draw(t, "seq"), rapid.Uint64().Draw(t, "cum")}
		h := headerOf(&r, at)
		b := appendRecord([]byte("xx"), id, &h, r.Payload)[2:]
		got, err := checkedRecord(b, id, at.Seq)
		if err != nil || got != h || int64(len(b)) != h.size() {
			t.Fatalf("%+v became %+v, %v", h, got, err)
		}
		if back := got.record(b[got.head():]); !equalRecord(&back, &r) {
			t.Fatalf("%v became %v", r, back)
		}
		if _, err := checkedRecord(b, id+1, at.Seq); err == nil {
			t.Fatal("passes for a record of another log")
		}
	})
}

func TestSumOfManyGroups(t *testing.T) {
	var entries []entry
	for i := range 1000 {
		entries = append(entries, entry{samples: 2, span: 1, key: groupKey{"s", fmt.Sprint(i), Kind(i % 2), true}, first: telemetry.Instant(i + 1), last: telemetry.Instant(i + 2)})
	}
	sums := sum(entries)
	var records, samples uint64
	for _, g := range sums {
		records, samples = records+g.records, samples+g.samples
	}
	h := segmentHeader{groups: sums}
	b := encodeHeader(&h)
	back, err := decodeHeader(b)
	if len(sums) > maxGroups || records != 1000 || samples != 2000 || err != nil || len(b) > maxHeaderBytes || len(back.groups) != len(sums) {
		t.Errorf("%d groups, %d records, %d samples, %d bytes, %v", len(sums), records, samples, len(b), err)
	}
}

// TestDamagedDirectoryIsVerified: Verify names what Open would find, and changes nothing.
func TestDamagedDirectoryIsVerified(t *testing.T) {
	_, files := hurtable(t, 60, true)
	segs := segmentFiles(files)
	files[segs[1]][find(files[segs[1]], 2)+recordSize+30] ^= 1
	delete(files, segs[3])
	clear(files[segs[5]][:20])
	m := disk(files)
	r, err := verify(m, memDir)
	if err != nil || r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	var all []string
	for _, s := range r.Segments {
		for _, d := range s.Damage {
			all = append(all, fmt.Sprintf("%s %d-%d %s", s.Name, d.From, d.To, d.Why))
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{segs[1] + " 13-13 payload fails", segs[4], "segment is missing before", segs[5], "header: "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q not in\n%s", want, text)
		}
	}
	if !maps.EqualFunc(files, m.contents(), bytes.Equal) {
		t.Error("verify changed files")
	}
	var out bytes.Buffer
	if err := dump(m, memDir, &out, DumpOptions{}); err != nil || strings.Count(out.String(), "\n") != int(r.Records) {
		t.Errorf("dump of a damaged directory: %v, %d lines of %d", err, strings.Count(out.String(), "\n"), r.Records)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if _, err := Verify(filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("a missing directory is fine")
	}
}
