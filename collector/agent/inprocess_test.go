package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/rs/zerolog"

	"kvarts/deploy/simplant/uaserver"
)

// A worker as a goroutine: from a machine to the disk, acknowledged; killed, it is replaced; stopped, nothing is left.
func TestInProcess(t *testing.T) {
	machine := uaserver.New(uaserver.Options{Namespaces: []string{"urn:m"}})
	v, err := machine.AddVariable(uaserver.NodeSpec{ID: "nsu=urn:m;s=x", Path: "x", Initial: 1.0})
	must(t, err)
	must(t, machine.Start(t.Context()))
	defer func() { must(t, machine.Close()) }()
	dir := t.TempDir()
	text := strings.Replace(string(configText(dir, "namespaces: {m: 'urn:m'}", "a")), "i=2258", "'m:s=x'", 1)
	text = strings.Replace(text, "opc.tcp://127.0.0.1:40000'", machine.Endpoint()+"', security: {policy: None, mode: None}, backoff: {min: 100ms, max: 1s}", 1)
	text = strings.Replace(text, "name: g, ", "name: g, publishing: 100ms, ", 1)
	a, err := New(t.Context(), Options{File: filepath.Join(dir, "c.yaml"), Text: []byte(text), Spawn: InProcess{Log: zerolog.Nop()}, Log: zerolog.Nop()})
	must(t, err)
	stop := running(t, a)
	values := func(n uint64) {
		t.Helper()
		eventually(t, func() string {
			if got := a.View().Samples; got < n {
				return fmt.Sprintf("%d of %d values, %+v", got, n, a.View().Servers)
			}
			return ""
		})
	}
	values(1)
	n := 1.0
	eventually(t, func() string { // an acknowledgement rides on the next request
		n++
		must(t, v.Set(n, ua.StatusOK, time.Now()))
		if machine.Stats().Acknowledgements == 0 {
			return "nothing was acknowledged to the machine"
		}
		return ""
	})
	a.mu.Lock()
	c := a.crews[0]
	a.mu.Unlock()
	c.mu.Lock()
	proc := c.mate.proc
	c.mu.Unlock()
	proc.Kill()
	before := a.View().Samples
	must(t, v.Set(-1.0, ua.StatusOK, time.Now()))
	values(before + 1)
	must(t, stop())
	if left := machine.Sessions(); left > 1 { // that of the killed worker
		t.Errorf("%d sessions are left at the machine", left)
	}
}

// Reads of a status page while everything changes are safe; -race looks.
func TestViewWhileRunning(t *testing.T) {
	dir := t.TempDir()
	a := mustNew(t, dir, &theatre{play: calm}, nil, "a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	viewed := make(chan struct{})
	go func() {
		defer close(viewed)
		for ctx.Err() == nil {
			_ = a.View()
		}
	}()
	stop := running(t, a)
	for i := range 5 {
		if _, err := a.Reload(t.Context(), configText(dir, "", "a", fmt.Sprintf("b%d", i))); err != nil {
			t.Error(err)
		}
	}
	must(t, stop())
	cancel()
	<-viewed
}
