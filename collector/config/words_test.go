package config

import (
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "100ms": 100 * time.Millisecond, "1m30s": 90 * time.Second, "60d": 60 * day, "1d12h": 36 * time.Hour, "-5h": -5 * time.Hour,
		"-1d1h": -25 * time.Hour, "1.5s": 1500 * time.Millisecond, "0d": 0,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q gives %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "s", "-", "--1s", "+1s", "1d-1h", "1d+1h", "d", "1.5d", "1h1d", "1x", "99999d1h", "999999999h", "1d 1h", "-0x1s", "1d1d"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q gives %v", text, got)
		}
	}
}

func TestDurationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-int64(60000*day), int64(60000*day)).Draw(t, "d"))
		if got, err := parseDuration(showDuration(d)); err != nil || got != d {
			t.Fatalf("%v is shown as %q, which gives %v, %v", d, showDuration(d), got, err)
		}
	})
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"0B": 0, "100B": 100, "1KiB": 1024, "16MiB": 16 << 20, "20GiB": 20 << 30, "1.5 GB": 1.5e9, "1kB": 1000, "2TiB": 2 << 40, "2TB": 2e12, "1MB": 1e6} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q gives %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "B", "KiB", "-1B", "1e30B", "nanB", "infGB", "1KB ", "1 K", "1Mb", "0x10B"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q gives %v", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<52).Draw(t, "n")
		if got, err := parseSize(showSize(n)); err != nil || got != n {
			t.Fatalf("%d is shown as %q, which gives %d, %v", n, showSize(n), got, err)
		}
	})
}

func TestNodeID(t *testing.T) {
	spaces := map[string]string{"m": "urn:m", "ua": namespaceURI0, "odd": "urn:a;b%c"}
	for text, want := range map[string]string{
		"i=2258": "i=2258", "i=0002258": "i=2258", "ns=0;i=5": "i=5", "s=x": "s=x", "m:s=A": "nsu=urn:m;s=A", "m:i=5": "nsu=urn:m;i=5",
		"nsu=urn:m;s=A;B=C": "nsu=urn:m;s=A;B=C", `m:s="DB"."P"`: `nsu=urn:m;s="DB"."P"`, "ua:i=5": "i=5", "nsu=" + namespaceURI0 + ";i=5": "i=5",
		"odd:s=x": "nsu=urn:a%3Bb%25c;s=x", "nsu=urn:a%3bb%25c;s=x": "nsu=urn:a%3Bb%25c;s=x", "m:s=a:b": "nsu=urn:m;s=a:b",
		"m:g=72962b91-fa75-4ae6-8d28-b404dc7daf63": "nsu=urn:m;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "m:b=AQI=": "nsu=urn:m;b=AQI=",
		"m:s= spaces ": "nsu=urn:m;s= spaces ", //nolint:gocritic // blanks are part of an identifier
	} {
		got, err := ParseNodeID(text, spaces)
		if err != nil || got.String() != want {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
		again, err := ParseNodeID(got.String(), nil)
		if err != nil || again != got {
			t.Errorf("%q does not come back: %+v, %v", got, again, err)
		}
	}
	if (NodeID{}).String() != "" || !(NodeID{}).IsZero() {
		t.Error("the zero id names something")
	}
}

func FuzzNodeID(f *testing.F) {
	for _, s := range []string{"i=1", "m:s=x", "nsu=a;s=b", "ns=3;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "b=AQ==", "nsu=;i=1", "svr=1;i=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseNodeID(s, map[string]string{"m": "urn:m"})
		if err != nil {
			return
		}
		again, err := ParseNodeID(id.String(), nil)
		if err != nil || again != id {
			t.Errorf("%q is %q, which is %+v, %v", s, id, again, err)
		}
	})
}

func TestBrowsePath(t *testing.T) {
	spaces := map[string]string{"m": "urn:m", "ua": namespaceURI0}
	base := []PathStep{{"", "Objects"}, {"urn:m", "Base"}}
	for text, want := range map[string]string{
		"/Objects":             "/Objects",
		"/Objects/m:A":         "/Objects/nsu=urn:m;A",
		"/Objects/ua:Server":   "/Objects/Server",
		"m:A/B":                "/Objects/nsu=urn:m;Base/nsu=urn:m;A/B",
		"/Objects/m:A&/B&:C&&": "/Objects/nsu=urn:m;A/B:C&",
		"/Types/m:x y":         "/Types/nsu=urn:m;x y",
	} {
		v := scalarValue(text)
		if got := FormatPath(v.browsePath(spaces, base)); got != want || len(v.d.doc.Errors) > 0 {
			t.Errorf("%q gives %q, want %q: %v", text, got, want, v.d.doc.Errors)
		}
	}
	// Two nodes continue the same base: neither changes the other.
	a, b := scalarValue("m:A").browsePath(spaces, base), scalarValue("m:B").browsePath(spaces, base)
	if a[2].Name != "A" || b[2].Name != "B" || len(base) != 2 {
		t.Errorf("%v %v %v", a, b, base)
	}
}

// scalarValue is a file that holds nothing but text.
func scalarValue(text string) *value {
	d := &decoder{doc: format.Parse("f", []byte(strconv.Quote(text)))}
	return d.value(d.doc.Root())
}

func TestUnits(t *testing.T) {
	for _, tt := range []struct {
		unit    string
		x, want float64
	}{
		{"W -> kW", 2300, 2.3}, {"kW -> W", 2.3, 2300}, {"MW→kW", 18.5, 18500}, {"kWh -> MWh", 12345, 12.345}, {"kWh -> MJ", 5, 18}, {"J -> Wh", 7200, 2},
		{"°C -> K", 20, 293.15}, {"K -> °C", 293.15, 20}, {"°F -> °C", 50, 10}, {"°C -> °F", 100, 212}, {"degC -> degF", -40, -40},
		{"mbar -> Pa", 1013.25, 101325}, {"Torr -> Pa", 760, 101325}, {"bar -> MPa", 5, 0.5}, {"mTorr -> Torr", 20000, 20},
		{"mm -> m", 5500, 5.5}, {"um -> mm", 182, 0.182}, {"μm -> mm", 182, 0.182}, {"in -> mm", 1, 25.4}, {"g -> kg", 450, 0.45}, {"t -> kg", 1.5, 1500},
		{"min -> s", 2, 120}, {"h -> min", 1.5, 90}, {"l/min -> m³/h", 1000, 60}, {"mm/s -> mm/min", 2, 120}, {"kg/h -> g/min", 6, 100},
		{"rpm -> Hz", 60, 1}, {"% -> ppm", 0.5, 5000}, {"\u2126 -> mΩ", 2, 2000}, {"kW", 5, 5}, {"Nm³/h", 5, 5}, {"kW -> kW", 5, 5},
	} {
		c, err := parseConversion(tt.unit)
		if err != nil {
			t.Errorf("%s: %v", tt.unit, err)
			continue
		}
		n := Node{Scale: 1, Unit: c}
		scale, divisor, offset := n.Linear()
		if got := tt.x*scale/divisor + offset; got != tt.want && math.Abs(got-tt.want) > 1e-12*math.Abs(tt.want) {
			t.Errorf("%v %s gives %v, want %v", tt.x, tt.unit, got, tt.want)
		}
		if n.Converts() != (c.From != c.To) {
			t.Errorf("%s: converts %v", tt.unit, n.Converts())
		}
	}
	// The plain ones are exact: no 2.3000000000000003 in a panel.
	c, _ := parseConversion("W -> kW")
	n := Node{Scale: 1, Unit: c}
	for i := range 100_000 {
		scale, divisor, offset := n.Linear()
		if got, want := float64(i)*scale/divisor+offset, float64(i)/1000; got != want {
			t.Fatalf("%d W are %v kW", i, got)
		}
	}
}

// The whole arithmetic is scale, then offset, then the unit.
func TestLinearIsTheThreeSteps(t *testing.T) {
	all := units()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(all).Draw(t, "from")
		var same []unit
		for _, u := range all {
			if u.dimension == a.dimension {
				same = append(same, u)
			}
		}
		b := rapid.SampledFrom(same).Draw(t, "to")
		c, err := parseConversion(a.names[0] + " -> " + b.names[0])
		if err != nil {
			t.Fatal(err)
		}
		n := Node{Scale: rapid.Float64Range(-10, 10).Draw(t, "scale"), Offset: rapid.Float64Range(-300, 300).Draw(t, "offset"), Unit: c}
		x := rapid.Float64Range(-1e6, 1e6).Draw(t, "x")
		scale, divisor, offset := n.Linear()
		got := x*scale/divisor + offset
		// By the units' definitions: to the base of the dimension and back.
		y := x*n.Scale + n.Offset
		want := (y+a.shift)*(a.num/a.den)*(b.den/b.num) - b.shift
		size := math.Abs(x*scale/divisor) + math.Abs(n.Offset*c.mul/c.div) + 1000*max(1, c.mul/c.div)
		if math.Abs(got-want) > 1e-12*size {
			t.Fatalf("%v %s in %s: %v, want %v", x, a.names[0], b.names[0], got, want)
		}
	})
}

// Each spelling of a unit stands in the table once.
func TestUnitTable(t *testing.T) {
	seen := map[string]bool{}
	for _, u := range units() {
		for _, name := range u.names {
			if seen[name] {
				t.Errorf("%s twice", name)
			}
			if canonicalUnit(name) != name {
				t.Errorf("%q is never found: it becomes %q", name, canonicalUnit(name))
			}
			seen[name] = true
		}
		if !(u.num > 0) || !(u.den > 0) {
			t.Errorf("%v", u)
		}
	}
}
