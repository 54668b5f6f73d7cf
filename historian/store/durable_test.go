package store_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"kvarts/historian/store"
)

// runChild is the process that TestKill kills: it serves dir, says where, and waits for its end.
func runChild(dir string) {
	s, err := store.Open(context.Background(), store.Options{Dir: dir, Addr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	select {}
}

// child serves dir in a process of its own and is killed by kill, which returns when it is gone.
func child(t *testing.T, dir string) (url string, kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // SIGKILL; it may be gone already
		_ = cmd.Wait()         // "signal: killed" is what is wanted
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://") {
		t.Fatalf("child: %q %v", line, err)
	}
	return strings.TrimSpace(line), kill
}

// TestKill writes from several clients and kills the process in the middle, again and again: what was answered 204 is there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	const writers, kills = 4, 6
	acked := map[int64]bool{}
	var mu sync.Mutex
	next := int64(1_700_000_000_000_000_000)
	for round := range kills {
		url, kill := child(t, dir)
		enough := make(chan struct{})
		var done sync.WaitGroup
		batches := 0
		for range writers {
			done.Go(func() {
				for {
					mu.Lock()
					from := next
					next += 10
					mu.Unlock()
					a, err := (request{path: "/api/v2/write?bucket=kvarts", body: lines(10, from)}).try(url)
					if err != nil {
						return // killed
					}
					mu.Lock()
					if a.Status == http.StatusNoContent {
						for i := range int64(10) {
							acked[from+i] = true
						}
					}
					if batches++; batches == 20+7*round {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		kill()
		done.Wait()
	}
	http.DefaultClient.CloseIdleConnections()

	s := open(t, store.Options{Dir: dir})
	stored := map[int64]bool{}
	for _, row := range values(t, s.URL(), "SELECT v FROM m") {
		stored[number(t, row[0])] = true
		if number(t, row[0]) != number(t, row[1]) {
			t.Fatalf("row %v: value differs from what was written", row)
		}
	}
	for at := range acked {
		if !stored[at] {
			t.Errorf("acknowledged point %d is missing", at)
		}
	}
	t.Logf("%d acknowledged, %d stored after %d kills", len(acked), len(stored), kills)
}

// TestUnsyncedFilesLost is a power cut that takes what the engine wrote without fsync: the series file, as a whole or all
// of it behind the synced header. What it fsynced (logs, index of fields, meta data) is left. Every acknowledged point
// must be found by its tags.
func TestUnsyncedFilesLost(t *testing.T) {
	const header = 5 // of a series segment: magic and version
	for name, keep := range map[string]int{"gone": 0, "zeros": header} {
		t.Run(name, func(t *testing.T) {
			dir, cut := t.TempDir(), t.TempDir()
			s := open(t, store.Options{Dir: dir})
			write(t, s.URL(), lines(1000, 1_700_000_000_000_000_000))
			write(t, s.URL(), "other,unit=x f=1.5,s=\"text\",b=true 1700000000000000000")
			copySynced(t, dir, cut, keep)

			after := open(t, store.Options{Dir: cut})
			if n := count(t, after.URL()); n != 1000 {
				t.Errorf("%d points of 1000 after the cut", n)
			}
			if n := len(values(t, after.URL(), "SELECT v FROM m WHERE unit='u3'")); n != 143 {
				t.Errorf("%d points of unit u3, want 143", n)
			}
			if rows := values(t, after.URL(), "SHOW TAG VALUES FROM other WITH KEY = unit"); len(rows) != 1 {
				t.Errorf("tag values of other: %v", rows)
			}
			if rows := values(t, after.URL(), "SHOW FIELD KEYS FROM other"); len(rows) != 3 {
				t.Errorf("field keys of other: %v", rows)
			}
			write(t, after.URL(), lines(10, 1_700_000_001_000_000_000))
			if n := count(t, after.URL()); n != 1010 {
				t.Errorf("%d points after writing on, want 1010", n)
			}
		})
	}
}

// copySynced copies of a running store what the engine fsyncs before it answers 204: all but the series file, of which
// each segment keeps its first bytes, or nothing at all when keep is 0.
func copySynced(t *testing.T, from, to string, keep int) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		series := strings.Contains(rel, "_series")
		switch {
		case series && keep == 0:
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o750)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if series {
			clear(b[min(keep, len(b)):])
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o640)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTornLog cuts the newest log in the middle of a record, as a power cut during a write does: the store opens and has
// every record before it.
func TestTornLog(t *testing.T) {
	dir, cut := t.TempDir(), t.TempDir()
	s := open(t, store.Options{Dir: dir})
	for i := range int64(5) {
		write(t, s.URL(), lines(100, 1_700_000_000_000_000_000+100*i))
	}
	copySynced(t, dir, cut, 0)
	logs, err := filepath.Glob(filepath.Join(cut, "wal", "kvarts", "autogen", "*", "*.wal"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs: %v %v", logs, err)
	}
	info, err := os.Stat(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(logs[0], info.Size()-7); err != nil {
		t.Fatal(err)
	}
	after := open(t, store.Options{Dir: cut})
	if n := count(t, after.URL()); n != 400 {
		t.Errorf("%d points, want the 400 of the whole records", n)
	}
}

// TestDamagedShard: a TSM file that cannot be read stops its own shard only. It is reported, and kept under its name or
// another, never deleted.
func TestDamagedShard(t *testing.T) {
	dir := t.TempDir()
	files := func(pattern string) []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "data", "kvarts", "autogen", "*", pattern))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	s := open(t, store.Options{Dir: dir, Engine: store.Engine{SnapshotBytes: 1 << 10}})
	write(t, s.URL(), lines(1000, 1_500_000_000_000_000_000))
	eventually(t, "a TSM file", func() bool { return len(files("*.tsm")) == 1 })
	write(t, s.URL(), lines(10, 1_700_000_000_000_000_000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := files("*.tsm")[0]
	b, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[len(b)-min(len(b), 4096):]) // index and footer
	if err := os.WriteFile(damaged, b, 0o640); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s = open(t, store.Options{Dir: dir, Logger: zerolog.New(zerolog.SyncWriter(&log))})
	if n := count(t, s.URL()); n < 10 {
		t.Errorf("%d points, want those of the sound shard at least", n)
	}
	write(t, s.URL(), lines(10, 1_700_000_000_000_001_000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if kept := files(filepath.Base(damaged) + "*"); len(kept) == 0 {
		t.Error("the damaged file is gone")
	}
	if !strings.Contains(log.String(), filepath.Base(damaged)) {
		t.Errorf("nobody was told: %q", log.String())
	}
}
