package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/collector/buffer"
	"kvarts/collector/uasession"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

var errCrash = errors.New("crash")

// calm collects until it is told to stop.
func calm(p *player) error {
	if _, _, done := p.setup(); done {
		return nil
	}
	return p.rest()
}

// A server that ends every worker that has it is alone after 1 + log2(servers) deaths; its neighbours are together
// again within 5 s after each, and from then on left alone.
func TestCulpritIsIsolated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		starts := map[string]int{}
		spawn := &theatre{play: func(p *player) error {
			s, _, done := p.setup()
			if done {
				return nil
			}
			mu.Lock()
			starts[strings.Join(s.Servers, "+")]++
			mu.Unlock()
			if slices.Contains(s.Servers, "c") {
				return errCrash
			}
			return p.rest()
		}}
		a := mustNew(t, t.TempDir(), spawn, nil, "a", "b", "c", "d")
		stop := running(t, a)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if d := cmp.Diff([]string{"a+b", "c", "d"}, crewsOf(a)); d != "" {
			t.Error(d)
		}
		time.Sleep(10 * time.Minute)
		mu.Lock()
		alone := starts["c"]
		delete(starts, "c")
		want := map[string]int{"a+b+c+d": 2, "a+b": 1, "c+d": 1, "d": 1}
		if d := cmp.Diff(want, starts); d != "" {
			t.Errorf("neighbours suffered: %s", d)
		}
		mu.Unlock()
		if alone < 5 || alone > 40 {
			t.Errorf("the culprit was started %d times in 10 minutes", alone)
		}
		for _, w := range a.View().Workers {
			if w.Running != (w.Servers[0] != "c") && w.Running {
				t.Errorf("%+v", w)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A server that is alone and ends its worker again is not given the session back in which that happens: at once when
// nothing came through, else when it happens often.
func TestDeadlySessionIsNotInherited(t *testing.T) {
	for name, c := range map[string]struct {
		progress bool
		want     []int // sessions left to each worker
	}{
		"nothing comes through":   {false, []int{0, 1, 0, 1, 0}},
		"something comes through": {true, []int{0, 1, 1, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heirs := make(chan int, 100)
				spawn := &theatre{play: func(p *player) error {
					s, _, done := p.setup()
					if done {
						return nil
					}
					heirs <- len(s.Estates)
					if p.n == len(c.want)-1 {
						return p.rest()
					}
					b := blockOf(1, "a", at0, float64(p.n))
					if c.progress {
						b.Mark = uasession.Mark{Stream: 1, Seq: uint32(p.n)}
					}
					err := p.out.JSON(worker.KindEstate, worker.Estate{Server: "a", Estate: &uasession.Estate{Token: []byte{1}}})
					return errors.Join(err, p.out.Block(b), p.awaitAck(1), errCrash)
				}}
				a := mustNew(t, t.TempDir(), spawn, nil, "a")
				stop := running(t, a)
				for i, want := range c.want {
					if got := <-heirs; got != want {
						t.Errorf("worker %d was left %d sessions, want %d", i, got, want)
					}
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A worker that ends once is started again within 5 s, with all its servers.
func TestWorkerIsRestarted(t *testing.T) {
	for name, err := range map[string]error{"crash": errCrash, "ends by itself": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spawn := &theatre{play: func(p *player) error {
					if p.n == 0 {
						p.setup()
						return err
					}
					return calm(p)
				}}
				a := mustNew(t, t.TempDir(), spawn, nil, "a", "b")
				stop := running(t, a)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				v := a.View()
				if len(v.Workers) != 1 || !v.Workers[0].Running || v.Workers[0].Starts != 2 || v.Workers[0].LastError == "" {
					t.Errorf("%+v", v.Workers)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// When no process can be started, splitting would only make it worse.
func TestFailedStartDoesNotSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spawn := &theatre{play: calm, fail: func(n int) error {
			if n < 5 {
				return errors.New("no memory")
			}
			return nil
		}}
		a := mustNew(t, t.TempDir(), spawn, nil, "a", "b")
		stop := running(t, a)
		time.Sleep(time.Minute)
		synctest.Wait()
		if w := a.View().Workers; len(w) != 1 || !w[0].Running {
			t.Errorf("%+v", w)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A worker that does not stop, or does not even read, is ended after its time; the collector stops all the same.
func TestStopEndsAHangingWorker(t *testing.T) {
	for name, hang := range map[string]play{
		"after the setup": func(p *player) error { p.setup(); <-p.killed; return nil },
		"before it":       func(p *player) error { <-p.killed; return nil },
		"while it sends": func(p *player) error {
			for p.out.Block(blockOf(1, "a", at0)) == nil {
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := mustNew(t, t.TempDir(), &theatre{play: hang}, nil, "a")
			a.patience = 300 * time.Millisecond
			stop := running(t, a)
			eventually(t, func() string {
				if w := a.View().Workers; len(w) == 0 || !w[0].Running {
					return "no worker"
				}
				return ""
			})
			asked := time.Now()
			if err := stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(asked); took < a.patience || took > 5*time.Second {
				t.Errorf("stopped after %s", took)
			}
		})
	}
}

// A full disk does not keep the collector from stopping: what waits was never acknowledged.
func TestStopWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		spawn := &theatre{play: func(p *player) error {
			p.setup()
			_ = p.out.Block(blockOf(1, "a", at0, 1))
			return p.rest()
		}}
		a := mustNew(t, t.TempDir(), spawn, d, "a")
		_, err := a.ledger.gap(telemetry.Gap{Server: "a", From: 1, To: 2, Cause: telemetry.CauseDecode, Count: -1})
		must(t, err)
		must(t, a.log.Sync(t.Context()))
		stop := running(t, a)
		time.Sleep(100 * time.Millisecond) // briefed
		d.full.Store(true)
		time.Sleep(time.Second)
		asked := time.Now()
		_ = stop() // closing the buffer may say that the disk is full
		if took := time.Since(asked); took > killAfter+5*time.Second {
			t.Errorf("stopped after %s", took)
		}
	})
}

// A clean stop makes the worker's last words durable, and its checkpoint.
func TestStopTakesTheLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acked := make(chan error, 1)
		spawn := &theatre{play: func(p *player) error {
			p.setup()
			if err := p.rest(); err != nil {
				return err
			}
			tracks := worker.Tracks{Server: "a"}
			tracks.Tag("m,site=x,unit=a f").Type = telemetry.Float
			err := errors.Join(p.out.Block(blockOf(1, "a", at0, 1, 2)), p.out.Tracks(&tracks))
			acked <- p.awaitAck(1)
			return err
		}}
		dir := t.TempDir()
		a := mustNew(t, dir, spawn, nil, "a")
		stop := running(t, a)
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := <-acked; err != nil {
			t.Errorf("the last block was not acknowledged: %v", err)
		}
		again := mustNew(t, dir, nil, nil, "a")
		defer again.Close()
		mem, finding := again.memories.load("a")
		if finding != "" || mem.tracks.Tags["m,site=x,unit=a f"] == nil || mem.resume["g"] != at0 {
			t.Errorf("%q %+v", finding, mem)
		}
	})
}

// The buffer's failure ends the collector with an error, so that it is started again.
func TestBufferFailureEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		a := mustNew(t, t.TempDir(), &theatre{play: calm}, d, "a")
		ended := make(chan error, 1)
		go func() { ended <- a.Run(t.Context()) }()
		time.Sleep(time.Second)
		d.dead.Store(true)
		select {
		case err := <-ended:
			if !errors.Is(err, buffer.ErrFailed) {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run goes on with a failed buffer")
		}
	})
}

// What a dead worker had sent is known to the next one: numbering, types, and up to when its groups are on disk.
func TestNextWorkerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			s      worker.Setup
			tracks map[string]worker.Tracks
		}
		second := make(chan told, 1)
		spawn := &theatre{play: func(p *player) error {
			s, tracks, _ := p.setup()
			if p.n == 0 {
				return errors.Join(p.out.Block(blockOf(1, "a", at0, 1)), p.out.JSON(worker.KindKnown, worker.Known{"b": {"g": at0 + 7}}), errCrash)
			}
			second <- told{s, tracks}
			return p.rest()
		}}
		a := mustNew(t, t.TempDir(), spawn, nil, "a", "b")
		stop := running(t, a)
		got := <-second
		if tag := got.tracks["a"].Tags["m,site=x,unit=a f"]; tag == nil || tag.Type != telemetry.Float || tag.Newest() != at0 {
			t.Errorf("tracks of a: %+v", got.tracks["a"])
		}
		if got.s.Resume["a"]["g"] != at0 || got.s.Resume["b"]["g"] != at0+7 {
			t.Errorf("resume: %v", got.s.Resume)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The loss of ledger lines on a full disk is not forgotten by a stop: it is reported again at the next start.
func TestLossWaitsForTheDisk(t *testing.T) {
	d := &disk{}
	dir := t.TempDir()
	a := mustNew(t, dir, nil, d, "a")
	_, err := a.ledger.gap(telemetry.Gap{Server: "a", From: 1, To: 2, Cause: telemetry.CauseDecode, Count: -1})
	must(t, err)
	must(t, a.log.Sync(t.Context()))
	d.full.Store(true)
	reported := make(chan struct{})
	go func() {
		a.lost(buffer.Loss{Cause: telemetry.CauseBufferLimit, Server: "a", Group: "g", Known: true, Samples: 3, First: at0, Last: at0 + 5})
		close(reported)
	}()
	eventually(t, func() string {
		if !a.lossHeld.Load() {
			return "the loss is not held"
		}
		return ""
	})
	select {
	case <-reported:
		t.Fatal("the buffer was told that a loss is ledgered which is not")
	default:
	}
	d.full.Store(false)
	<-reported
	if g := gapsIn(t, a.log); len(g) != 2 || g[1].Count != 3 {
		t.Errorf("%+v", g)
	}
	must(t, a.Close())
}

func TestGapsOf(t *testing.T) {
	known := buffer.Loss{Cause: telemetry.CauseBufferLimit, Server: "a", Group: "g", Known: true, Samples: 7, First: 10, Last: 20, Detail: "why"}
	with := func(change func(*buffer.Loss)) buffer.Loss {
		l := known
		change(&l)
		return l
	}
	for _, c := range []struct {
		name    string
		loss    buffer.Loss
		servers string
		want    []string // server group from to count
	}{
		{"known", known, "a b", []string{"a g 10 20 7"}},
		{"ends before it begins", with(func(l *buffer.Loss) { l.Last = 5 }), "a", []string{"a g 10 10 7"}},
		{"of anybody", with(func(l *buffer.Loss) { l.Known = false }), "a b", []string{"a  10 20 -1", "b  10 20 -1"}},
		{"of anybody, one server", with(func(l *buffer.Loss) { l.Known = false }), "a", []string{"a  10 20 7"}},
		{"ledger lines", with(func(l *buffer.Loss) { l.Kind = buffer.Meta; l.Server, l.Group, l.Samples = "", "", 0 }), "a b", []string{"a  10 20 -1", "b  10 20 -1"}},
	} {
		var got []string
		for _, g := range gapsOf(c.loss, strings.Fields(c.servers)) {
			got = append(got, fmt.Sprintf("%s %s %d %d %d", g.Server, g.Group, int64(g.From), int64(g.To), g.Count))
			if g.Cause != telemetry.CauseBufferLimit || !strings.Contains(g.Detail, "why") {
				t.Errorf("%s: %+v", c.name, g)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}
