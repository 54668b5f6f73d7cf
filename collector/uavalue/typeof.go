package uavalue

import (
	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// TypeOf says which type the values of a node with this DataType attribute have. known is false for types of other
// namespaces (ask for the supertype), for abstract types that may hold several kinds (BaseDataType, Number), and for
// those that have no rule without a Path (structures).
func TypeOf(dataType *ua.NodeID) (t telemetry.Type, known bool) {
	if dataType == nil || dataType.Namespace() != 0 {
		return telemetry.NoType, false
	}
	switch dataType.Type() {
	case ua.NodeIDTypeTwoByte, ua.NodeIDTypeFourByte, ua.NodeIDTypeNumeric:
		t, known = standardTypes[dataType.IntID()]
		return t, known
	default:
		return telemetry.NoType, false
	}
}

// standardTypes are the data types of namespace 0 that a variable may have (Part 6 §5.1.2, Part 5 §12.2).
var standardTypes = map[uint32]telemetry.Type{
	1: telemetry.Int, 2: telemetry.Int, 3: telemetry.Int, 4: telemetry.Int, 5: telemetry.Int, // Boolean … UInt16
	6: telemetry.Int, 7: telemetry.Int, 8: telemetry.Int, 9: telemetry.Int, // Int32 … UInt64
	10: telemetry.Float, 11: telemetry.Float,
	12: telemetry.String, 13: telemetry.String, 14: telemetry.String, 15: telemetry.String, // String … ByteString
	16: telemetry.String, 17: telemetry.String, 18: telemetry.String, // XmlElement, NodeId, ExpandedNodeId
	19: telemetry.Int,                          // StatusCode
	20: telemetry.String, 21: telemetry.String, // QualifiedName, LocalizedText
	27: telemetry.Int, 28: telemetry.Int, // Integer, UInteger
	29:  telemetry.Int,                     // Enumeration
	30:  telemetry.String,                  // Image: a ByteString
	288: telemetry.Int, 289: telemetry.Int, // IntegerId, Counter
	290: telemetry.Float,                                                // Duration
	291: telemetry.String,                                               // NumericRange
	293: telemetry.String, 294: telemetry.String, 295: telemetry.String, // Date (Time), UtcTime, LocaleId
	852: telemetry.Int, // ServerState
}

// Seen is the type that the first good value of an output has, after its scale. known is false for a value without a
// rule, and for a Bad or null one.
func Seen(o *Output, dv *ua.DataValue) (t telemetry.Type, known bool) {
	if dv == nil || telemetry.Status(dv.Status).IsBad() {
		return telemetry.NoType, false
	}
	r := follow(dv.Value, o.Path)
	if r.inner != 0 && telemetry.Status(r.inner).IsBad() {
		return telemetry.NoType, false
	}
	if r.kind == rawBytes && !o.Base64 {
		return telemetry.NoType, false
	}
	t = naturalType(&r, o)
	return t, t != telemetry.NoType
}

// Natural is the type an output has when its values have type t on the wire: scaling makes integers floats.
func Natural(o *Output, t telemetry.Type) telemetry.Type {
	if t == telemetry.Int && o.scaled() {
		return telemetry.Float
	}
	return t
}

// TypeName is the standard's name of a built-in data type, else the node id as text.
func TypeName(dataType *ua.NodeID) string {
	if _, numeric := TypeOf(dataType); numeric && int(dataType.IntID()) < len(builtinNames) {
		return builtinNames[dataType.IntID()]
	}
	return NodeText(dataType)
}
