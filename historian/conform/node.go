package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a JSON value is.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

var kindNames = [...]string{null: "null", boolean: "a boolean", number: "a number", text: "a string", list: "a list", object: "an object"}

// node is one JSON value with its place in the file. Numbers keep their text, so that none goes through a float.
type node struct {
	kind   kind
	text   string // of a number or a string
	yes    bool   // of a boolean
	items  []*node
	fields []field // in the order of the file

	parent *node
	step   string // ".key" or "[3]", from parent
}

type field struct {
	key   string
	value *node
}

// path is the JSON path of n: $.units[0].states[3][1].
func (n *node) path() string {
	var steps []string
	for ; n.parent != nil; n = n.parent {
		steps = append(steps, n.step)
	}
	var b strings.Builder
	b.WriteByte('$')
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteString(steps[i])
	}
	return b.String()
}

// empty says that n is what may stand for an absent value.
func (n *node) empty() bool {
	switch n.kind {
	case null:
		return true
	case text:
		return n.text == ""
	case list:
		return len(n.items) == 0
	case object:
		return len(n.fields) == 0
	default:
		return false
	}
}

// pathStep is a key as a path writes it: .key, or ["any key"].
func pathStep(key string) string {
	if key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" {
		return "." + key
	}
	return "[" + strconv.Quote(key) + "]"
}

// maxDepth is more than any vector nests. It bounds the recursion.
const maxDepth = 32

// syntaxError is where a file stops being JSON, or JSON that has one meaning.
type syntaxError struct {
	path   string
	reason string
}

func (e *syntaxError) Error() string { return e.path + ": " + e.reason }

// decode reads one JSON value and nothing after it. Keys that occur twice in an object are an error: readers of JSON
// disagree on which of them counts.
func decode(data []byte) (*node, error) {
	if i := invalidUTF8(data); i >= 0 {
		return nil, &syntaxError{path: "$", reason: fmt.Sprintf("not UTF-8 at %s", place(data, i))}
	}
	var syntax *json.SyntaxError
	// Unmarshal checks the syntax of all of data first, which tokens alone would not, and says where it fails.
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &syntax) {
		return nil, &syntaxError{path: "$", reason: fmt.Sprintf("not JSON: %s at %s", syntax, place(data, int(syntax.Offset)-1))}
	} else if err != nil {
		return nil, &syntaxError{path: "$", reason: fmt.Sprintf("not JSON: %s", err)}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	d := decoder{Decoder: dec}
	root := &node{}
	if err := d.value(root, 0); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &syntaxError{path: "$", reason: "something follows the vector"}
	}
	return root, nil
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// place is an offset as line and column, both from 1; columns are bytes.
func place(data []byte, offset int) string {
	before := data[:min(max(offset, 0), len(data))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	return fmt.Sprintf("line %d column %d", line, len(before)-bytes.LastIndexByte(before, '\n'))
}

type decoder struct{ *json.Decoder }

// value reads the next value into n.
func (d decoder) value(n *node, depth int) error {
	if depth > maxDepth {
		return &syntaxError{path: n.path(), reason: fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	token, err := d.Token()
	if err != nil {
		return &syntaxError{path: n.path(), reason: fmt.Sprintf("not JSON: %s", err)}
	}
	switch v := token.(type) {
	case nil:
		n.kind = null
	case bool:
		n.kind, n.yes = boolean, v
	case json.Number:
		n.kind, n.text = number, v.String()
	case string:
		n.kind, n.text = text, v
	case json.Delim:
		if v == '[' {
			return d.list(n, depth)
		}
		return d.object(n, depth)
	}
	return nil
}

func (d decoder) list(n *node, depth int) error {
	n.kind = list
	for d.More() {
		item := &node{parent: n, step: "[" + strconv.Itoa(len(n.items)) + "]"}
		if err := d.value(item, depth+1); err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	return d.end(n)
}

func (d decoder) object(n *node, depth int) error {
	n.kind = object
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return &syntaxError{path: n.path(), reason: fmt.Sprintf("not JSON: %s", err)}
		}
		key, _ := token.(string)
		value := &node{parent: n, step: pathStep(key)}
		if seen[key] {
			return &syntaxError{path: value.path(), reason: "the key occurs twice"}
		}
		seen[key] = true
		if err := d.value(value, depth+1); err != nil {
			return err
		}
		n.fields = append(n.fields, field{key, value})
	}
	return d.end(n)
}

// end reads the bracket that closes n.
func (d decoder) end(n *node) error {
	if _, err := d.Token(); err != nil {
		return &syntaxError{path: n.path(), reason: fmt.Sprintf("not JSON: %s", err)}
	}
	return nil
}
