package buffer

import "syscall"

const noSpaceErr = syscall.ENOSPC

func childMain() bool { return false }
