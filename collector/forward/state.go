package forward

import (
	"sync"
	"time"

	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Condition of a destination in one word.
type Condition string

// The conditions.
const (
	Starting   Condition = "starting"   // nothing was sent yet
	Delivering Condition = "delivering" // the last request was answered
	Retrying   Condition = "retrying"   // the store cannot take data now; nobody needs to act
	Held       Condition = "held"       // a person must act: Failure.Remedy
)

// State is what the status page and the metrics show of a destination.
type State struct {
	Name      string
	Condition Condition
	Server    influx.Server // zero until detected
	Detected  bool

	LastSuccess telemetry.Instant // 0: none yet
	Failure     *Failure          // the last one; it is over when LastSuccess is later
	NextTry     time.Time         // while Retrying or Held

	InFlight  int
	Records   uint64            // waiting in the buffer, those in flight included
	Bytes     uint64            // of them
	Oldest    telemetry.Instant // received time of the oldest of them, 0: none
	LiveLag   time.Duration     // age of the oldest waiting record of the live lane
	Replaying bool              // a backlog is being delivered beside live data
	Batch     Limits            // present size of batches

	LinesPerSecond float64 // delivered, mean of the last ten seconds
	Totals         Totals
}

// Failure is an answer that was not OK.
type Failure struct {
	At      telemetry.Instant
	Since   telemetry.Instant // of the first in a row of the same class
	Class   influx.Class
	Status  int
	Message string
	Remedy  string
}

// Totals count since the start.
type Totals struct {
	Requests uint64 // those for proof count once
	ByClass  map[string]uint64
	Bytes    uint64 // sent, compressed

	Records uint64 // delivered: each line stored or in quarantine
	Lines   uint64
	Samples uint64

	QuarantinedLines   uint64 // among Lines; entries that were in quarantine before count again
	QuarantinedSamples uint64
}

// EventKind of an Event.
type EventKind string

// The kinds of events.
const (
	EventUp               EventKind = "up"                // requests are answered again
	EventRetrying         EventKind = "retrying"          // the store cannot take data now
	EventHeld             EventKind = "held"              // a person must act
	EventQuarantined      EventKind = "quarantined"       // lines were put aside
	EventQuarantineFailed EventKind = "quarantine_failed" // and could not be
	EventReadFailed       EventKind = "read_failed"       // the buffer cannot be read
	EventReplay           EventKind = "replay"            // a backlog is left to the replay lane
	EventCaughtUp         EventKind = "caught_up"         // the backlog is delivered
)

// Event is a change of state that is worth one line in a log.
type Event struct {
	Kind        EventKind
	Destination string
	Class       influx.Class
	Status      int
	Message     string
	Remedy      string
	Count       int // lines, or records of a backlog
	Err         error
}

// tracker gathers the state. Safe for concurrent use.
type tracker struct {
	opts Options

	mu         sync.Mutex
	s          State
	liveOldest telemetry.Instant
	rate       rate
}

func newTracker(o Options) *tracker {
	return &tracker{opts: o, s: State{Name: o.Name, Condition: Starting, Totals: Totals{ByClass: make(map[string]uint64)}}}
}

// Snapshot is the present state. It is cheap and may be called from any goroutine.
func (f *Forwarder) Snapshot() State {
	records, bytes, oldest := f.opts.Cursor.Pending()
	next, _ := f.gate.next()
	now := f.opts.Now()
	t := f.state
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.s
	s.Records, s.Bytes, s.Oldest, s.NextTry, s.Batch = records, bytes, oldest, next, f.sizer.now()
	if t.liveOldest != 0 {
		s.LiveLag = max(0, now.Sub(t.liveOldest))
	}
	s.LinesPerSecond = t.rate.perSecond(now)
	if s.Failure != nil {
		failure := *s.Failure
		s.Failure = &failure
	}
	s.Totals.ByClass = make(map[string]uint64, len(t.s.Totals.ByClass))
	for k, v := range t.s.Totals.ByClass {
		s.Totals.ByClass[k] = v
	}
	return s
}

func (t *tracker) emit(e Event) {
	e.Destination = t.opts.Name
	t.opts.OnEvent(e)
}

// answered takes down the outcome of a request.
func (t *tracker) answered(z size, r *influx.Result) {
	now := t.opts.Now()
	t.mu.Lock()
	t.s.Totals.Requests++
	t.s.Totals.ByClass[r.Class.String()]++
	t.s.Totals.Bytes += uint64(z.bytes)
	before := t.s.Condition
	previous := t.s.Failure
	after := Delivering
	switch r.Class {
	case influx.OK:
		t.s.LastSuccess = now
	case influx.Retry:
		after = Retrying
	case influx.Hold:
		after = Held
	}
	if r.Class != influx.OK {
		fail := &Failure{At: now, Since: now, Class: r.Class, Status: r.Status, Message: r.Message, Remedy: r.Remedy}
		if previous != nil && previous.Class == r.Class && before == after && previous.At > t.s.LastSuccess {
			fail.Since = previous.Since
		}
		t.s.Failure = fail
	}
	t.s.Condition = after
	t.mu.Unlock()

	e := Event{Class: r.Class, Status: r.Status, Message: r.Message, Remedy: r.Remedy, Err: r.Err}
	switch {
	case after == Delivering && (before == Retrying || before == Held):
		e.Kind = EventUp
	case after == Retrying && before != Retrying:
		e.Kind = EventRetrying
	case after == Held && (before != Held || previous == nil || previous.Message != r.Message):
		e.Kind = EventHeld
	default:
		return
	}
	t.emit(e)
}

func (t *tracker) detected(s influx.Server) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.s.Server, t.s.Detected = s, true
}

// delivered counts a batch that is done.
func (t *tracker) delivered(b *batch) {
	now := t.opts.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := uint64(0)
	for _, r := range b.records {
		lines += uint64(r.Lines)
		t.s.Totals.Samples += uint64(r.Samples)
	}
	t.s.Totals.Records += uint64(len(b.records))
	t.s.Totals.Lines += lines
	t.rate.add(now, lines)
}

// scheduled takes down how the lanes stand. Called by the goroutine of Run.
func (t *tracker) scheduled(f *Forwarder) {
	oldest := telemetry.Instant(0)
	older := func(at telemetry.Instant) {
		if oldest == 0 || at < oldest {
			oldest = at
		}
	}
	if len(f.live.window) > 0 {
		older(f.live.window[0].Received)
	}
	for b := range f.flying {
		if b.live {
			older(b.records[0].Received)
		}
	}
	replaying := f.replay.active() || f.replay.inFlight > 0
	t.mu.Lock()
	caughtUp := t.s.Replaying && !replaying
	t.liveOldest, t.s.InFlight, t.s.Replaying = oldest, f.running, replaying
	t.mu.Unlock()
	if caughtUp {
		t.emit(Event{Kind: EventCaughtUp})
	}
}

func (t *tracker) jumped(from, to uint64) {
	t.mu.Lock()
	first := !t.s.Replaying
	t.s.Replaying = true
	t.mu.Unlock()
	if first {
		t.emit(Event{Kind: EventReplay, Count: int(to - from)})
	}
}

func (t *tracker) quarantined(entries []quarantine.Entry) {
	lines, samples := 0, 0
	for i := range entries {
		lines++
		samples += entries[i].Samples
	}
	t.mu.Lock()
	t.s.Totals.QuarantinedLines += uint64(lines)
	t.s.Totals.QuarantinedSamples += uint64(samples)
	t.mu.Unlock()
	t.emit(Event{Kind: EventQuarantined, Count: lines, Status: entries[0].Status, Message: entries[0].Message})
}

func (t *tracker) quarantineFailed(err error) {
	t.emit(Event{Kind: EventQuarantineFailed, Err: err, Message: err.Error(),
		Remedy: "make room on the disk of the quarantine: the batch waits until its bad lines can be put aside"})
}

func (t *tracker) readFailed(err error) {
	t.emit(Event{Kind: EventReadFailed, Err: err, Message: err.Error()})
}

// rate is a count over the last ten seconds, second by second.
type rate struct {
	seconds [rateSeconds]int64 // which second each slot counts
	counts  [rateSeconds]uint64
}

const rateSeconds = 11 // ten whole ones and the present

func (r *rate) add(now telemetry.Instant, n uint64) {
	sec := int64(now) / int64(time.Second)
	i := ((sec % rateSeconds) + rateSeconds) % rateSeconds
	if r.seconds[i] != sec {
		r.seconds[i], r.counts[i] = sec, 0
	}
	r.counts[i] += n
}

func (r *rate) perSecond(now telemetry.Instant) float64 {
	sec := int64(now) / int64(time.Second)
	sum := uint64(0)
	for i, s := range r.seconds {
		if s < sec && s >= sec-(rateSeconds-1) {
			sum += r.counts[i]
		}
	}
	return float64(sum) / (rateSeconds - 1)
}
