package config

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

// Limits of a file. A gateway with 40,000 tags has about 5 MiB and 400,000 YAML nodes, nested 8 deep.
const (
	maxFileBytes = 16 << 20
	// maxMarks bounds the characters that YAML may take as structure: the parser needs up to 700 bytes of memory for each.
	// A tag has about 12.
	maxMarks = 1_500_000
	// maxEmpty bounds keys and list entries without a value, which are mistakes anyway: the parser's work for them is
	// quadratic.
	maxEmpty = 1000
	maxKeys  = 5000      // of one block: likewise quadratic. The longest that makes sense are the elements of an array
	maxDepth = 64        // the parser is recursive and keeps a path for each level
	maxNodes = 2_000_000 // after aliases are followed, so that they cannot multiply without end
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

// yamlNode is the part of YAML that a configuration uses: scalars as text, mappings, sequences. An aliased node is
// shared, so the whole is a graph without cycles.
type yamlNode struct {
	kind  kind
	plain bool // scalar without quotes
	wrong bool // already reported: the decoder is silent about it
	pos   Position
	text  string // of a scalar
	pairs []yamlPair
	items []*yamlNode
	size  int // nodes below and including this one, aliases followed
}

type yamlPair struct {
	key   *yamlNode
	value *yamlNode
}

// yamlFile is what a file holds, and where a '#' directly after a space ate the rest of a line ("Saw #3").
type yamlFile struct {
	root      *yamlNode
	cutByHash map[int]string // line → what follows the '#'
}

// readYAML parses data. All problems that it can tell at once are in the Errors; a broken syntax is a single one.
func readYAML(name string, data []byte) (f yamlFile, errs Errors) {
	one := func(pos Position, value, message, remedy string) Errors {
		return Errors{{File: name, Line: pos.Line, Column: pos.Column, Value: value, Message: message, Remedy: remedy}}
	}
	data, p := checkBytes(data)
	if p != nil {
		return f, one(Position{p.Line, p.Column}, "", p.Message, p.Remedy)
	}
	// The parser is a third party's: a panic on some odd input must not end the collector, which may be running
	// on an older configuration.
	defer func() {
		if r := recover(); r != nil {
			errs = one(Position{}, "", fmt.Sprintf("the YAML cannot be parsed (%v)", r), "simplify what was changed last")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	f.cutByHash = make(map[int]string)
	if p := checkTokens(tokens, f.cutByHash); p != nil {
		return f, one(Position{p.Line, p.Column}, p.Value, p.Message, p.Remedy)
	}
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		pos, message := syntaxError(err)
		return f, one(pos, "", message, "check indentation, quotes and brackets around this place")
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
		return f, one(Position{}, "", "the file is empty", "start from configs/collector.example.yaml")
	case len(bodies) > 1:
		return f, one(r.node(bodies[1]).pos, "", "a second document begins here", "remove the line --- above it")
	}
	f.root = r.node(bodies[0])
	return f, r.errs
}

// checkBytes refuses what is not text of a sane size and returns it without byte order mark and with Unix line ends.
func checkBytes(data []byte) ([]byte, *Problem) {
	if len(data) > maxFileBytes {
		return nil, &Problem{Message: fmt.Sprintf("the file has %d bytes, more than %d MiB", len(data), maxFileBytes>>20),
			Remedy: "split the plant over several gateways, or alias repeated node lists (&name, *name)"}
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, &Problem{Message: "the file is UTF-16", Remedy: "save it as UTF-8"}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if marks := countMarks(data); marks > maxMarks {
		return nil, &Problem{Message: fmt.Sprintf("the file has %d characters of structure, more than %d", marks, maxMarks),
			Remedy: "split the plant over several gateways, or alias repeated node lists (&name, *name)"}
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

// checkLine refuses bytes that no configuration needs; the Problem has a column and no line.
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
	file    string
	anchors map[string]*yamlNode
	total   int // nodes so far, aliases followed
	errs    Errors
}

func (r *reader) problem(pos Position, value, message, remedy string) {
	r.errs = append(r.errs, Problem{File: r.file, Line: pos.Line, Column: pos.Column, Value: value, Message: message, Remedy: remedy})
}

func (r *reader) node(n ast.Node) *yamlNode {
	if n == nil {
		return &yamlNode{kind: null, size: 1}
	}
	out := &yamlNode{pos: position(n.GetToken()), size: 1}
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
		out.plain = n.Token.Type != token.SingleQuoteType && n.Token.Type != token.DoubleQuoteType
	case ast.ScalarNode:
		out.text, out.plain = n.GetToken().Value, true
	default:
		r.problem(out.pos, "", fmt.Sprintf("YAML %s is not used here", strings.ToLower(n.Type().String())), "write a plain value")
		out.kind, out.wrong = null, true
	}
	return out
}

func (r *reader) alias(pos Position, name string) *yamlNode {
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
	first := make(map[string]Position, len(pairs))
	for _, p := range pairs {
		key := r.node(p.Key)
		if key.kind != scalar {
			r.problem(key.pos, "", "a key must be a single word", "write key: value")
			continue
		}
		if at, twice := first[key.text]; twice {
			r.problem(key.pos, key.text, fmt.Sprintf("this key stands already in line %d", at.Line), "keep one of the two")
			continue
		}
		first[key.text] = key.pos
		value := r.node(p.Value)
		out.pairs = append(out.pairs, yamlPair{key, value})
		out.size += key.size + value.size
	}
	if len(out.pairs) > 0 && out.pairs[0].key.pos.Line > 0 {
		out.pos = out.pairs[0].key.pos
	}
}
