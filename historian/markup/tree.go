package markup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Kind of a value.
type Kind uint8

// The kinds.
const (
	Scalar   Kind = iota // a single value
	Mapping              // a block of keys
	Sequence             // a list
	Null                 // nothing
)

func (k Kind) String() string {
	return [...]string{"a single value", "a block of keys", "a list", "nothing"}[k]
}

// node is the part of YAML that is used here: scalars as text, mappings, sequences. An aliased node is
// shared, so the whole is a graph without cycles.
type node struct {
	kind  Kind
	plain bool // scalar without quotes
	wrong bool // already reported: the decoder is silent about it
	pos   Position
	text  string // of a scalar
	pairs []pair
	items []*node
	size  int // nodes below and including this one, aliases followed
}

type pair struct {
	key   *node
	value *node
}

func syntaxError(err error) (Position, string) {
	var e yaml.Error
	if !errors.As(err, &e) {
		return Position{}, "the YAML cannot be parsed: " + err.Error()
	}
	return position(e.GetToken()), "the YAML cannot be parsed: " + e.GetMessage()
}

func position(tk *token.Token) Position {
	if tk == nil || tk.Position == nil {
		return Position{}
	}
	return Position{tk.Position.Line, tk.Position.Column}
}

// reader converts the parser's tree.
type reader struct {
	doc     *Document
	anchors map[string]*node
	total   int // nodes so far, aliases followed
}

func (r *reader) node(n ast.Node) *node {
	if n == nil {
		return &node{kind: Null, size: 1}
	}
	out := &node{pos: position(n.GetToken()), size: 1}
	r.total++
	switch n := n.(type) {
	case *ast.AnchorNode:
		name := n.Name.GetToken().Value
		value := r.node(n.Value)
		if _, twice := r.anchors[name]; twice {
			r.doc.fail(out.pos, name, "this anchor is defined twice", "give it another name")
		}
		r.anchors[name] = value
		return value
	case *ast.AliasNode:
		return r.alias(out.pos, n.Value.GetToken().Value)
	case *ast.MappingNode:
		r.mapping(out, n.Values)
	case *ast.MappingValueNode:
		r.mapping(out, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out.kind = Sequence
		for _, item := range n.Values {
			child := r.node(item)
			out.items = append(out.items, child)
			out.size += child.size
		}
	case *ast.NullNode:
		out.kind = Null
	case *ast.LiteralNode:
		out.text = n.Value.Value
	case *ast.StringNode:
		out.text = n.Value
		out.plain = n.Token.Type != token.SingleQuoteType && n.Token.Type != token.DoubleQuoteType
	case ast.ScalarNode:
		out.text, out.plain = n.GetToken().Value, true
	default:
		r.doc.fail(out.pos, "", fmt.Sprintf("YAML %s is not used here", strings.ToLower(n.Type().String())), "write a plain value")
		out.kind, out.wrong = Null, true
	}
	return out
}

func (r *reader) alias(pos Position, name string) *node {
	target, ok := r.anchors[name]
	switch {
	case !ok:
		r.doc.fail(pos, name, "no anchor of this name stands above", fmt.Sprintf("write &%s before the value it should repeat, or quote the *", name))
	case r.total+target.size > r.doc.format.MaxNodes:
		r.doc.fail(pos, name, fmt.Sprintf("with this alias the file grows beyond %d values", r.doc.format.MaxNodes), "use fewer aliases")
	default:
		r.total += target.size
		return target
	}
	return &node{kind: Null, wrong: true, pos: pos, size: 1}
}

func (r *reader) mapping(out *node, pairs []*ast.MappingValueNode) {
	out.kind = Mapping
	first := make(map[string]Position, len(pairs))
	for _, p := range pairs {
		key := r.node(p.Key)
		if key.kind != Scalar {
			r.doc.fail(key.pos, "", "a key must be a single word", "write key: value")
			continue
		}
		if at, twice := first[key.text]; twice {
			r.doc.fail(key.pos, key.text, fmt.Sprintf("this key stands already in line %d", at.Line), "keep one of the two")
			continue
		}
		first[key.text] = key.pos
		value := r.node(p.Value)
		out.pairs = append(out.pairs, pair{key, value})
		out.size += key.size + value.size
	}
	if len(out.pairs) > 0 && out.pairs[0].key.pos.Line > 0 {
		out.pos = out.pairs[0].key.pos
	}
}
