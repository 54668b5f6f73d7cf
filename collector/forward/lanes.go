package forward

import (
	"errors"
	"fmt"
	"time"

	"kvarts/collector/buffer"
)

// Two lanes share the requests that may be in flight. Without a backlog there is only the live one:
//
//	   1 ........................ live.pos ──▶ head
//
//	when what waits is too old and more than a batch, the live lane jumps to the head and leaves the rest to replay:
//
//	   1 .... replay.pos ──▶ .... replay.end = first of the jump .... live.pos ──▶ head
//
// Within a lane the records of one stream (server and group, so of every series in it) go in order: a stream has one
// request under way at a time. Between the lanes there is no order; that is what makes live data pass.

// launchAnyway: when no request of a lane began for so long, the next may go although its batch is small.
const launchAnyway = 250 * time.Millisecond

// backlogBatches of waiting data count as a backlog whatever their age: clocks jump.
const backlogBatches = 16

// readRecords bounds one read.
const readRecords = 4096

type stream struct{ server, group string }

type lane struct {
	live      bool
	pos       uint64 // next to read
	end       uint64 // first number that is not the lane's; 0: none
	window    []*buffer.Entry
	held      size // of window
	busy      map[stream]bool
	inFlight  int
	lastBegin time.Time
}

// batch is some records of one lane on their way.
type batch struct {
	lane    *lane
	live    bool
	records []*buffer.Entry // rising
	streams map[stream]bool
	// troubled: a part of a batch that took too long because something in it is bad or trips the store.
	troubled bool
	err      error
}

// breakUp makes one batch for each stream of b, so that the trouble of one does not keep the others waiting.
func (b *batch) breakUp() []*batch {
	var out []*batch
	byStream := make(map[stream]*batch)
	for _, e := range b.records {
		s := streamOf(e)
		part := byStream[s]
		if part == nil {
			part = &batch{lane: b.lane, live: b.live, streams: map[stream]bool{s: true}, troubled: true}
			byStream[s] = part
			out = append(out, part)
		}
		part.records = append(part.records, e)
	}
	return out
}

func streamOf(e *buffer.Entry) stream { return stream{e.Server, e.Group} }

func (l *lane) begin(b *batch) {
	l.inFlight++
	l.lastBegin = time.Now()
	if l.busy == nil {
		l.busy = make(map[stream]bool)
	}
	for s := range b.streams {
		l.busy[s] = true
	}
}

// finish ends begin. The streams of a batch that was broken up stay busy: its parts follow.
func (l *lane) finish(b *batch, brokenUp bool) {
	l.inFlight--
	if brokenUp {
		return
	}
	for s := range b.streams {
		delete(l.busy, s)
	}
}

// ranges of b's numbers, without holes.
func (b *batch) ranges() []buffer.Range {
	var out []buffer.Range
	for _, e := range b.records {
		if n := len(out); n > 0 && out[n-1].To+1 == e.Seq {
			out[n-1].To = e.Seq
			continue
		}
		out = append(out, buffer.Range{From: e.Seq, To: e.Seq})
	}
	return out
}

// active says that the lane has something left to read or to send.
func (l *lane) active() bool { return len(l.window) > 0 || l.end > l.pos }

// fill reads ahead, and lets the live lane jump where it must.
func (f *Forwarder) fill() error {
	if time.Now().Before(f.retryRead) {
		return nil
	}
	f.retryRead = time.Time{}
	if err := f.fillLane(&f.live, 2); err != nil {
		return err
	}
	if f.mustJump() {
		f.jump()
		if err := f.fillLane(&f.live, 2); err != nil {
			return err
		}
	}
	return f.fillLane(&f.replay, f.opts.InFlight+1)
}

// fillLane reads until l's window holds so many batches, or the lane's end.
func (f *Forwarder) fillLane(l *lane, batches int) error {
	limit := f.sizer.now()
	most := int64(batches) * limit.Bytes
	for l.held.bytes < most && l.held.lines < batches*limit.Lines {
		l.pos = f.claimed.next(l.pos)
		if l.pos > f.opts.Log.Durable() || l.end > 0 && l.pos >= l.end {
			return nil
		}
		entries, err := f.opts.Log.Read(l.pos, readRecords, int(min(most-l.held.bytes, limit.Bytes)), nil)
		if errors.Is(err, buffer.ErrClosed) || errors.Is(err, buffer.ErrFailed) {
			return fmt.Errorf("read from record %d on: %w", l.pos, err)
		}
		if err != nil {
			if !f.readFailing {
				f.state.readFailed(err)
			}
			f.readFailing = true
			f.retryRead = time.Now().Add(time.Second)
			return nil
		}
		f.readFailing = false
		if len(entries) == 0 {
			// Nothing there, or nothing as small as what was asked for: only the first may be skipped.
			if entries, err = f.opts.Log.Read(l.pos, 1, 2*buffer.MaxPayloadBytes, nil); err != nil {
				continue // met again, and handled, at once
			}
			if len(entries) == 0 {
				return f.skipToEnd(l)
			}
		}
		if err := f.take(l, entries); err != nil {
			return err
		}
	}
	return nil
}

// take puts what was read into l's window. Numbers between the records are missing for good: the buffer has reported
// them, and they are acknowledged so that the cursor can pass.
func (f *Forwarder) take(l *lane, entries []buffer.Entry) error {
	for i := range entries {
		e := &entries[i]
		last := e.Seq - 1
		if l.end > 0 {
			last = min(last, l.end-1)
		}
		if err := f.skip(l.pos, last); err != nil {
			return err
		}
		if l.end > 0 && e.Seq >= l.end {
			l.pos = l.end
			return nil
		}
		l.pos = e.Seq + 1
		if !f.claimed.has(e.Seq) {
			l.window = append(l.window, e)
			l.held.lines += int(e.Lines)
			l.held.bytes += int64(len(e.Payload))
		}
	}
	return nil
}

func (f *Forwarder) skip(from, to uint64) error {
	if from > to {
		return nil
	}
	for _, r := range f.claimed.missing(from, to) {
		f.claimed.add(r.From, r.To)
		if err := f.opts.Cursor.Ack(r.From, r.To); err != nil {
			return fmt.Errorf("skip records %d to %d, which the buffer does not have: %w", r.From, r.To, err)
		}
	}
	return nil
}

// skipToEnd ends a bounded lane in which nothing is left to read. At the head nothing is known yet.
func (f *Forwarder) skipToEnd(l *lane) error {
	if l.end == 0 {
		return nil
	}
	from := l.pos
	l.pos = l.end
	return f.skip(from, l.end-1)
}

// mustJump says that what waits in the live lane is too old, and too much to be sent with the newest in one batch.
func (f *Forwarder) mustJump() bool {
	l := &f.live
	if len(l.window) == 0 || !f.gate.isOpen() {
		return false
	}
	limit := f.sizer.now()
	if l.held.lines <= limit.Lines && l.held.bytes <= limit.Bytes && l.pos > f.opts.Log.Durable() {
		return false
	}
	if f.opts.Now().Sub(l.window[0].Received) > f.opts.LiveLag {
		return true
	}
	return l.held.bytes+int64(f.opts.Log.Durable()+1-l.pos)*meanBytes(l) > backlogBatches*limit.Bytes
}

// meanBytes of the records in the window.
func meanBytes(l *lane) int64 { return l.held.bytes / int64(len(l.window)) }

// jump moves the live lane to the head. What it had read and not sent belongs to the replay lane from now on, which
// reads it again.
func (f *Forwarder) jump() {
	from := f.live.window[0].Seq
	head := max(f.opts.Log.Durable()+1, f.live.pos)
	if !f.replay.active() {
		f.replay.pos = from
	}
	f.live.window, f.live.held = nil, size{}
	f.live.pos, f.replay.end = head, head
	f.state.jumped(from, head)
}

// nextBatch decides what is sent next; nil when nothing should be.
func (f *Forwarder) nextBatch() *batch {
	slots := f.opts.InFlight
	if f.running >= slots || f.running >= 2 && !f.gate.isOpen() {
		return nil
	}
	if len(f.parked) > 0 && f.troubled < max(1, slots-1) {
		b := f.parked[0]
		f.parked = f.parked[1:]
		return b
	}
	share := slots
	if f.replay.active() || f.replay.inFlight > 0 {
		share = max(1, slots-1)
	}
	order := [...]*lane{&f.live, &f.replay}
	if slots == 1 && f.lastLive {
		order[0], order[1] = order[1], order[0]
	}
	for _, l := range order {
		if b := f.form(l, share-l.inFlight); b != nil {
			return b
		}
	}
	return nil
}

// form cuts a batch off l's window, of streams that have nothing under way. While others of the lane are, only a well
// filled batch is worth a request more; small ones gather meanwhile.
func (f *Forwarder) form(l *lane, slots int) *batch {
	if slots <= 0 || len(l.window) == 0 {
		return nil
	}
	limit := f.sizer.now()
	order, ready := l.free()
	if len(order) == 0 {
		return nil
	}
	full := ready.lines >= limit.Lines || ready.bytes >= limit.Bytes
	if l.inFlight > 0 && 2*ready.lines < limit.Lines && 2*ready.bytes < limit.Bytes && time.Since(l.lastBegin) < launchAnyway {
		return nil
	}
	if full && slots > 1 {
		order = order[:(len(order)+slots-1)/slots] // leave streams for the other requests
	}
	b := &batch{lane: l, live: l.live, streams: make(map[stream]bool)}
	allowed := make(map[stream]bool, len(order))
	for _, s := range order {
		allowed[s] = true
	}
	l.cut(b, allowed, limit)
	for _, e := range b.records {
		f.claimed.add(e.Seq, e.Seq)
	}
	return b
}

// free lists the streams of the window that have nothing under way, in order of their first record, and how much is
// ready of them.
func (l *lane) free() (order []stream, ready size) {
	seen := make(map[stream]bool)
	for _, e := range l.window {
		s := streamOf(e)
		if l.busy[s] {
			continue
		}
		if !seen[s] {
			seen[s] = true
			order = append(order, s)
		}
		ready.lines += int(e.Lines)
		ready.bytes += int64(len(e.Payload))
	}
	return order, ready
}

// cut moves records of the allowed streams from the window to b, in order, at least one, up to the limit.
func (l *lane) cut(b *batch, allowed map[stream]bool, limit Limits) {
	var z size
	kept := make([]*buffer.Entry, 0, len(l.window))
	full := false
	for _, e := range l.window {
		raw, n := rawSize(e.Payload), int64(len(e.Payload))
		fits := len(b.records) == 0 || z.lines+int(e.Lines) <= limit.Lines && z.bytes+n <= limit.Bytes && z.raw+raw <= limit.Raw
		if full || !allowed[streamOf(e)] || !fits {
			full = full || allowed[streamOf(e)] // a later record must not overtake this one
			kept = append(kept, e)
			continue
		}
		z.lines, z.bytes, z.raw = z.lines+int(e.Lines), z.bytes+n, z.raw+raw
		b.records = append(b.records, e)
		b.streams[streamOf(e)] = true
	}
	l.window = kept
	l.held.lines -= z.lines
	l.held.bytes -= z.bytes
}
