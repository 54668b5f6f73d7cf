package quarantine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

func entry(i int) Entry {
	e := Entry{
		At: telemetry.Instant(1000 + i), Reason: Refused, Destination: "plant", Server: "saw", Group: "fast", Status: 400,
		Message: "field type conflict <>&", Samples: 1, First: telemetry.Instant(i), Last: telemetry.Instant(i),
	}
	e.SetLine(fmt.Appendf(nil, `wire_saw,unit=ws%d speed="x" %d`, i%3, i))
	e.Identify()
	return e
}

func mustOpen(t testing.TB, dir string, change func(*Options)) *Store {
	t.Helper()
	o := Options{Dir: dir}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustAdd(t testing.TB, s *Store, entries ...Entry) {
	t.Helper()
	if n, err := s.Add(entries...); err != nil || n != len(entries) {
		t.Fatalf("added %d of %d: %v", n, len(entries), err)
	}
}

func mustList(t testing.TB, s *Store, f Filter) []Entry {
	t.Helper()
	out, err := s.List(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAddListShowDropExport(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, nil)
	want := []Entry{entry(1), entry(2), entry(3)}
	binary := Entry{Reason: Unreadable, Destination: "hq", Server: "puller", At: 7, Payload: []byte{0x1f, 0x8b, 0xff}, Gzip: true, Samples: 12}
	binary.Identify()
	value := Entry{Reason: Unencoded, Server: "puller", At: 8, Tag: "ns=2;s=Counter", Value: "18446744073709551615", Samples: 1, First: 5, Last: 5}
	value.Identify()
	latin := Entry{Reason: Refused, At: 9, Samples: 1}
	latin.SetLine([]byte("m t=\"\xff\xfe\" 5"))
	latin.Identify()
	want = append(want, binary, value, latin)
	mustAdd(t, s, want...)
	if n, err := s.Add(want...); n != 0 || err != nil {
		t.Errorf("the same again: added %d, %v", n, err)
	}
	for _, again := range []*Store{s, mustOpen(t, dir, nil)} {
		if diff := cmp.Diff(want, mustList(t, again, Filter{})); diff != "" {
			t.Error(diff)
		}
		if n, err := again.Add(want...); n != 0 || err != nil {
			t.Errorf("the same after a restart: added %d, %v", n, err)
		}
	}
	if l, ok := latin.RawLine(); !ok || string(l) != "m t=\"\xff\xfe\" 5" {
		t.Errorf("line that is not UTF-8 came back as %q", l)
	}
	for name, c := range map[string]struct {
		f    Filter
		want int
	}{
		"all": {Filter{}, 6}, "destination": {Filter{Destination: "plant"}, 3}, "server": {Filter{Server: "puller"}, 2},
		"reason": {Filter{Reason: Unencoded}, 1}, "group": {Filter{Group: "fast"}, 3}, "limit": {Filter{Limit: 2}, 2},
		"since": {Filter{Since: 1002}, 2}, "line": {Filter{Contains: "ws2"}, 1}, "message": {Filter{Contains: "conflict"}, 3},
		"tag": {Filter{Contains: "Counter"}, 1}, "value": {Filter{Contains: "184467"}, 1}, "none": {Filter{Server: "x"}, 0},
	} {
		if got := len(mustList(t, s, c.f)); got != c.want {
			t.Errorf("filter %s: %d entries, want %d", name, got, c.want)
		}
	}
	if got, err := s.Show(want[1].ID[:9]); err != nil || got.ID != want[1].ID {
		t.Errorf("show by prefix: %+v, %v", got, err)
	}
	if _, err := s.Show(""); !errors.Is(err, ErrNotFound) {
		t.Errorf("show of nothing: %v", err)
	}
	if _, err := s.Show("zz"); !errors.Is(err, ErrNotFound) {
		t.Errorf("show of an unknown ID: %v", err)
	}
	var out bytes.Buffer
	if n, err := s.Export(&out, Filter{Destination: "plant"}); n != 3 || err != nil || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("exported %d: %v\n%s", n, err, out.String())
	}
	if n, err := s.Drop(want[0].ID, want[4].ID, "unknown"); n != 2 || err != nil {
		t.Errorf("dropped %d: %v", n, err)
	}
	if diff := cmp.Diff([]Entry{want[1], want[2], want[3], want[5]}, mustList(t, s, Filter{})); diff != "" {
		t.Error(diff)
	}
	st, err := s.Stat()
	if err != nil || st.Entries != 4 || st.Samples != 15 || st.ByDestination["plant"].Entries != 2 || st.Bytes == 0 {
		t.Errorf("stat %+v, %v", st, err)
	}
}

// Any sequence of operations, with reopening between and a second process on the directory, agrees with a map.
func TestStoreModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "q")
		if err != nil {
			rt.Fatal(err)
		}
		open := func() *Store {
			s, err := Open(Options{Dir: dir})
			if err != nil {
				rt.Fatal(err)
			}
			return s
		}
		stores := []*Store{open(), open()}
		defer func() { stores[0].Close(); stores[1].Close() }()
		model := make(map[string]Entry)
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			w := rapid.IntRange(0, 1).Draw(rt, "which")
			s := stores[w]
			nums := rapid.SliceOfN(rapid.IntRange(0, 30), 0, 6).Draw(rt, "entries")
			switch rapid.IntRange(0, 3).Draw(rt, "op") {
			case 0, 1:
				var es []Entry
				fresh := 0
				for _, i := range nums {
					e := entry(i)
					es = append(es, e)
					if _, ok := model[e.ID]; !ok {
						fresh++
						model[e.ID] = e
					}
				}
				if n, err := s.Add(es...); n != fresh || err != nil {
					rt.Fatalf("added %d, want %d: %v", n, fresh, err)
				}
			case 2:
				var ids []string
				gone := 0
				for _, i := range nums {
					id := entry(i).ID
					ids = append(ids, id)
					if _, ok := model[id]; ok {
						gone++
						delete(model, id)
					}
				}
				if n, err := s.Drop(ids...); n != gone || err != nil {
					rt.Fatalf("dropped %d, want %d: %v", n, gone, err)
				}
			case 3:
				s.Close()
				stores[w] = open()
			}
			for _, s := range stores {
				got, err := s.List(Filter{})
				if err != nil {
					rt.Fatal(err)
				}
				ids := make([]string, 0, len(got))
				for _, e := range got {
					ids = append(ids, e.ID)
				}
				slices.Sort(ids)
				if !slices.Equal(ids, slices.Sorted(maps.Keys(model))) {
					rt.Fatalf("holds %d entries, want %d", len(ids), len(model))
				}
			}
		}
	})
}

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
	foreign := append(b, "whatever follows\n"...)
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
	b, err := appendHeader(nil)
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

func TestIdentity(t *testing.T) {
	a := entry(1)
	same := a
	same.At, same.Message, same.Status, same.Group = 99, "other words", 422, "other"
	same.Identify()
	if same.ID != a.ID {
		t.Error("time, message, status and group are part of the identity")
	}
	for name, change := range map[string]func(*Entry){
		"destination": func(e *Entry) { e.Destination = "x" }, "server": func(e *Entry) { e.Server = "x" },
		"line": func(e *Entry) { e.Line = "x" }, "payload": func(e *Entry) { e.Payload = []byte("x") },
		"tag": func(e *Entry) { e.Tag = "x" }, "value": func(e *Entry) { e.Value = "x" },
	} {
		other := a
		change(&other)
		other.Identify()
		if other.ID == a.ID {
			t.Errorf("%s is not part of the identity", name)
		}
	}
	v := Entry{Tag: "t", Value: "1", First: 1}
	w := Entry{Tag: "t", Value: "1", First: 2}
	v.Identify()
	w.Identify()
	if v.ID == w.ID {
		t.Error("the same value at two times is one entry")
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(Options{Dir: t.TempDir(), MaxBytes: 5}); err == nil {
		t.Error("a limit of 5 bytes was accepted")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file}); err == nil {
		t.Error("a file was accepted as directory")
	}
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Add(entry(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("add after close: %v", err)
	}
}

// writerFunc is a store for Retry.
type writerFunc func(lines []string) influx.Result

func (w writerFunc) WriteGzip(_ context.Context, members [][]byte, n int) influx.Result {
	lines := gunzipLines(members)
	if n != len(lines) {
		return influx.Result{Class: influx.Hold, Err: fmt.Errorf("%d lines announced as %d", len(lines), n)}
	}
	return w(lines)
}

func TestRetry(t *testing.T) {
	s := mustOpen(t, t.TempDir(), nil)
	var all []Entry
	for i := range 2500 {
		all = append(all, entry(i))
	}
	block := Entry{Reason: Unreadable, Payload: []byte{1}, Gzip: true}
	block.Identify()
	mustAdd(t, s, append(all, block)...)
	bad := map[string]bool{all[7].Line: true, all[1800].Line: true}
	stored := make(map[string]bool)
	refusing := writerFunc(func(lines []string) influx.Result {
		for _, l := range lines {
			if bad[l] {
				return influx.Result{Class: influx.Split, Status: 422, Message: "still bad", Dropped: -1, Err: errDisk}
			}
		}
		for _, l := range lines {
			stored[l] = true
		}
		return influx.Result{Class: influx.OK}
	})
	out, err := s.Retry(t.Context(), refusing, all[0].ID, all[7].ID, block.ID)
	if err != nil || out != (Outcome{Stored: 1, Refused: 1, Skipped: 1}) {
		t.Errorf("outcome %+v, %v", out, err)
	}
	got, err := s.Show(all[7].ID)
	if err != nil || got.Message != "still bad" || got.Status != 422 || got.Retries != 1 {
		t.Errorf("entry %+v, %v", got, err)
	}
	out, err = s.Retry(t.Context(), refusing)
	if err != nil || out != (Outcome{Stored: 2497, Refused: 2, Skipped: 1}) {
		t.Errorf("outcome %+v, %v", out, err)
	}
	if len(stored) != 2498 {
		t.Errorf("%d lines stored", len(stored))
	}
	if left := mustList(t, s, Filter{}); len(left) != 3 {
		t.Errorf("%d entries left", len(left))
	}
	down := writerFunc(func([]string) influx.Result {
		return influx.Result{Class: influx.Retry, Err: errDisk, Message: "down"}
	})
	out, err = s.Retry(t.Context(), down)
	if err != nil || out.Left != 2 || out.Last.Message != "down" {
		t.Errorf("outcome %+v, %v", out, err)
	}
}

func FuzzDecodeSegment(f *testing.F) {
	b, _ := appendHeader(nil)
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
