package uavalue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Path names an element or member of a value. The zero Path is the value itself.
//
//	[3]        element 3 (from 0) of an array
//	[1,2]      element of a matrix, row-major
//	high       member of a structure, without regard to case and underscores
//	[0].low    member of an element
//	range.high member of a member
type Path struct{ steps []step }

type step struct {
	name  string // folded; "" for an index step
	index []int
}

// IsZero says that p is the value itself.
func (p Path) IsZero() bool { return len(p.steps) == 0 }

// Limits of a path: deeper or wider ones are typing errors, not machines.
const (
	maxPathSteps  = 16
	maxDimensions = 8
	maxIndex      = 1<<31 - 1 // Part 6 §5.2.5: array lengths are Int32
)

var errPathEnd = errors.New("ends where an index or a member name should follow")

// ParsePath reads the text form.
func ParsePath(s string) (Path, error) {
	var p Path
	for rest := s; rest != ""; {
		if len(p.steps) == maxPathSteps {
			return Path{}, fmt.Errorf("path %.60q has more than %d steps", s, maxPathSteps)
		}
		var (
			st  step
			err error
		)
		if rest[0] == '[' {
			st, rest, err = parseIndex(rest[1:])
		} else {
			if rest[0] == '.' {
				if len(p.steps) == 0 {
					return Path{}, fmt.Errorf("path %.60q begins with a dot", s)
				}
				rest = rest[1:]
			} else if len(p.steps) > 0 {
				return Path{}, fmt.Errorf("path %.60q: a dot is missing before %.20q", s, rest)
			}
			st, rest, err = parseMember(rest)
		}
		if err != nil {
			return Path{}, fmt.Errorf("path %.60q: %w", s, err)
		}
		p.steps = append(p.steps, st)
	}
	return p, nil
}

func parseIndex(s string) (step, string, error) {
	inner, rest, ok := strings.Cut(s, "]")
	if !ok {
		return step{}, "", errors.New("] is missing")
	}
	var st step
	for _, n := range strings.Split(inner, ",") {
		i, err := strconv.ParseUint(n, 10, 31)
		if err != nil {
			return step{}, "", fmt.Errorf("index %.20q is not a whole number from 0 to %d", n, maxIndex)
		}
		st.index = append(st.index, int(i))
	}
	if len(st.index) > maxDimensions {
		return step{}, "", fmt.Errorf("more than %d dimensions", maxDimensions)
	}
	return st, rest, nil
}

func parseMember(s string) (step, string, error) {
	n := strings.IndexAny(s, ".[")
	if n < 0 {
		n = len(s)
	}
	name := foldName(s[:n])
	if name == "" {
		return step{}, "", errPathEnd
	}
	if strings.ContainsAny(name, "], ") {
		return step{}, "", fmt.Errorf("member %.20q holds a character that names do not have", s[:n])
	}
	return step{name: name}, s[n:], nil
}

// foldName makes member names comparable: DisplayName, displayName and display_name are one.
func foldName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

// String gives the text form; ParsePath reads it back to an equal Path.
func (p Path) String() string {
	var b strings.Builder
	for i, st := range p.steps {
		if st.name != "" {
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(st.name)
			continue
		}
		b.WriteByte('[')
		for k, n := range st.index {
			if k > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(n))
		}
		b.WriteByte(']')
	}
	return b.String()
}

// OnlyElements says that p holds indices alone: the value at its end has the data type of the whole.
func (p Path) OnlyElements() bool {
	for _, st := range p.steps {
		if st.name != "" {
			return false
		}
	}
	return true
}
