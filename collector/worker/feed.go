package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"kvarts/collector/buffer"
	"kvarts/collector/config"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

const (
	// flushBytes of lines make a block: some 2,500 samples, about 30 KB compressed. Larger ones would not compress better.
	flushBytes = 256 << 10
	// cutBytes of lines make a block also in the middle of a message, so that no message is too large for a frame.
	cutBytes = 4 * flushBytes
)

// feed takes what one session delivers: it numbers samples, encodes them and packs them into blocks, one open block
// per group. It implements uasession.Sink.
type feed struct {
	w       *worker
	name    string        // of the server
	server  config.Server // touched only by the worker's control goroutine
	secret  string        // the password that the session uses; likewise
	session *uasession.Session
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the session's Run has returned

	// mu is held while frames are written, so for as long as the parent does not read: only what may block takes it.
	mu     sync.Mutex
	tracks *Tracks
	tags   map[*telemetry.Field]cachedTag // of tracks; a Field belongs to one tag, so this saves building its key
	groups map[string]*block
	class  map[string]buffer.Class // by group
	zw     *gzip.Writer
	dirty  bool   // tracks changed since they were sent
	quiet  int    // how often tracks were not sent since, because nothing changed
	values uint64 // samples that came from the server, to compare with the session's own count

	legacy legacy

	gaps atomic.Uint64 // sent for the session, to compare with its own count

	typeMu sync.Mutex
	types  map[string]telemetry.Type // pinned, by TagKey: those of tracks when the feed began, and since
}

type cachedTag struct {
	series *telemetry.Series
	tag    *Tag
}

// block is the open block of one group.
type block struct {
	lines     []byte
	n         uint32
	first     telemetry.Instant
	last      telemetry.Instant
	published telemetry.Instant
	received  telemetry.Instant
	since     time.Time // of the first message in it
	mark      uasession.Mark
	done      []func()
}

func newFeed(w *worker, srv config.Server, tracks *Tracks) (*feed, error) {
	zw, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	f := &feed{w: w, name: srv.Name, tracks: tracks, tags: map[*telemetry.Field]cachedTag{}, groups: map[string]*block{}, zw: zw, types: map[string]telemetry.Type{}}
	for key, tag := range tracks.Tags {
		if tag.Type != telemetry.NoType {
			f.types[key] = tag.Type
		}
	}
	f.adopt(srv)
	return f, nil
}

func (f *feed) adopt(srv config.Server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = srv
	f.class = map[string]buffer.Class{}
	for _, g := range srv.Groups {
		if g.Class == config.ClassKeep {
			f.class[g.Name] = buffer.Keep
		}
	}
	clear(f.tags)
}

// apply changes what is collected. Only groups differ between the old server and srv.
func (f *feed) apply(ctx context.Context, srv config.Server) error {
	groups, err := sessionGroups(&srv)
	if err != nil {
		return err
	}
	f.adopt(srv)
	if err := f.session.Apply(ctx, groups); err != nil {
		return fmt.Errorf("apply configuration to %s: %w", srv.Name, err)
	}
	return nil
}

// close ends the session and sends what it delivered, tracks included.
func (f *feed) close() {
	f.cancel()
	<-f.ended
	// An error here is one of the pipe: the parent is gone and the process ends.
	_ = f.sendTracks(true)
}

func (f *feed) takeTracks() *Tracks {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tracks
}

// pin fixes the type of a tag whose configuration names none: the one it had before a restart, else the one that
// another unit gave the same signal, else the one seen.
func (f *feed) pin(series *telemetry.Series, name string, seen telemetry.Type) (*telemetry.Field, error) {
	key, signal := TagKey(string(series.Key()), name), signalOf(series, name)
	f.typeMu.Lock()
	typ, had := f.types[key]
	f.typeMu.Unlock()
	f.w.mu.Lock()
	pinned, ok := f.w.pins[signal]
	switch {
	case had:
	case ok:
		typ = pinned
	default:
		typ = seen
	}
	if !ok {
		f.w.pins[signal] = typ
	}
	f.w.mu.Unlock()
	f.typeMu.Lock()
	f.types[key] = typ
	f.typeMu.Unlock()
	return telemetry.NewField(name, typ)
}

// signalOf names what must have one type wherever it occurs.
func signalOf(series *telemetry.Series, field string) string { return series.Measurement + " " + field }

// State keeps the newest state for the next frame, and what it says about groups in which nothing happens.
func (f *feed) State(s uasession.ServerState) {
	known := f.knownTo(&s)
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.w.states[s.Server] = s
	f.w.changed = true
	for group, at := range known {
		groups := f.w.known[f.name]
		if groups == nil {
			groups = map[string]telemetry.Instant{}
			f.w.known[f.name] = groups
		}
		groups[group] = at
	}
}

// Gap sends g ahead of all blocks that are not yet sent.
func (f *feed) Gap(_ context.Context, g telemetry.Gap) error {
	if err := f.w.out.JSON(KindGap, g); err != nil {
		return err
	}
	f.gaps.Add(1)
	return nil
}

// Deliver packs m. It blocks while too much is unconfirmed by the parent.
func (f *feed) Deliver(ctx context.Context, m *uasession.Message, done func()) error {
	if err := f.w.unacked.room(ctx, maxUnacked); err != nil {
		return err
	}
	if err := f.reject(m); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.groups[m.Group]
	if b == nil {
		b = &block{}
		f.groups[m.Group] = b
	}
	var back stepBack
	for i := range m.Samples {
		if err := f.add(b, m, &m.Samples[i], &back); err != nil {
			return err
		}
		if len(b.lines) >= cutBytes { // what comes before m is complete; m is when its last block is
			if err := f.flush(m.Group, b); err != nil {
				return err
			}
		}
	}
	if len(b.done) == 0 {
		b.since = time.Now()
	}
	b.done, b.received = append(b.done, done), m.Received
	if m.Seq != 0 { // else the session made it, and its time says nothing about the server
		b.published = max(b.published, m.Published)
		b.mark = uasession.Mark{Stream: m.Stream, Seq: m.Seq}
		f.values += uint64(len(m.Samples))
	}
	if back.n > 0 {
		g := telemetry.Gap{Server: f.name, Group: m.Group, From: back.from, To: back.to, Cause: telemetry.CauseClockJump, Count: 0,
			Detail: fmt.Sprintf("the clock of %d tags went back; values at times that were used before are kept beside the first ones", back.n)}
		if err := f.w.out.JSON(KindGap, g); err != nil {
			return err
		}
	}
	if len(b.lines) >= flushBytes {
		return f.flush(m.Group, b)
	}
	return nil
}

// stepBack gathers the tags of one message whose clock went back.
type stepBack struct {
	n        int
	from, to telemetry.Instant
}

func (f *feed) add(b *block, m *uasession.Message, s *telemetry.Sample, back *stepBack) error {
	c, ok := f.tags[s.Field]
	if !ok || c.series != s.Series {
		c = cachedTag{s.Series, f.tracks.Tag(TagKey(string(s.Series.Key()), s.Field.Name))}
		f.tags[s.Field] = c
	}
	if s.Value.Type() != telemetry.NoType { // a status alone may come before the type is known
		c.tag.Type = s.Field.Type
	}
	before := c.tag.SteppedBack()
	withStatus, err := c.tag.Next(s)
	if errors.Is(err, telemetry.ErrTickFull) {
		return f.w.out.JSON(KindGap, telemetry.Gap{Server: f.name, Group: m.Group, Series: string(s.Series.Key()), Signal: s.Field.Name,
			From: s.Source, To: s.Source, Cause: telemetry.CauseSubTicks, Count: 1, Detail: err.Error()})
	} else if err != nil {
		return err
	}
	if !before && c.tag.SteppedBack() {
		if back.n == 0 || s.Source < back.from {
			back.from = s.Source
		}
		back.n, back.to = back.n+1, max(back.to, c.tag.Newest())
	}
	b.lines = telemetry.AppendSample(b.lines, s, withStatus)
	if b.n == 0 {
		b.first, b.last = s.Source, s.Source
	}
	b.n++
	b.first, b.last = min(b.first, s.Source), max(b.last, s.Source)
	f.dirty = true
	return nil
}

// reject sends the values of m that cannot be stored to quarantine, ahead of the block that holds the others.
func (f *feed) reject(m *uasession.Message) error {
	if len(m.Rejected) == 0 {
		return nil
	}
	list := make([]Reject, len(m.Rejected))
	for i, r := range m.Rejected {
		list[i] = Reject{Server: f.name, Group: m.Group, Series: string(r.Series.Key()), Field: r.Field, Value: r.Text,
			Status: r.Status, Source: r.Source, Reason: fmt.Sprintf("%s value of %s: %s", r.Type, r.Tag, r.Reason)}
	}
	return f.w.out.JSON(KindReject, list)
}

// flushOld sends the open blocks that have waited for at least age.
func (f *feed) flushOld(age time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flushOldLocked(age)
}

func (f *feed) flushOldLocked(age time.Duration) error {
	if err := f.sendEstate(); err != nil {
		return err
	}
	for name, b := range f.groups {
		if len(b.done) > 0 && time.Since(b.since) >= age {
			if err := f.flush(name, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush sends the block b and empties it. f.mu is held.
func (f *feed) flush(group string, b *block) error {
	rec := buffer.Record{Class: f.class[group], Server: f.name, Group: group, Samples: b.n, Lines: b.n, First: b.first, Last: b.last,
		Published: b.published, Received: b.received}
	lines, done, mark := b.lines, b.done, b.mark
	*b = block{lines: lines[:0], published: b.published, received: b.received}
	if rec.Samples > 0 {
		var err error
		if rec.Payload, err = f.compress(lines); err != nil {
			return fmt.Errorf("compress block of %s: %w", group, err)
		}
	}
	if cap(b.lines) > 2*cutBytes {
		b.lines = nil // of a message with giant texts: not kept
	}
	if len(rec.Payload) > buffer.MaxPayloadBytes { // one giant text: the buffer would not take it
		g := telemetry.Gap{Server: f.name, Group: group, From: rec.First, To: rec.Last, Cause: telemetry.CauseBufferLimit, Count: int64(rec.Samples),
			Detail: fmt.Sprintf("a block of %d bytes is larger than the buffer takes (%d)", len(rec.Payload), buffer.MaxPayloadBytes)}
		if err := f.w.out.JSON(KindGap, g); err != nil {
			return err
		}
		rec.Samples, rec.Lines, rec.Payload = 0, 0, nil
	}
	if err := f.sendEstate(); err != nil {
		return err
	}
	return f.w.send(rec, mark, done)
}

func (f *feed) compress(lines []byte) ([]byte, error) {
	var z bytes.Buffer
	f.zw.Reset(&z)
	if _, err := f.zw.Write(lines); err != nil {
		return nil, err
	}
	if err := f.zw.Close(); err != nil {
		return nil, err
	}
	return z.Bytes(), nil
}

// send gives rec an id and writes it. Ids reach the parent in order: adding and writing are one step.
func (w *worker) send(rec buffer.Record, mark uasession.Mark, done []func()) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.out.Block(&Block{ID: w.unacked.add(len(rec.Payload), done), Mark: mark, Record: rec})
}

// quietTracks is how often in a row tracks that did not change are not sent. They are sent now and then all the same:
// the buffer keeps everything since the newest checkpoint of each server, also what all stores have.
const quietTracks = 10

// sendTracks sends the open blocks, then the tracks that go with everything sent so far. Unless asked for (now), those
// that did not change are rarely sent.
func (f *feed) sendTracks(now bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.flushOldLocked(0); err != nil {
		return err
	}
	if !f.dirty && !now {
		if f.quiet++; f.quiet < quietTracks {
			return nil
		}
	}
	f.dirty, f.quiet = false, 0
	return f.w.out.Tracks(f.tracks)
}
