package uaserver

import (
	"fmt"
	"strings"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// property is a property of a variable that never changes.
type property struct {
	name     string
	dataType uint32
	rank     int32
	key      any // of values that are the same for many variables
	value    func() any
}

// stateNames is the key of EnumStrings.
type stateNames string

// propertiesOf lists EURange, EngineeringUnits and EnumStrings, as far as spec has them.
func propertiesOf(spec *NodeSpec) []property {
	var all []property
	if r := spec.Range; r != nil {
		all = append(all, property{"EURange", id.Range, -1, *r, func() any { return ua.NewExtensionObject(&ua.Range{Low: r.Low, High: r.High}) }})
	}
	if u := spec.Unit; u != nil {
		all = append(all, property{"EngineeringUnits", id.EUInformation, -1, *u, func() any { return ua.NewExtensionObject(u.information()) }})
	}
	if len(spec.States) > 0 {
		key := stateNames(strings.Join(spec.States, "\x00"))
		all = append(all, property{"EnumStrings", id.LocalizedText, 1, key, func() any { return localized(spec.States) }})
	}
	return all
}

func localized(names []string) []*ua.LocalizedText {
	texts := make([]*ua.LocalizedText, len(names))
	for i, name := range names {
		texts[i] = ua.NewLocalizedText(name)
	}
	return texts
}

// information is the unit as a structure of OPC UA.
func (u *Unit) information() *ua.EUInformation {
	return &ua.EUInformation{
		NamespaceURI: "http://www.opcfoundation.org/UA/units/un/cefact", UnitID: u.unitID(),
		DisplayName: ua.NewLocalizedText(u.Name), Description: ua.NewLocalizedText(u.Text),
	}
}

// unitID computes UNECE's code as OPC UA's number: its characters as bytes.
func (u *Unit) unitID() int32 {
	if u.Code == "" {
		return -1
	}
	var n int32
	for i := 0; i < len(u.Code) && i < 4; i++ {
		n = n<<8 | int32(u.Code[i])
	}
	return n
}

// addProperties adds the properties of spec below n.
func (s *Server) addProperties(n *node, spec *NodeSpec) error {
	base := n.key.text
	if base == "" {
		base = fmt.Sprintf("s=%d", n.key.num)
	}
	for _, p := range propertiesOf(spec) {
		value, err := s.shared(p)
		if err != nil {
			return fmt.Errorf("add property %s of %q: %w", p.name, spec.Path, err)
		}
		child := &node{
			key: nodeKey{ns: n.key.ns, text: "s=" + base[2:] + "." + p.name}, class: ua.NodeClassVariable,
			browse: qname{0, p.name}, dataType: p.dataType, rank: p.rank, unchanged: true,
		}
		child.variable = &Variable{srv: s, node: child, cur: sample{value: value, source: s.wall(), server: s.wall()}}
		if err := s.space.insert(child, n, id.HasProperty, id.PropertyType); err != nil {
			return err
		}
	}
	return nil
}

// shared returns the frozen value of p: one for all variables that have the same unit,
// range or states. In a plant that is a few dozen for tens of thousands of variables.
func (s *Server) shared(p property) (any, error) {
	if frozen, ok := s.properties[p.key]; ok {
		return frozen, nil
	}
	frozen, err := freeze(p.value())
	if err == nil {
		s.properties[p.key] = frozen
	}
	return frozen, err
}
