//go:build !linux

package listen

import (
	"net"
	"time"
)

// giveUpAfter is Linux's: other kernels give up in their own time.
func giveUpAfter(net.Conn, time.Duration) {}
