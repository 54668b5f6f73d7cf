package forward

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memLog is a Log and a Cursor in memory.
type memLog struct {
	mu      sync.Mutex
	entries []buffer.Entry
	gone    map[uint64]bool // dropped or damaged
	acked   rangeSet
	changed chan struct{}
	readErr error
	ackErr  error
}

func newMemLog() *memLog { return &memLog{changed: make(chan struct{}), gone: make(map[uint64]bool)} }

func (l *memLog) append(r buffer.Record) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq := uint64(len(l.entries) + 1)
	if r.Received == 0 {
		r.Received = telemetry.Now()
	}
	l.entries = append(l.entries, buffer.Entry{Seq: seq, Record: r})
	close(l.changed)
	l.changed = make(chan struct{})
	return seq
}

func (l *memLog) Durable() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.entries))
}

func (l *memLog) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Read is as strict as the contract allows: a record that does not fit maxBytes is not returned.
func (l *memLog) Read(from uint64, most, maxBytes int, dst []buffer.Entry) ([]buffer.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readErr != nil {
		return dst, l.readErr
	}
	n := 0
	for _, e := range l.entries[min(max(from, 1)-1, uint64(len(l.entries))):] {
		if l.gone[e.Seq] {
			continue
		}
		if n += len(e.Payload); n > maxBytes || len(dst) == most {
			break
		}
		dst = append(dst, e)
	}
	return dst, nil
}

func (l *memLog) Acked() (uint64, []buffer.Range) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.acked) > 0 && l.acked[0].From == 1 {
		return l.acked[0].To, slices.Clone([]buffer.Range(l.acked[1:]))
	}
	return 0, slices.Clone([]buffer.Range(l.acked))
}

func (l *memLog) Ack(from, to uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ackErr != nil {
		return l.ackErr
	}
	if from < 1 || to < from || to > uint64(len(l.entries)) {
		return fmt.Errorf("ack of [%d,%d], durable is %d", from, to, len(l.entries))
	}
	l.acked.add(from, to)
	return nil
}

func (l *memLog) Pending() (records, size uint64, oldest telemetry.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.acked.missing(1, uint64(len(l.entries))) {
		for _, e := range l.entries[r.From-1 : r.To] {
			if records++; oldest == 0 {
				oldest = e.Received
			}
			size += uint64(len(e.Payload))
		}
	}
	return records, size, oldest
}

func (l *memLog) allAcked() bool {
	records, _, _ := l.Pending()
	return records == 0
}

// record makes a block of lines.
func record(server, group string, lines ...string) buffer.Record {
	r := buffer.Record{Server: server, Group: group, Samples: uint32(len(lines)), Lines: uint32(len(lines))}
	var text []line
	for _, l := range lines {
		text = append(text, line{text: []byte(l)})
		if p, err := telemetry.ParseLine([]byte(l)); err == nil {
			if r.First == 0 || p.Time < r.First {
				r.First = p.Time
			}
			r.Last = max(r.Last, p.Time)
		}
	}
	payload, err := compress(text)
	if err != nil {
		panic(err)
	}
	r.Payload = payload
	return r
}

// memStore is a store in memory. It keeps lines by what identifies their point, and notes a second write of the same
// point with another value.
type memStore struct {
	mu        sync.Mutex
	points    map[string]string // series and time → fields
	order     map[string][]telemetry.Instant
	conflicts []string
	writes    int
	sizes     []int
	inFlight  int
	most      int

	// bad says why a line is refused, "" when it is accepted.
	bad func(line string) string
	// refuse makes the answer to a batch with bad lines; nil is silent.
	refuse func(lines, bad []string, why string) influx.Result
	// script, when it returns true, decides the answer alone; stored lines then depend on keep. It runs under mu.
	script func(n int, lines []string) (res influx.Result, keep, decided bool)
	took   time.Duration                // how long a write takes
	slow   func([]string) time.Duration // and this one besides
}

func newMemStore() *memStore {
	return &memStore{
		points: make(map[string]string), order: make(map[string][]telemetry.Instant),
		bad: func(string) string { return "" }, refuse: silent,
	}
}

// silent refuses the whole batch and says nothing of use: the worst server.
func silent(_, _ []string, _ string) influx.Result {
	return influx.Result{Class: influx.Split, Status: 400, Message: "bad request", Dropped: -1, Fate: influx.FateNone}
}

func (s *memStore) Detect(context.Context) (influx.Server, error) {
	return influx.Server{Kind: influx.V1, Version: "1.8.10"}, nil
}

func (s *memStore) WriteGzip(ctx context.Context, members [][]byte, n int) influx.Result {
	lines, err := linesOf(members)
	if err != nil {
		return influx.Result{Class: influx.Split, Status: 400, Message: "gzip: invalid", Dropped: -1}
	}
	s.mu.Lock()
	s.writes++
	s.sizes = append(s.sizes, len(lines))
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	number := s.writes
	script, took := s.script, s.took
	if s.slow != nil {
		took += s.slow(lines)
	}
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.inFlight--; s.mu.Unlock() }()
	if took > 0 {
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return influx.Result{Class: influx.Retry, Err: ctx.Err(), Message: ctx.Err().Error(), Dropped: -1}
		}
	}
	if n != len(lines) {
		return influx.Result{Class: influx.Hold, Message: fmt.Sprintf("batch of %d lines was announced as %d", len(lines), n)}
	}
	if script != nil {
		s.mu.Lock()
		res, keep, decided := script(number, lines)
		s.mu.Unlock()
		if decided {
			if keep {
				s.store(lines)
			}
			return res
		}
	}
	var good, bad []string
	why := ""
	for _, l := range lines {
		if w := s.bad(l); w != "" {
			if bad = append(bad, l); why == "" {
				why = w
			}
			continue
		}
		good = append(good, l)
	}
	if len(bad) == 0 {
		s.store(good)
		return influx.Result{Class: influx.OK, Status: 204, Dropped: -1}
	}
	res := s.refuse(lines, bad, why)
	if res.Fate == influx.FateGood {
		s.store(good)
	}
	if res.Err == nil {
		res.Err = fmt.Errorf("refused: %s", res.Message)
	}
	return res
}

func (s *memStore) store(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		p, err := telemetry.ParseLine([]byte(l))
		if err != nil {
			panic(err)
		}
		for _, f := range p.Fields {
			id := fmt.Sprintf("%s %s %d", p.Key, f.Name, p.Time)
			v := fmt.Sprintf("%v/%v", f.Value.Type(), f.Value)
			if old, ok := s.points[id]; ok && old != v {
				s.conflicts = append(s.conflicts, id)
			} else if !ok {
				s.order[p.Key] = append(s.order[p.Key], p.Time)
			}
			s.points[id] = v
		}
	}
}

func linesOf(members [][]byte) ([]string, error) {
	raw, err := decompress(bytes.Join(members, nil), 1<<30)
	if err != nil {
		return nil, err
	}
	var out []string
	for len(raw) > 0 {
		var l []byte
		l, raw = telemetry.NextLine(raw)
		out = append(out, string(l))
	}
	return out, nil
}

// memQuarantine is a Quarantine in memory.
type memQuarantine struct {
	mu      sync.Mutex
	entries map[string]quarantine.Entry
	fail    error
	onAdd   func()
}

func newMemQuarantine() *memQuarantine {
	return &memQuarantine{entries: make(map[string]quarantine.Entry)}
}

func (q *memQuarantine) Add(entries ...quarantine.Entry) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fail != nil {
		return 0, q.fail
	}
	if q.onAdd != nil {
		q.onAdd()
	}
	n := 0
	for _, e := range entries {
		e.Identify()
		if _, ok := q.entries[e.ID]; !ok {
			n++
		}
		q.entries[e.ID] = e
	}
	return n, nil
}

func (q *memQuarantine) lines() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []string
	for _, e := range q.entries {
		if l, ok := e.RawLine(); ok {
			out = append(out, string(l))
		}
	}
	slices.Sort(out)
	return out
}

// rig is a Forwarder between fakes.
type rig struct {
	log        *memLog
	store      *memStore
	quarantine *memQuarantine
	f          *Forwarder
	events     []Event
	mu         sync.Mutex
}

func newRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	r := &rig{log: newMemLog(), store: newMemStore(), quarantine: newMemQuarantine()}
	r.build(t, change)
	return r
}

// build makes a new Forwarder over the same log, store and quarantine, as a restart does.
func (r *rig) build(t testing.TB, change func(*Options)) {
	t.Helper()
	o := Options{Name: "plant", Log: r.log, Cursor: r.log, Store: r.store, Quarantine: r.quarantine, OnEvent: func(e Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}}
	if change != nil {
		change(&o)
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.f = f
}

// run starts the Forwarder and returns what stops it.
func (r *rig) run(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.f.Run(ctx) }()
	var once sync.Once
	return func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

func (r *rig) saw(kind EventKind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// account is the oracle: every generated line is stored or in quarantine, none is in both, nothing else is anywhere,
// and no point was written with two values.
func (r *rig) account(t testing.TB, generated []string) {
	t.Helper()
	inQuarantine := make(map[string]bool)
	for _, l := range r.quarantine.lines() {
		inQuarantine[l] = true
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	points := 0
	for _, l := range generated {
		p, err := telemetry.ParseLine([]byte(l))
		stored := err == nil
		if err == nil {
			for _, f := range p.Fields {
				_, has := r.store.points[fmt.Sprintf("%s %s %d", p.Key, f.Name, p.Time)]
				stored = stored && has
				if has {
					points++
				}
			}
		}
		if stored == inQuarantine[l] {
			t.Errorf("line %q: stored %v, in quarantine %v", l, stored, inQuarantine[l])
		}
		delete(inQuarantine, l)
	}
	for l := range inQuarantine {
		t.Errorf("line %q is in quarantine but was never generated", l)
	}
	if len(r.store.points) != points {
		t.Errorf("store holds %d values, %d were generated and stored", len(r.store.points), points)
	}
	for _, c := range r.store.conflicts {
		t.Errorf("point %s was overwritten with another value", c)
	}
}

func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("no %s in time", what)
		}
		time.Sleep(time.Millisecond)
	}
}

const minute = time.Minute

// sleep lets fake time pass in a synctest bubble.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *memStore) writeCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}
