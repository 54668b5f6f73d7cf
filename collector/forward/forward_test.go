package forward

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
)

var (
	errDown  = errors.New("connection refused")
	down     = influx.Result{Class: influx.Retry, Message: "connection refused", Err: errDown, Dropped: -1}
	accepted = influx.Result{Class: influx.OK, Status: 204, Dropped: -1}
)

// source makes lines with values that never repeat.
type source struct {
	n   int
	all []string
}

// block is one record of n lines of one server and group.
func (s *source) block(server, group string, n int) buffer.Record {
	var lines []string
	for range n {
		s.n++
		lines = append(lines, fmt.Sprintf("puller,unit=%s_%s v=%d %d", server, group, s.n, 1_700_000_000_000_000_000+s.n*1000))
	}
	s.all = append(s.all, lines...)
	return record(server, group, lines...)
}

// A token that was changed, told by SetStore, is used at once.
func TestSetStoreEndsAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.script = func(int, []string) (influx.Result, bool, bool) {
			return influx.Result{Class: influx.Hold, Status: 401, Message: "unauthorized", Remedy: "set the token", Dropped: -1}, false, true
		}
		var src source
		r.log.append(src.block("s", "g", 10))
		stop := r.run(t)
		defer stop()
		sleep(5 * time.Minute)
		if s := r.f.Snapshot(); s.Condition != Held || s.Failure.Remedy != "set the token" || s.NextTry.IsZero() {
			t.Errorf("state %+v", s)
		}
		good := newMemStore()
		r.f.SetStore(good)
		sleep(10 * time.Millisecond)
		if !r.log.allAcked() {
			t.Error("not delivered at once")
		}
		r.store = good
		r.account(t, src.all)
		if s := r.f.Snapshot(); s.Condition != Delivering || s.LastSuccess == 0 {
			t.Errorf("state %+v", s)
		}
	})
}

// The bad line is durable in quarantine before its record is acknowledged; while it cannot be, nothing is lost.
func TestQuarantineBeforeAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var src source
		rec := src.block("s", "g", 10)
		r.store.bad = func(l string) string {
			if l == src.all[3] {
				return "bad"
			}
			return ""
		}
		r.quarantine.fail = errors.New("no space left on device")
		r.quarantine.onAdd = func() {
			if r.log.allAcked() {
				t.Error("acknowledged before it was in quarantine")
			}
		}
		r.log.append(rec)
		stop := r.run(t)
		sleep(time.Minute)
		if r.log.allAcked() {
			t.Error("acknowledged although the bad line is nowhere")
		}
		if r.saw(EventQuarantineFailed) == 0 {
			t.Error("nobody was told")
		}
		r.quarantine.mu.Lock()
		r.quarantine.fail = nil
		r.quarantine.mu.Unlock()
		sleep(time.Minute)
		stop()
		if !r.log.allAcked() {
			t.Error("not acknowledged after the disk was mended")
		}
		r.account(t, src.all)
		if s := r.f.Snapshot(); s.Totals.QuarantinedLines != 1 || s.Totals.QuarantinedSamples != 1 || s.Totals.Samples != 10 {
			t.Errorf("totals %+v", s.Totals)
		}
	})
}

// Run's end waits for requests under way, for the grace, and takes their outcome into account.
func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name  string
		took  time.Duration
		acked bool
	}{{"ends in time", 3 * time.Second, true}, {"hangs", time.Hour, false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.store.took = c.took
				var src source
				r.log.append(src.block("s", "g", 5))
				stop := r.run(t)
				sleep(time.Second)
				start := time.Now()
				stop()
				if took := time.Since(start); took > defaultGrace {
					t.Errorf("Run took %s to end", took)
				}
				if r.log.allAcked() != c.acked {
					t.Errorf("acknowledged: %v, want %v", !c.acked, c.acked)
				}
			})
		})
	}
}

// A log that cannot be read for a while is read again; one that was closed, or a cursor that failed, ends Run.
func TestLogFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var src source
		r.log.append(src.block("s", "g", 5))
		r.log.readErr = errors.New("input/output error")
		stop := r.run(t)
		sleep(10 * time.Second)
		if n := r.saw(EventReadFailed); n != 1 {
			t.Errorf("%d events of failed reads in 10 s, want one", n)
		}
		r.log.mu.Lock()
		r.log.readErr = nil
		r.log.mu.Unlock()
		sleep(3 * time.Second)
		r.account(t, src.all)
		stop()
	})
	for name, fail := range map[string]func(*memLog, error){
		"closed": func(l *memLog, err error) { l.readErr = fmt.Errorf("read: %w", buffer.ErrClosed) },
		"ack":    func(l *memLog, err error) { l.ackErr = err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				var src source
				r.log.append(src.block("s", "g", 5))
				cause := errors.New("cause")
				fail(r.log, cause)
				err := r.f.Run(t.Context())
				if !errors.Is(err, cause) && !errors.Is(err, buffer.ErrClosed) {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

func TestNewChecks(t *testing.T) {
	for name, o := range map[string]Options{
		"no name":   {Log: newMemLog(), Cursor: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine()},
		"no log":    {Name: "x", Cursor: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine()},
		"no cursor": {Name: "x", Log: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine()},
		"no store":  {Name: "x", Log: newMemLog(), Cursor: newMemLog(), Quarantine: newMemQuarantine()},
		"negative":  {Name: "x", Log: newMemLog(), Cursor: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine(), InFlight: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Killed after the bad line is durable in quarantine and before the record is acknowledged: one entry, not two.
func TestCrashBetweenQuarantineAndAck(t *testing.T) {
	q, err := quarantine.Open(quarantine.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	options := func(o *Options) { o.Quarantine = q }
	r := newRig(t, options)
	var src source
	rec := src.block("s", "g", 10)
	r.store.bad = func(l string) string {
		if l == src.all[4] {
			return "bad"
		}
		return ""
	}
	r.log.append(rec)
	killed := errors.New("killed")
	for range 3 {
		r.log.ackErr = killed
		if err := r.f.Run(t.Context()); !errors.Is(err, killed) {
			t.Fatalf("Run: %v", err)
		}
		r.build(t, options)
	}
	r.log.mu.Lock()
	r.log.ackErr = nil
	r.log.mu.Unlock()
	stop := r.run(t)
	waitFor(t, "acknowledgement", r.log.allAcked)
	stop()
	entries, err := q.List(quarantine.Filter{})
	if err != nil || len(entries) != 1 || entries[0].Line != src.all[4] {
		t.Fatalf("quarantine holds %+v, %v", entries, err)
	}
	r.quarantine.Add(entries...)
	r.account(t, src.all)
}
