package uasession

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

// scenario is a session on a plant with two groups of two variables each, running and ticking.
type scenario struct {
	*plant
	*running
	r      *recorder
	groups []Group
	halt   func()
}

func newScenario(t *testing.T, opts uaserver.Options, change func(*ServerConfig)) *scenario {
	t.Helper()
	p := newPlant(t, 4, opts)
	sc := &scenario{plant: p, r: newRecorder(t), groups: []Group{p.group("a", 0, 2), p.group("b", 2, 4)}}
	cfg := ServerConfig{Endpoint: p.srv.Endpoint(), Groups: sc.groups, Timing: quick()}
	if change != nil {
		change(&cfg)
	}
	sc.running = start(t, cfg, sc.r)
	eventually(t, "first values", func() bool { return sc.r.count() >= 4 })
	sc.halt = p.run(5 * time.Millisecond)
	eventually(t, "values flow", func() bool { return sc.r.count() >= 40 })
	return sc
}

// finish lets values flow on, stops, and settles the books.
func (sc *scenario) finish() {
	sc.t.Helper()
	n := sc.r.count()
	eventually(sc.t, "values flow on", func() bool { return sc.r.count() >= n+80 })
	sc.halt()
	sc.arrived(sc.r, "v0", "v1", "v2", "v3")
	if err := sc.stop(); err != nil {
		sc.t.Fatal(err)
	}
	sc.settled(sc.r, "server", seriesOf(sc.groups...))
	if n := sc.srv.Mutations(); n != 0 {
		sc.t.Errorf("%d requests would have changed the machine", n)
	}
}

func (sc *scenario) counters() Counters { return sc.r.snapshot().Counters }

// upcoming is a sequence number some messages ahead of what group a has delivered.
func (sc *scenario) upcoming() uint32 {
	for _, g := range sc.r.snapshot().Groups {
		if g.Name == "a" {
			return g.LastSeq + 40
		}
	}
	sc.t.Fatal("no group a")
	return 0
}

func TestLostMessageIsRepublished(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	sc.srv.DropNotification(sc.upcoming(), true)
	eventually(t, "one message is republished", func() bool { return sc.counters().Republished >= 1 })
	sc.finish()
	if c := sc.counters(); c.Lost != 0 || c.Gaps != 0 {
		t.Errorf("lost %d messages, %d gaps, want none", c.Lost, c.Gaps)
	}
}

func TestMessageGoneForGoodIsLedgered(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	sc.srv.DropNotification(sc.upcoming(), false)
	eventually(t, "one message is lost", func() bool { return sc.counters().Lost >= 1 })
	sc.finish()
	gaps := sc.r.gapsOf(telemetry.CauseSequence)
	if len(gaps) == 0 {
		t.Fatal("no gap")
	}
	for _, g := range gaps {
		if g.Server != "server" || g.Group == "" || g.Duration() > 2*time.Second {
			t.Errorf("gap %+v", g)
		}
	}
}

func TestReorderedMessagesAreDeliveredInOrder(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	for range 5 {
		sc.srv.ReorderNext()
		n := sc.r.count()
		eventually(t, "values flow on", func() bool { return sc.r.count() >= n+40 })
	}
	sc.finish()
	sc.inSequence()
	if c := sc.counters(); c.Lost != 0 || c.Gaps != 0 {
		t.Errorf("lost %d messages, %d gaps, want none", c.Lost, c.Gaps)
	}
}

// inSequence checks that the messages of each group came numbered without a hole.
func (sc *scenario) inSequence() {
	sc.t.Helper()
	last := map[string]uint32{}
	for _, m := range sc.r.messages {
		if before, ok := last[m.Group]; ok && m.Seq != nextSeq(before) {
			sc.t.Errorf("group %s: message %d after %d", m.Group, m.Seq, before)
		}
		last[m.Group] = m.Seq
	}
}

func TestSequenceRollsOver(t *testing.T) {
	// A server that begins near the end of the circle: the messages before count as lost, those around the end do not.
	p := newPlant(t, 2, uaserver.Options{FirstSequence: math.MaxUint32 - 5})
	r := newRecorder(t)
	g := p.group("g", 0, 2)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
	stop := p.run(5 * time.Millisecond)
	passed := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.messages, func(m *Message) bool { return m.Seq > 20 && m.Seq < 1000 })
	}
	eventually(t, "the numbers begin again", passed)
	stop()
	p.arrived(r, "v0", "v1")
	s.stop()
	p.settled(r, "server", seriesOf(g))
	if c := r.snapshot().Counters; c.Republished != 0 || c.Duplicates != 0 {
		t.Errorf("counters %+v", c)
	}
	for i, m := range r.messages[1:] {
		if m.Seq != nextSeq(r.messages[i].Seq) {
			t.Errorf("message %d after %d", m.Seq, r.messages[i].Seq)
		}
	}
}

func TestKilledConnectionLosesNothing(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	for i := range 5 {
		sc.srv.KillConnections()
		eventually(t, "the session is taken over", func() bool { return sc.counters().Reactivated >= uint64(i)+1 })
		n := sc.r.count()
		eventually(t, "values flow on", func() bool { return sc.r.count() >= n+40 })
	}
	sc.finish()
	sc.inSequence()
	if c := sc.counters(); c.Lost != 0 || c.Gaps != 0 || c.Sessions != 1 {
		t.Errorf("lost %d messages, %d gaps, %d sessions: want 0, 0, 1", c.Lost, c.Gaps, c.Sessions)
	}
}

func TestForgottenSubscriptionsAreMadeAgain(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	sc.srv.DropSubscriptions()
	eventually(t, "they are made again", func() bool { return sc.counters().Recreated >= 2 })
	sc.finish()
	if gaps := sc.r.gapsOf(telemetry.CauseSession); len(gaps) < 2 {
		t.Errorf("gaps %+v, want one for each group", gaps)
	}
}

func TestEndedSubscriptionIsMadeAgain(t *testing.T) {
	for _, status := range []ua.StatusCode{ua.StatusBadTimeout, ua.StatusGoodSubscriptionTransferred} {
		t.Run(statusText(status), func(t *testing.T) {
			sc := newScenario(t, uaserver.Options{}, nil)
			sc.srv.EndSubscriptions(status)
			eventually(t, "they are made again", func() bool { return sc.counters().Recreated >= 2 })
			sc.finish()
			if gaps := sc.r.gapsOf(telemetry.CauseSession); len(gaps) < 2 {
				t.Errorf("gaps %+v, want one for each group", gaps)
			}
		})
	}
}

func TestForgottenSessionIsMadeAgain(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	sc.srv.DropSessions()
	eventually(t, "another session", func() bool { return sc.counters().Sessions >= 2 })
	sc.finish()
	if gaps := sc.r.gapsOf(telemetry.CauseSession); len(gaps) < 2 {
		t.Errorf("gaps %+v, want one for each group", gaps)
	}
}

func TestServerRestartsWithPermutedNamespaces(t *testing.T) {
	p := newPlant(t, 3, uaserver.Options{Namespaces: []string{testNS, "urn:other"}})
	r := newRecorder(t)
	g := p.group("g", 0, 3)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
	stop := p.run(5 * time.Millisecond)
	eventually(t, "values flow", func() bool { return r.count() >= 40 })
	gone := p.vars[2]
	stop()
	err := p.srv.Restart(t.Context(), func(srv *uaserver.Server) error {
		srv.RemoveVariable(gone)
		return srv.SetNamespaces("urn:first", "urn:other", testNS, "urn:kvarts:sim")
	})
	if err != nil {
		t.Fatal(err)
	}
	p.vars = p.vars[:2]
	stop = p.run(5 * time.Millisecond)
	defer stop()
	eventually(t, "the deleted node is bad", func() bool { return r.snapshot().ItemsBad == 1 })
	n := r.count()
	eventually(t, "values flow on", func() bool { return r.count() >= n+40 })
	stop()
	p.arrived(r, "v0", "v1")
	bad := r.snapshot().BadItems[0]
	if bad.Tag != "v2" || bad.Reason == "" || bad.Next.IsZero() {
		t.Errorf("bad item %+v", bad)
	}
	marks := r.values("v2")
	if last := marks[len(marks)-1]; last.Value.Type() != telemetry.NoType || !last.Status.IsBad() {
		t.Errorf("last sample of the deleted node is %+v, want a bad marker", last)
	}
	s.stop()
	p.settled(r, "server", seriesOf(Group{Tags: g.Tags[:2]}))
}

func TestOverflowIsLedgered(t *testing.T) {
	p := newPlant(t, 1, uaserver.Options{})
	r := newRecorder(t)
	g := p.group("g", 0, 1)
	g.Publishing, g.Tags[0].Queue = 300*time.Millisecond, 5
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
	eventually(t, "the first value", func() bool { return r.count() >= 1 })
	stop := p.run(5 * time.Millisecond)
	eventually(t, "the queue overflows", func() bool { return r.snapshot().Counters.Overflows >= 2 })
	stop()
	p.arrived(r, "v0")
	s.stop()
	p.settled(r, "server", seriesOf(g))
	gaps := r.gapsOf(telemetry.CauseOverflow)
	if len(gaps) < 2 || gaps[0].Signal != "v0" || gaps[0].Series == "" {
		t.Errorf("gaps %+v", gaps)
	}
	flagged := slices.ContainsFunc(r.values("v0"), func(s telemetry.Sample) bool {
		return s.Status == 0x480 && s.Value.Type() == telemetry.Float
	})
	if !flagged {
		t.Error("no value was kept with its overflow bit")
	}
}

func TestSilentLineIsFound(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, func(c *ServerConfig) { c.Timing.Grace, c.Timing.Dial = 500*time.Millisecond, time.Second })
	sc.srv.Freeze()
	eventually(t, "the silence is noticed", func() bool { return !sc.r.snapshot().Connected })
	sc.srv.Thaw()
	sc.finish()
	if c := sc.counters(); c.Gaps != 0 || c.Sessions != 1 {
		t.Errorf("%d gaps, %d sessions: want 0, 1: %+v", c.Gaps, c.Sessions, sc.r.gaps)
	}
}

func TestBackPressure(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, func(c *ServerConfig) {
		c.Limits.Undelivered, c.Timing.Grace = 4, 500*time.Millisecond
	})
	hold := make(chan struct{})
	sc.r.mu.Lock()
	sc.r.hold = hold
	sc.r.mu.Unlock()
	eventually(t, "a delivery waits", func() bool {
		sc.r.mu.Lock()
		defer sc.r.mu.Unlock()
		return sc.r.waiting > 0
	})
	// For longer than the line may be silent: nothing is asked of it, so silence means nothing.
	wait := time.Now().Add(2 * time.Second)
	eventually(t, "time passes", func() bool { return time.Now().After(wait) })
	if n := sc.out.length(); n > 4+3 {
		t.Errorf("%d messages wait in memory, want at most 7", n)
	}
	sc.r.mu.Lock()
	sc.r.hold = nil
	sc.r.mu.Unlock()
	close(hold)
	sc.finish()
	sc.inSequence()
	if c := sc.counters(); c.Connects != 1 || c.Gaps != 0 {
		t.Errorf("%d connects, %d gaps: want 1, 0", c.Connects, c.Gaps)
	}
}

func TestSinkErrorEndsTheSession(t *testing.T) {
	p := newPlant(t, 1, uaserver.Options{})
	r := newRecorder(t)
	r.fail = errors.New("disk full")
	s := New(ServerConfig{Name: "server", Endpoint: p.srv.Endpoint(), Groups: []Group{p.group("g", 0, 1)}, Timing: quick()}, r, testLog(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Run(ctx); !errors.Is(err, r.fail) {
		t.Errorf("Run returns %v, want the sink's error", err)
	}
	if ctx.Err() != nil {
		t.Error("Run went on until its context ended")
	}
}

func TestStormIsSpaced(t *testing.T) {
	// A server that lets us in and drops us at once: the waits grow although every connect succeeds.
	p := newPlant(t, 1, uaserver.Options{})
	timing := quick()
	timing.BackoffMin, timing.BackoffMax = 20*time.Millisecond, 500*time.Millisecond
	r := newRecorder(t)
	start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{p.group("g", 0, 1)}, Timing: timing}, r)
	begin := time.Now()
	for time.Since(begin) < 3*time.Second {
		eventually(t, "connected or waiting", func() bool {
			return r.snapshot().State == StateRunning || time.Since(begin) > 3*time.Second
		})
		p.srv.KillConnections()
		eventually(t, "noticed", func() bool {
			return r.snapshot().State != StateRunning || time.Since(begin) > 3*time.Second
		})
	}
	// 20+40+80+160+320 ms, then one each 375 to 500 ms.
	if n := r.snapshot().Counters.Connects; n > 15 {
		t.Errorf("%d connects in 3 s", n)
	}
}

func TestResumeLedgersTheTimeBefore(t *testing.T) {
	p := newPlant(t, 1, uaserver.Options{})
	r := newRecorder(t)
	before := telemetry.Now().Add(-time.Hour)
	g := p.group("g", 0, 1)
	s := start(t, ServerConfig{
		Endpoint: p.srv.Endpoint(), Groups: []Group{g, p.groupNamed("new")},
		Resume: map[string]telemetry.Instant{"g": before, "unknown": before},
	}, r)
	eventually(t, "the gap is written", func() bool { return len(r.gapsOf(telemetry.CauseSession)) > 0 })
	s.stop()
	gaps := r.gapsOf(telemetry.CauseSession)
	if len(gaps) != 1 || gaps[0].Group != "g" || gaps[0].From > before || gaps[0].To < telemetry.Now().Add(-patience) {
		t.Errorf("gaps %+v, want one of an hour for g", gaps)
	}
}

func (p *plant) groupNamed(name string) Group {
	return Group{Name: name, Publishing: 20 * time.Millisecond}
}

// A gap is a span of the server's publish times; the samples that it stands for carry the machine's time. However far
// the two clocks are apart, what is lost lies within the gap.
func TestGapsCoverWhateverTheServersClockSays(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			p := newPlant(t, 2, uaserver.Options{})
			p.srv.SetClockSkew(skew)
			r := newRecorder(t)
			g := p.group("g", 0, 2)
			s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
			stop := p.run(5 * time.Millisecond)
			eventually(t, "values flow", func() bool { return r.count() >= 60 })
			p.srv.DropSubscriptions()
			eventually(t, "it is made again", func() bool { return r.snapshot().Counters.Recreated == 1 })
			n := r.count()
			eventually(t, "values flow on", func() bool { return r.count() >= n+60 })
			stop()
			p.arrived(r, "v0", "v1")
			s.stop()
			p.settled(r, "server", seriesOf(g))
			if off := r.snapshot().ClockOffset; (off - skew).Abs() > time.Minute {
				t.Errorf("clock offset %s, want %s", off, skew)
			}
			if len(r.gapsOf(telemetry.CauseSession)) != 1 {
				t.Errorf("gaps %+v", r.gaps)
			}
		})
	}
}
