package lots

import (
	"os"
	"slices"
	"strings"
	"testing"

	"kvarts/historian/telemetry"
)

// tables are the Markdown tables of text by what their first cell says, each with its rows of cells.
func tables(text string) map[string][][]string {
	out := make(map[string][][]string)
	name := ""
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			name = ""
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case name == "":
			name = cells[0]
		case !strings.HasPrefix(cells[0], "---"):
			out[name] = append(out[name], cells)
		}
	}
	return out
}

func column(rows [][]string, i int) []string {
	out := make([]string, len(rows))
	for k, r := range rows {
		out[k] = r[i]
	}
	return out
}

func TestFormat(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	all := tables(string(b))
	for name, members := range map[string][]string{"lot": lotMembers(), "step": stepMembers(), "inputs": inputMembers(), "outputs": outputMembers()} {
		if got := column(all[name], 0); !slices.Equal(got, members) {
			t.Errorf("members of %s: %v, in the code %v", name, got, members)
		}
		needed := neededOf(members)
		if name == "inputs" {
			needed = []string{"lot"}
		}
		for _, row := range all[name] {
			if (row[1] == "yes") != slices.Contains(needed, row[0]) {
				t.Errorf("member %s of %s: needed %q, in the code %v", row[0], name, row[1], needed)
			}
		}
	}
	for _, row := range all["entry"] {
		if want := strings.Join(columnsOf(row[0]), ", "); row[1] != want {
			t.Errorf("columns of %s: %s, in the code %s", row[0], row[1], want)
		}
	}
	if len(all["entry"]) != 4 {
		t.Errorf("%d kinds of rows", len(all["entry"]))
	}
	if got := column(all["tag"], 0); !slices.Equal(got, Tags()) {
		t.Errorf("tags %v, in the code %v", got, Tags())
	}
	if got := column(all["field"], 0); !slices.Equal(got, Fields()) {
		t.Errorf("fields %v, in the code %v", got, Fields())
	}
	if !strings.Contains(string(b), "Kinds: "+kindNames()+".") {
		t.Errorf("the kinds are not %s", kindNames())
	}
	book := script(t, chain)
	e, err := book.Steps[0].entry()
	if err != nil {
		t.Fatal(err)
	}
	e.Why, e.Source, e.KnownAt = "w", "s:1", t0
	line, n, err := e.uses(nil)
	if err != nil || n != 3 {
		t.Fatalf("%d points beside the step, %v", n, err)
	}
	first, _ := telemetry.NextLine(line)
	p, err := telemetry.ParseLine(first)
	if err != nil || p.Measurement != Measurement || p.Tag("entry") != entryUse {
		t.Fatalf("%s, %v", first, err)
	}
	for _, row := range all["field"] {
		v, ok := p.Field(row[0])
		if typ := map[telemetry.Type]string{telemetry.String: "text", telemetry.Int: "integer"}[v.Type()]; !ok || typ != row[1] {
			t.Errorf("%s is %s, in the code %s", row[0], row[1], typ)
		}
	}
	// These do not change: what is stored is found by them.
	for ref, want := range map[string]string{"lot:MG-0007": "9f", "step:HEAT-0007": "d7", "lot:": "b8"} {
		if got := partOf(ref); got != want {
			t.Errorf("%s is in part %s, not %s", ref, got, want)
		}
	}
}
