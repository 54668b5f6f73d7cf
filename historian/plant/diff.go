package plant

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kvarts/historian/telemetry"
)

// Change is one difference between two models, in words: "product M10: ideal of wire_saw from 1.6 to 1.5 s from 2026-12-01".
type Change struct {
	What string   `json:"what"`           // kind of the part: product, unit, …
	Name string   `json:"name"`           // of the part, or of the first of several
	Also []string `json:"also,omitempty"` // further parts of the kind with the same change
	Text string   `json:"text"`           // what changed
}

func (c Change) String() string {
	name := c.Name
	switch n := len(c.Also); {
	case n > maxSome:
		name = fmt.Sprintf("%s … %s (%d)", c.Name, c.Also[n-1], n+1)
	case n > 0:
		name += ", " + strings.Join(c.Also, ", ")
	}
	return strings.TrimSpace(c.What+" "+name) + ": " + c.Text
}

// Diff tells what changed from old to new, by the sections of a file. A change of several units in the same way is one.
func Diff(old, new *Model) []Change {
	was, is := old.describe(), new.describe()
	var out []Change
	for _, p := range is.parts {
		if !was.has[p] {
			out = append(out, Change{What: p.what, Name: p.name, Text: "is new"})
			continue
		}
		for _, label := range unite(was.labels[p], is.labels[p]) {
			key := fact{p, label}
			for _, text := range compare(was.values[key], is.values[key], label, new) {
				out = append(out, Change{What: p.what, Name: p.name, Text: text})
			}
		}
	}
	for _, p := range was.parts {
		if !is.has[p] {
			out = append(out, Change{What: p.what, Name: p.name, Text: "is gone"})
		}
	}
	return fold(out)
}

// fold makes one of the changes that are the same for several parts of a kind.
func fold(list []Change) []Change {
	type same struct{ what, text string }
	first := make(map[same]int)
	var out []Change
	for _, c := range list {
		k := same{c.What, c.Text}
		if i, ok := first[k]; ok {
			out[i].Also = append(out[i].Also, c.Name)
			continue
		}
		first[k] = len(out)
		out = append(out, c)
	}
	return out
}

// unite is a and what only b has, in order.
func unite(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(a, s) {
			out = append(out, s)
		}
	}
	return out
}

// compare tells the differences of one value over time. Both may be nil: the value is not said.
func compare(was, is Dated[string], label string, m *Model) []string {
	name, unit, _ := strings.Cut(label, "|")
	var out []string
	var last [2]string
	for i, t := range froms(was, is) {
		a, b := at(was, t), at(is, t)
		pair := [2]string{a, b}
		if a == b || (i > 0 && pair == last) {
			last = pair
			continue
		}
		last = pair
		out = append(out, name+change(a, b, unit)+since(t, m))
	}
	return out
}

// names is the unit of a fact that is a list of names.
const names = "names"

// change words one difference; "" is: not said.
func change(a, b, unit string) string {
	if unit == names {
		return changeNames(a, b)
	}
	if unit != "" {
		unit = " " + unit
	}
	switch {
	case a == "":
		return " is now " + b + unit
	case b == "":
		return " is no longer said (was " + a + unit + ")"
	default:
		return " from " + a + " to " + b + unit
	}
}

// changeNames tells what came to a list and what left it.
func changeNames(a, b string) string {
	minus := func(x, y string) []string {
		rest := strings.Split(y, separator)
		return slices.DeleteFunc(strings.Split(x, separator), func(s string) bool { return s == "" || slices.Contains(rest, s) })
	}
	out := ""
	if came := minus(b, a); len(came) > 0 {
		out += " now with " + some(came)
	}
	if left := minus(a, b); len(left) > 0 {
		if out != "" {
			out += ","
		}
		out += " without " + some(left)
	}
	if out == "" {
		return " in another order"
	}
	return out
}

// separator stands between the names of a list.
const separator = ", "

func at(d Dated[string], t telemetry.Instant) string {
	v, _ := d.At(t)
	return v
}

func since(t telemetry.Instant, m *Model) string {
	if t == Always {
		return ""
	}
	return " from " + showDate(t, m.Location)
}

// part is a named piece of a model, fact one value of it.
type (
	part struct{ what, name string }
	fact struct {
		part
		label string // "name|unit"
	}
)

// description is everything that a model says, as text by part and label.
type description struct {
	parts  []part
	has    map[part]bool
	labels map[part][]string
	values map[fact]Dated[string]
}

// part begins the description of a part; put says a value of it.
func (d *description) part(what, name string) func(label string, v Dated[string]) {
	p := part{what, name}
	if !d.has[p] {
		d.has[p] = true
		d.parts = append(d.parts, p)
	}
	return func(label string, v Dated[string]) {
		if len(v) == 0 {
			return
		}
		d.labels[p] = append(d.labels[p], label)
		d.values[fact{p, label}] = v
	}
}

// text is a constant for put; "" says nothing.
func text(s string) Dated[string] {
	if s == "" {
		return nil
	}
	return Constant(s)
}

func list(s []string) Dated[string] { return text(strings.Join(s, separator)) }

// words turns values into text.
func words[T any](d Dated[T], show func(T) string) Dated[string] {
	out := make(Dated[string], len(d))
	for i, s := range d {
		out[i] = Since[string]{s.From, show(s.Value)}
	}
	return out
}

func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+" = "+m[k])
	}
	return strings.Join(out, ", ")
}
