package peers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// heartbeat is how often a long step says that it still runs: often enough that nobody takes it for hung.
const heartbeat = 15 * time.Second

// keptOutput is how much of a failed tool's output goes into the error: compilers say the cause in the last lines.
const keptOutput = 4 << 10

// tool is one run of a program of a toolchain.
type tool struct {
	dir  string
	env  []string // added to the process's own
	argv []string
	nice bool // let other programs of the machine go first, where there is a nice command
}

// run waits for the program. The program has its own process group, which is killed when ctx ends, so that Ctrl-C
// leaves no compiler behind.
func (t tool) run(ctx context.Context, step func(string)) error {
	out := &tail{max: keptOutput}
	argv := t.argv
	if nice, err := exec.LookPath("nice"); t.nice && err == nil {
		argv = append([]string{nice}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), t.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 5 * time.Second
	line := strings.Join(t.argv, " ")
	step(line)

	c, err := startChild(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", t.argv[0], err)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-c.done:
			if c.err != nil {
				return fmt.Errorf("%s: %w\n%s", line, c.err, out)
			}
			return nil
		case <-beat.C:
			step(strings.TrimSpace(fmt.Sprintf("%s: still runs %s", strings.Join(t.argv[:min(2, len(t.argv))], " "), out.lastLine())))
		case <-ctx.Done():
			c.kill()
			<-c.done
			return fmt.Errorf("%s: %w", t.argv[0], context.Cause(ctx))
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

func (t *tail) lastLine() string {
	lines := strings.Split(strings.TrimSpace(t.String()), "\n")
	return lines[len(lines)-1]
}

// needTool returns a *MissingToolError when a program is not in PATH.
func needTool(p Peer, name, remedy string) error {
	if _, err := exec.LookPath(name); err != nil {
		return &MissingToolError{Peer: p, Tool: name, Remedy: remedy}
	}
	return nil
}

// copyFile copies one regular file and keeps its mode.
func copyFile(dst, src string) error {
	in, err := os.Open(src)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, st.Mode().Perm())
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("copy %s: %w", src, err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("copy %s: %w", src, err)
	}
	return nil
}

// lastLines is the end of a text file, for the log of a failed test.
func lastLines(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	var lines []string
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, len(data)+1)
	for sc.Scan() {
		lines = append(lines, sc.Text())
	}
	if over := len(lines) - n; over > 0 {
		lines = append([]string{fmt.Sprintf("… %d lines before", over)}, lines[over:]...)
	}
	return strings.Join(lines, "\n")
}
