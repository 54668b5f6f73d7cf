// Package e2e runs the real programs against real and simulated peers. README.md says which test proves what.
package e2e

import (
	"testing"
	"time"

	"kvarts/historian/influx"
)

// TestLifeOfASample follows values from a machine to an answer of the store. Read it as documentation: every step is
// what a plant has, and nothing is in between.
func TestLifeOfASample(t *testing.T) {
	// A machine with twenty tags, each counting, speaks OPC UA.
	machine := newMachine(t, "saw-1", 20)

	// The plant's memory: the embedded store behind the InfluxDB API.
	_, url := startHistorian(t)

	// A gateway with a collector that knows the machine's tags by namespace URI and node id.
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	gw.start()
	gw.awaitRunning(20)

	// The machine works for a while: two thousand samples.
	machine.work(10 * time.Millisecond)
	time.Sleep(time.Second)
	machine.rest()

	// Every sample that the machine logged is in the store, at its own time, with its own value; nothing else is.
	account := gw.mustBalance(client(t, influx.Options{URL: url}), machine.made)
	if account.Stored != account.Generated || account.Gaps != 0 {
		t.Errorf("nothing went wrong, and yet: %+v", *account)
	}

	// The server was told that it may forget them only after they were on the gateway's disk, and nothing ever
	// changed anything in the machine.
	if s := machine.srv.Stats(); s.Acknowledgements == 0 || s.StaleAcks != 0 {
		t.Errorf("acknowledgements: %+v", s)
	}
	machine.untouched()

	// The page knows it all.
	v, ok := gw.view()
	if !ok || len(v.Servers) != 1 || v.Servers[0].ItemsOK != 20 || v.Samples < account.Generated {
		t.Errorf("status: %+v", v)
	}

	// A clean stop loses nothing either, and leaves the certificate store and the buffer behind.
	gw.stop()
}
