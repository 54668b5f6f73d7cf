package buffer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"kvarts/historian/telemetry"
)

// diskUse is what the segments hold, compacted copies included.
func (m *faultFS) diskUse() (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, f := range m.files {
		if _, ok := segmentNumber(name[len(memDir)+1:]); ok {
			n += int64(len(f.data))
		}
	}
	return n
}

func TestPolicies(t *testing.T) {
	f := func(name string, policy Policy, destinations []string, ack func(t *testing.T, l *Log, seq uint64), check func(t *testing.T, w written, got []Entry, losses []Loss)) {
		records := 400
		if policy == DropClass {
			records = 100 // so that the 40 of the kept class have room
		}
		t.Run(name, func(t *testing.T) {
			o, m := inMemory()
			o.MaxBytes, o.Policy, o.Destinations = 16<<10, policy, destinations
			l := mustOpen(t, o)
			w, refused := written{}, map[string]uint64{}
			for i := range records {
				r := mix(i)
				seq, err := l.Append(r)
				switch {
				case errors.Is(err, ErrFull):
					refused[r.Server+"/"+r.Group] += uint64(r.Samples)
				case err != nil:
					t.Fatal(err)
				default:
					w[seq] = r
				}
				if use := m.diskUse(); use > o.MaxBytes+l.o.SegmentBytes {
					t.Fatalf("%d bytes on disk after %d records: more than limit and a segment", use, i)
				}
				if ack != nil && err == nil {
					mustSync(t, l)
					ack(t, l, seq)
				}
			}
			mustSync(t, l)
			got := mustReadAll(t, l)
			mustClose(t, l)
			// What was not reported before Close is reported now.
			again := options(memDir)
			again.FS, again.Destinations, again.ledger = m, destinations, o.ledger
			again.OnLoss = o.ledger.add
			l = mustOpen(t, again)
			sameSeqs(t, "after reopening", mustReadAll(t, l), seqs(got))
			eventually(t, "losses", func() bool { return l.unreported() == 0 })
			mustClose(t, l)
			losses := distinct(o.ledger.all())
			lostRefused := map[string]uint64{}
			losses = slices.DeleteFunc(losses, func(x Loss) bool {
				if x.FromSeq == 0 {
					lostRefused[lossKey(&x)] += x.Samples
				}
				return x.FromSeq == 0
			})
			if !maps.Equal(lostRefused, refused) {
				t.Errorf("refused %v, reported %v", refused, lostRefused)
			}
			for _, x := range losses {
				if x.Cause != telemetry.CauseBufferLimit || !x.Known {
					t.Errorf("loss %+v", x)
				}
			}
			check(t, w, got, losses)
		})
	}
	one := []string{"main"}
	f("oldest", DropOldest, one, nil, func(t *testing.T, w written, got []Entry, losses []Loss) {
		w.account(t, got, losses)
		if len(got) < 40 || got[len(got)-1].Seq != 400 || len(losses) == 0 {
			t.Errorf("%d records up to %d left, %d losses", len(got), got[len(got)-1].Seq, len(losses))
		}
	})
	f("oldest without destinations", DropOldest, nil, nil, func(t *testing.T, w written, got []Entry, losses []Loss) {
		w.account(t, got, losses)
	})
	f("newest", DropNewest, one, nil, func(t *testing.T, w written, got []Entry, losses []Loss) {
		w.account(t, got, losses)
		metas := 0 // after the last Data
		for i := len(got) - 1; got[i].Kind == Meta; i-- {
			metas++
		}
		if len(losses) != 0 || got[0].Seq != 1 || metas < 5 {
			t.Errorf("losses %v, first record %d, %d Meta records when full", losses, got[0].Seq, metas)
		}
	})
	f("class", DropClass, one, nil, func(t *testing.T, w written, got []Entry, losses []Loss) {
		w.account(t, got, losses)
		kept := 0
		for _, e := range got {
			if e.Kind == Meta || e.Class == Keep {
				kept++
			}
		}
		if kept != 40 || len(losses) == 0 {
			t.Errorf("%d of 40 records of the kept class are left, losses %v", kept, losses)
		}
	})
	f("oldest, all delivered", DropOldest, one, func(t *testing.T, l *Log, seq uint64) { mustAck(t, l, "main", seq, seq) },
		func(t *testing.T, w written, got []Entry, losses []Loss) {
			if len(losses) != 0 {
				t.Errorf("losses of what was delivered: %v", losses)
			}
		})
	f("oldest, newest half delivered first", DropOldest, one, func(t *testing.T, l *Log, seq uint64) {
		if seq > 30 {
			mustAck(t, l, "main", seq, seq)
		}
	}, func(t *testing.T, w written, got []Entry, losses []Loss) {
		// The undelivered records at the front stay: delivered segments behind them go first.
		if len(losses) != 0 || got[0].Seq != 1 {
			t.Errorf("losses %v, oldest record %d: wanted to keep what is not delivered", losses, got[0].Seq)
		}
	})
	f("oldest, two destinations, one has all", DropOldest, []string{"hq", "plant"}, func(t *testing.T, l *Log, seq uint64) { mustAck(t, l, "hq", seq, seq) },
		func(t *testing.T, w written, got []Entry, losses []Loss) {
			w.account(t, got, losses)
			for _, x := range losses {
				if !slices.Equal(x.Destinations, []string{"plant"}) {
					t.Errorf("loss %+v: hq has it", x)
				}
			}
		})
}

func (l *Log) unreported() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.losses {
		if !o.reported || o.settle == ^uint64(0) {
			n++
		}
	}
	return n
}

// distinct leaves one of each loss that was reported again after a restart.
func distinct(list []Loss) (out []Loss) {
	for i := range list {
		if !slices.ContainsFunc(out, func(x Loss) bool { return x.same(&list[i]) }) {
			out = append(out, list[i])
		}
	}
	return out
}

func TestKeepIsGivenUpLast(t *testing.T) {
	o, _ := inMemory()
	o.MaxBytes, o.Policy = 16<<10, DropClass
	l := mustOpen(t, o)
	w := written{}
	for i := range 300 {
		r := keep(block("a", "b", i))
		w[mustAppend(t, l, r)] = r
	}
	mustSync(t, l)
	got := mustReadAll(t, l)
	eventually(t, "losses", func() bool { return w.balance(got, o.ledger.all()) == nil })
	if got[len(got)-1].Seq != 300 || got[0].Seq == 1 {
		t.Errorf("records %d to %d: want the newest", got[0].Seq, got[len(got)-1].Seq)
	}
}

func TestDiskFull(t *testing.T) {
	for _, policy := range []Policy{DropOldest, DropNewest, DropClass} {
		t.Run(policy.String(), func(t *testing.T) {
			o, m := inMemory()
			o.Policy = policy
			l := mustOpen(t, o)
			w := fill(t, l, 40)
			m.mu.Lock()
			m.capacity = m.used() + 300
			m.mu.Unlock()
			var refused int
			for i := 40; i < 120; i++ {
				r := mix(i)
				seq, err := l.Append(r)
				switch {
				case errors.Is(err, ErrNoSpace):
					refused++
				case err != nil:
					t.Fatalf("append: %v", err)
				default:
					w[seq] = r
				}
			}
			if policy == DropNewest && refused < 70 || policy == DropOldest && refused > 0 {
				t.Errorf("%d appends refused", refused)
			}
			m.mu.Lock()
			m.capacity = 0
			m.mu.Unlock()
			r := mix(120)
			w[mustAppend(t, l, r)] = r // space is back
			mustSync(t, l)
			got := mustReadAll(t, l)
			eventually(t, "losses", func() bool { return w.balance(got, o.ledger.all()) == nil })
			mustClose(t, l)
			again := options(memDir)
			again.FS = m
			l = mustOpen(t, again)
			sameSeqs(t, "after reopening", mustReadAll(t, l), seqs(got))
			if r := l.Recovery(); len(r.Findings) > 0 || r.TornBytes > 0 {
				t.Errorf("recovery %+v", r)
			}
		})
	}
}

func TestOpenOnAFullDisk(t *testing.T) {
	o, m := inMemory()
	l := mustOpen(t, o)
	w := fill(t, l, 30)
	k := m.kill()
	mustClose(t, l)
	k.capacity = k.used() + 1
	o.FS = k
	l = mustOpen(t, o)
	got := mustReadAll(t, l)
	w.account(t, got, nil)
	mustAck(t, l, "main", 1, 30)
	if _, err := l.Append(mix(30)); err != nil && !errors.Is(err, ErrNoSpace) {
		t.Fatalf("append: %v", err)
	}
}

func TestMaxAge(t *testing.T) {
	o, _ := inMemory()
	o.MaxAge = time.Hour
	mono := time.Duration(0)
	wall := t0
	o.Now = func() telemetry.Instant { return wall }
	l, err := open(context.Background(), o.Options, func() time.Duration { return mono })
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, l)
	pass := func(d time.Duration) { mono, wall = mono+d, wall.Add(d) }
	w := written{}
	add := func(i int) { r := mix(i); w[mustAppend(t, l, r)] = r }
	round := func() {
		t.Helper()
		if err := l.keep(); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want int) {
		t.Helper()
		round()
		if got := mustReadAll(t, l); len(got) != want {
			t.Fatalf("%d records left, want %d", len(got), want)
		}
	}
	for i := range 20 {
		add(i)
	}
	mustSync(t, l)
	pass(40 * time.Minute)
	for i := range 10 {
		add(20 + i)
	}
	mustSync(t, l)
	left(30)
	for _, jump := range []time.Duration{24 * time.Hour, -48 * time.Hour, 24 * time.Hour} {
		wall = wall.Add(jump)
		left(30)
	}
	wall = 0 // 1970
	left(30)
	pass(21 * time.Minute)
	left(10)
	pass(time.Hour)
	left(0)
	eventually(t, "losses", func() bool { return w.balance(nil, o.ledger.all()) == nil })
}

func TestRetainAndPins(t *testing.T) {
	o, m := inMemory()
	o.Retain = time.Hour
	mono := time.Duration(0)
	l, err := open(context.Background(), o.Options, func() time.Duration { return mono })
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, l)
	fill(t, l, 60)
	files := func() int { return len(segmentFiles(m.contents())) }
	round := func() {
		t.Helper()
		if err := l.keep(); err != nil {
			t.Fatal(err)
		}
	}
	all := files()
	round()
	if files() != all {
		t.Fatal("segments removed that nobody has")
	}
	mustAck(t, l, "main", 1, 60)
	round()
	if files() != all {
		t.Fatal("segments removed within the retain time")
	}
	l.Pin("sequencer", 15)
	mono += 2 * time.Hour
	round()
	got := mustReadAll(t, l)
	if got[0].Seq > 15 || got[0].Seq == 1 || got[len(got)-1].Seq != 60 {
		t.Fatalf("records %d to %d left with a pin at 15", got[0].Seq, got[len(got)-1].Seq)
	}
	l.Unpin("sequencer")
	round()
	if files() != 1 {
		t.Fatalf("%d segments left, want the newest", files())
	}
}

func TestNumbersAreNeverUsedTwice(t *testing.T) {
	o, m := inMemory()
	next := uint64(1)
	for round := range 5 {
		l := mustOpen(t, o)
		for range 25 {
			if seq := mustAppend(t, l, mix(int(next))); seq != next {
				t.Fatalf("round %d: number %d, want %d", round, seq, next)
			}
			next++
		}
		mustSync(t, l)
		mustAck(t, l, "main", 1, next-1)
		if err := l.keep(); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		l = mustOpen(t, o)
		if err := l.keep(); err != nil { // now the last segment is closed, and goes too
			t.Fatal(err)
		}
		if n := len(segmentFiles(m.contents())); n != 0 {
			t.Fatalf("%d segments left", n)
		}
		mustClose(t, l)
		switch round { // each of these alone is enough to know the number
		case 1:
			delete(m.files, memDir+"/"+stateName)
		case 2:
			delete(m.files, memDir+"/"+markName)
		case 3:
			delete(m.files, memDir+"/"+cursorName("main"))
		}
	}
}

func TestRotationAtTheBorder(t *testing.T) {
	for size := int64(1024); size < 1024+400; size += 7 {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			o, m := inMemory()
			o.SegmentBytes = size
			l := mustOpen(t, o)
			w := fill(t, l, 20)
			for name, b := range m.contents() {
				if n, ok := segmentNumber(name); ok && int64(len(b)-footerOf(b)) > size {
					t.Errorf("segment %d holds %d bytes, limit %d", n, len(b), size)
				}
			}
			w.account(t, mustReadAll(t, l), nil)
			mustClose(t, l)
			l = mustOpen(t, o)
			w.account(t, mustReadAll(t, l), nil)
		})
	}
	o, _ := inMemory()
	l := mustOpen(t, o)
	big := block("a", "b", 1)
	big.Payload = make([]byte, 10000) // larger than a segment
	mustAppend(t, l, block("a", "b", 0), big, block("a", "b", 2))
	mustSync(t, l)
	sameSeqs(t, "large record", mustReadAll(t, l), upTo(1, 3))
}
