package purity

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csv reads RFC 4180 with a header. The header says whether commas or semicolons separate.
func (rd *reader) csv(text string) {
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
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if !rd.known(1, names[i]) {
			ok = false
		} else if slices.Contains(names[:i], names[i]) {
			rd.problem(1, names[i], "is there twice; keep one column")
			ok = false
		}
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
