package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.uber.org/goleak"

	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}

// t0 is the source time of the first record of tests.
const t0 = telemetry.Instant(1_790_000_000_000_000_000)

// block returns record i of a group: i+1 samples, a payload that holds i.
func block(server, group string, i int) *Record {
	at := t0.Add(time.Duration(i) * time.Second)
	return &Record{
		Server: server, Group: group, Samples: uint32(i + 1), Lines: uint32(i + 1), First: at, Last: at.Add(900 * time.Millisecond),
		Published: at.Add(time.Second), Received: at.Add(time.Second), Payload: payload(i),
	}
}

// payload is 100 bytes that say i; no gzip, which the log does not care for.
func payload(i int) []byte { return fmt.Appendf(nil, "%-100s", fmt.Sprintf("record %d", i)) }

func keep(r *Record) *Record { r.Class = Keep; return r }

func meta(i int) *Record {
	r := block("", "", i)
	r.Kind, r.Samples = Meta, 0
	return r
}

func member(t testing.TB, lines string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, 1)
	if err == nil {
		_, err = z.Write([]byte(lines))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ledger collects losses.
type ledger struct {
	mu   sync.Mutex
	list []Loss
}

func (g *ledger) add(x Loss) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, x)
}

func (g *ledger) all() []Loss {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.list)
}

// samples adds up what is lost of a group ("server/group", "?" for not known).
func (g *ledger) samples() map[string]uint64 {
	out := map[string]uint64{}
	for _, x := range g.all() {
		out[lossKey(&x)] += x.Samples
	}
	return out
}

func lossKey(x *Loss) string {
	if !x.Known {
		return "?"
	}
	return x.Server + "/" + x.Group
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

type setup struct {
	Options
	ledger *ledger
}

func options(dir string) setup {
	g := &ledger{}
	return setup{Options{Dir: dir, OnLoss: g.add, Destinations: []string{"main"}}, g}
}

func mustOpen(t testing.TB, s setup) *Log {
	t.Helper()
	l, err := Open(context.Background(), s.Options)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrFailed) {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func mustAppend(t testing.TB, l *Log, list ...*Record) (last uint64) {
	t.Helper()
	for _, r := range list {
		seq, err := l.Append(r)
		if err != nil {
			t.Fatalf("append: %v", err)
		}
		last = seq
	}
	return last
}

func mustSync(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Sync(context.Background()); err != nil {
		t.Fatalf("sync: %v", err)
	}
}

func mustAck(t testing.TB, l *Log, dest string, from, to uint64) {
	t.Helper()
	c, err := l.Cursor(dest)
	if err == nil {
		err = c.Ack(from, to)
	}
	if err != nil {
		t.Fatalf("ack: %v", err)
	}
}

func mustReadAll(t testing.TB, l *Log) []Entry {
	t.Helper()
	var all []Entry
	for from := uint64(1); ; {
		n := len(all)
		var err error
		if all, err = l.Read(from, 7, 1<<20, all); err != nil {
			t.Fatalf("read: %v", err)
		}
		if len(all) == n {
			return all
		}
		from = all[len(all)-1].Seq + 1
	}
}

func seqs(list []Entry) []uint64 {
	out := make([]uint64, 0, len(list))
	for _, e := range list {
		out = append(out, e.Seq)
	}
	return out
}

func upTo(from, to uint64) (out []uint64) {
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

func sameSeqs(t testing.TB, what string, got []Entry, want []uint64) {
	t.Helper()
	if !slices.Equal(seqs(got), want) {
		t.Fatalf("%s: records %v, want %v", what, seqs(got), want)
	}
}

func TestAppendReadReopen(t *testing.T) {
	o := options(t.TempDir())
	o.SegmentBytes = 2048
	l := mustOpen(t, o)
	var want []Entry
	for i := range 50 {
		r := block("press", "fast", i)
		if i%7 == 3 {
			r = meta(i)
		}
		if i%5 == 0 {
			r.Class = Keep
		}
		want = append(want, Entry{mustAppend(t, l, r), *r})
	}
	mustSync(t, l)
	if l.Durable() != 50 {
		t.Fatalf("durable %d", l.Durable())
	}
	check := func(what string, l *Log) {
		t.Helper()
		got := mustReadAll(t, l)
		sameSeqs(t, what, got, upTo(1, 50))
		for i := range got {
			if fmt.Sprint(got[i]) != fmt.Sprint(want[i]) {
				t.Fatalf("%s: record %d is\n%v, want\n%v", what, i+1, got[i], want[i])
			}
		}
	}
	check("same process", l)
	if s := l.Stat(); s.Segments < 3 || s.Records != 50 || s.NextSeq != 51 || s.FirstSeq != 1 || s.Oldest != want[0].Received {
		t.Fatalf("stat %+v", s)
	}
	mustClose(t, l)
	l = mustOpen(t, o)
	check("after reopening", l)
	if f := l.Recovery().Findings; len(f) != 0 {
		t.Fatalf("findings after a clean end: %q", f)
	}
	if seq := mustAppend(t, l, block("press", "fast", 50)); seq != 51 {
		t.Fatalf("number %d after reopening, want 51", seq)
	}
	if len(o.ledger.all()) != 0 {
		t.Fatalf("losses: %v", o.ledger.all())
	}
}

func TestReadLimits(t *testing.T) {
	o := options(t.TempDir())
	o.SegmentBytes = 2048
	l := mustOpen(t, o)
	for i := range 30 {
		mustAppend(t, l, block("a", "b", i))
	}
	mustSync(t, l)
	one := int64(recordSize + 2 + 100)
	f := func(from uint64, max, maxBytes int, want []uint64) {
		t.Helper()
		got, err := l.Read(from, max, maxBytes, nil)
		if err != nil {
			t.Fatal(err)
		}
		sameSeqs(t, fmt.Sprintf("read from %d max %d bytes %d", from, max, maxBytes), got, want)
	}
	f(1, 5, 1<<20, upTo(1, 5))
	f(0, 2, 1<<20, upTo(1, 2))
	f(28, 100, 1<<20, upTo(28, 30))
	f(31, 100, 1<<20, nil)
	f(1000, 100, 1<<20, nil)
	f(5, 100, 1, upTo(5, 5))
	f(5, 100, int(3*one), upTo(5, 7))
	f(1, 100, 1<<20, upTo(1, 30))
	f(1, 0, 1<<20, nil)
}

func TestOnlyDurableIsRead(t *testing.T) {
	fs := newFaultFS()
	o := options("/log")
	o.FS = fs
	l := mustOpen(t, o)
	mustAppend(t, l, block("a", "b", 0))
	mustSync(t, l)
	release := fs.hold("sync")
	mustAppend(t, l, block("a", "b", 1))
	changed := l.Changed()
	sameSeqs(t, "while fsync runs", mustReadAll(t, l), upTo(1, 1))
	release()
	<-changed
	sameSeqs(t, "after fsync", mustReadAll(t, l), upTo(1, 2))
}

func TestWaitDurableEndsWithContext(t *testing.T) {
	fs := newFaultFS()
	o := options("/log")
	o.FS = fs
	l := mustOpen(t, o)
	mustAppend(t, l, block("a", "b", 0))
	mustSync(t, l)
	release := fs.hold("sync")
	defer release()
	seq := mustAppend(t, l, block("a", "b", 1))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.WaitDurable(ctx, seq); !errors.Is(err, context.Canceled) {
		t.Fatalf("err %v", err)
	}
}

func TestAppendRefusesWhatCannotBeStored(t *testing.T) {
	o := options(t.TempDir())
	o.MaxBytes = 64 << 10
	l := mustOpen(t, o)
	f := func(change func(*Record), want error) {
		t.Helper()
		r := block("a", "b", 1)
		change(r)
		if _, err := l.Append(r); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("err %v, want %v", err, want)
		}
	}
	f(func(r *Record) { r.Payload = make([]byte, MaxPayloadBytes+1) }, ErrTooLarge)
	f(func(r *Record) { r.Payload = make([]byte, 40<<10) }, ErrTooLarge)
	f(func(r *Record) { r.Server = strings.Repeat("x", 256) }, ErrTooLarge)
	f(func(r *Record) { r.Group = strings.Repeat("x", 256) }, ErrTooLarge)
	f(func(r *Record) { r.Kind = dropped }, nil)
	f(func(r *Record) { r.Class = 7 }, nil)
	r := block(strings.Repeat("x", 255), strings.Repeat("y", 255), 1)
	r.Received = 0
	mustAppend(t, l, r)
	mustSync(t, l)
	if got := mustReadAll(t, l); len(got) != 1 || got[0].Server != r.Server || got[0].Group != r.Group || got[0].Received == 0 {
		t.Fatalf("got %v", got)
	}
}

func TestClosed(t *testing.T) {
	l := mustOpen(t, options(t.TempDir()))
	c, err := l.Cursor("main")
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, block("a", "b", 0))
	mustClose(t, l)
	_, errAppend := l.Append(block("a", "b", 0))
	_, errRead := l.Read(1, 1, 1, nil)
	for what, err := range map[string]error{
		"append": errAppend, "read": errRead, "sync": l.Sync(context.Background()), "ack": c.Ack(1, 1), "close": l.Close(),
		"wait": l.WaitDurable(context.Background(), 100),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	<-l.Changed()
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{}, {Dir: "x", SegmentBytes: 10}, {Dir: "x", SegmentBytes: 2 << 30}, {Dir: "x", MaxBytes: -1}, {Dir: "x", MaxBytes: 100},
		{Dir: "x", MaxAge: -1}, {Dir: "x", Retain: -1}, {Dir: "x", SyncInterval: -1}, {Dir: "x", Policy: 9},
	} {
		o.FS = newFaultFS()
		if _, err := Open(context.Background(), o); err == nil {
			t.Errorf("%+v: opened", o)
		}
	}
}
