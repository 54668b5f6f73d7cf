package uasession

import (
	"context"
	"fmt"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"kvarts/collector/uavalue"
	"kvarts/historian/telemetry"
)

// maxSupertypes bounds the way from a server's own data type up to a built-in one.
const maxSupertypes = 16

// learnTypes pins outputs whose type the configuration leaves open, as far as the nodes' DataType attribute tells. The
// others are pinned by their first good value. Only what ends the connection is an error.
func (s *Session) learnTypes(l *link, items []*item) error {
	var open []*item
	for _, it := range items {
		if it.unpinned > 0 {
			open = append(open, it)
		}
	}
	if len(open) == 0 {
		return nil
	}
	types := make([]*ua.NodeID, len(open))
	split := splitter{limit: &s.limits.read}
	err := split.run(len(open), func(lo, hi int) error {
		ids := make([]*ua.ReadValueID, 0, hi-lo)
		for _, it := range open[lo:hi] {
			ids = append(ids, readID(it.node, ua.AttributeIDDataType))
		}
		values, err := readAttributes(l.ctx, l.ch, s.cfg.Timing, ids)
		for i, v := range values {
			if v != nil && !isBad(v.Status) && v.Value != nil {
				types[lo+i], _ = v.Value.Value().(*ua.NodeID)
			}
		}
		return err
	}, func(int, int, error) {})
	if err != nil {
		return fmt.Errorf("read data types: %w", err)
	}
	known, err := supertypes(l.ctx, l.ch, s.cfg.Timing, &s.limits.browse, types)
	if err != nil {
		return err
	}
	for i, it := range open {
		if types[i] == nil {
			continue
		}
		t, ok := known[types[i].String()]
		if !ok {
			continue
		}
		for k := range it.dec.Outputs {
			if o := &it.dec.Outputs[k]; o.Field == nil && o.Path.OnlyElements() {
				s.pin(it, k, uavalue.Natural(o, t))
			}
		}
	}
	return nil
}

// supertypes finds the value types of data types, following a server's own ones up to the standard's.
func supertypes(ctx context.Context, c *channel, timing Timing, limit *int, types []*ua.NodeID) (map[string]telemetry.Type, error) {
	known := make(map[string]telemetry.Type)
	at := make(map[string]*ua.NodeID) // data type → how far up its way has led
	for _, t := range types {
		if t == nil {
			continue
		}
		if vt, ok := uavalue.TypeOf(t); ok {
			known[t.String()] = vt
		} else if !abstract(t) {
			at[t.String()] = t
		}
	}
	for range maxSupertypes {
		if len(at) == 0 {
			break
		}
		from, nodes := make([]string, 0, len(at)), make([]*ua.NodeID, 0, len(at))
		for name, n := range at {
			from, nodes = append(from, name), append(nodes, n)
		}
		up, err := parents(ctx, c, timing, limit, nodes)
		if err != nil {
			return nil, err
		}
		for i, name := range from {
			vt, ok := uavalue.TypeOf(up[i])
			switch {
			case ok:
				known[name] = vt
				delete(at, name)
			case up[i] == nil || abstract(up[i]):
				delete(at, name)
			default:
				at[name] = up[i]
			}
		}
	}
	return known, nil
}

// abstract says that t is the top of the type tree or a branch whose values have several kinds.
func abstract(t *ua.NodeID) bool {
	if t.Namespace() != 0 {
		return false
	}
	switch t.IntID() {
	case id.BaseDataType, id.Number, id.Structure:
		return true
	}
	return false
}

// parents reads the supertypes of data types; nil where there is none.
func parents(ctx context.Context, c *channel, timing Timing, limit *int, nodes []*ua.NodeID) ([]*ua.NodeID, error) {
	up := make([]*ua.NodeID, len(nodes))
	split := splitter{limit: limit}
	err := split.run(len(nodes), func(lo, hi int) error {
		req := &ua.BrowseRequest{View: noView()}
		for _, n := range nodes[lo:hi] {
			req.NodesToBrowse = append(req.NodesToBrowse, &ua.BrowseDescription{
				NodeID: n, BrowseDirection: ua.BrowseDirectionInverse, ReferenceTypeID: numericNode(0, id.HasSubtype),
				ResultMask: uint32(ua.BrowseResultMaskAll),
			})
		}
		resp, err := call[*ua.BrowseResponse](ctx, c, req, timing.Request)
		if err != nil {
			return err
		}
		for i, r := range resp.Results[:min(len(resp.Results), hi-lo)] {
			if len(r.References) > 0 && r.References[0].NodeID != nil {
				up[lo+i] = ua.NewNodeIDFromExpandedNodeID(r.References[0].NodeID)
			}
		}
		return nil
	}, func(int, int, error) {})
	if err != nil {
		return nil, fmt.Errorf("browse supertypes: %w", err)
	}
	return up, nil
}

func noView() *ua.ViewDescription { return &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)} }

// pin fixes the type of one output, now that it is known.
func (s *Session) pin(it *item, i int, seen telemetry.Type) {
	o := &it.dec.Outputs[i]
	name := it.tag.Outputs[i].Name
	var (
		f   *telemetry.Field
		err error
	)
	if s.cfg.Pin != nil {
		f, err = s.cfg.Pin(o.Series, name, seen)
	} else {
		f, err = telemetry.NewField(name, seen)
	}
	if err != nil || f == nil {
		s.board.find(it.tag.Name, fmt.Sprintf("its type %s cannot be pinned: %v", seen, err))
		return
	}
	o.Field = f
	it.unpinned--
	if f.Type != seen {
		s.board.find(it.tag.Name, fmt.Sprintf("it is %s on the machine, stored as %s like the same signal of other units", seen, f.Type))
	}
}
