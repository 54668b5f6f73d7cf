package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/collector/config"
	"kvarts/historian/lots"
	"kvarts/historian/plant"
	"kvarts/historian/purity"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServeWritesWhatItGenerated(t *testing.T) {
	dir := t.TempDir()
	opts := &options{
		Scale: "demo", Host: "127.0.0.1", Seed: 1, Speed: 20, Past: 100 * time.Hour, For: 600 * time.Millisecond, JSON: true,
		Log: filepath.Join(dir, "log.jsonl"), Truth: filepath.Join(dir, "truth"), Collector: filepath.Join(dir, "collector.yaml"), Store: "http://127.0.0.1:1", Database: "d",
		Fault: []string{"failed unit=CZ-1 for=1m", "restart server=crystal after=200ms for=100ms"},
	}
	var out bytes.Buffer
	if err := serve(t.Context(), opts, &out); err != nil {
		t.Fatal(err)
	}
	var first struct {
		Servers []struct {
			Endpoint string
			Signals  uint64
		}
	}
	var last struct{ Generated, Mutations uint64 }
	dec := json.NewDecoder(&out)
	if err := dec.Decode(&first); err != nil {
		t.Fatal(err)
	}
	if err := dec.Decode(&last); err != nil {
		t.Fatal(err)
	}
	signals := uint64(0)
	for _, s := range first.Servers {
		signals += s.Signals
	}
	logged, shown := lines(t, opts.Log), lines(t, filepath.Join(opts.Truth, "samples.jsonl"))
	if len(first.Servers) != 7 || last.Generated < signals+500 || logged != last.Generated || shown != last.Generated {
		t.Errorf("%d servers, %d signals, %d samples, %d in the log, %d in the truth", len(first.Servers), signals, last.Generated, logged, shown)
	}
	c, err := config.Load(opts.Collector)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Servers) != 7 || c.Servers[0].Endpoint != first.Servers[0].Endpoint {
		t.Errorf("collected are %d servers", len(c.Servers))
	}
	importable(t, opts.Truth)
}

// importable reads the folder with what imports it.
func importable(t *testing.T, dir string) {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	m, err := plant.Load(filepath.Join(dir, "plant.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	book, wrong := lots.Read(open("lots.jsonl"), lots.ReadOptions{Format: lots.JSON, Name: "lots"})
	if len(wrong) > 0 || len(book.Steps) < 200 || len(book.Lots) < 200 {
		t.Fatalf("%d lots, %d steps, wrong: %v", len(book.Lots), len(book.Steps), wrong)
	}
	effective := book.Effective(1 << 62)
	if _, err := lots.NewGraph(effective); err != nil {
		t.Errorf("the lots are no graph: %v", err)
	}
	for _, s := range effective.Steps {
		if u, ok := m.Unit(s.Unit); !ok || u.Stage != s.Stage {
			t.Errorf("step %s of stage %s on unit %s", s.ID, s.Stage, s.Unit)
		}
	}
	results, wrongResults := purity.Read(open("lab.jsonl"), purity.ReadOptions{Format: purity.JSON, Name: "lab", KnownAt: 1})
	if len(wrongResults) > 0 || len(results) < 10 {
		t.Errorf("%d results, wrong: %v", len(results), wrongResults)
	}
	records, wrongRecords := record.Read(open("records.json"), record.ReadOptions{Format: record.JSON, Name: "records", Zone: m.Location, Audit: record.Audit{By: "test", KnownAt: telemetry.Now() / 1000 * 1000}})
	if len(wrongRecords) > 0 || len(records) < 10 {
		t.Errorf("%d records, wrong: %v", len(records), wrongRecords)
	}
}

// lines counts the samples in a file; each line must be JSON.
func lines(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := uint64(0)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var e struct{ Kind string }
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			t.Fatalf("line %d %s: %v", n+1, sc.Bytes(), err)
		}
		if e.Kind != "filtered" {
			n++
		}
	}
	return n
}

func TestServeForPeople(t *testing.T) {
	var out bytes.Buffer
	opts := &options{Scale: "demo", Host: "127.0.0.1", Speed: 1, For: 200 * time.Millisecond}
	if err := serve(t.Context(), opts, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"crystal", "opc.tcp://127.0.0.1:", "--collector FILE", "samples generated"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}

func TestServeRefuses(t *testing.T) {
	for want, change := range map[string]func(*options){
		"serve smelter":           func(o *options) { o.Host = "256.0.0.1" },
		`no kind "melt"`:          func(o *options) { o.Fault = []string{"melt unit=CZ-1"} },
		`no unit "CZ-99"`:         func(o *options) { o.Fault = []string{"stuck unit=CZ-99 for=1s"} },
		"does not live backwards": func(o *options) { o.Speed = -1 },
		"no such file":            func(o *options) { o.Plant = filepath.Join(t.TempDir(), "none.yaml") },
		"make folder":             func(o *options) { o.Truth = filepath.Join(os.DevNull, "x") },
		"create sample log":       func(o *options) { o.Log = filepath.Join(os.DevNull, "x") },
		"collector config":        func(o *options) { o.Collector = filepath.Join(os.DevNull, "x") },
		"is too high":             func(o *options) { o.Port = 65533 },
	} {
		o := &options{Scale: "demo", Host: "127.0.0.1", Speed: 1, For: 100 * time.Millisecond, JSON: true}
		change(o)
		if err := serve(t.Context(), o, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestTableOfMany(t *testing.T) {
	places := []place{{Name: "SAF-1", Areas: []string{"smelter"}, Endpoint: "opc.tcp://h:1", Units: 1, Signals: 220}}
	for i := range 56 {
		places = append(places, place{Name: fmt.Sprintf("CZ-%02d", i+1), Areas: []string{"crystal"}, Endpoint: fmt.Sprintf("opc.tcp://h:%d", i+2), Units: 1, Signals: 110})
	}
	var got []string
	for line := range strings.Lines(table(places)) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{"area server endpoint units signals", "smelter SAF-1 opc.tcp://h:1 1 220", "crystal CZ-01 … (56) opc.tcp://h:2 56 6160", "… CZ-56 opc.tcp://h:57"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
