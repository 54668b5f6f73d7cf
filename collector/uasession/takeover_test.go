package uasession

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

// parent is what outlives processes: it keeps what is on disk, and the newest estate. Each process has its own port to
// it, a mortal.
type parent struct {
	t *testing.T
	*recorder

	mu     sync.Mutex
	estate []byte // as JSON, as it would come through a pipe
	next   map[string]Mark
	resume map[string]telemetry.Instant
	ours   []*Message // on disk
	told   int
}

func newParent(t *testing.T) *parent {
	return &parent{t: t, recorder: newRecorder(t), next: map[string]Mark{}, resume: map[string]telemetry.Instant{}}
}

// mortal is the sink of one process. What it is given after its death is nobody's.
type mortal struct {
	*parent
	*recorder // of this process

	mu      sync.Mutex
	dead    bool
	disk    bool // what comes is on disk at once
	mute    bool // what is on disk is not acknowledged
	pending int  // messages that came and are not on disk
	fragile func(*Estate) bool
}

func (p *parent) process() *mortal {
	return &mortal{parent: p, recorder: newRecorder(p.t), disk: true}
}

func (m *mortal) Deliver(ctx context.Context, msg *Message, done func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.dead:
		return nil
	case !m.disk && msg.Seq != 0:
		m.pending++
		return nil
	}
	m.parent.store(msg)
	if m.mute {
		done = func() {}
	}
	return m.recorder.Deliver(ctx, msg, done)
}

func (p *parent) store(m *Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.Seq != 0 {
		p.next[m.Group] = Mark{m.Stream, m.Seq + 1}
		p.resume[m.Group] = m.Published
	}
	p.ours = append(p.ours, m)
	_ = p.recorder.Deliver(context.Background(), m, func() {})
}

func (m *mortal) Gap(ctx context.Context, g telemetry.Gap) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil
	}
	_ = m.recorder.Gap(ctx, g)
	return m.parent.recorder.Gap(ctx, g)
}

func (m *mortal) State(s ServerState) { m.recorder.State(s) }

func (m *mortal) Estate(e Estate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return
	}
	b, err := json.Marshal(e)
	if err != nil {
		m.parent.t.Errorf("estate: %v", err)
	}
	m.parent.mu.Lock()
	defer m.parent.mu.Unlock()
	m.parent.estate = b
	m.told++
	m.dead = m.fragile != nil && m.fragile(&e)
}

func (m *mortal) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *mortal) waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pending
}

func (p *parent) onDisk(group string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.ours {
		if m.Group == group {
			n++
		}
	}
	return n
}

// heritage is what the next process is started with.
func (p *parent) heritage(cfg ServerConfig) ServerConfig {
	p.mu.Lock()
	defer p.mu.Unlock()
	var e Estate
	if p.estate != nil {
		if err := json.Unmarshal(p.estate, &e); err != nil {
			p.t.Fatal(err)
		}
		cfg.Estate = &e
	}
	cfg.Next, cfg.Resume = map[string]Mark{}, map[string]telemetry.Instant{}
	for g, m := range p.next {
		cfg.Next[g], cfg.Resume[g] = m, p.resume[g]
	}
	return cfg
}

// once checks that the messages on disk are all of their streams, each once and in order.
func (p *parent) once() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	last := map[string]Mark{}
	for _, m := range p.ours {
		if m.Seq == 0 {
			continue
		}
		before, ok := last[m.Group]
		if ok && (m.Stream != before.Stream || m.Seq != nextSeq(before.Seq)) {
			p.t.Errorf("group %s: message %d of %x after %d of %x", m.Group, m.Seq, m.Stream, before.Seq, before.Stream)
		}
		last[m.Group] = Mark{m.Stream, m.Seq}
	}
}

// succession is a plant with processes that follow each other.
type succession struct {
	*plant
	*parent
	px     *peers.TCPProxy
	cfg    ServerConfig
	now    *mortal
	ses    *running
	groups []Group
	halt   func()
}

// shortDrain are times for processes that are killed: what they wait for at their end never comes.
func shortDrain() Timing {
	timing := quick()
	timing.Drain = 50 * time.Millisecond
	return timing
}

func newSuccession(t *testing.T, opts uaserver.Options, change func(*ServerConfig)) *succession {
	t.Helper()
	p := newPlant(t, 4, opts)
	sc := &succession{plant: p, parent: newParent(t), px: peers.Proxy(t, p.srv.Endpoint()), groups: []Group{p.group("a", 0, 2), p.group("b", 2, 4)}}
	sc.cfg = ServerConfig{Endpoint: sc.px.Endpoint, Groups: sc.groups, Timing: shortDrain()}
	if change != nil {
		change(&sc.cfg)
	}
	sc.begin()
	eventually(t, "first values", func() bool { return sc.parent.onDisk("a") > 0 && sc.parent.onDisk("b") > 0 })
	sc.halt = p.run(5 * time.Millisecond)
	sc.flow()
	return sc
}

// begin starts the next process.
func (sc *succession) begin() {
	sc.plant.t.Helper()
	sc.now = sc.parent.process()
	sc.ses = start(sc.plant.t, sc.parent.heritage(sc.cfg), sc.now)
}

// flow waits until values flow to disk.
func (sc *succession) flow() {
	sc.plant.t.Helper()
	a, b := sc.onDisk("a"), sc.onDisk("b")
	eventually(sc.plant.t, "values flow: "+sc.now.snapshotOf(), func() bool { return sc.onDisk("a") > a+10 && sc.onDisk("b") > b+10 })
}

func (m *mortal) snapshotOf() string {
	st := m.recorder.snapshot()
	return fmt.Sprintf("%s %s %s", st.State, st.Text, st.LastError)
}

// kill ends the process as kill -9 does: nothing that it says is heard any more, by nobody.
func (sc *succession) kill() {
	sc.plant.t.Helper()
	sc.now.set(func() { sc.now.dead = true })
	sc.px.Refuse(true)
	sc.px.Cut()
	_ = sc.ses.stop()
	sc.px.Refuse(false)
}

// unacked lets n messages of each group come that do not reach the disk.
func (sc *succession) unacked(n int) {
	sc.plant.t.Helper()
	sc.now.set(func() { sc.now.disk = false })
	eventually(sc.plant.t, "messages wait", func() bool { return sc.now.waiting() >= n })
}

func (sc *succession) counters() Counters { return sc.now.recorder.snapshot().Counters }

// finish checks the books of all processes together.
func (sc *succession) finish(server string) {
	t := sc.plant.t
	t.Helper()
	sc.flow()
	sc.halt()
	sc.arrived(sc.parent.recorder, "v0", "v1", "v2", "v3")
	if n := sc.srv.Sessions(); n != 1 {
		t.Errorf("%d sessions at the server, want 1", n)
	}
	if err := sc.ses.stop(); err != nil {
		t.Fatal(err)
	}
	if n := sc.srv.Mutations(); n != 0 {
		t.Errorf("%d requests would have changed the machine", n)
	}
	sc.settled(sc.parent.recorder, server, seriesOf(sc.groups...))
	if n := sc.srv.Sessions(); n != 0 {
		t.Errorf("%d sessions are left at the server", n)
	}
	var e Estate
	if err := json.Unmarshal(sc.estate, &e); err != nil || !e.Empty() {
		t.Errorf("after a clean end: estate %s, %v", sc.estate, err)
	}
}

// untouched checks that the take-over was one, and that nobody could tell it from what was collected.
func (sc *succession) untouched() {
	sc.plant.t.Helper()
	sc.once()
	c := sc.counters()
	if c.Sessions != 0 || c.Reactivated != 1 || c.Recreated != 0 || c.Lost != 0 {
		sc.plant.t.Errorf("counters %+v, want one session taken over", c)
	}
	if n := len(sc.parent.gaps); n != 0 {
		sc.plant.t.Errorf("%d gaps: %+v", n, sc.parent.gaps)
	}
}

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

// edit changes the estate that the next process gets.
func (sc *succession) edit(change func(*Estate)) {
	sc.parent.mu.Lock()
	defer sc.parent.mu.Unlock()
	var e Estate
	if err := json.Unmarshal(sc.estate, &e); err != nil {
		sc.plant.t.Fatal(err)
	}
	change(&e)
	sc.estate, _ = json.Marshal(e)
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

// A refused item stays refused, and its loss goes back to when it was refused first.
func TestTakeOverOfRefusedItems(t *testing.T) {
	refused := telemetry.Now()
	sc := newSuccession(t, uaserver.Options{}, func(c *ServerConfig) {
		c.Groups[0].Tags[1].Node = "nsu=" + testNS + ";s=nowhere"
	})
	eventually(t, "it is refused", func() bool { return sc.now.recorder.snapshot().ItemsBad == 1 })
	sc.kill()
	end := telemetry.Now()
	sc.begin()
	eventually(t, "it is refused again", func() bool {
		gaps := sc.parent.gapsOf(telemetry.CauseItem)
		return len(gaps) > 0 && gaps[len(gaps)-1].To > end
	})
	gaps := sc.parent.gapsOf(telemetry.CauseItem)
	if g := gaps[len(gaps)-1]; g.From != gaps[0].From || g.From < refused.Add(-time.Second) || g.Signal != "v1" {
		t.Errorf("gap %+v, the first is %+v", g, gaps[0])
	}
	if c := sc.counters(); c.Reactivated != 1 || c.Sessions != 0 {
		t.Errorf("counters %+v", c)
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
