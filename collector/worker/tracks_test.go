package worker

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

func zipped(t interface{ Fatal(...any) }, lines []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(lines); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// What is rebuilt from the stored lines is what the worker had in memory: for any samples, any cut between checkpoint
// and buffer.
func TestTracksRebuiltFromStoredLines(t *testing.T) {
	series := []*telemetry.Series{mustSeries(t, "m", map[string]string{"unit": "a b"}), mustSeries(t, "m,x", map[string]string{"unit": "b"})}
	fields := []*telemetry.Field{mustField(t, "f", telemetry.Float), mustField(t, "text =x", telemetry.String)}
	rapid.Check(t, func(t *rapid.T) {
		live, rebuilt := Tracks{Server: "s"}, Tracks{Server: "s"}
		cut := rapid.IntRange(0, 30).Draw(t, "cut")
		tick := telemetry.Tick(1000)
		for i := range rapid.IntRange(1, 30).Draw(t, "n") {
			if i == cut { // the checkpoint
				var err error
				if rebuilt, err = ParseTracks(live.AppendBinary(nil)); err != nil {
					t.Fatal(err)
				}
			}
			tick += telemetry.Tick(rapid.IntRange(0, 3).Draw(t, "step"))
			s := telemetry.Sample{Series: rapid.SampledFrom(series).Draw(t, "series"), Field: rapid.SampledFrom(fields).Draw(t, "field"), Source: tick.Instant()}
			switch {
			case rapid.Bool().Draw(t, "bad"):
				s.Status = 0x80000000
			case s.Field.Type == telemetry.Float:
				s.Value = telemetry.FloatValue(rapid.SampledFrom([]float64{1, 2.5, 1e21}).Draw(t, "v"))
			default:
				s.Value = telemetry.StringValue(rapid.SampledFrom([]string{"", "a\nb", `"\`}).Draw(t, "v"))
			}
			tag := live.Tag(TagKey(string(s.Series.Key()), s.Field.Name))
			if s.Value.Type() != telemetry.NoType {
				tag.Type = s.Field.Type
			}
			withStatus, err := tag.Next(&s)
			if err != nil {
				t.Fatal(err)
			}
			if err := rebuilt.Replay(zipped(t, telemetry.AppendSample(nil, &s, withStatus))); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(live.AppendBinary(nil), rebuilt.AppendBinary(nil)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestReplayRefusesWhatIsNotLines(t *testing.T) {
	tr := Tracks{Server: "s"}
	for _, payload := range [][]byte{nil, []byte("no gzip"), zipped(t, []byte("m f=1")), zipped(t, []byte("m f=1 1\nhalf"))[:20]} {
		if err := tr.Replay(payload); err == nil {
			t.Errorf("replay of %q: no error", payload)
		}
	}
}

func mustSeries(t interface{ Fatal(...any) }, m string, tags map[string]string) *telemetry.Series {
	s, err := telemetry.NewSeries(m, tags)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustField(t interface{ Fatal(...any) }, name string, typ telemetry.Type) *telemetry.Field {
	f, err := telemetry.NewField(name, typ)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
