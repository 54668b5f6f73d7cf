// Package markup reads YAML documents with the position of every value, for rooms that check a file as a whole and then
// report every mistake at once: file, line, column, key, value, what is allowed, and what to do.
//
// A room describes its kind of file as a Format, and reads a Document from its root on: Value.Block, Value.Items and
// Value.Entries lead down, and Value.Fail and Value.Warn report at the place where they are called. Nothing stops at the
// first mistake. What is of the wrong kind, unknown, missing or there twice is reported here; what a value means is the
// room's business.
//
// The text may come from anybody: what would cost the parser its stack, the memory of a gateway or minutes is refused
// before it. YAML's tags, merge keys, directives and complex keys are refused too; anchors and aliases are followed.
package markup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// Format is one kind of file. It is not changed once used, and then safe for concurrent use.
type Format struct {
	MaxBytes int // of the text
	MaxMarks int // characters that YAML may take as structure: the parser needs up to 700 bytes of memory for each
	MaxNodes int // values after aliases are followed, so that they cannot multiply without end

	Levels []Level // all blocks there are, to tell where a misplaced key belongs
	// For remedies: a file to begin from, a text that shows how everything is written, and what makes a file smaller.
	Start, Manual, Smaller string
}

// Level is one kind of block: its name in messages and the keys it may have.
type Level struct {
	Name string // with its article: "a server"
	Keys []string
	// Secrets maps keys that people try, and that would hold a secret in the file, to the remedy.
	Secrets map[string]string
}

// maxHomes bounds the blocks that a remedy names; a key that is known in more places says nothing about where it belongs.
const maxHomes = 2

// homes names the blocks that have key, if there are few.
func (f *Format) homes(key string) string {
	var in []string
	for _, l := range f.Levels {
		if slices.Contains(l.Keys, key) {
			in = append(in, l.Name)
		}
	}
	if len(in) > maxHomes {
		return ""
	}
	return strings.Join(in, " or ")
}

// ReadFile returns the text of a file for Parse; of one that is too large only so much that Parse sees it.
func (f *Format) ReadFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(f.MaxBytes)+1))
	return data, errors.Join(err, file.Close())
}

// Document is one text while it is read. It is not safe for concurrent use.
type Document struct {
	Name     string   // of the file, for messages
	Errors   Problems // so far, in the order of their discovery
	Warnings Problems // likewise: what is allowed but looks unintended

	format    *Format
	root      *node
	cutByHash map[int]string // line → what follows a '#' directly after a space ("Saw #3"), without it
}

// Parse reads the YAML of a text. All that it can tell at once is in Errors; a broken syntax is a single one, and the
// Document has no root.
func (f *Format) Parse(name string, data []byte) *Document {
	d := &Document{Name: name, format: f, cutByHash: make(map[int]string)}
	data, p := f.checkBytes(data)
	if p != nil {
		d.add(p)
		return d
	}
	// The parser is a third party's: a panic on some odd input must not end a program that lives on what it read before.
	defer func() {
		if r := recover(); r != nil {
			d.root, d.Errors = nil, nil
			d.fail(Position{}, "", fmt.Sprintf("the YAML cannot be parsed (%v)", r), "simplify what was changed last")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if p := checkTokens(tokens, d.cutByHash); p != nil {
		d.add(p)
		return d
	}
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		pos, message := syntaxError(err)
		d.fail(pos, "", message, "check indentation, quotes and brackets around this place")
		return d
	}
	d.read(parsed)
	return d
}

// read takes over the one document that a file holds.
func (d *Document) read(parsed *ast.File) {
	var bodies []ast.Node
	for _, doc := range parsed.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	r := reader{doc: d, anchors: make(map[string]*node)}
	switch len(bodies) {
	case 0:
		d.fail(Position{}, "", "the file is empty", "start from "+d.format.Start)
	case 1:
		d.root = r.node(bodies[0])
	default:
		second := r.node(bodies[1]).pos
		d.Errors = nil
		d.fail(second, "", "a second document begins here", "remove the line --- above it")
	}
}

func (d *Document) add(p *Problem) {
	p.File = d.Name
	d.Errors = append(d.Errors, *p)
}

func (d *Document) fail(pos Position, value, message, remedy string) {
	d.add(&Problem{Line: pos.Line, Column: pos.Column, Value: value, Message: message, Remedy: remedy})
}

// Root is the whole document, or nil when it could not be parsed; Errors then say why.
func (d *Document) Root() *Value {
	if d.root == nil {
		return nil
	}
	return &Value{doc: d, n: d.root}
}
