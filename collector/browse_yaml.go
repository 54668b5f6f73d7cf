package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"kvarts/collector/config"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

// yamlPrinter writes a configuration with every readable scalar variable, which passes collector check as it is.
type yamlPrinter struct {
	w                 io.Writer
	cfg               *uasession.ServerConfig
	measurement, unit string

	prefixes map[string]string // of namespace URIs, in order
	order    []string
	fields   map[string]int // how often a field name was given
	nodes    strings.Builder
	n        int
}

func (p *yamlPrinter) node(n *uasession.BrowseNode) error {
	if n.Class != "Variable" {
		return nil
	}
	path := pathText(n.Path)
	switch {
	case !n.Readable:
		fmt.Fprintf(&p.nodes, "          # %s: may not be read by this user\n", path)
		return nil
	case n.ValueRank >= 0:
		fmt.Fprintf(&p.nodes, "          # %s: array of %s; name its elements to collect it: {id: %q, elements: {pattern: %s_{n}, count: 3}}\n", path, n.DataType, p.short(n.Node), p.field(n))
		return nil
	}
	p.n++
	fmt.Fprintf(&p.nodes, "          - {id: %q, field: %s", p.short(n.Node), p.field(n))
	if n.Type != telemetry.NoType {
		fmt.Fprintf(&p.nodes, ", type: %s", n.Type)
	}
	fmt.Fprintf(&p.nodes, "}  # %s", strings.Join(strings.Fields(comment(n, path)), " "))
	p.nodes.WriteByte('\n')
	return nil
}

func comment(n *uasession.BrowseNode, path string) string {
	s := path
	if n.Unit != "" {
		s += ", " + n.Unit
	}
	if n.HasRange {
		s += fmt.Sprintf(", %s to %s", number(n.Low), number(n.High))
	}
	if n.Description != "" {
		s += ": " + n.Description
	}
	return s
}

// field proposes a name; one that is taken gets its folder in front, then a number.
func (p *yamlPrinter) field(n *uasession.BrowseNode) string {
	name := config.FieldName(n.Path[len(n.Path)-1].Name, n.Unit)
	if name == "" {
		name = "value"
	}
	if p.fields[name] > 0 && len(n.Path) > 1 {
		if folder := config.FieldName(n.Path[len(n.Path)-2].Name, ""); folder != "" {
			name = folder + "_" + name
		}
	}
	p.fields[name]++
	if k := p.fields[name]; k > 1 {
		name = fmt.Sprintf("%s_%d", name, k)
		p.fields[name]++
	}
	return name
}

// short replaces the namespace URI of a node id by a prefix that end declares.
func (p *yamlPrinter) short(node string) string {
	rest, ok := strings.CutPrefix(node, "nsu=")
	if !ok {
		return node
	}
	uri, local, ok := strings.Cut(rest, ";")
	if !ok || strings.Contains(uri, "%") {
		return node
	}
	prefix, known := p.prefixes[uri]
	if !known {
		prefix = fmt.Sprintf("n%d", len(p.order)+1)
		p.prefixes[uri] = prefix
		p.order = append(p.order, uri)
	}
	return prefix + ":" + local
}

func (p *yamlPrinter) end() error {
	host := "server"
	if u, err := url.Parse(p.cfg.Endpoint); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by collector browse from %s. Look at every name before you use it; check it with: collector check -c FILE\ncollector: gateway-1\n\n", p.cfg.Endpoint)
	if len(p.order) > 0 {
		b.WriteString("namespaces:\n")
		for _, uri := range p.order {
			fmt.Fprintf(&b, "  %s: %q\n", p.prefixes[uri], uri)
		}
	}
	fmt.Fprintf(&b, "\nservers:\n  - name: %q\n    endpoint: %q\n    security: {policy: %s, mode: %s}\n", host, p.cfg.Endpoint, p.cfg.Policy, p.cfg.Mode)
	if p.cfg.User != "" {
		fmt.Fprintf(&b, "    auth: {user: %q, password_env: KVARTS_PASSWORD}\n", p.cfg.User)
	}
	fmt.Fprintf(&b, "    groups:\n      - name: all\n        measurement: %s\n        tags: {unit: %q}\n        publishing: 1s\n        nodes:\n%s", p.measurement, p.unit, p.nodes.String())
	b.WriteString("\ndestinations:\n  - {name: store, url: \"http://127.0.0.1:8086\", database: kvarts}\n")
	if p.n == 0 {
		return fmt.Errorf("%s offers no variable that this user may read", p.cfg.Endpoint)
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}
