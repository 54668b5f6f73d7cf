package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/oracle"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Fault 7: a tag that changes a hundred times a second, a queue of five, two publishes a second. The server says with the
// overflow bit that it dropped values; each of them is covered by a gap of its own tag, and what came is stored as good.
func TestQueueOverflow(t *testing.T) {
	machine := newMachine(t, "saw-1", 3)
	_, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", strings.Replace(machine.yamlWith(machine.srv.Endpoint(), "queue: 5"), "publishing: 100ms", "publishing: 500ms", 1))
	gw.start()
	gw.awaitRunning(3)
	machine.work(10 * time.Millisecond)
	time.Sleep(2 * time.Second)
	machine.rest()
	store := client(t, influx.Options{URL: url})
	a := gw.mustBalance(store, func() []oracle.Sample { return plainly(machine.made()) })
	if a.Ledgered == 0 || a.Stored == 0 {
		t.Errorf("the queue did not overflow: %+v", *a)
	}
	gaps, err := oracle.ReadGaps(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gaps {
		if g.Cause != telemetry.CauseOverflow || g.Signal == "" || g.Series == "" {
			t.Errorf("a gap that is not of one overflowing tag: %+v", g)
		}
	}
	t.Logf("%+v", *a)
}

// plainly makes samples match by value only where the server changes their status: it sets the overflow bit itself.
func plainly(made []oracle.Sample) []oracle.Sample {
	for i := range made {
		made[i].AnyGood = true
	}
	return made
}

// Fault 27: the store is away until the buffer's limit is reached, with each drop policy. What the policy gave up is
// ledgered and counted; only what was on its way to the store in that moment may have arrived all the same.
func TestBufferLimit(t *testing.T) {
	for _, policy := range []string{"oldest", "newest", "class"} {
		t.Run(policy, func(t *testing.T) {
			long(t)
			machine := newMachine(t, "saw-1", 300)
			machine.noisy = true
			store, url := startHistorian(t)
			gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
			gw.head = strings.Replace(gw.head, "max_bytes: 1GiB, segment_bytes: 1MiB", "max_bytes: 1MiB, segment_bytes: 64KiB, policy: "+policy, 1)
			gw.write()
			gw.start()
			gw.awaitRunning(300)
			store.kill()
			machine.work(10 * time.Millisecond) // 30,000 samples a second
			time.Sleep(8 * time.Second)
			machine.rest()
			store.start()
			awaitStore(t, url)
			c := client(t, influx.Options{URL: url})
			a := gw.mustBalance(c, machine.made)
			gaps, err := oracle.ReadGaps(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			var counted int64
			for _, g := range gaps {
				if g.Cause == telemetry.CauseBufferLimit && g.Count > 0 {
					counted += g.Count
				}
			}
			const underWay = 20_000 // lines of one batch: the one that is tried again while the store is away
			if arrived := counted - int64(a.Ledgered); a.Ledgered == 0 || arrived < 0 || arrived > underWay {
				t.Errorf("the ledger counts %d samples, %d are missing: %+v", counted, a.Ledgered, *a)
			}
			t.Logf("%+v, the ledger counts %d", *a, counted)
		})
	}
}

// A store that has a tag under another type refuses all of its values and nothing else: they are in quarantine with the
// store's words, and can be listed and sent again.
func TestQuarantine(t *testing.T) {
	machine := newMachine(t, "saw-1", 5)
	_, url := startHistorian(t)
	now := time.Now().UnixNano()
	resp, err := http.Post(url+"/api/v2/write?bucket=kvarts", "text/plain", strings.NewReader(fmt.Sprintf("machine,site=test,unit=other t0003=\"text\" %d\n", now)))
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("prepare the conflict: %v %v", resp, err)
	}
	resp.Body.Close()
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	gw.start()
	gw.awaitRunning(5)
	machine.work(20 * time.Millisecond)
	time.Sleep(time.Second)
	machine.rest()
	a := gw.mustBalance(client(t, influx.Options{URL: url}), machine.made)
	if a.Quarantined != a.Generated/5 {
		t.Errorf("one of five tags conflicts: %+v", *a)
	}
	out, err := exec.Command(filepath.Join(binaries, "collector"), "buffer", "quarantine", "list", "--config", gw.config, "--limit", "1").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "t0003") || !strings.Contains(string(out), "conflict") {
		t.Errorf("quarantine list: %v\n%s", err, out)
	}
	out, err = exec.Command(filepath.Join(binaries, "collector"), "buffer", "quarantine", "retry", "store", "--config", gw.config).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0 stored") {
		t.Errorf("quarantine retry: %v\n%s", err, out)
	}
}
