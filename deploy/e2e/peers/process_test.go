package peers

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// asHost makes this test binary start a peer's process, print its pid and wait: see TestProcessDiesWithTheTestBinary.
const asHost = "KVARTS_TEST_HOST_A_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asHost) != "" {
		c, err := startChild(exec.Command("sleep", "1000"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(c.cmd.Process.Pid)
		<-c.done
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestProcessDiesWithTheTestBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills the children of a process that dies")
	}
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), asHost+"=1")
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("read the child's pid: %v", err)
	}
	pid := strings.TrimSpace(line)
	if !alive(t, pid) {
		t.Fatalf("child %s does not run", pid)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // it was killed
	await(t, "the child is gone", func() bool { return !alive(t, pid) })
}

// alive says whether a process runs. A zombie that nobody has waited for yet does not.
func alive(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(n)
	if err != nil || p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestProcessReportsAnEarlyEnd(t *testing.T) {
	p := newProcess(t, "early")
	p.command = func() *exec.Cmd { return exec.Command("sh", "-c", "echo why; exit 3") }
	p.ready = func(context.Context) error { return errNotReady }
	if err := p.start(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("start: %v", err)
	}
	if text := lastLines(p.log, 5); text != "why" {
		t.Errorf("log %q", text)
	}
	p.Stop() // of what is gone
}

func TestReservePortIsExclusive(t *testing.T) {
	seen := map[int]bool{}
	for range 50 {
		port := reservePort(t)
		if seen[port] || port < firstPort || port >= lastPort {
			t.Fatalf("port %d", port)
		}
		seen[port] = true
	}
}

func TestLastLines(t *testing.T) {
	file := t.TempDir() + "/log"
	if err := os.WriteFile(file, []byte("1\n2\n3\n4"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := lastLines(file, 2); got != "… 2 lines before\n3\n4" {
		t.Errorf("got %q", got)
	}
}
