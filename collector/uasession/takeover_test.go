package uasession

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

func TestTakeOver(t *testing.T) {
	for name, c := range map[string]func(sc *succession){
		"all on disk":  func(*succession) {},
		"some not yet": func(sc *succession) { sc.unacked(8) },
		"acknowledgements lost": func(sc *succession) {
			sc.now.set(func() { sc.now.mute = true })
			sc.flow()
		},
		"some not yet, acknowledgements lost": func(sc *succession) {
			sc.now.set(func() { sc.now.mute = true })
			sc.flow()
			sc.unacked(8)
		},
	} {
		t.Run(name, func(t *testing.T) {
			sc := newSuccession(t, uaserver.Options{}, nil)
			c(sc)
			sc.kill()
			sc.begin()
			sc.finish("server")
			sc.untouched()
			if n := sc.now.recorder.snapshot().Counters.Strays; n != 0 {
				t.Errorf("%d strays", n)
			}
		})
	}
}

// Acknowledgements that were lost are made up for: the server must not keep what is on disk.
func TestTakeOverAcknowledgesWhatIsOnDisk(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, nil)
	sc.now.set(func() { sc.now.mute = true })
	sc.flow()
	kept := sc.onDisk("a") + sc.onDisk("b")
	sc.kill()
	before := sc.srv.Stats().Acknowledgements
	sc.halt()
	sc.begin()
	eventually(t, "what is on disk is acknowledged", func() bool { return sc.srv.Stats().Acknowledgements >= before+20 })
	sc.halt = sc.run(5 * time.Millisecond)
	sc.finish("server")
	sc.untouched()
	if c := sc.counters(); c.AckRefused != 0 {
		t.Errorf("%d acknowledgements refused of %d", c.AckRefused, kept)
	}
}

// A process that dies again and again, also while it takes over.
func TestTakeOverByManyProcesses(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, nil)
	for range 4 {
		sc.unacked(3)
		sc.kill()
		sc.begin()
		sc.flow()
	}
	sc.finish("server")
	sc.untouched()
}

func TestTakeOverAroundTheRollover(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{FirstSequence: 4294967295 - 40}, nil)
	for range 3 {
		sc.unacked(8)
		sc.kill()
		sc.begin()
		sc.flow()
	}
	sc.finish("server")
	sc.untouched()
	sc.parent.mu.Lock()
	defer sc.parent.mu.Unlock()
	if m := sc.parent.next["a"]; m.Seq > 1000 {
		t.Errorf("the last message is %d: the numbers did not begin again", m.Seq)
	}
}

// Nothing of a subscription is on disk: it is asked for from its first message on, wherever the server begins.
func TestTakeOverBeforeAnythingIsOnDisk(t *testing.T) {
	for _, first := range []uint32{1, 70_000} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			p := newPlant(t, 4, uaserver.Options{FirstSequence: first})
			sc := &succession{plant: p, parent: newParent(t), px: peers.Proxy(t, p.srv.Endpoint()), groups: []Group{p.group("a", 0, 2), p.group("b", 2, 4)}}
			sc.cfg = ServerConfig{Endpoint: sc.px.Endpoint, Groups: sc.groups, Timing: shortDrain()}
			sc.halt = p.run(5 * time.Millisecond)
			sc.begin()
			sc.unacked(8)
			sc.kill()
			sc.begin()
			sc.finish("server")
			sc.untouched()
			if m := sc.ours[0]; m.Seq != first {
				t.Errorf("it begins with message %d, want %d", m.Seq, first)
			}
		})
	}
}

// The configuration changed between: what is the same goes on, the difference is told to the server as at a reload.
func TestTakeOverWithAnotherConfiguration(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, nil)
	p := sc.plant
	sc.unacked(8)
	sc.kill()
	a, c := p.group("a", 0, 1), p.group("c", 1, 2) // v1 goes to another group, v3 becomes faster, b gets a tag more
	b := p.group("b", 2, 4)
	b.Tags[1].Sampling = 5 * time.Millisecond
	b.Publishing = 40 * time.Millisecond
	extra := b.Tags[0]
	extra.Name, extra.Outputs = "again", []Output{{Series: testSeries(t, "b"), Name: "again", Type: telemetry.Float}}
	b.Tags = append(b.Tags, extra)
	sc.cfg.Groups = []Group{a, b, c}
	before := sc.srv.Requests()
	sc.begin()
	eventually(t, "the server has what is wanted", func() bool { return sc.srv.MonitoredItems() == 5 && sc.now.recorder.snapshot().ItemsOK == 5 })
	n := sc.grown(before)
	if n["CreateSubscription"] != 1 || n["ModifySubscription"] != 1 || n["CreateMonitoredItems"] != 2 || n["ModifyMonitoredItems"] != 1 || n["DeleteMonitoredItems"] != 1 {
		t.Errorf("requests %v", n)
	}
	sc.flow()
	sc.halt()
	sc.arrived(sc.parent.recorder, "v0", "v1", "v2", "v3", "again")
	sc.ses.stop()
	// Not v3: sampled, it does not see every change.
	sc.settled(sc.parent.recorder, "server", seriesOf(p.group("a", 0, 1), p.group("b", 2, 3)))
	sc.untouched()

	// And a group less.
	sc.begin()
	eventually(t, "all flow", func() bool { return sc.now.recorder.snapshot().ItemsOK == 5 })
	sc.kill()
	sc.cfg.Groups = []Group{p.group("a", 0, 1)}
	before = sc.srv.Requests()
	sc.begin()
	eventually(t, "one item is left", func() bool { return sc.srv.MonitoredItems() == 1 && sc.now.recorder.snapshot().ItemsOK == 1 })
	if n := sc.grown(before); n["DeleteSubscriptions"] != 2 || n["CreateSubscription"]+n["CreateMonitoredItems"] != 0 {
		t.Errorf("requests for two groups less: %v", n)
	}
}

// An unchanged configuration is not a word to the server, also where the type of a tag is not configured; and the
// values that were waiting have their type.
func TestTakeOverTellsTheServerNothingNew(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, func(c *ServerConfig) {
		for i := range c.Groups {
			for k := range c.Groups[i].Tags {
				tag := &c.Groups[i].Tags[k]
				tag.Outputs[0].Type = telemetry.NoType
				if k == 0 {
					tag.Node, tag.Path = "", []QName{{testNS, "Line"}, {testNS, tag.Name}}
				}
			}
		}
	})
	sc.unacked(8)
	sc.kill()
	before := sc.srv.Requests()
	sc.begin()
	sc.finish("server")
	sc.untouched()
	n := sc.grown(before)
	if n["CreateSubscription"]+n["ModifySubscription"]+n["CreateMonitoredItems"]+n["ModifyMonitoredItems"]+n["DeleteMonitoredItems"]+n["TranslateBrowsePathsToNodeIds"]+n["TranslateBrowsePathsToNodeIDs"] != 0 {
		t.Errorf("requests for the same configuration: %v", n)
	}
	for _, s := range sc.parent.recorder.samples {
		if s.sample.Field.Type != telemetry.Float || s.sample.Value.Type() != telemetry.Float {
			t.Fatalf("sample %+v of %s", s.sample, s.sample.Field.Name)
		}
	}
}

// Types are known from the nodes before the first value comes, which may be long after.
func TestTakeOverLearnsTypes(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, func(c *ServerConfig) {
		for i := range c.Groups {
			for k := range c.Groups[i].Tags {
				c.Groups[i].Tags[k].Outputs[0].Type = telemetry.NoType
			}
		}
	})
	sc.halt()
	sc.arrived(sc.parent.recorder, "v0", "v1", "v2", "v3")
	sc.kill()
	pinned := make(chan telemetry.Type, 10)
	sc.cfg.Pin = func(_ *telemetry.Series, name string, seen telemetry.Type) (*telemetry.Field, error) {
		pinned <- seen
		return telemetry.NewField(name, seen)
	}
	sc.begin()
	eventually(t, "all types are pinned", func() bool { return len(pinned) == 4 })
	for range 4 {
		if typ := <-pinned; typ != telemetry.Float {
			t.Errorf("type %s, want float", typ)
		}
	}
	if n := sc.now.recorder.count(); n != 0 {
		t.Errorf("%d values have come: the test shows nothing", n)
	}
}

// A refused item stays refused, and the ledger has no hole between what the processes wrote.
func TestTakeOverOfRefusedItems(t *testing.T) {
	sc := newSuccession(t, uaserver.Options{}, func(c *ServerConfig) {
		c.Groups[0].Tags[1].Node = "nsu=" + testNS + ";s=nowhere"
	})
	refused := telemetry.Now()
	eventually(t, "it is refused", func() bool { return sc.now.recorder.snapshot().ItemsBad == 1 })
	sc.kill()
	sc.begin()
	eventually(t, "it is refused again", func() bool { return len(sc.now.recorder.gapsOf(telemetry.CauseItem)) > 0 })
	sc.parent.unbroken(t, "v1", refused, telemetry.Now())
	if c := sc.counters(); c.Reactivated != 1 || c.Sessions != 0 {
		t.Errorf("counters %+v", c)
	}
}

// Secured, with user and password, against another stack: the signature and the password are made with the nonce that
// the process before was told last.
func TestPeerTakeOver(t *testing.T) {
	u := peers.NodeOPCUA(t, func(o *peers.NodeOptions) {
		o.Load, o.LoadPeriod, o.NoMachine, o.NoOdd, o.NoTypes = 20, 50*time.Millisecond, true, true, true
	})
	for _, c := range []struct {
		policy Policy
		mode   Mode
	}{{PolicyNone, ModeNone}, {PolicyBasic256Sha256, ModeSign}, {PolicyAes256Sha256RsaPss, ModeSignAndEncrypt}} {
		t.Run(fmt.Sprintf("%s %s", c.policy, c.mode), func(t *testing.T) {
			g := loadGroup(t, "g", 20, 100*time.Millisecond)
			timing := peerTiming()
			timing.Drain = 50 * time.Millisecond
			sc := &succession{parent: newParent(t), plant: &plant{t: t}, px: peers.Proxy(t, u.Endpoint)}
			sc.cfg = ServerConfig{
				Endpoint: sc.px.Endpoint, Policy: c.policy, Mode: c.mode, Certificates: certificates(t), User: u.User, Password: u.Password,
				Timing: timing, Groups: []Group{g},
			}
			sc.begin()
			for range 3 {
				n := sc.onDisk("g")
				eventually(t, "values flow: "+sc.now.snapshotOf(), func() bool { return sc.onDisk("g") > n+5 })
				sc.unacked(5)
				sc.kill()
				sc.begin()
			}
			n := sc.onDisk("g")
			eventually(t, "values flow: "+sc.now.snapshotOf(), func() bool { return sc.onDisk("g") > n+5 })
			sc.untouched()
			if err := sc.ses.stop(); err != nil {
				t.Fatal(err)
			}
			if st := sc.now.recorder.snapshot(); st.User != u.User || st.Policy != string(c.policy) {
				t.Errorf("state %+v", st)
			}
		})
	}
}

// A message with nothing to store is acknowledged with the next one that has something, not before.
func TestEmptyMessagesAreAcknowledgedWithTheNext(t *testing.T) {
	sub := &subscription{id: 1, stream: 2}
	sub.ride(0)
	sub.ride(5)
	sub.ride(6)
	acks := newAckList()
	done := acks.done(0, sub.id, 7, sub.riders...)
	all := func(ack) bool { return true }
	if out, _ := acks.take(all); len(out) != 0 {
		t.Errorf("%d acknowledgements before the message is on disk", len(out))
	}
	done()
	done()
	out, _ := acks.take(all)
	var numbers []uint32
	for _, a := range out {
		numbers = append(numbers, a.SequenceNumber)
	}
	if !slices.Equal(numbers, []uint32{5, 6, 7}) {
		t.Errorf("acknowledged %d", numbers)
	}
	for n := range uint32(3 * maxRiders) {
		sub.ride(n + 1)
	}
	if len(sub.riders) != maxRiders || sub.riders[maxRiders-1] != 3*maxRiders {
		t.Errorf("%d riders", len(sub.riders))
	}
}
