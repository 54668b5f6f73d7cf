package conform

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Problem is one reason why a file is no vector.
type Problem struct {
	Path   string // JSON path
	Reason string
}

func (p Problem) String() string { return p.Path + ": " + p.Reason }

// InvalidError says that a file is not a valid vector, and everything that is wrong with it.
type InvalidError struct {
	File     string
	Problems []Problem // at least one
}

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = fmt.Sprintf("%s: %s", e.File, p)
	}
	return strings.Join(lines, "\n")
}

// maxProblems ends the list of a file that is wrong throughout.
const maxProblems = 20

// reader takes values out of nodes. What is wrong is noted once, and the zero value is returned: the caller goes on, so
// that one run tells all that is wrong.
type reader struct {
	problems []Problem
	zone     *time.Location
}

func (r *reader) fail(n *node, format string, args ...any) {
	r.failAt(n.path(), format, args...)
}

func (r *reader) failAt(path, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{Path: path, Reason: fmt.Sprintf(format, args...)})
	}
}

// is says that n is of the kind wanted.
func (r *reader) is(n *node, want kind) bool {
	if n.kind != want {
		r.fail(n, "%s, want %s", kindNames[n.kind], kindNames[want])
	}
	return n.kind == want
}

// entry is an object of which only the keys asked for may be there.
type entry struct {
	*node
	r     *reader
	known []string
}

// object opens n with the keys that it may have.
func (r *reader) object(n *node, keys ...string) entry {
	e := entry{node: n, r: r, known: keys}
	if !r.is(n, object) {
		return e
	}
	for _, f := range n.fields {
		if !slices.Contains(keys, f.key) {
			r.fail(f.value, "no such key; known are %s", strings.Join(keys, ", "))
		}
	}
	return e
}

// find is the value of a key, nil when the key is absent or null.
func (e entry) find(key string) *node {
	for _, f := range e.fields {
		if f.key == key && f.value.kind != null {
			return f.value
		}
	}
	return nil
}

// optional is the value of a key, nil when it is absent, null or empty.
func (e entry) optional(key string) *node {
	if n := e.find(key); n != nil && !n.empty() {
		return n
	}
	return nil
}

// required is the value of a key that must be there; it may be an empty list.
func (e entry) required(key string) *node {
	n := e.find(key)
	if e.kind == object && (n == nil || n.empty() && n.kind != list) {
		e.r.failAt(e.path()+pathStep(key), "missing")
		return nil
	}
	return n
}

// list is the items of a list; none when n is nil.
func (r *reader) list(n *node) []*node {
	if n == nil || !r.is(n, list) {
		return nil
	}
	return n.items
}

// tuple is the items of a list of two to most values; what follows the second may be absent, null or empty alike. ok is
// false when it has another shape.
func (r *reader) tuple(n *node, most int, shape string) (items []*node, ok bool) {
	if !r.is(n, list) {
		return nil, false
	}
	if len(n.items) < 2 || len(n.items) > most {
		r.fail(n, "a list of %d, want %s", len(n.items), shape)
		return nil, false
	}
	return n.items, true
}

// at is item i of a tuple, nil when it is absent, null or empty.
func at(items []*node, i int) *node {
	if i < len(items) && !items[i].empty() {
		return items[i]
	}
	return nil
}

// text is a string; "" when n is nil.
func (r *reader) text(n *node) string {
	if n == nil || !r.is(n, text) {
		return ""
	}
	return n.text
}

// number is an integer, a decimal or a fraction, read exactly; 0 when n is nil.
func (r *reader) number(n *node) exact.Num {
	if n == nil {
		return exact.Num{}
	}
	if n.kind != number && n.kind != text {
		r.fail(n, "%s, want a number, or a string that holds one", kindNames[n.kind])
		return exact.Num{}
	}
	v, err := exact.Parse(n.text)
	if err != nil {
		r.fail(n, "%s", err)
	}
	return v
}

// quantity is a number that is not negative.
func (r *reader) quantity(n *node) exact.Num {
	v := r.number(n)
	if v.Sign() < 0 {
		r.fail(n, "negative: %s", v)
	}
	return v
}

// positive is a number above 0; n is nil only where a problem has been noted already.
func (r *reader) positive(n *node) exact.Num {
	v := r.number(n)
	if n != nil && v.Sign() <= 0 && (n.kind == number || n.kind == text) {
		r.fail(n, "not above 0: %s", n.text)
	}
	return v
}

// maxLength is longer than the time between any two times of a vector.
const maxLength = time.Duration(endOfTime - beginOfTime)

// length is a number of seconds as a whole number of nanoseconds. Longer ones than maxLength mean the same as it.
func (r *reader) length(n *node, seconds exact.Num) time.Duration {
	ns := seconds.Mul(exact.Int(int64(time.Second)))
	if !ns.Equal(ns.Round()) {
		r.fail(n, "not a whole number of nanoseconds")
	}
	if d, ok := ns.Round().Int64(); ok {
		return min(max(0, time.Duration(d)), maxLength)
	}
	return maxLength
}

// The range of time, the years 1900 to 2189. Its length fits a time.Duration, so that no interval of a vector overflows one.
const (
	beginOfTime telemetry.Instant = -2_208_988_800 * 1_000_000_000
	endOfTime   telemetry.Instant = 6_942_585_600 * 1_000_000_000
)

// always is the date of what held from the beginning.
const always telemetry.Instant = math.MinInt64

// time is a moment; absent when n is nil.
func (r *reader) time(n *node, absent telemetry.Instant) telemetry.Instant {
	if n == nil || !r.is(n, text) || r.zone == nil {
		return absent
	}
	t, err := calendar.ParseTime(n.text, r.zone)
	switch {
	case err != nil:
		r.fail(n, "%s", err)
		return absent
	case t < beginOfTime || t >= endOfTime:
		r.fail(n, "time %q: outside the years 1900 to 2189", n.text)
		return absent
	}
	return t
}

// interval is what lies between two moments; n is nil only where a problem has been noted already.
func (r *reader) interval(from, to *node) calendar.Interval {
	v := calendar.Interval{From: r.time(from, always), To: r.time(to, always)}
	if v.From != always && v.To != always && v.Empty() {
		r.fail(to, "the interval does not end after it begins (%s)", from.text)
	}
	return v
}

// oneOf is the value that a word stands for.
func oneOf[T any](r *reader, n *node, what string, words map[string]T, absent T) T {
	if n == nil || !r.is(n, text) {
		return absent
	}
	v, ok := words[n.text]
	if !ok {
		known := make([]string, 0, len(words))
		for w := range words {
			known = append(known, w)
		}
		slices.Sort(known)
		r.fail(n, "no such %s: %q; known are %s", what, n.text, strings.Join(known, ", "))
		return absent
	}
	return v
}

// unique notes a second use of a name and remembers the first.
func (r *reader) unique(n *node, seen map[string]string, name string) {
	if n == nil || name == "" {
		return
	}
	if first, ok := seen[name]; ok {
		r.fail(n, "second use of %q, first at %s", name, first)
		return
	}
	seen[name] = n.path()
}
