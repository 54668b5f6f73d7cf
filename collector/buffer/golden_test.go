package buffer

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden directory of the newest version anew")

const golden1 = "testdata/v1"

// writeGolden makes the golden directory: never to be run again for a version that was released.
func writeGolden(t *testing.T) {
	o := options(golden1)
	o.SegmentBytes = 1024
	o.Destinations = []string{"main", "hq/1"}
	if err := os.RemoveAll(golden1); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, o)
	for i := range 12 {
		r := mix(i)
		r.Payload = member(t, goldenLine(i))
		mustAppend(t, l, r)
	}
	mustSync(t, l)
	mustAck(t, l, "main", 1, 4)
	mustAck(t, l, "main", 7, 8)
	mustAck(t, l, "hq/1", 1, 1)
	mustClose(t, l)
	if err := os.Remove(filepath.Join(golden1, lockName)); err != nil {
		t.Fatal(err)
	}
}

func goldenLine(i int) string {
	return fmt.Sprintf("puller,unit=p1 speed=%d %d\n", i, int64(t0)+int64(i))
}

// TestGoldenVersion1 opens what version 1 wrote: whoever upgrades has such a directory full of values.
func TestGoldenVersion1(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(golden1)); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(dir); err != nil || !r.OK || r.Records != 12 || len(r.Segments) < 2 || r.DurableSeq != 12 || len(r.Cursors) != 2 {
		t.Errorf("verify: %+v, %v", r, err)
	}
	o := options(dir)
	o.Destinations = []string{"main", "hq/1"}
	l := mustOpen(t, o)
	if f := l.Recovery().Findings; len(f) > 0 {
		t.Errorf("findings %q", f)
	}
	got := mustReadAll(t, l)
	sameSeqs(t, "golden", got, upTo(1, 12))
	for i, e := range got {
		want := mix(i)
		want.Payload = e.Payload
		if diff := cmp.Diff(*want, e.Record); diff != "" {
			t.Errorf("record %d: %s", i, diff)
		}
	}
	if low, beyond := l.cursors["main"].Acked(); low != 4 || !slices.Equal(beyond, []Range{{7, 8}}) {
		t.Errorf("cursor %d %v", low, beyond)
	}
	mustClose(t, l)
	var lines bytes.Buffer
	if err := Dump(dir, &lines, DumpOptions{Lines: true, From: 2, To: 3}); err != nil || lines.String() != goldenLine(1)+goldenLine(2) {
		t.Errorf("dump: %v\n%s", err, &lines)
	}
	lines.Reset()
	if err := Dump(dir, &lines, DumpOptions{}); err != nil {
		t.Fatal(err)
	}
	var first DumpRecord
	if err := json.Unmarshal(lines.Bytes()[:bytes.IndexByte(lines.Bytes(), '\n')], &first); err != nil || first.Seq != 1 || first.Server != "puller" || first.Samples != 1 {
		t.Errorf("dump: %+v, %v", first, err)
	}
	if n := strings.Count(lines.String(), "\n"); n != 12 {
		t.Errorf("dump has %d lines", n)
	}
}

// TestReadingWithoutUs runs the script of FORMAT.md.
func TestReadingWithoutUs(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine: the script of FORMAT.md is not run")
	}
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "```python\n")
	script, _, ok := strings.Cut(script, "```")
	if !ok {
		t.Fatal("FORMAT.md has no script")
	}
	out, err := exec.Command(python, "-c", script, filepath.Join(golden1, "0000000000000001.seg")).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), goldenLine(0)+goldenLine(1)) {
		t.Fatalf("%v: %s", err, out)
	}
}
