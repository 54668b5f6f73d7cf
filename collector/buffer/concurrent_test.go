package buffer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestConcurrency runs appenders, readers, acknowledgements, drops and questions side by side; every record is read or
// ledgered, each appender's in its order.
func TestConcurrency(t *testing.T) {
	const appenders, each = 4, 300
	o := options(t.TempDir())
	o.SegmentBytes, o.MaxBytes, o.Policy, o.Destinations = 4096, 256<<10, DropClass, []string{"hq", "plant"}
	l := mustOpen(t, o)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	w := written{}
	var group sync.WaitGroup
	var writing sync.WaitGroup
	fail := func(format string, args ...any) { t.Errorf(format, args...); cancel() }
	for a := range appenders {
		writing.Add(1)
		group.Go(func() {
			defer writing.Done()
			for i := range each {
				r := block(fmt.Sprint("server", a), "fast", i)
				mu.Lock() // number and record have to be noted together
				seq, err := l.Append(r)
				w[seq] = r
				mu.Unlock()
				if err == nil && i%10 == 0 {
					err = l.WaitDurable(ctx, seq)
				}
				if err != nil {
					fail("append: %v", err)
					return
				}
			}
		})
	}
	ended := make(chan struct{})
	group.Go(func() { writing.Wait(); close(ended) })
	for _, d := range o.Destinations {
		group.Go(func() {
			c, err := l.Cursor(d)
			if err != nil {
				fail("cursor: %v", err)
				return
			}
			from := uint64(1)
			for ctx.Err() == nil {
				changed := l.Changed()
				list, err := l.Read(from, 50, 1<<20, nil)
				if err != nil {
					fail("read: %v", err)
					return
				}
				for i := range list {
					if list[i].Seq < from {
						fail("%s: record %d after %d", d, list[i].Seq, from-1)
						return
					}
					from = list[i].Seq + 1
				}
				if len(list) > 0 {
					if err := c.Ack(list[0].Seq, list[len(list)-1].Seq); err != nil {
						fail("ack: %v", err)
						return
					}
					continue
				}
				if from > appenders*each {
					return
				}
				select {
				case <-changed:
				case <-ended:
					if err := l.Sync(ctx); err != nil {
						fail("sync: %v", err)
					}
				case <-ctx.Done():
				}
			}
		})
	}
	group.Go(func() {
		for i := uint64(0); ; i++ {
			select {
			case <-ended:
				return
			default:
			}
			l.Stat()
			l.Pin("checkpoint", i)
			if err := l.keep(); err != nil {
				fail("keep: %v", err)
				return
			}
		}
	})
	group.Go(func() { // the command line looks at the directory of a running collector
		for {
			select {
			case <-ended:
				return
			default:
			}
			if r, err := Verify(o.Dir); err != nil || !r.OK {
				fail("verify: %+v, %v", r, err)
				return
			}
		}
	})
	group.Wait()
	l.Unpin("checkpoint")
	for _, d := range o.Destinations {
		if low, beyond := l.cursors[d].Acked(); low != appenders*each || len(beyond) > 0 {
			t.Errorf("%s: acknowledged up to %d and %v", d, low, beyond)
		}
	}
	if all := o.ledger.all(); len(all) > 0 {
		t.Errorf("losses %+v", all)
	}
	mustClose(t, l)
	l = mustOpen(t, o)
	if err := w.survived(w, mustReadAll(t, l), nil); err != nil {
		// Delivered segments are gone: only what is still there is compared.
		left := written{}
		if err := left.survived(w, mustReadAll(t, l), nil); err != nil {
			t.Error(err)
		}
	}
}

// TestLossMayUseTheLog: OnLoss appends the ledger's record itself, as the agent does, while the log is at its limit.
func TestLossMayUseTheLog(t *testing.T) {
	o, m := inMemory()
	o.MaxBytes = 16 << 10
	var l *Log
	var mu sync.Mutex
	var got []Loss
	o.OnLoss = func(x Loss) {
		r := meta(0)
		r.First, r.Last = x.First, x.Last
		_, err := l.Append(r)
		if err == nil {
			err = l.Sync(context.Background())
		}
		if err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("append in OnLoss: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, x)
	}
	var err error
	if l, err = Open(context.Background(), o.Options); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		mustAppend(t, l, block("a", "b", i))
	}
	mustSync(t, l)
	eventually(t, "losses forgotten", func() bool {
		if err := l.keep(); err != nil {
			t.Fatal(err)
		}
		return l.Stat().OpenLosses == 0
	})
	mustClose(t, l)
	mu.Lock()
	n := len(got)
	mu.Unlock()
	if n < 5 {
		t.Fatalf("%d losses", n)
	}
	// They are durable, so they are not reported again.
	o, _ = inMemory()
	o.FS = m
	l = mustOpen(t, o)
	mustSync(t, l)
	if s := l.Stat(); s.OpenLosses > 0 || len(o.ledger.all()) > 0 {
		t.Fatalf("%d open losses after reopening, reported %v", s.OpenLosses, o.ledger.all())
	}
}

// TestUnledgeredLossComesAgain: a process that dies before the report was durable reports the same loss again.
func TestUnledgeredLossComesAgain(t *testing.T) {
	o, m := inMemory()
	o.MaxBytes = 16 << 10
	l := mustOpen(t, o)
	w := fill(t, l, 120)
	eventually(t, "losses", func() bool { return l.unreported() == 0 && len(o.ledger.all()) > 0 })
	k := m.kill()
	first := o.ledger.all()
	again, _ := inMemory()
	again.FS = k
	l2 := mustOpen(t, again)
	got := mustReadAll(t, l2)
	eventually(t, "losses again", func() bool { return l2.unreported() == 0 })
	if err := w.balance(got, distinct(append(first, again.ledger.all()...))); err != nil {
		t.Fatal(err)
	}
	for _, x := range again.ledger.all() {
		found := false
		for i := range first {
			found = found || first[i].same(&x) && first[i].Samples == x.Samples && first[i].Last == x.Last
		}
		if !found {
			t.Errorf("reported after the restart only: %+v", x)
		}
	}
}

// TestRefusalsAreAddedUp: a full buffer refuses many blocks; one loss for each group and window tells of them, also when
// the process is killed after a Sync.
func TestRefusalsAreAddedUp(t *testing.T) {
	o, m := inMemory()
	o.MaxBytes, o.Policy = 16<<10, DropNewest
	l := mustOpen(t, o)
	samples := map[string]uint64{}
	for i := range 400 {
		r := mix(i)
		if _, err := l.Append(r); errors.Is(err, ErrFull) {
			samples[r.Server+"/"+r.Group] += uint64(r.Samples)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	mustSync(t, l)
	if n := len(o.ledger.all()); n > 0 {
		t.Errorf("%d losses before the window ended", n)
	}
	again, _ := inMemory()
	again.FS = m.kill()
	l2 := mustOpen(t, again)
	mustReadAll(t, l2)
	eventually(t, "losses", func() bool { return fmt.Sprint(again.ledger.samples()) == fmt.Sprint(samples) })
	if n := len(again.ledger.all()); n != len(samples) {
		t.Errorf("%d losses for %d groups", n, len(samples))
	}
}

func TestGroupCommit(t *testing.T) {
	o, m := inMemory()
	o.SyncInterval = time.Hour
	l := mustOpen(t, o)
	mustAppend(t, l, mix(0))
	m.mu.Lock()
	before := m.calls["sync"]
	m.mu.Unlock()
	for i := range 5 {
		mustAppend(t, l, mix(i))
	}
	if l.Durable() != 0 {
		t.Error("durable before the window ended")
	}
	mustSync(t, l)
	m.mu.Lock()
	n := m.calls["sync"] - before
	m.mu.Unlock()
	if n > 2 || l.Durable() != 6 {
		t.Errorf("%d fsyncs for 6 records, durable %d", n, l.Durable())
	}
}
