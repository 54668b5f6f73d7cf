package record

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// tableRows are the cells of the rows of the Markdown tables in text that begin with a name in backquotes.
func tableRows(text string) [][]string {
	var rows [][]string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestFormat(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "## Stored")
	tags, rest, _ := strings.Cut(text, "| field |")
	fields, kinds, ok := strings.Cut(rest, "## Imported")
	if !ok {
		t.Fatal("its sections are not as expected")
	}
	var names []string
	for _, row := range tableRows(tags) {
		names = append(names, strings.Split(strings.ReplaceAll(row[0], "`", ""), ", ")...)
	}
	if !slices.Equal(names, Tags()) {
		t.Errorf("tags %v, in the code %v", names, Tags())
	}
	names = nil
	types := make(map[string]string)
	for _, row := range tableRows(fields) {
		name := strings.Trim(row[0], "`")
		names, types[name] = append(names, name), row[1]
	}
	if !slices.Equal(names, Fields()) {
		t.Errorf("fields %v, in the code %v", names, Fields())
	}
	for _, r := range samples() {
		r.Revision, r.Deleted = 2, true
		line := string(mustLine(t, &r))
		for name, typ := range types {
			_, value, stored := strings.Cut(strings.Replace(line, " id=", ",id=", 1), ","+name+"=")
			if stored && strings.HasPrefix(value, `"`) != (typ == "text") {
				t.Errorf("%s is no %s in %s", name, typ, line)
			}
		}
	}
	join := func(list []string) string { return strings.Join(list, ", ") }
	var want [][]string
	for _, s := range Specs() {
		when := s.Begin
		if s.End != "" {
			when += ", " + s.End
		}
		want = append(want, []string{"`" + string(s.Kind) + "`", join(s.Where), when, join(s.Required), join(s.Optional)})
	}
	if got := tableRows(kinds); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("kinds\n%q, in the code\n%q", got, want)
	}
}
