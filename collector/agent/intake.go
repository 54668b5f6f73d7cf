package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/uasession"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

// intake takes the frames of one worker to disk, in their order, and acknowledges blocks when they are durable.
type intake struct {
	a    *Agent
	out  *worker.Writer // to the worker
	last uint64         // sequence number of the newest record that the buffer took from this worker

	mu      sync.Mutex
	pending []pendingAck
	wake    chan struct{} // capacity 1
}

type pendingAck struct {
	id     uint64
	seq    uint64
	tracks *worker.Tracks // instead of a block: a checkpoint to save when seq is durable
	resume map[string]telemetry.Instant
}

// spaceRetry is how long a full disk is left alone: meanwhile the worker waits, and the servers queue.
const spaceRetry = time.Second

// run reads frames until the worker's side ends: io.EOF when it ended in good order, io.ErrUnexpectedEOF when it died
// within a frame, whose remains are dropped: nobody was told that they are safe.
func (in *intake) run(ctx context.Context, r *worker.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	acks := make(chan error, 1)
	go func() { acks <- in.acknowledge(ctx) }()
	err := in.read(ctx, r)
	if errors.Is(err, io.EOF) {
		// What was sent before a clean end is still made durable and checkpointed.
		if serr := in.settle(ctx); serr != nil {
			err = serr
		}
	}
	cancel()
	if aerr := <-acks; aerr != nil && !errors.Is(aerr, context.Canceled) {
		return errors.Join(err, aerr)
	}
	return err
}

func (in *intake) read(ctx context.Context, r *worker.Reader) error {
	for {
		f, err := r.Next()
		if err != nil {
			return err
		}
		if err := in.take(ctx, f); err != nil {
			return err
		}
	}
}

func (in *intake) take(ctx context.Context, f worker.Frame) error {
	switch f.Kind {
	case worker.KindBlock:
		b, err := worker.ParseBlock(f.Body)
		if err != nil {
			return err
		}
		return in.block(ctx, &b)
	case worker.KindGap:
		g, err := worker.Decode[telemetry.Gap](f)
		if err != nil {
			return err
		}
		return fatal(in.a.ledger.gap(g))
	case worker.KindReject:
		list, err := worker.Decode[[]worker.Reject](f)
		if err != nil {
			return err
		}
		return fatal(in.a.quarantineValues(list))
	case worker.KindTracks:
		t, err := worker.ParseTracks(f.Body)
		if err != nil {
			return err
		}
		in.push(pendingAck{seq: in.last, tracks: &t, resume: in.a.published.of(t.Server)})
		return nil
	case worker.KindState:
		states, err := worker.Decode[[]uasession.ServerState](f)
		if err != nil {
			return err
		}
		in.a.setStates(states)
		return nil
	default:
		return fmt.Errorf("frame %q is not one that a worker sends", f.Kind)
	}
}

func (in *intake) block(ctx context.Context, b *worker.Block) error {
	if len(b.Payload) > 0 { // a message without values, or with rejected ones only, has no lines
		seq, err := in.append(ctx, &b.Record)
		switch {
		case errors.Is(err, buffer.ErrFull): // the buffer's policy: it reports the loss itself
		case errors.Is(err, buffer.ErrTooLarge):
			if err := in.a.ledger.gap(telemetry.Gap{Server: b.Server, Group: b.Group, From: b.First, To: b.Last, Cause: telemetry.CauseBufferLimit,
				Count: int64(b.Samples), Detail: err.Error()}); err != nil {
				return fatal(err)
			}
		case err != nil:
			return fatal(err)
		default:
			in.last = seq
		}
	}
	in.a.published.note(b.Server, b.Group, b.Published)
	in.a.count(b.Samples)
	in.push(pendingAck{id: b.ID, seq: in.last})
	return nil
}

// append stores r; while the disk is full it waits, which holds the worker back and lets the servers queue.
func (in *intake) append(ctx context.Context, r *buffer.Record) (uint64, error) {
	for {
		seq, err := in.a.log.Append(r)
		in.a.setDiskFull(errors.Is(err, buffer.ErrNoSpace))
		if !errors.Is(err, buffer.ErrNoSpace) {
			return seq, err
		}
		select {
		case <-time.After(spaceRetry):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (in *intake) push(p pendingAck) {
	in.mu.Lock()
	in.pending = append(in.pending, p)
	in.mu.Unlock()
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

func (in *intake) pop() []pendingAck {
	in.mu.Lock()
	defer in.mu.Unlock()
	p := in.pending
	in.pending = nil
	return p
}

// acknowledge confirms blocks as they become durable, several by one frame, and saves checkpoints.
func (in *intake) acknowledge(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-in.wake:
		}
		if err := in.confirm(ctx, in.pop()); err != nil {
			return err
		}
	}
}

func (in *intake) confirm(ctx context.Context, list []pendingAck) error {
	var id, acked uint64
	ack := func() {
		if id > acked {
			acked = id
			_ = in.out.Ack(id) // a worker that is gone: its end is handled where its frames are read
		}
	}
	for _, p := range list {
		if p.seq > in.a.log.Durable() {
			ack() // before waiting, tell what is known
			if err := in.a.log.WaitDurable(ctx, p.seq); err != nil {
				return fatal(err)
			}
		}
		if p.tracks == nil {
			id = p.id
		} else if err := in.checkpoint(p); err != nil {
			return err
		}
	}
	ack()
	return nil
}

func (in *intake) checkpoint(p pendingAck) error {
	return fatal(in.a.memories.save(p.tracks.Server, &memory{tracks: *p.tracks, resume: p.resume, seq: p.seq}))
}

// settle makes durable and checkpoints what is left after the worker's clean end.
func (in *intake) settle(ctx context.Context) error {
	if err := in.a.log.Sync(ctx); err != nil {
		return fatal(err)
	}
	return in.confirm(ctx, in.pop())
}

// published knows per server and group up to which publish time everything was handed to the buffer.
type published struct {
	mu sync.Mutex
	at map[string]map[string]telemetry.Instant
}

func (p *published) note(server, group string, at telemetry.Instant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	groups := p.at[server]
	if groups == nil {
		groups = map[string]telemetry.Instant{}
		p.at[server] = groups
	}
	groups[group] = max(groups[group], at)
}

func (p *published) of(server string) map[string]telemetry.Instant {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.at[server])
}

// quarantineValues puts values that could not be encoded aside; they are durable when it returns.
func (a *Agent) quarantineValues(list []worker.Reject) error {
	entries := make([]quarantine.Entry, len(list))
	for i, r := range list {
		entries[i] = quarantine.Entry{At: a.now(), Reason: quarantine.Unencoded, Server: r.Server, Group: r.Group, Message: r.Reason,
			Tag: r.Series + " " + r.Field, Value: r.Value, Samples: 1, First: r.Source, Last: r.Source}
		entries[i].Identify()
	}
	if _, err := a.quarantine.Add(entries...); err != nil {
		return fmt.Errorf("quarantine %d values of %s: %w", len(list), list[0].Server, err)
	}
	return nil
}
