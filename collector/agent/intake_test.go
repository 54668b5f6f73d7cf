package agent

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"kvarts/collector/buffer"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

const at0 telemetry.Instant = 1_700_000_000_000_000_000

// workerEnd is the worker's side of an intake under test.
type workerEnd struct {
	out  *worker.Writer
	in   *worker.Reader
	end  func()       // ends the worker between frames
	done <-chan error // what intake.run returned
}

// startIntake runs an intake on pipes.
func startIntake(t *testing.T, a *Agent) *workerEnd {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	in := &intake{a: a, out: worker.NewWriter(inW), abort: func() { _ = outR.Close() }, wake: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() {
		done <- in.run(ctx, worker.NewReader(outR))
		_ = inW.Close()
	}()
	t.Cleanup(func() {
		cancel()
		_ = outW.Close()
		_ = inR.Close()
	})
	return &workerEnd{out: worker.NewWriter(outW), in: worker.NewReader(inR), end: func() { _ = outW.Close() }, done: done}
}

// acks reads acknowledgements until the pipe ends.
func (w *workerEnd) acks() <-chan uint64 {
	c := make(chan uint64, 100)
	go func() {
		defer close(c)
		for {
			f, err := w.in.Next()
			if err != nil {
				return
			}
			if id, err := worker.AckID(f.Body); err == nil {
				c <- id
			}
		}
	}()
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closing closes a at the end of the test.
func closing(t *testing.T, a *Agent) *Agent {
	t.Cleanup(func() {
		if err := a.Close(); err != nil && !errors.Is(err, buffer.ErrFailed) {
			t.Error(err)
		}
	})
	return a
}

// What is acknowledged has been fsynced, and with it what the worker sent before: also a gap in front of a message that
// has no lines of its own.
func TestAckComesAfterFsync(t *testing.T) {
	gap := telemetry.Gap{Server: "a", Group: "g", From: at0, To: at0 + 1, Cause: telemetry.CauseSession, Count: -1}
	for name, send := range map[string]func(w *worker.Writer) error{
		"block": func(w *worker.Writer) error { return w.Block(blockOf(1, "a", at0, 1)) },
		"gap before an empty block": func(w *worker.Writer) error {
			return errors.Join(w.JSON(worker.KindGap, gap), w.Block(blockOf(1, "a", at0)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &disk{}
			a := closing(t, mustNew(t, t.TempDir(), nil, d, "a"))
			_, err := a.ledger.gap(gap) // the segment is there
			must(t, err)
			must(t, a.log.Sync(t.Context()))
			release := d.hold()
			defer release()
			before := d.syncs.Load()
			w := startIntake(t, a)
			acks := w.acks()
			must(t, send(w.out))
			eventually(t, func() string {
				if d.syncs.Load() == before {
					return "no fsync was asked for"
				}
				return ""
			})
			select {
			case id := <-acks:
				t.Fatalf("block %d is acknowledged before the fsync has ended", id)
			default:
			}
			release()
			if id := <-acks; id != 1 {
				t.Errorf("acknowledged %d", id)
			}
			w.end()
			if err := <-w.done; !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
	}
}

// While the disk is full everything waits, in its order, and nothing is lost or acknowledged.
func TestFullDiskHolds(t *testing.T) {
	d := &disk{}
	a := closing(t, mustNew(t, t.TempDir(), nil, d, "a"))
	_, err := a.ledger.gap(telemetry.Gap{Server: "a", From: 1, To: 2, Cause: telemetry.CauseDecode, Count: -1})
	must(t, err)
	must(t, a.log.Sync(t.Context()))
	w := startIntake(t, a)
	acks := w.acks()
	d.full.Store(true)
	must(t, w.out.JSON(worker.KindGap, telemetry.Gap{Server: "a", Group: "g", From: at0, To: at0 + 1, Cause: telemetry.CauseSession, Count: -1}))
	eventually(t, func() string {
		if !a.View().Buffer.DiskFull {
			return "the page does not say that the disk is full"
		}
		return ""
	})
	go func() { _ = w.out.Block(blockOf(1, "a", at0, 1)) }() // waits until the gap is written
	if len(acks) > 0 || len(w.done) > 0 {
		t.Fatalf("acknowledged %d, ended %d", len(acks), len(w.done))
	}
	d.full.Store(false)
	if id := <-acks; id != 1 {
		t.Errorf("acknowledged %d", id)
	}
	if a.View().Buffer.DiskFull {
		t.Error("the disk still seems to be full")
	}
	if g := gapsIn(t, a.log); len(g) != 2 || g[1].From != at0 {
		t.Errorf("ledger: %v", g)
	}
	w.end()
	<-w.done
}

// A failed fsync ends the intake with an error that ends the agent, although the worker sends nothing any more.
func TestFailedFsyncEndsTheIntake(t *testing.T) {
	d := &disk{}
	a := mustNew(t, t.TempDir(), nil, d, "a")
	w := startIntake(t, a)
	w.acks()
	d.dead.Store(true)
	must(t, w.out.Block(blockOf(1, "a", at0, 1)))
	if err := <-w.done; !isFatal(err) || !errors.Is(err, buffer.ErrFailed) {
		t.Errorf("ended with %v", err)
	}
	if err := a.Close(); !errors.Is(err, buffer.ErrFailed) {
		t.Errorf("closed with %v", err)
	}
}

// A quarantine that does not work stops nobody: its values are on record as lost.
func TestQuarantineFailureIsLedgered(t *testing.T) {
	a := closing(t, mustNew(t, t.TempDir(), nil, nil, "a"))
	must(t, a.quarantine.Close())
	w := startIntake(t, a)
	acks := w.acks()
	must(t, w.out.JSON(worker.KindReject, []worker.Reject{{Server: "a", Group: "g", Series: "m,unit=a", Field: "f", Value: "v", Source: at0, Reason: "no rule"}}))
	must(t, w.out.Block(blockOf(1, "a", at0)))
	<-acks
	if g := gapsIn(t, a.log); len(g) != 1 || !g[0].Covers("a", "m,unit=a", "f", at0) || g[0].Count != 1 {
		t.Errorf("ledger: %+v", g)
	}
	if v := a.View(); !slices.ContainsFunc(v.Troubles, func(s string) bool { return strings.Contains(s, "add to quarantine") }) {
		t.Errorf("troubles: %q", v.Troubles)
	}
	w.end()
	<-w.done
}

// A block that the buffer can never take becomes a gap and is acknowledged.
func TestTooLargeBlockIsLedgered(t *testing.T) {
	a := closing(t, mustNew(t, t.TempDir(), nil, nil, "a"))
	w := startIntake(t, a)
	acks := w.acks()
	b := blockOf(1, "a", at0, 1)
	b.Payload = make([]byte, buffer.MaxPayloadBytes+1)
	must(t, w.out.Block(b))
	<-acks
	if g := gapsIn(t, a.log); len(g) != 1 || g[0].Cause != telemetry.CauseBufferLimit || g[0].Count != 1 {
		t.Errorf("ledger: %+v", g)
	}
	w.end()
	<-w.done
}

// What a worker says wrongly ends it, not the agent.
func TestNonsenseEndsTheWorkerOnly(t *testing.T) {
	a := closing(t, mustNew(t, t.TempDir(), nil, nil, "a"))
	for name, send := range map[string]func(w *worker.Writer) error{
		"unknown kind":   func(w *worker.Writer) error { return w.JSON('?', 1) },
		"torn block":     func(w *worker.Writer) error { return w.JSON(worker.KindBlock, 1) },
		"torn tracks":    func(w *worker.Writer) error { return w.JSON(worker.KindTracks, 1) },
		"no JSON object": func(w *worker.Writer) error { return w.JSON(worker.KindGap, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			w := startIntake(t, a)
			must(t, send(w.out))
			if err := <-w.done; err == nil || isFatal(err) || errors.Is(err, io.EOF) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// A checkpoint that cannot be written costs space, not values.
func TestCheckpointFailureIsShown(t *testing.T) {
	a := closing(t, mustNew(t, t.TempDir(), nil, nil, "a"))
	a.memories.dir = "/dev/null/tracks"
	w := startIntake(t, a)
	acks := w.acks()
	must(t, w.out.Tracks(&worker.Tracks{Server: "a"}))
	must(t, w.out.Block(blockOf(1, "a", at0, 1)))
	if id := <-acks; id != 1 {
		t.Error(id)
	}
	if v := a.View(); len(v.Troubles) != 1 || !strings.Contains(v.Troubles[0], "checkpoint") {
		t.Errorf("troubles: %q", v.Troubles)
	}
	w.end()
	<-w.done
}
