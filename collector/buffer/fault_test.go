package buffer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scenario does everything that a log does with its file system. It returns what was appended, what is known to be durable,
// and stops at the first error.
func scenario(o setup) (w written, durable uint64, err error) {
	w = written{}
	l, err := Open(context.Background(), o.Options)
	if err != nil {
		return w, 0, err
	}
	err = l.exercise(w)
	durable = l.Durable()
	if cerr := l.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return w, durable, err
	}
	if l, err = Open(context.Background(), o.Options); err != nil {
		return w, durable, err
	}
	_, err = l.Read(1, 1000, 1<<20, nil)
	return w, durable, errors.Join(err, l.Close())
}

func (l *Log) exercise(w written) error {
	for i := range 150 {
		r := mix(i)
		seq, err := l.Append(r)
		if err != nil {
			return err
		}
		w[seq] = r
		if i%10 == 9 {
			if err := l.Sync(context.Background()); err != nil {
				return err
			}
			if _, err := l.Read(seq-5, 3, 1<<20, nil); err != nil {
				return err
			}
		}
		if i == 40 {
			if err := l.cursors["main"].Ack(1, 25); err != nil {
				return err
			}
			if err := l.keep(); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestEveryCallFails lets calls of each kind, each in its turn, fail once, in a run that rotates, drops, compacts, reclaims and saves, and
// on opening again after kill -9 and after a good end. The error must come out, and nothing that was durable may be
// gone unseen afterwards.
func TestEveryCallFails(t *testing.T) {
	t.Parallel()
	limits := func(o *setup) { o.MaxBytes, o.Policy = 16<<10, DropClass }
	base, _ := inMemory()
	limits(&base)
	clean := newFaultFS()
	base.FS = clean
	if _, _, err := scenario(base); err != nil {
		t.Fatal(err)
	}
	most := 60 // of each kind, spread over the run
	if testing.Short() {
		most = 15
	}
	for _, op := range []string{"mkdirall", "open", "create", "rename", "remove", "readdir", "syncdir", "lock", "readat", "writeat", "truncate", "sync", "size", "close", "unlock"} {
		total := clean.calls[op]
		if total == 0 && op != "truncate" {
			t.Errorf("%s is never called", op)
		}
		step := max(1, total/most)
		for n := 1; n <= total; n += step {
			for _, tear := range []bool{false, true} {
				if tear && op != "writeat" {
					continue
				}
				o, m := inMemory()
				limits(&o)
				m.fail(op, "", n, syscall.EIO).tear = tear
				w, durable, err := scenario(o)
				what := fmt.Sprintf("%s call %d of %d, tear %v", op, n, total, tear)
				if err != nil && !errors.Is(err, syscall.EIO) {
					t.Errorf("%s: error %v does not name its cause", what, err)
				}
				m.heal()
				checkSurvivors(t, what, m.kill(), w, durable, o.ledger)
			}
		}
	}
}

// checkSurvivors opens what a process left and accounts for all that was durable.
func checkSurvivors(t testing.TB, what string, m *faultFS, w written, durable uint64, before *ledger) {
	t.Helper()
	o, _ := inMemory()
	o.FS, o.ledger = m, before
	o.OnLoss = before.add
	l, err := Open(context.Background(), o.Options)
	if err != nil {
		t.Errorf("%s: open afterwards: %v", what, err)
		return
	}
	got := mustReadAll(t, l)
	eventually(t, what+": losses", func() bool { return l.unreported() == 0 })
	seq, err := l.Append(mix(1000))
	if err != nil || seq <= durable {
		t.Errorf("%s: number %d, error %v after %d", what, seq, err, durable)
	}
	if err := l.Close(); err != nil {
		t.Errorf("%s: close afterwards: %v", what, err)
	}
	must := written{}
	for seq, r := range w {
		if seq <= durable {
			must[seq] = r
		}
	}
	if err := must.survived(w, got, distinct(before.all())); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// survived checks that each record of must is read or in a loss, and that nothing is read that is not in all. Counts are
// not compared: records that were not durable may be either.
func (must written) survived(all written, got []Entry, losses []Loss) error {
	read := map[uint64]bool{}
	for i := range got {
		e := &got[i]
		if r := all[e.Seq]; r == nil || !equalRecord(r, &e.Record) {
			return fmt.Errorf("record %d was never appended like this: %v", e.Seq, e.Record)
		}
		read[e.Seq] = true
	}
	for seq, r := range must {
		if read[seq] || seq <= 25 {
			continue // 1…25 are acknowledged
		}
		found := false
		for i := range losses {
			found = found || explains(&losses[i], seq, r)
		}
		if !found {
			return fmt.Errorf("record %d is neither read nor in a loss: %+v", seq, losses)
		}
	}
	return nil
}

func TestFailedFsyncEndsTheLog(t *testing.T) {
	o, m := inMemory()
	l := mustOpen(t, o)
	fill(t, l, 5)
	m.fail("sync", segmentSuffix, 1, syscall.EIO)
	seq := mustAppend(t, l, mix(5))
	first := l.WaitDurable(context.Background(), seq)
	if !errors.Is(first, ErrFailed) || !errors.Is(first, syscall.EIO) {
		t.Fatalf("WaitDurable: %v", first)
	}
	if !strings.Contains(first.Error(), "0000000000000001.seg") {
		t.Errorf("error %v does not name the segment", first)
	}
	m.heal() // the disk would work again: the log must not believe it
	c, err := l.Cursor("main")
	if err != nil {
		t.Fatal(err)
	}
	_, errAppend := l.Append(mix(6))
	_, errRead := l.Read(1, 1, 1, nil)
	for what, err := range map[string]error{"append": errAppend, "read": errRead, "sync": l.Sync(context.Background()), "ack": c.Ack(1, 1), "close": l.Close()} {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("%s after a failed fsync: %v", what, err)
		}
	}
	if s := l.Stat(); s.Failed == "" || s.DurableSeq != 5 {
		t.Errorf("stat %+v", s)
	}
}

func TestFailedWriteIsTakenBack(t *testing.T) {
	o, m := inMemory()
	l := mustOpen(t, o)
	w := fill(t, l, 5)
	for i := range 4 {
		m.fail("writeat", segmentSuffix, 1, syscall.EIO).tear = i%2 == 0
		if _, err := l.Append(mix(50)); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrFailed) {
			t.Fatalf("append: %v", err)
		}
		r := mix(5 + i)
		w[mustAppend(t, l, r)] = r
	}
	mustSync(t, l)
	w.account(t, mustReadAll(t, l), nil)
	mustClose(t, l)
	l = mustOpen(t, o)
	w.account(t, mustReadAll(t, l), nil)
}

func TestCursorTroubleIsShownAndHeals(t *testing.T) {
	o, m := inMemory()
	l := mustOpen(t, o)
	fill(t, l, 5)
	mustAck(t, l, "main", 1, 3)
	m.fail("rename", cursorSuffix, 1, syscall.EROFS)
	l.trouble(l.keep())
	if s := l.Stat(); !strings.Contains(s.Trouble, "cursor") {
		t.Errorf("trouble %q", s.Trouble)
	}
	l.trouble(l.keep())
	if s := l.Stat(); s.Trouble != "" {
		t.Errorf("trouble %q after healing", s.Trouble)
	}
	if set, _, err := readCursor(m, memDir, "main", l.ID()); err != nil || set.low != 3 {
		t.Errorf("saved %+v, %v", set, err)
	}
}

// TestPowerCut runs random operations and cuts the power at a random call of the file system: what was not fsynced may be
// gone, or half there. All that was durable must be there or ledgered, in order; nothing may be invented; a number that was
// durable is never given again; and cursors never run ahead.
func TestPowerCut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		m := newFaultFS()
		all, durable, g := written{}, uint64(0), &ledger{}
		for life := range rapid.IntRange(1, 4).Draw(rt, "lives") {
			o, _ := inMemory()
			o.FS, o.OnLoss, o.MaxBytes = m, g.add, 16<<10
			o.Policy = []Policy{DropOldest, DropClass}[rng.IntN(2)]
			durable = max(durable, live(rt, o, all, rng, rapid.IntRange(1, 400).Draw(rt, fmt.Sprintf("calls%d", life)), &m))
		}
		o, _ := inMemory()
		o.FS, o.OnLoss = m, g.add
		l, err := Open(context.Background(), o.Options)
		if err != nil {
			rt.Fatalf("open: %v", err)
		}
		var got []Entry
		got, err = l.Read(1, 1<<20, 1<<30, nil)
		for deadline := time.Now().Add(5 * time.Second); l.unreported() > 0 && time.Now().Before(deadline); {
			time.Sleep(100 * time.Microsecond)
		}
		if err = errors.Join(err, l.Close()); err != nil {
			rt.Fatal(err)
		}
		if err := all.survivedCuts(durable, got, distinct(g.all())); err != nil {
			rt.Fatal(err)
		}
	})
}

// live runs one process until the given number of calls, cuts the power, and returns what was durable then.
func live(rt *rapid.T, o setup, all written, rng *rand.Rand, calls int, m **faultFS) (durable uint64) {
	old := *m
	cut := make(chan *faultFS, 1)
	put := func(f *faultFS) {
		select {
		case cut <- f:
		default: // another goroutine of the log was first
		}
	}
	known := uint64(0)
	left := calls
	old.mu.Lock()
	old.trace = func(string, string) {
		old.mu.Lock()
		left--
		now := left == 0
		old.mu.Unlock()
		if now {
			put(old.powerCut(rng))
		}
	}
	old.mu.Unlock()
	l, err := Open(context.Background(), o.Options)
	if err != nil {
		rt.Fatalf("open: %v", err)
	}
	for i := range 120 {
		if len(cut) > 0 {
			break
		}
		r := mix(int(l.Stat().NextSeq))
		seq, err := l.Append(r)
		if err != nil {
			rt.Fatalf("append: %v", err)
		}
		all[seq] = r // a number that was not durable is given again to a record that looks the same
		if i%7 == 6 {
			if err := l.Sync(context.Background()); err != nil {
				rt.Fatalf("sync: %v", err)
			}
			if len(cut) == 0 {
				known = seq
			}
		}
		if i%50 == 49 {
			if err := l.keep(); err != nil {
				rt.Fatalf("keep: %v", err)
			}
		}
	}
	if d := l.Durable(); len(cut) == 0 {
		known = d
	}
	if len(cut) == 0 {
		put(old.powerCut(rng))
	}
	*m = <-cut
	old.mu.Lock()
	old.trace = nil
	old.mu.Unlock()
	if err := l.Close(); err != nil {
		rt.Fatalf("close: %v", err)
	}
	return known
}

// survivedCuts checks that what is read is of must and in order, and that each record up to durable is read or in a loss.
func (must written) survivedCuts(durable uint64, got []Entry, losses []Loss) error {
	read := map[uint64]bool{}
	last := uint64(0)
	for i := range got {
		e := &got[i]
		if r := must[e.Seq]; r == nil || !equalRecord(r, &e.Record) {
			return fmt.Errorf("record %d was never appended like this: %v", e.Seq, e.Record)
		}
		if e.Seq <= last {
			return fmt.Errorf("record %d after %d", e.Seq, last)
		}
		last, read[e.Seq] = e.Seq, true
	}
	for seq, r := range must {
		found := read[seq] || seq > durable
		for i := range losses {
			found = found || explains(&losses[i], seq, r)
		}
		if !found {
			return fmt.Errorf("record %d (%s/%s) is neither read nor in a loss: %+v", seq, r.Server, r.Group, losses)
		}
	}
	return nil
}
