package lots

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Format of a lot book.
type Format string

// The formats. JSON has one object a line; CSV has a header, commas or semicolons, and one row for each lot, step, input and output.
const (
	JSON Format = "json"
	CSV  Format = "csv"
)

// ReadOptions say how a file is read.
type ReadOptions struct {
	Format Format
	Zone   *time.Location // of times without an offset; nil: they are wrong
	Name   string         // of the file, for Revision.Source
	By     string         // who says what does not tell it
	Why    string         // likewise
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"` // from 1; 0: the file as a whole
	Member string `json:"member,omitempty"`
	Text   string `json:"text"` // what is wrong, and what to do
}

func (p Problem) Error() string {
	s := p.Text
	if p.Member != "" {
		s = p.Member + ": " + s
	}
	switch {
	case p.Line > 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, s)
	case p.File != "":
		return p.File + ": " + s
	}
	return s
}

// at is where the revision was read, as "file" and line.
func (r *Revision) at() (file string, line int) {
	i := strings.LastIndexByte(r.Source, ':')
	if i < 0 {
		return r.Source, 0
	}
	line, _ = strconv.Atoi(r.Source[i+1:])
	return r.Source[:i], line
}

// Limits of one file.
const (
	maxFile     = 256 << 20
	maxProblems = 1000 // then reading ends: who has more corrects those first
)

// Read reads a file of the lot book. All that is wrong with it is told at once, by line; the book is given only when nothing is.
// What else it says of one lot, or step, is another revision, and says which.
func Read(r io.Reader, o ReadOptions) (Book, []Problem) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return Book{}, []Problem{{File: o.Name, Text: fmt.Sprintf("cannot be read: %v", err)}}
	case len(data) > maxFile:
		return Book{}, []Problem{{File: o.Name, Text: fmt.Sprintf("is larger than %d MB; cut it into several", maxFile>>20)}}
	}
	rd := reader{o: o, seen: make(map[string]int)}
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch o.Format {
	case JSON:
		rd.json(text)
	case CSV:
		rd.csv(text)
	default:
		rd.problem(0, "", fmt.Sprintf("format %q: not json or csv", o.Format))
	}
	if len(rd.problems) > 0 {
		slices.SortStableFunc(rd.problems, func(a, b Problem) int { return a.Line - b.Line })
		return Book{}, rd.problems
	}
	return rd.book, nil
}

// reader collects what a file says.
type reader struct {
	o        ReadOptions
	book     Book
	problems []Problem
	seen     map[string]int // line of each entry with its revision
}

func (rd *reader) problem(line int, member, text string) {
	rd.problems = append(rd.problems, Problem{rd.o.Name, line, member, text})
}

// checked adds the problems of err, one a line of it, and says whether there were none.
func (rd *reader) checked(line int, err error) bool {
	if err == nil {
		return true
	}
	for text := range strings.SplitSeq(err.Error(), "\n") {
		rd.problem(line, "", text)
	}
	return false
}

// full says that reading should end.
func (rd *reader) full() bool {
	if len(rd.problems) < maxProblems {
		return false
	}
	rd.problem(0, "", fmt.Sprintf("has more than %d problems; these are the first", maxProblems))
	return true
}

// encoded says that the line is UTF-8.
func (rd *reader) encoded(line int, text string) bool {
	if utf8.ValidString(text) {
		return true
	}
	rd.problem(line, "", "is not UTF-8; save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\")")
	return false
}

// sign completes a revision with what holds for the whole file.
func (rd *reader) sign(line int, r *Revision) {
	r.Source = fmt.Sprintf("%s:%d", rd.o.Name, line)
	if r.By == "" {
		r.By = rd.o.By
	}
	if r.Why == "" {
		r.Why = rd.o.Why
	}
}

func (rd *reader) lot(line int, l *Lot) {
	rd.sign(line, &l.Revision)
	if rd.checked(line, l.Check()) && rd.once(line, "lot", l.ID, l.Number) {
		rd.book.Lots = append(rd.book.Lots, *l)
	}
}

func (rd *reader) step(line int, s *Step) {
	rd.sign(line, &s.Revision)
	if rd.checked(line, s.Check()) && rd.once(line, "step", s.ID, s.Number) {
		rd.book.Steps = append(rd.book.Steps, *s)
	}
}

// once refuses a second word on the same revision.
func (rd *reader) once(line int, what, id string, revision int) bool {
	key := fmt.Sprintf("%s %d %s", what, revision, id)
	if first, twice := rd.seen[key]; twice {
		rd.problem(line, "", fmt.Sprintf("is the same %s %s as line %d; keep one of them, or give the later one the next revision", what, id, first))
		return false
	}
	rd.seen[key] = line
	return true
}
