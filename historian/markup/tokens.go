package markup

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// Limits of what the parser is given, whatever the file is about.
const (
	// maxEmpty bounds keys and list entries without a value, which are mistakes anyway: the parser's work for them is
	// quadratic.
	maxEmpty = 1000
	maxKeys  = 5000 // of one block: likewise quadratic. The longest that makes sense list the elements of an array, or the codes of a state map
	maxDepth = 64   // the parser is recursive and keeps a path for each level
)

// checkTokens refuses, before the recursive parser sees them, constructs that no file here uses, and what
// would take it memory or time without end. It notes where a '#' cut a value.
func checkTokens(tokens token.Tokens, cutByHash map[int]string) *Problem {
	var n nesting
	empty := 0
	for _, tk := range tokens {
		p := checkToken(tk, cutByHash)
		if p == nil {
			p = n.take(tk)
		}
		if p == nil && isEmpty(tk) {
			if empty++; empty > maxEmpty {
				p = &Problem{Message: fmt.Sprintf("more than %d keys and list entries have no value", maxEmpty), Remedy: "give them one, or remove them"}
			}
		}
		if p != nil {
			pos := position(tk)
			p.Line, p.Column = pos.Line, pos.Column
			return p
		}
	}
	return nil
}

// checkToken looks at one token; the Problem has no position.
func checkToken(tk *token.Token, cutByHash map[int]string) *Problem {
	switch tk.Type {
	case token.TagType:
		return &Problem{Value: tk.Value, Message: "YAML tags (!) are not used here", Remedy: "remove it, or quote the value"}
	case token.DirectiveType:
		return &Problem{Message: "YAML directives (%) are not used here", Remedy: "remove the line, or quote the value"}
	case token.MappingKeyType:
		return &Problem{Message: "complex keys (?) are not used here", Remedy: "write key: value"}
	case token.MergeKeyType:
		return &Problem{Value: "<<", Message: "merging of keys is not supported", Remedy: "write the keys, or alias a whole value (key: *name)"}
	case token.AnchorType, token.AliasType:
		if tk.Prev != nil && tk.Prev.Prev != nil && tk.Prev.Prev.Type == token.AnchorType {
			return &Problem{Value: tk.Value, Message: "an anchor directly before another anchor or alias", Remedy: "keep one of the two"}
		}
	case token.CommentType:
		line := tk.Position.Line
		if tk.Prev != nil && tk.Prev.Position.Line == line && tk.Value != "" && tk.Value[0] != ' ' && tk.Value[0] != '#' {
			cutByHash[line] = tk.Value
		}
	}
	return nil
}

// nesting follows the open blocks and brackets.
type nesting struct {
	open []opened
	flow int // of open: brackets
}

// opened is a block, that begins in a column, or a bracket (column 0).
type opened struct {
	column  int
	entries int
}

func (n *nesting) take(tk *token.Token) *Problem {
	switch tk.Type {
	case token.SequenceStartType, token.MappingStartType:
		n.open, n.flow = append(n.open, opened{}), n.flow+1
	case token.SequenceEndType, token.MappingEndType:
		if n.flow > 0 {
			n.open, n.flow = n.open[:len(n.open)-1], n.flow-1
		}
	case token.SequenceEntryType:
		if n.flow > 0 {
			return &Problem{Value: "-", Message: "a list with dashes cannot stand within brackets", Remedy: "quote the -, or check the brackets above"}
		}
		n.enter(tk.Position.Column)
	case token.MappingValueType:
		n.enter(beginOf(tk))
		return n.count()
	case token.CollectEntryType:
		return n.count()
	}
	if len(n.open) > maxDepth {
		return &Problem{Message: fmt.Sprintf("nested more than %d deep", maxDepth), Remedy: "check indentation and brackets"}
	}
	return nil
}

// enter closes the blocks to the right of column and opens one there, outside of brackets.
func (n *nesting) enter(column int) {
	if n.flow > 0 {
		return
	}
	for len(n.open) > 0 && n.open[len(n.open)-1].column > column {
		n.open = n.open[:len(n.open)-1]
	}
	if len(n.open) == 0 || n.open[len(n.open)-1].column < column {
		n.open = append(n.open, opened{column: column})
	}
}

// count counts a key of the innermost block, or an entry within the innermost brackets.
func (n *nesting) count() *Problem {
	if len(n.open) == 0 {
		return nil
	}
	if top := &n.open[len(n.open)-1]; top.entries < maxKeys {
		top.entries++
		return nil
	}
	return &Problem{Message: fmt.Sprintf("more than %d keys in one block, or entries within one pair of brackets", maxKeys), Remedy: "check the indentation; write long lists with dashes"}
}

// beginOf is the column where the key before the ':' tk begins.
func beginOf(tk *token.Token) int {
	if tk.Prev == nil {
		return tk.Position.Column
	}
	return tk.Prev.Position.Column
}

// isEmpty reports whether tk, the ':' or '-' of something, has no value behind it.
func isEmpty(tk *token.Token) bool {
	column := tk.Position.Column
	switch tk.Type {
	case token.SequenceEntryType:
	case token.MappingValueType:
		column = beginOf(tk)
	default:
		return false
	}
	next := tk.Next
	for next != nil && next.Type == token.CommentType {
		next = next.Next
	}
	switch {
	case next == nil:
		return true
	case next.Type == token.CollectEntryType, next.Type == token.MappingEndType, next.Type == token.SequenceEndType:
		return true
	case next.Position.Line == tk.Position.Line || next.Position.Column > column:
		return false
	}
	// "key:" and below it "- item", in the same column.
	return tk.Type == token.SequenceEntryType || next.Type != token.SequenceEntryType || next.Position.Column < column
}
