package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/collector/config"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The engine of the embedded store starts these at import and never ends them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

func TestServeWritesWhatItGenerated(t *testing.T) {
	dir := t.TempDir()
	opts := &options{
		Scale: "demo", Host: "127.0.0.1", Seed: 1, Speed: 20, Past: 10 * time.Minute, For: 600 * time.Millisecond, JSON: true,
		Log: filepath.Join(dir, "log.jsonl"), Truth: filepath.Join(dir, "truth"), Collector: filepath.Join(dir, "collector.yaml"), Store: "http://127.0.0.1:1", Database: "d",
		Fault: []string{"failed unit=CZ-1 for=1m", "restart server=crystal after=200ms for=100ms"},
	}
	var out bytes.Buffer
	started := time.Now().Add(time.Second)
	if err := serve(t.Context(), opts, &out); err != nil {
		t.Fatal(err)
	}
	var first struct {
		Servers []struct {
			Endpoint string
			Signals  uint64
		}
	}
	var last counts
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
	if len(first.Servers) != 7 || last.Generated < signals+500 || logged != last.Generated || shown < last.Generated+50*600 {
		t.Errorf("%d servers, %d signals, %d samples, %d in the log, %d in the truth, with the past", len(first.Servers), signals, last.Generated, logged, shown)
	}
	c, err := config.Load(opts.Collector)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Servers) != 7 || c.Servers[0].Endpoint != first.Servers[0].Endpoint {
		t.Errorf("collected are %d servers", len(c.Servers))
	}
	if last.Distance == nil || len(last.Distance.Undisturbed) != len(last.Distance.Seen) || len(last.Distance.Seen) < 20 {
		t.Errorf("distances: %+v", last.Distance)
	}
	for _, name := range []string{answersFile, distanceFile, vectorFile(undisturbed, "CZ-1"), vectorFile(seen, "CZ-1")} {
		if info, err := os.Stat(filepath.Join(opts.Truth, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, x := range readAnswers(t, opts.Truth) {
		if x.Part == "run" && x.Window[0] > started.Add(-opts.Past).UTC().Format(time.RFC3339) {
			t.Fatalf("the past is not in the run %s", x.Window)
		}
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

// TestServeUntilStopped: Ctrl-C ends the context; the truth is written all the same.
func TestServeUntilStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	opts := &options{Scale: "demo", Host: "127.0.0.1", Speed: 1, Truth: t.TempDir()}
	out := &stopping{after: "Ctrl-C stops", stop: stop}
	if err := serve(ctx, opts, out); err != nil {
		t.Fatal(err)
	}
	if all := readAnswers(t, opts.Truth); len(all) < 60 || all[0].Seen != nil {
		t.Errorf("%d answers, of the first was seen %v", len(all), all[0].Seen)
	}
	for _, want := range []string{"Reckoning the truth into " + opts.Truth, "OEE true", "EM-SITE"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "On what was seen") {
		t.Error("nothing was disturbed, but a table of it is shown")
	}
}

// stopping stops a command once it has written something.
type stopping struct {
	bytes.Buffer
	after string
	stop  func()
}

func (s *stopping) Write(b []byte) (int, error) {
	if strings.Contains(string(b), s.after) {
		s.stop()
	}
	return s.Buffer.Write(b)
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
