package uasession

import (
	"context"
	"fmt"
	"slices"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"kvarts/collector/uavalue"
	"kvarts/historian/telemetry"
)

// BrowseOptions says what to walk. The zero value walks all variables below the Objects folder except the server's own
// object.
type BrowseOptions struct {
	Start      string // node id, see Tag.Node; "" is the Objects folder
	Depth      int    // levels below Start; 0: 32
	Limit      int    // nodes reported at most; 0: no limit
	Page       uint32 // references asked for at once per node; 0: 1000
	Properties bool   // report properties too
	Server     bool   // walk the Server object too
}

// BrowseNode is one node of the tree.
type BrowseNode struct {
	Path        []QName // from the start, by namespace URI: what Tag.Path takes when the start is the Objects folder
	Node        string  // node id with its namespace by URI: what Tag.Node takes
	Depth       int     // 1: child of the start
	Class       string  // Object, Variable, Method, …
	Name        string  // display name
	Description string

	// Of variables.
	DataType  string         // the standard's name of a built-in type, else the node id of the data type
	Type      telemetry.Type // what its values become; NoType: not known before a value comes
	ValueRank int32          // -1 scalar, 1 array, 2 matrix … (Part 3 §5.6.2)
	Readable  bool           // the user may read the value
	Unit      string         // display name of EngineeringUnits
	UnitText  string         // its description
	UnitID    int32          // its code in its namespace
	Low, High float64        // EURange, when HasRange
	HasRange  bool
}

const (
	defaultDepth = 32
	defaultPage  = 1000
)

// Browse walks the tree breadth first and calls each for every node, once even when the tree has loops. It connects
// with the settings of cfg (its groups are not used), reads only, and ends when each returns an error, which it
// returns.
func Browse(ctx context.Context, cfg ServerConfig, opts BrowseOptions, each func(BrowseNode) error) error {
	v, err := visit(ctx, cfg)
	if err != nil {
		return fmt.Errorf("browse: %w", err)
	}
	defer v.leave(ctx)
	if opts.Depth <= 0 {
		opts.Depth = defaultDepth
	}
	if opts.Page == 0 {
		opts.Page = defaultPage
	}
	start := numericNode(0, id.ObjectsFolder)
	if opts.Start != "" {
		if start, err = resolveNode(v.namespaces, opts.Start); err != nil {
			return fmt.Errorf("browse: %w", err)
		}
	}
	w := &walk{visitor: v, opts: opts, each: each, seen: map[string]bool{start.String(): true}}
	level := []found{{node: start}}
	for depth := 1; depth <= opts.Depth && len(level) > 0 && !w.full(); depth++ {
		if level, err = w.level(ctx, level, depth); err != nil {
			return err
		}
	}
	return nil
}

// found is a node on the way.
type found struct {
	node *ua.NodeID
	path []QName
	out  BrowseNode
	// nodes of its EngineeringUnits and EURange properties; nil when it has none
	unit, eurange *ua.NodeID
	variable      bool
}

type walk struct {
	*visitor
	opts  BrowseOptions
	each  func(BrowseNode) error
	seen  map[string]bool
	count int
}

func (w *walk) full() bool { return w.opts.Limit > 0 && w.count >= w.opts.Limit }

// level reports the children of nodes and returns those to go on with.
func (w *walk) level(ctx context.Context, nodes []found, depth int) ([]found, error) {
	var next []found
	split := splitter{limit: &w.limits.browse}
	err := split.run(len(nodes), func(lo, hi int) error {
		refs, err := w.references(ctx, nodes[lo:hi])
		if err != nil {
			return err
		}
		for i, list := range refs {
			next = append(next, w.children(nodes[lo+i], list, depth)...)
		}
		return nil
	}, func(int, int, error) {}) // a node that cannot be browsed has no children
	if err != nil {
		return nil, fmt.Errorf("browse level %d: %w", depth, err)
	}
	if err := w.describe(ctx, next); err != nil {
		return nil, err
	}
	for i := range next {
		if w.full() {
			return nil, nil
		}
		w.count++
		if err := w.each(next[i].out); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// references browses nodes forward along hierarchical references, following continuation points.
func (w *walk) references(ctx context.Context, nodes []found) ([][]*ua.ReferenceDescription, error) {
	req := &ua.BrowseRequest{View: noView(), RequestedMaxReferencesPerNode: w.opts.Page}
	for _, n := range nodes {
		req.NodesToBrowse = append(req.NodesToBrowse, &ua.BrowseDescription{
			NodeID: n.node, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: numericNode(0, id.HierarchicalReferences),
			IncludeSubtypes: true, ResultMask: uint32(ua.BrowseResultMaskAll),
		})
	}
	resp, err := call[*ua.BrowseResponse](ctx, w.ch, req, w.cfg.Timing.Request)
	if err != nil {
		return nil, err
	}
	if len(resp.Results) != len(nodes) {
		return nil, countError("Browse", len(resp.Results), len(nodes))
	}
	all := make([][]*ua.ReferenceDescription, len(nodes))
	for i, r := range resp.Results {
		all[i] = r.References
		if all[i], err = w.rest(ctx, all[i], r.ContinuationPoint); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rest follows a continuation point to its end. A server that gives the same page again and again is left.
func (w *walk) rest(ctx context.Context, refs []*ua.ReferenceDescription, point []byte) ([]*ua.ReferenceDescription, error) {
	for len(point) > 0 {
		resp, err := call[*ua.BrowseNextResponse](ctx, w.ch, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{point}}, w.cfg.Timing.Request)
		if err != nil {
			return nil, err
		}
		if len(resp.Results) != 1 || isBad(resp.Results[0].StatusCode) || len(resp.Results[0].References) == 0 {
			return refs, nil
		}
		refs = append(refs, resp.Results[0].References...)
		point = resp.Results[0].ContinuationPoint
	}
	return refs, nil
}

// children turns references into nodes, and notes the properties that describe their parent.
func (w *walk) children(parent found, refs []*ua.ReferenceDescription, depth int) []found {
	var out []found
	for _, r := range refs {
		if r.NodeID == nil || r.NodeID.NodeID == nil || r.BrowseName == nil || r.NodeID.ServerIndex != 0 {
			continue
		}
		node := ua.NewNodeIDFromExpandedNodeID(r.NodeID)
		key := node.String()
		property := r.ReferenceTypeID != nil && r.ReferenceTypeID.Namespace() == 0 && r.ReferenceTypeID.IntID() == id.HasProperty
		if w.seen[key] || (property && !w.opts.Properties) {
			continue
		}
		if !w.opts.Server && node.Namespace() == 0 && node.IntID() == id.Server {
			continue
		}
		w.seen[key] = true
		name := QName{Name: r.BrowseName.Name}
		if i := int(r.BrowseName.NamespaceIndex); i > 0 && i < len(w.namespaces) {
			name.URI = w.namespaces[i]
		}
		path := slices.Concat(parent.path, []QName{name})
		out = append(out, found{node: node, path: path, variable: r.NodeClass == ua.NodeClassVariable, out: BrowseNode{
			Path: path, Node: portableNode(w.namespaces, node), Depth: depth, Class: className(r.NodeClass),
			Name: text(r.DisplayName), ValueRank: -1,
		}})
	}
	return out
}

func className(c ua.NodeClass) string {
	switch c {
	case ua.NodeClassObject:
		return "Object"
	case ua.NodeClassVariable:
		return "Variable"
	case ua.NodeClassMethod:
		return "Method"
	case ua.NodeClassView:
		return "View"
	default:
		return "other"
	}
}

func text(t *ua.LocalizedText) string {
	if t == nil {
		return ""
	}
	return t.Text
}

// describe reads what variables say about themselves.
func (w *walk) describe(ctx context.Context, nodes []found) error {
	var vars []*found
	for i := range nodes {
		if nodes[i].variable {
			vars = append(vars, &nodes[i])
		}
	}
	attributes := []ua.AttributeID{ua.AttributeIDDataType, ua.AttributeIDValueRank, ua.AttributeIDUserAccessLevel, ua.AttributeIDDescription}
	ids := make([]*ua.ReadValueID, 0, len(vars)*len(attributes))
	for _, v := range vars {
		for _, a := range attributes {
			ids = append(ids, readID(v.node, a))
		}
	}
	values, err := w.readAll(ctx, ids)
	if err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	types := make([]*ua.NodeID, len(vars))
	for i, v := range vars {
		types[i] = v.attributes(values[i*len(attributes) : (i+1)*len(attributes)])
	}
	known, err := supertypes(ctx, w.ch, w.cfg.Timing, &w.limits.browse, types)
	if err != nil {
		return err
	}
	for i, v := range vars {
		if types[i] != nil {
			v.out.Type = known[types[i].String()]
		}
	}
	if err := w.properties(ctx, vars); err != nil {
		return err
	}
	return w.units(ctx, vars)
}

// attributes takes what was read of f and returns its data type.
func (f *found) attributes(v []*ua.DataValue) *ua.NodeID {
	dataType, _ := goodValue(v[0]).(*ua.NodeID)
	if dataType != nil {
		f.out.DataType = uavalue.TypeName(dataType)
	}
	if rank, ok := goodValue(v[1]).(int32); ok {
		f.out.ValueRank = rank
	}
	if access, ok := goodValue(v[2]).(uint8); ok {
		f.out.Readable = access&uint8(ua.AccessLevelTypeCurrentRead) != 0
	}
	if d, ok := goodValue(v[3]).(*ua.LocalizedText); ok {
		f.out.Description = text(d)
	}
	return dataType
}

// goodValue is the value of v, nil when it is bad or missing.
func goodValue(v *ua.DataValue) any {
	if v == nil || isBad(v.Status) || v.Value == nil {
		return nil
	}
	return v.Value.Value()
}

// properties finds the EngineeringUnits and EURange properties of variables.
func (w *walk) properties(ctx context.Context, vars []*found) error {
	names := []string{"EngineeringUnits", "EURange"}
	paths := make([]*ua.BrowsePath, 0, len(vars)*len(names))
	for _, v := range vars {
		for _, name := range names {
			paths = append(paths, &ua.BrowsePath{StartingNode: v.node, RelativePath: &ua.RelativePath{Elements: []*ua.RelativePathElement{{
				ReferenceTypeID: numericNode(0, id.HasProperty), IncludeSubtypes: true, TargetName: &ua.QualifiedName{Name: name},
			}}}})
		}
	}
	split := splitter{limit: &w.limits.translate}
	err := split.run(len(paths), func(lo, hi int) error {
		resp, err := call[*ua.TranslateBrowsePathsToNodeIDsResponse](ctx, w.ch,
			&ua.TranslateBrowsePathsToNodeIDsRequest{BrowsePaths: paths[lo:hi]}, w.cfg.Timing.Request)
		if err != nil {
			return err
		}
		for i, r := range resp.Results[:min(len(resp.Results), hi-lo)] {
			node, why := pathTarget(r)
			if why != "" {
				continue
			}
			if v := vars[(lo+i)/len(names)]; (lo+i)%len(names) == 0 {
				v.unit = node
			} else {
				v.eurange = node
			}
		}
		return nil
	}, func(int, int, error) {})
	if err != nil {
		return fmt.Errorf("find units and ranges: %w", err)
	}
	return nil
}

// units reads the properties that were found.
func (w *walk) units(ctx context.Context, vars []*found) error {
	var (
		ids  []*ua.ReadValueID
		take []func(any)
	)
	for _, v := range vars {
		if v.unit != nil {
			ids = append(ids, readID(v.unit, ua.AttributeIDValue))
			take = append(take, func(x any) {
				if u, ok := x.(*ua.EUInformation); ok {
					v.out.Unit, v.out.UnitText, v.out.UnitID = text(u.DisplayName), text(u.Description), u.UnitID
				}
			})
		}
		if v.eurange != nil {
			ids = append(ids, readID(v.eurange, ua.AttributeIDValue))
			take = append(take, func(x any) {
				if r, ok := x.(*ua.Range); ok {
					v.out.Low, v.out.High, v.out.HasRange = r.Low, r.High, true
				}
			})
		}
	}
	values, err := w.readAll(ctx, ids)
	if err != nil {
		return fmt.Errorf("read units and ranges: %w", err)
	}
	for i, v := range values {
		if x, ok := goodValue(v).(*ua.ExtensionObject); ok && x != nil {
			take[i](x.Value)
		}
	}
	return nil
}
