package telemetry

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/influxdata/influxdb/models"
	"pgregory.net/rapid"
)

func mustSeries(t interface{ Fatal(...any) }, m string, tags map[string]string) *Series {
	s, err := NewSeries(m, tags)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustField(t interface{ Fatal(...any) }, name string, typ Type) *Field {
	f, err := NewField(name, typ)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// genName draws names as people and machines make them, specials of line protocol included.
func genName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abzAZ09_-.,= \"'#/:äЖ晶")), 1, 12, -1).Draw(t, "name")
		return s
	})
}

func genValue() *rapid.Generator[Value] {
	return rapid.OneOf(
		rapid.Map(rapid.Int64(), IntValue),
		rapid.Map(rapid.Float64(), FloatValue),
		rapid.Map(rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1, 1e15, 999999999999999, 1e-6}), FloatValue),
		rapid.Map(rapid.SampledFrom([]int64{0, -1, math.MaxInt64, math.MinInt64, 1<<53 + 1}), IntValue),
		rapid.Map(rapid.String(), StringValue),
		rapid.Map(rapid.SampledFrom([]string{"", `"`, `\`, `\"`, "a\nb", "a b,c=d", `C:\x\`, "🙂"}), StringValue),
		rapid.Just(Value{}),
	)
}

func genSample(t *rapid.T) (Sample, bool) {
	tags := rapid.MapOfN(genName(), genName(), 0, 4).Draw(t, "tags")
	series, err := NewSeries(genName().Draw(t, "measurement"), tags)
	if err != nil {
		return Sample{}, false
	}
	v := genValue().Draw(t, "value")
	typ := v.Type()
	if typ == NoType {
		typ = Float
	}
	field, err := NewField(genName().Draw(t, "field"), typ)
	if err != nil {
		return Sample{}, false
	}
	// The engine reserves the two smallest and the largest time.
	at := rapid.Int64Range(models.MinNanoTime, models.MaxNanoTime).Draw(t, "time")
	return Sample{Series: series, Field: field, Value: v, Source: Instant(at), Status: Status(rapid.Uint32().Draw(t, "status"))}, true
}

// The independent parser is InfluxDB's own.
func TestEncodedSampleReadsBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, ok := genSample(t)
		if !ok {
			t.Skip("not a name that a series may have")
		}
		withStatus := rapid.Bool().Draw(t, "withStatus")
		line := AppendSample(nil, &s, withStatus)

		points, err := models.ParsePointsWithPrecision(line, time.Now(), "ns")
		if err != nil {
			t.Fatalf("influxdb does not parse %q: %v", line, err)
		}
		if len(points) != 1 {
			t.Fatalf("%q reads as %d points", line, len(points))
		}
		p := points[0]
		if got := string(p.Name()); got != s.Series.Measurement {
			t.Fatalf("measurement %q, want %q", got, s.Series.Measurement)
		}
		var tags []Tag
		for _, tag := range p.Tags() {
			tags = append(tags, Tag{string(tag.Key), string(tag.Value)})
		}
		slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) }) // it sorts by the escaped key
		if d := cmp.Diff(s.Series.Tags, tags); d != "" {
			t.Fatalf("tags of %q: %s", line, d)
		}
		if p.UnixNano() != int64(s.Source) {
			t.Fatalf("time %d, want %d", p.UnixNano(), s.Source)
		}
		fields, err := p.Fields()
		if err != nil {
			t.Fatal(err)
		}
		want := models.Fields{}
		switch s.Value.Type() {
		case Int:
			want[s.Field.Name] = s.Value.Int()
		case Float:
			want[s.Field.Name] = s.Value.Float()
		case String:
			want[s.Field.Name] = s.Value.Text()
		}
		if withStatus || s.Status != 0 || s.Value.Type() == NoType {
			want[s.Field.Name+StatusSuffix] = int64(s.Status)
		}
		if d := cmp.Diff(want, fields); d != "" {
			t.Fatalf("fields of %q: %s", line, d)
		}
		if f, ok := fields[s.Field.Name].(float64); ok && math.Signbit(f) != math.Signbit(s.Value.Float()) {
			t.Fatalf("sign of zero lost in %q", line)
		}

		// Our own parser reads the same.
		first, rest := NextLine(line)
		if len(rest) != 0 || len(first) != len(line)-1 {
			t.Fatalf("NextLine cuts %q at %d", line, len(first))
		}
		own, err := ParseLine(first)
		if err != nil {
			t.Fatal(err)
		}
		if own.Measurement != s.Series.Measurement || own.Key != string(s.Series.Key()) || own.Time != s.Source {
			t.Fatalf("own parser: %+v from %q", own, line)
		}
		if d := cmp.Diff(s.Series.Tags, own.Tags); d != "" {
			t.Fatalf("own parser, tags of %q: %s", line, d)
		}
		if v, ok := own.Field(s.Field.Name); ok != (s.Value.Type() != NoType) || (ok && v != s.Value) {
			t.Fatalf("own parser: value %v, want %v, from %q", v, s.Value, line)
		}
	})
}

func TestNextLineKeepsNewlinesInStrings(t *testing.T) {
	series := mustSeries(t, `m="x`, map[string]string{"q": `a="b`})
	a := Sample{Series: series, Field: mustField(t, "f", String), Value: StringValue("two\nlines \\\" \n"), Source: 5}
	b := Sample{Series: series, Field: mustField(t, "g", Int), Value: IntValue(1), Source: 6}
	all := AppendSample(AppendSample(nil, &a, false), &b, true)
	first, rest := NextLine(all)
	second, end := NextLine(rest)
	if p, err := ParseLine(first); err != nil || p.Fields[0].Value != a.Value {
		t.Fatalf("first line %q: %+v, %v", first, p, err)
	}
	if p, err := ParseLine(second); err != nil || len(p.Fields) != 2 || len(end) != 0 {
		t.Fatalf("second line %q: %+v, %v, rest %q", second, p, err, end)
	}
}

func TestNamesThatAStoreWouldChangeAreRefused(t *testing.T) {
	for _, c := range []struct {
		m    string
		tags map[string]string
		want string
	}{
		{"", nil, "is empty"},
		{"#c", nil, "must not begin"},
		{"_m", nil, "must not begin"},
		{`a\b`, nil, "backslash"},
		{"a\nb", nil, "control character"},
		{"m", map[string]string{"": "x"}, "is empty"},
		{"m", map[string]string{"unit": ""}, "is empty"},
		{"m", map[string]string{"time": "x"}, "reserved"},
		{"m", map[string]string{"unit": "a\xffb"}, "invalid UTF-8"},
		{strings.Repeat("m", 70000), nil, "longer"},
	} {
		if _, err := NewSeries(c.m, c.tags); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewSeries(%.10q, %v): %v, want %q", c.m, c.tags, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		typ  Type
		want string
	}{{"x_status", Int, "must not end"}, {"time", Int, "reserved"}, {"x", NoType, "no type"}, {"", Int, "empty"}} {
		if _, err := NewField(c.name, c.typ); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewField(%q): %v, want %q", c.name, err, c.want)
		}
	}
}

func TestParseLineRefuses(t *testing.T) {
	for _, line := range []string{
		"", "m", "m ", "m 1", "m f=1", "m f=1 ", "m f= 1", "m f=1i", "m f=x 1", `m f="x 1`, `m f="x"y 1`, "m f=1,g 1",
		",a=b f=1 1", "m,a f=1 1", "m,a= f=1 1", "m,=b f=1 1", "m f=1 1x", "m f=99999999999999999999i 1", "m f=NaN 1", "m f=1 1 1",
	} {
		if p, err := ParseLine([]byte(line)); err == nil {
			t.Errorf("ParseLine(%q) = %+v, want an error", line, p)
		}
	}
}

func TestLineBuilder(t *testing.T) {
	s := mustSeries(t, "collector", map[string]string{"server": "saw 1"})
	got := NewLine(nil, s).Bool("connected", true).Int("queue", 3).Float("lag_s", 0.5).Float("x", math.NaN()).Text("e", "").Text("v", `a"b`).End(7)
	want := `collector,server=saw\ 1 connected=true,queue=3i,lag_s=0.5,v="a\"b" 7` + "\n"
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := NewLine([]byte("x"), s).Text("e", "").End(7); string(got) != "x" {
		t.Errorf("a line without fields left %q", got)
	}
}

func TestGapRoundTrip(t *testing.T) {
	unit := mustSeries(t, "wire_saw", map[string]string{"unit": "ws 03", "area": "wafer", "extra": "x"})
	for _, g := range []Gap{
		{Server: "saws", From: 10, To: 20, Cause: CauseSession, Count: -1},
		{Server: "saws", Group: "fast", Series: string(unit.Key()), Signal: "power_kw", From: 10, To: 10, Cause: CauseOverflow, Count: 7, Detail: `queue of "10"`, Closed: "history"},
	} {
		line, err := g.AppendLine(nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseLine(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		got, err := GapOf(&p)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(g, got); d != "" {
			t.Errorf("gap %s: %s", line, d)
		}
	}
}

func TestGapCovers(t *testing.T) {
	g := Gap{Server: "s", Series: "m,unit=a", From: 10, To: 20}
	for _, c := range []struct {
		server, series, signal string
		at                     Instant
		want                   bool
	}{
		{"s", "m,unit=a", "x", 10, true}, {"s", "m,unit=a", "x", 20, true}, {"s", "m,unit=a", "x", 21, false},
		{"s", "m,unit=a", "x", 9, false}, {"s", "m,unit=b", "x", 15, false}, {"r", "m,unit=a", "x", 15, false},
	} {
		if got := g.Covers(c.server, c.series, c.signal, c.at); got != c.want {
			t.Errorf("Covers(%v) = %v", c, got)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`wire_saw,unit=ws\ 03 a=1i,b="x\"y\\",c=-0.5e3,d=true 1790000000000000003`))
	f.Add([]byte("m f=\"a\nb\" 1\nm f=2 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		line, rest := NextLine(b)
		if len(line)+len(rest) > len(b) {
			t.Fatal("NextLine made bytes")
		}
		p, err := ParseLine(line)
		if err != nil {
			return
		}
		if len(p.Fields) == 0 || p.Measurement == "" {
			t.Fatalf("%q parsed to %+v", line, p)
		}
		if p.Measurement == GapMeasurement {
			if g, err := GapOf(&p); err == nil && g.To < g.From {
				t.Fatal("gap runs backwards")
			}
		}
	})
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	s := Sample{Series: mustSeries(t, "wire_saw", map[string]string{"unit": "ws03", "area": "wafer"}), Field: mustField(t, "wire_speed_m_s", Float), Value: FloatValue(24.53), Source: 1790000000000000000, Status: 0x480}
	var track Track
	buf := make([]byte, 0, 4096)
	tick := s.Source.Tick()
	if n := testing.AllocsPerRun(1000, func() {
		tick++
		s.Source = tick.Instant()
		with, _ := track.Next(&s)
		buf = AppendSample(buf[:0], &s, with)
	}); n != 0 {
		t.Errorf("%v allocations per sample", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	s := Sample{Series: mustSeries(b, "wire_saw", map[string]string{"site": "almaty", "unit": "ws03", "area": "wafer"}), Field: mustField(b, "wire_speed_m_s", Float), Value: FloatValue(24.53), Source: 1790000000000000000}
	var track Track
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	tick := s.Source.Tick()
	for b.Loop() {
		tick += 5
		s.Source = tick.Instant()
		with, _ := track.Next(&s)
		buf = AppendSample(buf[:0], &s, with)
	}
	b.SetBytes(int64(len(buf)))
}
