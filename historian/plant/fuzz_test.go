package plant

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Parse never panics or hangs, and gives either problems that can be found and acted on, or a model in which every reference
// resolves.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", plants + "demo.yaml"} {
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
		m, err := Parse("f.yaml", data)
		var list Problems
		switch {
		case err != nil && (m != nil || !errors.As(err, &list) || len(list) == 0):
			t.Fatalf("%v %T", m, err)
		case err != nil:
			checkProblems(t, list, data)
			return
		}
		checkProblems(t, m.Warnings, data)
		checkComplete(t, m)
		if d := Diff(m, m); len(d) > 0 {
			t.Errorf("differs from itself: %v", d)
		}
		again, err := Parse("f.yaml", data)
		if err != nil || again.Hash != m.Hash || len(Diff(m, again)) > 0 {
			t.Errorf("read twice, the same text is different: %v", err)
		}
		for _, g := range m.Gateways {
			text, err := m.CollectorConfig(g.Name)
			if used := slices.ContainsFunc(m.Units, func(u *Unit) bool { return u.Gateway == g.Name }); used != (err == nil) || used != (len(text) > 0) {
				t.Errorf("gateway %s: used %v, %d bytes, %v", g.Name, used, len(text), err)
			}
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
func checkComplete(t *testing.T, m *Model) {
	t.Helper()
	if m.Name == "" || m.Site == "" || m.Location == nil || len(m.Units) == 0 || len(m.Hash) != 64 {
		t.Errorf("%+v", m)
	}
	for i := range m.Calendars {
		if err := m.Calendars[i].Rules.Check(); err != nil {
			t.Errorf("calendar %s: %v", m.Calendars[i].Name, err)
		}
	}
	for _, u := range m.Units {
		_, hasCalendar := m.Calendar(u.Calendar)
		_, hasGateway := m.Gateway(u.Gateway)
		_, hasLine := m.Line(u.Line)
		_, hasStage := m.Stage(u.Stage)
		self, _ := m.Unit(u.ID)
		if u.ID == "" || u.Class == nil || self != u || !hasCalendar || hasGateway != (u.Gateway != "") || hasLine != (u.Line != "") || hasStage != (u.Stage != "") ||
			!slices.ContainsFunc(m.Areas, func(a Area) bool { return a.ID == u.Area }) {
			t.Errorf("unit %+v", u)
		}
		for _, p := range u.Product {
			if _, ok := m.Product(p.Value); !ok {
				t.Errorf("unit %s makes %q", u.ID, p.Value)
			}
		}
		if c, ok := m.Class(u.Class.Name); !ok || c != u.Class || (c.State != nil) != (len(u.States) > 0) || (c.Power != nil && len(u.Hold) == 0) ||
			(c.Progress != nil && (len(u.Credit) == 0 || len(c.ProgressFull) == 0)) {
			t.Errorf("unit %s of class %+v", u.ID, u.Class)
		}
	}
	for _, l := range m.Lines {
		for _, s := range l.Steps {
			for _, id := range s.Units {
				if u, ok := m.Unit(id); !ok || u.Line != l.ID || len(l.UnitSeconds[id]) == 0 {
					t.Errorf("line %s, unit %s: %v", l.ID, id, l.UnitSeconds[id])
				}
			}
		}
		if len(l.UnitSeconds[l.Out]) == 0 {
			t.Errorf("line %s has no %s", l.ID, l.Out)
		}
	}
	for _, e := range m.Meters {
		source, ok := m.Unit(e.Source)
		if _, parent := m.Meter(e.Parent); !ok || source.Class.Energy == nil || source.Meter != e.ID || parent != (e.Parent != "") ||
			(e.Kind == Direct) != (len(e.Key) == 0 && len(e.Units) == 1) && len(e.Units) > 0 {
			t.Errorf("meter %+v", e)
		}
	}
}

// Any one line taken out of a plant, or doubled, gives problems or a complete model, never half of one.
func TestBrokenPlants(t *testing.T) {
	data, err := os.ReadFile(plants + "demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	rapid.Check(t, func(rt *rapid.T) {
		i := rapid.IntRange(0, len(lines)-1).Draw(rt, "line")
		changed := slices.Concat(lines[:i], lines[i+1:])
		if rapid.Bool().Draw(rt, "double") {
			changed = slices.Insert(slices.Clone(lines), i, lines[i])
		}
		text := []byte(strings.Join(changed, ""))
		m, err := Parse("f.yaml", text)
		var list Problems
		if errors.As(err, &list) {
			checkProblems(t, list, text)
			return
		}
		checkComplete(t, m)
	})
}
