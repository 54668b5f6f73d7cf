package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/deploy/e2e/oracle"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

const machineURI = "urn:kvarts:test:machine"

// simMachine is a simulated machine whose tags count: each value is its own sequence number, so that a lost, repeated or
// mis-attributed one is seen.
type simMachine struct {
	t       testing.TB
	name    string
	srv     *uaserver.Server
	vars    []*uaserver.Variable
	targets map[string]oracle.Target
	log     safeBuffer
	noisy   bool // values that compress badly instead of counting

	stop context.CancelFunc
	done chan struct{}
}

// safeBuffer is a log that is written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) reader() *bytes.Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.NewReader(bytes.Clone(b.b.Bytes()))
}

func newMachine(t testing.TB, name string, tags int) *simMachine {
	t.Helper()
	m := &simMachine{t: t, name: name, targets: map[string]oracle.Target{}}
	m.srv = uaserver.New(uaserver.Options{Namespaces: []string{machineURI}, Log: &m.log})
	series, err := telemetry.NewSeries("machine", map[string]string{"site": "test", "unit": name})
	if err != nil {
		t.Fatal(err)
	}
	for i := range tags {
		v, err := m.srv.AddVariable(uaserver.NodeSpec{ID: fmt.Sprintf("nsu=%s;s=t%04d", machineURI, i), Path: fmt.Sprintf("Machine/t%04d", i), Initial: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		m.vars = append(m.vars, v)
		m.targets[v.ID()] = oracle.Target{Series: series, Field: fmt.Sprintf("t%04d", i), Type: telemetry.Float}
	}
	if err := m.srv.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.rest()
		if err := m.srv.Close(); err != nil {
			t.Errorf("close machine %s: %v", name, err)
		}
	})
	return m
}

// yaml is the machine in a collector's configuration, reached at endpoint.
func (m *simMachine) yaml(endpoint string) string { return m.yamlWith(endpoint, "queue: 1000") }

// yamlWith adds keys to the group.
func (m *simMachine) yamlWith(endpoint, keys string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `  - name: %s
    endpoint: %q
    security: {policy: None, mode: None}
    backoff: {min: 100ms, max: 1s}
    groups:
      - name: all
        measurement: machine
        tags: {site: test, unit: %s}
        publishing: 100ms
        keep_alive: 1s
        sampling: fastest
        %s
        nodes:
`, m.name, endpoint, m.name, keys)
	for _, v := range m.vars {
		fmt.Fprintf(&b, "          - {id: %q, field: %s, type: float}\n", v.ID(), m.targets[v.ID()].Field)
	}
	return b.String()
}

// work changes all tags every period until rest.
func (m *simMachine) work(period time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	m.stop, m.done = cancel, make(chan struct{})
	go func() {
		defer close(m.done)
		tick := time.NewTicker(period)
		defer tick.Stop()
		updates := make([]uaserver.Update, len(m.vars))
		for n := 1.0; ; n++ {
			now := uaserver.DateTimeOf(time.Now())
			for i, v := range m.vars {
				value := n
				if m.noisy {
					value = math.Sin(n*31 + float64(i))
				}
				updates[i] = uaserver.Update{Variable: v, Data: uaserver.Data{Value: value, Status: ua.StatusOK, Source: now}}
			}
			if err := m.srv.SetAll(updates); err != nil {
				m.t.Errorf("machine %s: %v", m.name, err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// rest ends work.
func (m *simMachine) rest() {
	if m.stop != nil {
		m.stop()
		<-m.done
		m.stop = nil
	}
}

// made is the machine's own account so far.
func (m *simMachine) made() []oracle.Sample {
	m.t.Helper()
	if err := m.srv.FlushLog(); err != nil {
		m.t.Fatal(err)
	}
	samples, err := oracle.ReadLog(m.log.reader(), m.name, m.targets)
	if err != nil {
		m.t.Fatal(err)
	}
	return samples
}

// untouched fails if anything ever tried to change the machine.
func (m *simMachine) untouched() {
	m.t.Helper()
	if n := m.srv.Mutations(); n != 0 {
		m.t.Errorf("machine %s received %d requests that would change it: %v", m.name, n, m.srv.Requests())
	}
}
