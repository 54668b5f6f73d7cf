package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/klauspost/compress/gzip"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"kvarts/collector/uasession"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parent plays the parent of a worker that runs in the test.
type parent struct {
	t    *testing.T
	dir  string
	out  *Writer // to the worker
	toIn io.Closer
	from *io.PipeReader
	done chan error

	mu     sync.Mutex
	mute   bool // blocks are not acknowledged
	blocks []Block
	lines  []string
	gaps   []telemetry.Gap
	order  []Kind // of the frames other than states
	tracks map[string]Tracks
	known  Known
	states map[string]uasession.ServerState
}

func startWorker(t *testing.T) *parent {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p := &parent{t: t, dir: t.TempDir(), out: NewWriter(inW), toIn: inW, from: outR, done: make(chan error, 1), tracks: map[string]Tracks{}, known: Known{}, states: map[string]uasession.ServerState{}}
	go func() {
		p.done <- Run(context.Background(), Options{In: inR, Out: outW, Log: zerolog.Nop()})
		_ = outW.Close()
		_ = inR.Close()
	}()
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for r := NewReader(outR); ; {
			f, err := r.Next()
			if err != nil || p.take(f) != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = inW.Close()
		_ = outR.Close()
		<-reading
	})
	return p
}

func (p *parent) take(f Frame) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Kind != KindState && f.Kind != KindKnown {
		p.order = append(p.order, f.Kind)
	}
	switch f.Kind {
	case KindBlock:
		b, err := ParseBlock(f.Body)
		if err != nil {
			return err
		}
		b.Payload = append([]byte(nil), b.Payload...)
		p.blocks = append(p.blocks, b)
		if len(b.Payload) > 0 {
			zr, err := gzip.NewReader(strings.NewReader(string(b.Payload)))
			if err != nil {
				return err
			}
			text, err := io.ReadAll(zr)
			if err != nil {
				return err
			}
			p.lines = append(p.lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
		}
		if !p.mute {
			go func() { _ = p.out.Ack(b.ID) }()
		}
	case KindGap:
		g, derr := Decode[telemetry.Gap](f)
		p.gaps, err = append(p.gaps, g), derr
	case KindTracks:
		tr, derr := ParseTracks(f.Body)
		p.tracks[tr.Server], err = tr, derr
	case KindKnown:
		p.known, err = Decode[Known](f)
	case KindState:
		list, derr := Decode[[]uasession.ServerState](f)
		for _, s := range list {
			p.states[s.Server] = s
		}
		err = derr
	}
	return err
}

func (p *parent) eventually(what string, ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		yes := ok()
		p.mu.Unlock()
		if yes {
			return
		}
		if time.Now().After(deadline) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.t.Fatalf("%s: %d lines, order %q, states %+v", what, len(p.lines), p.order, p.states)
		}
	}
}

// configure sends the setup of servers, given as YAML.
func (p *parent) configure(resume Known, names []string, servers ...string) {
	p.t.Helper()
	text := fmt.Sprintf("collector: gw\nnamespaces: {m: 'urn:m'}\nbuffer: {dir: %s/b}\ndestinations: [{name: s, url: 'http://127.0.0.1:9', database: d}]\nservers:\n%s", p.dir, strings.Join(servers, ""))
	if err := p.out.JSON(KindSetup, Setup{File: filepath.Join(p.dir, "c.yaml"), Text: []byte(text), Servers: names, PKI: filepath.Join(p.dir, "pki"), Resume: resume}); err != nil {
		p.t.Fatal(err)
	}
}

func server(name, endpoint, more, nodes string) string {
	return fmt.Sprintf("- {name: %s, endpoint: '%s', security: {policy: None, mode: None}, backoff: {min: 100ms, max: 1s}%s, groups: [{name: g, publishing: 50ms, keep_alive: 10s, sampling: fastest, measurement: m, tags: {unit: %s}, nodes: [%s]}]}\n",
		name, endpoint, more, name, nodes)
}

func newMachine(t *testing.T, o uaserver.Options) (*uaserver.Server, *uaserver.Variable) {
	t.Helper()
	o.Namespaces = []string{"urn:m"}
	m := uaserver.New(o)
	v, err := m.AddVariable(uaserver.NodeSpec{ID: "nsu=urn:m;s=x", Path: "x", Initial: 1.0})
	if err == nil {
		err = m.Start(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, v
}

func mustSet(t *testing.T, v *uaserver.Variable, value any) {
	t.Helper()
	if err := v.Set(value, ua.StatusOK, time.Now()); err != nil {
		t.Fatal(err)
	}
}

const oneNode = "{id: 'm:s=x', field: f}"

// Values become blocks; the machine is told that it may forget them when the parent has confirmed them, and not before;
// a clean stop sends what is left, then the tracks.
func TestRunFromMachineToParent(t *testing.T) {
	m, v := newMachine(t, uaserver.Options{})
	p := startWorker(t)
	p.mute = true
	p.configure(nil, []string{"a"}, server("a", m.Endpoint(), "", oneNode))
	p.eventually("the first value", func() bool { return len(p.lines) == 1 })
	for i := range 5 {
		mustSet(t, v, float64(i))
	}
	p.eventually("all values", func() bool { return len(p.lines) == 6 })
	if n := m.Stats().Acknowledgements; n != 0 {
		t.Errorf("%d messages were acknowledged to the machine, none by the parent", n)
	}
	p.mu.Lock()
	p.mute = false
	last := p.blocks[len(p.blocks)-1]
	p.mu.Unlock()
	if last.Server != "a" || last.Group != "g" || last.Published == 0 || last.First > last.Last {
		t.Errorf("%+v", last.Record)
	}
	if err := p.out.Ack(last.ID); err != nil {
		t.Fatal(err)
	}
	p.eventually("an acknowledgement", func() bool { return m.Stats().Acknowledgements > 0 })
	p.eventually("what is known of a silent group", func() bool {
		at := p.known["a"]["g"]
		return at > 0 && at <= telemetry.Now().Add(-knownSlack)
	})
	mustSet(t, v, 99.0)
	if err := p.out.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		t.Errorf("ended with %v", err)
	}
	p.eventually("tracks last", func() bool { return len(p.order) > 0 && p.order[len(p.order)-1] == KindTracks })
	if tag := p.tracks["a"].Tags["m,unit=a f"]; tag == nil || tag.Type != telemetry.Float {
		t.Errorf("%+v", p.tracks["a"])
	}
	if m.Sessions() != 0 || m.MonitoredItems() != 0 {
		t.Error("something is left at the machine")
	}
}

// Without its parent a worker ends, whatever it is doing.
func TestParentGone(t *testing.T) {
	m, _ := newMachine(t, uaserver.Options{})
	for name, gone := range map[string]func(p *parent){
		"reads nothing more": func(p *parent) { _ = p.from.Close() },
		"sends nothing more": func(p *parent) { _ = p.toIn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			p := startWorker(t)
			p.configure(nil, []string{"a"}, server("a", m.Endpoint(), "", oneNode))
			p.eventually("the first value", func() bool { return len(p.lines) > 0 })
			gone(p)
			select {
			case err := <-p.done:
				if err == nil {
					t.Error("it ended as if it had been asked to")
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it goes on without its parent")
			}
		})
	}
}

// A setup that cannot be understood ends the worker with the reason.
func TestBadSetup(t *testing.T) {
	p := startWorker(t)
	p.configure(nil, []string{"a"}, "nonsense: [")
	if err := <-p.done; err == nil || !strings.Contains(err.Error(), "configuration") {
		t.Errorf("ended with %v", err)
	}
}

// A password that cannot be read stops its server and no other; when it can be read, the server is collected without
// anybody's help; when it has changed, a reload takes it.
func TestPassword(t *testing.T) {
	plain, _ := newMachine(t, uaserver.Options{})
	locked, _ := newMachine(t, uaserver.Options{Users: map[string]string{"u": "two"}})
	p := startWorker(t)
	file := filepath.Join(p.dir, "password")
	servers := []string{server("a", plain.Endpoint(), "", oneNode), server("b", locked.Endpoint(), ", auth: {user: u, password_file: "+file+", allow_plaintext_password: true}", oneNode)}
	names := []string{"a", "b"}
	p.configure(nil, names, servers...)
	p.eventually("the neighbour", func() bool { return p.states["a"].ItemsOK == 1 })
	p.eventually("the reason", func() bool { return strings.Contains(p.states["b"].LastError, file) && !p.states["b"].Connected })
	write := func(secret string) {
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	p.eventually("a try with the first password", func() bool { return p.states["b"].Counters.ConnectFails > 0 })
	write("two")
	p.configure(nil, names, servers...)
	p.eventually("the second password", func() bool { return p.states["b"].ItemsOK == 1 })
	if s := p.states["a"].Counters.Sessions; s != 1 {
		t.Errorf("the neighbour has had %d sessions", s)
	}
	if err := errors.Join(p.out.Stop(), <-p.done); err != nil {
		t.Error(err)
	}
}

// A reload that changes how a server is reached makes a new session: what lies between is ledgered from where the
// parent had everything, and the numbering goes on.
func TestReloadOfTheConnection(t *testing.T) {
	m, v := newMachine(t, uaserver.Options{})
	p := startWorker(t)
	p.configure(nil, []string{"a"}, server("a", m.Endpoint(), "", oneNode))
	p.eventually("the first value", func() bool { return len(p.lines) == 1 })
	resume := Known{"a": {"g": telemetry.Now().Add(-time.Minute)}}
	p.configure(resume, []string{"a"}, server("a", m.Endpoint(), ", session_timeout: 50s", oneNode))
	p.eventually("the new session", func() bool { return p.states["a"].Counters.Connects == 1 && len(p.lines) > 1 && len(p.gaps) == 1 })
	g := p.gaps[0]
	if g.Cause != telemetry.CauseSession || g.From > resume["a"]["g"] || g.To < resume["a"]["g"].Add(50*time.Second) {
		t.Errorf("%+v", g)
	}
	mustSet(t, v, 5.0)
	p.eventually("another value", func() bool { return strings.Contains(strings.Join(p.lines, " "), "f=5") })
	// Removed, it leaves its last tracks.
	p.configure(nil, nil, server("a", m.Endpoint(), ", session_timeout: 50s", oneNode))
	p.eventually("the session is closed", func() bool { return m.Sessions() == 0 })
	if err := errors.Join(p.out.Stop(), <-p.done); err != nil {
		t.Error(err)
	}
	if tag := p.tracks["a"].Tags["m,unit=a f"]; tag == nil || tag.Newest() < telemetry.Now().Add(-time.Minute) {
		t.Errorf("%+v", p.tracks)
	}
}
