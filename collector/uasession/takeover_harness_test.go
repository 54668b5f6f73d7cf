package uasession

import (
	"context"
	"encoding/json"
	"fmt"
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
