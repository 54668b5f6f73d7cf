package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"kvarts/historian/telemetry"
)

// OPCUA is a running node-opcua server.
type OPCUA struct {
	*Process
	Endpoint       string // opc.tcp://127.0.0.1:port/kvarts, over all restarts
	ApplicationURI string
	Namespaces     []string // the namespace table of the running life; index = namespace index
	User, Password string   // one that may log in
	PKI            string   // the server's own certificate and trust lists
	Dir            string   // all that it writes

	options  NodeOptions
	script   string
	modules  string
	lives    int
	journal  string
	manifest string

	io      sync.Mutex // one command at a time
	stdin   io.WriteCloser
	answers *lines
	sent    int
}

// NodeOptions are the options of node/server.js; node/options.js describes them. Durations are in milliseconds there and
// time.Duration here. Zero values of what has a default mean the default.
type NodeOptions struct {
	Policies             []string // None, Basic128Rsa15, Basic256, Basic256Sha256, Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss
	Modes                []string // None, Sign, SignAndEncrypt
	NoAnonymous          bool     // only user and password
	RejectUnknownClients bool     // until Trust
	TokenLifetime        time.Duration

	Capabilities    map[string]int // e.g. maxSubscriptionsPerSession
	OperationLimits map[string]int // e.g. maxNodesPerRead; 0 = none

	Namespaces []string // order in which the NS… namespaces are registered; index 2 first
	StartLater bool     // generate nothing until StartLoad or Once

	Load          int           // nodes load.00000 …
	LoadPeriod    time.Duration // default 500 ms
	Fast          int           // nodes fast.0 …
	FastPeriod    time.Duration // default 5 ms, in which FastBurst samples are made
	FastBurst     int           // default 5
	NoMachine     bool          // without analog items
	MachinePeriod time.Duration // default 500 ms
	NoOdd         bool          // without odd statuses and times
	OddPeriod     time.Duration // default 500 ms
	NoTypes       bool          // without the type matrix
	Conformance   bool          // with node-opcua's conformance address space
}

// Namespaces of the server's own nodes. Their indexes follow NodeOptions.Namespaces: identify them by URI.
const (
	NSLoad    = "urn:kvarts:test:load"    // load.*, fast.*
	NSTypes   = "urn:kvarts:test:types"   // types.*
	NSMachine = "urn:kvarts:test:machine" // machine.*
	NSOdd     = "urn:kvarts:test:odd"     // odd.*
)

// NodeOPCUA starts node-opcua with the options' address space. Without options it has no load nodes and generates at once.
func NodeOPCUA(tb testing.TB, options ...func(*NodeOptions)) *OPCUA {
	tb.Helper()
	here, err := sourceDir()
	if err != nil {
		tb.Fatal(err)
	}
	u := &OPCUA{
		modules: filepath.Join(bring(tb, PeerNodeOPCUA), "node_modules"), script: filepath.Join(here, "node", "server.js"),
		User: "operator", Password: "secret", Dir: tb.TempDir(),
	}
	port := reservePort(tb)
	u.Process = newProcess(tb, string(PeerNodeOPCUA))
	for _, f := range options {
		f(&u.options)
	}
	args := nodeFlags()
	u.command = func() *exec.Cmd { return u.nodeCommand(args, port) }
	u.ready = u.takeReadyLine
	if err := u.start(); err != nil {
		tb.Fatalf("start: %v", err)
	}
	return u
}

// nodeFlags lets node decrypt what Basic128Rsa15 encrypts: newer releases refuse PKCS#1 v1.5 padding unless told
// otherwise, and those that cannot be told refuse the flag.
func nodeFlags() []string {
	const flag = "--security-revert=CVE-2023-46809"
	if exec.Command("node", flag, "-e", "0").Run() != nil {
		return nil
	}
	return []string{flag}
}

func (u *OPCUA) nodeCommand(flags []string, port int) *exec.Cmd {
	text, err := json.Marshal(u.options.wire(u.Dir, port, u.lives))
	if err != nil {
		panic(fmt.Sprintf("encode node-opcua's options: %v", err)) // strings and numbers always encode
	}
	u.lives++
	cmd := exec.Command("node", append(flags, u.script, string(text))...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+u.modules)
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		panic(fmt.Sprintf("pipe to node-opcua: %v", err)) // of a command that has none yet: always works
	}
	u.stdin, u.answers = stdin, newLines()
	cmd.Stdout = u.answers
	return cmd
}

// readyLine is what server.js prints when it listens.
type readyLine struct {
	Ready          bool
	Endpoint       string
	ApplicationURI string
	Namespaces     []string
	Journal        string
	Manifest       string
	PKI            string
}

// takeReadyLine returns nil once the server has printed that it listens.
func (u *OPCUA) takeReadyLine(context.Context) error {
	select {
	case line := <-u.answers.c:
		var r readyLine
		if err := json.Unmarshal(line, &r); err != nil || !r.Ready {
			return fmt.Errorf("node-opcua says %s: %w", line, errors.Join(err, errNotReady))
		}
		u.Endpoint, u.ApplicationURI, u.Namespaces = r.Endpoint, r.ApplicationURI, r.Namespaces
		u.journal, u.manifest, u.PKI = r.Journal, r.Manifest, r.PKI
		return nil
	default:
		return errNotReady
	}
}

var errNotReady = errors.New("not ready yet")

// RestartWith kills the server and starts it again on the same port with changed options. Its certificate and its
// journal stay; the values of its nodes go on a million higher, so that no value comes twice.
func (u *OPCUA) RestartWith(change func(*NodeOptions)) bool {
	u.tb.Helper()
	u.Kill()
	change(&u.options)
	return u.Restart()
}

// GeneratedLog is the path of the journal: one line of JSON for each sample that the server generated, over all of its
// lives, written before a client could see the sample. ReadGenerated reads it.
func (u *OPCUA) GeneratedLog() string { return u.journal }

// StartLoad begins to generate, StopLoad ends it, and Once gives each changing node the samples of one period. They
// return how many samples this life of the server has generated until now.
func (u *OPCUA) StartLoad() int { u.tb.Helper(); return u.generated("start") }

// StopLoad ends the generation: after it returns no new sample is made.
func (u *OPCUA) StopLoad() int { u.tb.Helper(); return u.generated("stop") }

// Once gives each changing node the samples of one period.
func (u *OPCUA) Once() int { u.tb.Helper(); return u.generated("once") }

func (u *OPCUA) generated(cmd string) int {
	u.tb.Helper()
	var r struct{ Generated int }
	u.Command(map[string]any{"cmd": cmd}, &r)
	return r.Generated
}

// NodeStatus is the answer of Status.
type NodeStatus struct {
	Generated     int   // samples of this life
	Running       bool  // generating
	Sessions      int   // open OPC UA sessions
	Subscriptions int   // with those of closed sessions that still live
	RSS           int64 // bytes
	CPUus         int64 // CPU time used, in µs
}

// Status asks the server about itself.
func (u *OPCUA) Status() NodeStatus {
	u.tb.Helper()
	var s NodeStatus
	u.Command(map[string]any{"cmd": "status"}, &s)
	return s
}

// Sample is what Set publishes.
type Sample struct {
	Value    any // nil for none, else as the node's type takes it in JSON
	Status   uint32
	Source   telemetry.Tick // 0: the server's clock
	NoSource bool           // without a source time
}

// Set publishes one sample of a changing node, in place of the one that would have come next.
func (u *OPCUA) Set(node string, s Sample) {
	u.tb.Helper()
	m := map[string]any{"cmd": "set", "node": node, "value": s.Value, "status": s.Status}
	switch {
	case s.NoSource:
		m["time"] = nil
	case s.Source != 0:
		m["time"] = strconv.FormatInt(int64(s.Source), 10)
	}
	u.Command(m, nil)
}

// SetStatus makes all later samples of a node carry the status code, with their value or without.
func (u *OPCUA) SetStatus(node string, status uint32, withValue bool) {
	u.tb.Helper()
	u.Command(map[string]any{"cmd": "setStatus", "node": node, "status": status, "withoutValue": !withValue}, nil)
}

// DeleteNode removes a changing node from the address space, for this life of the server.
func (u *OPCUA) DeleteNode(node string) {
	u.tb.Helper()
	u.Command(map[string]any{"cmd": "delete", "node": node}, nil)
}

// Retype changes the data type of a changing node, e.g. to "Int32", "Int64", "String" or "Boolean", for this life.
func (u *OPCUA) Retype(node, dataType string) {
	u.tb.Helper()
	u.Command(map[string]any{"cmd": "retype", "node": node, "type": dataType}, nil)
}

// Trust accepts all client certificates that the server has rejected so far, and returns how many.
func (u *OPCUA) Trust() int {
	u.tb.Helper()
	var r struct{ Trusted int }
	u.Command(map[string]any{"cmd": "trust"}, &r)
	return r.Trusted
}

// Command sends one command of node/commands.js and decodes the answer into out, which may be nil. It reports whether
// the server did it.
func (u *OPCUA) Command(command map[string]any, out any) bool {
	u.tb.Helper()
	if err := u.exchange(command, out); err != nil {
		u.tb.Errorf("node-opcua %v: %v", command, err)
		return false
	}
	return true
}
