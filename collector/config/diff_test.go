package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const diffBase = `collector: gw
namespaces: {m: 'urn:m'}
servers:
- name: a
  endpoint: opc.tcp://a
  groups:
  - {name: g, measurement: x, tags: {unit: A}, nodes: [{id: 'm:s=P', field: p}, {id: 'm:s=T', field: t}, {path: '/Objects/m:Q', field: q}]}
  - {name: h, measurement: y, tags: {unit: A}, nodes: [{id: 'm:s=R', field: r}]}
- name: b
  endpoint: opc.tcp://b
  groups: [{name: g, measurement: x, tags: {unit: B}, nodes: [{id: 'm:s=P', field: p}]}]
destinations:
- {name: s, url: 'http://127.0.0.1:8086', database: d}
- {name: z, url: 'http://127.0.0.1:8087', database: d}
`

// show gives a Changes in a form that a table can hold.
func show(c Changes) string {
	var b strings.Builder
	node := func(sign string, n *Node) { b.WriteString(" " + sign + n.Target()) }
	for _, s := range c.Servers {
		b.WriteString(string(s.Change) + " " + s.Name)
		if s.Connection {
			b.WriteString(" connection")
		}
		for _, g := range s.Groups {
			b.WriteString(" (" + string(g.Change) + " " + g.Name)
			if g.Subscription {
				b.WriteString(" subscription")
			}
			for i := range g.Added {
				node("+", &g.Added[i])
			}
			for i := range g.Removed {
				node("-", &g.Removed[i])
			}
			for i, n := range g.Changed {
				node("~", &g.Changed[i].New)
				if n.Item {
					b.WriteString(" item")
				}
				if n.Stored {
					b.WriteString(" stored")
				}
			}
			b.WriteString(")")
		}
		b.WriteString("; ")
	}
	for _, d := range c.Destinations {
		b.WriteString(string(d.Change) + " destination " + d.Name + "; ")
	}
	if c.Log {
		b.WriteString("log; ")
	}
	for _, k := range c.Restart {
		b.WriteString("restart " + k + "; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestDiff(t *testing.T) {
	const p, q = "nsu=urn:m;s=P", "/Objects/nsu=urn:m;Q"
	for _, tt := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"a comment moves everything", "servers:", "# x\nservers:", ""},
		{"a default is written", "endpoint: opc.tcp://a", "endpoint: opc.tcp://a:4840\n  publish_requests: 3", ""},
		{"endpoint", "endpoint: opc.tcp://a", "endpoint: opc.tcp://c", "changed a connection"},
		{"clock", "endpoint: opc.tcp://b", "endpoint: opc.tcp://b\n  time: server", "changed b connection"},
		{"user", "endpoint: opc.tcp://b", "endpoint: opc.tcp://b\n  auth: {user: u, password_env: P}", "changed b connection"},
		{"server removed", "- name: b\n  endpoint: opc.tcp://b\n  groups: [{name: g, measurement: x, tags: {unit: B}, nodes: [{id: 'm:s=P', field: p}]}]\n", "", "removed b"},
		{"server renamed", "- name: b", "- name: c", "added c; removed b"},
		{"server added", "destinations:", "- {name: c, endpoint: 'opc.tcp://c', groups: [{name: g, measurement: z, tags: {unit: C}, nodes: [{id: i=1, field: f}]}]}\ndestinations:", "added c"},
		{"group removed", "  - {name: h, measurement: y, tags: {unit: A}, nodes: [{id: 'm:s=R', field: r}]}\n", "", "changed a (removed h -nsu=urn:m;s=R)"},
		{"group renamed", "{name: h,", "{name: i,", "changed a (added i +nsu=urn:m;s=R) (removed h -nsu=urn:m;s=R)"},
		{"publishing", "{name: h,", "{name: h, publishing: 2s, sampling: 1s,", "changed a (changed h subscription)"},
		{"class", "{name: h,", "{name: h, class: keep,", "changed a (changed h subscription)"},
		{"node added", "[{id: 'm:s=R', field: r}]", "[{id: 'm:s=R', field: r}, {id: i=7, field: s}]", "changed a (changed h +i=7)"},
		{"node removed", "{id: 'm:s=P', field: p}, {id: 'm:s=T'", "{id: 'm:s=T'", "changed a (changed g -" + p + ")"},
		{"order of nodes", "{id: 'm:s=P', field: p}, {id: 'm:s=T', field: t}", "{id: 'm:s=T', field: t}, {id: 'm:s=P', field: p}", ""},
		{"order of groups and servers does not count", "name: g, measurement: x, tags: {unit: A}", "tags: {unit: A}, measurement: x, name: g", ""},
		{"sampling of a node", "{path: '/Objects/m:Q', field: q}", "{path: '/Objects/m:Q', field: q, sampling: 2s}", "changed a (changed g ~" + q + " item)"},
		{"queue", "{path: '/Objects/m:Q', field: q}", "{path: '/Objects/m:Q', field: q, queue: 11}", "changed a (changed g ~" + q + " item)"},
		{"discard", "{path: '/Objects/m:Q', field: q}", "{path: '/Objects/m:Q', field: q, discard_oldest: false}", "changed a (changed g ~" + q + " item)"},
		{"deadband", "{path: '/Objects/m:Q', field: q}", "{path: '/Objects/m:Q', field: q, deadband: 1%}", "changed a (changed g ~" + q + " item)"},
		{"field", "field: q", "field: qq", "changed a (changed g ~" + q + " stored)"},
		{"type", "field: q", "field: q, type: int", "changed a (changed g ~" + q + " stored)"},
		{"unit", "field: q", "field: q, type: float, unit: kW", "changed a (changed g ~" + q + " stored)"},
		{"scale", "field: q", "field: q, type: float, scale: 2", "changed a (changed g ~" + q + " stored)"},
		{"elements", "field: q", "elements: {0: q}", "changed a (changed g ~" + q + " stored)"},
		{"members", "field: q", "members: {A: q}", "changed a (changed g ~" + q + " stored)"},
		{"bytes", "field: q", "field: q, bytes: base64", "changed a (changed g ~" + q + " stored)"},
		{"tags of a group", "measurement: y, tags: {unit: A}", "measurement: y, tags: {unit: A, line: '1'}", "changed a (changed h ~nsu=urn:m;s=R stored)"},
		{"both", "field: q", "field: qq, queue: 11", "changed a (changed g ~" + q + " item stored)"},
		{"id instead of path", "path: '/Objects/m:Q'", "id: 'm:s=Q'", "changed a (changed g +nsu=urn:m;s=Q -" + q + ")"},
		{"destination", "url: 'http://127.0.0.1:8087'", "url: 'http://127.0.0.1:8088'", "changed destination z"},
		{"destination removed", "- {name: z, url: 'http://127.0.0.1:8087', database: d}\n", "", "removed destination z"},
		{"destination renamed", "name: z", "name: y", "added destination y; removed destination z"},
		{"log", "collector: gw", "collector: gw\nlog: {level: debug}", "log"},
		{"restart", "collector: gw", "collector: gx\nbuffer: {max_bytes: 1GiB}\nstatus: {listen: off}\npki: {key_bits: 4096}", "restart collector; restart buffer; restart status; restart pki"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(diffBase, tt.old) {
				t.Fatalf("%q is not in the base", tt.old)
			}
			old, next := mustParse(t, diffBase), mustParse(t, strings.Replace(diffBase, tt.old, tt.new, 1))
			got := Diff(old, next)
			if diff := cmp.Diff(tt.want, show(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Empty() != (tt.want == "") || got.Empty() != (old.Hash() == next.Hash()) && !strings.HasPrefix(tt.name, "order") {
				t.Errorf("empty %v, same hash %v", got.Empty(), old.Hash() == next.Hash())
			}
		})
	}
}

// The same id may stand twice in a group, with different fields: each is paired with itself.
func TestDiffOfTwins(t *testing.T) {
	twins := strings.Replace(diffBase, "{id: 'm:s=R', field: r}", "{id: 'm:s=R', field: r}, {id: 'm:s=R', field: r2, sampling: 5s}", 1)
	a := mustParse(t, twins)
	if d := Diff(a, mustParse(t, twins)); !d.Empty() {
		t.Errorf("the same: %s", show(d))
	}
	if got := show(Diff(mustParse(t, diffBase), a)); got != "changed a (changed h +nsu=urn:m;s=R)" {
		t.Errorf("added: %s", got)
	}
	if got := show(Diff(a, mustParse(t, diffBase))); got != "changed a (changed h -nsu=urn:m;s=R)" {
		t.Errorf("removed: %s", got)
	}
}

// No field of the types is forgotten: a change of any one is a difference.
func TestDiffSeesEveryField(t *testing.T) {
	fresh := func() *Config { return mustParse(t, diffBase) }
	seen := func(what string, change func(c *Config)) {
		t.Helper()
		c := fresh()
		change(c)
		if Diff(fresh(), c).Empty() {
			t.Errorf("%s: a change is not seen", what)
		}
		if fresh().Hash() == c.Hash() {
			t.Errorf("%s: a change does not change the hash", what)
		}
	}
	every := func(of any, at func(c *Config) reflect.Value) {
		typ := reflect.TypeOf(of)
		for i := range typ.NumField() {
			name := typ.Field(i).Name
			if slices.Contains([]string{"At", "File", "Warnings"}, name) {
				continue
			}
			seen(typ.Name()+"."+name, func(c *Config) { disturb(at(c).Field(i)) })
		}
	}
	every(Config{}, func(c *Config) reflect.Value { return reflect.ValueOf(c).Elem() })
	every(Server{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.Servers[0]).Elem() })
	every(Group{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.Servers[0].Groups[0]).Elem() })
	every(Node{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.Servers[0].Groups[0].Nodes[0]).Elem() })
	every(Destination{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.Destinations[0]).Elem() })
	every(Buffer{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.Buffer).Elem() })
	every(Status{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.Status).Elem() })
	every(PKI{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.PKI).Elem() })
	every(Log{}, func(c *Config) reflect.Value { return reflect.ValueOf(&c.Log).Elem() })
}

// disturb changes v to another value of its type.
func disturb(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	case reflect.Pointer:
		v.Set(reflect.ValueOf(&Conversion{From: "kW", To: "kW", mul: 1, div: 1}))
	case reflect.Slice:
		if v.Len() > 0 {
			v.Set(v.Slice(0, v.Len()-1))
		} else {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		}
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		m.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
		v.Set(m)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				disturb(v.Field(i))
				return
			}
		}
	}
}

// Taking away and adding nodes at random, the difference of two groups is exactly the difference of the sets.
func TestDiffOfNodesIsOfSets(t *testing.T) {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,3}`), 1, 12, rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		build := func(ids []string) *Config {
			g := Group{Name: "g"}
			for _, id := range ids {
				g.Nodes = append(g.Nodes, Node{ID: NodeID{Kind: 's', Value: id}, Field: id})
			}
			return &Config{Servers: []Server{{Name: "a", Groups: []Group{g}}}}
		}
		old, next := names.Draw(t, "old"), names.Draw(t, "new")
		var added, removed []string
		for _, s := range Diff(build(old), build(next)).Servers {
			for _, g := range s.Groups {
				if g.Subscription || len(g.Changed) > 0 {
					t.Fatalf("%+v", g)
				}
				for _, n := range g.Added {
					added = append(added, n.Field)
				}
				for _, n := range g.Removed {
					removed = append(removed, n.Field)
				}
			}
		}
		minus := func(a, b []string) []string {
			return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
		}
		if !slices.Equal(added, minus(next, old)) || !slices.Equal(removed, minus(old, next)) {
			t.Fatalf("%v -> %v: added %v, removed %v", old, next, added, removed)
		}
	})
}

func TestDiffOfExampleWithItself(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Parse(example, data)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse(example, append([]byte("\n\n"), data...))
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(a, b); !d.Empty() {
		t.Error(show(d))
	}
}
