package forward

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

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

func (s *memStore) writeCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}
