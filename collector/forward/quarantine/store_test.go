package quarantine

import (
	"bytes"
	"context"
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
	block := Entry{Reason: Unreadable, Destination: "plant", Payload: []byte{1}, Gzip: true}
	block.Identify()
	other := entry(3)
	other.Destination = "hq"
	other.Identify()
	mustAdd(t, s, append(all, block, other)...)
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
	out, err := s.Retry(t.Context(), "plant", refusing, all[0].ID, all[7].ID, block.ID)
	if err != nil || out != (Outcome{Stored: 1, Refused: 1, Skipped: 1}) {
		t.Errorf("outcome %+v, %v", out, err)
	}
	got, err := s.Show(all[7].ID)
	if err != nil || got.Message != "still bad" || got.Status != 422 || got.Retries != 1 {
		t.Errorf("entry %+v, %v", got, err)
	}
	out, err = s.Retry(t.Context(), "plant", refusing)
	if err != nil || out != (Outcome{Stored: 2497, Refused: 2, Skipped: 1}) {
		t.Errorf("outcome %+v, %v", out, err)
	}
	if len(stored) != 2498 {
		t.Errorf("%d lines stored", len(stored))
	}
	if left := mustList(t, s, Filter{}); len(left) != 4 {
		t.Errorf("%d entries left", len(left))
	}
	down := writerFunc(func([]string) influx.Result {
		return influx.Result{Class: influx.Retry, Err: errDisk, Message: "down"}
	})
	out, err = s.Retry(t.Context(), "plant", down)
	if err != nil || out.Left != 2 || out.Last.Message != "down" {
		t.Errorf("outcome %+v, %v", out, err)
	}
}
