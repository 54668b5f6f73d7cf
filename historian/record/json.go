package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// json reads an array of objects, or objects one after the other. Values are texts or numbers; null is as if it were not there.
func (rd *reader) json(text string) {
	d := lineDecoder{Decoder: json.NewDecoder(strings.NewReader(text)), text: text, at: 1}
	d.UseNumber()
	array := strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "[")
	if array {
		if _, err := d.Token(); err != nil {
			rd.jsonError(&d, err)
			return
		}
	}
	for !rd.full() {
		if array && !d.More() {
			rd.end(&d)
			return
		}
		tok, err := d.Token()
		if !array && errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			rd.jsonError(&d, err)
			return
		}
		line := d.line()
		if tok != json.Delim('{') {
			rd.problem(line, "", fmt.Sprintf("%v is not an object; write each record as {\"column\": value, …}", tok))
			return
		}
		cells, err := rd.object(&d, line)
		if err != nil {
			rd.jsonError(&d, err)
			return
		}
		rd.row(line, cells)
	}
}

// end reads the end of the array and of the file.
func (rd *reader) end(d *lineDecoder) {
	if _, err := d.Token(); err != nil {
		rd.jsonError(d, err)
		return
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		rd.problem(d.line(), "", "something follows the end of the array; remove it")
	}
}

// object reads the members of an object up to its end. What a member holds besides a text or a number is a problem of its own.
func (rd *reader) object(d *lineDecoder, line int) ([]cell, error) {
	known := ColumnNames()
	var cells []cell
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := tok.(string) // of a member, the decoder gives nothing else
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		switch {
		case !slices.Contains(known, name):
			rd.problem(line, name, "is not a column; use "+strings.Join(known, ", "))
			continue
		case slices.ContainsFunc(cells, func(c cell) bool { return c.column == name }):
			rd.problem(line, name, "is there twice; keep one of them")
			continue
		}
		switch v := v.(type) {
		case nil:
		case string:
			cells = append(cells, cell{name, v})
		case json.Number:
			cells = append(cells, cell{name, v.String()})
		default:
			rd.problem(line, name, "is neither a text nor a number; write one of them")
		}
	}
	_, err := d.Token() // the end of the object
	return cells, err
}

func (rd *reader) jsonError(d *lineDecoder, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		rd.problem(d.line(), "", "the file ends within a record; it was cut, or a bracket is missing")
		return
	}
	rd.problem(d.line(), "", fmt.Sprintf("is not JSON: %v; correct it, what follows was not read", err))
}

// lineDecoder knows on which line it is.
type lineDecoder struct {
	*json.Decoder
	text  string
	at    int   // line of the offset
	until int64 // offset up to which lines are counted
}

// line is the line of what was read last.
func (d *lineDecoder) line() int {
	now := min(d.InputOffset(), int64(len(d.text)))
	d.at += strings.Count(d.text[d.until:now], "\n")
	d.until = now
	return d.at
}
