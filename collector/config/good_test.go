package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kvarts/historian/markup"
)

func mustLoad(t testing.TB, path string) *Config {
	t.Helper()
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustParse(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Parse("/etc/kvarts/collector.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withNodes is a file with one group: its further keys and its nodes, in YAML's flow form.
func withNodes(group string, nodes ...string) string {
	return "collector: gw\nnamespaces: {m: 'urn:m'}\nservers:\n- name: a\n  endpoint: opc.tcp://h\n  groups:\n  - {name: g, measurement: x, tags: {unit: U}, " + group +
		" nodes: [" + strings.Join(nodes, ", ") + "]}\n" + "destinations: [{name: s, url: 'http://127.0.0.1:8086', database: d}]\n"
}

const example = "../../configs/collector.example.yaml"

// Every configuration that we hand out loads without a finding.
func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob("../../configs/collector.*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		if c := mustLoad(t, f); len(c.Warnings) > 0 {
			t.Errorf("%s: %v", f, Errors(c.Warnings))
		}
	}
}

// The example shows every key of every block, and nothing that is not a key.
func TestExampleShowsEveryKey(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	doc := format.Parse(example, data)
	if len(doc.Errors) > 0 {
		t.Fatal(doc.Errors)
	}
	shown := map[string]map[string]bool{} // block → keys
	child := map[string]string{"servers": "a server", "groups": "a group", "nodes": "a node", "destinations": "a destination"}
	var walk func(v *markup.Value, block string)
	walk = func(v *markup.Value, block string) {
		switch v.Kind() {
		case markup.Sequence:
			for _, item := range v.Items() {
				walk(item, block)
			}
		case markup.Mapping:
			if shown[block] == nil {
				shown[block] = map[string]bool{}
			}
			for _, e := range v.Entries() {
				shown[block][e.Key()] = true
				next := e.Key()
				if c, ok := child[next]; ok {
					next = c
				}
				walk(e, next)
			}
		}
	}
	walk(doc.Root(), "the file")
	for _, l := range format.Levels {
		for _, key := range l.Keys {
			if !shown[l.Name][key] {
				t.Errorf("%s: the key %q is not shown", l.Name, key)
			}
		}
	}
}

// Every key of every block is read: a wrong kind of value is noticed. This catches a key that is only in the list.
func TestEveryKeyIsRead(t *testing.T) {
	for _, l := range format.Levels {
		for _, key := range l.Keys {
			bad := "{zzz: x}"
			if slices.Contains([]string{"namespaces", "tags", "elements", "members"}, key) {
				bad = "x"
			}
			_, err := Parse("f", []byte(wrap(l.Name, "{"+key+": "+bad+"}")))
			var list Errors
			if !errors.As(err, &list) || !slices.ContainsFunc(list, func(p Problem) bool {
				return strings.HasSuffix(p.Key, key) && (strings.Contains(p.Message, "but is") || strings.Contains(p.Message, `"zzz"`))
			}) {
				t.Errorf("%s: the key %q is not read: %v", l.Name, key, err)
			}
		}
	}
}

// wrap puts a block of the level to where it belongs in a file.
func wrap(level, block string) string {
	form := "{" + level + ": %s}"
	switch level {
	case "the file":
		form = "%s"
	case "a server":
		form = "{servers: [%s]}"
	case "security", "auth", "backoff":
		form = "{servers: [{" + level + ": %s}]}"
	case "a group":
		form = "{servers: [{groups: [%s]}]}"
	case "a node":
		form = "{servers: [{groups: [{nodes: [%s]}]}]}"
	case "elements":
		form = "{servers: [{groups: [{nodes: [{elements: %s}]}]}]}"
	case "a destination":
		form = "{destinations: [%s]}"
	case "batch":
		form = "{destinations: [{batch: %s}]}"
	}
	return fmt.Sprintf(form, block)
}

// The optional keys of the example are written with their defaults: a file without them means the same.
func TestExampleShowsDefaults(t *testing.T) {
	shown, least := mustLoad(t, example), mustLoad(t, "../../configs/collector.minimal.yaml")
	a, b := shown.Servers[0], least.Servers[0]
	same := func(what string, a, b any, ignore ...cmp.Option) {
		t.Helper()
		ignore = append(ignore, cmpopts.IgnoreTypes(Position{}))
		if diff := cmp.Diff(b, a, ignore...); diff != "" {
			t.Errorf("%s (-default +example):\n%s", what, diff)
		}
	}
	same("server", a, b, cmpopts.IgnoreFields(Server{}, "Name", "Endpoint", "Groups"))
	same("group", a.Groups[0], b.Groups[0], cmpopts.IgnoreFields(Group{}, "Name", "Nodes"))
	same("node", a.Groups[0].Nodes[0], b.Groups[0].Nodes[0], cmpopts.IgnoreFields(Node{}, "ID", "Unit"))
	same("destination", shown.Destinations[0], least.Destinations[0],
		cmpopts.IgnoreFields(Destination{}, "Name", "URL", "Database", "RetentionPolicy", "SecretFile", "Proxy", "CAFile"))
	same("buffer", shown.Buffer, Default().Buffer)
	same("status", shown.Status, Default().Status)
	same("pki", shown.PKI, Default().PKI, cmpopts.IgnoreFields(PKI{}, "ApplicationURI", "Hostnames"))
	same("log", shown.Log, Default().Log)
}

// What the example means, for the settings that are not defaults.
func TestExampleMeaning(t *testing.T) {
	c := mustLoad(t, example)
	nodes := c.Servers[0].Groups[0].Nodes
	path := nodes[1]
	want := []PathStep{{"", "Objects"}, {"urn:machine:puller", "Pullers"}, {"urn:machine:puller", "CZ-01"}, {"urn:machine:puller", "Melt"}, {"urn:machine:puller", "Temperature"}}
	if diff := cmp.Diff(want, path.Path); diff != "" {
		t.Error(diff)
	}
	if path.Sampling != 500*time.Millisecond || path.Queue != 20 || path.DiscardOldest || path.Deadband != (Deadband{DeadbandAbsolute, 0.1}) {
		t.Errorf("overrides: %+v", path)
	}
	if got := fmt.Sprint(nodes[2].Elements, nodes[3].Elements, nodes[4].Members); got !=
		"map[0:zone_1_temp_c 2:zone_3_temp_c] map[0:chamber_1_pressure_torr 1:chamber_2_pressure_torr 2:chamber_3_pressure_torr] map[Name:recipe_name Revision:recipe_revision]" {
		t.Error(got)
	}
	if nodes[0].ID.String() != "nsu=urn:machine:puller;s=CZ01.MainHeater.Power" || nodes[6].ID.String() != "i=2258" {
		t.Errorf("%s %s", nodes[0].ID, nodes[6].ID)
	}
	if n := nodes[6]; n.Measurement != "controller" || !maps.Equal(n.Tags, map[string]string{"site": "north", "area": "crystal", "unit": "CZ-01-PLC"}) {
		t.Errorf("%s %v", n.Measurement, n.Tags)
	}
	if nodes[5].Type != TypeString || !nodes[5].Base64 {
		t.Errorf("bytes: %+v", nodes[5])
	}
	if id := c.Servers[1].Groups[0].Nodes[0].ID.String(); id != "nsu=urn:machine:saw;s=Wire.Speed" {
		t.Errorf("namespaces of a server: %s", id)
	}
	// One node of wire_speed_m_per_s says its type: all have it.
	if typ := c.Servers[2].Groups[0].Nodes[0].Type; typ != TypeFloat {
		t.Errorf("type of the other saw: %q", typ)
	}
	if c.Servers[2].Endpoint != "opc.tcp://saws-2.example:4840" {
		t.Errorf("port: %s", c.Servers[2].Endpoint)
	}
	dir := filepath.Dir(example)
	if c.Servers[1].Auth.PasswordFile != filepath.Join(dir, "secrets/saws.password") || c.Destinations[0].CAFile != filepath.Join(dir, "certs/plant-ca.pem") {
		t.Errorf("relative files: %s %s", c.Servers[1].Auth.PasswordFile, c.Destinations[0].CAFile)
	}
	if c.Buffer.Dir != "/var/lib/kvarts/collector/buffer" {
		t.Errorf("absolute folder: %s", c.Buffer.Dir)
	}
	if s := Summarize(c); s.Servers != 3 || s.Groups != 3 || s.Nodes != 10 || s.Fields != 14 || s.Destinations != 4 || s.MaxRate != 17 {
		t.Errorf("%+v", s)
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"queue of a node", withNodes("publishing: 1s,", `{id: i=1, field: a, sampling: 100ms, queue: 9}`), "up to 10 are sampled"},
		{"queue just long enough", withNodes("publishing: 1s,", `{id: i=1, field: a, sampling: 100ms, queue: 10}`), ""},
		{"queue of a group", withNodes("publishing: 1s, sampling: 500ms, queue: 1,", `{id: i=1, field: a}`), "up to 2 are sampled"},
		{"sampling slower than publishing", withNodes("publishing: 1s, sampling: 1m, queue: 1,", `{id: i=1, field: a}`), ""},
		{"group's queue, faster node", withNodes("publishing: 1s, queue: 5,", `{id: i=1, field: a, sampling: 100ms}`), "up to 10 are sampled"},
		{"field in capitals", withNodes("", `{id: i=1, field: PowerKW}`), "quoted in every query"},
		{"hash", strings.Replace(withNodes("", `{id: i=1, field: a}`), "{id: i=1, field: a}", "\n    {field: a, id: m:s=Saw #3\n    }", 1), "takes #3 as a comment"},
		{"comment", strings.Replace(withNodes("", `{id: i=1, field: a}`), "{id: i=1, field: a}", "\n    {field: a, id: m:s=Saw # 3\n    }", 1), ""},
		{"no unit", strings.Replace(withNodes("", `{id: i=1, field: a}`), "tags: {unit: U}, ", "", 1), "no node of this group has the tag unit"},
		{"unit at the node", strings.Replace(withNodes("", `{id: i=1, field: a, tags: {unit: U}}`), "tags: {unit: U}, ", "", 1), ""},
		{"index", strings.Replace(withNodes("", `{id: ns=4;s=A, field: a}`), "endpoint:", "allow_index: true\n  endpoint:", 1), "namespace index"},
		{"plaintext", strings.Replace(withNodes("", `{id: i=1, field: a}`), "endpoint:", "auth: {user: u, password_env: P, allow_plaintext_password: true}\n  endpoint:", 1), "unencrypted"},
		{"http to another computer", strings.Replace(withNodes("", `{id: i=1, field: a}`), "'http://127.0.0.1:8086'", "'http://store:8086', token_env: T", 1), "unencrypted"},
		{"http here", strings.Replace(withNodes("", `{id: i=1, field: a}`), "'http://127.0.0.1:8086'", "'http://[::1]:8086', token_env: T", 1), ""},
		{"skip_verify", strings.Replace(withNodes("", `{id: i=1, field: a}`), "database: d", "database: d, skip_verify: true", 1), "anyone on the way"},
		{"same endpoint", strings.Replace(withNodes("", `{id: i=1, field: a}`), "servers:", "servers:\n- {name: z, endpoint: 'opc.tcp://h:4840', groups: [{name: g, measurement: y, tags: {unit: U}, nodes: [{id: i=1, field: a}]}]}", 1), "two sessions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustParse(t, tt.text)
			switch {
			case tt.want == "" && len(c.Warnings) > 0:
				t.Errorf("unexpected: %v", Errors(c.Warnings))
			case tt.want != "" && (len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, tt.want) || c.Warnings[0].Line == 0 || c.Warnings[0].Remedy == ""):
				t.Errorf("got %v, want one with %q", Errors(c.Warnings), tt.want)
			}
		})
	}
}

// allow_index keeps the index, for servers that have no stable URIs.
func TestIndexedID(t *testing.T) {
	c := mustParse(t, strings.Replace(withNodes("", `{id: ns=4;s=A, field: a}`), "endpoint:", "allow_index: true\n  endpoint:", 1))
	if id := c.Servers[0].Groups[0].Nodes[0].ID; !id.Indexed || id.Index != 4 || id.String() != "ns=4;s=A" {
		t.Errorf("%+v", id)
	}
}

func TestInheritance(t *testing.T) {
	c := mustParse(t, withNodes("publishing: 2s, sampling: 250ms, deadband: 1%, discard_oldest: false, class: keep,",
		`{id: i=1, field: a}`, `{id: i=2, field: b, deadband: none, sampling: fastest}`, `{id: i=3, field: c, type: string}`, `{id: i=4, field: d, deadband: 2, queue: 7, sampling: 2s}`))
	g := c.Servers[0].Groups[0]
	n := g.Nodes
	if g.Class != ClassKeep || g.Publishing != 2*time.Second {
		t.Errorf("%+v", g)
	}
	percent := Deadband{DeadbandPercent, 1}
	if n[0].Sampling != 250*time.Millisecond || n[0].Queue != 40 || n[0].DiscardOldest || n[0].Deadband != percent {
		t.Errorf("inherits: %+v", n[0])
	}
	if n[1].Sampling != 0 || n[1].Queue != fastestQueue || n[1].Deadband != (Deadband{}) {
		t.Errorf("overrides: %+v", n[1])
	}
	if n[2].Deadband != (Deadband{}) {
		t.Errorf("the group's deadband is not meant for text: %+v", n[2])
	}
	if n[3].Deadband != (Deadband{DeadbandAbsolute, 2}) || n[3].Queue != 7 {
		t.Errorf("overrides: %+v", n[3])
	}
}

func TestAliases(t *testing.T) {
	c := mustParse(t, `collector: gw
servers:
- name: a
  endpoint: opc.tcp://a
  namespaces: {m: 'urn:a'}
  groups: [{name: g, measurement: x, tags: {unit: A}, nodes: &puller [{id: 'm:s=P', field: p}, {id: 'm:s=T', field: t}]}]
- name: b
  endpoint: opc.tcp://b
  namespaces: {m: 'urn:b'}
  groups: [{name: g, measurement: x, tags: {unit: B}, nodes: *puller}]
destinations: [{name: s, url: 'http://127.0.0.1:8086', database: d}]
`)
	n := c.Servers[1].Groups[0].Nodes[1]
	if n.ID.String() != "nsu=urn:b;s=T" || n.Tags["unit"] != "B" || n.Field != "t" {
		t.Errorf("%+v", n)
	}
}

// The same text with Windows line ends and a byte order mark means the same, at the same positions.
func TestLineEnds(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	unix, err := Parse(example, data)
	if err != nil {
		t.Fatal(err)
	}
	windows, err := Parse(example, append([]byte("\xef\xbb\xbf"), strings.ReplaceAll(string(data), "\n", "\r\n")...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unix, windows, cmp.AllowUnexported(Conversion{})); diff != "" {
		t.Error(diff)
	}
}

func TestTooLarge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "c.yaml")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil { // sparse
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		_, err := Load(name)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		r, c := Check(name)
		if r.OK || c != nil || len(r.Errors) != 1 || r.Errors[0].Remedy == "" {
			t.Errorf("check %s: %+v", name, r)
		}
	}
}

func TestShowAndHash(t *testing.T) {
	a := mustLoad(t, example)
	data, err := json.Marshal(a)
	if err != nil || !json.Valid([]byte(a.String())) {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"W -\u003e kW"`) || !strings.Contains(string(data), "nsu=urn:machine:puller;s=CZ01.MainHeater.Power") {
		t.Errorf("units and ids are not readable: %s", data)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := Parse(example, append([]byte("# a comment\n\n"), text...))
	if err != nil || moved.Hash() != a.Hash() || len(a.Hash()) != 64 {
		t.Errorf("a comment changes the hash: %v", err)
	}
	changed, err := Parse(example, []byte(strings.Replace(string(text), "deadband: 0.1", "deadband: 0.2", 1)))
	if err != nil || changed.Hash() == a.Hash() {
		t.Errorf("a changed deadband does not change the hash: %v", err)
	}
	// Parse refuses this; code could still do it.
	secret := Config{Servers: []Server{{Endpoint: "opc.tcp://u:hunter2@h"}}, Destinations: []Destination{{URL: "http://h?token=hunter2", Proxy: "http://hunter2@p"}, {URL: "http://hunter2\x00"}}}
	if s := secret.String(); strings.Contains(s, "hunter2") || !strings.Contains(s, "redacted") {
		t.Error(s)
	}
	if secret.Servers[0].Endpoint != "opc.tcp://u:hunter2@h" || secret.Destinations[0].Proxy != "http://hunter2@p" {
		t.Error("showing a configuration changed it")
	}
}

// One node's type reaches all that share a field with it, over nodes of several fields, in any order.
func TestTypesSpread(t *testing.T) {
	nodes := []string{`{id: i=1, elements: {0: a, 1: b}}`, `{id: i=2, elements: {0: b, 1: c}, tags: {unit: V}}`, `{id: i=3, field: c, type: int, tags: {unit: W}}`, `{id: i=4, field: z}`}
	for range nodes {
		nodes = append(nodes[1:], nodes[0])
		for _, n := range mustParse(t, withNodes("", nodes...)).Servers[0].Groups[0].Nodes {
			want := TypeInt
			if n.Field == "z" {
				want = TypeAuto
			}
			if n.Type != want {
				t.Errorf("%s: type %q, want %q", n.ID, n.Type, want)
			}
		}
	}
	_, err := Parse("f", []byte(withNodes("", `{id: i=1, elements: {0: a, 1: b}}`, `{id: i=2, field: a, type: int, tags: {unit: V}}`, `{id: i=3, field: b, type: float, tags: {unit: W}}`)))
	if err == nil || !strings.Contains(err.Error(), "its fields have one type") {
		t.Errorf("two types for one array: %v", err)
	}
}
