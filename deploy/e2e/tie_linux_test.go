package e2e

import (
	"os/exec"
	"syscall"
)

// tieToTest has the kernel end the program with the test binary, also when that panics at its time limit.
func tieToTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
