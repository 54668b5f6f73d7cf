package config

import "kvarts/historian/markup"

// decoder reads a file's YAML and collects everything that is wrong.
type decoder struct {
	dir   string // of the file; relative file names start there
	doc   *markup.Document
	nodes checks
}

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
