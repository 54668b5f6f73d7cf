package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"kvarts/deploy/e2e/peers"
)

func TestRunNamesTheMissingTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("KVARTS_CACHE", t.TempDir())
	t.Setenv("KVARTS_PEERS", "")
	for _, c := range []struct {
		peer, all string
		fails     bool
	}{
		{"influxd2", "", false},
		{"influxd2", "all", true},
		{"influxd18", "", true},
		{"node-opcua", "", true},
	} {
		t.Setenv("KVARTS_PEERS", c.all)
		var out bytes.Buffer
		err := (&command{Peers: []string{c.peer}}).run(t.Context(), &out)
		var missing *peers.MissingToolError
		if (err != nil) != c.fails || err != nil && !errors.As(err, &missing) {
			t.Errorf("%s with KVARTS_PEERS=%q: %v", c.peer, c.all, err)
		}
		if text := out.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "NOT INSTALLED") {
			t.Errorf("%s: not one loud line: %q", c.peer, text)
		}
	}
}

func TestRunJSON(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("KVARTS_CACHE", t.TempDir())
	t.Setenv("KVARTS_PEERS", "")
	var out bytes.Buffer
	if err := (&command{JSON: true, Peers: []string{"influxd2"}}).run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var o outcome
	if err := json.Unmarshal(out.Bytes(), &o); err != nil || o.Peer != peers.PeerInfluxd2 || o.Outcome != "missing" || o.Error == "" {
		t.Errorf("%s: %v", out.String(), err)
	}
}

func TestRunUnknownPeerInstallsNothing(t *testing.T) {
	t.Setenv("KVARTS_CACHE", t.TempDir())
	var out bytes.Buffer
	err := (&command{Peers: []string{"influxd18", "influxd3"}}).run(t.Context(), &out)
	if err == nil || !strings.Contains(err.Error(), "influxd3") || out.Len() != 0 {
		t.Errorf("%v, printed %q", err, out.String())
	}
}
