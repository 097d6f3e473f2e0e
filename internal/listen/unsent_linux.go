package listen

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent is how many bytes the kernel has of c that its client has not taken.
func unsent(c net.Conn) (bytes int) {
	raw, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	conn, err := raw.SyscallConn()
	if err != nil {
		return 0
	}
	_ = conn.Control(func(fd uintptr) { bytes, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }) // 0 where it fails
	return bytes
}
