package config

import (
	"maps"
	"reflect"
	"slices"
)

// Change says what happened to something between two configurations.
type Change string

// The changes.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// Changes is what a reload has to do. The zero Changes is nothing.
type Changes struct {
	Servers      []ServerChange      // in the order of the new configuration, removed ones last
	Destinations []DestinationChange // likewise
	Log          bool                // the log's settings changed
	Restart      []string            // keys that changed and need a restart of the collector: collector, buffer, status, pki
}

// Empty reports whether nothing changed.
func (c Changes) Empty() bool {
	return len(c.Servers) == 0 && len(c.Destinations) == 0 && !c.Log && len(c.Restart) == 0
}

// ServerChange is a server that differs. A renamed server is one removed and one added.
type ServerChange struct {
	Name       string
	Change     Change
	Connection bool          // changed: settings other than groups differ; the session has to be made anew
	Groups     []GroupChange // changed: what differs in the groups
}

// GroupChange is a group that differs.
type GroupChange struct {
	Name         string
	Change       Change
	Subscription bool // changed: settings of the subscription differ
	Added        []Node
	Removed      []Node
	Changed      []NodeChange
}

// NodeChange is a node that is still monitored, in another way.
type NodeChange struct {
	Old, New Node
	Item     bool // what the server is asked to do differs: sampling, queue, deadband
	Stored   bool // what is written differs: measurement, tags, fields, type, arithmetic
}

// DestinationChange is a destination that differs.
type DestinationChange struct {
	Name   string
	Change Change
}

// Diff compares two configurations. Positions and file names do not count. Nodes are paired by what they read (node id
// or path) within their group; a node that moves to another group is removed there and added here.
func Diff(old, new *Config) Changes {
	var out Changes
	byName, added, removed := pair(old.Servers, new.Servers, func(s Server) string { return s.Name })
	for _, p := range byName {
		if c, differs := diffServer(p.old, p.new); differs {
			out.Servers = append(out.Servers, c)
		}
	}
	for _, s := range added {
		out.Servers = append(out.Servers, ServerChange{Name: s.Name, Change: Added})
	}
	for _, s := range removed {
		out.Servers = append(out.Servers, ServerChange{Name: s.Name, Change: Removed})
	}
	out.Destinations = diffDestinations(old.Destinations, new.Destinations)
	out.Log = old.Log != new.Log
	for _, key := range []struct {
		name    string
		differs bool
	}{
		{"collector", old.Collector != new.Collector},
		{"buffer", old.Buffer != new.Buffer},
		{"status", old.Status != new.Status},
		{"pki", !reflect.DeepEqual(old.PKI, new.PKI)},
	} {
		if key.differs {
			out.Restart = append(out.Restart, key.name)
		}
	}
	return out
}

func diffDestinations(old, new []Destination) []DestinationChange {
	var out []DestinationChange
	both, added, removed := pair(old, new, func(d Destination) string { return d.Name })
	for _, p := range both {
		a, b := *p.old, *p.new
		if a.At, b.At = (Position{}), (Position{}); a != b {
			out = append(out, DestinationChange{a.Name, Changed})
		}
	}
	for _, d := range added {
		out = append(out, DestinationChange{d.Name, Added})
	}
	for _, d := range removed {
		out = append(out, DestinationChange{d.Name, Removed})
	}
	return out
}

func diffServer(old, new *Server) (ServerChange, bool) {
	c := ServerChange{Name: new.Name, Change: Changed}
	a, b := *old, *new
	a.Groups, b.Groups, a.At, b.At = nil, nil, Position{}, Position{}
	c.Connection = !reflect.DeepEqual(a, b)
	both, added, removed := pair(old.Groups, new.Groups, func(g Group) string { return g.Name })
	for _, p := range both {
		if g, differs := diffGroup(p.old, p.new); differs {
			c.Groups = append(c.Groups, g)
		}
	}
	for _, g := range added {
		c.Groups = append(c.Groups, GroupChange{Name: g.Name, Change: Added, Added: slices.Clone(g.Nodes)})
	}
	for _, g := range removed {
		c.Groups = append(c.Groups, GroupChange{Name: g.Name, Change: Removed, Removed: slices.Clone(g.Nodes)})
	}
	return c, c.Connection || len(c.Groups) > 0
}

func diffGroup(old, new *Group) (GroupChange, bool) {
	c := GroupChange{Name: new.Name, Change: Changed}
	a, b := *old, *new
	a.Nodes, b.Nodes, a.At, b.At = nil, nil, Position{}, Position{}
	c.Subscription = !reflect.DeepEqual(a, b)
	both, added, removed := pair(old.Nodes, new.Nodes, func(n Node) string { return n.Target() })
	for _, p := range both {
		if n, differs := diffNode(p.old, p.new); differs {
			c.Changed = append(c.Changed, n)
		}
	}
	for _, n := range added {
		c.Added = append(c.Added, *n)
	}
	for _, n := range removed {
		c.Removed = append(c.Removed, *n)
	}
	return c, c.Subscription || len(c.Added)+len(c.Removed)+len(c.Changed) > 0
}

func diffNode(old, new *Node) (NodeChange, bool) {
	c := NodeChange{Old: *old, New: *new}
	c.Item = old.Sampling != new.Sampling || old.Queue != new.Queue || old.DiscardOldest != new.DiscardOldest || old.Deadband != new.Deadband
	c.Stored = old.Measurement != new.Measurement || !maps.Equal(old.Tags, new.Tags) || old.Field != new.Field ||
		!maps.Equal(old.Elements, new.Elements) || !maps.Equal(old.Members, new.Members) || old.Base64 != new.Base64 ||
		old.Type != new.Type || old.Scale != new.Scale || old.Offset != new.Offset || !sameUnit(old.Unit, new.Unit)
	return c, c.Item || c.Stored
}

func sameUnit(a, b *Conversion) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// paired is one thing in its old and new form.
type paired[T any] struct{ old, new *T }

// pair matches the members of two lists by key. Members of one list with the same key are matched in their order.
func pair[T any](old, new []T, key func(T) string) (both []paired[T], added, removed []*T) {
	waiting := make(map[string][]*T, len(old))
	for i := range old {
		k := key(old[i])
		waiting[k] = append(waiting[k], &old[i])
	}
	for i := range new {
		k := key(new[i])
		if w := waiting[k]; len(w) > 0 {
			both = append(both, paired[T]{w[0], &new[i]})
			waiting[k] = w[1:]
			continue
		}
		added = append(added, &new[i])
	}
	for i := range old {
		k := key(old[i])
		if w := waiting[k]; len(w) > 0 && w[0] == &old[i] {
			removed = append(removed, &old[i])
			waiting[k] = w[1:]
		}
	}
	return both, added, removed
}
