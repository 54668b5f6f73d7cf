package uavalue

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// StatusBadIndexRangeNoData says that an array has no such element (Part 6 annex A.2).
const StatusBadIndexRangeNoData telemetry.Status = 0x80370000

// Result is what Decode made of one DataValue besides samples.
type Result struct {
	Rejects []Reject // nil when all values fit
	Finding string   // what was wrong with the time stamps, "" when nothing
}

// Decode appends one sample for each output of t to dst. received is the gateway's time of arrival. A nil dv reads as
// a null value with status BadNoData.
//
// It never panics, whatever dv holds, and allocates only for strings, rejects and findings.
func Decode(dst []telemetry.Sample, t *Tag, dv *ua.DataValue, received telemetry.Instant) ([]telemetry.Sample, Result) {
	if dv == nil {
		dv = &ua.DataValue{Status: ua.StatusCode(telemetry.StatusBadNoData)}
	}
	var res Result
	status := telemetry.Status(dv.Status)
	at, server, finding := pick(t.Time, dv.SourceTimestamp, dv.ServerTimestamp, received)
	res.Finding = finding
	for i := range t.Outputs {
		o := &t.Outputs[i]
		s := telemetry.Sample{Series: o.Series, Field: o.Field, Source: at, Server: server, Status: status}
		if !status.IsBad() {
			if r := decodeOutput(&s, o, dv.Value); r != nil {
				r.Output, r.Source, r.Status = i, at, status
				res.Rejects = append(res.Rejects, *r)
			}
		}
		dst = append(dst, s)
	}
	return dst, res
}

// decodeOutput fills value and status of s. It returns a Reject when there is a value that cannot be stored.
func decodeOutput(s *telemetry.Sample, o *Output, v *ua.Variant) *Reject {
	r := follow(v, o.Path)
	if r.inner != 0 && worse(r.inner, ua.StatusCode(s.Status)) {
		s.Status = telemetry.Status(r.inner)
		if s.Status.IsBad() {
			return nil
		}
	}
	var fail coercion
	switch r.kind {
	case rawNull:
		s.Status = telemetry.StatusBadNoData
		return nil
	case rawIndex:
		s.Status = StatusBadIndexRangeNoData
		return nil
	case rawNone:
		fail = coercion{telemetry.StatusBadTypeMismatch, "the value is " + r.why}
	default:
		s.Value, fail = coerce(&r, o)
	}
	if fail.status == 0 {
		return nil
	}
	s.Status = fail.status
	if fail.why == "" { // NaN and ±Inf: there is nothing to keep for later
		return nil
	}
	return &Reject{Type: variantName(v), Text: r.text(v), Reason: fail.why}
}

// coercion says why a value does not fit; the zero coercion means that it does.
type coercion struct {
	status telemetry.Status
	why    string
}

func mismatch(format string, args ...any) coercion {
	return coercion{telemetry.StatusBadTypeMismatch, fmt.Sprintf(format, args...)}
}

func outOfRange(format string, args ...any) coercion {
	return coercion{telemetry.StatusBadOutOfRange, fmt.Sprintf(format, args...)}
}

// coerce brings r to the output's pinned type. An output whose type is not known yet takes the value as it is.
func coerce(r *raw, o *Output) (telemetry.Value, coercion) {
	want := naturalType(r, o)
	if o.Field != nil {
		want = o.Field.Type
	}
	switch r.kind {
	case rawString:
		return coerceString(r.s, want)
	case rawBytes:
		if !o.Base64 {
			return telemetry.Value{}, mismatch("the value is a ByteString: ask for base64 to store it")
		}
		if base64.StdEncoding.EncodedLen(len(r.b)) > telemetry.MaxStringBytes {
			return telemetry.Value{}, outOfRange("a ByteString of %d bytes is longer in base64 than the store's limit of %d", len(r.b), telemetry.MaxStringBytes)
		}
		return coerceString(base64.StdEncoding.EncodeToString(r.b), want)
	case rawFloat:
		if math.IsNaN(r.f) || math.IsInf(r.f, 0) {
			return telemetry.Value{}, coercion{status: telemetry.StatusBadOutOfRange}
		}
		return coerceFloat(r.f, o, want)
	case rawBig:
		if want == telemetry.Int {
			return telemetry.Value{}, outOfRange("%d is above 2^63-1, the largest integer that stores keep", r.u)
		}
		f := float64(r.u)
		if f >= 1<<64 || uint64(f) != r.u {
			return telemetry.Value{}, outOfRange("%d is not exact as a float", r.u)
		}
		return coerceFloat(f, o, want)
	default:
		if want == telemetry.Int && !o.scaled() {
			return telemetry.IntValue(r.i), coercion{}
		}
		f := float64(r.i)
		if f >= 1<<63 || int64(f) != r.i {
			return telemetry.Value{}, outOfRange("%d is not exact as a float", r.i)
		}
		return coerceFloat(f, o, want)
	}
}

// naturalType is the type a value has without a configured one.
func naturalType(r *raw, o *Output) telemetry.Type {
	switch r.kind {
	case rawInt, rawBig:
		if o.scaled() {
			return telemetry.Float
		}
		return telemetry.Int
	case rawFloat:
		return telemetry.Float
	case rawString, rawBytes:
		return telemetry.String
	default:
		return telemetry.NoType
	}
}

// coerceFloat scales f and brings it to want.
func coerceFloat(f float64, o *Output, want telemetry.Type) (telemetry.Value, coercion) {
	if o.scaled() {
		if !isOne(o.Scale) {
			f *= o.Scale
		}
		if !isOne(o.Divisor) {
			f /= o.Divisor
		}
		f += o.Offset
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return telemetry.Value{}, outOfRange("the scaled value is beyond the largest float")
		}
	}
	switch want {
	case telemetry.Float:
		return telemetry.FloatValue(f), coercion{}
	case telemetry.Int:
		if f != math.Trunc(f) {
			return telemetry.Value{}, mismatch("%v is not whole, the field is int", f)
		}
		if f < -(1<<63) || f >= 1<<63 {
			return telemetry.Value{}, outOfRange("%v does not fit an integer of 64 bits", f)
		}
		return telemetry.IntValue(int64(f)), coercion{}
	default:
		return telemetry.Value{}, mismatch("the value is a number, the field is %s", want)
	}
}

// coerceString keeps a string that every store keeps. Invalid UTF-8 is replaced, each run of bad bytes by one U+FFFD:
// line protocol is UTF-8, and one wrong byte from a PLC's code page must not cost the rest of the text.
func coerceString(s string, want telemetry.Type) (telemetry.Value, coercion) {
	if want != telemetry.String {
		return telemetry.Value{}, mismatch("the value is a string, the field is %s", want)
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) > telemetry.MaxStringBytes {
		return telemetry.Value{}, outOfRange("a string of %d bytes is longer than the store's limit of %d", len(s), telemetry.MaxStringBytes)
	}
	return telemetry.StringValue(s), coercion{}
}

// variantName names the wire type of v: "Double", "Int32[3]".
func variantName(v *ua.Variant) string {
	if v == nil {
		return "Null"
	}
	name := "unknown"
	if int(v.Type()) < len(builtinNames) {
		name = builtinNames[v.Type()]
	}
	if isArray(v) {
		return fmt.Sprintf("%s[%d]", name, v.ArrayLength())
	}
	return name
}

var builtinNames = [...]string{
	"Null", "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double",
	"String", "DateTime", "Guid", "ByteString", "XmlElement", "NodeId", "ExpandedNodeId", "StatusCode",
	"QualifiedName", "LocalizedText", "ExtensionObject", "DataValue", "Variant", "DiagnosticInfo",
}
