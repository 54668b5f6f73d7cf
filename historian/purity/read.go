package purity

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"kvarts/historian/telemetry"
)

// Format of a file of results.
type Format string

// The formats. CSV has a header, commas or semicolons; JSON is one object a line.
const (
	CSV  Format = "csv"
	JSON Format = "json"
)

// ReadOptions say how a file is read.
type ReadOptions struct {
	Format  Format
	Name    string            // of the file, for problems and Result.Source
	KnownAt telemetry.Instant // when it is stored, in whole µs
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	At   string `json:"at"`   // "file:line", or the file where it is of the file as a whole
	Text string `json:"text"` // which column, what is wrong, and what to do
}

func (p Problem) Error() string { return p.At + ": " + p.Text }

// Limits of one file: a laboratory of a plant measures some thousand elements a day.
const (
	maxFile     = 64 << 20
	maxRows     = 200_000
	maxProblems = 1000 // then reading ends: who has more corrects those first
)

// Read reads a file of results. All that is wrong is told at once, in the order of lines; results are given only when nothing is.
func Read(r io.Reader, o ReadOptions) ([]Result, []Problem) {
	rd := reader{o: o}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch {
	case err != nil:
		rd.problem(0, "", fmt.Sprintf("cannot be read: %v", err))
	case len(data) > maxFile:
		rd.problem(0, "", fmt.Sprintf("is larger than %d MB; cut it into several", maxFile>>20))
	case !utf8.ValidString(text):
		rd.problem(badLine(text), "", "is not UTF-8; save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\")")
	case o.Format == CSV:
		rd.csv(text)
	case o.Format == JSON:
		rd.json(text)
	default:
		rd.problem(0, "", fmt.Sprintf("format %q: not csv or json", o.Format))
	}
	if len(rd.problems) > 0 {
		return nil, rd.problems
	}
	return rd.results, nil
}

// badLine is the line of the first byte that is not UTF-8.
func badLine(text string) int {
	at := 0
	for at < len(text) {
		c, n := utf8.DecodeRuneInString(text[at:])
		if c == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return strings.Count(text[:at], "\n") + 1
}

// reader collects what a file says.
type reader struct {
	o        ReadOptions
	results  []Result
	problems []Problem
}

// problem notes what is wrong with a line, 0 for the whole file, and a column, "" for none.
func (rd *reader) problem(line int, column, text string) {
	p := Problem{At: rd.o.Name, Text: text}
	if line > 0 {
		p.At = fmt.Sprintf("%s:%d", rd.o.Name, line)
	}
	if column != "" {
		p.Text = column + ": " + text
	}
	rd.problems = append(rd.problems, p)
}

// full says that reading should end.
func (rd *reader) full() bool {
	if len(rd.results) >= maxRows {
		rd.problem(0, "", fmt.Sprintf("has more than %d results; cut it into several", maxRows))
		return true
	}
	if len(rd.problems) >= maxProblems {
		rd.problem(0, "", fmt.Sprintf("has more than %d problems; these are the first", maxProblems))
		return true
	}
	return false
}

// cell is one value of a row.
type cell struct{ column, text string }

// row takes one row of known columns. Cells without text are as if they were not there; without a revision it is the first.
func (rd *reader) row(line int, cells []cell) {
	before := len(rd.problems)
	r := Result{Revision: 1, KnownAt: rd.o.KnownAt, Source: fmt.Sprintf("%s:%d", rd.o.Name, line)}
	for _, c := range cells {
		text := strings.TrimSpace(c.text)
		if text == "" {
			continue
		}
		k := slices.IndexFunc(columns[:], func(known column) bool { return known.name == c.column })
		if err := columns[k].set(&r, text); err != nil {
			rd.problem(line, c.column, err.Error())
		}
	}
	if len(rd.problems) > before {
		return
	}
	if err := r.Check(); err != nil {
		for _, text := range strings.Split(err.Error(), "\n") {
			rd.problem(line, "", text)
		}
		return
	}
	rd.results = append(rd.results, r)
}

// known says whether a file may have a column of the name.
func (rd *reader) known(line int, name string) bool {
	if slices.Contains(Columns(), name) {
		return true
	}
	rd.problem(line, "", fmt.Sprintf("%q is not a column; use %s", name, strings.Join(Columns(), ", ")))
	return false
}
