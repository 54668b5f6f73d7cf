package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kvarts/collector/agent"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/status"
	"kvarts/deploy/e2e/oracle"
	"kvarts/historian/influx"
)

// binaries holds the programs under test, built once for all tests of the package.
var binaries string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kvarts-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	args, cgo := []string{"build", "-o", dir}, "CGO_ENABLED=0"
	if raceEnabled { // a race in a program ends it with exit code 66, and its test with it
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	build := exec.Command("go", append(args, "kvarts/collector", "kvarts/historian")...)
	build.Env = append(os.Environ(), cgo)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the programs:", err)
		return 1
	}
	binaries = dir
	return m.Run()
}

// long skips what a short run (go test -short) leaves to the full one.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left to the full run")
	}
}

// program is a running collector or historian.
type program struct {
	t    testing.TB
	name string
	args []string
	log  string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

func newProgram(t testing.TB, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, name: name, args: args, log: filepath.Join(t.TempDir(), name+".log")}
	t.Cleanup(func() {
		p.kill()
		b, _ := os.ReadFile(p.log)
		if bytes.Contains(b, []byte("WARNING: DATA RACE")) {
			t.Errorf("%s has a data race", name)
		}
		if t.Failed() {
			t.Logf("---- end of the log of %s\n%s", name, b[max(0, len(b)-6000):])
		}
	})
	return p
}

func (p *program) start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(filepath.Join(binaries, p.name), p.args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	tieToTest(p.cmd)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	p.done = done
	go func() { p.err = p.cmd.Wait(); close(done) }()
}

// signal sends sig and waits for the end.
func (p *program) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		p.t.Errorf("%s does not end after %s", p.name, sig)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	p.cmd = nil
	return p.err
}

func (p *program) kill() { _ = p.signal(syscall.SIGKILL) }

// stop ends the program in good order, which must succeed.
func (p *program) stop() {
	p.t.Helper()
	if err := p.signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("%s ended with %v", p.name, err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// eventually polls until ok, which says what is still missing, returns "".
func eventually(t testing.TB, within time.Duration, ok func() string) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		missing := ok()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s", within, missing)
		}
	}
}

// historian runs the real program with the embedded store.
func startHistorian(t testing.TB) (*program, string) {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := newProgram(t, "historian", "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", addr)
	p.start()
	url := "http://" + addr
	awaitStore(t, url)
	return p, url
}

func awaitStore(t testing.TB, url string) {
	t.Helper()
	eventually(t, 60*time.Second, func() string {
		resp, err := http.Get(url + "/ping")
		if err != nil {
			return err.Error()
		}
		resp.Body.Close()
		return ""
	})
}

// gateway is a real collector with its configuration.
type gateway struct {
	*program
	dir     string
	config  string
	page    string // URL of the status page
	dest    string // YAML of the destinations
	head    string
	servers []string // YAML of the servers
}

// newGateway makes a collector that delivers to the store described by dest (YAML of one destination without its name).
func newGateway(t testing.TB, dest string, servers ...string) *gateway {
	t.Helper()
	dir := t.TempDir()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	g := &gateway{dir: dir, config: filepath.Join(dir, "collector.yaml"), page: "http://" + addr, dest: dest, servers: servers,
		head: fmt.Sprintf("collector: test\nbuffer: {dir: %s/buffer, max_bytes: 1GiB, segment_bytes: 1MiB}\npki: {dir: %s/pki, key_bits: 2048}\nstatus: {listen: %q}\nlog: {level: debug, format: json}\n", dir, dir, addr)}
	g.program = newProgram(t, "collector", "run", "--config", g.config)
	g.write()
	return g
}

// write writes the configuration file.
func (g *gateway) write() {
	g.t.Helper()
	text := g.head + "destinations:\n  - {name: store, " + g.dest + "}\nservers:\n" + strings.Join(g.servers, "")
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// view reads the status page's data; ok is false while the collector does not answer.
func (g *gateway) view() (v status.View, ok bool) {
	resp, err := http.Get(g.page + "/status.json")
	if err != nil {
		return v, false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return v, false
	}
	if err := json.Unmarshal(b, &v); err != nil {
		g.t.Fatalf("status.json: %v in %.300s", err, b)
	}
	return v, true
}

// awaitRunning waits until every server of the configuration is collected.
func (g *gateway) awaitRunning(tags int) {
	g.t.Helper()
	eventually(g.t, 60*time.Second, func() string {
		v, ok := g.view()
		if !ok {
			return "no status page"
		}
		n := 0
		for _, s := range v.Servers {
			if s.Connected {
				n += s.ItemsOK
			}
		}
		if n < tags {
			return fmt.Sprintf("%d of %d tags are collected", n, tags)
		}
		return ""
	})
}

// aside reads the quarantine.
func (g *gateway) aside() []quarantine.Entry {
	g.t.Helper()
	q, err := quarantine.Open(quarantine.Options{Dir: filepath.Join(g.dir, "buffer", agent.QuarantineDir)})
	if err != nil {
		g.t.Fatal(err)
	}
	defer q.Close()
	entries, err := q.List(quarantine.Filter{})
	if err != nil {
		g.t.Fatal(err)
	}
	return entries
}

// mustBalance waits until every sample of made is accounted for, and fails if one never is or something was invented.
func (g *gateway) mustBalance(store *influx.Client, made func() []oracle.Sample) *oracle.Account {
	g.t.Helper()
	var a *oracle.Account
	eventually(g.t, 60*time.Second, func() string {
		var err error
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if a, err = oracle.Settle(ctx, made(), store, g.aside()); err != nil {
			return err.Error()
		}
		if !a.Balanced() {
			return fmt.Sprintf("%+v", *a)
		}
		return ""
	})
	if a.Generated == 0 || a.Generated != a.Stored+a.Quarantined+a.Ledgered {
		g.t.Errorf("the books do not add up: %+v", *a)
	}
	return a
}

func client(t testing.TB, o influx.Options) *influx.Client {
	t.Helper()
	if o.Database == "" && o.Bucket == "" {
		o.Database = "kvarts"
	}
	c, err := influx.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
