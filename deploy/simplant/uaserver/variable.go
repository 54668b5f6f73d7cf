package uaserver

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// NodeSpec describes a variable or a folder of a machine.
type NodeSpec struct {
	// ID is the node id with its namespace URI: "nsu=urn:kvarts:sim:cz-puller;s=Body".
	// Empty: the browse path as string identifier.
	ID string
	// Path is the browse path below Objects, slash-separated, its names in the
	// namespace of ID (or Namespace): "Machine/Heater/MainHeaterPower". Folders on the
	// way are made when missing.
	Path string
	// Namespace is the URI for Path when ID is empty.
	Namespace string
	// DataType is the node id in namespace 0 of the data type, such as id.Double.
	// 0: of the Initial value, else BaseDataType.
	DataType uint32
	// Rank is -1 (or 0) for a scalar, else the number of dimensions; Dimensions are
	// their lengths, zero when variable.
	Rank       int32
	Dimensions []uint32
	// Unit and Range become the properties EngineeringUnits and EURange; with a
	// Range the variable is an AnalogItem.
	Unit  *Unit
	Range *Range
	// States names the values 0, 1, … of an integer: a MultiStateDiscrete item.
	States []string
	// Description is the Description attribute.
	Description string
	// History is how many values are kept for HistoryRead; 0: Options.History, negative:
	// none. The node's Historizing attribute and access level say whether there are any.
	History int
	// Past, when not nil, gives the values for HistoryRead in place of kept ones.
	Past Past
	// Initial is the first value, set at creation. Without it the variable has no value
	// and the status BadWaitingForInitialData.
	Initial any
}

// Unit is an engineering unit (OPC 10000-8 §5.6.4.3).
type Unit struct {
	// Code is the UNECE Recommendation 20 common code, such as "KWT"; the UnitId is
	// derived from it. Empty: a unit unknown to UNECE (UnitId -1).
	Code string
	Name string // display name: "kW"
	Text string // description: "kilowatt"
}

// Range is an engineering unit range, used by percent deadbands.
type Range struct{ Low, High float64 }

// Variable is a value of the machine. Create it with Server.AddVariable.
type Variable struct {
	srv   *Server
	node  *node
	id    string            // expanded node id; empty for properties and the server's own
	read  func(*Server) any // for values of the server itself; nil for a machine's
	rng   *Range
	cur   sample
	items []*item // monitored items on its Value, in order of creation

	memory     *memory // kept values for HistoryRead; nil: none
	regenerate Past    // makes them instead
}

// ID returns the node id with its namespace URI; it is the same after every restart.
func (v *Variable) ID() string { return v.id }

// name is the expanded node id of any variable; mu is held.
func (v *Variable) name() string {
	if v.id != "" {
		return v.id
	}
	return v.srv.space.expanded(v.node.key)
}

// NodeID returns the node id as clients see it now.
func (v *Variable) NodeID() *ua.NodeID {
	v.srv.mu.Lock()
	defer v.srv.mu.Unlock()
	return v.srv.space.nodeID(v.node.key)
}

// AddFolder adds the folders of a browse path below Objects that are missing.
func (s *Server) AddFolder(spec NodeSpec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, path, err := s.locate(&spec)
	if err != nil {
		return fmt.Errorf("add folder %q: %w", spec.Path, err)
	}
	parent, err := s.folders(key.ns, path[:len(path)-1])
	if err != nil {
		return err
	}
	n := &node{key: key, class: ua.NodeClassObject, browse: qname{key.ns, path[len(path)-1]}, desc: spec.Description}
	return s.space.insert(n, parent, id.Organizes, id.FolderType)
}

// locate splits a spec's path and finds its key. It completes spec.ID.
func (s *Server) locate(spec *NodeSpec) (nodeKey, []string, error) {
	if spec.Path == "" {
		return nodeKey{}, nil, errors.New("browse path is empty")
	}
	path := spec.Path
	if spec.ID == "" {
		spec.ID = "nsu=" + spec.Namespace + ";s=" + spec.Path
		path = spec.ID[len(spec.ID)-len(spec.Path):] // so that names share the memory of the id
	}
	key, err := s.space.parse(spec.ID)
	if err == nil && (key.ns == 0 || !strings.HasPrefix(key.text, "s=")) {
		spec.ID = s.space.expanded(key) // it may have been written in another way
	}
	return key, strings.Split(path, "/"), err
}

// folders returns the node at a path below Objects, making folders where none is.
func (s *Server) folders(ns uint16, path []string) (*node, error) {
	at := s.space.standard(id.ObjectsFolder)
	for i, name := range path {
		next := at.child(qname{ns, name})
		if next == nil {
			next = &node{
				key: nodeKey{ns: ns, text: "s=" + strings.Join(path[:i+1], "/")}, class: ua.NodeClassObject, browse: qname{ns, name},
			}
			if err := s.space.insert(next, at, id.Organizes, id.FolderType); err != nil {
				return nil, err
			}
		}
		at = next
	}
	return at, nil
}

// AddVariable adds a variable with its properties. It may be called while clients are
// connected; they see it at their next Browse.
func (s *Server) AddVariable(spec NodeSpec) (*Variable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, path, err := s.locate(&spec)
	if err != nil {
		return nil, fmt.Errorf("add variable %q: %w", spec.Path, err)
	}
	initial, err := freeze(spec.Initial)
	if err != nil {
		return nil, fmt.Errorf("add variable %q: %w", spec.Path, err)
	}
	parent, err := s.folders(key.ns, path[:len(path)-1])
	if err != nil {
		return nil, err
	}
	n := &node{
		key: key, class: ua.NodeClassVariable, browse: qname{key.ns, path[len(path)-1]}, desc: spec.Description,
		dataType: dataTypeOf(spec.DataType, initial), rank: spec.Rank, dims: spec.Dimensions,
	}
	if n.rank == 0 {
		n.rank = -1
	}
	v := &Variable{srv: s, node: n, id: spec.ID, rng: spec.Range, regenerate: spec.Past}
	v.cur = sample{status: ua.StatusBadWaitingForInitialData, server: s.wall()}
	if v.regenerate == nil {
		v.memory = s.newMemory(spec.History)
	}
	n.variable = v
	if err := s.space.insert(n, parent, id.HasComponent, itemType(&spec)); err != nil {
		return nil, err
	}
	if err := s.addProperties(n, &spec); err != nil {
		return nil, err
	}
	if initial != nil {
		now := s.wall()
		v.take(sample{value: initial, source: now, server: now}, s.now())
		s.truth.deliver()
	}
	return v, nil
}

// itemType chooses the type definition of a variable (OPC 10000-8 §5.3).
func itemType(spec *NodeSpec) uint32 {
	switch {
	case spec.Range != nil:
		return id.AnalogItemType
	case len(spec.States) > 0:
		return id.MultiStateDiscreteType
	case spec.Unit != nil:
		return id.DataItemType
	}
	return id.BaseDataVariableType
}

// dataTypeOf is want, or the data type of a frozen value.
func dataTypeOf(want uint32, frozen any) uint32 {
	if want != 0 {
		return want
	}
	if frozen == nil {
		return id.BaseDataType
	}
	// The number of a built-in type is the number of its data type node.
	t := uint32(appendVariant(nil, frozen)[0] & 0x3F)
	switch ua.TypeID(t) {
	case ua.TypeIDExtensionObject:
		return id.Structure
	case ua.TypeIDVariant:
		return id.BaseDataType
	default:
		return t
	}
}

// RemoveVariable deletes a variable. Monitored items on it stay, without new values; a
// client that creates one afterwards gets BadNodeIdUnknown.
func (s *Server) RemoveVariable(v *Variable) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.space.remove(v.node)
}

// Set gives the variable a new value, as one sample of the machine. value is any Go type
// that gopcua can put into a Variant, or nil for a null value; it must not change
// afterwards. source is cut to 100 ns; the zero time becomes the null timestamp.
func (v *Variable) Set(value any, status ua.StatusCode, source time.Time) error {
	return v.SetData(Data{Value: value, Status: status, Source: DateTimeOf(source)})
}

// Data is a value with raw timestamps. A zero Server is replaced by the server's clock.
type Data struct {
	Value  any
	Status ua.StatusCode
	Source DateTime
	Server DateTime
}

// SetData is Set with full control over the timestamps.
func (v *Variable) SetData(d Data) error { return v.srv.SetAll([]Update{{v, d}}) }

// Update is one new value in SetAll.
type Update struct {
	Variable *Variable
	Data     Data
}

// SetAll sets many values, in order, without letting a publishing cycle in between. It
// sets nothing when one of the values cannot be encoded.
func (s *Server) SetAll(updates []Update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	wall := s.wall()
	s.batch = s.batch[:0]
	defer func() { clear(s.batch) }()
	for i := range updates {
		d := &updates[i].Data
		frozen, err := freeze(d.Value)
		if err != nil {
			return fmt.Errorf("set %s: %w", updates[i].Variable.id, err)
		}
		smp := sample{value: frozen, status: d.Status, source: d.Source, server: d.Server}
		if smp.server == 0 {
			smp.server = wall
		}
		s.batch = append(s.batch, smp)
	}
	now := s.now()
	for i := range updates {
		updates[i].Variable.take(s.batch[i], now)
	}
	s.truth.deliver()
	return nil
}

// take makes smp the current value and offers it to every monitored item; mu is held.
func (v *Variable) take(smp sample, now time.Time) {
	v.cur = smp
	if v.memory != nil {
		v.memory.add(&smp)
	}
	v.srv.truth.generated(v, &smp)
	for _, it := range v.items {
		it.offer(&smp, now)
	}
}

// current returns the value as of now; mu is held.
func (v *Variable) current() sample {
	if v.read == nil {
		return v.cur
	}
	frozen, err := freeze(v.read(v.srv))
	if err != nil {
		return sample{status: ua.StatusBadInternalError, server: v.srv.wall()}
	}
	now := v.srv.wall()
	return sample{value: frozen, source: now, server: now}
}
