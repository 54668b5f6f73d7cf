package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

func drawMemory(t *rapid.T) *memory {
	mem := &memory{tracks: worker.Tracks{Server: rapid.StringN(1, 20, 60).Draw(t, "server")}, seq: rapid.Uint64().Draw(t, "seq"), resume: map[string]telemetry.Instant{}}
	for range rapid.IntRange(0, 4).Draw(t, "groups") {
		mem.resume[rapid.StringN(1, 20, 60).Draw(t, "group")] = telemetry.Instant(rapid.Int64().Draw(t, "at"))
	}
	for range rapid.IntRange(0, 6).Draw(t, "tags") {
		tag := mem.tracks.Tag(rapid.StringN(1, 40, 200).Draw(t, "key"))
		tag.Type = telemetry.Float
		tag.Restore(telemetry.Instant(rapid.Int64Range(0, 1<<60).Draw(t, "sample")), telemetry.FloatValue(1), 0)
	}
	return mem
}

func TestCheckpointRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawMemory(t)
		for k := range want.resume {
			if strings.ToValidUTF8(k, "") != k {
				t.Skip("not a name")
			}
		}
		b, err := encodeCheckpoint("log", want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseCheckpoint(b, "log")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want.resume, got.resume); d != "" || got.seq != want.seq || !bytes.Equal(got.tracks.AppendBinary(nil), want.tracks.AppendBinary(nil)) {
			t.Fatalf("%d %d %s", want.seq, got.seq, d)
		}
		// A position in another log means nothing; what is known of the tags holds.
		other, err := parseCheckpoint(b, "another")
		if err != nil || other.seq != 0 || len(other.tracks.Tags) != len(want.tracks.Tags) {
			t.Fatalf("other log: %+v, %v", other, err)
		}
		// One bit makes it useless, wherever it is.
		b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := parseCheckpoint(b, "log"); err == nil {
			t.Fatal("a flipped bit was not noticed")
		}
		if _, err := parseCheckpoint(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], "log"); err == nil {
			t.Fatal("a cut was not noticed")
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	mem := &memory{tracks: worker.Tracks{Server: "s"}, seq: 7, resume: map[string]telemetry.Instant{"g": 5}}
	mem.tracks.Tag("m,unit=a f").Type = telemetry.Int
	b, err := encodeCheckpoint("log", mem)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, true)
	f.Add([]byte(checkpointMagic), false)
	f.Fuzz(func(t *testing.T, b []byte, sum bool) {
		if sum && len(b) >= 4 { // behind the checksum
			b = sealed(b[:len(b)-4])
		}
		mem, err := parseCheckpoint(b, "log")
		if err != nil {
			return
		}
		again, err := encodeCheckpoint("log", &mem)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseCheckpoint(again, "log"); err != nil {
			t.Fatalf("%x reads, and then not again: %v", b, err)
		}
	})
}

// A checkpoint that is damaged, of another server or of another log costs nothing but reading the buffer again.
func TestCheckpointLostIsReadFromTheBuffer(t *testing.T) {
	const key = "m,site=x,unit=a f"
	for name, hurt := range map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"damaged": func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("KVTRnonsense"), 0o600)) },
		"of another server": func(t *testing.T, path string) {
			b, err := encodeCheckpoint("x", &memory{tracks: worker.Tracks{Server: "z"}})
			must(t, err)
			must(t, os.WriteFile(path, b, 0o600))
		},
		"of another log": func(t *testing.T, path string) {
			b, err := encodeCheckpoint("x", &memory{tracks: worker.Tracks{Server: "a"}, seq: 1000})
			must(t, err)
			must(t, os.WriteFile(path, b, 0o600))
		},
		"a folder": func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.MkdirAll(filepath.Join(path, "x"), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := closing(t, mustNew(t, t.TempDir(), nil, nil, "a"))
			_, err := a.log.Append(&blockOf(1, "a", at0, 1, 2).Record)
			must(t, err)
			_, err = a.recall(t.Context(), []string{"a"})
			must(t, err)
			hurt(t, a.memories.path("a"))
			_, err = a.log.Append(&blockOf(2, "a", at0+100, 3).Record)
			must(t, err)
			known, err := a.recall(t.Context(), []string{"a"})
			must(t, err)
			mem := known["a"]
			tag := mem.tracks.Tags[key]
			if tag == nil || tag.Newest() < at0 || mem.resume["g"] != at0+100 || mem.seq != a.log.Durable() {
				t.Errorf("%+v", mem)
			}
			if _, err := os.Stat(a.memories.path("a")); err != nil {
				t.Errorf("no new checkpoint: %v", err)
			}
			if _, err := os.Stat(a.memories.path("a") + ".damaged"); (err == nil) != (name != "missing" && name != "of another log") {
				t.Errorf("put aside: %v", err)
			}
		})
	}
}

// A server's name never leads out of the folder.
func TestCheckpointPaths(t *testing.T) {
	m := newMemories("/x", nil)
	for _, name := range []string{"../a", "a/b", "..", ".", "a b", "ü"} {
		if p := m.path(name); filepath.Dir(p) != "/x" || !strings.HasSuffix(p, ".tracks") {
			t.Errorf("%q: %s", name, p)
		}
	}
}
