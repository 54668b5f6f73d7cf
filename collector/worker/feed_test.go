package worker

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kvarts/collector/config"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

// feedTo makes a feed whose frames go to pipe.
func feedTo(t *testing.T, pipe *bytes.Buffer, tracks *Tracks) *feed {
	t.Helper()
	w := &worker{out: NewWriter(pipe), states: map[string]uasession.ServerState{}, pins: map[string]telemetry.Type{}, known: Known{}}
	w.unacked.init()
	f, err := newFeed(w, config.Server{Name: "a", Groups: []config.Group{{Name: "g", Class: config.ClassKeep}}}, tracks)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// frames reads what is in pipe.
func frames(t *testing.T, pipe *bytes.Buffer) (kinds string, blocks []Block) {
	t.Helper()
	for r := NewReader(pipe); ; {
		f, err := r.Next()
		if err != nil {
			return kinds, blocks
		}
		kinds += string(rune(f.Kind))
		if f.Kind == KindBlock {
			b, err := ParseBlock(bytes.Clone(f.Body))
			if err != nil {
				t.Fatal(err)
			}
			blocks = append(blocks, b)
		}
	}
}

// A message that is larger than a block is cut; it is confirmed with its last part, and no part says that all of it is
// known.
func TestLargeMessageIsCut(t *testing.T) {
	var pipe bytes.Buffer
	f := feedTo(t, &pipe, &Tracks{Server: "a"})
	series, field := mustSeries(t, "m", map[string]string{"unit": "u"}), mustField(t, "text", telemetry.String)
	m := &uasession.Message{Group: "g", Seq: 1, Published: 100, Received: 100}
	text := strings.Repeat("x", 300<<10)
	for i := range 10 {
		m.Samples = append(m.Samples, telemetry.Sample{Series: series, Field: field, Source: telemetry.Tick(i + 1000).Instant(), Value: telemetry.StringValue(text)})
	}
	done := 0
	if err := f.Deliver(context.Background(), m, func() { done++ }); err != nil {
		t.Fatal(err)
	}
	if err := f.flushOld(0); err != nil {
		t.Fatal(err)
	}
	_, blocks := frames(t, &pipe)
	if len(blocks) < 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var samples uint32
	for i, b := range blocks {
		if last := i == len(blocks)-1; (b.Published == 100) != last {
			t.Errorf("block %d of %d is published %d", i, len(blocks), b.Published)
		}
		samples += b.Samples
		f.w.unacked.ack(b.ID)
		if last := i == len(blocks)-1; (done == 1) != last {
			t.Errorf("after block %d of %d: done %d times", i, len(blocks), done)
		}
	}
	if samples != 10 {
		t.Errorf("%d samples", samples)
	}
}

// A status that comes before the type is known does not decide the type.
func TestStatusDoesNotPinAType(t *testing.T) {
	var pipe bytes.Buffer
	tracks := &Tracks{Server: "a"}
	f := feedTo(t, &pipe, tracks)
	series := mustSeries(t, "m", map[string]string{"unit": "u"})
	interim := mustField(t, "f", telemetry.Float)
	bad := telemetry.Sample{Series: series, Field: interim, Source: 100000, Status: 0x80000000}
	if err := f.Deliver(context.Background(), &uasession.Message{Group: "g", Samples: []telemetry.Sample{bad}}, func() {}); err != nil {
		t.Fatal(err)
	}
	field, err := f.pin(series, "f", telemetry.Int)
	if err != nil || field.Type != telemetry.Int {
		t.Errorf("pinned to %v, %v", field, err)
	}
	if tag := tracks.Tags[TagKey(string(series.Key()), "f")]; tag.Type != telemetry.NoType {
		t.Errorf("the checkpoint says %s", tag.Type)
	}
}

func TestPin(t *testing.T) {
	u, v := mustSeries(t, "m", map[string]string{"unit": "u"}), mustSeries(t, "m", map[string]string{"unit": "v"})
	tracks := &Tracks{Server: "a"}
	tracks.Tag(TagKey(string(u.Key()), "f")).Type = telemetry.Float
	for _, c := range []struct {
		name   string
		series *telemetry.Series
		pinned telemetry.Type // by another unit
		seen   telemetry.Type
		want   telemetry.Type
	}{
		{"as before the restart", u, telemetry.Int, telemetry.String, telemetry.Float},
		{"as another unit", v, telemetry.Int, telemetry.String, telemetry.Int},
		{"as seen", v, telemetry.NoType, telemetry.String, telemetry.String},
	} {
		f := feedTo(t, &bytes.Buffer{}, tracks)
		if c.pinned != telemetry.NoType {
			f.w.pins[signalOf(c.series, "f")] = c.pinned
		}
		for range 2 {
			if got, err := f.pin(c.series, "f", c.seen); err != nil || got.Type != c.want {
				t.Errorf("%s: %v, %v", c.name, got, err)
			}
		}
	}
}

// Types are known before the first session begins: of the configuration, elements included, then of the checkpoint.
func TestPinsBeforeTheSessions(t *testing.T) {
	u := mustSeries(t, "m", map[string]string{"unit": "u"})
	tracks := &Tracks{Server: "a"}
	tracks.Tag(TagKey(string(u.Key()), "old")).Type = telemetry.Int
	tracks.Tag(TagKey(string(u.Key()), "zone_1")).Type = telemetry.Int
	w := &worker{pins: map[string]telemetry.Type{}}
	w.pinConfigured(&config.Config{Servers: []config.Server{{Groups: []config.Group{{Nodes: []config.Node{
		{Measurement: "m", Field: "f", Type: config.TypeString}, {Measurement: "m", Elements: map[int]string{0: "zone_1"}, Type: config.TypeFloat}, {Measurement: "m", Field: "auto"}}}}}}})
	tag := func(name string) uasession.Tag {
		return uasession.Tag{Outputs: []uasession.Output{{Series: u, Name: name}}}
	}
	w.pinRestored([]uasession.Group{{Tags: []uasession.Tag{tag("old"), tag("zone_1"), tag("auto")}}}, tracks)
	for signal, want := range map[string]telemetry.Type{"m f": telemetry.String, "m zone_1": telemetry.Float, "m old": telemetry.Int, "m auto": telemetry.NoType} {
		if got := w.pins[signal]; got != want {
			t.Errorf("%s: %s, want %s", signal, got, want)
		}
	}
}

// Tracks that do not change are sent rarely, but they are: the buffer keeps all that is newer than a checkpoint.
func TestQuietTracks(t *testing.T) {
	var pipe bytes.Buffer
	f := feedTo(t, &pipe, &Tracks{Server: "a"})
	for range 2 * quietTracks {
		if err := f.sendTracks(false); err != nil {
			t.Fatal(err)
		}
	}
	if kinds, _ := frames(t, &pipe); kinds != "TT" {
		t.Errorf("sent %q", kinds)
	}
}

// What is known of a silent group: nothing while anything is under way.
func TestKnownTo(t *testing.T) {
	const seen = telemetry.Instant(1_700_000_000_000_000_000)
	state := uasession.ServerState{Server: "a", Connected: true, ClockRTT: time.Millisecond, ClockOffset: -time.Hour, LastPublish: seen.Add(-time.Hour),
		Groups: []uasession.GroupState{{Name: "g", ID: 1, Publishing: time.Second, LastSeen: seen}}}
	for name, c := range map[string]struct {
		change func(f *feed, s *uasession.ServerState)
		known  bool
	}{
		"silent":              {func(*feed, *uasession.ServerState) {}, true},
		"not connected":       {func(_ *feed, s *uasession.ServerState) { s.Connected = false }, false},
		"clock not measured":  {func(_ *feed, s *uasession.ServerState) { s.ClockRTT = 0 }, false},
		"clock never set":     {func(_ *feed, s *uasession.ServerState) { s.ClockOffset = -30 * 365 * 24 * time.Hour }, false},
		"values on their way": {func(_ *feed, s *uasession.ServerState) { s.Counters.Values = 1 }, false},
		"a gap on its way":    {func(_ *feed, s *uasession.ServerState) { s.Counters.Gaps = 1 }, false},
		"an open block":       {func(f *feed, _ *uasession.ServerState) { f.groups["g"] = &block{done: []func(){func() {}}} }, false},
		"no subscription":     {func(_ *feed, s *uasession.ServerState) { s.Groups[0].ID = 0 }, false},
		"a frame is written":  {func(f *feed, _ *uasession.ServerState) { f.mu.Lock() }, false},
	} {
		f := feedTo(t, &bytes.Buffer{}, &Tracks{Server: "a"})
		s := state
		s.Groups = append([]uasession.GroupState(nil), state.Groups...)
		c.change(f, &s)
		f.State(s)
		at, ok := f.w.known["a"]["g"]
		if ok != c.known {
			t.Errorf("%s: known to %s", name, at)
		}
		if want := seen.Add(-time.Hour - time.Second - time.Millisecond - knownSlack); ok && at != want {
			t.Errorf("%s: known to %s, want %s", name, at, want)
		}
	}
}

// Markers that the session makes itself do not say how far the server is known.
func TestOwnMarkersDoNotMovePublished(t *testing.T) {
	var pipe bytes.Buffer
	f := feedTo(t, &pipe, &Tracks{Server: "a"})
	s := telemetry.Sample{Series: mustSeries(t, "m", map[string]string{"unit": "u"}), Field: mustField(t, "f", telemetry.Float), Source: 100000, Status: 0x80000000}
	if err := errors.Join(f.Deliver(context.Background(), &uasession.Message{Group: "g", Published: 77, Samples: []telemetry.Sample{s}}, func() {}), f.flushOld(0)); err != nil {
		t.Fatal(err)
	}
	if _, blocks := frames(t, &pipe); len(blocks) != 1 || blocks[0].Published != 0 || blocks[0].Samples != 1 {
		t.Errorf("%+v", blocks)
	}
}

// A server is asked to show life twice in each interval of the proof of life, whatever its groups allow.
func TestLifetimes(t *testing.T) {
	group := func(keepAlive, lifetime time.Duration) config.Group {
		return config.Group{KeepAlive: keepAlive, Lifetime: lifetime}
	}
	for _, c := range []struct {
		groups []config.Group
		want   [2]time.Duration
	}{
		{[]config.Group{group(10*time.Second, time.Minute)}, [2]time.Duration{shownAlive, time.Minute}},
		{[]config.Group{group(time.Hour, time.Minute), group(time.Second, time.Hour)}, [2]time.Duration{time.Second, time.Hour}},
		{nil, [2]time.Duration{shownAlive, 0}},
	} {
		if got := lifetimes(&config.Server{Groups: c.groups}); got != c.want {
			t.Errorf("%v: %v, want %v", c.groups, got, c.want)
		}
	}
}

func TestUnacked(t *testing.T) {
	var u unacked
	u.init()
	var ran []int
	for i := range 3 {
		u.add(10, []func(){func() { ran = append(ran, i) }})
	}
	u.add(0, nil) // an empty block counts too
	full, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := u.room(full, 30); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("room in a full queue: %v", err)
	}
	waited := make(chan struct{})
	go func() { u.wait(time.Minute); close(waited) }()
	u.ack(2)
	if err := u.room(context.Background(), 30); err != nil || len(ran) != 2 {
		t.Errorf("after ack 2: %v, ran %v", err, ran)
	}
	u.ack(3)
	select {
	case <-waited:
		t.Error("the empty block was not waited for")
	case <-time.After(10 * time.Millisecond):
	}
	u.ack(4)
	<-waited
	if len(ran) != 3 {
		t.Errorf("ran %v", ran)
	}
}
