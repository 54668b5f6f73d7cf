package peers

import (
	"os/exec"
	"syscall"
)

// groupLeader makes cmd lead a process group and die with this process.
func groupLeader(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
