package markup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Value is a place in a Document. It knows its parents, so that a message can say where it stands.
type Value struct {
	doc    *Document
	n      *node
	parent *Value
	key    string // in a mapping
	index  int    // in a sequence, when key is empty
}

// Kind is what stands there.
func (v *Value) Kind() Kind { return v.n.kind }

// Raw is the text of a single value as it is written, without quotes; "" of all others.
func (v *Value) Raw() string { return v.n.text }

// Key is the key that the value stands behind; "" in a list.
func (v *Value) Key() string { return v.key }

// Pos is where the value begins.
func (v *Value) Pos() Position { return v.n.pos }

// Path gives for example servers[0].groups[1].publishing; "" of the root.
func (v *Value) Path() string {
	if v == nil || v.parent == nil {
		return ""
	}
	above := v.parent.Path()
	switch {
	case v.key == "":
		return above + "[" + strconv.Itoa(v.index) + "]"
	case above == "":
		return v.key
	}
	return above + "." + v.key
}

// Place is the value as others name it.
func (v *Value) Place() Place { return Place{v.n.pos.Line, v.Path()} }

// Empty says that the value is a list or a block without members.
func (v *Value) Empty() bool {
	return (v.n.kind == Sequence && len(v.n.items) == 0) || (v.n.kind == Mapping && len(v.n.pairs) == 0)
}

// CutByHash returns what YAML takes as a comment behind an unquoted value, where the '#' has no space after it and may
// be meant as part of the value: Saw #3.
func (v *Value) CutByHash() (rest string, cut bool) {
	rest, cut = v.doc.cutByHash[v.n.pos.Line]
	return rest, cut && v.n.plain
}

// maxShown bounds the value that a message repeats.
const maxShown = 80

func (v *Value) problem(shown, message, remedy string) Problem {
	if len(shown) > maxShown {
		shown = strings.ToValidUTF8(shown[:maxShown], "") + "…"
	}
	return Problem{File: v.doc.Name, Line: v.n.pos.Line, Column: v.n.pos.Column, Key: v.Path(), Value: shown, Message: message, Remedy: remedy}
}

// Fail reports that the value is wrong and shows it.
func (v *Value) Fail(message, remedy string) { v.FailAs(v.n.text, message, remedy) }

// FailHidden is Fail without showing the value: it may be a secret in the wrong place, or is not what is wrong.
func (v *Value) FailHidden(message, remedy string) { v.FailAs("", message, remedy) }

// FailAs is Fail for what the value becomes or was taken from.
func (v *Value) FailAs(shown, message, remedy string) {
	v.doc.Errors = append(v.doc.Errors, v.problem(shown, message, remedy))
}

// Warn reports what is allowed but looks unintended, and shows the value.
func (v *Value) Warn(message, remedy string) {
	v.doc.Warnings = append(v.doc.Warnings, v.problem(v.n.text, message, remedy))
}

// Is reports whether the value is of kind k, and says so in the list of errors when it is not.
func (v *Value) Is(k Kind) bool {
	switch {
	case v.n.kind == k:
		return true
	case v.n.wrong:
	case v.n.kind == Null:
		v.Fail("the key has no value", "give it one, or remove the key")
	default:
		v.FailHidden(fmt.Sprintf("this must be %s, but is %s", k, v.n.kind), "see "+v.doc.format.Manual)
	}
	return false
}

// Scalar returns the text of a single value; all others are reported.
func (v *Value) Scalar() (text string, ok bool) { return v.n.text, v.Is(Scalar) }

// Text is Scalar for texts that must not be empty.
func (v *Value) Text() (text string, ok bool) {
	text, ok = v.Scalar()
	if ok && text == "" {
		v.Fail("the value is empty", "give it one, or remove the key")
		return "", false
	}
	return text, ok
}

// Items returns the members of a list; what is no list is reported and has none.
func (v *Value) Items() []*Value {
	if !v.Is(Sequence) {
		return nil
	}
	out := make([]*Value, len(v.n.items))
	for i, n := range v.n.items {
		out[i] = &Value{doc: v.doc, n: n, parent: v, index: i}
	}
	return out
}

// Entries returns the members of a block with free keys; what is no block is reported and has none.
func (v *Value) Entries() []*Value {
	if !v.Is(Mapping) {
		return nil
	}
	out := make([]*Value, len(v.n.pairs))
	for i, p := range v.n.pairs {
		out[i] = v.entry(p)
	}
	return out
}

func (v *Value) entry(p pair) *Value {
	if p.value.kind == Null && p.value.pos.Line == 0 {
		p.value.pos = p.key.pos
	}
	return &Value{doc: v.doc, n: p.value, parent: v, key: p.key.text}
}

// Find returns the member of a block that stands behind key, or nil. It reports nothing, whatever v is.
func (v *Value) Find(key string) *Value {
	i := slices.IndexFunc(v.n.pairs, func(p pair) bool { return p.key.text == key })
	if i < 0 {
		return nil
	}
	return v.entry(v.n.pairs[i])
}

// Unique reports that the block v has a name that another one had before, at the key that holds it, and notes a new one
// in seen. An empty name, a mistake that was reported before, is neither new nor taken.
func (v *Value) Unique(seen map[string]Place, key, name string) bool {
	if name == "" {
		return false
	}
	at := v
	if e := v.Find(key); e != nil {
		at = e
	}
	if first, twice := seen[name]; twice {
		at.FailAs(name, "this name is already taken by "+first.String(), "give one of them another name")
		return false
	}
	seen[name] = Place{at.n.pos.Line, v.Path()}
	return true
}

// Choice reads one of a few words into dst. It leaves dst alone when v is nil, a key that is not there, or wrong, which
// is reported.
func Choice[T ~string](v *Value, dst *T, words ...T) bool {
	if v == nil {
		return false
	}
	s, ok := v.Scalar()
	if !ok {
		return false
	}
	if slices.Contains(words, T(s)) {
		*dst = T(s)
		return true
	}
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	remedy := "write one of them"
	if near := Nearest(s, list); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	v.Fail("this must be one of "+strings.Join(list, ", "), remedy)
	return false
}
