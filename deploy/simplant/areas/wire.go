package areas

import (
	"fmt"
	"math"
	"strings"

	"kvarts/collector/config"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"

	"github.com/gopcua/opcua/id"
)

// wire is the way from what the machine says to what is stored: stored = said × scale / divisor + offset, as in
// config.Node.Linear. The zero wire changes nothing.
type wire struct{ scale, divisor, offset float64 }

// wires are the conversions of a model's signals, by source unit and unit.
type wires map[[2]string]wire

func (w wires) of(s *plant.Signal) wire { return w[[2]string{s.SourceUnit, s.Unit}] }

// newWires takes the conversions from the collector, which has the table: by a configuration in which each occurs once.
func newWires(m *plant.Model) (wires, error) {
	out := wires{}
	var pairs [][2]string
	var text strings.Builder
	text.WriteString("collector: c\nservers:\n  - name: s\n    endpoint: opc.tcp://127.0.0.1:4840\n    groups:\n      - name: g\n        measurement: m\n        nodes:\n")
	for _, c := range m.Classes {
		for i := range c.Signals {
			s := &c.Signals[i]
			pair := [2]string{s.SourceUnit, s.Unit}
			if _, known := out[pair]; known || s.SourceUnit == "" || s.SourceUnit == s.Unit {
				continue
			}
			out[pair] = wire{}
			pairs = append(pairs, pair)
			fmt.Fprintf(&text, "          - {id: \"s=%d\", field: f%d, type: float, unit: %q}\n", len(pairs), len(pairs), s.SourceUnit+" -> "+s.Unit)
		}
	}
	if len(pairs) == 0 {
		return out, nil
	}
	text.WriteString("destinations:\n  - {name: d, url: \"http://127.0.0.1:8086\", database: d}\n")
	c, err := config.Parse("conversions of "+m.Name, []byte(text.String()))
	if err != nil {
		return nil, fmt.Errorf("convert units: %w", err)
	}
	for i := range pairs {
		var w wire
		w.scale, w.divisor, w.offset = c.Servers[0].Groups[0].Nodes[i].Linear()
		out[pairs[i]] = w
	}
	return out, nil
}

// stored is what a collector makes of what the machine says.
func (w wire) stored(said float64) float64 {
	if w.scale == 0 {
		return said
	}
	return said*w.scale/w.divisor + w.offset
}

// said is what the machine says so that x is stored: to the last bit where there is such a number, else next to it.
func (w wire) said(x float64) float64 {
	if w.scale == 0 {
		return x
	}
	best := (x - w.offset) * w.divisor / w.scale
	for _, near := range []float64{math.Nextafter(best, math.Inf(-1)), math.Nextafter(best, math.Inf(1))} {
		if math.Abs(w.stored(near)-x) < math.Abs(w.stored(best)-x) {
			best = near
		}
	}
	return best
}

// encoding is the OPC UA type of a signal.
type encoding uint8

const (
	asDouble encoding = iota
	asFloat           // what is measured: world has it in that precision
	asInt32           // a state: the base of enumerations
	asUInt32          // a counter
	asInt64
	asString
)

// encodingOf chooses the type that a machine would give to a signal.
func encodingOf(s *plant.Signal) encoding {
	switch {
	case s.Type == plant.Float && s.Kind == plant.Analog && (s.SourceUnit == "" || s.SourceUnit == s.Unit):
		return asFloat
	case s.Type == plant.Float:
		return asDouble
	case s.Type == plant.String:
		return asString
	case s.Kind == plant.State:
		return asInt32
	case s.Kind == plant.Counter:
		return asUInt32
	default:
		return asInt64
	}
}

// dataType is the node of the type in namespace 0.
func (e encoding) dataType() uint32 {
	return [...]uint32{asDouble: id.Double, asFloat: id.Float, asInt32: id.Int32, asUInt32: id.UInt32, asInt64: id.Int64, asString: id.String}[e]
}

// value is v as a Go type that the server puts on the wire.
func (v *served) value(x telemetry.Value) (any, error) {
	switch {
	case x.Type() == telemetry.NoType:
		return nil, nil
	case v.as == asDouble && x.Type() == telemetry.Float:
		return v.wire.said(x.Float()), nil
	case v.as == asFloat && x.Type() == telemetry.Float:
		return float32(x.Float()), nil
	case v.as == asString && x.Type() == telemetry.String:
		return x.Text(), nil
	case x.Type() != telemetry.Int:
		return nil, fmt.Errorf("a value of type %s does not fit", x.Type())
	case v.as == asInt64:
		return x.Int(), nil
	case v.as == asInt32 && x.Int() == int64(int32(x.Int())):
		return int32(x.Int()), nil
	case v.as == asUInt32 && x.Int() == int64(uint32(x.Int())):
		return uint32(x.Int()), nil
	}
	return nil, fmt.Errorf("the value %s does not fit", x)
}
