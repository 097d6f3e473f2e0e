//go:build !linux

package listen

import (
	"net"
	"time"
)

// dropAfter is Linux's: other kernels drop it in their own time.
func dropAfter(net.Conn, time.Duration) {}
