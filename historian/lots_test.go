package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lotBook is a small chain with every kind of thing that a book may say. S-2 states no energy and names no unit.
const lotBook = `
{"lot":"QZ-1","kind":"quartz","quantity":"1000","unit_of":"kg","made_at":"2026-11-01T00:00:00Z"}
{"lot":"MG-1","kind":"mg","product":"MG-Si","quantity":"400","unit_of":"kg","made_at":"2026-11-01T10:00:00Z","by":"mes"}
{"lot":"MG-2","kind":"mg","quantity":100,"unit_of":"kg","made_at":"2026-11-01T10:00:00","embodied_kwh":{"metallurgical":"1200"}}
{"lot":"T-1","kind":"tank","quantity":"500","unit_of":"kg","made_at":"2026-11-02T00:00:00Z"}
{"lot":"C-1","kind":"cell","quantity":"9850","unit_of":"pcs","made_at":"2026-11-03T00:00:00Z","wp_nominal":"81262.5","wp_realised":null}
{"lot":"C-2","kind":"cell","quantity":"150","unit_of":"pcs","made_at":"2026-11-03T00:00:00Z"}
{"step":"S-1","stage":"metallurgical","unit":"saf01","from":"2026-11-01T00:00:00Z","to":"2026-11-01T10:00:00Z","inputs":[{"lot":"QZ-1"}],"outputs":[{"lot":"MG-1","quantity":"400"},{"lot":"SLAG-1","quantity":"100","scrap":true}],"energy_kwh":"4800"}
{"step":"F-1","stage":"fill","from":"2026-11-02T00:00:00Z","to":"2026-11-02T00:00:00Z","inputs":[{"lot":"MG-1"},{"lot":"MG-2"}],"outputs":[{"lot":"T-1","quantity":"500"}]}
{"step":"S-2","stage":"cells","from":"2026-11-02T01:00:00Z","to":"2026-11-03T00:00:00Z","inputs":[{"lot":"T-1","quantity":"250"}],"outputs":[{"lot":"C-1","quantity":"9850"},{"lot":"C-2","quantity":"150"}],"energy_kwh":null}
`

func TestLotsCommands(t *testing.T) {
	c := openTerminal(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	book := file("book.jsonl", lotBook)
	c.must("(no lots)", "lots", "list")
	c.refused("no such lot in the book", "lots", "energy", "C-1")

	bad := file("bad.jsonl", lotBook+`{"lot":"X","kind":"mgg","quantity":"1,5","colour":"grey"}`+"\n{\n")
	c.refused("bad.jsonl:11: quantity: \"1,5\" has a comma", "lots", "import", bad, "--by", "Aigerim")
	c.refused("bad.jsonl:12: ends within an object", "lots", "import", bad, "--by", "Aigerim")
	c.refused("by: missing", "lots", "import", book)
	c.refused("open lot book", "lots", "import", filepath.Join(dir, "none"))
	c.must("6 lots, 3 steps: 9 new, 0 known already, 0 corrections (nothing written: dry run)", "lots", "import", book, "--by", "Aigerim", "--dry-run")
	c.must("(no lots)", "lots", "list")
	c.must("6 lots, 3 steps: 9 new, 0 known already, 0 corrections\n", "lots", "import", book, "--by", "Aigerim")
	c.must(`"known":9`, "lots", "import", book, "--by", "Aigerim", "--json")
	circle := file("circle.jsonl", `{"step":"R-1","stage":"back","from":"2026-11-03T00:00:00Z","to":"2026-11-03T00:00:00Z","inputs":[{"lot":"C-2"}],"outputs":[{"lot":"QZ-1","quantity":"1"}]}`)
	c.refused("circle.jsonl:1: step R-1: lots would be made of themselves: ", "lots", "import", circle, "--by", "Aigerim")

	c.must("MG-1  1    mg    MG-Si    400 kg    2026-11-01 15:00:00", "lots", "list", "--kind", "mg")
	c.must("2026-11-01 10:00:00", "lots", "list", "--kind", "mg", "--to", "2026-11-01 12:00") // MG-2: the plant's wall clock
	c.must("(no lots)", "lots", "list", "--from", "2026-11-04")
	c.must(`{"lot":"C-2","kind":"cell","quantity":"150"`, "lots", "list", "--json")
	c.refused("no such kind", "lots", "list", "--kind", "wafers")

	out := c.must("What it was made of: C-1, cell, 9 850 pcs, made 2026-11-03 05:00:00 (Asia/Almaty)", "lots", "trace", "C-1")
	for _, want := range []string{"└ T-1 ", "  ├ MG-1 ", "  │ └ QZ-1 ", "  └ MG-2 ", "80.0 %", "step F-1, fill", "246.25 kg"} {
		if !strings.Contains(out, want) {
			t.Errorf("the trace lacks %q:\n%s", want, out)
		}
	}
	c.must("3 more lots are further away", "lots", "trace", "C-1", "--depth", "1")
	forward := c.object(c.must(`"direction":"forward"`, "lots", "trace", "QZ-1", "--forward", "--json"))
	if n := len(forward["relatives"].([]any)); n != 5 {
		t.Errorf("%d lots were made of the quartz, want 5", n)
	}

	c.must(`"findings":[{"code":"energy_unknown","severity":"warning","step":"S-2",`, "lots", "energy", "C-1", "--json")
	out = c.must("energy_unknown", "lots", "energy", "C-1", "--steps")
	for _, want := range []string{"metallurgical  2 955", "together       2 955     2 955  no bound", "kWh/Wp nominal: 0.036364 (at least 0.036364, at most no bound)", "it names no unit", "from before the record"} {
		if !strings.Contains(out, want) {
			t.Errorf("the energy lacks %q:\n%s", want, out)
		}
	}
	stated := file("stated.jsonl", strings.Replace(line(lotBook, `{"step":"S-2"`), `"energy_kwh":null`, `"energy_kwh":"45","why":"read off"`, 1)+
		strings.Replace(line(lotBook, `{"lot":"C-1"`), `"wp_realised":null`, `"wp_realised":"80841","why":"cell test"`, 1))
	c.must("2 corrections", "lots", "import", stated, "--by", "Daulet")
	var e struct {
		Total    amountObject
		Stages   []stageObject
		Nominal  *wattObject
		Realised *wattObject
		Findings []any
	}
	if err := json.Unmarshal([]byte(c.must(`"policy":"report-scrap"`, "lots", "energy", "C-1", "--policy", "report-scrap", "--json")), &e); err != nil {
		t.Fatal(err)
	}
	// half of the tank: 4/5 of 4800 and 1200 of MG-2; 985/1000 of that and of 45 is in C-1
	if e.Total.High == nil || e.Total.KWh != 985./1000*(.5*(3840+1200)+45) || e.Total.Low != e.Total.KWh || e.Realised == nil || len(e.Findings) != 0 {
		t.Errorf("%+v", e)
	}
	if _, code := c.run("lots", "energy", "C-1", "--policy", "none"); code != exitUsage {
		t.Errorf("a policy that does not exist ends with %d", code)
	}
}

// line is the line of text that begins so.
func line(text, begin string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, begin) {
			return l
		}
	}
	return ""
}
