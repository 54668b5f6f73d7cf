package telemetry

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTrackNumbers(t *testing.T) {
	field := mustField(t, "f", Int)
	type step struct {
		tick  Tick
		value int64
		stat  Status
		want  uint8
	}
	for name, steps := range map[string][]step{
		"one value a tick":             {{1, 7, 0, 0}, {2, 7, 0, 0}, {3, 8, 0, 0}},
		"second value in a tick":       {{1, 7, 0, 0}, {1, 8, 0, 1}, {1, 9, 0, 2}},
		"seen again":                   {{1, 7, 0, 0}, {1, 8, 0, 1}, {1, 7, 0, 0}, {1, 8, 0, 1}},
		"bad in the tick of a good":    {{1, 7, 0, 0}, {1, 7, 0x80000000, 1}, {1, 7, 0, 0}},
		"late within memory":           {{1, 7, 0, 0}, {2, 7, 0, 0}, {1, 7, 0, 0}, {1, 9, 0, 1}},
		"clock set back":               {{10, 1, 0, 0}, {11, 1, 0, 0}, {12, 1, 0, 0}, {13, 1, 0, 0}, {14, 1, 0, 0}, {10, 2, 0, 10}, {11, 3, 0, 10}, {20, 1, 0, 0}},
		"clock set back twice":         {{90, 1, 0, 0}, {10, 1, 0, 10}, {11, 1, 0, 10}, {12, 1, 0, 10}, {13, 1, 0, 10}, {10, 1, 0, 10}, {14, 1, 0, 10}, {15, 1, 0, 10}, {10, 5, 0, 20}},
		"runs end with the newest":     {{90, 1, 0, 0}, {10, 1, 0, 10}, {91, 1, 0, 0}},
		"before the epoch (tick < 0)":  {{-5, 1, 0, 0}, {-5, 2, 0, 1}},
		"a tick between is a step too": {{10, 1, 0, 0}, {12, 1, 0, 0}, {11, 1, 0, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			var track Track
			for i, st := range steps {
				s := Sample{Field: field, Value: IntValue(st.value), Status: st.stat, Source: st.tick.Instant()}
				if _, err := track.Next(&s); err != nil {
					t.Fatal(err)
				}
				if s.Source.Tick() != st.tick || s.Source.SubTick() != st.want {
					t.Fatalf("step %d %+v: got %d+%d", i, st, s.Source.Tick(), s.Source.SubTick())
				}
			}
		})
	}
}

func TestTrackIsFullAfterAHundredValuesInATick(t *testing.T) {
	var track Track
	for i := range int64(SubTicks) {
		s := Sample{Field: &Field{Name: "f"}, Value: IntValue(i), Source: 500}
		if _, err := track.Next(&s); err != nil || s.Source != 500+Instant(i) {
			t.Fatalf("value %d: %v %v", i, s.Source, err)
		}
	}
	s := Sample{Field: &Field{Name: "f"}, Value: IntValue(100), Source: 500}
	if _, err := track.Next(&s); !errors.Is(err, ErrTickFull) {
		t.Fatalf("value 101: %v, source %v", err, s.Source)
	}
}

func TestTrackWritesStatusWhenItChanges(t *testing.T) {
	var track Track
	var got []string
	for i, status := range []Status{0, 0, 0x480, 0x480, 0, 0} {
		s := Sample{Field: &Field{Name: "f"}, Value: IntValue(1), Source: Instant(i * 100), Status: status}
		with, err := track.Next(&s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(with))
	}
	if s := strings.Join(got, " "); s != "true false true false true false" {
		t.Error(s)
	}
}

// Whatever the order of samples: no two different ones share a time, the same one keeps its time, and a Track that
// went through a checkpoint or was rebuilt from the stored samples numbers on as if nothing had happened.
func TestTrackProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var track, rebuilt Track
		stored := map[Instant]uint64{}
		base := Tick(0)
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			switch rapid.IntRange(0, 9).Draw(t, "move") {
			case 0:
				base++
			case 1, 2, 3:
				base += Tick(rapid.IntRange(2, 100).Draw(t, "step"))
			}
			s := Sample{Field: &Field{Name: "f"}, Value: IntValue(rapid.Int64Range(0, 3).Draw(t, "v")), Source: base.Instant()}
			h := hashSample(s.Value, s.Status)
			again := s
			if _, err := track.Next(&s); err != nil {
				t.Fatal(err)
			}
			if _, err := track.Next(&again); err != nil || again.Source != s.Source {
				t.Fatalf("seen again: %v, first %v (%v)", again.Source, s.Source, err)
			}
			if old, ok := stored[s.Source]; ok && old != h {
				t.Fatalf("sample at %v takes the place of another", s.Source)
			}
			stored[s.Source] = h
			rebuilt.Restore(s.Source, s.Value, s.Status)
		}
		image := track.AppendBinary(nil)
		if d := cmp.Diff(image, rebuilt.AppendBinary(nil)); d != "" {
			t.Fatalf("rebuilt from the stored samples: %s", d)
		}
		back, rest, err := UnmarshalTrack(image)
		if err != nil || len(rest) != 0 {
			t.Fatal(err, rest)
		}
		if d := cmp.Diff(image, back.AppendBinary(nil)); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzUnmarshalTrack(f *testing.F) {
	var track Track
	for i := range int64(5) {
		s := Sample{Field: &Field{Name: "f"}, Value: IntValue(i), Source: Instant(i/2) * 100}
		if _, err := track.Next(&s); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(track.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		track, rest, err := UnmarshalTrack(b)
		if err != nil {
			return
		}
		if got := track.AppendBinary(nil); string(got) != string(b[:len(b)-len(rest)]) {
			t.Fatalf("%x reads and writes as %x", b, got)
		}
		s := Sample{Field: &Field{Name: "f"}, Value: IntValue(1), Source: 100}
		_, _ = track.Next(&s)
	})
}

func TestTimeRule(t *testing.T) {
	now := Instant(1_790_000_000_000_000_000)
	ago := now.Add(-time.Minute)
	year := func(y int) Instant { i, _ := FromTime(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)); return i }
	for _, c := range []struct {
		name                    string
		rule                    TimeRule
		source, server, receive Instant
		want                    Instant
		finding                 string
	}{
		{"source", TimeRule{}, ago, now, now, ago, ""},
		{"server wanted", TimeRule{Clock: ServerClock}, ago, now, now, now, ""},
		{"receive wanted", TimeRule{Clock: ReceiveClock}, ago, ago, now, now, ""},
		{"old set-point is kept", TimeRule{}, year(1999), now, now, year(1999), ""},
		{"source missing", TimeRule{}, 0, ago, now, ago, "source time missing"},
		{"both missing", TimeRule{}, 0, 0, now, now, "source time missing; server time missing"},
		{"1601", TimeRule{}, year(1700), ago, now, ago, "before 1990"},
		{"1970", TimeRule{}, year(1970) + 100, ago, now, ago, "before 1990"},
		{"far future", TimeRule{}, year(2200), ago, now, ago, "ahead"},
		{"both insane", TimeRule{}, year(2200), year(1970) + 100, now, now, "before 1990"},
		{"ahead within skew", TimeRule{}, now.Add(59 * time.Minute), 0, now, now.Add(59 * time.Minute), ""},
		{"ahead of a small skew", TimeRule{MaxSkew: time.Second}, now.Add(time.Minute), ago, now, ago, "ahead"},
		{"local time as UTC", TimeRule{Offset: -5 * time.Hour}, now.Add(5 * time.Hour), 0, now, now, ""},
		{"aligned to the tick", TimeRule{}, ago + 55, 0, now, ago, ""},
	} {
		got, finding := c.rule.Pick(c.source, c.server, c.receive)
		if got != c.want || (finding == "") != (c.finding == "") || !strings.Contains(finding, c.finding) {
			t.Errorf("%s: %s %q, want %s %q", c.name, got, finding, c.want, c.finding)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		s        Status
		severity Severity
		plain    bool
		overflow bool
	}{
		{0, Good, true, false}, {0x480, Good, false, true}, {0x00300000, Good, false, false}, {0x80, Good, false, false},
		{0x40900000, Uncertain, false, false}, {0x80310000, Bad, false, false}, {0xC0000000, Bad, false, false}, {0x80000480, Bad, false, true},
	} {
		if c.s.Severity() != c.severity || c.s.IsPlainGood() != c.plain || c.s.Overflow() != c.overflow {
			t.Errorf("%v: severity %v, plain %v, overflow %v", c.s, c.s.Severity(), c.s.IsPlainGood(), c.s.Overflow())
		}
	}
}

func TestInstantTicks(t *testing.T) {
	for _, c := range []struct {
		i    Instant
		tick Tick
		sub  uint8
	}{{0, 0, 0}, {99, 0, 99}, {100, 1, 0}, {-1, -1, 99}, {-100, -1, 0}, {-101, -2, 99}} {
		if c.i.Tick() != c.tick || c.i.SubTick() != c.sub {
			t.Errorf("%d: tick %d + %d", c.i, c.i.Tick(), c.i.SubTick())
		}
	}
	if _, ok := FromTime(time.Time{}); ok {
		t.Error("the zero time is no instant")
	}
	if _, ok := FromTime(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)); ok {
		t.Error("year 9999 does not fit an instant")
	}
}
