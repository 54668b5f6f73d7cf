package uaserver

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// ResponseHead is the beginning of a response body: type id and header with a good
// result. For bodies of GarbageBody.
func ResponseHead(typeID uint16, at DateTime, handle uint32) []byte {
	return appendResponseHeader(appendTypeID(nil, typeID), at, handle, ua.StatusOK)
}

// Hostile is a Publish response that a careless decoder does not survive. Use its Body
// with GarbageBody("Publish", …).
type Hostile struct {
	Name string
	Body func(at DateTime, handle uint32) []byte
}

// HostileNotifications returns Publish responses for a subscription, each wrong in one
// way: lengths that are negative or that no message can hold, nesting without end, types
// that do not exist, bytes that are missing.
func HostileNotifications(subID, seq uint32) []Hostile {
	le := binary.LittleEndian
	array := func(t ua.TypeID, n int32) []byte {
		return le.AppendUint32([]byte{byte(t) | ua.VariantArrayValues}, uint32(n))
	}
	withVariant := func(name string, variant []byte) Hostile {
		return Hostile{name, func(at DateTime, handle uint32) []byte {
			return publishBody(subID, seq, at, handle, variant, 1)
		}}
	}
	matrix := array(ua.TypeIDInt32, 1)
	matrix[0] |= ua.VariantArrayDimensions
	matrix = le.AppendUint32(matrix, 7)     // the one element
	matrix = le.AppendUint32(matrix, 1<<28) // number of dimensions
	return []Hostile{
		withVariant("negative array length", array(ua.TypeIDDouble, -2)),
		withVariant("array length beyond the message", array(ua.TypeIDDouble, math.MaxInt32)),
		withVariant("dimensions beyond the message", matrix),
		withVariant("string length beyond the message", le.AppendUint32([]byte{byte(ua.TypeIDString)}, math.MaxInt32)),
		withVariant("variants nested 10,000 deep", append(bytes.Repeat([]byte{byte(ua.TypeIDVariant)}, 10_000), 0)),
		withVariant("built-in type that does not exist", []byte{31, 1, 2, 3, 4}),
		{"message that ends in its header", func(at DateTime, handle uint32) []byte {
			return ResponseHead(id.PublishResponse_Encoding_DefaultBinary, at, handle)[:10]
		}},
		{"item count beyond the message", func(at DateTime, handle uint32) []byte {
			return publishBody(subID, seq, at, handle, array(ua.TypeIDDouble, 0), math.MaxInt32)
		}},
		{"response of another service", func(at DateTime, handle uint32) []byte {
			return append(ResponseHead(id.CreateSubscriptionResponse_Encoding_DefaultBinary, at, handle), make([]byte, 20)...)
		}},
		{"service that does not exist", func(at DateTime, handle uint32) []byte { return ResponseHead(65_000, at, handle) }},
		{"response of 3 MB", func(at DateTime, handle uint32) []byte {
			return publishBody(subID, seq, at, handle, appendVariant(nil, string(bytes.Repeat([]byte("x"), 3<<20))), 1)
		}},
	}
}

// publishBody is a Publish response with one notification that has the given Variant; the
// length of its list of notifications says count.
func publishBody(subID, seq uint32, at DateTime, handle uint32, variant []byte, count int) []byte {
	le := binary.LittleEndian
	b := ResponseHead(id.PublishResponse_Encoding_DefaultBinary, at, handle)
	b = le.AppendUint32(b, subID)
	b = le.AppendUint32(b, 0) // AvailableSequenceNumbers
	b = append(b, 0)          // MoreNotifications
	w := beginMessage(b, seq, at)
	w.add(&notification{handle: 1, sample: sample{value: &encodedVariant{bytes: variant}, source: at}})
	w.count = count
	b = w.end()
	b = le.AppendUint32(b, nullLength)    // Results
	return le.AppendUint32(b, nullLength) // DiagnosticInfos
}
