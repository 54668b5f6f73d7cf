package calendar

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

// bits is a set of the moments 0 to 63: what Set is compared with.
type bits uint64

func bitsOf(s Set) bits {
	var b bits
	for _, v := range s {
		for t := max(v.From, 0); t < min(v.To, 64); t++ {
			b |= 1 << t
		}
	}
	return b
}

func drawIntervals(t *rapid.T, label string) []Interval {
	edge := rapid.Int64Range(0, 64)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Interval {
		return Interval{telemetry.Instant(edge.Draw(t, "from")), telemetry.Instant(edge.Draw(t, "to"))}
	}), 0, 8).Draw(t, label)
}

// checkForm fails when s is not sorted, or holds intervals that are empty or touch.
func checkForm(t rapid.TB, what string, s Set) {
	t.Helper()
	for i, v := range s {
		if v.Empty() || i > 0 && v.From <= s[i-1].To {
			t.Fatalf("%s: %v is not in normal form", what, s)
		}
	}
}

func TestSetAgainstBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rawA, rawB := drawIntervals(t, "a"), drawIntervals(t, "b")
		before := slices.Clone(rawA)
		a, b := NewSet(rawA...), NewSet(rawB...)
		if !slices.Equal(rawA, before) {
			t.Fatalf("NewSet changed what it was given: %v, before %v", rawA, before)
		}
		x, y := bitsOf(rawA), bitsOf(rawB)
		keepA := slices.Clone(a)
		v := Interval{}
		if len(rawB) > 0 {
			v = rawB[0]
		}
		for _, c := range []struct {
			what string
			got  Set
			want bits
		}{
			{"a", a, x}, {"b", b, y},
			{"a ∪ b", a.Union(b), x | y},
			{"a ∩ b", a.Intersect(b), x & y},
			{"a − b", a.Minus(b), x &^ y},
			{"a clipped", a.Clip(v), x & bitsOf(Set{v})},
		} {
			checkForm(t, c.what, c.got)
			if g := bitsOf(c.got); g != c.want {
				t.Fatalf("%s = %v: bits %064b, want %064b (a %v, b %v)", c.what, c.got, g, c.want, a, b)
			}
			var n time.Duration
			for at := telemetry.Instant(-1); at < 66; at++ {
				in := at >= 0 && at < 64 && c.want&(1<<at) != 0
				if c.got.Holds(at) != in {
					t.Fatalf("%s = %v: Holds(%d) is %t", c.what, c.got, at, !in)
				}
				if in {
					n++
				}
			}
			if c.got.Duration() != n {
				t.Fatalf("%s = %v: Duration %d, want %d", c.what, c.got, c.got.Duration(), n)
			}
		}
		if !slices.Equal(a, keepA) {
			t.Fatalf("an operation changed its operand: %v, before %v", a, keepA)
		}
	})
}

func TestInterval(t *testing.T) {
	v := Interval{10, 20}
	for at, want := range map[telemetry.Instant]bool{9: false, 10: true, 19: true, 20: false} {
		if v.Holds(at) != want {
			t.Errorf("%v.Holds(%d) = %t", v, at, !want)
		}
	}
	if m := v.Meet(Interval{20, 30}); !m.Empty() || m.Duration() != 0 {
		t.Errorf("neighbours meet in %v of %s", m, m.Duration())
	}
	if m := v.Meet(Interval{30, 40}); !m.Empty() || m.Duration() != 0 {
		t.Errorf("strangers meet in %v of %s", m, m.Duration())
	}
	all := Interval{math.MinInt64, math.MaxInt64}
	if d := all.Duration(); d != math.MaxInt64 {
		t.Errorf("all of time lasts %s", d)
	}
	if d := (Set{{math.MinInt64, -1}, {0, math.MaxInt64}}).Duration(); d != math.MaxInt64 {
		t.Errorf("all of time but a moment lasts %s", d)
	}
	if m := all.Meet(v); m != v {
		t.Errorf("all of time meets %v in %v", v, m)
	}
	if s := v.String(); s != "[1970-01-01T00:00:00.00000001Z, 1970-01-01T00:00:00.00000002Z)" {
		t.Error(s)
	}
}

func TestSetTable(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, want Set
	}{
		{"touching intervals join", NewSet(Interval{10, 20}, Interval{0, 10}), Set{{0, 20}}},
		{"one within another", NewSet(Interval{0, 30}, Interval{5, 10}, Interval{12, 40}), Set{{0, 40}}},
		{"backward ones are empty", NewSet(Interval{20, 10}, Interval{5, 5}), nil},
		{"a cut in the middle", Set{{0, 30}}.Minus(Set{{10, 20}}), Set{{0, 10}, {20, 30}}},
		{"one cut over two", Set{{0, 10}, {20, 30}}.Minus(Set{{5, 25}}), Set{{0, 5}, {25, 30}}},
		{"all is cut", Set{{0, 10}, {20, 30}}.Minus(Set{{0, 30}}), nil},
		{"clip to nothing", Set{{0, 10}}.Clip(Interval{10, 20}), nil},
		{"clip to an empty interval", Set{{0, 10}}.Clip(Interval{5, 5}), nil},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}
