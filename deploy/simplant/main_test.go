package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServeReportsWhatItGenerated(t *testing.T) {
	log := filepath.Join(t.TempDir(), "truth.jsonl")
	var out bytes.Buffer
	opts := options{Host: "127.0.0.1", Seed: 1, Speed: 10, Pace: 60, Log: log, For: 400 * time.Millisecond, JSON: true}
	if err := serve(t.Context(), opts, &out); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&out)
	var first struct {
		Servers []struct{ Endpoint string }
	}
	var last struct{ Generated, Mutations uint64 }
	if err := dec.Decode(&first); err != nil {
		t.Fatal(err)
	}
	if err := dec.Decode(&last); err != nil {
		t.Fatal(err)
	}
	if len(first.Servers) != 2 || first.Servers[0].Endpoint == first.Servers[1].Endpoint {
		t.Errorf("servers %+v", first.Servers)
	}
	if n := validLines(t, log); last.Generated < 100 || n != last.Generated {
		t.Errorf("%d samples reported, %d in the log", last.Generated, n)
	}
}

// validLines counts the lines of a sample log; each must be JSON with a value.
func validLines(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := uint64(0)
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		var e struct {
			Kind, Node string
			Ticks      int64
			Value      any
		}
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil || e.Kind != "sample" || e.Ticks == 0 || e.Value == nil {
			t.Fatalf("line %d %s: %v", n+1, sc.Bytes(), err)
		}
	}
	return n
}

func TestServeFailsOnImpossibleAddress(t *testing.T) {
	opts := options{Host: "256.0.0.1", Pace: 1, Speed: 1}
	if err := serve(t.Context(), opts, &bytes.Buffer{}); err == nil {
		t.Error("an impossible address was accepted")
	}
}
