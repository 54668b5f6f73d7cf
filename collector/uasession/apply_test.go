package uasession

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

// grown is how many more requests of each kind the server has had since before.
func (p *plant) grown(before map[string]uint64) map[string]uint64 {
	out := make(map[string]uint64)
	for k, n := range p.srv.Requests() {
		if d := n - before[k]; d > 0 {
			out[k] = d
		}
	}
	return out
}

func TestApplySendsOnlyTheDifference(t *testing.T) {
	p := newPlant(t, 6, uaserver.Options{})
	r := newRecorder(t)
	a, b := p.group("a", 0, 3), p.group("b", 3, 5)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{a, b}}, r)
	eventually(t, "five items", func() bool { return r.snapshot().ItemsOK == 5 })
	apply := func(groups ...Group) map[string]uint64 {
		t.Helper()
		before := p.srv.Requests()
		if err := s.Apply(t.Context(), groups); err != nil {
			t.Fatal(err)
		}
		items := 0
		for _, g := range groups {
			items += len(g.Tags)
		}
		eventually(t, "the server has what is wanted", func() bool {
			st := r.snapshot()
			return p.srv.MonitoredItems() == items && st.ItemsOK == items && len(st.Groups) == len(groups)
		})
		return p.grown(before)
	}

	// The same again: not a word to the server.
	for _, service := range []string{"CreateMonitoredItems", "ModifyMonitoredItems", "DeleteMonitoredItems", "CreateSubscription", "ModifySubscription"} {
		if n := apply(p.group("a", 0, 3), p.group("b", 3, 5))[service]; n != 0 {
			t.Errorf("%d × %s for the same configuration", n, service)
		}
	}

	// One tag more in a, one less in b.
	a4 := p.group("a", 0, 3)
	a4.Tags = append(a4.Tags, p.group("a", 5, 6).Tags...)
	b1 := p.group("b", 3, 4)
	before := p.srv.Requests()
	apply(a4, b1)
	eventually(t, "one is created, one deleted", func() bool {
		n := p.grown(before)
		return n["CreateMonitoredItems"] > 0 && n["DeleteMonitoredItems"] > 0
	})
	n := p.grown(before)
	if n["CreateMonitoredItems"] != 1 || n["DeleteMonitoredItems"] != 1 || n["CreateSubscription"] != 0 {
		t.Errorf("requests for one tag more and one less: %v", n)
	}
	p.tick()
	p.arrived(r, "v0", "v1", "v2", "v3", "v5")
	if v := r.values("v4"); len(v) > 0 && v[len(v)-1].Value.Float() == float64(p.next) {
		t.Error("a value of a removed tag was delivered")
	}

	// Another sampling interval, another publishing interval.
	a4 = p.group("a", 0, 3)
	a4.Tags = append(a4.Tags, p.group("a", 5, 6).Tags...)
	a4.Tags[1].Sampling = 50 * time.Millisecond
	b1 = p.group("b", 3, 4)
	b1.Publishing = 40 * time.Millisecond
	before = p.srv.Requests()
	if err := s.Apply(t.Context(), []Group{a4, b1}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are modified", func() bool {
		n := p.grown(before)
		return n["ModifyMonitoredItems"] == 1 && n["ModifySubscription"] == 1
	})
	eventually(t, "the new interval is shown", func() bool {
		return slices.ContainsFunc(r.snapshot().Groups, func(g GroupState) bool { return g.Name == "b" && g.Publishing == 40*time.Millisecond })
	})

	// Another field for the same node: nothing for the server to do.
	a4.Tags[0].Outputs = []Output{{Series: testSeries(t, "a"), Name: "renamed", Type: telemetry.Float}}
	if n := apply(a4, b1); n["CreateMonitoredItems"]+n["ModifyMonitoredItems"]+n["DeleteMonitoredItems"] != 0 {
		t.Errorf("requests for a new field name: %v", n)
	}
	p.tick()
	p.arrived(r, "renamed", "v1", "v3")

	// A group less.
	if n := apply(a4); n["DeleteSubscriptions"] != 1 {
		t.Errorf("requests for a group less: %v", n)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if c := r.snapshot().Counters; c.Connects != 1 || c.Gaps != 0 {
		t.Errorf("counters %+v", c)
	}
}

func TestApplyWhileDisconnected(t *testing.T) {
	p := newPlant(t, 2, uaserver.Options{})
	r := newRecorder(t)
	timing := quick()
	timing.Grace, timing.Dial = 300*time.Millisecond, 500*time.Millisecond
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{p.group("a", 0, 1)}, Timing: timing}, r)
	eventually(t, "one item", func() bool { return r.snapshot().ItemsOK == 1 })
	p.srv.Freeze()
	eventually(t, "the line is dead", func() bool { return !r.snapshot().Connected })
	if err := s.Apply(t.Context(), []Group{p.group("b", 1, 2)}); err != nil {
		t.Fatal(err)
	}
	p.srv.Thaw()
	eventually(t, "the other group runs", func() bool {
		st := r.snapshot()
		return st.ItemsOK == 1 && len(st.Groups) == 1 && st.Groups[0].Name == "b" && p.srv.MonitoredItems() == 1
	})
	p.tick()
	p.arrived(r, "v1")
}

func TestApplyRefusesNonsense(t *testing.T) {
	p := newPlant(t, 2, uaserver.Options{})
	s := New(ServerConfig{Name: "s", Endpoint: p.srv.Endpoint()}, newRecorder(t), testLog(t))
	good := p.group("a", 0, 1)
	change := func(f func(*Group)) []Group {
		g := p.group("a", 0, 2)
		f(&g)
		return []Group{g}
	}
	for name, c := range map[string]struct {
		groups []Group
		want   string
	}{
		"two groups of one name": {[]Group{good, p.group("a", 1, 2)}, "used twice"},
		"one tag twice":          {change(func(g *Group) { g.Tags[1].Name = g.Tags[0].Name }), "used twice"},
		"no node":                {change(func(g *Group) { g.Tags[0].Node = "" }), "neither node nor path"},
		"bad node":               {change(func(g *Group) { g.Tags[0].Node = "nsu=urn:x" }), "node id"},
		"no output":              {change(func(g *Group) { g.Tags[0].Outputs = nil }), "no output"},
		"no series":              {change(func(g *Group) { g.Tags[0].Outputs[0].Series = nil }), "no series"},
		"bad field":              {change(func(g *Group) { g.Tags[0].Outputs[0].Name = "a_status" }), "_status"},
	} {
		if err := s.Apply(t.Context(), c.groups); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
