package e2e

import (
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/influx"
)

// Fault 1: the network between gateway and machine breaks in each way. The subscription outlives it, so Republish brings
// everything.
func TestLinkBreaks(t *testing.T) {
	for _, how := range []struct {
		name string
		do   func(*peers.TCPProxy)
	}{
		{"reset", (*peers.TCPProxy).Cut},
		{"fin", (*peers.TCPProxy).Fin},
		{"half-open", func(p *peers.TCPProxy) { p.Freeze(); time.Sleep(2 * time.Second); p.Cut(); p.Thaw() }},
		{"away for three seconds", func(p *peers.TCPProxy) { p.Refuse(true); p.Cut(); time.Sleep(3 * time.Second); p.Refuse(false) }},
	} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			machine := newMachine(t, "saw-1", 20)
			proxy := peers.Proxy(t, machine.srv.Endpoint())
			_, url := startHistorian(t)
			gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(proxy.Endpoint))
			gw.start()
			gw.awaitRunning(20)
			machine.work(10 * time.Millisecond)
			for range 2 {
				time.Sleep(500 * time.Millisecond)
				how.do(proxy)
			}
			time.Sleep(500 * time.Millisecond)
			machine.rest()
			a := gw.mustBalance(client(t, influx.Options{URL: url}), machine.made)
			if a.Stored != a.Generated {
				t.Errorf("the subscription outlived the break, and yet: %+v", *a)
			}
			eventually(t, 60*time.Second, func() string { // the page is a second or two behind the samples
				if v, ok := gw.view(); !ok || v.Servers[0].Counters.Reactivated == 0 {
					return "the session was not reactivated"
				}
				return ""
			})
			machine.untouched()
		})
	}
}
