package plant

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a file. A chain of 2 GW has about 60 KiB and 6,000 YAML nodes, nested 6 deep; a plant that writes each of 5,000
// units out has twenty times that.
const (
	maxFileBytes = 4 << 20
	// maxMarks bounds the characters that YAML may take as structure: the parser needs up to 700 bytes of memory for each.
	maxMarks = 500_000
	// maxEmpty bounds keys and list entries without a value, which are mistakes anyway: the parser's work for them is
	// quadratic.
	maxEmpty = 1000
	maxKeys  = 5000    // of one block: likewise quadratic. The longest that makes sense are the codes of a state map
	maxDepth = 64      // the parser is recursive and keeps a path for each level
	maxNodes = 500_000 // after aliases are followed, so that they cannot multiply without end
)

// kind of a YAML node.
type kind uint8

const (
	scalar kind = iota
	mapping
	sequence
	null
)

func (k kind) String() string {
	return [...]string{"a single value", "a block of keys", "a list", "nothing"}[k]
}

// position is a place in the file, both from 1. The zero position is the file as a whole.
type position struct{ line, column int }

// yamlNode is the part of YAML that a plant file uses: scalars as text, mappings, sequences. An aliased node is
// shared, so the whole is a graph without cycles.
type yamlNode struct {
	kind  kind
	wrong bool // already reported: the decoder is silent about it
	pos   position
	text  string // of a scalar
	pairs []yamlPair
	items []*yamlNode
	size  int // nodes below and including this one, aliases followed
}

type yamlPair struct {
	key   *yamlNode
	value *yamlNode
}

// readYAML parses data. All problems that it can tell at once are in the Problems; a broken syntax is a single one.
func readYAML(name string, data []byte) (root *yamlNode, errs Problems) {
	one := func(pos position, value, message, remedy string) Problems {
		return Problems{{File: name, Line: pos.line, Column: pos.column, Value: value, Message: message, Remedy: remedy}}
	}
	data, p := checkBytes(data)
	if p != nil {
		return nil, one(position{p.Line, p.Column}, "", p.Message, p.Remedy)
	}
	// The parser is a third party's: a panic on some odd input must not end the historian, which reads models that others
	// stored.
	defer func() {
		if r := recover(); r != nil {
			root, errs = nil, one(position{}, "", fmt.Sprintf("the YAML cannot be parsed (%v)", r), "simplify what was changed last")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if p := checkTokens(tokens); p != nil {
		return nil, one(position{p.Line, p.Column}, p.Value, p.Message, p.Remedy)
	}
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		pos, message := syntaxError(err)
		return nil, one(pos, "", message, "check indentation, quotes and brackets around this place")
	}
	var bodies []ast.Node
	for _, doc := range parsed.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	r := reader{file: name, anchors: make(map[string]*yamlNode)}
	switch {
	case len(bodies) == 0:
		return nil, one(position{}, "", "the file is empty", "start from configs/plants/demo.yaml")
	case len(bodies) > 1:
		return nil, one(r.node(bodies[1]).pos, "", "a second document begins here", "remove the line --- above it")
	}
	return r.node(bodies[0]), r.errs
}

// checkBytes refuses what is not text of a sane size and returns it without byte order mark and with Unix line ends.
func checkBytes(data []byte) ([]byte, *Problem) {
	if len(data) > maxFileBytes {
		return nil, &Problem{Message: fmt.Sprintf("the file has %d bytes, more than %d MiB", len(data), maxFileBytes>>20),
			Remedy: "write units by template and count, and alias what repeats (&name, *name)"}
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, &Problem{Message: "the file is UTF-16", Remedy: "save it as UTF-8"}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if marks := countMarks(data); marks > maxMarks {
		return nil, &Problem{Message: fmt.Sprintf("the file has %d characters of structure, more than %d", marks, maxMarks),
			Remedy: "write units by template and count, and alias what repeats (&name, *name)"}
	}
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if p := checkLine(text); p != nil {
			p.Line = line
			return nil, p
		}
	}
	return data, nil
}

// countMarks counts the characters that may begin a token of YAML.
func countMarks(data []byte) int {
	n := 0
	for _, c := range []byte("\n\"'&*-:,[]{}#!?|>%@`") {
		n += bytes.Count(data, []byte{c})
	}
	return n
}

// checkLine refuses bytes that no plant file needs; the Problem has a column and no line.
func checkLine(line []byte) *Problem {
	indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
	content := bytes.TrimSpace(line[len(indent):])
	if tab := bytes.IndexByte(indent, '\t'); tab >= 0 && len(content) > 0 && content[0] != '#' {
		return &Problem{Column: tab + 1, Message: "a tab is used for indentation", Remedy: "use spaces"}
	}
	column := 0
	for rest := line; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		column++
		switch {
		case r == utf8.RuneError && size == 1:
			return &Problem{Column: column, Message: fmt.Sprintf("the byte 0x%02X is not UTF-8", rest[0]), Remedy: "save the file as UTF-8"}
		case r == '\r':
			return &Problem{Column: column, Message: "a carriage return without line feed", Remedy: "save the file with Unix (LF) or Windows (CRLF) line ends"}
		case r < ' ' && r != '\t' && r != '\n', r == 0x7f:
			return &Problem{Column: column, Message: fmt.Sprintf("the control character 0x%02X is not allowed", r), Remedy: "remove it"}
		}
		rest = rest[size:]
	}
	return nil
}

func syntaxError(err error) (position, string) {
	var e yaml.Error
	if !errors.As(err, &e) {
		return position{}, "the YAML cannot be parsed: " + err.Error()
	}
	return positionOf(e.GetToken()), "the YAML cannot be parsed: " + e.GetMessage()
}

func positionOf(tk *token.Token) position {
	if tk == nil || tk.Position == nil {
		return position{}
	}
	return position{tk.Position.Line, tk.Position.Column}
}

// reader converts the parser's tree.
type reader struct {
	file    string
	anchors map[string]*yamlNode
	total   int // nodes so far, aliases followed
	errs    Problems
}

func (r *reader) problem(pos position, value, message, remedy string) {
	r.errs = append(r.errs, Problem{File: r.file, Line: pos.line, Column: pos.column, Value: value, Message: message, Remedy: remedy})
}

func (r *reader) node(n ast.Node) *yamlNode {
	if n == nil {
		return &yamlNode{kind: null, size: 1}
	}
	out := &yamlNode{pos: positionOf(n.GetToken()), size: 1}
	r.total++
	switch n := n.(type) {
	case *ast.AnchorNode:
		name := n.Name.GetToken().Value
		value := r.node(n.Value)
		if _, twice := r.anchors[name]; twice {
			r.problem(out.pos, name, "this anchor is defined twice", "give it another name")
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
		out.kind = sequence
		for _, item := range n.Values {
			child := r.node(item)
			out.items = append(out.items, child)
			out.size += child.size
		}
	case *ast.NullNode:
		out.kind = null
	case *ast.LiteralNode:
		out.text = n.Value.Value
	case *ast.StringNode:
		out.text = n.Value
	case ast.ScalarNode:
		out.text = n.GetToken().Value
	default:
		r.problem(out.pos, "", fmt.Sprintf("YAML %s is not used here", strings.ToLower(n.Type().String())), "write a plain value")
		out.kind, out.wrong = null, true
	}
	return out
}

func (r *reader) alias(pos position, name string) *yamlNode {
	target, ok := r.anchors[name]
	switch {
	case !ok:
		r.problem(pos, name, "no anchor of this name stands above", fmt.Sprintf("write &%s before the value it should repeat, or quote the *", name))
	case r.total+target.size > maxNodes:
		r.problem(pos, name, fmt.Sprintf("with this alias the file grows beyond %d values", maxNodes), "use fewer aliases")
	default:
		r.total += target.size
		return target
	}
	return &yamlNode{kind: null, wrong: true, pos: pos, size: 1}
}

func (r *reader) mapping(out *yamlNode, pairs []*ast.MappingValueNode) {
	out.kind = mapping
	first := make(map[string]position, len(pairs))
	for _, p := range pairs {
		key := r.node(p.Key)
		if key.kind != scalar {
			r.problem(key.pos, "", "a key must be a single word", "write key: value")
			continue
		}
		if at, twice := first[key.text]; twice {
			r.problem(key.pos, key.text, fmt.Sprintf("this key stands already in line %d", at.line), "keep one of the two")
			continue
		}
		first[key.text] = key.pos
		value := r.node(p.Value)
		out.pairs = append(out.pairs, yamlPair{key, value})
		out.size += key.size + value.size
	}
	if len(out.pairs) > 0 && out.pairs[0].key.pos.line > 0 {
		out.pos = out.pairs[0].key.pos
	}
}
