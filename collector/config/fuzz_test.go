package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Parse never panics, never hangs, and gives either a complete Config or problems that each can be found and acted on.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.bad.yaml", "../../configs/collector.*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(diffBase))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f.yaml", data)
		var list Errors
		switch {
		case err != nil && (c != nil || !errors.As(err, &list) || len(list) == 0):
			t.Fatalf("%v %T", c, err)
		case err != nil:
			checkProblems(t, list, data)
			return
		}
		checkProblems(t, c.Warnings, data)
		checkComplete(t, c)
		if d := Diff(c, c); !d.Empty() {
			t.Errorf("differs from itself: %s", show(d))
		}
		again, err := Parse("f.yaml", data)
		if err != nil || again.Hash() != c.Hash() {
			t.Errorf("read twice, the same text is different: %v", err)
		}
	})
}

func checkProblems(t *testing.T, list []Problem, data []byte) {
	t.Helper()
	lines := strings.Count(string(data), "\n") + 1
	for i, p := range list {
		last := i == len(list)-1 && strings.HasPrefix(p.Message, "and ")
		if p.Message == "" || (p.Remedy == "" && !last) || p.File != "f.yaml" || p.Line < 0 || p.Line > lines || p.Column < 0 {
			t.Errorf("of %d lines: %+v", lines, p)
		}
		if i > 0 && !last && list[i-1].Line > p.Line {
			t.Errorf("not in order: %v, %v", list[i-1], p)
		}
	}
}

// checkComplete holds what every other room relies on.
func checkComplete(t *testing.T, c *Config) {
	t.Helper()
	points := map[string]bool{}
	types := map[string]Type{}
	for _, s := range c.Servers {
		if s.Name == "" || !strings.HasPrefix(s.Endpoint, "opc.tcp://") || len(s.Groups) == 0 || s.RequestTimeout < time.Second || s.PublishRequests < 1 {
			t.Errorf("server: %+v", s)
		}
		for _, g := range s.Groups {
			if g.Name == "" || g.Publishing <= 0 || g.KeepAlive < g.Publishing || g.Lifetime < 3*g.KeepAlive || len(g.Nodes) == 0 {
				t.Errorf("group: %+v", g)
			}
			for _, n := range g.Nodes {
				scale, divisor, _ := n.Linear()
				if n.ID.IsZero() != (len(n.Path) > 0) || n.Measurement == "" || len(n.Fields()) == 0 || n.Queue == 0 || n.Sampling < 0 || n.Scale == 0 || scale == 0 || divisor == 0 || n.Target() == "" {
					t.Errorf("node: %+v", n)
				}
				for _, field := range n.Fields() {
					point := showPoint(&n, field)
					if points[point] {
						t.Errorf("written twice: %s", point)
					}
					points[point] = true
					key := n.Measurement + joint + field
					if before, ok := types[key]; ok && before != n.Type {
						t.Errorf("%s is %q and %q", point, before, n.Type)
					}
					types[key] = n.Type
				}
			}
		}
	}
	if c.Collector == "" || len(c.Servers) == 0 || len(c.Destinations) == 0 || c.Buffer.Dir == "" || c.PKI.Dir == "" {
		t.Errorf("%+v", c)
	}
	for _, d := range c.Destinations {
		if d.Name == "" || d.URL == "" || (d.Bucket == "") == (d.Database == "") || d.Batch.Lines < 1 || d.Timeout <= 0 {
			t.Errorf("destination: %+v", d)
		}
	}
}
