package quarantine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/telemetry"
)

func segments(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, segmentPrefix+"*"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A crash at any byte of the last append loses at most what was not acknowledged.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, nil)
	mustAdd(t, s, entry(1), entry(2))
	path := segments(t, dir)[0]
	before, _ := os.ReadFile(path)
	mustAdd(t, s, entry(3))
	whole, _ := os.ReadFile(path)
	for cut := len(before); cut < len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := mustOpen(t, dir, nil)
		if got := len(mustList(t, again, Filter{})); got != 2 {
			t.Fatalf("cut at %d: %d entries", cut, got)
		}
		mustAdd(t, again, entry(4))
		if got := len(mustList(t, again, Filter{})); got != 3 {
			t.Fatalf("cut at %d: %d entries after an append", cut, got)
		}
	}
}

// Any flipped byte costs at most the entry it is in (two when it was the newline between them), and is reported.
func TestFlippedByte(t *testing.T) {
	dir := t.TempDir()
	mustAdd(t, mustOpen(t, dir, nil), entry(1), entry(2), entry(3))
	path := segments(t, dir)[0]
	whole, _ := os.ReadFile(path)
	for i := range whole {
		bad := slices.Clone(whole)
		bad[i] ^= 0x41
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var gaps []telemetry.Gap
		s := mustOpen(t, dir, func(o *Options) { o.OnLoss = func(g telemetry.Gap) { gaps = append(gaps, g) } })
		left := mustList(t, s, Filter{})
		if len(left) < 1 {
			t.Fatalf("byte %d: only %d of 3 entries left", i, len(left))
		}
		if len(left) < 3 && len(gaps) == 0 && i < len(whole)-1 {
			t.Fatalf("byte %d: %d entries left and nothing reported", i, len(left))
		}
		for _, g := range gaps {
			if g.Server != "saw" || g.Cause != telemetry.CauseStore {
				t.Fatalf("byte %d: gap %+v", i, g)
			}
		}
		if now, _ := os.ReadFile(path); len(now) != len(bad) && i < len(whole)-1 {
			t.Fatalf("byte %d: damaged lines were removed", i)
		}
		if i%5 != 0 {
			continue
		}
		// A rewrite keeps what it cannot read.
		if _, err := s.Drop(left[0].ID); err != nil {
			t.Fatal(err)
		}
		if got := len(mustList(t, s, Filter{})); got != len(left)-1 {
			t.Fatalf("byte %d: %d entries after a drop of one of %d", i, got, len(left))
		}
	}
}

// The limit gives up the oldest entries, counts them exactly, and never grows by more than a segment.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	var lost int64
	s := mustOpen(t, dir, func(o *Options) {
		o.MaxBytes = minMaxBytes
		o.OnLoss = func(g telemetry.Gap) {
			if g.Count <= 0 || g.Server != "saw" || g.Group != "fast" || g.From > g.To {
				t.Errorf("gap %+v", g)
			}
			lost += g.Count
		}
	})
	for i := 0; i < 3000; i += 10 {
		var some []Entry
		for j := range 10 {
			some = append(some, entry(i+j))
		}
		mustAdd(t, s, some...)
		if i%100 == 0 {
			size := int64(0)
			for _, name := range segments(t, dir) {
				info, err := os.Stat(name)
				if err != nil {
					t.Fatal(err)
				}
				size += info.Size()
			}
			if size > minMaxBytes+minMaxBytes/segmentsPerLimit+10_000 {
				t.Fatalf("%d bytes on disk, limit %d", size, minMaxBytes)
			}
		}
	}
	left := mustList(t, s, Filter{})
	if lost == 0 || int(lost)+len(left) != 3000 {
		t.Errorf("%d lost + %d left, 3000 were added", lost, len(left))
	}
	if left[len(left)-1].ID != entry(2999).ID {
		t.Error("the newest entry is not there")
	}
	st, _ := s.Stat()
	if st.Lost.Samples != lost || st.Lost.Segments == 0 {
		t.Errorf("stat %+v, lost %d", st, lost)
	}
	// One Add that is larger than the limit keeps its newest part.
	var many []Entry
	for i := 3000; i < 6000; i++ {
		many = append(many, entry(i))
	}
	mustAdd(t, s, many...)
	left = mustList(t, s, Filter{})
	if int(lost)+len(left) != 6000 {
		t.Errorf("%d lost + %d left, 6000 were added", lost, len(left))
	}
}

var errDisk = errors.New("disk says no")

// Each operation of the disk fails once, at each place: nothing that was acknowledged is lost, what failed can be added
// again and is durable then.
func TestDiskFailures(t *testing.T) {
	half := func(f *os.File, b []byte) (int, error) {
		n, _ := f.Write(b[:len(b)/2])
		return n, errDisk
	}
	for name, broken := range map[string]func(*disk){
		"write": func(d *disk) { d.write = func(*os.File, []byte) (int, error) { return 0, errDisk } },
		"torn":  func(d *disk) { d.write = half },
		"torn and stuck": func(d *disk) {
			d.write = half
			d.truncate = func(*os.File, int64) error { return errDisk }
		},
		"sync": func(d *disk) { d.sync = func(*os.File) error { return errDisk } },
		"sync and stuck": func(d *disk) {
			d.sync = func(*os.File) error { return errDisk }
			d.truncate = func(*os.File, int64) error { return errDisk }
		},
		"rename":   func(d *disk) { d.rename = func(string, string) error { return errDisk } },
		"remove":   func(d *disk) { d.remove = func(string) error { return errDisk } },
		"sync dir": func(d *disk) { d.syncDir = func(string) error { return errDisk } },
	} {
		for _, before := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s after %d", name, before), func(t *testing.T) {
				dir := t.TempDir()
				s := mustOpen(t, dir, nil)
				want := make(map[string]bool)
				for i := range before {
					mustAdd(t, s, entry(i))
					want[entry(i).ID] = true
				}
				broken(&s.disk)
				_, addErr := s.Add(entry(10))
				_, dropErr := s.Drop(entry(0).ID)
				if addErr != nil && !errors.Is(addErr, errDisk) || dropErr != nil && !errors.Is(dropErr, errDisk) {
					t.Fatalf("add: %v, drop: %v", addErr, dropErr)
				}
				s.disk = realDisk()
				has, err := s.Has(entry(10).ID)
				if err != nil {
					t.Fatal(err)
				}
				if addErr != nil && has && name != "sync dir" {
					t.Error("an entry whose append failed counts as held")
				}
				if _, err := s.Add(entry(10), entry(11)); err != nil {
					t.Fatal(err)
				}
				want[entry(10).ID], want[entry(11).ID] = true, true
				if _, err := s.Drop(entry(0).ID); err != nil {
					t.Fatal(err)
				}
				delete(want, entry(0).ID)
				for _, s := range []*Store{s, mustOpen(t, dir, nil)} {
					got := make(map[string]bool)
					for _, e := range mustList(t, s, Filter{}) {
						got[e.ID] = true
					}
					if !maps.Equal(got, want) {
						t.Errorf("holds %v, want %v", got, want)
					}
				}
			})
		}
	}
}

// A segment of another version is left alone, and new entries go behind it.
func TestForeignVersion(t *testing.T) {
	dir := t.TempDir()
	b, err := appendSealed(nil, header{Kvarts: "quarantine", Version: Version + 1})
	if err != nil {
		t.Fatal(err)
	}
	foreign := slices.Concat(b, []byte("whatever follows\n"))
	if err := os.WriteFile(filepath.Join(dir, segmentName(7)), foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, nil)
	mustAdd(t, s, entry(1))
	if _, err := s.Drop(entry(2).ID); err != nil {
		t.Fatal(err)
	}
	if got := mustList(t, s, Filter{}); len(got) != 1 {
		t.Errorf("%d entries, want 1", len(got))
	}
	if now, _ := os.ReadFile(filepath.Join(dir, segmentName(7))); !bytes.Equal(now, foreign) {
		t.Error("the foreign segment was changed")
	}
	if st, _ := s.Stat(); st.Foreign != 1 || len(segments(t, dir)) != 2 {
		t.Errorf("stat %+v, segments %v", st, segments(t, dir))
	}
}

// What version 1 looks like on disk. A change here breaks the reading of what customers have.
func TestGolden(t *testing.T) {
	e := Entry{ID: "00112233445566778899aabb", At: 5, Reason: Refused, Destination: "d", Server: "s", Group: "g", Status: 400,
		Message: "m", Line: "a b=1 2", Samples: 1, First: 2, Last: 2, Retries: 1}
	b, err := sealedHeader()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = appendSealed(b, &e); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("encodes as\n%s\nwant\n%s", b, want)
	}
	lines, good, err := decodeSegment(want)
	if err != nil || good != len(want) || len(lines) != 1 || !lines[0].intact {
		t.Fatalf("decoded %d lines of %d bytes: %v", len(lines), good, err)
	}
	if diff := cmp.Diff(e, lines[0].entry); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecodeSegment(f *testing.F) {
	b, _ := sealedHeader()
	e := entry(1)
	b, _ = appendSealed(b, &e)
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, good, err := decodeSegment(b)
		if err != nil {
			if !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		if good < 0 || good > len(b) || good > 0 && b[good-1] != '\n' || bytes.IndexByte(b[good:], '\n') >= 0 {
			t.Fatalf("prefix of %d bytes of %d does not end in the last newline", good, len(b))
		}
		var kept []byte
		for i := range lines {
			kept = append(kept, lines[i].raw...)
			if !lines[i].intact {
				continue
			}
			again, err := appendSealed(nil, &lines[i].entry)
			if err != nil {
				t.Fatal(err)
			}
			back, _, err := decodeSegment(again)
			if err != nil || len(back) != 1 || !back[0].intact {
				t.Fatalf("an intact entry does not come back: %v", err)
			}
			x, _ := json.Marshal(lines[i].entry)
			y, _ := json.Marshal(back[0].entry)
			if !bytes.Equal(x, y) {
				t.Fatalf("an entry changed: %s, %s", x, y)
			}
		}
		if !bytes.HasSuffix(b[:good], kept) {
			t.Fatal("lines are not what stands in the segment")
		}
	})
}
