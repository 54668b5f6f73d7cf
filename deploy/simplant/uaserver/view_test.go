package uaserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"
)

const allResults = uint32(ua.BrowseResultMaskAll)

func browseRequest(nid *ua.NodeID, most uint32) *ua.BrowseRequest {
	return &ua.BrowseRequest{
		View:                          &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)},
		RequestedMaxReferencesPerNode: most,
		NodesToBrowse: []*ua.BrowseDescription{{
			NodeID: nid, BrowseDirection: ua.BrowseDirectionForward,
			ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true, ResultMask: allResults,
		}},
	}
}

func names(refs []*ua.ReferenceDescription) []string {
	var all []string
	for _, r := range refs {
		all = append(all, r.BrowseName.Name)
	}
	return all
}

// fleet adds n variables to one folder and returns the folder's id.
func (r *rig) fleet(n int) *ua.NodeID {
	for i := range n {
		r.variable(fmt.Sprintf("Machine/V%03d", i), float64(i))
	}
	return ua.NewStringNodeID(2, "Machine")
}

func TestBrowseContinuation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, Options{Limits: Limits{MaxReferencesPerNode: rapid.IntRange(1, 30).Draw(rt, "limit")}})
		n := rapid.IntRange(1, 60).Draw(rt, "children")
		folder := r.fleet(n)
		most := rapid.IntRange(0, 70).Draw(rt, "most")
		page := r.s.limits.MaxReferencesPerNode
		if most > 0 {
			page = min(page, most)
		}
		res := call1[*ua.BrowseResponse](r, browseRequest(folder, uint32(most))).Results[0]
		all := names(res.References)
		for res.ContinuationPoint != nil {
			if len(res.References) != page {
				rt.Fatalf("a page of %d, want %d", len(res.References), page)
			}
			res = call1[*ua.BrowseNextResponse](r, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{res.ContinuationPoint}}).Results[0]
			all = append(all, names(res.References)...)
		}
		if len(all) != n || !slices.IsSorted(all) || len(slices.Compact(all)) != n {
			rt.Fatalf("%d names of %d: %v", len(all), n, all)
		}
		for _, sess := range r.s.sessions {
			if len(sess.points) != 0 {
				rt.Fatalf("%d continuation points left", len(sess.points))
			}
		}
	})
}

func TestContinuationPointErrors(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MaxContinuationPoints: 2}})
	folder := r.fleet(10)
	first := call1[*ua.BrowseResponse](r, browseRequest(folder, 3)).Results[0]
	second := call1[*ua.BrowseResponse](r, browseRequest(folder, 3)).Results[0]
	if got := call1[*ua.BrowseResponse](r, browseRequest(folder, 3)).Results[0].StatusCode; got != ua.StatusBadNoContinuationPoints {
		t.Errorf("third: %v", got)
	}
	next := func(release bool, points ...[]byte) []*ua.BrowseResult {
		return call1[*ua.BrowseNextResponse](r, &ua.BrowseNextRequest{ReleaseContinuationPoints: release, ContinuationPoints: points}).Results
	}
	res := next(true, first.ContinuationPoint, []byte("none"))
	if res[0].StatusCode != ua.StatusOK || len(res[0].References) != 0 || res[1].StatusCode != ua.StatusBadContinuationPointInvalid {
		t.Errorf("release: %+v %+v", res[0], res[1])
	}
	if got := next(false, first.ContinuationPoint)[0].StatusCode; got != ua.StatusBadContinuationPointInvalid {
		t.Errorf("released point: %v", got)
	}
	if got := names(next(false, second.ContinuationPoint)[0].References); len(got) != 3 || got[0] != "V003" {
		t.Errorf("second point continues with %v", got)
	}
	if got := next(false, second.ContinuationPoint)[0].StatusCode; got != ua.StatusBadContinuationPointInvalid {
		t.Errorf("used point: %v", got)
	}
}

func TestBrowseErrorsAndFilters(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("Machine/V", 1.0)
	one := func(change func(*ua.BrowseDescription)) *ua.BrowseResult {
		req := browseRequest(v.NodeID(), 0)
		change(req.NodesToBrowse[0])
		return call1[*ua.BrowseResponse](r, req).Results[0]
	}
	status := func(want ua.StatusCode, change func(*ua.BrowseDescription)) {
		t.Helper()
		if got := one(change).StatusCode; got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	status(ua.StatusBadNodeIDUnknown, func(d *ua.BrowseDescription) { d.NodeID = ua.NewStringNodeID(2, "none") })
	status(ua.StatusBadNodeIDUnknown, func(d *ua.BrowseDescription) { d.NodeID = ua.NewStringNodeID(77, "Machine/V") })
	status(ua.StatusBadReferenceTypeIDInvalid, func(d *ua.BrowseDescription) { d.ReferenceTypeID = v.NodeID() })
	status(ua.StatusBadBrowseDirectionInvalid, func(d *ua.BrowseDescription) { d.BrowseDirection = 3 })

	f := func(want string, change func(*ua.BrowseDescription)) {
		t.Helper()
		if got := strings.Join(names(one(change).References), " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("EURange", func(*ua.BrowseDescription) {})
	f("Machine", func(d *ua.BrowseDescription) { d.BrowseDirection = ua.BrowseDirectionInverse })
	f("Machine AnalogItemType EURange", func(d *ua.BrowseDescription) {
		d.BrowseDirection, d.ReferenceTypeID = ua.BrowseDirectionBoth, ua.NewTwoByteNodeID(0)
	})
	f("AnalogItemType", func(d *ua.BrowseDescription) { d.ReferenceTypeID = ua.NewNumericNodeID(0, id.HasTypeDefinition) })
	f("", func(d *ua.BrowseDescription) { d.IncludeSubtypes = false })
	f("", func(d *ua.BrowseDescription) { d.NodeClassMask = uint32(ua.NodeClassObject) })
	bare := one(func(d *ua.BrowseDescription) { d.ResultMask = 0 }).References[0]
	if bare.BrowseName.Name != "" || bare.NodeClass != 0 || bare.NodeID.NodeID.StringID() == "" {
		t.Errorf("with an empty mask: %+v", bare)
	}
}

func pathOf(start *ua.NodeID, steps ...*ua.QualifiedName) *ua.BrowsePath {
	p := &ua.BrowsePath{StartingNode: start, RelativePath: &ua.RelativePath{}}
	for _, s := range steps {
		p.RelativePath.Elements = append(p.RelativePath.Elements, &ua.RelativePathElement{
			ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true, TargetName: s,
		})
	}
	return p
}

func TestTranslate(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("Machine/Heater/Power", 1.0)
	objects := ua.NewNumericNodeID(0, id.ObjectsFolder)
	q := func(ns uint16, name string) *ua.QualifiedName {
		return &ua.QualifiedName{NamespaceIndex: ns, Name: name}
	}
	f := func(p *ua.BrowsePath, want ua.StatusCode, id string) {
		t.Helper()
		res := call1[*ua.TranslateBrowsePathsToNodeIDsResponse](r, &ua.TranslateBrowsePathsToNodeIDsRequest{BrowsePaths: []*ua.BrowsePath{p}}).Results[0]
		if res.StatusCode != want {
			t.Errorf("%v, want %v", res.StatusCode, want)
			return
		}
		if want == ua.StatusOK && (len(res.Targets) != 1 || res.Targets[0].TargetID.NodeID.String() != id || res.Targets[0].RemainingPathIndex != 1<<32-1) {
			t.Errorf("targets %+v, want %s", res.Targets[0], id)
		}
	}
	f(pathOf(objects, q(2, "Machine"), q(2, "Heater"), q(2, "Power")), ua.StatusOK, v.NodeID().String())
	f(pathOf(objects, q(2, "Machine"), q(2, "Heater"), q(2, "Power"), q(0, "EURange")), ua.StatusOK, "ns=2;s=Machine/Heater/Power.EURange")
	f(pathOf(objects, q(0, "Server"), q(0, "ServerStatus"), q(0, "CurrentTime")), ua.StatusOK, "i=2258")
	f(pathOf(objects, q(3, "Machine")), ua.StatusBadNoMatch, "")
	f(pathOf(objects, q(2, "Machine"), q(2, "Cooler")), ua.StatusBadNoMatch, "")
	f(pathOf(ua.NewStringNodeID(2, "none"), q(2, "x")), ua.StatusBadNodeIDUnknown, "")
	f(pathOf(objects), ua.StatusBadNothingToDo, "")
	f(pathOf(objects, q(2, "")), ua.StatusBadBrowseNameInvalid, "")
	up := pathOf(v.NodeID(), q(2, "Heater"))
	up.RelativePath.Elements[0].IsInverse = true
	f(up, ua.StatusOK, "ns=2;s=Machine/Heater")
}

func TestPermutedNamespaces(t *testing.T) {
	r := newRig(t, Options{ApplicationURI: "urn:app", Namespaces: []string{"urn:a", "urn:b"}})
	a := mustVariable(t, r.s, NodeSpec{Namespace: "urn:a", Path: "V", Initial: 1.0})
	b := mustVariable(t, r.s, NodeSpec{Namespace: "urn:b", Path: "V", Initial: 2.0})
	check := func(wantA, wantB string, table ...string) {
		t.Helper()
		if a.NodeID().String() != wantA || b.NodeID().String() != wantB {
			t.Errorf("ids %v and %v, want %s and %s", a.NodeID(), b.NodeID(), wantA, wantB)
		}
		resp := call1[*ua.ReadResponse](r, anything())
		if got := resp.Results[0].Value.Value().([]string); !slices.Equal(got[1:], table) {
			t.Errorf("table %v", got)
		}
		if n := r.s.space.find(b.NodeID()); n != b.node {
			t.Errorf("%v finds %+v", b.NodeID(), n)
		}
	}
	check("ns=2;s=V", "ns=3;s=V", "urn:app", "urn:a", "urn:b")
	if err := r.s.SetNamespaces("urn:new", "urn:b", "urn:app", "urn:a"); err != nil {
		t.Fatal(err)
	}
	check("ns=4;s=V", "ns=2;s=V", "urn:new", "urn:b", "urn:app", "urn:a")
	for _, bad := range [][]string{{"urn:a"}, {"urn:a", "urn:a", "urn:b", "urn:app", "urn:new"}} {
		if err := r.s.SetNamespaces(bad...); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
	check("ns=4;s=V", "ns=2;s=V", "urn:new", "urn:b", "urn:app", "urn:a")
}

func TestNodeIDText(t *testing.T) {
	s := New(Options{Namespaces: []string{"urn:a;b", testURI}})
	for _, text := range []string{
		"i=2258", "nsu=" + testURI + ";s=Machine/V", "nsu=" + testURI + ";i=17", "nsu=urn:a;b;s=x;i=3",
		"nsu=" + testURI + ";g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "nsu=" + testURI + ";b=AQID",
	} {
		k, err := s.space.parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.space.expanded(k); got != text {
			t.Errorf("%s became %s", text, got)
		}
		if back, ok := s.space.keyOf(s.space.nodeID(k)); !ok || back != k {
			t.Errorf("%s: key %+v became %+v over %v", text, k, back, s.space.nodeID(k))
		}
	}
	for _, text := range []string{"", "V", "ns=2;s=V", "nsu=urn:unknown;s=V", "nsu=" + testURI, "nsu=" + testURI + ";s"} {
		if k, err := s.space.parse(text); err == nil {
			t.Errorf("%q was parsed as %+v", text, k)
		}
	}
}
