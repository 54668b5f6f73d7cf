//go:build unix && !linux

package peers

import (
	"os/exec"
	"syscall"
)

// groupLeader makes cmd lead a process group.
func groupLeader(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
