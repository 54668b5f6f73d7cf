package uasession

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

func TestTakeOverFallsBack(t *testing.T) {
	for name, c := range map[string]struct {
		change func(sc *succession)
		said   string // in a finding, "" when the server has to say it
	}{
		"session gone":       {func(sc *succession) { sc.srv.DropSessions() }, ""},
		"subscriptions gone": {func(sc *succession) { sc.srv.DropSubscriptions() }, ""},
		"too many deaths": {func(sc *succession) {
			sc.edit(func(e *Estate) { e.Attempts = maxAttempts })
			sc.srv.DropSessions() // only so that one session is left at the end
		}, "have died of it"},
		"another endpoint": {func(sc *succession) {
			sc.edit(func(e *Estate) { e.Endpoint += "/other" })
			sc.srv.DropSessions()
		}, "another endpoint"},
		"damaged": {func(sc *succession) {
			sc.edit(func(e *Estate) { e.Token = e.Token[:1] })
			sc.srv.DropSessions()
		}, "read its token"},
	} {
		t.Run(name, func(t *testing.T) {
			sc := newSuccession(t, uaserver.Options{}, nil)
			sc.unacked(8)
			sc.kill()
			c.change(sc)
			from := sc.resume["a"]
			sc.begin()
			sc.finish("server")
			gaps := sc.parent.gapsOf(telemetry.CauseSession)
			if len(gaps) != 2 || gaps[0].From > from || gaps[0].To < from {
				t.Errorf("gaps %+v, want one for each group from %s on", gaps, from)
			}
			found := slices.ContainsFunc(sc.now.recorder.snapshot().Findings, func(f Finding) bool { return strings.Contains(f.Text, c.said) })
			if c.said != "" && !found {
				t.Errorf("findings %+v, want one with %q", sc.now.recorder.snapshot().Findings, c.said)
			}
		})
	}
}

// The subscriptions were made again just before the death: what is on disk is of the ones before and says nothing about
// theirs, and the loss between the two is not ledgered yet.
func TestTakeOverOfSubscriptionsMadeAgain(t *testing.T) {
	for name, lose := range map[string]func(*succession){
		"session":       func(sc *succession) { sc.srv.DropSessions() },
		"subscriptions": func(sc *succession) { sc.srv.DropSubscriptions() },
	} {
		t.Run(name, func(t *testing.T) {
			sc := newSuccession(t, uaserver.Options{}, nil)
			sc.unacked(1)
			lose(sc)
			eventually(t, "they are made again", func() bool { return sc.counters().Recreated >= 2 })
			from, n := sc.resume["a"], sc.now.waiting()
			eventually(t, "messages of theirs wait", func() bool { return sc.now.waiting() >= n+8 })
			// The last words of the process are heard, up to the estate; its gaps are not.
			sc.parent.mu.Lock()
			sc.parent.recorder.gaps = nil
			sc.parent.mu.Unlock()
			sc.kill()
			sc.begin()
			sc.finish("server")
			if c := sc.counters(); c.Reactivated != 1 || c.Sessions != 0 || c.Recreated != 0 {
				t.Errorf("counters %+v, want one session taken over", c)
			}
			gaps := sc.parent.gapsOf(telemetry.CauseSession)
			if len(gaps) != 2 || gaps[0].From > from || gaps[0].Duration() > 5*time.Second {
				t.Errorf("gaps %+v, want one for each group from %s on", gaps, from)
			}
		})
	}
}

// The namespaces moved while nobody looked: node ids of the old session mean other nodes now.
func TestTakeOverAfterNamespacesChanged(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{Namespaces: []string{testNS, "urn:other"}}, nil)
	sc.unacked(8)
	sc.kill()
	sc.edit(func(e *Estate) { slices.Reverse(e.Namespaces) })
	sc.begin()
	sc.finish("server")
	if c := sc.counters(); c.Reactivated != 1 || c.Recreated != 2 {
		t.Errorf("counters %+v, want a session taken over and two subscriptions made again", c)
	}
}

// What the process before could not tell of any more: a subscription that it made, and handles that it gave.
func TestTakeOverOfWhatWasNotTold(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, nil)
	sc.kill()
	sc.edit(func(e *Estate) {
		delete(e.Groups, "b")
		g := e.Groups["a"]
		e.Handle = g.Items[0].Handle
		g.Items = g.Items[:1]
		e.Groups["a"] = g
	})
	sc.begin()
	eventually(t, "the unknown subscription is deleted", func() bool { return sc.srv.Requests()["DeleteSubscriptions"] == 1 })
	sc.finish("server")
	if c := sc.counters(); c.Strays == 0 {
		t.Error("the unknown item is not there: the test shows nothing")
	}
	if gaps := sc.parent.gapsOf(telemetry.CauseSession); len(gaps) != 1 || gaps[0].Group != "b" {
		t.Errorf("gaps %+v, want one of group b", gaps)
	}
}

// The server's memory is shorter than the outage: what it has forgotten is ledgered, and not more.
func TestTakeOverOfAForgetfulServer(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{Limits: uaserver.Limits{RetransmissionQueue: 5}}, nil)
	sc.unacked(60)
	sc.kill()
	sc.begin()
	sc.finish("server")
	c := sc.counters()
	if gaps := sc.parent.gapsOf(telemetry.CauseSequence); c.Reactivated != 1 || c.Lost == 0 || len(gaps) != 2 || len(sc.parent.gaps) != 2 {
		t.Errorf("%d lost, gaps %+v", c.Lost, sc.parent.gaps)
	}
}

// A server that hangs up instead of refusing is not asked for its session for ever.
func TestTakeOverOfAServerThatHangsUp(t *testing.T) {
	p := newPlant(t, 1, uaserver.Options{})
	r := newRecorder(t)
	s := New(ServerConfig{Name: "server", Endpoint: p.srv.Endpoint(), Timing: quick()}, r, testLog(t))
	s.old = &session{}
	for range maxMute - 1 {
		s.muted(fmt.Errorf("%w: %w", errMute, errLost))
	}
	s.muted(errLost) // not reached at all: that says nothing about the session
	for range maxMute {
		if s.old == nil {
			t.Fatal("given up too early")
		}
		s.muted(fmt.Errorf("%w: %w", errMute, errLost))
	}
	if s.old != nil {
		t.Error("not given up")
	}
}

// untilOneLives starts processes that die of what fragile says, and returns how many did before one lived.
func (sc *succession) untilOneLives(fragile func(*Estate) bool) (deaths int) {
	t := sc.plant.t
	t.Helper()
	for ; deaths < 3*maxAttempts; deaths++ {
		sc.now = sc.parent.process()
		sc.now.fragile = fragile
		sc.ses = start(t, sc.parent.heritage(sc.cfg), sc.now)
		dead := false
		eventually(t, "it dies or lives", func() bool {
			sc.now.mu.Lock()
			defer sc.now.mu.Unlock()
			dead = sc.now.dead
			return dead || sc.now.recorder.snapshot().State == StateRunning
		})
		if !dead {
			return deaths
		}
		sc.kill()
	}
	t.Fatalf("%d processes have died", deaths)
	return deaths
}

// A message that kills whoever reads it costs itself and nothing else.
func TestTakeOverLeavesAFatalMessageOut(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, nil)
	sc.unacked(16)
	sc.kill()
	poison := sc.parent.next["a"].Seq + 3
	asked := 0
	deaths := sc.untilOneLives(func(e *Estate) bool {
		if e.Attempts == 1 {
			return true // the first take-over does not say what it reads
		}
		for _, d := range e.Doubts {
			if d.Group == "a" && d.Mark.Seq == poison && d.Deaths > asked {
				asked = d.Deaths
				return true
			}
		}
		return false
	})
	if deaths != 1+maxDeaths {
		t.Errorf("%d processes have died, want %d", deaths, 1+maxDeaths)
	}
	sc.now.set(func() { sc.now.fragile = nil })
	sc.finish("server")
	for _, m := range sc.ours {
		if m.Group == "a" && m.Seq == poison {
			t.Error("the message was read")
		}
	}
	gaps := sc.parent.gapsOf(telemetry.CauseDecode)
	if len(gaps) != 1 || len(sc.parent.gaps) != 1 || gaps[0].Group != "a" {
		t.Errorf("gaps %+v, want one", sc.parent.gaps)
	}
	if c := sc.counters(); c.Reactivated != 1 || c.Sessions != 0 || c.Lost != 1 {
		t.Errorf("counters %+v", c)
	}
}

// When every take-over kills, and nobody knows by what, the session is given up in the end.
func TestTakeOverIsNotTriedForEver(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, nil)
	sc.kill()
	deaths := sc.untilOneLives(func(e *Estate) bool { return e.Attempts > 0 })
	if deaths != maxAttempts {
		t.Errorf("%d processes have died, want %d", deaths, maxAttempts)
	}
	sc.flow()
	if c := sc.counters(); c.Sessions != 1 || c.Reactivated != 0 {
		t.Errorf("counters %+v", c)
	}
	if gaps := sc.parent.gapsOf(telemetry.CauseSession); len(gaps) != 2 {
		t.Errorf("gaps %+v, want one for each group", gaps)
	}
	// What has lived counts no deaths.
	sc.kill()
	sc.begin()
	sc.flow()
	if sc.edit(func(e *Estate) {
		if e.Attempts != 0 || e.Doubts != nil {
			t.Errorf("%d attempts, doubts %+v after one that lived", e.Attempts, e.Doubts)
		}
	}); sc.counters().Reactivated != 1 {
		t.Error("not taken over")
	}
}
