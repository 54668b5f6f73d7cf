package uaserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// nodeKey identifies a node. ns is the internal namespace number, which never changes;
// the index on the wire is space.wire[ns], which SetNamespaces permutes.
type nodeKey struct {
	ns   uint16
	num  uint32
	text string // empty for numeric identifiers, else with its kind: "s=…", "g=…", "b=…"
}

// qname is a QualifiedName with an internal namespace number.
type qname struct {
	ns   uint16
	name string
}

// reference is one edge of the graph, kept at both ends.
type reference struct {
	typ     uint32 // reference type, always in namespace 0
	forward bool
	target  *node
}

// node is one node of the address space. What depends on the class is zero elsewhere.
type node struct {
	key       nodeKey
	class     ua.NodeClass
	browse    qname
	desc      string
	typedef   *node // type definition of objects and variables
	refs      []reference
	abstract  bool
	inverse   string // inverse name of a reference type
	variable  *Variable
	dataType  uint32 // in namespace 0
	rank      int32  // -1 scalar, 1 one dimension, …
	dims      []uint32
	unchanged bool // variable whose value never changes
}

// space is the address space. It is guarded by Server.mu.
type space struct {
	srv   *Server
	uris  []string // by internal number
	wire  []uint16 // internal number → index on the wire
	local []uint16 // index on the wire → internal number
	nodes map[nodeKey]*node
}

func newSpace(srv *Server) *space {
	sp := &space{srv: srv, nodes: make(map[nodeKey]*node)}
	sp.uris = append([]string{"http://opcfoundation.org/UA/", srv.opts.ApplicationURI}, srv.opts.Namespaces...)
	for i := range sp.uris {
		sp.wire = append(sp.wire, uint16(i))
		sp.local = append(sp.local, uint16(i))
	}
	sp.addStandardNodes()
	return sp
}

// namespace returns the internal number of a URI.
func (sp *space) namespace(uri string) (uint16, error) {
	i := slices.Index(sp.uris, uri)
	if i < 0 {
		return 0, fmt.Errorf("namespace %q is not one of %q", uri, sp.uris)
	}
	return uint16(i), nil
}

// table returns the namespace array as clients see it.
func (sp *space) table() []string {
	uris := make([]string, len(sp.local))
	for i, n := range sp.local {
		uris[i] = sp.uris[n]
	}
	return uris
}

// permute makes uris the namespace array from index 1 or 2 on. All known URIs except
// the first one must be named once; further ones are added.
func (sp *space) permute(uris []string) error {
	local := []uint16{0}
	for _, uri := range uris {
		n := slices.Index(sp.uris, uri)
		if n < 0 {
			n = len(sp.uris)
			sp.uris = append(sp.uris, uri)
		}
		if slices.Contains(local, uint16(n)) {
			return fmt.Errorf("namespace %q is named twice", uri)
		}
		local = append(local, uint16(n))
	}
	if len(local) != len(sp.uris) {
		return fmt.Errorf("namespaces %q leave out some of %q", uris, sp.uris)
	}
	sp.local, sp.wire = local, make([]uint16, len(local))
	for i, n := range local {
		sp.wire[n] = uint16(i)
	}
	return nil
}

// keyOf returns the key of a node id from the wire.
func (sp *space) keyOf(nid *ua.NodeID) (nodeKey, bool) {
	if nid == nil || int(nid.Namespace()) >= len(sp.local) {
		return nodeKey{}, false
	}
	return plainKey(sp.local[nid.Namespace()], nid), true
}

// plainKey builds a key in internal namespace ns.
func plainKey(ns uint16, nid *ua.NodeID) nodeKey {
	switch nid.Type() {
	case ua.NodeIDTypeTwoByte, ua.NodeIDTypeFourByte, ua.NodeIDTypeNumeric:
		return nodeKey{ns: ns, num: nid.IntID()}
	case ua.NodeIDTypeString:
		return nodeKey{ns: ns, text: "s=" + nid.StringID()}
	case ua.NodeIDTypeGUID:
		return nodeKey{ns: ns, text: "g=" + strings.ToUpper(nid.StringID())}
	default:
		return nodeKey{ns: ns, text: "b=" + nid.StringID()}
	}
}

// nodeID returns the node id of a key as clients see it now.
func (sp *space) nodeID(k nodeKey) *ua.NodeID {
	ns := sp.wire[k.ns]
	if k.text == "" {
		switch {
		case ns == 0 && k.num < 256:
			return ua.NewTwoByteNodeID(uint8(k.num))
		case ns < 256 && k.num < 1<<16:
			return ua.NewFourByteNodeID(uint8(ns), uint16(k.num))
		}
		return ua.NewNumericNodeID(ns, k.num)
	}
	if kind, text, _ := strings.Cut(k.text, "="); kind == "s" {
		return ua.NewStringNodeID(ns, text)
	}
	nid, err := ua.ParseNodeID(fmt.Sprintf("ns=%d;%s", ns, k.text))
	if err != nil {
		return ua.NewTwoByteNodeID(0) // unreachable: keys are built from parsed ids
	}
	return nid
}

// expanded returns the key as expanded text with the namespace URI: stable over restarts.
func (sp *space) expanded(k nodeKey) string {
	text := k.text
	if text == "" {
		text = fmt.Sprintf("i=%d", k.num)
	}
	if k.ns == 0 {
		return text
	}
	return "nsu=" + sp.uris[k.ns] + ";" + text
}

// parse is the inverse of expanded.
func (sp *space) parse(text string) (nodeKey, error) {
	ns, rest := uint16(0), text
	if after, ok := strings.CutPrefix(text, "nsu="); ok {
		i := strings.LastIndex(after, ";")
		for j := range after { // the URI ends at the first ";x="
			if after[j] == ';' && len(after) > j+2 && after[j+2] == '=' {
				i = j
				break
			}
		}
		if i < 0 {
			return nodeKey{}, fmt.Errorf("parse node id %q: no identifier after the namespace", text)
		}
		n, err := sp.namespace(after[:i])
		if err != nil {
			return nodeKey{}, fmt.Errorf("parse node id %q: %w", text, err)
		}
		ns, rest = n, after[i+1:]
	}
	if strings.HasPrefix(rest, "s=") {
		return nodeKey{ns: ns, text: rest}, nil
	}
	nid, err := ua.ParseNodeID(rest)
	if err != nil || len(rest) < 3 || rest[1] != '=' {
		return nodeKey{}, fmt.Errorf("parse node id %q: want [nsu=URI;](i|s|g|b)=…", text)
	}
	return plainKey(ns, nid), nil
}

func (sp *space) qualifiedName(q qname) *ua.QualifiedName {
	return &ua.QualifiedName{NamespaceIndex: sp.wire[q.ns], Name: q.name}
}

// find returns the node of an id from the wire, or nil.
func (sp *space) find(nid *ua.NodeID) *node {
	k, ok := sp.keyOf(nid)
	if !ok {
		return nil
	}
	return sp.nodes[k]
}

// standard returns a node of namespace 0 by number.
func (sp *space) standard(num uint32) *node { return sp.nodes[nodeKey{num: num}] }

// link adds a reference in both directions.
func link(from *node, typ uint32, to *node) {
	from.refs = append(from.refs, reference{typ: typ, forward: true, target: to})
	to.refs = append(to.refs, reference{typ: typ, target: from})
}

// insert adds n below parent.
func (sp *space) insert(n, parent *node, refType, typedef uint32) error {
	if _, taken := sp.nodes[n.key]; taken {
		return fmt.Errorf("add node %s: the id is taken", sp.expanded(n.key))
	}
	sp.nodes[n.key] = n
	if parent != nil {
		link(parent, refType, n)
	}
	if typedef != 0 {
		n.typedef = sp.standard(typedef)
		n.refs = append(n.refs, reference{typ: id.HasTypeDefinition, forward: true, target: n.typedef})
	}
	return nil
}

// remove deletes n and what hangs below it by HasProperty and HasComponent.
func (sp *space) remove(n *node) {
	for _, r := range slices.Clone(n.refs) {
		if r.forward && (r.typ == id.HasProperty || r.typ == id.HasComponent) {
			sp.remove(r.target)
		}
	}
	for _, r := range n.refs {
		r.target.refs = slices.DeleteFunc(r.target.refs, func(back reference) bool { return back.target == n })
	}
	delete(sp.nodes, n.key)
}

// child finds a hierarchical child by browse name.
func (n *node) child(name qname) *node {
	for _, r := range n.refs {
		if r.forward && r.target.browse == name && (r.typ == id.Organizes || r.typ == id.HasComponent || r.typ == id.HasProperty) {
			return r.target
		}
	}
	return nil
}

// isSubtype tells whether type node n is base or below it.
func isSubtype(n *node, base nodeKey) bool {
	for n != nil {
		if n.key == base {
			return true
		}
		var up *node
		for _, r := range n.refs {
			if !r.forward && r.typ == id.HasSubtype {
				up = r.target
			}
		}
		n = up
	}
	return false
}
