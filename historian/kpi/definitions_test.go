package kpi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kvarts/historian/kpi"
)

const page = "DEFINITIONS.md"

// cells are those of the table rows of the page whose first cell is a name in backticks, by that name, below a heading.
func cells(t *testing.T, heading string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %s", page, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := make(map[string][]string)
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows[strings.Trim(row[0], "`")] = row
	}
	return rows
}

// The page and the program say the same of every key.
func TestPageDefinesEveryKey(t *testing.T) {
	rows := cells(t, "Keys")
	for _, d := range kpi.Definitions() {
		row := rows[d.Name]
		if len(row) != 8 {
			t.Errorf("%s: %d cells for %s", page, len(row), d.Name)
			continue
		}
		want := []string{d.Title, d.Unit, d.FormulaOf(kpi.ISO, kpi.Units), d.FormulaOf(kpi.E79, kpi.Units), d.FormulaOf(kpi.ISO, kpi.Line)}
		for i, w := range want {
			if row[i+1] != w {
				t.Errorf("%s: %s is %q, the program says %q", page, d.Name, row[i+1], w)
			}
		}
		if row[7] == "" || (d.Key.InVectors() && row[6] == "") {
			t.Errorf("%s: nothing proves %s", page, d.Name)
		}
	}
	if len(rows) != len(kpi.Definitions()) {
		t.Errorf("%s has %d keys, the program %d", page, len(rows), len(kpi.Definitions()))
	}
}

func TestPageListsEveryFinding(t *testing.T) {
	rows := cells(t, "Findings")
	all := []kpi.Code{kpi.PerformanceOverOne, kpi.QualityOutOfRange, kpi.NoIdealFound, kpi.UnmappedState, kpi.RanUnscheduled, kpi.RanInPlannedStop,
		kpi.CounterMissing, kpi.CounterResetAssumed, kpi.CounterDropIgnored, kpi.RolloverAmbiguous, kpi.MadeWhileStopped, kpi.EnergyWhileOff,
		kpi.EnergyWhileStopped, kpi.SubmetersOverParent, kpi.LowCoverage, kpi.LowCountCoverage, kpi.LowEnergyCoverage, kpi.CompletionCreditTooFine}
	for _, c := range all {
		if row := rows[string(c)]; len(row) != 3 || row[1] != c.Severity().String() {
			t.Errorf("%s: finding %s is %v, its severity is %s", page, c, row, c.Severity())
		}
	}
	if len(rows) != len(all) {
		t.Errorf("%s has %d findings, want %d", page, len(rows), len(all))
	}
}

func TestPageListsEveryReason(t *testing.T) {
	rows := cells(t, "Nulls and reasons")
	for _, r := range []kpi.Reason{kpi.NoPlannedTime, kpi.NoKnownTime, kpi.NoCounters, kpi.NoIdeal, kpi.NoRunTime, kpi.NoParts} {
		if _, ok := rows[string(r)]; !ok {
			t.Errorf("%s lacks the reason %s", page, r)
		}
	}
	if len(rows) != 6 {
		t.Errorf("%s has %d reasons", page, len(rows))
	}
}

// What the page calls a proof exists: each vector expects the key, each test is one.
func TestNamedProofsExist(t *testing.T) {
	for name, row := range cells(t, "Keys") {
		for _, id := range strings.Split(row[6], ", ") {
			if id != "" && !expects(t, id, name) {
				t.Errorf("%s: no query of vector %s expects a value of %s", page, id, name)
			}
		}
	}
	tests := testNames(t)
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(string(raw), -1) {
		if !tests[name] {
			t.Errorf("%s: there is no %s", page, name)
		}
	}
}

// expects says that a query of the vector expects a value that is not null of the key.
func expects(t *testing.T, id, key string) bool {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "conform", "testdata", "vectors", id+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var vector struct {
		Queries []struct {
			Expect map[string]any `json:"expect"`
		} `json:"queries"`
	}
	if err := json.Unmarshal(raw, &vector); err != nil {
		t.Fatal(err)
	}
	for _, q := range vector.Queries {
		if q.Expect[key] != nil {
			return true
		}
	}
	return false
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(raw), -1) {
			names[m[1]] = true
		}
	}
	return names
}
