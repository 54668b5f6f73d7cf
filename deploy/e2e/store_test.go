package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/influx"
)

// store is one kind of InfluxDB as a plant runs it.
type store struct {
	dest    string // of the collector's configuration
	client  influx.Options
	kill    func()
	restart func()
}

// stores starts each kind of InfluxDB that Kvarts is tested against.
func stores(t *testing.T, test func(t *testing.T, s store)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		p, url := startHistorian(t)
		test(t, store{"url: " + url + ", database: kvarts", influx.Options{URL: url}, p.kill, func() { p.start(); awaitStore(t, url) }})
	})
	t.Run("influxd-1.8.10", func(t *testing.T) {
		t.Parallel()
		long(t)
		i := peers.Influxd18(t)
		test(t, store{"url: " + i.URL + ", database: " + i.Database, influx.Options{URL: i.URL, Database: i.Database}, i.Kill, func() { i.Restart() }})
	})
	t.Run("influxd-2.9.1", func(t *testing.T) {
		t.Parallel()
		long(t)
		i := peers.Influxd2(t)
		token := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(token, []byte(i.Token), 0o600); err != nil {
			t.Fatal(err)
		}
		test(t, store{fmt.Sprintf("url: %s, org: %s, bucket: %s, token_file: %s", i.URL, i.Org, i.Bucket, token),
			influx.Options{URL: i.URL, Org: i.Org, Bucket: i.Bucket, Token: i.Token}, i.Kill, func() { i.Restart() }})
	})
}

// Fault 22: the store is killed and comes back while values flow. The backlog is delivered beside live data.
func TestStoreKilledAndBack(t *testing.T) {
	stores(t, func(t *testing.T, s store) {
		machine := newMachine(t, "saw-1", 20)
		gw := newGateway(t, s.dest, machine.yaml(machine.srv.Endpoint()))
		gw.start()
		gw.awaitRunning(20)
		machine.work(10 * time.Millisecond)
		time.Sleep(time.Second)
		s.kill()
		time.Sleep(3 * time.Second)
		s.restart()
		time.Sleep(time.Second)
		machine.rest()
		a := gw.mustBalance(client(t, s.client), machine.made)
		if a.Stored != a.Generated || a.Gaps != 0 {
			t.Errorf("an outage of the store loses nothing: %+v", *a)
		}
		t.Logf("%+v", *a)
		machine.untouched()
		gw.stop()
	})
}
