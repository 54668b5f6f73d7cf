package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"kvarts/collector/buffer"
	"kvarts/collector/uasession"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

// intake takes the frames of one worker to disk, in their order, and acknowledges blocks when they are durable, and with
// them everything that came before them.
type intake struct {
	a     *Agent
	out   *worker.Writer // to the worker
	abort func()         // ends the worker, and so the reading, when the acknowledging has failed

	// Of the goroutine that reads.
	last    uint64 // number of the newest record that the buffer took from this worker
	refused bool   // the buffer refused something since the last block: its report is to be made durable too

	mu      sync.Mutex
	pending []pendingAck
	wake    chan struct{} // capacity 1
}

type pendingAck struct {
	id     uint64
	seq    uint64
	sync   bool           // also what the buffer refused
	tracks *worker.Tracks // instead of a block: a checkpoint to save when seq is durable
	resume map[string]telemetry.Instant

	server, group string
	mark          uasession.Mark // the newest message that is complete when seq is durable
}

// run reads frames until the worker's side ends: io.EOF when it ended between frames, io.ErrUnexpectedEOF when it died
// within one, whose remains are dropped: nobody was told that they are safe. When ctx ends, what waits for the disk ends.
func (in *intake) run(ctx context.Context, r *worker.Reader) error {
	acking, cancel := context.WithCancel(ctx)
	defer cancel()
	acks := make(chan error, 1)
	go func() {
		err := in.acknowledge(acking)
		if acking.Err() == nil {
			in.abort()
		}
		acks <- err
	}()
	err := in.read(ctx, r)
	cancel()
	if aerr := <-acks; isFatal(aerr) {
		return aerr
	}
	if errors.Is(err, io.EOF) {
		// What was sent before the end is still made durable and checkpointed.
		if serr := in.settle(ctx); serr != nil {
			return serr
		}
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
		return in.gap(ctx, g)
	case worker.KindReject:
		list, err := worker.Decode[[]worker.Reject](f)
		if err != nil {
			return err
		}
		return in.took(ctx)(in.a.quarantineValues(ctx, list))
	case worker.KindKnown:
		known, err := worker.Decode[worker.Known](f)
		if err != nil {
			return err
		}
		for server, groups := range known {
			for group, at := range groups {
				in.a.published.note(server, group, at)
			}
		}
		return nil
	case worker.KindEstate:
		e, err := worker.Decode[worker.Estate](f)
		if err != nil {
			return err
		}
		in.a.heirlooms.leave(e.Server, e.Estate)
		return nil
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
		var seq uint64
		err := in.a.hold(ctx, func() (err error) { seq, err = in.a.log.Append(&b.Record); return err })
		if errors.Is(err, buffer.ErrTooLarge) {
			err = in.gap(ctx, telemetry.Gap{Server: b.Server, Group: b.Group, From: b.First, To: b.Last, Cause: telemetry.CauseBufferLimit,
				Count: int64(b.Samples), Detail: err.Error()})
		} else {
			err = in.took(ctx)(seq, err)
		}
		if err != nil {
			return err
		}
	}
	in.a.published.note(b.Server, b.Group, b.Published)
	in.a.samples.Add(uint64(b.Samples))
	in.push(pendingAck{id: b.ID, seq: in.last, sync: in.refused, server: b.Server, group: b.Group, mark: b.Mark})
	in.refused = false
	return nil
}

func (in *intake) gap(ctx context.Context, g telemetry.Gap) error {
	return in.took(ctx)(in.a.putGap(ctx, g))
}

// took returns what takes down the outcome of putting something into the buffer: what was refused by its policy is
// accounted for by the buffer, any other error ends the agent.
func (in *intake) took(ctx context.Context) func(seq uint64, err error) error {
	return func(seq uint64, err error) error {
		switch {
		case err == nil:
			in.last = max(in.last, seq)
		case errors.Is(err, buffer.ErrFull):
			in.refused = true
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			return fatal(err)
		}
		return nil
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
		if p.sync || p.seq > in.a.log.Durable() {
			ack() // before waiting, tell what is known
			if err := in.durable(ctx, p); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return fatal(err)
			}
		}
		if p.tracks == nil {
			id = p.id
			in.a.heirlooms.reached(p.server, p.group, p.mark)
			continue
		}
		// Without a new checkpoint the buffer keeps what has come since the old one: it is a matter of space.
		server := p.tracks.Server
		in.a.troubles.set("checkpoint of "+server, in.a.memories.save(server, &memory{tracks: *p.tracks, resume: p.resume, seq: p.seq}))
	}
	ack()
	return nil
}

func (in *intake) durable(ctx context.Context, p pendingAck) error {
	if p.sync {
		return in.a.hold(ctx, func() error { return in.a.log.Sync(ctx) })
	}
	return in.a.log.WaitDurable(ctx, p.seq)
}

// settle makes durable and checkpoints what is left after the worker's end.
func (in *intake) settle(ctx context.Context) error {
	list := in.pop()
	if len(list) == 0 {
		return nil
	}
	list[len(list)-1].sync = true // now, without the window of the group commit
	return in.confirm(ctx, list)
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
		if p.at == nil {
			p.at = map[string]map[string]telemetry.Instant{}
		}
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
