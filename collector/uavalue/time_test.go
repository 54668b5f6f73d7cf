package uavalue

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

// fromWire decodes a DateTime with the library, as it arrives.
func fromWire(ticks int64) time.Time {
	b := make([]byte, 8)
	binary.LittleEndian.PutUint64(b, uint64(ticks))
	return ua.NewBuffer(b).ReadTime()
}

func ticksOf(t time.Time) int64 { return t.Unix()*10_000_000 + int64(t.Nanosecond())/100 + epochTicks }

// Every DateTime from 1601 to the year 16,000 survives the library's wrap.
func TestWireTicksUndoTheWrap(t *testing.T) {
	last := ticksOf(time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC))
	if last != endOfTime {
		t.Fatalf("end of time is %d, want %d", endOfTime, last)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(1, last).Draw(t, "ticks")
		got, ok := wireTicks(fromWire(want))
		if !ok || got != want {
			t.Fatalf("%s read as %s", formatTicks(want), formatTicks(got))
		}
	})
}

func TestWireTimes(t *testing.T) {
	for _, c := range []struct {
		name  string
		ticks int64
		text  string
		sane  bool
	}{
		{"1601, a tick", 1, "1601-01-01T00:00:00.0000001Z", false},
		{"1677, below an Instant", ticksOf(time.Date(1677, 9, 21, 0, 0, 0, 0, time.UTC)), "1677-09-21T00:00:00.0000000Z", false},
		{"1677, within", ticksOf(time.Date(1677, 9, 22, 0, 0, 0, 0, time.UTC)), "1677-09-22T00:00:00.0000000Z", true},
		{"1970", epochTicks, "1970-01-01T00:00:00.0000000Z", true},
		{"2026", ticksOf(time.Date(2026, 11, 23, 1, 2, 3, 100, time.UTC)), "2026-11-23T01:02:03.0000001Z", true},
		{"2500", ticksOf(time.Date(2500, 6, 1, 0, 0, 0, 0, time.UTC)), "2500-06-01T00:00:00.0000000Z", false},
		{"9999", endOfTime, "9999-12-31T23:59:59.9999999Z", false},
		{"Int64.Max", math.MaxInt64, "9999-12-31T23:59:59.9999999Z", false},
	} {
		at, present, sane, text := Instant(fromWire(c.ticks))
		ticks, _ := wireTicks(fromWire(c.ticks))
		if !present || sane != c.sane || formatTicks(ticks) != c.text || (!sane && text != c.text) {
			t.Errorf("%s: sane %v, %q, %s; want %v, %s", c.name, sane, text, formatTicks(ticks), c.sane, c.text)
		}
		if sane && at.Tick() != telemetry.Tick(c.ticks-epochTicks) {
			t.Errorf("%s: %s", c.name, at)
		}
	}
	if _, present, sane, _ := Instant(fromWire(0)); present || !sane {
		t.Error("0 is no time")
	}
	if s, _ := decodeOne(t, output(t, telemetry.NoType, ""), time.Time{}, 0); s.Value.Text() != "1601-01-01T00:00:00.0000000Z" {
		t.Errorf("a DateTime of 0 as a value: %s", s.Value)
	}
}

func TestTimeRules(t *testing.T) {
	now := received.Time()
	ago := now.Add(-time.Minute)
	year := func(y int) time.Time { return fromWire(ticksOf(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC))) }
	for _, c := range []struct {
		name           string
		rule           telemetry.TimeRule
		source, server time.Time
		want           time.Time
		finding        string
	}{
		{"source", telemetry.TimeRule{}, ago, now, ago, ""},
		{"source, years old", telemetry.TimeRule{}, now.AddDate(-5, 0, 0), now, now.AddDate(-5, 0, 0), ""},
		{"server wanted", telemetry.TimeRule{Clock: telemetry.ServerClock}, ago, now.Add(-time.Second), now.Add(-time.Second), ""},
		{"receive wanted", telemetry.TimeRule{Clock: telemetry.ReceiveClock}, ago, ago, now, ""},
		{"offset", telemetry.TimeRule{Offset: -2 * time.Hour}, now.Add(time.Hour), now, now.Add(-time.Hour), ""},
		{"no source", telemetry.TimeRule{}, time.Time{}, ago, ago, "source time missing"},
		{"no time at all", telemetry.TimeRule{}, time.Time{}, time.Time{}, now, "source time missing; server time missing"},
		{"1601", telemetry.TimeRule{}, year(1602), ago, ago, "source time 1602-01-01"},
		{"1970", telemetry.TimeRule{}, year(1970), ago, ago, "before 1990"},
		{"2500", telemetry.TimeRule{}, year(2500), ago, ago, "source time 2500-01-01"},
		{"9999, both", telemetry.TimeRule{}, year(9999), year(9999), now, "server time 9999-01-01"},
		{"Int64.Max", telemetry.TimeRule{}, fromWire(math.MaxInt64), ago, ago, "source time 9999-12-31"},
		{"ten minutes ahead", telemetry.TimeRule{}, now.Add(10 * time.Minute), now, now.Add(10 * time.Minute), ""},
		{"two hours ahead", telemetry.TimeRule{}, now.Add(2 * time.Hour), ago, ago, "ahead of this gateway"},
		{"narrow skew", telemetry.TimeRule{MaxSkew: time.Second}, now.Add(2 * time.Second), ago, ago, "ahead of this gateway"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tag := Tag{Time: c.rule, Outputs: []Output{output(t, telemetry.Float, "")}}
			s, res := Decode(nil, &tag, &ua.DataValue{Value: ua.MustVariant(1.0), SourceTimestamp: c.source, ServerTimestamp: c.server}, received)
			if !s[0].Source.Time().Equal(c.want.Truncate(100)) {
				t.Errorf("time %s, want %s", s[0].Source, c.want)
			}
			if (res.Finding == "") != (c.finding == "") || !strings.Contains(res.Finding, c.finding) {
				t.Errorf("finding %q, want %q", res.Finding, c.finding)
			}
		})
	}
}

// Whatever times the wire carries, a sample's is aligned to its tick and within what the rule calls sane.
func TestTimesAreAlwaysSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ticks := rapid.OneOf(rapid.Int64(), rapid.Int64Range(epochTicks, epochTicks+20_000_000_000_000_000), rapid.SampledFrom([]int64{0, 1, math.MaxInt64, math.MinInt64, -1}))
		rule := telemetry.TimeRule{
			Clock:  rapid.SampledFrom([]telemetry.Clock{telemetry.SourceClock, telemetry.ServerClock, telemetry.ReceiveClock}).Draw(t, "clock"),
			Offset: time.Duration(rapid.Int64Range(-86400, 86400).Draw(t, "offset")) * time.Second,
		}
		at, _, finding := pick(rule, fromWire(ticks.Draw(t, "source")), fromWire(ticks.Draw(t, "server")), received)
		if at.SubTick() != 0 || at < 631152000_000000000 || at > received.Add(telemetry.DefaultMaxSkew) {
			t.Fatalf("time %s, finding %q", at, finding)
		}
	})
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ text, want, err string }{
		{"", "", ""},
		{"[3]", "[3]", ""},
		{"[1,2]", "[1,2]", ""},
		{"High", "high", ""},
		{"engineering_units.unit_id", "engineeringunits.unitid", ""},
		{"[0].low", "[0].low", ""},
		{"range.values[2].x", "range.values[2].x", ""},
		{"[", "", "] is missing"},
		{"[]", "", "whole number"},
		{"[-1]", "", "whole number"},
		{"[1.5]", "", "whole number"},
		{"[99999999999]", "", "whole number"},
		{".x", "", "begins with a dot"},
		{"x.", "", "should follow"},
		{"x..y", "", "should follow"},
		{"[1]x", "", "dot is missing"},
		{"_", "", "should follow"},
		{"a b", "", "names do not have"},
		{"[1,2,3,4,5,6,7,8,9]", "", "dimensions"},
		{strings.Repeat("[0]", 17), "", "steps"},
	} {
		p, err := ParsePath(c.text)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%q: error %v, want %q", c.text, err, c.err)
		case c.err == "" && err != nil:
			t.Errorf("%q: %v", c.text, err)
		case c.err == "" && err == nil && p.String() != c.want:
			t.Errorf("%q reads as %q, want %q", c.text, p, c.want)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"", "[3]", "[1,2].x", "a.b[0]", "..", "[", "x."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		again, err := ParsePath(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q is written %q, which reads as %q, %v", s, p, again, err)
		}
	})
}
