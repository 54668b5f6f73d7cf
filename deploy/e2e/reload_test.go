package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/oracle"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Fault 30: tags are added, removed and retyped while values flow. Untouched tags lose nothing.
func TestReload(t *testing.T) {
	machine := newMachine(t, "saw-1", 30)
	all := machine.yaml(machine.srv.Endpoint())
	only := func(keep func(i int) bool) string {
		var out []string
		tag := 0
		for _, line := range strings.SplitAfter(all, "\n") {
			if strings.Contains(line, "- {id:") {
				tag++
				if !keep(tag - 1) {
					continue
				}
			}
			out = append(out, line)
		}
		return strings.Join(out, "")
	}
	_, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", only(func(i int) bool { return i < 20 }))
	gw.start()
	gw.awaitRunning(20)
	machine.work(10 * time.Millisecond)
	time.Sleep(500 * time.Millisecond)

	gw.servers = []string{only(func(i int) bool { return i >= 10 })}
	gw.write()
	out, err := exec.Command(filepath.Join(binaries, "collector"), "reload", "--json", "--config", gw.config).CombinedOutput()
	if err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	var outcome struct {
		Error       string
		NeedRestart []string `json:"need_restart"`
	}
	if err := json.Unmarshal(out, &outcome); err != nil || outcome.Error != "" || len(outcome.NeedRestart) != 0 {
		t.Errorf("reload says %s (%v)", out, err)
	}
	eventually(t, 60*time.Second, func() string {
		if n := machine.srv.MonitoredItems(); n != 20 {
			return "the server still has other items"
		}
		v, _ := gw.view()
		if v.Servers[0].ItemsOK != 20 {
			return "not all of the new tags are collected"
		}
		return ""
	})
	reloaded := telemetry.Now()
	time.Sleep(500 * time.Millisecond)
	machine.rest()

	untouched := func() (out []oracle.Sample) {
		for _, s := range machine.made() {
			if s.Field >= "t0010" && s.Field < "t0020" {
				out = append(out, s)
			}
		}
		return out
	}
	store := client(t, influx.Options{URL: url})
	// The other tags' points are not extra: only the untouched ones are asked about.
	eventually(t, 60*time.Second, func() string {
		a, err := oracle.Settle(t.Context(), untouched(), store, nil)
		if err != nil {
			return err.Error()
		}
		if a.Stored != a.Generated {
			return "missing: " + strings.Join(a.Examples, "; ")
		}
		return ""
	})
	added := func() (out []oracle.Sample) {
		for _, s := range machine.made() {
			if s.Field >= "t0020" && s.Tick.Instant() > reloaded {
				out = append(out, s)
			}
		}
		return out
	}
	eventually(t, 60*time.Second, func() string {
		a, err := oracle.Settle(t.Context(), added(), store, nil)
		if err != nil {
			return err.Error()
		}
		if a.Generated == 0 || a.Stored != a.Generated {
			return "added tags: " + strings.Join(a.Examples, "; ")
		}
		return ""
	})
	late := 0
	err = store.Query(t.Context(), influx.Query{Text: "SELECT t0000 FROM machine WHERE time > $since", Params: map[string]any{"since": reloaded}}, func(influx.Row) error { late++; return nil })
	if err != nil || late != 0 {
		t.Errorf("a removed tag has %d values after the reload (%v)", late, err)
	}
	if v, _ := gw.view(); v.Servers[0].Counters.Sessions != 1 || v.Servers[0].Counters.Connects != 1 {
		t.Errorf("the reload cost a session: %+v", v.Servers[0].Counters)
	}
}

// A configuration with a mistake changes nothing, and says what and where.
func TestReloadRefusesMistakes(t *testing.T) {
	machine := newMachine(t, "saw-1", 2)
	_, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	gw.start()
	gw.awaitRunning(2)
	gw.servers[0] = strings.Replace(gw.servers[0], "publishing:", "publshing:", 1)
	gw.write()
	out, err := exec.Command(filepath.Join(binaries, "collector"), "reload", "--config", gw.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "publishing") || !strings.Contains(string(out), "collector.yaml:") {
		t.Errorf("reload of a mistake: %v\n%s", err, out)
	}
	if v, ok := gw.view(); !ok || v.Servers[0].ItemsOK != 2 {
		t.Errorf("the running collector was touched: %+v", v.Servers)
	}
}

// Fault 25: a second collector on the same buffer is refused with the reason.
func TestSecondCollectorIsRefused(t *testing.T) {
	machine := newMachine(t, "saw-1", 2)
	_, url := startHistorian(t)
	gw := newGateway(t, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	gw.start()
	gw.awaitRunning(2)
	out, err := exec.Command(filepath.Join(binaries, "collector"), "run", "--config", gw.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use") {
		t.Errorf("second collector: %v\n%s", err, out)
	}
}
