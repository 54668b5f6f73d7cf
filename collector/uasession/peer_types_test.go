package uasession

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"kvarts/collector/uavalue"
	"kvarts/deploy/e2e/peers"
	"kvarts/historian/telemetry"
)

// expectation is what the documented rules make of one node of node-opcua's type matrix.
type expectation struct {
	value  any // int64, float64, string; nil: no value
	reject bool
}

// expected applies the rules to the manifest's own description of the value, which is JavaScript's, not ours.
func expected(t *testing.T, n peers.TypeNode) (e expectation, known bool) {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(string(n.Value)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if n.Rank >= 0 {
		return expectation{}, false
	}
	number := func() json.Number { x, _ := v.(json.Number); return x }
	text := func() string { x, _ := v.(string); return x }
	switch n.Type {
	case "Boolean":
		if v == true {
			return expectation{value: int64(1)}, true
		}
		return expectation{value: int64(0)}, true
	case "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "StatusCode":
		i, err := number().Int64()
		return expectation{value: i}, err == nil
	case "Int64", "UInt64":
		i, err := strconv.ParseInt(text(), 10, 64)
		if err != nil { // above 2^63-1
			return expectation{reject: true}, true
		}
		return expectation{value: i}, true
	case "Float", "Double":
		if v == "-0" {
			return expectation{value: math.Copysign(0, -1)}, true
		}
		f, err := number().Float64()
		if err != nil { // NaN, ±Inf
			return expectation{}, true
		}
		return expectation{value: f}, true
	case "String", "XmlElement", "Guid":
		if len(text()) > telemetry.MaxStringBytes {
			return expectation{reject: true}, true
		}
		return expectation{value: text()}, true
	case "ByteString":
		return expectation{value: text()}, true
	case "LocalizedText":
		m, _ := v.(map[string]any)
		s, _ := m["text"].(string)
		return expectation{value: s}, true
	case "QualifiedName":
		m, _ := v.(map[string]any)
		return expectation{value: m["name"]}, true
	case "NodeId": // not ExpandedNodeId: node-opcua leaves the URI out
		return expectation{value: text()}, true
	case "DateTime":
		ticks, err := strconv.ParseInt(text(), 10, 64)
		at := time.Unix(-11644473600+ticks/10_000_000, ticks%10_000_000*100).UTC()
		return expectation{value: at.Format("2006-01-02T15:04:05.0000000Z")}, err == nil
	}
	return expectation{}, false
}

// TestPeerTypeMatrix collects every node of the matrix at once: scalars come as their rule says, the others come as
// a value, a marker or a reject, and none keeps the rest from coming.
func TestPeerTypeMatrix(t *testing.T) {
	RaiseArrayLimit(100_000)
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) { o.NoOdd, o.NoMachine = true, true })
	series := testSeries(t, "types")
	g := Group{Name: "types", Publishing: 100 * time.Millisecond}
	for _, n := range u.Manifest() {
		tag := Tag{Name: n.Node, Node: "nsu=" + peers.NSTypes + ";s=" + n.Node}
		o := Output{Series: series, Name: strings.ReplaceAll(n.Node, ".", "_"), Base64: true}
		if n.Rank > 0 {
			index := "[0" + strings.Repeat(",0", n.Rank-1) + "]"
			p, err := uavalue.ParsePath(index)
			if err != nil {
				t.Fatal(err)
			}
			o.Path = p
		}
		tag.Outputs = []Output{o}
		g.Tags = append(g.Tags, tag)
	}
	r := newRecorder(t)
	s := start(t, ServerConfig{Endpoint: u.Endpoint, Policy: PolicyNone, Timing: peerTiming(), Groups: []Group{g}}, r)
	eventually(t, "a sample of every node", func() bool { return r.count() >= len(g.Tags) })
	s.stop()
	if c := r.snapshot().Counters; c.Undecodable != 0 || c.Gaps != 0 {
		t.Errorf("counters %+v", c)
	}
	rejected := make(map[string]string)
	for _, x := range r.rejected {
		rejected[x.Tag] = x.Reason
	}
	exact := 0
	for _, n := range u.Manifest() {
		got := r.values(strings.ReplaceAll(n.Node, ".", "_"))
		if len(got) == 0 {
			t.Errorf("%s: no sample", n.Node)
			continue
		}
		v := got[0]
		if v.Value.Type() == telemetry.NoType && !v.Status.IsBad() {
			t.Errorf("%s: neither value nor bad status: %+v", n.Node, v)
		}
		e, known := expected(t, n)
		if !known {
			continue
		}
		exact++
		if (rejected[n.Node] != "") != e.reject {
			t.Errorf("%s: rejected %q, want %v", n.Node, rejected[n.Node], e.reject)
		}
		if text := fmt.Sprint(e.value); e.value == nil && v.Value.Type() != telemetry.NoType || e.value != nil && v.Value.String() != text {
			t.Errorf("%s (%s): %.60s, want %.60s", n.Node, n.Type, v.Value, text)
		}
	}
	if exact < 40 {
		t.Errorf("only %d values were compared exactly", exact)
	}
	t.Logf("%d nodes, %d compared exactly, %d rejected: %v", len(g.Tags), exact, len(rejected), rejected)
}

// TestPeerOddStatusesAndTimes collects statuses and times that trip clients.
func TestPeerOddStatusesAndTimes(t *testing.T) {
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) {
		o.NoMachine, o.NoTypes, o.OddPeriod = true, true, 50*time.Millisecond
	})
	names := []string{
		"good", "clamped", "uncertain", "bad", "bad_value", "bad_no_time", "first_bad", "rotating", "same_tick", "good_bad_tick",
		"backwards", "no_source_time", "insane_time", "ahead",
	}
	series := testSeries(t, "odd")
	g := Group{Name: "odd", Publishing: 50 * time.Millisecond}
	for _, n := range names {
		g.Tags = append(g.Tags, Tag{
			Name: n, Node: "nsu=" + peers.NSOdd + ";s=odd." + n, Queue: 100, OnTimestamp: true,
			Outputs: []Output{{Series: series, Name: n, Type: telemetry.Float}},
		})
	}
	r := newRecorder(t)
	s := start(t, ServerConfig{Endpoint: u.Endpoint, Policy: PolicyNone, Timing: peerTiming(), Groups: []Group{g}}, r)
	for _, n := range names {
		want := 10
		if n == "bad_no_time" { // neither value nor status nor time ever changes
			want = 1
		}
		eventually(t, fmt.Sprintf("%d samples of %s", want, n), func() bool { return len(r.values(n)) >= want })
	}
	s.stop()
	for _, n := range names {
		for _, v := range r.values(n) {
			if v.Source < 631152000_000000000 || v.Source > telemetry.Now().Add(telemetry.DefaultMaxSkew) || v.Source.SubTick() != 0 {
				t.Errorf("%s: time %s", n, v.Source)
			}
			hasValue := v.Value.Type() != telemetry.NoType
			if hasValue == v.Status.IsBad() {
				t.Errorf("%s: status %s, value %s", n, v.Status, v.Value)
			}
		}
	}
	statuses := func(n string) map[telemetry.Status]int {
		m := make(map[telemetry.Status]int)
		for _, v := range r.values(n) {
			m[v.Status&0xFFFFF000]++
		}
		return m
	}
	for n, want := range map[string]telemetry.Status{
		"good": 0, "clamped": 0x00300000, "uncertain": 0x40900000, "bad": 0x80310000, "bad_value": 0x808C0000, "bad_no_time": 0x80310000,
	} {
		if got := statuses(n); got[want] == 0 {
			t.Errorf("%s: statuses %v, want %s", n, got, want)
		}
	}
	if len(statuses("rotating")) < 4 {
		t.Errorf("rotating: statuses %v, want four", statuses("rotating"))
	}
	findings := r.snapshot().Findings
	for _, n := range []string{"no_source_time", "insane_time"} {
		found := false
		for _, f := range findings {
			found = found || f.Tag == n
		}
		if !found {
			t.Errorf("%s: no finding in %+v", n, findings)
		}
	}
}
