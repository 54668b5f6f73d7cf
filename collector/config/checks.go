package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kvarts/historian/markup"
)

// checks holds what must be true across all nodes of a file.
type checks struct {
	writers map[string]markup.Place // identity of a point → the node that writes it
	pins    map[string]*pin         // measurement and field → what all nodes of it share
}

// pin is what all nodes of one (measurement, field) share: InfluxDB takes only one type, and a field in two units is
// one that nobody can add up.
type pin struct {
	name   string // measurement and field
	typ    Type
	typAt  markup.Place
	unit   string
	unitAt markup.Place
}

// names of the maps' keys are joined with a byte that no name can hold.
const joint = "\x00"

// add checks one node against all before.
func (c *checks) add(v *value, n *Node) {
	if c.writers == nil {
		c.writers, c.pins = make(map[string]markup.Place), make(map[string]*pin)
	}
	if n.Measurement == "" {
		return
	}
	series := n.Measurement
	for _, k := range slices.Sorted(maps.Keys(n.Tags)) {
		series += joint + k + joint + n.Tags[k]
	}
	here := v.Place()
	for _, field := range n.Fields() {
		if _, clash := n.Tags[field]; clash {
			v.FailHidden(fmt.Sprintf("the field %q has the name of a tag of the same point", field), "rename the field or the tag")
		}
		identity := series + joint + joint + field
		if first, taken := c.writers[identity]; taken {
			v.FailHidden(fmt.Sprintf("it writes the same point as %s: %s", first, showPoint(n, field)), "give one of them another field, measurement or tag")
		} else {
			c.writers[identity] = here
		}
		c.pin(v, n, field, here)
	}
}

func (c *checks) pin(v *value, n *Node, field string, here markup.Place) {
	key := n.Measurement + joint + field
	p := c.pins[key]
	if p == nil {
		p = &pin{name: key}
		c.pins[key] = p
	}
	switch {
	case n.Type == TypeAuto || n.Type == p.typ:
	case p.typ == TypeAuto:
		p.typ, p.typAt = n.Type, here
	default:
		v.FailHidden(fmt.Sprintf("field %q of %q is %s here and %s at %s, and InfluxDB takes one type", field, n.Measurement, n.Type, p.typ, p.typAt),
			"give both the same type")
	}
	switch {
	case n.Unit == nil || n.Unit.To == p.unit:
	case p.unit == "":
		p.unit, p.unitAt = n.Unit.To, here
	default:
		v.FailHidden(fmt.Sprintf("field %q of %q is in %s here and in %s at %s", field, n.Measurement, n.Unit.To, p.unit, p.unitAt), "convert both to the same unit")
	}
}

// waiting is a node that says no type.
type waiting struct {
	node *Node
	key  string // for messages: servers[0].groups[1].nodes[2]
}

// settle gives the type that one node of a (measurement, field) says to the others that say none. A node of several
// fields that takes a type from one of them gives it to the others, and so on.
func (d *decoder) settle(servers []Server) {
	members := make(map[*pin][]waiting) // who waits for a pin's type
	for i := range servers {
		for j := range servers[i].Groups {
			nodes := servers[i].Groups[j].Nodes
			for k := range nodes {
				if n := &nodes[k]; n.Type == TypeAuto {
					for _, p := range d.nodes.pinsOf(n) {
						members[p] = append(members[p], waiting{n, fmt.Sprintf("servers[%d].groups[%d].nodes[%d]", i, j, k)})
					}
				}
			}
		}
	}
	var ready []*pin
	for p := range members {
		if p.typ != TypeAuto {
			ready = append(ready, p)
		}
	}
	// In the order of the file, so that the same text always gives the same result.
	slices.SortFunc(ready, func(a, b *pin) int { return cmp.Or(a.typAt.Line-b.typAt.Line, cmp.Compare(a.name, b.name)) })
	for len(ready) > 0 {
		p := ready[0]
		ready = ready[1:]
		for _, w := range members[p] {
			if w.node.Type == TypeAuto {
				w.node.Type = p.typ
				ready = append(ready, d.spread(w)...)
			}
		}
	}
}

// spread gives the type of a node to the pins of its fields, and returns those that had none.
func (d *decoder) spread(w waiting) (fresh []*pin) {
	n := w.node
	for _, p := range d.nodes.pinsOf(n) {
		switch p.typ {
		case n.Type:
		case TypeAuto:
			p.typ, p.typAt = n.Type, markup.Place{Line: n.At.Line, Path: w.key}
			fresh = append(fresh, p)
		default:
			d.doc.Errors = append(d.doc.Errors, Problem{File: d.doc.Name, Line: n.At.Line, Column: n.At.Column, Key: w.key,
				Message: fmt.Sprintf("its fields have one type, but others of the same name are %s, and %s at %s", n.Type, p.typ, p.typAt),
				Remedy:  "split the node into two with the same id, each with its type"})
		}
	}
	return fresh
}

func (c *checks) pinsOf(n *Node) []*pin {
	var out []*pin
	for _, field := range n.Fields() {
		if p := c.pins[n.Measurement+joint+field]; p != nil {
			out = append(out, p)
		}
	}
	return out
}

func showPoint(n *Node, field string) string {
	var b strings.Builder
	b.WriteString(n.Measurement)
	for _, k := range slices.Sorted(maps.Keys(n.Tags)) {
		b.WriteString("," + k + "=" + n.Tags[k])
	}
	return b.String() + " " + field
}

// Fields lists the names of all fields that the node writes, sorted, elements by their index.
func (n *Node) Fields() []string {
	switch {
	case n.Elements != nil:
		out := make([]string, 0, len(n.Elements))
		for _, i := range slices.Sorted(maps.Keys(n.Elements)) {
			out = append(out, n.Elements[i])
		}
		return out
	case n.Members != nil:
		return slices.Sorted(maps.Values(n.Members))
	case n.Field != "":
		return []string{n.Field}
	}
	return nil
}

// Target names what is read on the server: the node id, or the browse path.
func (n *Node) Target() string {
	if n.Path != nil {
		return FormatPath(n.Path)
	}
	return n.ID.String()
}
