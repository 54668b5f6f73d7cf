package uaserver

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// Bits of a DataValue's encoding mask (OPC 10000-6 §5.2.2.17).
const (
	maskValue  = 0x01
	maskStatus = 0x02
	maskSource = 0x04
	maskServer = 0x08
)

// nullLength is the length of a null string, byte string or array.
const nullLength = 0xFFFFFFFF

// sample is one value as the server holds it. value is nil (null), a Go scalar that
// appendVariant knows, or *encodedVariant for everything else.
type sample struct {
	value  any
	status ua.StatusCode
	source DateTime
	server DateTime
}

// encodedVariant is a Variant encoded once, when the value was set; v is the Go value.
type encodedVariant struct {
	v     any
	bytes []byte
}

// freeze prepares v for sample.value. It fails for Go types that have no Variant.
func freeze(v any) (any, error) {
	switch x := v.(type) {
	case nil, bool, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64, string:
		return v, nil
	case time.Time:
		return DateTimeOf(x), nil
	case DateTime, ua.StatusCode:
		return v, nil
	}
	variant, err := ua.NewVariant(v)
	if err != nil {
		return nil, fmt.Errorf("encode value of type %T: %w", v, err)
	}
	b, err := variant.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode value of type %T: %w", v, err)
	}
	return &encodedVariant{v: v, bytes: b}, nil
}

// thaw is the inverse of freeze, for logs.
func thaw(v any) any {
	if e, ok := v.(*encodedVariant); ok {
		return e.v
	}
	return v
}

// appendVariant encodes a frozen value (OPC 10000-6 §5.2.2.16).
func appendVariant(b []byte, v any) []byte {
	le := binary.LittleEndian
	switch x := v.(type) {
	case float64:
		return le.AppendUint64(append(b, byte(ua.TypeIDDouble)), math.Float64bits(x))
	case float32:
		return le.AppendUint32(append(b, byte(ua.TypeIDFloat)), math.Float32bits(x))
	case bool:
		return append(b, byte(ua.TypeIDBoolean), boolByte(x))
	case int32:
		return le.AppendUint32(append(b, byte(ua.TypeIDInt32)), uint32(x))
	case uint32:
		return le.AppendUint32(append(b, byte(ua.TypeIDUint32)), x)
	case int64:
		return le.AppendUint64(append(b, byte(ua.TypeIDInt64)), uint64(x))
	case uint64:
		return le.AppendUint64(append(b, byte(ua.TypeIDUint64)), x)
	case int16:
		return le.AppendUint16(append(b, byte(ua.TypeIDInt16)), uint16(x))
	case uint16:
		return le.AppendUint16(append(b, byte(ua.TypeIDUint16)), x)
	case int8:
		return append(b, byte(ua.TypeIDSByte), byte(x))
	case uint8:
		return append(b, byte(ua.TypeIDByte), x)
	case string:
		return appendString(append(b, byte(ua.TypeIDString)), x)
	case DateTime:
		return le.AppendUint64(append(b, byte(ua.TypeIDDateTime)), uint64(x))
	case ua.StatusCode:
		return le.AppendUint32(append(b, byte(ua.TypeIDStatusCode)), uint32(x))
	case *encodedVariant:
		return append(b, x.bytes...)
	}
	return append(b, byte(ua.TypeIDNull))
}

// appendString writes a UA String. The empty string is written as empty, not as null.
func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// appendDataValue encodes s with the timestamps that the client asked for.
func appendDataValue(b []byte, s *sample, ts ua.TimestampsToReturn) []byte {
	at := len(b)
	b = append(b, 0)
	var mask byte
	if s.value != nil {
		mask |= maskValue
		b = appendVariant(b, s.value)
	}
	if s.status != 0 {
		mask |= maskStatus
		b = binary.LittleEndian.AppendUint32(b, uint32(s.status))
	}
	if s.source != 0 && (ts == ua.TimestampsToReturnSource || ts == ua.TimestampsToReturnBoth) {
		mask |= maskSource
		b = binary.LittleEndian.AppendUint64(b, uint64(s.source))
	}
	if s.server != 0 && (ts == ua.TimestampsToReturnServer || ts == ua.TimestampsToReturnBoth) {
		mask |= maskServer
		b = binary.LittleEndian.AppendUint64(b, uint64(s.server))
	}
	b[at] = mask
	return b
}

// appendTypeID writes the node id of a binary encoding in namespace 0.
func appendTypeID(b []byte, typeID uint16) []byte {
	return append(b, 0x01, 0x00, byte(typeID), byte(typeID>>8))
}

// appendResponseHeader writes a ResponseHeader without diagnostics (OPC 10000-4 §7.33).
func appendResponseHeader(b []byte, at DateTime, handle uint32, status ua.StatusCode) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(at))
	b = le.AppendUint32(b, handle)
	b = le.AppendUint32(b, uint32(status))
	b = append(b, 0)                   // ServiceDiagnostics: empty mask
	b = le.AppendUint32(b, nullLength) // StringTable
	return append(b, 0x00, 0x00, 0x00) // AdditionalHeader: null id, no body
}

// appendStatusCodes writes an array of status codes; nil becomes the null array.
func appendStatusCodes(b []byte, codes []ua.StatusCode) []byte {
	le := binary.LittleEndian
	if codes == nil {
		return le.AppendUint32(b, nullLength)
	}
	b = le.AppendUint32(b, uint32(len(codes)))
	for _, c := range codes {
		b = le.AppendUint32(b, uint32(c))
	}
	return b
}

// notification is one entry of a DataChangeNotification.
type notification struct {
	handle uint32
	ts     ua.TimestampsToReturn
	sample sample
}

// messageWriter builds the bytes of one NotificationMessage (OPC 10000-4 §7.26) with a
// single DataChangeNotification in it.
type messageWriter struct {
	b        []byte
	lengthAt int // of the extension object's body length
	countAt  int // of the item count
	count    int
}

func beginMessage(b []byte, seq uint32, at DateTime) messageWriter {
	le := binary.LittleEndian
	b = le.AppendUint32(b, seq)
	b = le.AppendUint64(b, uint64(at))
	b = le.AppendUint32(b, 1) // one NotificationData
	b = appendTypeID(b, id.DataChangeNotification_Encoding_DefaultBinary)
	b = append(b, ua.ExtensionObjectBinary)
	lengthAt := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	return messageWriter{b: b, lengthAt: lengthAt, countAt: lengthAt + 4}
}

func (w *messageWriter) add(n *notification) {
	w.b = binary.LittleEndian.AppendUint32(w.b, n.handle)
	w.b = appendDataValue(w.b, &n.sample, n.ts)
	w.count++
}

func (w *messageWriter) end() []byte {
	le := binary.LittleEndian
	w.b = le.AppendUint32(w.b, nullLength) // DiagnosticInfos
	le.PutUint32(w.b[w.countAt:], uint32(w.count))
	le.PutUint32(w.b[w.lengthAt:], uint32(len(w.b)-w.lengthAt-4))
	return w.b
}

// appendStatusChange writes a NotificationMessage with a StatusChangeNotification.
func appendStatusChange(b []byte, seq uint32, at DateTime, status ua.StatusCode) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, seq)
	b = le.AppendUint64(b, uint64(at))
	b = le.AppendUint32(b, 1)
	b = appendTypeID(b, id.StatusChangeNotification_Encoding_DefaultBinary)
	b = append(b, ua.ExtensionObjectBinary)
	b = le.AppendUint32(b, 5) // status and an empty diagnostic mask
	b = le.AppendUint32(b, uint32(status))
	return append(b, 0)
}

// appendKeepAlive writes a NotificationMessage without data: seq is the number that the
// next message with data will have.
func appendKeepAlive(b []byte, seq uint32, at DateTime) []byte {
	b = binary.LittleEndian.AppendUint32(b, seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(at))
	return binary.LittleEndian.AppendUint32(b, 0)
}
