package plant

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings of every generated subscription.
const publishing = time.Second

// CollectorConfig is the configuration of one gateway's collector, as YAML text that `collector check` accepts: one group
// for each unit, with the tags that the historian looks for. Users, certificates and secrets are not in a model; who needs
// them adds them to the text.
func (m *Model) CollectorConfig(gateway string) ([]byte, error) {
	g, ok := m.Gateway(gateway)
	if !ok {
		return nil, fmt.Errorf("find gateway %q: the model has %s", gateway, some(sortedKeys(m.index.gateways)))
	}
	units := slices.DeleteFunc(slices.Clone(m.Units), func(u *Unit) bool { return u.Gateway != gateway })
	if len(units) == 0 {
		return nil, fmt.Errorf("list units of gateway %q: no unit of the model is collected by it", gateway)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Made from the plant model %s (%s). Change the model, not this file.\n\ncollector: %s\n\n", m.Name, m.Hash[:12], quote(g.Name))
	g.destination(&b)
	b.WriteString("\nservers:\n")
	var servers []string // in the order of their first units
	of := make(map[string][]*Unit)
	for _, u := range units {
		if of[u.Server] == nil {
			servers = append(servers, u.Server)
		}
		of[u.Server] = append(of[u.Server], u)
	}
	for _, server := range servers {
		m.server(&b, g, of[server])
	}
	return b.Bytes(), nil
}

func (g *Gateway) destination(b *bytes.Buffer) {
	fmt.Fprintf(b, "destinations:\n  - name: store\n    url: %s\n", quote(g.URL))
	for _, kv := range [][2]string{{"database", g.Database}, {"org", g.Org}, {"bucket", g.Bucket}, {"token_file", g.TokenFile}} {
		if kv[1] != "" {
			fmt.Fprintf(b, "    %s: %s\n", kv[0], quote(kv[1]))
		}
	}
}

// server writes one server with its units.
func (m *Model) server(b *bytes.Buffer, g *Gateway, units []*Unit) {
	fmt.Fprintf(b, "  - name: %s\n    endpoint: %s\n", quote(units[0].Server), quote(units[0].Endpoint))
	fmt.Fprintf(b, "    security: {policy: %s, mode: %s}\n    groups:\n", g.Policy, g.Mode)
	for _, u := range units {
		fmt.Fprintf(b, "      - name: %s\n        measurement: %s\n        tags: {site: %s, area: %s, unit: %s", quote(u.ID), u.Class.Name, quote(m.Site), quote(u.Area), quote(u.ID))
		if u.Line != "" {
			fmt.Fprintf(b, ", line: %s", quote(u.Line))
		}
		fmt.Fprintf(b, "}\n        publishing: %s\n        nodes:\n", showDuration(publishing))
		for i := range u.Class.Signals {
			if s := &u.Class.Signals[i]; s.Node != noNode && s.Node != "" {
				s.write(b, u)
			}
		}
	}
}

// write writes one node.
func (s *Signal) write(b *bytes.Buffer, u *Unit) {
	fmt.Fprintf(b, "          - {id: %s, field: %s, type: %s", quote(u.NodeID(s)), s.Name, s.Type)
	switch {
	case s.SourceUnit != "" && s.SourceUnit != s.Unit:
		fmt.Fprintf(b, ", unit: %s", quote(s.SourceUnit+" -> "+s.Unit))
	case s.Unit != "":
		fmt.Fprintf(b, ", unit: %s", quote(s.Unit))
	}
	switch s.Sampling {
	case publishing:
	case 0:
		b.WriteString(", sampling: fastest")
	default:
		fmt.Fprintf(b, ", sampling: %s", showDuration(s.Sampling))
	}
	if s.Deadband != "none" {
		fmt.Fprintf(b, ", deadband: %s", quote(s.Deadband))
	}
	b.WriteString("}\n")
}

// NodeID is the OPC UA node of a signal in the unit, with the namespace by its URI: "nsu=urn:maker:saw;s=Wire.Speed". It is
// "" when the collector does not read the signal.
func (u *Unit) NodeID(s *Signal) string {
	if s.Node == "" || s.Node == noNode {
		return ""
	}
	id := strings.NewReplacer("{unit}", u.ID, "{signal}", s.Name).Replace(expand(s.Node, u.Number))
	if strings.HasPrefix(id, "nsu=") {
		return id
	}
	return "nsu=" + strings.NewReplacer("%", "%25", ";", "%3B").Replace(u.Namespace) + ";" + id
}

// quote writes a YAML scalar that is a string whatever it holds: the escapes of Go for printable text are those of YAML.
func quote(s string) string { return strconv.Quote(s) }
