package e2e

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"kvarts/historian/influx"
)

// The worker is killed while values flow: the next one is collecting within 5 s. It takes the session over, and what the
// server sent to the dead one comes again: nothing is lost.
func TestKillWorker(t *testing.T) {
	machine := newMachine(t, "saw-1", 20)
	_, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	gw.start()
	gw.awaitRunning(20)
	machine.work(10 * time.Millisecond)
	for range 2 {
		time.Sleep(700 * time.Millisecond)
		v, _ := gw.view()
		before := v.Workers[0].PID
		if before == 0 {
			t.Fatal("the worker is no process of its own")
		}
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		eventually(t, 5*time.Second, func() string {
			v, ok := gw.view()
			if ok && v.Workers[0].PID != before && v.Servers[0].Connected && v.Servers[0].LastValue.Time().After(killed) {
				return ""
			}
			return "the next worker does not collect"
		})
		t.Logf("collecting again after %s", time.Since(killed).Round(time.Millisecond))
	}
	time.Sleep(500 * time.Millisecond)
	machine.rest()
	a := gw.mustBalance(client(t, influx.Options{URL: url}), machine.made)
	t.Logf("%+v", *a)
	if a.Stored != a.Generated || a.Gaps != 0 {
		t.Errorf("the death of a worker loses nothing: %+v", *a)
	}
	machine.untouched()
}

// The whole collector is killed again and again (fault 19): what was acknowledged to the machine is never missing.
func TestKillCollector(t *testing.T) {
	machine := newMachine(t, "saw-1", 20)
	_, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	rnd := rand.New(rand.NewPCG(1, 2))
	for life := range 6 {
		gw.start()
		gw.awaitRunning(20)
		if life == 0 { // what a machine did before anybody ever asked is nobody's loss
			machine.work(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(rnd.IntN(800)) * time.Millisecond)
		gw.kill()
	}
	gw.start()
	gw.awaitRunning(20)
	machine.rest()
	a := gw.mustBalance(client(t, influx.Options{URL: url}), machine.made)
	t.Logf("%+v", *a)
	if a.Stored < a.Generated/10 {
		t.Errorf("hardly anything was collected: %+v", *a)
	}
}
