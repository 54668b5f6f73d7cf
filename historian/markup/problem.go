package markup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one finding in a file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column  int    `json:"column,omitempty"` // from 1, in characters
	Key     string `json:"key,omitempty"`    // where in the structure, for example servers[0].groups[1].publishing
	Value   string `json:"value,omitempty"`  // as written; empty when it is missing, or may be a secret
	Message string `json:"message"`          // what is wrong and what is allowed
	Remedy  string `json:"remedy,omitempty"` // what to do
}

// Error gives one line: file:line:column: key: message. Remedy.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	if p.Value != "" {
		fmt.Fprintf(&b, "%q: ", p.Value)
	}
	b.WriteString(p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Problems is everything wrong in one file. It is an error; one without members is none.
type Problems []Problem

// Error gives one line for each problem.
func (e Problems) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds a report: who indents a block wrongly gets a finding for each of its lines.
const maxProblems = 200

// Arrange sorts by position and bounds the list to what a person reads; what it leaves out is counted in a last member.
func (e Problems) Arrange() Problems {
	slices.SortStableFunc(e, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	if more := len(e) - maxProblems; more > 0 {
		e = append(e[:maxProblems:maxProblems], Problem{File: e[0].File, Message: fmt.Sprintf("and %d more", more)})
	}
	return e
}

// Position is a place in a file, both from 1. The zero Position is the file as a whole, or none.
type Position struct{ Line, Column int }

// Place is where something was first said, for the message about the second time.
type Place struct {
	Line int
	Path string // as of Value.Path
}

func (p Place) String() string { return fmt.Sprintf("%s in line %d", p.Path, p.Line) }
