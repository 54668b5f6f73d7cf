package uavalue

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// kind is what a value of the wire amounts to.
type kind uint8

const (
	rawNull kind = iota
	rawInt
	rawBig // an integer above 2^63-1
	rawFloat
	rawString
	rawBytes // ByteString
	rawNone  // has no rule: why says why
	rawIndex // an element that the array does not have
)

// raw is one value between wire and field.
type raw struct {
	kind  kind
	i     int64
	u     uint64
	f     float64
	s     string
	b     []byte
	why   string
	inner ua.StatusCode // of a DataValue inside the Variant
}

// maxNesting is how many Variants and DataValues may be wrapped in each other. The standard allows one of each.
const maxNesting = 4

// rawOf reads a scalar. It is the table of the package comment.
func rawOf(v any, depth int) raw {
	switch x := v.(type) {
	case nil:
		return raw{}
	case float64:
		return raw{kind: rawFloat, f: x}
	case float32:
		return raw{kind: rawFloat, f: float64(x)}
	case bool:
		if x {
			return raw{kind: rawInt, i: 1}
		}
		return raw{kind: rawInt}
	case int8:
		return raw{kind: rawInt, i: int64(x)}
	case uint8:
		return raw{kind: rawInt, i: int64(x)}
	case int16:
		return raw{kind: rawInt, i: int64(x)}
	case uint16:
		return raw{kind: rawInt, i: int64(x)}
	case int32:
		return raw{kind: rawInt, i: int64(x)}
	case uint32:
		return raw{kind: rawInt, i: int64(x)}
	case int64:
		return raw{kind: rawInt, i: x}
	case uint64:
		if x > math.MaxInt64 {
			return raw{kind: rawBig, u: x}
		}
		return raw{kind: rawInt, i: int64(x)}
	case ua.StatusCode:
		return raw{kind: rawInt, i: int64(uint32(x))}
	case string:
		return raw{kind: rawString, s: x}
	case ua.XMLElement:
		return raw{kind: rawString, s: string(x)}
	case time.Time:
		ticks, _ := wireTicks(x)
		return raw{kind: rawString, s: formatTicks(ticks)}
	case []byte:
		return raw{kind: rawBytes, b: x}
	case *ua.LocalizedText, *ua.QualifiedName, *ua.GUID, *ua.NodeID, *ua.ExpandedNodeID:
		return rawNamed(x)
	case *ua.Variant:
		return rawVariant(x, depth+1)
	case *ua.DataValue:
		return rawDataValue(x, depth+1)
	}
	return rawOther(v)
}

// rawNamed reads the pointer types that have a text; a nil pointer is null.
func rawNamed(v any) raw {
	if reflect.ValueOf(v).IsNil() {
		return raw{}
	}
	switch x := v.(type) {
	case *ua.LocalizedText:
		return raw{kind: rawString, s: x.Text}
	case *ua.QualifiedName:
		return raw{kind: rawString, s: x.Name}
	case *ua.GUID:
		return raw{kind: rawString, s: guidText(x)}
	case *ua.NodeID:
		return raw{kind: rawString, s: NodeText(x)}
	case *ua.ExpandedNodeID:
		return raw{kind: rawString, s: expandedText(x)}
	}
	return raw{kind: rawNone, why: fmt.Sprintf("%T has no rule", v)}
}

// rawOther reads what remains: enumerations and other named numbers inside of structures, and what has no rule.
func rawOther(v any) raw {
	switch x := v.(type) {
	case *ua.ExtensionObject:
		switch {
		case x == nil || (x.Value == nil && x.EncodingMask == ua.ExtensionObjectEmpty):
			return raw{}
		case x.Value == nil:
			return raw{kind: rawNone, why: "a structure of the unknown type " + expandedText(x.TypeID)}
		}
		if xml, ok := x.Value.(*ua.XMLElement); ok {
			return raw{kind: rawString, s: string(*xml)}
		}
		return raw{kind: rawNone, why: "a structure " + typeName(x) + ": name one of its members"}
	case *ua.DiagnosticInfo:
		return raw{kind: rawNone, why: "a DiagnosticInfo, which has no rule"}
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.CanInt():
		return raw{kind: rawInt, i: rv.Int()}
	case rv.CanUint():
		if rv.Uint() > math.MaxInt64 {
			return raw{kind: rawBig, u: rv.Uint()}
		}
		return raw{kind: rawInt, i: int64(rv.Uint())}
	case rv.Kind() == reflect.Slice:
		return raw{kind: rawNone, why: "an array " + shapeText(rv) + ": name one of its elements"}
	case rv.Kind() == reflect.Pointer && rv.IsNil():
		return raw{}
	case rv.Kind() == reflect.Pointer && rv.Elem().Kind() == reflect.Struct:
		return raw{kind: rawNone, why: "a structure " + typeName(v) + ": name one of its members"}
	}
	return raw{kind: rawNone, why: fmt.Sprintf("%T has no rule", v)}
}

// rawVariant reads a Variant: its scalar, or the reason why it is none.
func rawVariant(v *ua.Variant, depth int) raw {
	switch {
	case v == nil || v.Type() == ua.TypeIDNull:
		return raw{}
	case depth > maxNesting:
		return raw{kind: rawNone, why: fmt.Sprintf("more than %d values wrapped in each other", maxNesting)}
	case isArray(v):
		return raw{kind: rawNone, why: "an array " + shapeText(reflect.ValueOf(v.Value())) + ": name one of its elements"}
	}
	return rawOf(v.Value(), depth)
}

func rawDataValue(dv *ua.DataValue, depth int) raw {
	if dv == nil {
		return raw{}
	}
	r := rawVariant(dv.Value, depth)
	if worse(dv.Status, r.inner) {
		r.inner = dv.Status
	}
	return r
}

// worse says that a is of a higher severity than b (Good < Uncertain < Bad).
func worse(a, b ua.StatusCode) bool {
	return telemetry.Status(a).Severity() > telemetry.Status(b).Severity()
}

func isArray(v *ua.Variant) bool { return v.Has(ua.VariantArrayValues) }

// shapeText writes a slice's shape: "of 3 float64", "of 2×3 int32".
func shapeText(v reflect.Value) string {
	var dims []string
	for v.IsValid() && v.Kind() == reflect.Slice && v.Type() != reflect.TypeFor[[]byte]() {
		dims = append(dims, strconv.Itoa(v.Len()))
		if v.Len() == 0 {
			return "of " + strings.Join(dims, "×") + " elements"
		}
		v = v.Index(0)
	}
	if !v.IsValid() {
		return "of nothing"
	}
	return "of " + strings.Join(dims, "×") + " " + strings.TrimPrefix(v.Type().String(), "*ua.")
}

// typeName is the structure's name as the standard has it.
func typeName(v any) string {
	if x, ok := v.(*ua.ExtensionObject); ok {
		if x == nil || x.Value == nil {
			return "ExtensionObject"
		}
		v = x.Value
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", v), "*ua.")
}

func guidText(g *ua.GUID) string {
	d := make([]byte, 8) // a short Data4 cannot come from the wire
	copy(d, g.Data4)
	return fmt.Sprintf("%08X-%04X-%04X-%X-%X", g.Data1, g.Data2, g.Data3, d[:2], d[2:])
}

// NodeText is the text form of a node id (Part 6 §5.3.1.10), total over all forms: "i=85", "ns=2;s=Speed".
func NodeText(n *ua.NodeID) string {
	if n == nil {
		return ""
	}
	if n.Type() > ua.NodeIDTypeByteString {
		return "invalid node id"
	}
	if n.Type() == ua.NodeIDTypeGUID && n.StringID() == "" {
		return "invalid node id"
	}
	return n.String()
}

func expandedText(e *ua.ExpandedNodeID) string {
	if e == nil || e.NodeID == nil {
		return ""
	}
	text := NodeText(e.NodeID)
	if e.HasNamespaceURI() && e.NamespaceURI != "" {
		if _, id, ok := strings.Cut(text, ";"); ok && strings.HasPrefix(text, "ns=") {
			text = id
		}
		text = "nsu=" + e.NamespaceURI + ";" + text
	}
	if e.HasServerIndex() && e.ServerIndex != 0 {
		text = "svr=" + strconv.FormatUint(uint64(e.ServerIndex), 10) + ";" + text
	}
	return text
}

// text writes the value for a Reject, cut to MaxRejectText.
func (r *raw) text(v any) string {
	var s string
	switch r.kind {
	case rawInt:
		s = strconv.FormatInt(r.i, 10)
	case rawBig:
		s = strconv.FormatUint(r.u, 10)
	case rawFloat:
		s = strconv.FormatFloat(r.f, 'g', -1, 64)
	case rawString:
		s = r.s
	case rawBytes:
		s = base64.StdEncoding.EncodeToString(r.b[:min(len(r.b), MaxRejectText*3/4)])
	default:
		s = describe(v)
	}
	if len(s) > MaxRejectText {
		s = s[:MaxRejectText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// describe writes a compound value for people, without ever writing much more than MaxRejectText.
func describe(v any) string {
	if x, ok := v.(*ua.Variant); ok && x != nil {
		v = x.Value()
	}
	if x, ok := v.(*ua.ExtensionObject); ok && x != nil {
		if x.Value == nil {
			return "type " + expandedText(x.TypeID)
		}
		v = x.Value
	}
	rv := reflect.ValueOf(v)
	switch {
	case !rv.IsValid():
		return ""
	case rv.Kind() == reflect.Slice && rv.Len() > MaxRejectText/4:
		return fmt.Sprintf("%v … (%d)", rv.Slice(0, MaxRejectText/4).Interface(), rv.Len())
	case rv.Kind() == reflect.Pointer && !rv.IsNil() && rv.Elem().Kind() == reflect.Struct:
		return structText(rv.Elem())
	}
	return fmt.Sprintf("%v", v)
}

func structText(s reflect.Value) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range s.NumField() {
		if b.Len() > MaxRejectText || !s.Type().Field(i).IsExported() {
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s:", s.Type().Field(i).Name)
		if r := rawOf(s.Field(i).Interface(), maxNesting); r.kind != rawNone {
			b.WriteString(r.text(nil))
		} else {
			b.WriteString(r.why)
		}
	}
	b.WriteByte('}')
	return b.String()
}
