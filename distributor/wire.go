package distributor

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// wire is a connection to the distributor that counts what is written on it, and that refuses the
// first write of a purchase when it comes too late.
//
// It is the last place before the operating system. Checks further up leave time between the check
// and the bytes, in which a process can be stopped; and what they say of bytes is a guess, since
// net/http buffers some and flushes others early.
type wire struct {
	net.Conn
	written atomic.Int64
	// sendBy is set while the first write of a request is awaited.
	sendBy atomic.Pointer[time.Time]
}

var errTooLate = errors.New("too late to send: the attempt's time has passed")

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	if by := w.sendBy.Swap(nil); by != nil && !onTime(*by) {
		return 0, errTooLate
	}
	n, err := w.Conn.Write(p)
	w.written.Add(int64(n))
	return n, err
}

// onTime compares without the monotonic clocks, which do not count the time a machine is suspended.
func onTime(by time.Time) bool { return time.Now().Round(0).Before(by.Round(0)) }
