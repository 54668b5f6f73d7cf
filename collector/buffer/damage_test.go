package buffer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"kvarts/historian/telemetry"
)

const memDir = "/log"

// inMemory returns options for a log on the test double.
func inMemory() (setup, *faultFS) {
	m := newFaultFS()
	o := options(memDir)
	o.FS = m
	o.SegmentBytes = 2048
	return o, m
}

// files returns a copy of the contents of all files, by name without directory.
func (m *faultFS) contents() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]byte{}
	for name, f := range m.files {
		out[strings.TrimPrefix(name, memDir+"/")] = slices.Clone(f.data)
	}
	return out
}

// disk makes a file system that holds files.
func disk(files map[string][]byte) *faultFS {
	m := newFaultFS()
	for name, b := range files {
		f := &memFile{data: slices.Clone(b), synced: slices.Clone(b)}
		m.files[memDir+"/"+name] = f
		m.durable[memDir+"/"+name] = f
	}
	return m
}

func segmentFiles(files map[string][]byte) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(n string) bool { _, ok := segmentNumber(n); return !ok })
}

// readHurt opens a log on files, reads all of it, and returns what was read and lost.
func readHurt(t testing.TB, files map[string][]byte) (got []Entry, losses []Loss, rec Recovery, after *faultFS) {
	t.Helper()
	m := disk(files)
	o, _ := inMemory()
	o.FS = m
	l := mustOpen(t, o)
	got = mustReadAll(t, l)
	again := mustReadAll(t, l)
	if !slices.Equal(seqs(again), seqs(got)) {
		t.Fatalf("second read gives %v, first gave %v", seqs(again), seqs(got))
	}
	l.mu.Lock()
	want := len(l.losses)
	l.mu.Unlock()
	eventually(t, "losses reported", func() bool { return len(o.ledger.all()) >= want })
	mustClose(t, l)
	return got, o.ledger.all(), l.Recovery(), m
}

// written to a log that is closed well, or killed.
func hurtable(t testing.TB, n int, clean bool) (written, map[string][]byte) {
	t.Helper()
	o, m := inMemory()
	l := mustOpen(t, o)
	w := fill(t, l, n)
	if clean {
		mustClose(t, l)
		return w, m.contents()
	}
	files := m.kill().contents()
	mustClose(t, l)
	return w, files
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean=%v", clean), func(t *testing.T) {
			t.Parallel()
			w, files := hurtable(t, 14, clean)
			for _, name := range slices.Sorted(maps.Keys(files)) {
				if name == lockName {
					continue
				}
				data := files[name]
				if name == stateName { // mostly zeros
					data = data[:2*stateSlot]
				}
				step := 1
				if testing.Short() {
					step = 11
				}
				for i := 0; i < len(data); i += step {
					if name == stateName && i%stateSlot > 400 {
						continue
					}
					bit := byte(1) << (i % 8)
					data[i] ^= bit
					got, losses, _, _ := readHurt(t, files)
					if err := w.balance(got, losses); err != nil {
						t.Fatalf("%s byte %d ^ %#x: %v", name, i, bit, err)
					}
					if len(got) < 13 {
						t.Fatalf("%s byte %d ^ %#x: only %d of 14 records are left: %+v", name, i, bit, len(got), losses)
					}
					data[i] ^= bit
				}
			}
		})
	}
}

func TestDamage(t *testing.T) {
	type disc = map[string][]byte
	// hurt returns how many of the 60 records are to be lost.
	f := func(name string, clean bool, hurt func(files disc, segs []string) int, wantFinding string) {
		t.Helper()
		t.Run(fmt.Sprintf("%s/clean=%v", name, clean), func(t *testing.T) {
			w, files := hurtable(t, 60, clean)
			segs := segmentFiles(files)
			if len(segs) < 5 {
				t.Fatalf("only %d segments", len(segs))
			}
			wantLost := hurt(files, segs)
			got, losses, rec, after := readHurt(t, files)
			w.account(t, got, losses)
			if len(got) != 60-wantLost {
				t.Errorf("%d records read, want %d", len(got), 60-wantLost)
			}
			if all := strings.Join(rec.Findings, "\n"); !strings.Contains(all, wantFinding) {
				t.Errorf("findings %q, want %q in them", all, wantFinding)
			}
			// Opened again, nothing is reported twice, and what was read is still there.
			got2, losses2, _, _ := readHurt(t, after.contents())
			if !slices.Equal(seqs(got2), seqs(got)) {
				t.Errorf("second open reads %v, first %v", seqs(got2), seqs(got))
			}
			for i := range losses2 {
				if !slices.ContainsFunc(losses, func(x Loss) bool {
					return x.same(&losses2[i]) && x.Last == losses2[i].Last && x.Samples == losses2[i].Samples
				}) {
					t.Errorf("second open reports a new loss %+v", losses2[i])
				}
			}
		})
	}
	for _, clean := range []bool{true, false} {
		f("nothing", clean, func(disc, []string) int { return 0 }, "")
		f("middle segment deleted", clean, func(d disc, s []string) int { delete(d, s[2]); return held(s, 2) }, "segment is missing")
		f("first segment deleted", clean, func(d disc, s []string) int { delete(d, s[0]); return held(s, 0) }, "segment is missing")
		f("two segments deleted", clean, func(d disc, s []string) int {
			delete(d, s[1])
			delete(d, s[2])
			return held(s, 1) + held(s, 2)
		}, "segment is missing")
		f("all segments deleted", clean, func(d disc, s []string) int {
			for _, n := range s {
				delete(d, n)
			}
			return 60
		}, "missing")
		f("middle segment empty", clean, func(d disc, s []string) int { d[s[2]] = nil; return held(s, 2) }, ".damaged")
		f("middle segment zeroed", clean, func(d disc, s []string) int { clear(d[s[2]]); return held(s, 2) }, ".damaged")
		f("half a segment zeroed", clean, func(d disc, s []string) int { clear(d[s[2]][find(d[s[2]], 4):]); return held(s, 2) - 4 }, "")
		f("a record zeroed", clean, func(d disc, s []string) int { at := find(d[s[1]], 3); clear(d[s[1]][at : at+100]); return 1 }, "")
		f("bytes cut out", clean, func(d disc, s []string) int {
			d[s[1]] = slices.Delete(d[s[1]], find(d[s[1]], 3), find(d[s[1]], 4))
			return 1
		}, "")
		f("bytes put in", clean, func(d disc, s []string) int {
			d[s[1]] = slices.Insert(d[s[1]], find(d[s[1]], 3), []byte("something else")...)
			return 0
		}, "")
		f("segment truncated", clean, func(d disc, s []string) int { d[s[1]] = d[s[1]][:find(d[s[1]], 3)+20]; return held(s, 1) - 3 }, "")
		f("header zeroed", clean, func(d disc, s []string) int { clear(d[s[2]][:headerSize]); return 0 }, "its records are used")
		f("first records zeroed", clean, func(d disc, s []string) int { clear(d[s[2]][:find(d[s[2]], 2)]); return 2 }, "its records are used")
		f("header and footer zeroed", clean, func(d disc, s []string) int {
			clear(d[s[2]][:headerSize])
			clear(d[s[2]][len(d[s[2]])-footerOf(d[s[2]]):])
			return 0
		}, "its records are used")
		f("copy with another number", clean, func(d disc, s []string) int { d["00000000000fffff.seg"] = d[s[2]]; return 0 }, "is a copy of 0000")
		f("copies with other names", clean, func(d disc, s []string) int {
			d[s[2]+".bak"], d["Copy of "+s[2]], d["0000000000000001.SEG"] = d[s[2]], d[s[2]], d[s[2]]
			return 0
		}, "")
		f("stray tmp files", clean, func(d disc, s []string) int {
			d[s[1]+tmpSuffix], d[cursorName("main")+tmpSuffix], d["notes.tmp"] = []byte("x"), []byte("y"), []byte("z")
			return 0
		}, "removed, was being written")
		f("records of another log", clean, func(d disc, s []string) int { d["00000000000fffff.seg"] = foreign(0xfffff); return 0 }, "is of log")
		f("state lost", clean, func(d disc, s []string) int { delete(d, stateName); return 0 }, "")
		f("state damaged", clean, func(d disc, s []string) int { d[stateName] = bytes.Repeat([]byte{7}, 2*stateSlot); return 0 }, "state file is damaged")
		f("mark lost", clean, func(d disc, s []string) int { delete(d, markName); return 0 }, "")
		f("mark damaged", clean, func(d disc, s []string) int { clear(d[markName]); return 0 }, "")
		f("state, mark and a header lost", clean, func(d disc, s []string) int {
			delete(d, stateName)
			delete(d, markName)
			clear(d[s[2]][:headerSize])
			return 0
		}, "its records are used")
		f("last record torn off", clean, func(d disc, s []string) int {
			last := s[len(s)-1]
			d[last] = d[last][:len(d[last])-footerOf(d[last])-10]
			return 1
		}, "")
		f("last records zeroed", clean, func(d disc, s []string) int {
			last := s[len(s)-1]
			clear(d[last][find(d[last], 2):])
			return held(s, len(s)-1) - 2
		}, "")
	}
}

// held is how many of 60 records segment i holds.
func held(segs []string, i int) int {
	from, _ := segmentNumber(segs[i])
	to := uint64(61)
	if i+1 < len(segs) {
		to, _ = segmentNumber(segs[i+1])
	}
	return int(to - from)
}

// find returns where record i of a segment begins.
func find(b []byte, i int) int {
	at := 0
	for ; i >= 0; i-- {
		at += 1 + bytes.Index(b[at+1:], recordMark[:])
	}
	return at
}

// footerOf is the length of the footer that b ends with, 0 for none.
func footerOf(b []byte) int {
	n, err := footerLength(b[len(b)-footerTail:])
	if err != nil {
		return 0
	}
	return int(n)
}

// foreign is an intact segment of another log.
func foreign(base uint64) []byte {
	h := segmentHeader{log: 99, base: position{base, 0}}
	b := encodeHeader(&h)
	r := headerOf(block("x", "y", 1), h.base)
	return appendRecord(b, 99, &r, payload(1))
}

func TestTornTailIsCutAndCounted(t *testing.T) {
	o, m := inMemory()
	l := mustOpen(t, o)
	w := fill(t, l, 10)
	files := m.kill().contents()
	at := l.next
	mustClose(t, l)
	segs := segmentFiles(files)
	last := segs[len(segs)-1]
	whole := files[last]
	r := headerOf(block("a", "b", 10), at)
	next := appendRecord(nil, l.id, &r, payload(10))
	for cut := range len(next) {
		files[last] = append(slices.Clone(whole), next[:cut]...)
		got, losses, rec, _ := readHurt(t, files)
		w.account(t, got, losses)
		if rec.TornBytes != int64(cut) || len(losses) > 0 {
			t.Fatalf("torn after %d bytes: %d bytes cut, losses %v", cut, rec.TornBytes, losses)
		}
	}
	// Whole, but never known to be durable: kept, which does no harm.
	files[last] = append(slices.Clone(whole), next...)
	if got, losses, rec, _ := readHurt(t, files); len(got) != 11 || len(losses) != 0 || rec.TornBytes != 0 {
		t.Fatalf("%d records, losses %v, torn %d", len(got), losses, rec.TornBytes)
	}
}

func TestLostSegmentIsKnownFromItsNeighbour(t *testing.T) {
	w, files := hurtable(t, 60, true)
	segs := segmentFiles(files)
	delete(files, segs[2])
	got, losses, _, _ := readHurt(t, files)
	w.account(t, got, losses)
	for _, x := range losses {
		if !x.Known || x.Cause != telemetry.CauseBufferDamage {
			t.Errorf("loss %+v: group not known", x)
		}
	}
	if len(losses) < 4 {
		t.Errorf("losses %+v: want one for each group and one for Meta", losses)
	}
}

func TestDamageFoundByReadingIsReportedOnce(t *testing.T) {
	o, m := inMemory()
	l := mustOpen(t, o)
	w := fill(t, l, 60)
	segs := segmentFiles(m.contents())
	hurt := func(name string, f func(b []byte)) {
		m.mu.Lock()
		defer m.mu.Unlock()
		f(m.files[memDir+"/"+name].data)
	}
	hurt(segs[1], func(b []byte) { b[find(b, 2)+recordSize+30] ^= 1 })
	hurt(segs[3], func(b []byte) { b[find(b, 0)+3] ^= 1 })
	hurt(segs[len(segs)-1], func(b []byte) { b[find(b, 0)+recordSize+30] ^= 1 })
	m.mu.Lock()
	delete(m.files, memDir+"/"+segs[4])
	m.mu.Unlock()
	got := mustReadAll(t, l)
	sameSeqs(t, "second read", mustReadAll(t, l), seqs(got))
	eventually(t, "losses", func() bool { return w.balance(got, o.ledger.all()) == nil })
	c, err := l.Cursor("main")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got {
		mustAck(t, l, "main", e.Seq, e.Seq)
	}
	if low, beyond := c.Acked(); low != 60 || len(beyond) > 0 {
		t.Errorf("acked up to %d and %v: damage holds the low-water mark back", low, beyond)
	}
	mustClose(t, l)
	w.account(t, got, o.ledger.all())
}

func TestDeliveredDamageIsNoLoss(t *testing.T) {
	o, m := inMemory()
	o.Destinations = []string{"hq", "plant"}
	l := mustOpen(t, o)
	fill(t, l, 20)
	mustAck(t, l, "hq", 1, 20)
	mustAck(t, l, "plant", 1, 2)
	mustAck(t, l, "plant", 4, 20)
	mustClose(t, l)
	files := m.contents()
	name := segmentFiles(files)[0]
	for i := range 4 {
		files[name][find(files[name], i)+recordSize+20] ^= 1
	}
	o, _ = inMemory()
	o.FS = disk(files)
	o.Destinations = []string{"hq", "plant"}
	l = mustOpen(t, o)
	mustReadAll(t, l)
	eventually(t, "loss", func() bool { return len(o.ledger.all()) > 0 })
	mustClose(t, l)
	all := o.ledger.all()
	if len(all) != 1 || all[0].FromSeq != 3 || all[0].ToSeq != 3 || !slices.Equal(all[0].Destinations, []string{"plant"}) {
		t.Fatalf("losses %+v, want record 3 for plant only", all)
	}
}
