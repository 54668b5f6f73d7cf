package uaserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Generated is one sample that the machine made, whether a client saw it or not.
type Generated struct {
	Node   string // expanded node id: nsu=URI;s=…
	Value  any    // as it was set; nil for null
	Status ua.StatusCode
	Source DateTime
	Server DateTime
	// Monitored is the number of monitored items that the sample was offered to. The
	// current value of a node is offered once more to each item that is created later.
	Monitored int
}

// LogEntry is one line of the sample log (Options.Log).
type LogEntry struct {
	// Kind is "sample", or for a sample that the server kept from an item: "filtered".
	Kind   string `json:"kind"`
	Node   string `json:"node"`
	Source string `json:"source,omitempty"` // RFC 3339 with 100 ns; absent for null
	Ticks  int64  `json:"ticks"`            // the same as DateTime
	Status uint32 `json:"status"`
	Value  any    `json:"value"` // NaN, +Inf, -Inf as strings; DateTime as ticks
	// Monitored is as in Generated; only for samples.
	Monitored int `json:"monitored,omitempty"`
	// Item and Cause are the monitored item id and the reason; only for filtered.
	Item  uint32 `json:"item,omitempty"`
	Cause Cause  `json:"cause,omitempty"`
}

// logBatch is how many bytes of the sample log are written at once.
const logBatch = 64 << 10

// truth is the machine's own account of its samples. Server.mu guards it.
type truth struct {
	count   uint64
	lost    map[Cause]uint64
	record  bool
	samples []Generated
	sink    func([]Generated)
	batch   []Generated // for sink, until deliver
	out     io.Writer
	buf     bytes.Buffer // whole lines that wait to be written to out
	enc     *json.Encoder
	err     error // the first one of the log writer
}

func (t *truth) init(opts Options) {
	t.record, t.sink = opts.Record, opts.Sink
	t.lost = make(map[Cause]uint64)
	if opts.Log != nil {
		t.out = opts.Log
		t.enc = json.NewEncoder(&t.buf)
	}
}

// generated records a new value of v.
func (t *truth) generated(v *Variable, s *sample) {
	t.count++
	if t.record || t.sink != nil {
		g := Generated{Node: v.id, Value: thaw(s.value), Status: s.status, Source: s.source, Server: s.server, Monitored: len(v.items)}
		if t.record {
			t.samples = append(t.samples, g)
		}
		if t.sink != nil {
			t.batch = append(t.batch, g)
		}
	}
	if t.enc != nil {
		e := entryOf("sample", v, s)
		e.Monitored = len(v.items)
		t.write(e)
	}
}

// deliver hands the samples since the last call to the sink.
func (t *truth) deliver() {
	if len(t.batch) == 0 {
		return
	}
	t.sink(t.batch)
	clear(t.batch) // it must not keep values alive
	t.batch = t.batch[:0]
}

// filtered records that the server kept s from it.
func (t *truth) filtered(it *item, s *sample, cause Cause) {
	t.lost[cause]++
	if t.enc != nil {
		e := entryOf("filtered", it.variable, s)
		e.Item, e.Cause = it.id, cause
		t.write(e)
	}
}

func (t *truth) write(e LogEntry) {
	if err := t.enc.Encode(e); err != nil && t.err == nil {
		t.err = fmt.Errorf("encode sample log entry of %s: %w", e.Node, err)
	}
	if t.buf.Len() >= logBatch {
		_ = t.flush() // kept in t.err
	}
}

// flush writes the waiting lines and returns the first error so far.
func (t *truth) flush() error {
	if t.out == nil || t.buf.Len() == 0 {
		return t.err
	}
	if _, err := t.buf.WriteTo(t.out); err != nil && t.err == nil {
		t.err = fmt.Errorf("write sample log: %w", err)
	}
	t.buf.Reset()
	return t.err
}

func entryOf(kind string, v *Variable, s *sample) LogEntry {
	e := LogEntry{Kind: kind, Node: v.name(), Ticks: int64(s.source), Status: uint32(s.status), Value: jsonValue(thaw(s.value))}
	if s.source != 0 {
		e.Source = s.source.Time().Format("2006-01-02T15:04:05.0000000Z07:00")
	}
	return e
}

// jsonValue replaces what JSON cannot express.
func jsonValue(v any) any {
	switch x := v.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Sprint(x)
		}
	case float32:
		return jsonValue(float64(x))
	case bool, int8, uint8, int16, uint16, int32, uint32, int64, uint64, string, DateTime, nil:
	default:
		if _, err := json.Marshal(v); err != nil {
			return fmt.Sprint(v)
		}
	}
	return v
}

// Generated iterates over all samples so far, oldest first; it needs Options.Record.
func (s *Server) Generated() iter.Seq[Generated] {
	s.mu.Lock()
	samples := s.truth.samples[:len(s.truth.samples):len(s.truth.samples)]
	s.mu.Unlock()
	return func(yield func(Generated) bool) {
		for _, g := range samples {
			if !yield(g) {
				return
			}
		}
	}
}

// GeneratedCount returns the number of samples that the machine made so far.
func (s *Server) GeneratedCount() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.truth.count
}

// Filtered returns how many samples were kept from monitored items, by cause; one sample
// counts once for each item.
func (s *Server) Filtered() map[Cause]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.truth.lost)
}

// Stats counts what the server did since it was made, over all restarts.
type Stats struct {
	Connections      uint64
	Sessions         uint64 // created
	SessionTimeouts  uint64
	Subscriptions    uint64 // created
	LifetimeTimeouts uint64 // subscriptions ended for lack of Publish requests
	MonitoredItems   uint64 // created
	Messages         uint64 // NotificationMessages with data made
	DroppedMessages  uint64 // … of these kept back by DropNotification
	Published        uint64 // monitored item notifications in them
	KeepAlives       uint64
	Republished      uint64
	HistoryValues    uint64 // values and bounds in HistoryRead answers
	Transfers        uint64 // subscriptions that changed their session
	Forgotten        uint64 // unacknowledged messages pushed out of a retransmission queue
	Acknowledgements uint64
	StaleAcks        uint64 // acknowledgements of messages that are not kept
	StaleAckCloses   uint64 // connections closed by CloseOnStaleAck
	Faults           uint64 // ServiceFaults sent
	Mutations        uint64 // requests that would have changed something: Write, Call, …
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Requests returns how many requests of each service were received, by name as in
// "Read", "CreateMonitoredItems", "Publish".
func (s *Server) Requests() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

// Mutations returns how many requests were received that would have changed the machine
// or its address space. All were refused.
func (s *Server) Mutations() uint64 { return s.Stats().Mutations }

// MonitoredItems returns how many monitored items exist now, over all subscriptions.
func (s *Server) MonitoredItems() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, sub := range s.subs {
		n += len(sub.items)
	}
	return n
}

// Sessions returns how many activated sessions exist now, attached to a channel or not.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, sess := range s.sessions {
		if sess.activated {
			n++
		}
	}
	return n
}

// CurrentTime is the server's wall clock with its skew.
func (s *Server) CurrentTime() time.Time { return s.wallNow().Time() }

// FlushLog writes out what the sample log (Options.Log) still buffers, and returns the log's first error.
func (s *Server) FlushLog() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.truth.flush()
}
