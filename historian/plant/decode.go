package plant

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/exact"
)

// decoder walks a file's YAML and collects everything that is wrong.
type decoder struct {
	fileName string
	root     *yamlNode
	zone     *time.Location // dates are local there; UTC until it is known
	errs     Problems
	warns    Problems
	model    *Model

	declared    map[string][]string // list of the file → its names, before it is read
	selected    map[string][]string // range or pattern → units
	namespaces  map[*Class]string   // that units of the class have by default
	servers     map[string]string   // gateway and server → endpoint
	classIdeals map[string]dates    // class → product → ideal
	told        map[string]bool     // what once has reported
}

// dates is a Dated number by name.
type dates = map[string]Dated[exact.Num]

// value is a place in the file. It knows its parents, so that a message can say where it stands.
type value struct {
	d      *decoder
	n      *yamlNode
	parent *value
	key    string // in a mapping
	index  int    // in a sequence, when key is empty
}

// path gives for example classes[0].signals[1].range.
func (v *value) path() string {
	if v == nil || v.parent == nil {
		return ""
	}
	above := v.parent.path()
	switch {
	case v.key == "":
		return above + "[" + strconv.Itoa(v.index) + "]"
	case above == "":
		return v.key
	}
	return above + "." + v.key
}

// maxShown bounds the value that a message repeats.
const maxShown = 80

func (v *value) problem(shown, message, remedy string) Problem {
	if len(shown) > maxShown {
		shown = strings.ToValidUTF8(shown[:maxShown], "") + "…"
	}
	return Problem{File: v.d.fileName, Line: v.n.pos.line, Column: v.n.pos.column, Key: v.path(), Value: shown, Message: message, Remedy: remedy}
}

// fail reports that the value is wrong and shows it.
func (v *value) fail(message, remedy string) {
	v.d.errs = append(v.d.errs, v.problem(v.n.text, message, remedy))
}

// failAll is fail for values that are blocks or lists.
func (v *value) failAll(message, remedy string) {
	v.d.errs = append(v.d.errs, v.problem("", message, remedy))
}

func (v *value) warn(message, remedy string) {
	v.d.warns = append(v.d.warns, v.problem(v.n.text, message, remedy))
}

// is reports whether the value is of kind k, and says so in the list of errors when it is not.
func (v *value) is(k kind) bool {
	switch {
	case v.n.kind == k:
		return true
	case v.n.wrong:
	case v.n.kind == null:
		v.fail("the key has no value", "give it one, or remove the key")
	default:
		v.failAll(fmt.Sprintf("this must be %s, but is %s", k, v.n.kind), "see historian/plant/README.md")
	}
	return false
}

// scalar returns the text of a single value.
func (v *value) scalar() (string, bool) { return v.n.text, v.is(scalar) }

// items returns the members of a list; a list that is not one is reported and empty.
func (v *value) items() []*value {
	if !v.is(sequence) {
		return nil
	}
	out := make([]*value, len(v.n.items))
	for i, n := range v.n.items {
		out[i] = &value{d: v.d, n: n, parent: v, index: i}
	}
	return out
}

// entries returns the members of a mapping with free keys, such as the codes of a state map.
func (v *value) entries() []*value {
	if !v.is(mapping) {
		return nil
	}
	out := make([]*value, len(v.n.pairs))
	for i, p := range v.n.pairs {
		out[i] = &value{d: v.d, n: p.value, parent: v, key: p.key.text}
		if p.value.kind == null && p.value.pos.line == 0 {
			p.value.pos = p.key.pos
		}
	}
	return out
}

// block is a mapping whose keys are known.
type block struct {
	*value
	level  level
	values map[string]*value
}

// block reads v as a mapping of the level's keys. Unknown keys are reported here.
func (v *value) block(l level) *block {
	b := &block{value: v, level: l, values: make(map[string]*value)}
	for i, e := range v.entries() {
		if slices.Contains(l.keys, e.key) {
			b.values[e.key] = e
			continue
		}
		b.unknown(v.n.pairs[i].key)
	}
	return b
}

func (b *block) unknown(key *yamlNode) {
	at := &value{d: b.d, n: key, parent: b.value, key: key.text}
	p := at.problem("", fmt.Sprintf("%s has no key %q", b.level.name, key.text), "")
	p.Key = b.path()
	switch near, home := nearest(key.text, b.level.keys), homes(key.text); {
	case home != "":
		p.Remedy = "this key belongs into " + home
	case near != "":
		p.Remedy = fmt.Sprintf("did you mean %q?", near)
	default:
		p.Remedy = "known here: " + strings.Join(b.level.keys, ", ")
	}
	b.d.errs = append(b.d.errs, p)
}

// maxHomes bounds the blocks that a remedy names; a key that is known in more places says nothing about where it belongs.
const maxHomes = 2

// homes names the blocks that have key, if there are few.
func homes(key string) string {
	var in []string
	for _, l := range levels() {
		if slices.Contains(l.keys, key) {
			in = append(in, l.name)
		}
	}
	if len(in) > maxHomes {
		return ""
	}
	return strings.Join(in, " or ")
}

// get returns the value of key, or nil. A key outside of the level's list is a mistake in this package, and would make
// the key unusable; a test reads every key of every level.
func (b *block) get(key string) *value { return b.values[key] }

// absent says that the key is missing or holds an empty list or block.
func (b *block) absent(key string) bool {
	v := b.get(key)
	return v == nil || v.none()
}

// none says that the value is a list or a block without members.
func (v *value) none() bool {
	return (v.n.kind == sequence && len(v.n.items) == 0) || (v.n.kind == mapping && len(v.n.pairs) == 0)
}

// require reports a key that is missing.
func (b *block) require(key, remedy string) *value {
	v := b.get(key)
	if v == nil && b.n.kind == mapping {
		b.missing(key, remedy)
	}
	return v
}

func (b *block) missing(key, remedy string) {
	p := b.problem("", fmt.Sprintf("%s needs the key %q", b.level.name, key), remedy)
	b.d.errs = append(b.d.errs, p)
}

// once reports a problem of a block that its template has for each of its units, but one time.
func (d *decoder) once(b *block, message, remedy string) {
	if d.tell(b, message) {
		b.failAll(message, remedy)
	}
}

// onceWarn is once for warnings.
func (d *decoder) onceWarn(b *block, message, remedy string) {
	if d.tell(b, message) {
		d.warns = append(d.warns, b.problem("", message, remedy))
	}
}

func (d *decoder) tell(b *block, message string) bool {
	key := fmt.Sprintf("%d:%d:%s", b.n.pos.line, b.n.pos.column, message)
	if d.told[key] {
		return false
	}
	d.told[key] = true
	return true
}
