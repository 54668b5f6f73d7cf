package uasession

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testNS = "urn:kvarts:test"

// patience bounds every wait of a test: far more than any step takes, also on a busy machine.
const patience = 60 * time.Second

// quick are the session's times, small enough for tests.
func quick() Timing {
	return Timing{
		Dial: 5 * time.Second, Request: 5 * time.Second, Session: 30 * time.Second, Lifetime: 20 * time.Second,
		KeepAlive: 200 * time.Millisecond, Grace: 10 * time.Second, Reorder: 50 * time.Millisecond,
		BackoffMin: 20 * time.Millisecond, BackoffMax: 200 * time.Millisecond,
		RetryItem: 100 * time.Millisecond, RetryMax: time.Second, StateEvery: 50 * time.Millisecond, Drain: 2 * time.Second,
	}
}

// got is one delivered sample.
type got struct {
	sample telemetry.Sample
	group  string
	seq    uint32
}

// recorder is a Sink that keeps everything.
type recorder struct {
	t *testing.T

	mu       sync.Mutex
	samples  []got
	messages []*Message
	gaps     []telemetry.Gap
	rejected []Rejected
	state    ServerState
	states   []ConnState
	hold     chan struct{} // when set, Deliver waits until it is closed
	ack      func(m *Message, done func())
	fail     error
	waiting  int // Deliver calls that wait on hold
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t: t, ack: func(_ *Message, done func()) { done() }}
}

func (r *recorder) Deliver(ctx context.Context, m *Message, done func()) error {
	r.mu.Lock()
	hold, fail, ack := r.hold, r.fail, r.ack
	if hold != nil {
		r.waiting++
	}
	r.mu.Unlock()
	if fail != nil {
		return fail
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	r.messages = append(r.messages, m)
	for _, s := range m.Samples {
		r.samples = append(r.samples, got{s, m.Group, m.Seq})
	}
	r.rejected = append(r.rejected, m.Rejected...)
	r.mu.Unlock()
	ack(m, done)
	return nil
}

func (r *recorder) Gap(_ context.Context, g telemetry.Gap) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.To < g.From {
		r.t.Errorf("gap ends before it begins: %+v", g)
	}
	same := func(o telemetry.Gap) bool {
		return o.Server == g.Server && o.Group == g.Group && o.Series == g.Series && o.Signal == g.Signal && o.Cause == g.Cause && o.From == g.From
	}
	if i := slices.IndexFunc(r.gaps, same); i >= 0 { // one point in the store: the newer one counts
		if r.gaps[i].Cause == telemetry.CauseItem && g.To > r.gaps[i].To {
			r.t.Errorf("an entry has grown, and its older version may reach the store last: %+v after %+v", g, r.gaps[i])
		}
		r.gaps[i] = g
		return nil
	}
	r.gaps = append(r.gaps, g)
	return nil
}

func (r *recorder) State(s ServerState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
	if n := len(r.states); n == 0 || r.states[n-1] != s.State {
		r.states = append(r.states, s.State)
	}
}

func (r *recorder) Estate(Estate) {}

func (r *recorder) snapshot() ServerState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.samples)
}

func (r *recorder) gapsOf(cause telemetry.Cause) []telemetry.Gap {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []telemetry.Gap
	for _, g := range r.gaps {
		if g.Cause == cause {
			out = append(out, g)
		}
	}
	return out
}

// values returns what was delivered of one field, in order of delivery, values only.
func (r *recorder) values(field string) []telemetry.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []telemetry.Sample
	for _, s := range r.samples {
		if s.sample.Field.Name == field {
			out = append(out, s.sample)
		}
	}
	return out
}

// eventually polls cond until it holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// plant is a simulated server with counters: every value tells its own number.
type plant struct {
	t    *testing.T
	srv  *uaserver.Server
	vars []*uaserver.Variable
	next int // the value that tick sets next
}

func newPlant(t *testing.T, n int, opts uaserver.Options) *plant {
	t.Helper()
	opts.Record = true
	if opts.Namespaces == nil {
		opts.Namespaces = []string{testNS}
	}
	p := &plant{t: t, srv: uaserver.New(opts)}
	for i := range n {
		v, err := p.srv.AddVariable(uaserver.NodeSpec{
			ID: fmt.Sprintf("nsu=%s;s=v%d", testNS, i), Path: fmt.Sprintf("Line/v%d", i), Namespace: testNS, Initial: float64(0),
		})
		if err != nil {
			t.Fatal(err)
		}
		p.vars = append(p.vars, v)
	}
	if err := p.srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.srv.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	return p
}

// tick gives every variable its next value.
func (p *plant) tick() {
	p.t.Helper()
	p.next++
	now := time.Now()
	updates := make([]uaserver.Update, len(p.vars))
	for i, v := range p.vars {
		updates[i] = uaserver.Update{Variable: v, Data: uaserver.Data{Value: float64(p.next), Source: uaserver.DateTimeOf(now)}}
	}
	if err := p.srv.SetAll(updates); err != nil {
		p.t.Fatal(err)
	}
}

// run ticks every d until stop is called.
func (p *plant) run(d time.Duration) (stop func()) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				p.tick()
			case <-end:
				return
			}
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { close(end); wg.Wait() }) }
	p.t.Cleanup(stop)
	return stop
}

func testSeries(t testing.TB, unit string) *telemetry.Series {
	t.Helper()
	s, err := telemetry.NewSeries("test", map[string]string{"unit": unit})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// groupOf makes a group that monitors the plant's variables lo to hi.
func (p *plant) group(name string, lo, hi int) Group {
	g := Group{Name: name, Publishing: 20 * time.Millisecond}
	series := testSeries(p.t, name)
	for i := lo; i < hi; i++ {
		g.Tags = append(g.Tags, Tag{
			Name: fmt.Sprintf("v%d", i), Node: p.vars[i].ID(), Queue: 1000,
			Outputs: []Output{{Series: series, Name: fmt.Sprintf("v%d", i), Type: telemetry.Float}},
		})
	}
	return g
}

// running is a session in the background.
type running struct {
	*Session
	stop func() error
}

func testLog(t testing.TB) zerolog.Logger {
	if os.Getenv("KVARTS_TEST_LOG") == "" {
		return zerolog.Nop()
	}
	return zerolog.New(zerolog.NewTestWriter(t)).With().Timestamp().Logger()
}

func start(t *testing.T, cfg ServerConfig, sink Sink) *running {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "server"
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing = quick()
	}
	s := New(cfg, sink, testLog(t))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var (
		once sync.Once
		err  error
	)
	r := &running{Session: s, stop: func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}}
	t.Cleanup(func() { r.stop() })
	return r
}

// arrived waits until the newest value of every variable has come.
func (p *plant) arrived(r *recorder, fields ...string) {
	p.t.Helper()
	for _, f := range fields {
		eventually(p.t, fmt.Sprintf("value %d of %s arrives", p.next, f), func() bool {
			v := r.values(f)
			return len(v) > 0 && v[len(v)-1].Value.Float() == float64(p.next)
		})
	}
}
