package forward

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Forwarder between fakes.
type rig struct {
	log        *memLog
	store      *memStore
	quarantine *memQuarantine
	f          *Forwarder
	events     []Event
	mu         sync.Mutex
}

func newRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	r := &rig{log: newMemLog(), store: newMemStore(), quarantine: newMemQuarantine()}
	r.build(t, change)
	return r
}

// build makes a new Forwarder over the same log, store and quarantine, as a restart does.
func (r *rig) build(t testing.TB, change func(*Options)) {
	t.Helper()
	o := Options{Name: "plant", Log: r.log, Cursor: r.log, Store: r.store, Quarantine: r.quarantine, OnEvent: func(e Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}}
	if change != nil {
		change(&o)
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.f = f
}

// run starts the Forwarder and returns what stops it.
func (r *rig) run(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.f.Run(ctx) }()
	var once sync.Once
	return func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

func (r *rig) saw(kind EventKind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// account is the oracle: every generated line is stored or in quarantine, none is in both, nothing else is anywhere,
// and no point was written with two values.
func (r *rig) account(t testing.TB, generated []string) {
	t.Helper()
	inQuarantine := make(map[string]bool)
	for _, l := range r.quarantine.lines() {
		inQuarantine[l] = true
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	points := 0
	for _, l := range generated {
		p, err := telemetry.ParseLine([]byte(l))
		stored := err == nil
		if err == nil {
			for _, f := range p.Fields {
				_, has := r.store.points[fmt.Sprintf("%s %s %d", p.Key, f.Name, p.Time)]
				stored = stored && has
				if has {
					points++
				}
			}
		}
		if stored == inQuarantine[l] {
			t.Errorf("line %q: stored %v, in quarantine %v", l, stored, inQuarantine[l])
		}
		delete(inQuarantine, l)
	}
	for l := range inQuarantine {
		t.Errorf("line %q is in quarantine but was never generated", l)
	}
	if len(r.store.points) != points {
		t.Errorf("store holds %d values, %d were generated and stored", len(r.store.points), points)
	}
	for _, c := range r.store.conflicts {
		t.Errorf("point %s was overwritten with another value", c)
	}
}

func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("no %s in time", what)
		}
		time.Sleep(time.Millisecond)
	}
}

const minute = time.Minute

// sleep lets fake time pass in a synctest bubble.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
