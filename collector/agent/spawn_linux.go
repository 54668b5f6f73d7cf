package agent

import (
	"os/exec"
	"syscall"
)

// tieToParent has the kernel end the worker with its parent, also when that is killed.
func tieToParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
