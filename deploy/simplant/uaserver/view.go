package uaserver

import (
	"fmt"

	"github.com/gopcua/opcua/ua"
)

// continuation is the rest of a Browse that did not fit (OPC 10000-4 §7.9).
type continuation struct {
	refs []reference
	mask uint32 // result mask
	max  int
}

// browse answers the Browse service (OPC 10000-4 §5.9.2).
func (s *Server) browse(c *call, sess *session, r *ua.BrowseRequest) {
	switch {
	case s.refuseCount(c, len(r.NodesToBrowse), s.limits.MaxNodesPerBrowse):
		return
	case r.View != nil && r.View.ViewID != nil && r.View.ViewID.String() != "i=0":
		s.fault(c, ua.StatusBadViewIDUnknown)
		return
	}
	most := s.limits.MaxReferencesPerNode
	if n := int(min(r.RequestedMaxReferencesPerNode, 1<<30)); n > 0 {
		most = min(most, n)
	}
	results := make([]*ua.BrowseResult, len(r.NodesToBrowse))
	for i, d := range r.NodesToBrowse {
		refs, status := s.references(d)
		if status != ua.StatusOK {
			results[i] = &ua.BrowseResult{StatusCode: status}
			continue
		}
		results[i] = s.page(sess, &continuation{refs: refs, mask: d.ResultMask, max: most})
	}
	s.respond(c, &ua.BrowseResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

// references collects the references of a node that a Browse asks for.
func (s *Server) references(d *ua.BrowseDescription) ([]reference, ua.StatusCode) {
	n := s.space.find(d.NodeID)
	if n == nil {
		return nil, ua.StatusBadNodeIDUnknown
	}
	if d.BrowseDirection > ua.BrowseDirectionBoth {
		return nil, ua.StatusBadBrowseDirectionInvalid
	}
	matches, ok := s.referenceFilter(d.ReferenceTypeID, d.IncludeSubtypes)
	if !ok {
		return nil, ua.StatusBadReferenceTypeIDInvalid
	}
	refs := make([]reference, 0, len(n.refs))
	for _, r := range n.refs {
		if r.forward && d.BrowseDirection == ua.BrowseDirectionInverse || !r.forward && d.BrowseDirection == ua.BrowseDirectionForward {
			continue
		}
		if !matches(r.typ) || d.NodeClassMask != 0 && uint32(r.target.class)&d.NodeClassMask == 0 {
			continue
		}
		refs = append(refs, r)
	}
	return refs, ua.StatusOK
}

// referenceFilter returns a test for a reference type; the null type matches all.
func (s *Server) referenceFilter(nid *ua.NodeID, subtypes bool) (func(uint32) bool, bool) {
	if nid == nil || nid.String() == "i=0" {
		return func(uint32) bool { return true }, true
	}
	t := s.space.find(nid)
	if t == nil || t.class != ua.NodeClassReferenceType {
		return nil, false
	}
	if !subtypes {
		return func(typ uint32) bool { return typ == t.key.num }, true
	}
	return func(typ uint32) bool { return isSubtype(s.space.standard(typ), t.key) }, true
}

// page returns the next references of p and stores a continuation point for the rest.
func (s *Server) page(sess *session, p *continuation) *ua.BrowseResult {
	n := min(p.max, len(p.refs))
	res := &ua.BrowseResult{References: make([]*ua.ReferenceDescription, n)}
	for i, r := range p.refs[:n] {
		res.References[i] = s.describe(r, p.mask)
	}
	if p.refs = p.refs[n:]; len(p.refs) == 0 {
		return res
	}
	if len(sess.points) >= s.limits.MaxContinuationPoints {
		return &ua.BrowseResult{StatusCode: ua.StatusBadNoContinuationPoints}
	}
	key := fmt.Sprintf("cp-%d", s.newID())
	sess.points[key] = p
	res.ContinuationPoint = []byte(key)
	return res
}

// describe fills a ReferenceDescription as far as the mask asks (OPC 10000-4 §7.29).
func (s *Server) describe(r reference, mask uint32) *ua.ReferenceDescription {
	has := func(bit ua.BrowseResultMask) bool { return mask&uint32(bit) != 0 }
	d := &ua.ReferenceDescription{
		ReferenceTypeID: ua.NewTwoByteNodeID(0),
		NodeID:          ua.NewExpandedNodeID(s.space.nodeID(r.target.key), "", 0),
		BrowseName:      &ua.QualifiedName{},
		DisplayName:     &ua.LocalizedText{},
		TypeDefinition:  ua.NewTwoByteExpandedNodeID(0),
	}
	if has(ua.BrowseResultMaskReferenceTypeID) {
		d.ReferenceTypeID = s.space.nodeID(nodeKey{num: r.typ})
	}
	if has(ua.BrowseResultMaskIsForward) {
		d.IsForward = r.forward
	}
	if has(ua.BrowseResultMaskNodeClass) {
		d.NodeClass = r.target.class
	}
	if has(ua.BrowseResultMaskBrowseName) {
		d.BrowseName = s.space.qualifiedName(r.target.browse)
	}
	if has(ua.BrowseResultMaskDisplayName) {
		d.DisplayName = ua.NewLocalizedText(r.target.browse.name)
	}
	if has(ua.BrowseResultMaskTypeDefinition) && r.target.typedef != nil {
		d.TypeDefinition = ua.NewExpandedNodeID(s.space.nodeID(r.target.typedef.key), "", 0)
	}
	return d
}

// browseNext continues or releases continuation points (OPC 10000-4 §5.9.3). A point is
// good for one call: the answer carries a new one while there is more.
func (s *Server) browseNext(c *call, sess *session, r *ua.BrowseNextRequest) {
	if s.refuseCount(c, len(r.ContinuationPoints), s.limits.MaxNodesPerBrowse) {
		return
	}
	results := make([]*ua.BrowseResult, len(r.ContinuationPoints))
	for i, key := range r.ContinuationPoints {
		p := sess.points[string(key)]
		delete(sess.points, string(key))
		switch {
		case p == nil:
			results[i] = &ua.BrowseResult{StatusCode: ua.StatusBadContinuationPointInvalid}
		case r.ReleaseContinuationPoints:
			results[i] = &ua.BrowseResult{References: []*ua.ReferenceDescription{}}
		default:
			results[i] = s.page(sess, p)
		}
	}
	s.respond(c, &ua.BrowseNextResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

// translate answers TranslateBrowsePathsToNodeIds (OPC 10000-4 §5.9.4).
func (s *Server) translate(c *call, r *ua.TranslateBrowsePathsToNodeIDsRequest) {
	if s.refuseCount(c, len(r.BrowsePaths), s.limits.MaxNodesPerTranslate) {
		return
	}
	results := make([]*ua.BrowsePathResult, len(r.BrowsePaths))
	for i, p := range r.BrowsePaths {
		results[i] = s.translatePath(p)
	}
	s.respond(c, &ua.TranslateBrowsePathsToNodeIDsResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

func (s *Server) translatePath(p *ua.BrowsePath) *ua.BrowsePathResult {
	start := s.space.find(p.StartingNode)
	if start == nil {
		return &ua.BrowsePathResult{StatusCode: ua.StatusBadNodeIDUnknown}
	}
	if p.RelativePath == nil || len(p.RelativePath.Elements) == 0 {
		return &ua.BrowsePathResult{StatusCode: ua.StatusBadNothingToDo}
	}
	at := []*node{start}
	for _, e := range p.RelativePath.Elements {
		if e.TargetName == nil || e.TargetName.Name == "" {
			return &ua.BrowsePathResult{StatusCode: ua.StatusBadBrowseNameInvalid}
		}
		at = s.follow(at, e)
	}
	if len(at) == 0 {
		return &ua.BrowsePathResult{StatusCode: ua.StatusBadNoMatch}
	}
	res := &ua.BrowsePathResult{}
	for _, n := range at {
		res.Targets = append(res.Targets, &ua.BrowsePathTarget{
			TargetID: ua.NewExpandedNodeID(s.space.nodeID(n.key), "", 0), RemainingPathIndex: 0xFFFFFFFF,
		})
	}
	return res
}

// follow takes one step of a relative path from every node reached so far.
func (s *Server) follow(from []*node, e *ua.RelativePathElement) []*node {
	matches, ok := s.referenceFilter(e.ReferenceTypeID, e.IncludeSubtypes)
	if !ok || int(e.TargetName.NamespaceIndex) >= len(s.space.local) {
		return nil
	}
	name := qname{s.space.local[e.TargetName.NamespaceIndex], e.TargetName.Name}
	var found []*node
	seen := make(map[*node]bool)
	for _, n := range from {
		for _, r := range n.refs {
			if r.forward == e.IsInverse || r.target.browse != name || !matches(r.typ) || seen[r.target] {
				continue
			}
			seen[r.target] = true
			found = append(found, r.target)
		}
	}
	return found
}

// registerNodes answers with the ids as they are: there is nothing to optimise.
func (s *Server) registerNodes(c *call, r *ua.RegisterNodesRequest) {
	if !s.refuseCount(c, len(r.NodesToRegister), s.limits.MaxNodesPerRegister) {
		s.respond(c, &ua.RegisterNodesResponse{RegisteredNodeIDs: r.NodesToRegister})
	}
}

func (s *Server) unregisterNodes(c *call, r *ua.UnregisterNodesRequest) {
	if len(r.NodesToUnregister) == 0 {
		s.fault(c, ua.StatusBadNothingToDo)
		return
	}
	s.respond(c, &ua.UnregisterNodesResponse{})
}
