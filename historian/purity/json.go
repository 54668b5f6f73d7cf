package purity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// json reads one object a line; empty lines are skipped. What is wrong with one line does not keep the next from being read.
func (rd *reader) json(text string) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if rd.full() {
			return
		}
		if line = strings.TrimSpace(line); line != "" {
			rd.object(n, line)
		}
	}
}

// object reads the object of a line.
func (rd *reader) object(n int, line string) {
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	tok, err := d.Token()
	if err == nil && tok != json.Delim('{') {
		rd.problem(n, "", "is not an object; write one result a line: {\"sample\": …, \"element\": …}, without an array around them")
		return
	}
	before := len(rd.problems)
	var cells []cell
	for err == nil && d.More() {
		cells, err = rd.member(n, d, cells)
	}
	if err == nil {
		_, err = d.Token() // the end of the object
	}
	if err != nil {
		rd.jsonError(n, err)
		return
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		rd.problem(n, "", "something follows the object; write one result a line")
		return
	}
	if len(rd.problems) == before {
		rd.row(n, cells)
	}
}

// member reads a name and its value: a text, a number or null.
func (rd *reader) member(n int, d *json.Decoder, cells []cell) ([]cell, error) {
	tok, err := d.Token()
	if err != nil {
		return cells, err
	}
	name, _ := tok.(string) // of a member, the decoder gives nothing else
	var v any
	if err := d.Decode(&v); err != nil {
		return cells, err
	}
	if !rd.known(n, name) {
		return cells, nil
	}
	if slices.ContainsFunc(cells, func(c cell) bool { return c.column == name }) {
		rd.problem(n, name, "is there twice; keep one of them")
		return cells, nil
	}
	switch v := v.(type) {
	case nil:
		return append(cells, cell{name, ""}), nil
	case string:
		return append(cells, cell{name, v}), nil
	case json.Number:
		return append(cells, cell{name, v.String()}), nil
	}
	rd.problem(n, name, "is neither a text nor a number; write one of them")
	return cells, nil
}

func (rd *reader) jsonError(n int, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		rd.problem(n, "", "ends within an object; write each result on one line, and close its bracket")
		return
	}
	rd.problem(n, "", fmt.Sprintf("is not JSON: %v; correct it", err))
}
