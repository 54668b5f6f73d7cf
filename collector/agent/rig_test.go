package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"kvarts/collector/buffer"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configText is a configuration of servers in dir; more is added at its top level.
func configText(dir string, more string, servers ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "collector: gw\nbuffer: {dir: %s/buffer}\npki: {dir: %s/pki}\n%s\ndestinations: [{name: s, url: 'http://127.0.0.1:9', database: d}]\nservers:\n", dir, dir, more)
	for i, s := range servers {
		fmt.Fprintf(&b, "- {name: %s, endpoint: 'opc.tcp://127.0.0.1:%d', groups: [{name: g, measurement: m, tags: {site: x, unit: %s}, nodes: [{id: i=2258, field: f, type: float}]}]}\n", s, 40000+i, s)
	}
	return []byte(b.String())
}

// mustNew opens an agent whose workers are played by spawn.
func mustNew(t testing.TB, dir string, spawn Spawner, disk buffer.FS, servers ...string) *Agent {
	t.Helper()
	a, err := New(t.Context(), Options{File: filepath.Join(dir, "collector.yaml"), Text: configText(dir, "", servers...), Spawn: spawn, Log: zerolog.Nop(), fs: disk})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// eventually polls until ok, which says what is missing, returns "".
func eventually(t testing.TB, ok func() string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		missing := ok()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(missing)
		}
	}
}

// play is a worker of a test: what it does with the frames of its parent. Its end is the worker's.
type play func(p *player) error

// player is a worker in the hands of a test. It implements Process.
type player struct {
	n       int // how many were started before
	in      *worker.Reader
	out     *worker.Writer
	killed  chan struct{}
	kill    func()
	toIn    *io.PipeWriter
	fromOut *io.PipeReader
	ended   chan error
}

func (p *player) In() io.WriteCloser { return p.toIn }
func (p *player) Out() io.Reader     { return p.fromOut }
func (p *player) PID() int           { return 1000 + p.n }
func (p *player) Kill()              { p.kill() }
func (p *player) Wait() error        { return <-p.ended }

// setup reads up to the next Setup; done is true when the parent wants the end or is gone.
func (p *player) setup() (s worker.Setup, tracks map[string]worker.Tracks, done bool) {
	tracks = map[string]worker.Tracks{}
	for {
		f, err := p.in.Next()
		if err != nil || f.Kind == worker.KindStop {
			return s, tracks, true
		}
		switch f.Kind {
		case worker.KindTracks:
			t, err := worker.ParseTracks(f.Body)
			if err != nil {
				panic(err)
			}
			tracks[t.Server] = t
		case worker.KindSetup:
			if s, err = worker.Decode[worker.Setup](f); err != nil {
				panic(err)
			}
			return s, tracks, false
		}
	}
}

// rest reads until the parent wants the end or is gone.
func (p *player) rest() error {
	for {
		if f, err := p.in.Next(); err != nil || f.Kind == worker.KindStop {
			return nil
		}
	}
}

// awaitAck reads until block id is acknowledged.
func (p *player) awaitAck(id uint64) error {
	for {
		f, err := p.in.Next()
		if err != nil {
			return err
		}
		if f.Kind == worker.KindAck {
			if got, err := worker.AckID(f.Body); err != nil || got >= id {
				return err
			}
		}
	}
}

// theatre starts players.
type theatre struct {
	play play
	fail func(n int) error // of the start itself; may be nil

	mu sync.Mutex
	n  int
}

func (th *theatre) Spawn(context.Context) (Process, error) {
	th.mu.Lock()
	defer th.mu.Unlock()
	n := th.n
	th.n++
	if th.fail != nil {
		if err := th.fail(n); err != nil {
			return nil, err
		}
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p := &player{n: n, in: worker.NewReader(inR), out: worker.NewWriter(outW), killed: make(chan struct{}), toIn: inW, fromOut: outR, ended: make(chan error, 1)}
	p.kill = sync.OnceFunc(func() {
		close(p.killed)
		_ = inR.Close()
		_ = outW.Close()
		_ = outR.Close()
	})
	go func() {
		err := th.play(p)
		_ = outW.Close()
		_ = inR.Close()
		p.ended <- err
	}()
	return p, nil
}

// running runs a until the test ends or stop is called, which returns what Run did.
func running(t testing.TB, a *Agent) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return stop
}

func zipped(lines string) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err := w.Write([]byte(lines))
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return z.Bytes()
}

// blockOf is a block of one server with one line per value, published at at.
func blockOf(id uint64, server string, at telemetry.Instant, values ...float64) *worker.Block {
	var lines strings.Builder
	for i, v := range values {
		fmt.Fprintf(&lines, "m,site=x,unit=%s f=%g,f_status=0i %d\n", server, v, at.Add(time.Duration(i)*time.Microsecond))
	}
	b := &worker.Block{ID: id, Record: buffer.Record{Server: server, Group: "g", Samples: uint32(len(values)), Lines: uint32(len(values)),
		First: at, Last: at.Add(time.Duration(len(values)) * time.Microsecond), Published: at, Received: at}}
	if len(values) > 0 {
		b.Payload = zipped(lines.String())
	}
	return b
}

// disk is the real disk with faults.
type disk struct {
	full  atomic.Bool // writes fail with ENOSPC
	dead  atomic.Bool // fsyncs fail
	syncs atomic.Int64
	mu    sync.Mutex
	gate  chan struct{} // fsyncs wait until it is closed; nil: they do not
}

// hold makes fsyncs wait until release is called.
func (d *disk) hold() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := make(chan struct{})
	d.gate = c
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gate = nil
		close(c)
	})
}

type diskFile struct {
	*os.File
	d *disk
}

func (f diskFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f diskFile) WriteAt(b []byte, off int64) (int, error) {
	if f.d.full.Load() {
		return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return f.File.WriteAt(b, off)
}

func (f diskFile) Sync() error {
	f.d.syncs.Add(1)
	f.d.mu.Lock()
	gate := f.d.gate
	f.d.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if f.d.dead.Load() {
		return &fs.PathError{Op: "fsync", Path: f.Name(), Err: syscall.EIO}
	}
	return nil
}

func (d *disk) open(name string, flag int) (buffer.File, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f, d}, nil
}

func (d *disk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }
func (d *disk) Open(name string, write bool) (buffer.File, error) {
	if write {
		return d.open(name, os.O_RDWR)
	}
	return d.open(name, os.O_RDONLY)
}
func (d *disk) Create(name string) (buffer.File, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}
func (d *disk) Rename(from, to string) error { return os.Rename(from, to) }
func (d *disk) Remove(name string) error     { return os.Remove(name) }
func (d *disk) SyncDir(string) error         { return nil }
func (d *disk) Free(string) int64            { return -1 }

func (d *disk) ReadDir(dir string) (out []buffer.FileInfo, err error) {
	list, err := os.ReadDir(dir)
	for _, e := range list {
		st, serr := e.Info()
		if serr == nil && st.Mode().IsRegular() {
			out = append(out, buffer.FileInfo{Name: e.Name(), Size: st.Size()})
		}
	}
	return out, err
}

func (d *disk) Lock(name string) (io.Closer, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}

// gapsIn reads the ledger's lines of the whole buffer.
func gapsIn(t testing.TB, log *buffer.Log) (out []telemetry.Gap) {
	t.Helper()
	if err := log.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := log.Read(1, 10000, 1<<30, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		zr, err := gzip.NewReader(bytes.NewReader(e.Payload))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(zr)
		if err != nil {
			t.Fatal(err)
		}
		var line []byte
		for len(text) > 0 {
			line, text = telemetry.NextLine(text)
			p, err := telemetry.ParseLine(line)
			if err != nil {
				t.Fatal(err)
			}
			if g, err := telemetry.GapOf(&p); err == nil {
				out = append(out, g)
			}
		}
	}
	return out
}

// crewsOf are the servers of each crew, sorted.
func crewsOf(a *Agent) (out []string) {
	for _, w := range a.View().Workers {
		out = append(out, strings.Join(w.Servers, "+"))
	}
	slices.Sort(out)
	return out
}
