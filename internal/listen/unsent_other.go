//go:build !linux

package listen

import "net"

// unsent is not known here: the kernel gives up in its own time.
func unsent(net.Conn) int { return 0 }
