package agent

import (
	"io"
	"os/exec"
	"strings"
	"testing"
)

// A child process gets the environment that it is given and no other, is spoken to over its standard streams, and can be
// ended at any time.
func TestExec(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs sh")
	}
	t.Setenv("STORE_TOKEN", "secret")
	p, err := Exec{Path: shell, Args: []string{"-c", `read x; echo "got $x ${STORE_TOKEN-nothing} $GIVEN"; exec cat`}, Env: []string{"GIVEN=env"}}.Spawn(t.Context())
	must(t, err)
	if p.PID() <= 0 {
		t.Errorf("process %d", p.PID())
	}
	_, err = io.WriteString(p.In(), "word\n")
	must(t, err)
	line := make([]byte, len("got word nothing env\n"))
	_, err = io.ReadFull(p.Out(), line)
	must(t, err)
	if got := strings.TrimSpace(string(line)); got != "got word nothing env" {
		t.Errorf("it said %q", got)
	}
	p.Kill()
	if _, err := io.ReadAll(p.Out()); err != nil {
		t.Errorf("its output ended with %v", err)
	}
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("it ended with %v", err)
	}
	p.Kill() // of one that has ended
	if _, err := (Exec{Path: "/nonexistent"}).Spawn(t.Context()); err == nil {
		t.Error("a program that does not exist was started")
	}
}
