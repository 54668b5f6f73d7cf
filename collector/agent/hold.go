package agent

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

// spaceRetry is how long a full disk is left alone: meanwhile the worker waits, and the servers queue.
const spaceRetry = time.Second

// hold does try again and again while the disk is full. It returns try's result, or the error of ctx.
func (a *Agent) hold(ctx context.Context, try func() error) error {
	err := try()
	if !noSpace(err) {
		return err
	}
	a.holding.Add(1)
	defer a.holding.Add(-1)
	for noSpace(err) {
		select {
		case <-time.After(spaceRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
		err = try()
	}
	return err
}

// noSpace says that err is of a full disk or quota, for which waiting helps.
func noSpace(err error) bool {
	return errors.Is(err, buffer.ErrNoSpace) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// putGap puts g on record and returns the number of its record, however long the disk is full. buffer.ErrFull means that
// the policy refused it: the buffer reports that as a loss of its own, which covers what g covers.
func (a *Agent) putGap(ctx context.Context, g telemetry.Gap) (seq uint64, err error) {
	err = a.hold(ctx, func() (err error) { seq, err = a.ledger.gap(g); return err })
	return seq, err
}

// lost ledgers what the buffer gave up or could not read. It does not return before it has: the buffer forgets the loss
// then. While the disk is full nobody else waits for it.
func (a *Agent) lost(loss buffer.Loss) {
	a.mu.Lock()
	servers := serverNames(a.cfg)
	a.mu.Unlock()
	for _, g := range gapsOf(loss, servers) {
		_, err := a.ledger.gap(g)
		if noSpace(err) {
			a.lossHeld.Store(true)
			_, err = a.putGap(context.Background(), g)
			a.lossHeld.Store(false)
		}
		if err != nil && !errors.Is(err, buffer.ErrFull) {
			a.events.Error().Err(err).Str("server", g.Server).Stringer("from", g.From).Stringer("to", g.To).Msg("loss could not be ledgered")
		}
	}
}

// quarantineLost ledgers what the quarantine's own limit gave up. The quarantine is locked meanwhile, and about to give
// its space back: on a full disk the entry waits in memory.
func (a *Agent) quarantineLost(g telemetry.Gap) {
	seq, err := a.ledger.gap(g)
	if err == nil {
		err = a.log.WaitDurable(context.Background(), seq)
	}
	if noSpace(err) {
		a.ledger.later(g)
	} else if err != nil && !errors.Is(err, buffer.ErrFull) {
		a.events.Error().Err(err).Str("server", g.Server).Msg("loss in quarantine could not be ledgered")
	}
}

// quarantineValues puts values that could not be encoded aside; they are durable when it returns. A quarantine that does
// not work stops nobody: its values become entries of the ledger, whose newest record it returns (0: none).
func (a *Agent) quarantineValues(ctx context.Context, list []worker.Reject) (seq uint64, err error) {
	entries := make([]quarantine.Entry, len(list))
	for i, r := range list {
		entries[i] = quarantine.Entry{At: a.now(), Reason: quarantine.Unencoded, Server: r.Server, Group: r.Group, Message: r.Reason,
			Tag: r.Series + " " + r.Field, Value: r.Value, Samples: 1, First: r.Source, Last: r.Source}
		entries[i].Identify()
	}
	failed := a.hold(ctx, func() error { _, err := a.quarantine.Add(entries...); return err })
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	a.troubles.set("quarantine", failed)
	if failed == nil {
		return 0, nil
	}
	for _, r := range list {
		g := telemetry.Gap{Server: r.Server, Group: r.Group, Series: r.Series, Signal: r.Field, From: r.Source, To: r.Source, Cause: telemetry.CauseStore, Count: 1,
			Detail: "quarantine failed (" + failed.Error() + "): " + r.Reason + ": " + r.Value}
		if seq, err = a.putGap(ctx, g); err != nil {
			return seq, err
		}
	}
	return seq, nil
}

// troubles is what goes wrong in the agent itself and does not stop it, for the page: by what fails, until it works again.
type troubles struct {
	events zerolog.Logger
	mu     sync.Mutex
	now    map[string]string
}

// set says how what went: nil ends the trouble. A change is logged.
func (t *troubles) set(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, was := t.now[what]
	switch {
	case err == nil && was:
		delete(t.now, what)
		t.events.Info().Str("what", what).Msg("works again")
	case err != nil && old != err.Error():
		if t.now == nil {
			t.now = map[string]string{}
		}
		t.now[what] = err.Error()
		t.events.Warn().Err(err).Str("what", what).Msg("does not work")
	}
}

func (t *troubles) list() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Values(t.now))
}
