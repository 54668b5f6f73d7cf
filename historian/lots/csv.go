package lots

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The rows of a CSV lot book, told by their column entry. Inputs and outputs belong to the step, and the revision, that they name.
const (
	rowLot    = "lot"
	rowStep   = "step"
	rowInput  = "input"
	rowOutput = "output"
)

// Columns are the columns that a CSV lot book may have.
func Columns() []string {
	list := []string{"entry"}
	for _, name := range slices.Concat(lotMembers(), stepMembers(), outputMembers()) {
		if name != "inputs" && name != "outputs" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// columnsOf are the columns that belong to a row.
func columnsOf(entry string) []string {
	switch entry {
	case rowLot:
		return lotMembers()
	case rowStep:
		return slices.DeleteFunc(stepMembers(), func(s string) bool { return s == "inputs" || s == "outputs" })
	case rowInput:
		return append(inputMembers(), "step", "revision")
	case rowOutput:
		return append(outputMembers(), "step", "revision")
	default:
		return nil
	}
}

// edges are the inputs and outputs of one revision of a step until its own row has come.
type edges struct {
	line    int // of the first
	inputs  []Input
	outputs []Output
	used    bool
}

// table is a CSV lot book being read.
type table struct {
	*reader
	header []string
	steps  []Step
	lines  []int // of steps
	edges  map[string]*edges
}

func edgesOf(step, revision string) string { return revision + " " + step }

// csv reads RFC 4180 with a header, which says whether commas or semicolons separate.
func (rd *reader) csv(text string) {
	if !rd.encoded(1, text) {
		return
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1 // rows of another length are told by their line
	if head, _, _ := strings.Cut(text, "\n"); strings.Contains(head, ";") {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		rd.problem(1, "", "has no header; the first line names the columns: "+strings.Join(Columns(), ", "))
		return
	}
	t := table{reader: rd, header: header, edges: make(map[string]*edges)}
	if !t.checkHeader() {
		return
	}
	for !rd.full() {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			rd.csvError(err)
			continue
		}
		line, _ := r.FieldPos(0)
		t.row(line, fields)
	}
	t.end()
}

func (rd *reader) csvError(err error) {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		rd.problem(0, "", err.Error())
		return
	}
	rd.problem(p.StartLine, "", fmt.Sprintf("%v (line %d, character %d); write a quote within quotes twice, and close each", p.Err, p.Line, p.Column))
}

// checkHeader trims the names in place and checks them.
func (t *table) checkHeader() bool {
	ok := true
	known := Columns()
	for i, name := range t.header {
		name = strings.TrimSpace(name)
		switch {
		case !slices.Contains(known, name):
			t.problem(1, name, "is not a column; use "+strings.Join(known, ", "))
			ok = false
		case slices.Contains(t.header[:i], name):
			t.problem(1, name, "is there twice; keep one column")
			ok = false
		}
		t.header[i] = name
	}
	return ok
}

// row takes one row. Cells without text are as if they were not there.
func (t *table) row(line int, fields []string) {
	if strings.TrimSpace(strings.Join(fields, "")) == "" {
		return // a row that a spreadsheet left behind
	}
	if len(fields) != len(t.header) {
		t.problem(line, "", fmt.Sprintf("has %d fields, the header %d; a text that holds the separator stands in quotes", len(fields), len(t.header)))
		return
	}
	cells := make(map[string]string)
	for i, text := range fields {
		if text = strings.TrimSpace(text); text != "" {
			cells[t.header[i]] = text
		}
	}
	entry := cells["entry"]
	columns := columnsOf(entry)
	if columns == nil {
		t.problem(line, "entry", fmt.Sprintf("%q is not one of lot, step, input, output", entry))
		return
	}
	before := len(t.problems)
	for _, name := range t.header {
		if name != "entry" && cells[name] != "" && !slices.Contains(columns, name) {
			t.problem(line, name, fmt.Sprintf("does not belong to a row of %s, which has %s", entry, strings.Join(columns, ", ")))
		}
	}
	needed := slices.DeleteFunc(neededOf(columns), func(name string) bool { return name == "quantity" && entry == rowInput })
	for _, name := range needed {
		if cells[name] == "" {
			t.problem(line, name, fmt.Sprintf("missing; a row of %s needs it", entry))
		}
	}
	if len(t.problems) == before {
		t.take(line, entry, cells)
	}
}

// take takes the cells of a row that has all it needs.
func (t *table) take(line int, entry string, cells map[string]string) {
	before := len(t.problems)
	set := func(to func(name, text string) error, names ...string) {
		for _, name := range names {
			if text := cells[name]; text != "" {
				if err := to(name, text); err != nil {
					t.problem(line, name, err.Error())
				}
			}
		}
	}
	switch entry {
	case rowLot:
		var l Lot
		set(func(name, text string) error { return l.set(name, text, t.o.Zone) }, columnsOf(entry)...)
		if len(t.problems) == before {
			t.lot(line, &l)
		}
	case rowStep:
		var s Step
		set(func(name, text string) error { return s.set(name, text, t.o.Zone) }, columnsOf(entry)...)
		if len(t.problems) == before {
			t.steps, t.lines = append(t.steps, s), append(t.lines, line)
			t.sign(line, &t.steps[len(t.steps)-1].Revision)
		}
	default:
		key := edgesOf(cells["step"], cells["revision"])
		if t.edges[key] == nil {
			t.edges[key] = &edges{line: line}
		}
		e := t.edges[key]
		if entry == rowInput {
			var in Input
			set(in.set, inputMembers()...)
			e.inputs = append(e.inputs, in)
			return
		}
		var out Output
		set(out.set, outputMembers()...)
		e.outputs = append(e.outputs, out)
	}
}

// end gives the steps their inputs and outputs.
func (t *table) end() {
	for i := range t.steps {
		s := &t.steps[i]
		revision := ""
		if s.Number > 0 {
			revision = fmt.Sprint(s.Number)
		}
		if e := t.edges[edgesOf(s.ID, revision)]; e != nil {
			s.Inputs, s.Outputs, e.used = e.inputs, e.outputs, true
		}
		if len(t.problems) == 0 || len(s.Outputs) > 0 { // a row of it that was wrong was told already
			t.step(t.lines[i], s)
		}
	}
	for _, e := range t.edges {
		if !e.used {
			t.problem(e.line, "step", "no row of this step with the same revision is in the file; add it, or correct the name")
		}
	}
}
