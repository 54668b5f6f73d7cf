package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/influx"
)

// TestSoak runs for KVARTS_SOAK (a duration such as 30m; the task sets it) and breaks something every few seconds: the
// link, the worker, the collector, the store. At the end the books must balance, and memory and file descriptors must
// not have grown.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("KVARTS_SOAK"))
	if err != nil {
		t.Skip("KVARTS_SOAK is not set to a duration: go tool task soak")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	machine := newMachine(t, "saw-1", 50)
	proxy := peers.Proxy(t, machine.srv.Endpoint())
	store, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(proxy.Endpoint))
	gw.start()
	gw.awaitRunning(len(machine.vars))
	machine.work(100 * time.Millisecond)
	faults := []struct {
		name string
		do   func()
	}{
		{"link reset", proxy.Cut},
		{"link closed", proxy.Fin},
		{"link half-open", func() { proxy.Freeze(); time.Sleep(3 * time.Second); proxy.Cut(); proxy.Thaw() }},
		{"worker killed", func() {
			if v, ok := gw.view(); ok && v.Workers[0].PID != 0 {
				_ = syscall.Kill(v.Workers[0].PID, syscall.SIGKILL) // it may have ended
			}
		}},
		{"collector killed", func() { gw.kill(); gw.start() }},
		{"collector restarted", func() { gw.stop(); gw.start() }},
		{"store killed for a while", func() {
			store.kill()
			time.Sleep(time.Duration(rnd.IntN(5000)) * time.Millisecond)
			store.start()
			awaitStore(t, url)
		}},
	}
	var first, last usage
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(time.Second + time.Duration(rnd.IntN(4000))*time.Millisecond)
		f := faults[rnd.IntN(len(faults))]
		t.Logf("%s %s", time.Now().Format(time.TimeOnly), f.name)
		f.do()
		gw.awaitRunning(len(machine.vars))
		last = collectorUsage(t, gw)
		if first.rss == 0 {
			first = last
		}
	}
	machine.rest()
	a := gw.mustBalance(client(t, influx.Options{URL: url}), machine.made)
	t.Logf("%+v; memory %s at the start, %s at the end", *a, mib(first.rss), mib(last.rss))
	if last.rss > 2*first.rss+64<<20 {
		t.Errorf("memory grew from %s to %s", mib(first.rss), mib(last.rss))
	}
	machine.untouched()
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
