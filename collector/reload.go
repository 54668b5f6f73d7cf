package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The running collector and collector reload meet in two files of the buffer's directory.
const (
	pidFile    = "collector.pid"
	reloadFile = "reload.json"
	reloadWait = 15 * time.Second
)

func writePID(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, pidFile), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return fmt.Errorf("write process id: %w", err)
	}
	return nil
}

func removePID(dir string) { _ = os.Remove(filepath.Join(dir, pidFile)) } // a stale one is recognised by its process

// reloadOutcome is what the running collector says about a reload.
type reloadOutcome struct {
	At          time.Time `json:"at"`
	Error       string    `json:"error,omitempty"`
	NeedRestart []string  `json:"need_restart,omitempty"`
}

func (o *reloadOutcome) save(dir string) error {
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode outcome of reload: %w", err)
	}
	tmp := filepath.Join(dir, reloadFile+".tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("write outcome of reload: %w", err)
	}
	return os.Rename(tmp, filepath.Join(dir, reloadFile))
}

type reloadCmd struct {
	configFlag
	JSON bool `help:"Print the outcome as JSON."`
}

// Run checks the file first: a mistake never reaches the running collector.
func (c *reloadCmd) Run(ctx context.Context) error {
	cfg, _, err := c.load()
	if err != nil {
		return err
	}
	pid, err := readPID(cfg.Buffer.Dir)
	if err != nil {
		return err
	}
	asked := time.Now()
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("signal collector (process %d): %w", pid, err)
	}
	out, err := awaitReload(ctx, cfg.Buffer.Dir, asked)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(out)
	}
	if out.Error != "" {
		return fmt.Errorf("the running collector refused: %s", out.Error)
	}
	fmt.Println("reloaded")
	if len(out.NeedRestart) > 0 {
		fmt.Printf("unchanged until a restart: %s\n", strings.Join(out.NeedRestart, ", "))
	}
	return nil
}

func readPID(dir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, pidFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("no collector runs on the buffer %s: start one with collector run", dir)
	} else if err != nil {
		return 0, fmt.Errorf("read process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("process id in %s is %q", filepath.Join(dir, pidFile), b)
	}
	return pid, nil
}

func awaitReload(ctx context.Context, dir string, since time.Time) (reloadOutcome, error) {
	ctx, cancel := context.WithTimeout(ctx, reloadWait)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var out reloadOutcome
		b, err := os.ReadFile(filepath.Join(dir, reloadFile))
		if err == nil && json.Unmarshal(b, &out) == nil && out.At.After(since) {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return out, fmt.Errorf("no answer from the collector within %s: see its log", reloadWait)
		case <-tick.C:
		}
	}
}
