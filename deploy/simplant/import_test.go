package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/lots"
	"kvarts/historian/plant"
	"kvarts/historian/purity"
	"kvarts/historian/record"
)

// imports: what is written can be imported into a store, and imported again changes nothing.
func (l *lived) imports(t *testing.T) {
	m, err := plant.Load(filepath.Join(l.dir, "plant.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, ctx := factory.Embedded(t), t.Context()
	if err := evidence.ApplyModel(ctx, c, m.Text, l.window.From.Add(-365*24*time.Hour), l.window.From, "test", "truth"); err != nil {
		t.Fatal(err)
	}
	for again := range 2 {
		for what, n := range map[string][2]int{"lots": l.importLots(ctx, t, c, m), "lab": l.importLab(ctx, t, c), "records": l.importRecords(ctx, t, c, m)} {
			if fresh, known := n[0], n[1]; again == 0 && (fresh < 10 || known > 0) || again == 1 && (fresh > 0 || known < 10) {
				t.Errorf("import %d of %s: %d are new, %d known", again+1, what, fresh, known)
			}
		}
	}
}

func (l *lived) importLots(ctx context.Context, t *testing.T, c *influx.Client, m *plant.Model) [2]int {
	book, wrong := lots.Read(open(t, filepath.Join(l.dir, "lots.jsonl")), lots.ReadOptions{Format: lots.JSON, Name: "lots.jsonl", Zone: m.Location})
	if len(wrong) > 0 || len(book.Steps) < 200 || len(book.Lots) < 200 {
		t.Fatalf("%d lots, %d steps, wrong: %v", len(book.Lots), len(book.Steps), wrong)
	}
	for _, s := range book.Steps {
		if u, ok := m.Unit(s.Unit); !ok || u.Stage != s.Stage {
			t.Errorf("step %s of stage %s on unit %s", s.ID, s.Stage, s.Unit)
		}
	}
	plan, err := lots.PlanImport(ctx, c, book, l.window.To)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Problems) > 0 {
		t.Fatal(plan.Problems)
	}
	if err := plan.Write(ctx, c); err != nil {
		t.Fatal(err)
	}
	return [2]int{plan.New + plan.Corrected, plan.Known}
}

func (l *lived) importLab(ctx context.Context, t *testing.T, c *influx.Client) [2]int {
	rows, wrong := purity.Read(open(t, filepath.Join(l.dir, "lab.jsonl")), purity.ReadOptions{Format: purity.JSON, Name: "lab.jsonl", KnownAt: l.window.To})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	entries, err := purity.PlanResults(ctx, c, rows)
	if err != nil {
		t.Fatal(err)
	}
	var write []purity.Result
	for i := range entries {
		if entries[i].Err != nil {
			t.Fatal(entries[i].Err)
		}
		if entries[i].Outcome != purity.Known {
			write = append(write, entries[i].Row)
		}
	}
	if err := purity.WriteResults(ctx, c, write); err != nil {
		t.Fatal(err)
	}
	return [2]int{len(write), len(rows) - len(write)}
}

func (l *lived) importRecords(ctx context.Context, t *testing.T, c *influx.Client, m *plant.Model) [2]int {
	rows, wrong := record.Read(open(t, filepath.Join(l.dir, "records.json")), record.ReadOptions{
		Format: record.JSON, Name: "records.json", Zone: m.Location, Audit: record.Audit{By: "test", KnownAt: l.window.To / 1000 * 1000},
	})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	entries, err := evidence.PlanRecords(ctx, c, rows)
	if err != nil {
		t.Fatal(err)
	}
	var write []record.Record
	for i := range entries {
		if entries[i].Err != nil {
			t.Fatal(entries[i].Err)
		}
		if entries[i].Outcome != record.Known {
			write = append(write, entries[i].Write...)
		}
	}
	if err := evidence.WriteRecords(ctx, c, write); err != nil {
		t.Fatal(err)
	}
	return [2]int{len(write), len(rows) - len(write)}
}
