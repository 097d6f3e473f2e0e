package distributor

import (
	"errors"
	"net"
	"sync"
	"time"
)

// wire is a connection to the distributor that counts what is written on it, and that refuses the
// first write of a purchase when it comes too late.
//
// It is the last place before the operating system. Checks further up leave time between the check
// and the bytes, in which a process can be stopped; and what they know about bytes is a guess, since
// net/http buffers some and flushes others early.
type wire struct {
	net.Conn

	mu sync.Mutex
	// written counts a write from before it begins, so that one under way is never overlooked.
	written int64
	// sendBy is set while the first write of a purchase is awaited.
	sendBy time.Time
	// closed: a purchase was declared not sent, so nothing may be written any more.
	closed bool
}

var (
	errTooLate = errors.New("too late to send: the attempt's time has passed")
	errClosed  = errors.New("the request had timed out before it was written")
)

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	if err := w.begin(len(p)); err != nil {
		return 0, err
	}
	n, err := w.Conn.Write(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written -= int64(len(p) - n)
	return n, err
}

func (w *wire) begin(n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return errClosed
	case !w.sendBy.IsZero() && !onTime(w.sendBy):
		return errTooLate
	}
	w.sendBy = time.Time{}
	w.written += int64(n)
	return nil
}

// expect awaits a purchase, which must begin to be written before sendBy, and returns the count so far.
func (w *wire) expect(sendBy time.Time) (before int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sendBy = sendBy
	return w.written
}

// left reports whether any byte has been handed to the operating system since before. If none has, none ever will:
// net/http's writer may still be about to write when its caller has stopped waiting.
func (w *wire) left(before int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = w.closed || w.written == before
	return w.written > before
}

// onTime compares without the monotonic clocks, which do not count the time a machine is suspended.
func onTime(by time.Time) bool { return time.Now().Round(0).Before(by.Round(0)) }
