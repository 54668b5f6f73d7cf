package uavalue

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

var received, _ = telemetry.FromTime(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))

func mustSeries(t testing.TB) *telemetry.Series {
	t.Helper()
	s, err := telemetry.NewSeries("test", map[string]string{"unit": "u1"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// output makes an output; typ NoType leaves it unpinned.
func output(t testing.TB, typ telemetry.Type, path string) Output {
	t.Helper()
	o := Output{Series: mustSeries(t)}
	if typ != telemetry.NoType {
		f, err := telemetry.NewField("x", typ)
		if err != nil {
			t.Fatal(err)
		}
		o.Field = f
	}
	p, err := ParsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	o.Path = p
	return o
}

// overTheWire is what a client makes of v: the library's decoder has its own ways with nil and "".
func overTheWire(t testing.TB, dv *ua.DataValue) *ua.DataValue {
	t.Helper()
	dv.UpdateMask()
	b, err := dv.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out := new(ua.DataValue)
	if _, err := out.Decode(b); err != nil {
		t.Fatal(err)
	}
	return out
}

// decodeOne decodes a value with status for one output.
func decodeOne(t testing.TB, o Output, v any, status ua.StatusCode) (telemetry.Sample, Result) {
	t.Helper()
	dv := &ua.DataValue{Status: status, SourceTimestamp: received.Time()}
	if v != nil {
		dv.Value = ua.MustVariant(v)
	}
	s, res := Decode(nil, &Tag{Outputs: []Output{o}}, overTheWire(t, dv), received)
	if len(s) != 1 {
		t.Fatalf("%d samples, want 1", len(s))
	}
	return s[0], res
}

var (
	guid       = ua.NewGUID("72962B91-FA75-4AE6-8D28-B404DC7DAF63")
	unit       = ua.NewExtensionObject(&ua.EUInformation{NamespaceURI: "http://u", UnitID: 4933453, DisplayName: ua.NewLocalizedText("kW"), Description: ua.NewLocalizedText("kilowatt")})
	span       = ua.NewExtensionObject(&ua.Range{Low: -1.5, High: 20})
	bigString  = strings.Repeat("x", telemetry.MaxStringBytes)
	wideString = bigString + "y"
)

// Every built-in type, every shape, every rule of the package comment.
func TestRules(t *testing.T) {
	const none, i, f, s = telemetry.NoType, telemetry.Int, telemetry.Float, telemetry.String
	const bad, badRange, noData, noIndex = telemetry.StatusBadTypeMismatch, telemetry.StatusBadOutOfRange, telemetry.StatusBadNoData, StatusBadIndexRangeNoData
	for _, c := range []struct {
		name   string
		value  any
		typ    telemetry.Type // of the field; none: not pinned
		path   string
		want   any // int64, float64, string; nil for no value
		status telemetry.Status
		reject string // a part of the reason
	}{
		{name: "false", value: false, want: int64(0)},
		{name: "true", value: true, typ: i, want: int64(1)},
		{name: "SByte", value: int8(-128), want: int64(-128)},
		{name: "Byte", value: uint8(255), want: int64(255)},
		{name: "Int16", value: int16(math.MinInt16), want: int64(math.MinInt16)},
		{name: "UInt16", value: uint16(math.MaxUint16), want: int64(math.MaxUint16)},
		{name: "Int32", value: int32(math.MinInt32), want: int64(math.MinInt32)},
		{name: "UInt32", value: uint32(math.MaxUint32), want: int64(math.MaxUint32)},
		{name: "Int64", value: int64(math.MinInt64), want: int64(math.MinInt64)},
		{name: "Int64 beyond a float", value: int64(1<<53 + 1), want: int64(1<<53 + 1)},
		{name: "Int64 beyond a float, as float", value: int64(1<<53 + 1), typ: f, status: badRange, reject: "not exact"},
		{name: "Int64 as float", value: int64(-1 << 53), typ: f, want: -float64(1 << 53)},
		{name: "MaxInt64 as float", value: int64(math.MaxInt64), typ: f, status: badRange, reject: "not exact"},
		{name: "UInt64", value: uint64(math.MaxInt64), want: int64(math.MaxInt64)},
		{name: "UInt64 too large", value: uint64(math.MaxUint64), typ: i, status: badRange, reject: "above 2^63-1"},
		{name: "UInt64 too large, unpinned", value: uint64(1 << 63), status: badRange, reject: "above 2^63-1"},
		{name: "UInt64 2^63 as float", value: uint64(1 << 63), typ: f, want: float64(1 << 63)},
		{name: "UInt64 max as float", value: uint64(math.MaxUint64), typ: f, status: badRange, reject: "not exact"},
		{name: "Float", value: float32(0.1), want: float64(float32(0.1))},
		{name: "Double", value: 0.1, want: 0.1},
		{name: "Double as int", value: 3.0, typ: i, want: int64(3)},
		{name: "Double as int, not whole", value: 3.5, typ: i, status: bad, reject: "not whole"},
		{name: "Double as int, too large", value: 1e19, typ: i, status: badRange, reject: "does not fit"},
		{name: "Double as string", value: 3.5, typ: s, status: bad, reject: "is a number"},
		{name: "minus zero", value: math.Copysign(0, -1), want: math.Copysign(0, -1)},
		{name: "NaN", value: math.NaN(), typ: f, status: badRange},
		{name: "Float NaN", value: float32(math.NaN()), typ: f, status: badRange},
		{name: "+Inf", value: math.Inf(1), typ: f, status: badRange},
		{name: "-Inf", value: math.Inf(-1), status: badRange},
		{name: "String", value: "a \"quoted\"\\\nline 😀", want: "a \"quoted\"\\\nline 😀"},
		{name: "String, empty", value: "", want: ""},
		{name: "String as int", value: "17", typ: i, status: bad, reject: "is a string"},
		{name: "String, longest", value: bigString, want: bigString},
		{name: "String, too long", value: wideString, status: badRange, reject: "longer than the store's limit"},
		{name: "String, not UTF-8", value: "caf\xe9 \xff\xfe!", want: "caf\uFFFD \uFFFD!"},
		{name: "DateTime", value: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), want: "2026-01-02T03:04:05.0000006Z"},
		{name: "Guid", value: guid, want: "72962B91-FA75-4AE6-8D28-B404DC7DAF63"},
		{name: "ByteString", value: []byte{1, 2, 3}, typ: s, status: bad, reject: "base64"},
		{name: "XmlElement", value: ua.XMLElement("<a/>"), want: "<a/>"},
		{name: "NodeId", value: ua.NewStringNodeID(3, "Speed"), want: "ns=3;s=Speed"},
		{name: "ExpandedNodeId", value: ua.NewExpandedNodeID(ua.NewNumericNodeID(2, 70000), "urn:x", 0), want: "nsu=urn:x;i=70000"},
		{name: "StatusCode", value: ua.StatusBadTimeout, want: int64(0x800A0000)},
		{name: "QualifiedName", value: &ua.QualifiedName{NamespaceIndex: 2, Name: "q"}, want: "q"},
		{name: "LocalizedText", value: ua.NewLocalizedTextWithLocale("Text", "de"), want: "Text"},
		{name: "structure", value: unit, typ: s, status: bad, reject: "EUInformation"},
		{name: "structure's member", value: unit, path: "unit_id", want: int64(4933453)},
		{name: "structure's text", value: unit, path: "DisplayName", want: "kW"},
		{name: "member of a member", value: unit, path: "displayname.text", want: "kW"},
		{name: "structure's float", value: span, path: "low", want: -1.5},
		{name: "no such member", value: span, path: "middle", typ: f, status: bad, reject: "without member middle (it has Low, High)"},
		{name: "member of a number", value: 1.5, path: "low", typ: f, status: bad, reject: "no structure"},
		{name: "DataValue", value: &ua.DataValue{EncodingMask: 1, Value: ua.MustVariant(7.5)}, want: 7.5},
		{name: "DataValue, bad inside", value: &ua.DataValue{EncodingMask: 3, Value: ua.MustVariant(7.5), Status: ua.StatusBadSensorFailure}, typ: f, status: telemetry.Status(ua.StatusBadSensorFailure)},
		{name: "DataValue, uncertain inside", value: &ua.DataValue{EncodingMask: 3, Value: ua.MustVariant(7.5), Status: ua.StatusUncertainInitialValue}, want: 7.5, status: telemetry.Status(ua.StatusUncertainInitialValue)},
		{name: "DiagnosticInfo", value: &ua.DiagnosticInfo{EncodingMask: 1, SymbolicID: 3}, typ: f, status: bad, reject: "DiagnosticInfo"},
		{name: "array", value: []float64{1, 2, 3}, typ: f, status: bad, reject: "an array of 3 float64"},
		{name: "element", value: []float64{1, 2, 3}, path: "[2]", want: 3.0},
		{name: "no such element", value: []float64{1, 2, 3}, path: "[3]", typ: f, status: noIndex},
		{name: "empty array's element", value: []float64{}, path: "[0]", typ: f, status: noIndex},
		{name: "Byte array's element", value: ua.ByteArray{4, 5}, path: "[1]", want: int64(5)},
		{name: "Boolean array's element", value: []bool{false, true}, path: "[1]", want: int64(1)},
		{name: "Variant array's element", value: []*ua.Variant{ua.MustVariant("a"), ua.MustVariant(int32(2))}, path: "[1]", want: int64(2)},
		{name: "text array's element", value: []*ua.LocalizedText{ua.NewLocalizedText("a")}, path: "[0]", want: "a"},
		{name: "structure array's member", value: []*ua.ExtensionObject{span, span}, path: "[1].high", want: 20.0},
		{name: "matrix", value: [][]int32{{1, 2, 3}, {4, 5, 6}}, typ: i, status: bad, reject: "2×3 int32"},
		{name: "matrix element", value: [][]int32{{1, 2, 3}, {4, 5, 6}}, path: "[1,2]", want: int64(6)},
		{name: "matrix, too few indices", value: [][]int32{{1, 2}, {3, 4}}, path: "[1]", typ: i, status: bad, reject: "needs 2 indices"},
		{name: "element of a number", value: 1.5, path: "[0]", typ: f, status: bad, reject: "no array"},
		{name: "null", value: nil, typ: f, status: noData},
		{name: "null's element", value: nil, path: "[0]", status: noData},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, res := decodeOne(t, output(t, c.typ, c.path), c.value, 0)
			if got.Status != c.status {
				t.Errorf("status %s, want %s", got.Status, c.status)
			}
			checkValue(t, got.Value, c.want)
			switch {
			case c.reject == "" && len(res.Rejects) > 0:
				t.Errorf("rejected: %s", res.Rejects[0].Reason)
			case c.reject != "" && (len(res.Rejects) != 1 || !strings.Contains(res.Rejects[0].Reason, c.reject)):
				t.Errorf("rejects %+v, want one with %q", res.Rejects, c.reject)
			}
			for _, r := range res.Rejects {
				if r.Source != got.Source || r.Status != 0 || len(r.Text) > MaxRejectText || r.Type == "" {
					t.Errorf("reject %+v", r)
				}
			}
			if got.Source != received {
				t.Errorf("source time %s", got.Source)
			}
			o := output(t, telemetry.NoType, c.path)
			dv := &ua.DataValue{}
			if c.value != nil {
				dv.Value = ua.MustVariant(c.value)
			}
			if typ, known := Seen(&o, overTheWire(t, dv)); known != (typ != none) {
				t.Errorf("Seen says %s, %v", typ, known)
			} else if c.typ == none && known && c.want != nil && typ != got.Value.Type() {
				t.Errorf("Seen says %s, the value is %s", typ, got.Value.Type())
			}
		})
	}
}

func checkValue(t *testing.T, got telemetry.Value, want any) {
	t.Helper()
	switch w := want.(type) {
	case nil:
		if got.Type() != telemetry.NoType {
			t.Errorf("value %s, want none", got)
		}
	case int64:
		if got.Type() != telemetry.Int || got.Int() != w {
			t.Errorf("value %s %s, want int %d", got.Type(), got, w)
		}
	case float64:
		if got.Type() != telemetry.Float || math.Float64bits(got.Float()) != math.Float64bits(w) {
			t.Errorf("value %s %s, want float %v", got.Type(), got, w)
		}
	case string:
		if got.Type() != telemetry.String || got.Text() != w {
			t.Errorf("value %s %.80q, want string %.80q", got.Type(), got, w)
		}
	}
}

func TestStatusIsKept(t *testing.T) {
	o := output(t, telemetry.Float, "")
	for _, c := range []struct {
		name   string
		value  any
		status ua.StatusCode
		want   telemetry.Status
		kept   bool
	}{
		{"good", 1.5, 0, 0, true},
		{"good with overflow bit", 1.5, 0x480, 0x480, true},
		{"good, clamped", 1.5, 0x00300000, 0x00300000, true},
		{"uncertain keeps the value", 1.5, ua.StatusUncertainLastUsableValue, telemetry.Status(ua.StatusUncertainLastUsableValue), true},
		{"bad drops the value", 1.5, ua.StatusBadNoCommunication, telemetry.Status(ua.StatusBadNoCommunication), false},
		{"bad without value", nil, ua.StatusBadNoCommunication, telemetry.Status(ua.StatusBadNoCommunication), false},
		{"reserved severity is bad", 1.5, 0xC0000000, 0xC0000000, false},
		{"bad is not relabelled by NaN", math.NaN(), ua.StatusBadSensorFailure, telemetry.Status(ua.StatusBadSensorFailure), false},
		{"uncertain null", nil, ua.StatusUncertain, telemetry.StatusBadNoData, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, res := decodeOne(t, o, c.value, c.status)
			if s.Status != c.want || (s.Value.Type() != telemetry.NoType) != c.kept || len(res.Rejects) > 0 {
				t.Errorf("status %s, value %s, rejects %v", s.Status, s.Value, res.Rejects)
			}
		})
	}
	s, _ := Decode(nil, &Tag{Outputs: []Output{o}}, nil, received)
	if len(s) != 1 || s[0].Status != telemetry.StatusBadNoData || s[0].Source != received {
		t.Errorf("no DataValue at all: %+v", s)
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		name          string
		value         any
		scale, offset float64
		typ           telemetry.Type
		want          any
		status        telemetry.Status
	}{
		{"W to kW", int32(1500), 0.001, 0, telemetry.NoType, 1.5, 0},
		{"offset alone", 20.0, 0, 273.15, telemetry.Float, 293.15, 0},
		{"scale 1 is none", int64(1<<53 + 1), 1, 0, telemetry.Int, int64(1<<53 + 1), 0},
		{"int stays int when whole", int16(3), 10, 0, telemetry.Int, int64(30), 0},
		{"int with a broken result", int16(3), 0.5, 0, telemetry.Int, nil, telemetry.StatusBadTypeMismatch},
		{"beyond the largest float", math.MaxFloat64, 10, 0, telemetry.Float, nil, telemetry.StatusBadOutOfRange},
		{"minus infinity by offset", -math.MaxFloat64, 1, -math.MaxFloat64, telemetry.Float, nil, telemetry.StatusBadOutOfRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := output(t, c.typ, "")
			o.Scale, o.Offset = c.scale, c.offset
			s, _ := decodeOne(t, o, c.value, 0)
			checkValue(t, s.Value, c.want)
			if s.Status != c.status {
				t.Errorf("status %s, want %s", s.Status, c.status)
			}
		})
	}
}

func TestBase64(t *testing.T) {
	o := output(t, telemetry.NoType, "")
	o.Base64 = true
	s, _ := decodeOne(t, o, []byte{0xFB, 0xFF}, 0)
	checkValue(t, s.Value, "+/8=")
	long := make([]byte, telemetry.MaxStringBytes*3/4+3)
	if s, res := decodeOne(t, o, long, 0); s.Status != telemetry.StatusBadOutOfRange || len(res.Rejects) != 1 || len(res.Rejects[0].Text) > MaxRejectText {
		t.Errorf("a long ByteString: %s, %+v", s.Status, res.Rejects)
	}
	if typ, ok := Seen(&o, &ua.DataValue{Value: ua.MustVariant([]byte{1})}); !ok || typ != telemetry.String {
		t.Errorf("type %s, %v", typ, ok)
	}
}

func TestUnknownStructure(t *testing.T) {
	x := &ua.ExtensionObject{EncodingMask: ua.ExtensionObjectBinary, TypeID: ua.NewStringExpandedNodeID(4, "Recipe")}
	for _, path := range []string{"", "speed"} {
		o := output(t, telemetry.Float, path)
		s, res := Decode(nil, &Tag{Outputs: []Output{o}}, &ua.DataValue{Value: ua.MustVariant(x)}, received)
		if s[0].Status != telemetry.StatusBadTypeMismatch || len(res.Rejects) != 1 || !strings.Contains(res.Rejects[0].Reason, "ns=4;s=Recipe") {
			t.Errorf("path %q: %s, %+v", path, s[0].Status, res.Rejects)
		}
	}
}

func TestOutputsOfOneItem(t *testing.T) {
	tag := Tag{Outputs: []Output{output(t, telemetry.Float, "[0]"), output(t, telemetry.Int, "[1]"), output(t, telemetry.Float, "[9]")}}
	s, res := Decode(nil, &tag, &ua.DataValue{Value: ua.MustVariant([]float64{1.5, 2.5, 3})}, received)
	if len(s) != 3 || s[0].Value.Float() != 1.5 || s[1].Status != telemetry.StatusBadTypeMismatch || s[2].Status != StatusBadIndexRangeNoData {
		t.Errorf("samples %+v", s)
	}
	if len(res.Rejects) != 1 || res.Rejects[0].Output != 1 {
		t.Errorf("rejects %+v", res.Rejects)
	}
}

func TestTypeOf(t *testing.T) {
	for _, c := range []struct {
		node  *ua.NodeID
		want  telemetry.Type
		known bool
	}{
		{ua.NewTwoByteNodeID(1), telemetry.Int, true},
		{ua.NewTwoByteNodeID(9), telemetry.Int, true},
		{ua.NewNumericNodeID(0, 10), telemetry.Float, true},
		{ua.NewFourByteNodeID(0, 11), telemetry.Float, true},
		{ua.NewTwoByteNodeID(12), telemetry.String, true},
		{ua.NewTwoByteNodeID(13), telemetry.String, true},
		{ua.NewTwoByteNodeID(19), telemetry.Int, true},
		{ua.NewTwoByteNodeID(29), telemetry.Int, true},
		{ua.NewFourByteNodeID(0, 290), telemetry.Float, true},
		{ua.NewTwoByteNodeID(24), telemetry.NoType, false},
		{ua.NewTwoByteNodeID(26), telemetry.NoType, false},
		{ua.NewTwoByteNodeID(22), telemetry.NoType, false},
		{ua.NewNumericNodeID(2, 11), telemetry.NoType, false},
		{ua.NewStringNodeID(0, "11"), telemetry.NoType, false},
		{nil, telemetry.NoType, false},
	} {
		if got, known := TypeOf(c.node); got != c.want || known != c.known {
			t.Errorf("%v: %s, %v, want %s, %v", c.node, got, known, c.want, c.known)
		}
	}
}

// Whatever number arrives at whatever field, the sample fits its field, a kept value is the machine's, and what is not
// kept is either marked bad or rejected with a reason.
func TestNumbersNeverBend(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.OneOf(
			rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Int32().AsAny(), rapid.Float64().AsAny(), rapid.Float32().AsAny(),
			rapid.SampledFrom([]int64{1 << 53, 1<<53 + 1, -1<<53 - 1, math.MaxInt64, math.MinInt64}).AsAny(),
		).Draw(rt, "value")
		typ := rapid.SampledFrom([]telemetry.Type{telemetry.Int, telemetry.Float, telemetry.String}).Draw(rt, "type")
		s, res := decodeOne(t, output(t, typ, ""), v, 0)
		if s.Value.Type() == telemetry.NoType {
			finite := fmt.Sprint(v) != "NaN" && !strings.HasSuffix(fmt.Sprint(v), "Inf")
			if !s.Status.IsBad() || (len(res.Rejects) == 0 && finite) {
				rt.Fatalf("%v in a %s field: no value, status %s, rejects %v", v, typ, s.Status, res.Rejects)
			}
			return
		}
		if s.Value.Type() != typ || s.Status != 0 || len(res.Rejects) != 0 {
			rt.Fatalf("%v in a %s field: %s, status %s", v, typ, s.Value.Type(), s.Status)
		}
		same := false
		switch x := v.(type) {
		case int64:
			same = s.Value.Int() == x || (typ == telemetry.Float && s.Value.Float() < 1<<63 && int64(s.Value.Float()) == x)
		case uint64:
			same = (s.Value.Int() >= 0 && uint64(s.Value.Int()) == x) || (typ == telemetry.Float && s.Value.Float() < 1<<64 && uint64(s.Value.Float()) == x)
		case int32:
			same = s.Value.Int() == int64(x) || s.Value.Float() == float64(x)
		case float64:
			same = s.Value.Float() == x || float64(s.Value.Int()) == x
		case float32:
			same = s.Value.Float() == float64(x) || float64(s.Value.Int()) == float64(x)
		}
		if !same {
			rt.Fatalf("%v became %s", v, s.Value)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, v := range []any{1.5, int32(7), "text", []float64{1, 2}, [][]int32{{1}, {2}}, unit, guid, []byte{1}, uint64(math.MaxUint64)} {
		dv := &ua.DataValue{Value: ua.MustVariant(v), Status: 0x480, SourceTimestamp: received.Time(), ServerTimestamp: received.Time()}
		dv.UpdateMask()
		b, err := dv.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "[0].low")
	}
	series := mustSeries(f)
	field, err := telemetry.NewField("x", telemetry.Float)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		dv := new(ua.DataValue)
		if !decodesAtAll(dv, b) {
			return
		}
		p, err := ParsePath(path)
		if err != nil {
			return
		}
		tag := Tag{Outputs: []Output{{Series: series, Field: field, Path: p}, {Series: series}, {Series: series, Base64: true, Scale: 2}}}
		samples, res := Decode(nil, &tag, dv, received)
		if len(samples) != len(tag.Outputs) {
			t.Fatalf("%d samples for %d outputs", len(samples), len(tag.Outputs))
		}
		for i, s := range samples {
			if v := s.Value; v.Type() == telemetry.Float && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
				t.Errorf("a value that no store keeps: %v", v)
			}
			if s.Status.IsBad() != (s.Value.Type() == telemetry.NoType) {
				t.Errorf("status %s with value %s", s.Status, s.Value)
			}
			if o := tag.Outputs[i]; o.Field != nil && s.Value.Type() != telemetry.NoType && s.Value.Type() != o.Field.Type {
				t.Errorf("a %s in a %s field", s.Value.Type(), o.Field.Type)
			}
			if s.Source.SubTick() != 0 || s.Source <= 0 {
				t.Errorf("source time %s", s.Source)
			}
			Seen(&tag.Outputs[i], dv)
		}
		for _, r := range res.Rejects {
			if r.Reason == "" || len(r.Text) > MaxRejectText+3 {
				t.Errorf("reject %+v", r)
			}
		}
	})
}

// decodesAtAll runs the library's decoder, which panics on hostile lengths: in the collector that ends the worker
// process, and its supervisor starts another. It is not what is tested here.
func decodesAtAll(dv *ua.DataValue, b []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if len(b) > 4096 {
		return false
	}
	for _, x := range b {
		// Array dimensions: those whose product overflows keep the library busy for hours. TestRules has matrices.
		if t := x & 0x3F; x&0xC0 == 0xC0 && t >= 1 && t <= 25 {
			return false
		}
	}
	_, err := dv.Decode(b)
	return err == nil
}

func BenchmarkDecode(b *testing.B) {
	tag := Tag{Outputs: []Output{output(b, telemetry.Float, "")}}
	dv := &ua.DataValue{Value: ua.MustVariant(1.5), SourceTimestamp: received.Time(), ServerTimestamp: received.Time()}
	samples := make([]telemetry.Sample, 0, 1)
	b.ReportAllocs()
	for b.Loop() {
		samples, _ = Decode(samples[:0], &tag, dv, received)
	}
}
