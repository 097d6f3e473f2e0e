package listen

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dropAfter makes the kernel drop what it has sent, or still has to send, when the client has taken nothing of it for
// d: also after the connection was closed, when nobody else would.
func dropAfter(c net.Conn, d time.Duration) {
	raw, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	conn, err := raw.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) { // without it the kernel takes minutes
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
