package plant

import (
	"fmt"
	"strings"
)

// Problem is one finding in a plant file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column  int    `json:"column,omitempty"` // from 1, in characters
	Key     string `json:"key,omitempty"`    // where in the structure, for example classes[0].signals[1].range
	Value   string `json:"value,omitempty"`  // as written; empty when it is missing
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

// Problems is everything wrong in one file, in order of position.
type Problems []Problem

// Error gives one line for each problem.
func (e Problems) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}
