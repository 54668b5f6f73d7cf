package plant

import (
	"fmt"
	"time"

	"kvarts/historian/exact"
	"kvarts/historian/markup"
)

// decoder walks a file's YAML and collects everything that is wrong.
type decoder struct {
	doc   *markup.Document
	zone  *time.Location // dates are local there; UTC until it is known
	model *Model

	declared    map[string][]string // list of the file → its names, before it is read
	selected    map[string][]string // range or pattern → units
	namespaces  map[*Class]string   // that units of the class have by default
	servers     map[string]string   // gateway and server → endpoint
	classIdeals map[string]dates    // class → product → ideal
	told        map[string]bool     // what once has reported
}

// dates is a Dated number by name.
type dates = map[string]Dated[exact.Num]

// value is a place in the file.
type value struct {
	*markup.Value
	d *decoder
}

// block is a mapping whose keys are known.
type block struct {
	*markup.Block
	d *decoder
}

// value is v with the decoder, nil for nil.
func (d *decoder) value(v *markup.Value) *value {
	if v == nil {
		return nil
	}
	return &value{v, d}
}

func (d *decoder) values(list []*markup.Value) []*value {
	out := make([]*value, len(list))
	for i, v := range list {
		out[i] = &value{v, d}
	}
	return out
}

func (v *value) items() []*value                   { return v.d.values(v.Items()) }
func (v *value) entries() []*value                 { return v.d.values(v.Entries()) }
func (v *value) block(l markup.Level) *block       { return &block{v.Block(l), v.d} }
func (b *block) get(key string) *value             { return b.d.value(b.Get(key)) }
func (b *block) require(key, remedy string) *value { return b.d.value(b.Require(key, remedy)) }

// absent says that the key is missing or holds an empty list or block.
func (b *block) absent(key string) bool {
	v := b.Get(key)
	return v == nil || v.Empty()
}

// once reports a problem of a block that its template has for each of its units, but one time.
func (d *decoder) once(b *block, message, remedy string) {
	if d.tell(b, message) {
		b.FailHidden(message, remedy)
	}
}

// onceWarn is once for warnings.
func (d *decoder) onceWarn(b *block, message, remedy string) {
	if d.tell(b, message) {
		b.Warn(message, remedy)
	}
}

func (d *decoder) tell(b *block, message string) bool {
	key := fmt.Sprintf("%d:%d:%s", b.Pos().Line, b.Pos().Column, message)
	if d.told[key] {
		return false
	}
	d.told[key] = true
	return true
}
