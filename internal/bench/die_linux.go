package bench

import "syscall"

// dieWithParent has what is measured end with the benchmark, however that dies.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
