package agent

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/rs/zerolog"

	"kvarts/collector/worker"
)

// Exec starts workers as child processes of this program.
type Exec struct {
	Path string   // of the program
	Args []string // that make it a worker
	Env  []string // its whole environment: without the stores' tokens, which only the parent needs
}

// Spawn starts one. Its log goes to our standard error.
func (e Exec) Spawn(context.Context) (Process, error) {
	cmd := exec.Command(e.Path, e.Args...) //nolint:noctx // a worker is ended by its pipe, in good order, or by Kill
	cmd.Env, cmd.Stderr = e.Env, os.Stderr
	tieToParent(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", e.Path, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", e.Path, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", e.Path, err)
	}
	return &child{cmd: cmd, in: in, out: out}, nil
}

type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

func (c *child) In() io.WriteCloser { return c.in }
func (c *child) Out() io.Reader     { return c.out }
func (c *child) PID() int           { return c.cmd.Process.Pid }
func (c *child) Kill()              { _ = c.cmd.Process.Kill() } // it may have ended already
func (c *child) Wait() error        { return c.cmd.Wait() }

// InProcess runs workers as goroutines: for a demonstration, where a hostile server may end the whole program.
type InProcess struct{ Log zerolog.Logger }

// Spawn starts one.
func (p InProcess) Spawn(ctx context.Context) (Process, error) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &goroutine{in: inW, out: outR, cancel: cancel}
	g.wg.Go(func() {
		g.err = worker.Run(ctx, worker.Options{In: inR, Out: outW, Log: p.Log})
		_ = outW.Close() // never fails
		_ = inR.Close()
	})
	return g, nil
}

type goroutine struct {
	in     *io.PipeWriter
	out    *io.PipeReader
	cancel context.CancelFunc
	wg     sync.WaitGroup
	err    error
}

func (g *goroutine) In() io.WriteCloser { return g.in }
func (g *goroutine) Out() io.Reader     { return g.out }
func (g *goroutine) PID() int           { return 0 }

func (g *goroutine) Kill() {
	g.cancel()
	_ = g.out.Close() // never fails; it frees a worker that is writing
}

func (g *goroutine) Wait() error {
	g.wg.Wait()
	g.cancel()
	return g.err
}
