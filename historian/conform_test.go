package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	passing = `{"id": "P", "zone": "UTC", "units": [{"id": "U"}], "queries": [
		{"name": "one", "target": {"unit": "U"}, "window": ["2026-11-02T08:00:00", "2026-11-02T09:00:00"], "expect": {"PBT_s": 3600, "coverage": 0}},
		{"name": "two", "target": {"plant": true}, "window": ["2026-11-02T08:00:00", "2026-11-02T08:00:00"], "expect": {"A": null}}]}`
	failing = `{"id": "F", "zone": "UTC", "units": [{"id": "U"}], "queries": [
		{"name": "wrong", "target": {"unit": "U"}, "window": ["2026-11-02T08:00:00", "2026-11-02T09:00:00"], "expect": {"PBT_s": "7200/3"}, "not": {"reason": "no_known_time"}}]}`
	noVector = `{"id": "N", "zone": "UTC", "units": [{"id": "U", "minor_stop_s": -1}]}`
)

func TestConform(t *testing.T) {
	cases := []struct {
		name     string
		files    map[string]string
		code     int
		out, err []string // what the outputs say
	}{
		{"all pass", map[string]string{"a.json": passing}, 0, []string{"P: one: pass", "1 files, 2 queries, 0 do not pass, 0 not valid"}, nil},
		{"one does not", map[string]string{"a.json": passing, "deeper/b.json": failing}, exitFailed,
			[]string{"F: wrong: DOES NOT PASS", "! PBT_s: got 3600, want 2400", "! reason: got no_known_time, must not be no_known_time"}, []string{"1 of 3 queries do not pass"}},
		{"one is no vector, the others run", map[string]string{"a.json": noVector, "b.json": failing, "c.json": "{"}, exitUsage,
			[]string{"F: wrong: DOES NOT PASS"}, []string{"a.json: $.units[0].minor_stop_s: negative: -1", "c.json: $: not JSON", "2 not valid"}},
		{"other files do not count", map[string]string{"a.json": passing, "README.md": "# vectors"}, 0, []string{"1 files"}, nil},
		{"no vectors at all", map[string]string{"README.md": "# vectors"}, exitUsage, nil, []string{"no *.json"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				mustWrite(t, filepath.Join(dir, filepath.FromSlash(name)), text)
			}
			var out, problems bytes.Buffer
			s := conformSuite{out: &out, problems: &problems}
			err := s.run(context.Background(), []string{dir})
			if code := exitCode(err, &problems); code != c.code {
				t.Errorf("exit code %d, want %d: %v", code, c.code, err)
			}
			for _, want := range c.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, &out)
				}
			}
			for _, want := range c.err {
				if !strings.Contains(problems.String(), want) {
					t.Errorf("the problems lack %q:\n%s", want, &problems)
				}
			}
		})
	}
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConformMissing(t *testing.T) {
	var out, problems bytes.Buffer
	s := conformSuite{out: &out, problems: &problems}
	path := filepath.Join(t.TempDir(), "none.json")
	if code := exitCode(s.run(context.Background(), []string{path}), &problems); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	if !strings.Contains(problems.String(), path) {
		t.Errorf("the problems do not name the file: %s", &problems)
	}
}

// TestConformJSON: one object a line for each query, with every key.
func TestConformJSON(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, filepath.Join(dir, "a.json"), passing)
	mustWrite(t, filepath.Join(dir, "b.json"), failing)
	var out, problems bytes.Buffer
	s := conformSuite{out: &out, problems: &problems, json: true}
	if err := s.run(context.Background(), []string{dir}); err == nil {
		t.Error("a query that does not pass is no error")
	}
	var got []string
	for dec := json.NewDecoder(&out); dec.More(); {
		var o struct {
			Vector, Query string
			Values        map[string]any
			Pass          bool
			Mismatches    []string
		}
		if err := dec.Decode(&o); err != nil {
			t.Fatal(err)
		}
		if o.Mismatches == nil || o.Values["findings"] == nil || len(o.Values) != 33 {
			t.Errorf("%s: %d values, findings %v, mismatches %v", o.Query, len(o.Values), o.Values["findings"], o.Mismatches)
		}
		pbt, _ := o.Values["PBT_s"].(string)
		got = append(got, strings.Join([]string{o.Vector, o.Query, pbt, strings.Join(o.Mismatches, "|")}, ";"))
	}
	want := "P;one;3600; P;two;0; F;wrong;3600;PBT_s: got 3600, want 2400|reason: got no_known_time, must not be no_known_time"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}
