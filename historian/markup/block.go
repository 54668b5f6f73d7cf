package markup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Block is a Value read as a block with known keys. Its readers leave *dst as it is (the default) when the key is
// missing or wrong; what is wrong is reported.
type Block struct {
	*Value
	level  Level
	values map[string]*Value
}

// Block reads v as a block with the level's keys. Others are reported here, with the one that may be meant or the block
// they belong into.
func (v *Value) Block(l Level) *Block {
	b := &Block{Value: v, level: l, values: make(map[string]*Value)}
	for i, e := range v.Entries() {
		if slices.Contains(l.Keys, e.key) {
			b.values[e.key] = e
			continue
		}
		b.unknown(v.n.pairs[i].key)
	}
	return b
}

func (b *Block) unknown(key *node) {
	at := &Value{doc: b.doc, n: key, parent: b.Value, key: key.text}
	if remedy, secret := b.level.Secrets[key.text]; secret {
		at.FailHidden("a secret must not stand in the configuration", remedy)
		return
	}
	p := at.problem("", fmt.Sprintf("%s has no key %q", b.level.Name, key.text), "")
	p.Key = b.Path()
	switch near, home := Nearest(key.text, b.level.Keys), b.doc.format.homes(key.text); {
	case home != "":
		p.Remedy = "this key belongs into " + home
	case near != "":
		p.Remedy = fmt.Sprintf("did you mean %q?", near)
	default:
		p.Remedy = "known here: " + strings.Join(b.level.Keys, ", ")
	}
	b.doc.Errors = append(b.doc.Errors, p)
}

// Get returns the value of key, or nil. A key outside of the level's list is a mistake in the room, and would make the
// key unusable.
func (b *Block) Get(key string) *Value { return b.values[key] }

// Require is Get for a key that must be there; it is reported when it is not.
func (b *Block) Require(key, remedy string) *Value {
	v := b.Get(key)
	if v == nil && b.n.kind == Mapping {
		b.Missing(key, remedy)
	}
	return v
}

// Missing reports that the block needs a key.
func (b *Block) Missing(key, remedy string) {
	b.FailHidden(fmt.Sprintf("%s needs the key %q", b.level.Name, key), remedy)
}

// Scalar returns the single value of a key and its text; ok is false when there is no key, or no single value.
func (b *Block) Scalar(key string) (v *Value, text string, ok bool) {
	if v = b.Get(key); v == nil {
		return nil, "", false
	}
	text, ok = v.Scalar()
	return v, text, ok
}

// Text reads any single value that is not empty.
func (b *Block) Text(key string, dst *string) bool {
	v := b.Get(key)
	if v == nil {
		return false
	}
	s, ok := v.Text()
	if ok {
		*dst = s
	}
	return ok
}

// Integer reads a whole number.
func (b *Block) Integer(key string, dst *int, low, high int) bool {
	v, s, ok := b.Scalar(key)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		v.Fail(fmt.Sprintf("this must be a whole number from %d to %d", low, high), "write a number in that range")
		return false
	}
	*dst = n
	return true
}
