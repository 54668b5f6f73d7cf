package peers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"kvarts/historian/telemetry"
)

// answerWithin bounds the wait for an answer to a command: the server answers at once unless it is overloaded.
const answerWithin = 60 * time.Second

// firstPerLife is by how much the values of all nodes rise with each start of the server.
const firstPerLife = 1_000_000

// exchange sends a command and waits for its answer.
func (u *OPCUA) exchange(command map[string]any, out any) error {
	u.io.Lock()
	defer u.io.Unlock()
	u.mu.Lock()
	stdin, answers, life := u.stdin, u.answers, u.life
	u.mu.Unlock()
	u.sent++
	request := map[string]any{"id": u.sent}
	for k, v := range command {
		request[k] = v
	}
	text, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	if _, err := stdin.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	deadline := time.NewTimer(answerWithin)
	defer deadline.Stop()
	for {
		select {
		case line := <-answers.c:
			var head struct {
				ID    int
				Error string
			}
			if err := json.Unmarshal(line, &head); err != nil {
				return fmt.Errorf("decode answer %s: %w", line, err)
			}
			if head.ID != u.sent {
				continue // the answer to a command that was given up
			}
			if head.Error != "" {
				return errors.New(head.Error)
			}
			if out == nil {
				return nil
			}
			return json.Unmarshal(line, out)
		case <-life.done:
			return errors.New("the server has ended")
		case <-deadline.C:
			return fmt.Errorf("no answer within %v", answerWithin)
		}
	}
}

// wire gives the options in the form of node/options.js.
func (o NodeOptions) wire(dir string, port, life int) map[string]any {
	m := map[string]any{
		"dir": dir, "port": port, "first": life * firstPerLife,
		"anonymous": !o.NoAnonymous, "acceptUnknownClients": !o.RejectUnknownClients,
		"start": !o.StartLater, "types": !o.NoTypes, "conformance": o.Conformance,
		"load":    group(o.LoadPeriod, map[string]any{"nodes": o.Load}),
		"fast":    group(o.FastPeriod, map[string]any{"nodes": o.Fast}),
		"machine": group(o.MachinePeriod, map[string]any{"enabled": !o.NoMachine}),
		"odd":     group(o.OddPeriod, map[string]any{"enabled": !o.NoOdd}),
	}
	if o.FastBurst > 0 {
		m["fast"].(map[string]any)["burst"] = o.FastBurst
	}
	for name, list := range map[string][]string{"policies": o.Policies, "modes": o.Modes, "namespaces": o.Namespaces} {
		if len(list) > 0 {
			m[name] = list
		}
	}
	for name, limits := range map[string]map[string]int{"capabilities": o.Capabilities, "operationLimits": o.OperationLimits} {
		if len(limits) > 0 {
			m[name] = limits
		}
	}
	if o.TokenLifetime > 0 {
		m["tokenLifetimeMs"] = o.TokenLifetime.Milliseconds()
	}
	return m
}

func group(period time.Duration, m map[string]any) map[string]any {
	if period > 0 {
		m["periodMs"] = period.Milliseconds()
	}
	return m
}

// lines is a Writer that passes on whole lines. It never blocks the process that writes: lines that nobody takes are
// dropped when the channel is full.
type lines struct {
	c    chan []byte
	part []byte
}

func newLines() *lines { return &lines{c: make(chan []byte, 1024)} }

func (l *lines) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 {
			return len(p), nil
		}
		select {
		case l.c <- bytes.Clone(l.part[:i]):
		default:
		}
		l.part = l.part[i+1:]
	}
}

// Generated is one sample of the journal.
type Generated struct {
	Node      string         // string identifier, e.g. load.00007
	Source    telemetry.Tick // source time; see HasSource
	HasSource bool
	Server    telemetry.Tick // server time; known where there is no source time
	Value     any            // nil (no value), float64, bool or string
	Status    uint32
}

// ReadGenerated calls each with every sample of a journal, in the order of generation. A torn last line, as a killed
// server leaves it, is not a sample: no client saw it.
func ReadGenerated(path string, each func(Generated) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		g, err := parseGenerated(line)
		if err != nil {
			return fmt.Errorf("line %d of journal: %w", n, err)
		}
		if err := each(g); err != nil {
			return err
		}
	}
}

func parseGenerated(line []byte) (Generated, error) {
	var w struct {
		N string
		T *telemetry.Tick
		R telemetry.Tick
		V any
		S uint32
	}
	if err := json.Unmarshal(line, &w); err != nil {
		return Generated{}, fmt.Errorf("decode %q: %w", line, err)
	}
	switch w.V.(type) {
	case nil, bool, float64, string:
	default:
		return Generated{}, fmt.Errorf("decode %q: value of type %T", line, w.V)
	}
	g := Generated{Node: w.N, Server: w.R, Value: w.V, Status: w.S, HasSource: w.T != nil}
	if w.T != nil {
		g.Source = *w.T
	}
	return g, nil
}

// TypeNode is one node of the type matrix.
type TypeNode struct {
	Node  string          `json:"n"`     // string identifier in NSTypes, e.g. types.int64_max
	Type  string          `json:"type"`  // built-in type of the value
	Rank  int             `json:"rank"`  // ValueRank
	Dims  []uint32        `json:"dims"`  // ArrayDimensions
	Value json.RawMessage `json:"value"` // as node/values.js describes it
	Wire  []byte          `json:"wire"`  // the Variant as node-opcua encodes it; empty when it is large
}

// Manifest lists the nodes of the type matrix with their values.
func (u *OPCUA) Manifest() []TypeNode {
	u.tb.Helper()
	f, err := os.Open(u.manifest)
	if err != nil {
		u.tb.Fatalf("open manifest: %v", err)
	}
	defer f.Close()
	var nodes []TypeNode
	for d := json.NewDecoder(f); d.More(); {
		var n TypeNode
		if err := d.Decode(&n); err != nil {
			u.tb.Fatalf("decode manifest: %v", err)
		}
		nodes = append(nodes, n)
	}
	return nodes
}
