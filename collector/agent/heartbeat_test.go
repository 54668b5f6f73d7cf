package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/collector/config"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

func TestAliveLines(t *testing.T) {
	node := func(tags ...string) config.Node {
		m := map[string]string{}
		for _, kv := range tags {
			k, v, _ := strings.Cut(kv, "=")
			m[k] = v
		}
		return config.Node{Tags: m}
	}
	// Unit U is fed by both servers, V by one of them; a node without a unit counts for none.
	cfg := &config.Config{Servers: []config.Server{
		{Name: "a", Groups: []config.Group{{Name: "g", Nodes: []config.Node{node("site=s", "unit=U", "phase=1"), node("site=s", "unit=U", "phase=2"), node("site=s")}}}},
		{Name: "b", Groups: []config.Group{{Name: "g", Nodes: []config.Node{node("site=s", "unit=U")}}, {Name: "h", Nodes: []config.Node{node("site=s", "area=A", "unit=V")}}}},
	}}
	seen := func(ago time.Duration) uasession.GroupState {
		return uasession.GroupState{Name: "g", ID: 1, Publishing: time.Second, KeepAlive: 5 * time.Second, LastSeen: at0.Add(-ago)}
	}
	with := func(g uasession.GroupState, change func(*uasession.GroupState)) uasession.GroupState {
		change(&g)
		return g
	}
	server := func(name string, groups ...uasession.GroupState) uasession.ServerState {
		return uasession.ServerState{Server: name, Connected: true, Groups: groups}
	}
	h := with(seen(time.Second), func(g *uasession.GroupState) { g.Name = "h" })
	slow := with(seen(25*time.Second), func(g *uasession.GroupState) { g.KeepAlive = 30 * time.Second })
	for _, c := range []struct {
		name   string
		states []uasession.ServerState
		want   string // U V
	}{
		{"both live", []uasession.ServerState{server("a", seen(time.Second)), server("b", seen(9*time.Second), h)}, "true true"},
		{"one is silent", []uasession.ServerState{server("a", seen(11*time.Second)), server("b", seen(time.Second), h)}, "false true"},
		{"one has never been heard", []uasession.ServerState{server("b", seen(time.Second), h)}, "false true"},
		{"not connected", []uasession.ServerState{server("a", seen(time.Second)), {Server: "b", Groups: []uasession.GroupState{seen(0), h}}}, "false false"},
		{"no subscription", []uasession.ServerState{server("a", with(seen(0), func(g *uasession.GroupState) { g.ID = 0 })), server("b", seen(0), h)}, "false true"},
		{"shown alive every 30 s only", []uasession.ServerState{server("a", slow), server("b", seen(0), h)}, "true true"},
		{"and overdue", []uasession.ServerState{server("a", with(slow, func(g *uasession.GroupState) { g.LastSeen = at0.Add(-33 * time.Second) })), server("b", seen(0), h)}, "false true"},
		{"group unknown", []uasession.ServerState{server("a"), server("b")}, "false false"},
		{"nothing known", nil, "false false"},
	} {
		lines, n, err := aliveLines(at0, c.states, cfg)
		if err != nil {
			t.Fatal(err)
		}
		u, v, _ := strings.Cut(c.want, " ")
		want := "alive,area=A,site=s,unit=V alive=" + v + " 1700000000000000000\nalive,site=s,unit=U alive=" + u + " 1700000000000000000\n"
		if d := cmp.Diff(want, string(lines)); d != "" || n != 2 {
			t.Errorf("%s: %d lines: %s", c.name, n, d)
		}
	}
}

func TestHeartbeatLines(t *testing.T) {
	a := closing(t, mustNew(t, t.TempDir(), nil, nil, "a", "b"))
	a.opts.Version, a.started = "v1", time.Now().Add(-time.Hour)
	until := time.Now().Add(30*24*time.Hour + time.Minute)
	a.opts.CertificateUntil = func() time.Time { return until }
	states, cfg := a.serverStates()
	states[0].Connected, states[0].LastValue, states[0].ClockOffset = true, at0.Add(-3*time.Second), -1500*time.Millisecond
	lines, n, err := a.heartbeatLines(at0, states, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(lines), "\n"); n != 4 || got != 4 { // collector and alive, of each
		t.Errorf("%d lines, said to be %d", got, n)
	}
	line, _ := telemetry.NextLine(lines)
	p, err := telemetry.ParseLine(line)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"": p.Measurement + " " + p.Tag("collector") + " " + p.Tag("server")}
	for _, f := range p.Fields {
		got[f.Name] = f.Value.String()
	}
	want := map[string]string{"": "collector gw a", "connected": "1", "queue_records": "0", "buffer_bytes": "0", "buffer_age_s": "0",
		"clock_offset_s": "-1.5", "uptime_s": "3600", "version": "v1", "lag_s": "3", "certificate_days_left": "30"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
