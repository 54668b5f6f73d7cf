package record

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Format of a file of records.
type Format string

// The formats. CSV has a header, commas or semicolons; JSON is an array of objects, or objects one after the other.
const (
	CSV  Format = "csv"
	JSON Format = "json"
)

// ReadOptions say how a file is read.
type ReadOptions struct {
	Format Format
	Zone   *time.Location // of times without an offset
	Kind   Kind           // of rows without a kind; "": each row must tell
	Name   string         // of the file, for Audit.Source
	Audit  Audit          // of rows that do not tell by and why; Source is made from Name and line
}

// LineOf is the line of the file that r was read from; 0 when it was not.
func (r *Record) LineOf() int {
	n, _ := strconv.Atoi(r.Source[strings.LastIndexByte(r.Source, ':')+1:])
	return n
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line   int    `json:"line"` // from 1; 0: the file as a whole
	Column string `json:"column,omitempty"`
	Text   string `json:"text"` // what is wrong, and what to do
}

func (p Problem) Error() string {
	s := p.Text
	if p.Column != "" {
		s = p.Column + ": " + s
	}
	if p.Line > 0 {
		s = fmt.Sprintf("line %d: %s", p.Line, s)
	}
	return s
}

// Limits of one file: what is larger is not typed by people, and is easily cut into several.
const (
	maxFile     = 64 << 20
	maxRows     = 200_000
	maxProblems = 1000 // then reading ends: who has more corrects those first
)

// Read reads a file of records, of which each gets revision 1. All that is wrong is told at once, by line; records are given only
// when nothing is. Two rows of one id are wrong: of the same thing a file cannot say two things.
func Read(r io.Reader, o ReadOptions) ([]Record, []Problem) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, []Problem{{Text: fmt.Sprintf("cannot be read: %v", err)}}
	case len(data) > maxFile:
		return nil, []Problem{{Text: fmt.Sprintf("is larger than %d MB; cut it into several", maxFile>>20)}}
	}
	rd := reader{o: o, seen: make(map[string]int)}
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch {
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
		slices.SortStableFunc(rd.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, rd.problems
	}
	return rd.records, nil
}

// badLine is the line of the first byte that is not UTF-8.
func badLine(text string) int {
	line := 1
	for text != "" {
		c, n := utf8.DecodeRuneInString(text)
		if c == utf8.RuneError && n == 1 {
			break
		}
		if c == '\n' {
			line++
		}
		text = text[n:]
	}
	return line
}

// reader collects what a file says.
type reader struct {
	o        ReadOptions
	records  []Record
	problems []Problem
	seen     map[string]int // line of each id
}

func (rd *reader) problem(line int, column, text string) {
	rd.problems = append(rd.problems, Problem{line, column, text})
}

// full says that reading should end.
func (rd *reader) full() bool {
	if len(rd.records) >= maxRows {
		rd.problem(0, "", fmt.Sprintf("has more than %d rows; cut it into several", maxRows))
		return true
	}
	if len(rd.problems) >= maxProblems {
		rd.problem(0, "", fmt.Sprintf("has more than %d problems; these are the first", maxProblems))
		return true
	}
	return false
}

// ColumnNames are all columns that a file may have.
func ColumnNames() []string {
	list := []string{"kind"}
	for _, s := range Specs() {
		for _, c := range s.Columns() {
			if !slices.Contains(list, c) {
				list = append(list, c)
			}
		}
	}
	return append(list, "id", "by", "why")
}

// cell is one value of a row.
type cell struct{ column, text string }

// row takes one row. Cells without text are as if they were not there.
func (rd *reader) row(line int, cells []cell) {
	before := len(rd.problems)
	r := Record{Kind: rd.o.Kind, Revision: 1, Audit: rd.o.Audit}
	r.Source = fmt.Sprintf("%s:%d", rd.o.Name, line)
	for i := range cells {
		cells[i].text = strings.TrimSpace(cells[i].text)
		if cells[i].column == "kind" && cells[i].text != "" {
			r.Kind = Kind(cells[i].text)
		}
	}
	spec, ok := SpecOf(r.Kind)
	if !ok {
		rd.problem(line, "kind", fmt.Sprintf("%q is not one of %s", r.Kind, kindNames()))
		return
	}
	for _, c := range cells {
		if c.text == "" || c.column == "kind" {
			continue
		}
		if err := r.Set(c.column, c.text, rd.o.Zone); err != nil {
			rd.problem(line, c.column, err.Error())
		}
	}
	for _, name := range []string{spec.Begin, spec.End} {
		if name != "" && !slices.ContainsFunc(cells, func(c cell) bool { return c.column == name && c.text != "" }) {
			rd.problem(line, name, fmt.Sprintf("missing; %s needs it", r.Kind))
		}
	}
	if len(rd.problems) > before {
		return
	}
	rd.finish(line, &spec, r)
}

// finish checks a row as a whole.
func (rd *reader) finish(line int, spec *Spec, r Record) {
	if spec.End == "" {
		r.To = r.From
	}
	r.Reach = r.To
	if r.ID == "" {
		r.ID = r.DefaultID()
	}
	if err := r.Check(); err != nil {
		for _, text := range strings.Split(err.Error(), "\n") {
			rd.problem(line, "", text)
		}
		return
	}
	if first, twice := rd.seen[r.ID]; twice {
		rd.problem(line, "", fmt.Sprintf("is the same %s as line %d (same place and begin); keep one of them, or give each an id", r.Kind, first))
		return
	}
	rd.seen[r.ID] = line
	rd.records = append(rd.records, r)
}

// Set sets a column of r, whose Kind is set, from what a person wrote: a time without an offset is local in zone. It does
// not set the kind, and does not check more than the form.
func (r *Record) Set(name, text string, zone *time.Location) error {
	spec, _ := SpecOf(r.Kind)
	switch name {
	case "id":
		r.ID = text
		return nil
	case "by":
		r.By = text
		return nil
	case "why":
		r.Why = text
		return nil
	case spec.Begin:
		return setTime(&r.From, text, zone)
	case spec.End:
		return setTime(&r.To, text, zone)
	}
	if !spec.Has(name) {
		return fmt.Errorf("does not belong to %s, which has %s", r.Kind, strings.Join(spec.Columns(), ", "))
	}
	for _, c := range slices.Concat(places(), columns()) {
		if c.name == name {
			return c.set(r, text, zone)
		}
	}
	return fmt.Errorf("is not a column of %s", r.Kind)
}

func (c *column) set(r *Record, text string, zone *time.Location) error {
	switch {
	case c.text != nil:
		*c.text(r) = text
		return nil
	case c.instant != nil:
		return setTime(c.instant(r), text, zone)
	}
	n, err := exact.Parse(text)
	if err != nil {
		if strings.Contains(text, ",") {
			return fmt.Errorf("%q has a comma; write the decimal point, and no thousands separators: 1234.5", text)
		}
		return fmt.Errorf("%q is not a number; write it like 1234.5", text)
	}
	*c.number(r) = &n
	return nil
}

func setTime(at *telemetry.Instant, text string, zone *time.Location) error {
	t, err := calendar.ParseTime(text, zone)
	if err != nil {
		return err
	}
	*at = t
	return nil
}
