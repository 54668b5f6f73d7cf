package record

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csv reads RFC 4180 with a header. The header says whether commas or semicolons separate: spreadsheets of countries that write
// decimal commas take semicolons.
func (rd *reader) csv(text string) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1 // rows of another length are told by their line
	if head, _, _ := strings.Cut(text, "\n"); strings.Contains(head, ";") {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		rd.problem(1, "", "has no header; the first line names the columns: "+strings.Join(ColumnNames(), ", "))
		return
	}
	if !rd.header(header) {
		return
	}
	for !rd.full() {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			rd.csvError(err)
			continue
		}
		line, _ := r.FieldPos(0)
		rd.fields(line, header, fields)
	}
}

// csvError tells what is wrong with the quotes of a row.
func (rd *reader) csvError(err error) {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		rd.problem(0, "", err.Error())
		return
	}
	rd.problem(p.StartLine, "", fmt.Sprintf("%v (line %d, character %d); write a quote within quotes twice, and close each", p.Err, p.Line, p.Column))
}

// header trims the names in place and checks them.
func (rd *reader) header(names []string) bool {
	ok := true
	known := ColumnNames()
	for i, name := range names {
		name = strings.TrimSpace(name)
		switch {
		case !slices.Contains(known, name):
			rd.problem(1, name, "is not a column; use "+strings.Join(known, ", "))
			ok = false
		case slices.Contains(names[:i], name):
			rd.problem(1, name, "is there twice; keep one column")
			ok = false
		}
		names[i] = name
	}
	return ok
}

func (rd *reader) fields(line int, header, fields []string) {
	if strings.TrimSpace(strings.Join(fields, "")) == "" {
		return // a row that a spreadsheet left behind
	}
	if len(fields) != len(header) {
		rd.problem(line, "", fmt.Sprintf("has %d fields, the header %d; a text that holds the separator stands in quotes", len(fields), len(header)))
		return
	}
	cells := make([]cell, len(fields))
	for i, text := range fields {
		cells[i] = cell{header[i], text}
	}
	rd.row(line, cells)
}
