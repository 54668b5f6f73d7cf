package agent

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/collector/uasession"
	"kvarts/collector/worker"
)

// audience notes the last setup of each worker.
type audience struct {
	mu    sync.Mutex
	hears map[int]worker.Setup
	delay func(p *player) // before a worker reads; may be nil
}

func (au *audience) play(p *player) error {
	if au.delay != nil {
		au.delay(p)
	}
	for {
		s, _, done := p.setup()
		au.mu.Lock()
		if done {
			delete(au.hears, p.n)
			au.mu.Unlock()
			return nil
		}
		au.hears[p.n] = s
		au.mu.Unlock()
	}
}

// told is what the living workers were told last: their servers, sorted.
func (au *audience) told() (out []string) {
	au.mu.Lock()
	defer au.mu.Unlock()
	for _, s := range au.hears {
		out = append(out, strings.Join(s.Servers, "+"))
	}
	slices.Sort(out)
	return out
}

// Whatever is reloaded, and whenever, each server of the newest configuration is with one worker, told so.
func TestReloadReachesWorkers(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  string
		steps []string
		want  []string
	}{
		{"added", "a", []string{"a b"}, []string{"a+b"}},
		{"removed", "a b", []string{"b"}, []string{"b"}},
		{"renamed", "a", []string{"z"}, []string{"z"}},
		{"all exchanged", "a b", []string{"x y"}, []string{"x+y"}},
		{"away and back", "a b", []string{"a", "a b"}, []string{"a+b"}},
		{"several at once", "a b", []string{"b c", "c d", "d a"}, []string{"a+d"}},
	} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s early=%v", c.name, early), func(t *testing.T) {
				au := &audience{hears: map[int]worker.Setup{}}
				begin := make(chan struct{})
				if early { // the reloads find a worker that is still starting
					au.delay = func(p *player) {
						select {
						case <-begin:
						case <-p.killed:
						}
					}
				} else {
					close(begin)
				}
				dir := t.TempDir()
				a := mustNew(t, dir, &theatre{play: au.play}, nil, strings.Fields(c.from)...)
				stop := running(t, a)
				eventually(t, func() string {
					if !early && len(au.told()) == 0 || len(a.View().Workers) == 0 {
						return "no worker"
					}
					return ""
				})
				var reloads sync.WaitGroup
				for _, step := range c.steps {
					servers := strings.Fields(step)
					reloads.Go(func() {
						if need, err := a.Reload(t.Context(), configText(dir, "", servers...)); err != nil || len(need) > 0 {
							t.Error(need, err)
						}
					})
					eventually(t, func() string {
						if _, cfg := a.serverStates(); !slices.Equal(serverNames(cfg), slices.Sorted(slices.Values(servers))) {
							return "not taken"
						}
						return ""
					})
				}
				if early {
					close(begin)
				}
				reloads.Wait()
				eventually(t, func() string {
					return cmp.Diff(c.want, au.told()) + cmp.Diff(c.want, crewsOf(a))
				})
				a.memories.mu.Lock()
				for s := range a.memories.pinned {
					if !strings.Contains(c.want[0], s) {
						t.Errorf("the buffer keeps everything for %s, which is gone", s)
					}
				}
				a.memories.mu.Unlock()
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// What needs a restart is named, and is not what workers get.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		au := &audience{hears: map[int]worker.Setup{}}
		dir := t.TempDir()
		a := mustNew(t, dir, &theatre{play: au.play}, nil, "a")
		stop := running(t, a)
		time.Sleep(time.Second)
		text := strings.ReplaceAll(string(configText(dir, "log: {level: debug}", "a")), "/pki}", "/other}")
		text = strings.ReplaceAll(strings.ReplaceAll(text, "collector: gw", "collector: gw2"), "127.0.0.1:9'", "127.0.0.1:10'")
		for range 2 { // it is still needed at the next reload
			need, err := a.Reload(t.Context(), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(need)
			if d := cmp.Diff([]string{"collector", "destinations", "log", "pki"}, need); d != "" {
				t.Error(d)
			}
		}
		synctest.Wait()
		au.mu.Lock()
		if s := au.hears[0]; s.PKI != dir+"/pki" {
			t.Errorf("the worker is told to use %s", s.PKI)
		}
		au.mu.Unlock()
		if v := a.View(); v.Collector != "gw" {
			t.Errorf("the collector is called %s now", v.Collector)
		}
		if _, err := a.Reload(t.Context(), []byte("colector: x")); err == nil {
			t.Error("a mistake was accepted")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if _, err := a.Reload(t.Context(), configText(dir, "", "a", "b")); err == nil {
			t.Error("a stopped collector took a new configuration")
		}
	})
}

// A reload before Run is what Run begins with.
func TestReloadBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		au := &audience{hears: map[int]worker.Setup{}}
		dir := t.TempDir()
		a := mustNew(t, dir, &theatre{play: au.play}, nil, "a")
		if _, err := a.Reload(t.Context(), configText(dir, "", "b")); err != nil {
			t.Fatal(err)
		}
		stop := running(t, a)
		time.Sleep(time.Second)
		if d := cmp.Diff([]string{"b"}, au.told()); d != "" {
			t.Error(d)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A new server does not get the company of one that ends its worker.
func TestNewServerAvoidsTheCulprit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spawn := &theatre{play: func(p *player) error {
			if s, _, _ := p.setup(); slices.Contains(s.Servers, "a") {
				return errCrash
			}
			return p.rest()
		}}
		dir := t.TempDir()
		a := mustNew(t, dir, spawn, nil, "a")
		stop := running(t, a)
		time.Sleep(10 * time.Second)
		if _, err := a.Reload(t.Context(), configText(dir, "", "a", "b")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if d := cmp.Diff([]string{"a", "b"}, crewsOf(a)); d != "" {
			t.Error(d)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The last words of a server that was removed do not make the buffer keep everything for it, and its states are not
// shown any more.
func TestRemovedServerLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	a := closing(t, mustNew(t, dir, nil, nil, "a", "b"))
	if _, err := a.Reload(t.Context(), configText(dir, "", "b")); err != nil {
		t.Fatal(err)
	}
	if err := a.memories.save("a", &memory{tracks: worker.Tracks{Server: "a"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]bool{"b": true}, a.memories.pinned); d != "" {
		t.Error(d)
	}
	a.setStates([]uasession.ServerState{{Server: "a"}, {Server: "b"}})
	a.disconnected([]string{"a"}, "why")
	if len(a.states) != 1 {
		t.Errorf("states: %v", a.states)
	}
}
