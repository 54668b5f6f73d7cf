//go:build !unix

package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

func tryLock(string) (*os.File, bool, error) {
	return nil, false, fmt.Errorf("peers need a Unix: %w", errors.ErrUnsupported)
}

func lockFile(context.Context, string, func()) (func(), error) {
	return nil, fmt.Errorf("peers need a Unix: %w", errors.ErrUnsupported)
}

func groupLeader(*exec.Cmd) {}

func signalGroup(p *os.Process, _ bool) { _ = p.Kill() }
