package uasession

import (
	"context"
	"fmt"
	"os"
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
const patience = 30 * time.Second

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

// settled checks the books: every sample of the plant's variables that a subscription could see is delivered with its
// value and time, or covered by a gap; nothing is delivered that was not made; and each tag's messages are in order.
func (p *plant) settled(r *recorder, server string, tags map[string]*telemetry.Series) {
	p.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	type key struct {
		field string
		at    telemetry.Instant
		value float64
	}
	have := make(map[key]int)
	last := make(map[string]float64)
	begin := make(map[string]telemetry.Instant) // earliest source time that came: what the tag held when it was subscribed
	for _, s := range r.samples {
		f := s.sample.Field.Name
		if s.sample.Value.Type() == telemetry.NoType || tags[f] == nil {
			continue
		}
		if b, ok := begin[f]; !ok || s.sample.Source < b {
			begin[f] = s.sample.Source
		}
		have[key{f, s.sample.Source, s.sample.Value.Float()}]++
		if v := s.sample.Value.Float(); v < last[f] && v > 0 && len(r.gapsCovering(server, s.sample.Source)) == 0 && !r.redelivered(s) {
			p.t.Errorf("%s: value %v came after %v", f, v, last[f])
		}
		last[f] = s.sample.Value.Float()
	}
	names := make(map[string]string)
	for _, v := range p.vars {
		names[v.ID()] = v.ID()[len("nsu="+testNS+";s="):]
	}
	made := make(map[key]bool)
	missing := 0
	for g := range p.srv.Generated() {
		name := names[g.Node]
		series := tags[name]
		if series == nil {
			continue
		}
		at, _ := telemetry.FromTime(g.Source.Time())
		k := key{name, at, g.Value.(float64)}
		if made[k] = true; have[k] > 0 || g.Monitored == 0 && at < begin[name] {
			continue
		}
		covered := false
		for i := range r.gaps {
			covered = covered || r.gaps[i].Covers(server, string(series.Key()), name, at)
		}
		if !covered {
			if missing++; missing < 5 {
				p.t.Errorf("%s = %v at %s is neither delivered nor in a gap", name, k.value, at)
			}
		}
	}
	for k := range have {
		if !made[k] {
			p.t.Errorf("%s = %v at %s was never made", k.field, k.value, k.at)
		}
	}
	if missing > 0 {
		p.t.Errorf("%d samples missing; gaps: %+v", missing, r.gaps)
	}
}

func (r *recorder) gapsCovering(server string, at telemetry.Instant) []telemetry.Gap {
	var out []telemetry.Gap
	for _, g := range r.gaps {
		if g.Server == server && g.From <= at && at <= g.To {
			out = append(out, g)
		}
	}
	return out
}

// redelivered says that s was delivered before: the current value, sent again by a new subscription.
func (r *recorder) redelivered(s got) bool {
	n := 0
	for _, o := range r.samples {
		if o.sample.Field.Name == s.sample.Field.Name && o.sample.Source == s.sample.Source && o.sample.Value == s.sample.Value {
			n++
		}
	}
	return n > 1
}

func seriesOf(groups ...Group) map[string]*telemetry.Series {
	out := make(map[string]*telemetry.Series)
	for _, g := range groups {
		for _, t := range g.Tags {
			for _, o := range t.Outputs {
				out[o.Name] = o.Series
			}
		}
	}
	return out
}

// lastValue waits until the newest value of every variable has come.
func (p *plant) arrived(r *recorder, fields ...string) {
	p.t.Helper()
	for _, f := range fields {
		eventually(p.t, fmt.Sprintf("value %d of %s arrives", p.next, f), func() bool {
			v := r.values(f)
			return len(v) > 0 && v[len(v)-1].Value.Float() == float64(p.next)
		})
	}
}
