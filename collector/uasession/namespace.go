package uasession

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// readNamespaces reads the server's NamespaceArray: the index of a namespace is only good for one session (Part 3
// §8.2.2), its URI for ever.
func readNamespaces(ctx context.Context, c *channel, timing Timing) ([]string, error) {
	values, err := readAttributes(ctx, c, timing, valueIDs([]uint32{id.Server_NamespaceArray}))
	if err != nil {
		return nil, fmt.Errorf("read the namespace array: %w", err)
	}
	v := values[0]
	if v == nil || isBad(v.Status) || v.Value == nil {
		return nil, fmt.Errorf("read the namespace array: server answers %s", statusText(v.Status))
	}
	list, ok := v.Value.Value().([]string)
	if !ok {
		return nil, errors.New("read the namespace array: it is no array of strings")
	}
	return list, nil
}

// nodeText is a parsed node id whose namespace may still be a URI.
type nodeText struct {
	uri   string // "" when index counts
	index uint16
	id    string // i=…, s=…, g=…, b=…
}

// parseNode reads the text form of a node id (Part 6 §5.3.1.10): [nsu=URI;|ns=N;](i|s|g|b)=…
func parseNode(text string) (nodeText, error) {
	var n nodeText
	rest := text
	if after, ok := strings.CutPrefix(text, "nsu="); ok {
		// A URI may hold semicolons; the identifier begins at the first one that is followed by a kind.
		cut := identifierAt(after)
		if cut <= 0 {
			return n, fmt.Errorf("node id %q: want nsu=URI;s=… (or i=, g=, b=)", text)
		}
		n.uri, rest = after[:cut], after[cut+1:]
	} else if after, ok := strings.CutPrefix(text, "ns="); ok {
		number, id, ok := strings.Cut(after, ";")
		index, err := strconv.ParseUint(number, 10, 16)
		if !ok || err != nil {
			return n, fmt.Errorf("node id %q: want ns=0…65535;s=… (or i=, g=, b=)", text)
		}
		n.index, rest = uint16(index), id
	}
	n.id = rest
	if _, err := n.node(n.index); err != nil {
		return n, fmt.Errorf("node id %q: %w", text, err)
	}
	return n, nil
}

func identifierAt(s string) int {
	for i := range len(s) - 2 {
		if s[i] == ';' && strings.IndexByte("isgb", s[i+1]) >= 0 && s[i+2] == '=' {
			return i
		}
	}
	return -1
}

// node makes the node id with the namespace's index.
func (n nodeText) node(index uint16) (*ua.NodeID, error) {
	if len(n.id) < 3 || n.id[1] != '=' {
		return nil, errors.New("want i=, s=, g= or b= and an identifier")
	}
	value := n.id[2:]
	switch n.id[0] {
	case 'i':
		i, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number of 32 bits", value)
		}
		return numericNode(index, uint32(i)), nil
	case 's':
		return ua.NewStringNodeID(index, value), nil
	case 'g':
		node := ua.NewGUIDNodeID(index, value)
		if node.StringID() == "" {
			return nil, fmt.Errorf("%q is not a GUID", value)
		}
		return node, nil
	case 'b':
		b, err := base64.StdEncoding.DecodeString(value)
		if err != nil || strings.ContainsAny(value, "\r\n") { // which the decoder skips
			return nil, fmt.Errorf("%q is not base64", value)
		}
		return ua.NewByteStringNodeID(index, b), nil
	}
	return nil, errors.New("want i=, s=, g= or b=")
}

// numericNode takes the smallest encoding, as servers expect for their own nodes.
func numericNode(index uint16, i uint32) *ua.NodeID {
	switch {
	case index == 0 && i < 256:
		return ua.NewTwoByteNodeID(byte(i))
	case index < 256 && i < 65536:
		return ua.NewFourByteNodeID(byte(index), uint16(i))
	}
	return ua.NewNumericNodeID(index, i)
}

// errNamespace says that the server does not have a namespace (now).
var errNamespace = errors.New("the server has no such namespace")

func namespaceIndex(namespaces []string, uri string) (uint16, error) {
	if uri == "" {
		return 0, nil
	}
	i := slices.Index(namespaces, uri)
	if i < 0 || i > 0xFFFF {
		return 0, fmt.Errorf("namespace %s: %w", uri, errNamespace)
	}
	return uint16(i), nil
}

// resolveNode makes a node id for this session out of its text.
func resolveNode(namespaces []string, text string) (*ua.NodeID, error) {
	n, err := parseNode(text)
	if err != nil {
		return nil, err
	}
	index := n.index
	if n.uri != "" {
		if index, err = namespaceIndex(namespaces, n.uri); err != nil {
			return nil, err
		}
	}
	return n.node(index)
}

// portableNode is the inverse of resolveNode: the node's text with its namespace by URI.
func portableNode(namespaces []string, node *ua.NodeID) string {
	text := node.String()
	if node.Namespace() == 0 || int(node.Namespace()) >= len(namespaces) {
		return text
	}
	_, id, _ := strings.Cut(text, ";")
	return "nsu=" + namespaces[node.Namespace()] + ";" + id
}

// browsePath makes the request that finds a node by its browse path (Part 4 §5.9.4), from the Objects folder unless
// the tag says where.
func browsePath(namespaces []string, t *Tag) (*ua.BrowsePath, error) {
	start := numericNode(0, id.ObjectsFolder)
	if t.Node != "" {
		var err error
		if start, err = resolveNode(namespaces, t.Node); err != nil {
			return nil, err
		}
	}
	p := &ua.BrowsePath{StartingNode: start, RelativePath: &ua.RelativePath{}}
	for _, q := range t.Path {
		index, err := namespaceIndex(namespaces, q.URI)
		if err != nil {
			return nil, err
		}
		p.RelativePath.Elements = append(p.RelativePath.Elements, &ua.RelativePathElement{
			ReferenceTypeID: numericNode(0, id.HierarchicalReferences), IncludeSubtypes: true,
			TargetName: &ua.QualifiedName{NamespaceIndex: index, Name: q.Name},
		})
	}
	return p, nil
}
