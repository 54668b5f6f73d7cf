package e2e

import (
	"fmt"
	"testing"
	"time"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/influx"
)

// Fault 11: an array of 70,000 elements, more than the transport library decodes unless told to, shares its messages with
// other tags. The element that the configuration names is stored, and the others' values come whole.
func TestLongArrayBlocksNothing(t *testing.T) {
	machine := newMachine(t, "saw-1", 5)
	wave := make([]float64, 70_000)
	wave[9_999] = 42.5
	v, err := machine.srv.AddVariable(uaserver.NodeSpec{ID: "nsu=" + machineURI + ";s=wave", Path: "Machine/wave", Rank: 1, Initial: wave})
	if err != nil {
		t.Fatal(err)
	}
	_, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint())+
		fmt.Sprintf("          - {id: %q, measurement: wave, elements: {9999: wave_last}, type: float}\n", v.ID()))
	gw.start()
	gw.awaitRunning(6)
	machine.work(10 * time.Millisecond)
	time.Sleep(500 * time.Millisecond)
	machine.rest()
	store := client(t, influx.Options{URL: url})
	a := gw.mustBalance(store, machine.made)
	if a.Stored != a.Generated || a.Gaps != 0 {
		t.Errorf("the array blocks other tags: %+v", *a)
	}
	var last float64
	err = store.Query(t.Context(), influx.Query{Text: "SELECT wave_last FROM wave"}, func(r influx.Row) error { last, _ = r.Values[1].Float(); return nil })
	if err != nil || last != 42.5 {
		t.Errorf("element 9,999 is %v (%v)", last, err)
	}
}
