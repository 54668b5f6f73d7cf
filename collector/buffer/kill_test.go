package buffer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	noSpaceErr = syscall.ENOSPC

	childDir  = "KVARTS_TEST_BUFFER_DIR"  // the test binary is a child that appends to this directory
	childLock = "KVARTS_TEST_BUFFER_LOCK" // it only opens the directory, and waits for its standard input to end
)

// childMain is what the test binary does as a child process: it appends records that hold their own number and prints each
// number that is durable, until it is killed.
func childMain() bool {
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	if err := child(dir); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	return true
}

func child(dir string) error {
	ctx := context.Background()
	l, err := Open(ctx, Options{Dir: dir, SegmentBytes: 64 << 10, Destinations: []string{"main"}, OnLoss: func(x Loss) { fmt.Println("loss:", x) }})
	if err != nil {
		return err
	}
	fmt.Println("open")
	if os.Getenv(childLock) != "" {
		_, err := io.Copy(io.Discard, os.Stdin)
		return errors.Join(err, l.Close())
	}
	for {
		for range 1 + rand.IntN(5) {
			i := int(l.Stat().NextSeq)
			r := block("press", "fast", i%100)
			r.Payload = childPayload(i)
			if _, err := l.Append(r); err != nil {
				return err
			}
		}
		if err := l.Sync(ctx); err != nil {
			return err
		}
		fmt.Println(l.Durable())
		if d := l.Durable(); d%50 == 0 && d > 2000 { // let segments be removed, too
			c, err := l.Cursor("main")
			if err == nil {
				err = c.Ack(1, d-2000)
			}
			if err != nil {
				return err
			}
		}
	}
}

func childPayload(i int) []byte {
	return append(fmt.Appendf(nil, "%d|", i), strings.Repeat("x", i*7919%3000)...)
}

func childCommand(t *testing.T, dir string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), append(env, childDir+"="+dir)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	return cmd, bufio.NewScanner(out)
}

// TestKill9 kills a writing process a hundred times at random moments. Every number that it had printed as durable must be
// there after each kill, with its own payload, in order, without holes.
func TestKill9(t *testing.T) {
	t.Parallel()
	kills := 100
	if testing.Short() {
		kills = 10
	}
	dir := t.TempDir()
	durable, acked := uint64(0), uint64(0)
	for kill := range kills {
		cmd, out := childCommand(t, dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var timer *time.Timer
		for out.Scan() {
			line := out.Text()
			if line == "open" {
				timer = time.AfterFunc(time.Duration(rand.IntN(120_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
				continue
			}
			var n uint64
			if _, err := fmt.Sscan(line, &n); err != nil {
				t.Fatalf("kill %d: child says %q", kill, line)
			}
			durable = max(durable, n)
		}
		if timer == nil {
			t.Fatalf("kill %d: the child did not open the log", kill)
		}
		timer.Stop()
		_ = cmd.Wait() // it was killed
		if kill%5 == 4 || kill == kills-1 {
			acked = checkKilled(t, dir, durable, acked)
		}
	}
	if durable < uint64(kills) {
		t.Fatalf("only %d records in %d lives", durable, kills)
	}
	t.Logf("%d kills, %d records durable", kills, durable)
}

// checkKilled opens the log that a killed process left and returns how far it is acknowledged.
func checkKilled(t *testing.T, dir string, durable, acked uint64) uint64 {
	t.Helper()
	o := options(dir)
	o.SegmentBytes = 64 << 10
	l := mustOpen(t, o)
	got := mustReadAll(t, l)
	low, _ := l.cursors["main"].Acked()
	if low < acked {
		t.Fatalf("acknowledged up to %d, was %d", low, acked)
	}
	if len(got) == 0 || got[0].Seq > low+1 || got[len(got)-1].Seq < durable {
		t.Fatalf("%d records, acknowledged up to %d, durable were %d", len(got), low, durable)
	}
	for i, e := range got {
		if want := got[0].Seq + uint64(i); e.Seq != want || string(e.Payload) != string(childPayload(int(want))) {
			t.Fatalf("record %d at the place of %d: %.30s", e.Seq, want, e.Payload)
		}
	}
	mustClose(t, l)
	if all := o.ledger.all(); len(all) > 0 {
		t.Fatalf("losses after a kill: %+v", all)
	}
	return low
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	cmd, out := childCommand(t, dir, childLock+"=1")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if !out.Scan() || out.Text() != "open" {
		t.Fatalf("child says %q", out.Text())
	}
	_, err = Open(context.Background(), options(dir).Options)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", cmd.Process.Pid)) {
		t.Errorf("open beside another process: %v", err)
	}
	if r, err := Verify(dir); err != nil || !r.OK {
		t.Errorf("verify beside another process: %+v, %v", r, err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	// The lock file is still there, and stale: it does not matter.
	mustClose(t, mustOpen(t, options(dir)))
}

func TestSecondOpenInOneProcessIsRefused(t *testing.T) {
	o := options(t.TempDir())
	mustOpen(t, o)
	if _, err := Open(context.Background(), o.Options); !errors.Is(err, ErrLocked) {
		t.Fatalf("err %v", err)
	}
}
