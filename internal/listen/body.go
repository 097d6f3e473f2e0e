package listen

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// body is a request's body that must come in time.
type body struct {
	io.ReadCloser
	conn   *conn
	left   int64 // of the declared length; below 0: none was declared
	credit credit
	// done is set when there is no more of it.
	done atomic.Bool

	mu      sync.Mutex
	reading bool
}

// Read fails with os.ErrDeadlineExceeded when the client's time has run out.
func (b *body) Read(p []byte) (int, error) {
	if b.done.Load() {
		return b.ReadCloser.Read(p)
	}
	began := time.Now()
	if err := b.setReading(true, began.Add(b.credit.time())); err != nil {
		return 0, err
	}
	b.conn.waiting.Store(began.UnixNano())
	n, err := b.ReadCloser.Read(p)
	b.conn.waiting.Store(0)
	b.credit.spend(began, time.Now(), n)
	if b.left -= int64(n); errors.Is(err, io.EOF) || b.left == 0 {
		b.done.Store(true)
		// From now on net/http reads, to learn of a client that leaves: no time is set for that. If this fails, it has left.
		_ = b.setReading(false, time.Time{})
		return n, err
	}
	b.mu.Lock()
	b.reading = false
	b.mu.Unlock()
	return n, err
}

func (b *body) setReading(reading bool, deadline time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = reading
	return b.conn.SetReadDeadline(deadline)
}

// extend is also for a Read that is waiting.
func (b *body) extend(d time.Duration) {
	now := time.Now()
	b.credit.extend(d, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reading {
		_ = b.conn.SetReadDeadline(now.Add(b.credit.time())) // fails on a closed connection only, and so does Read
	}
}

// answer closes the connection after an answer to a request whose body has not come, or was not wanted: net/http would
// wait for it before it answers. And when the server leaves.
type answer struct {
	http.ResponseWriter
	body        *body
	last        *atomic.Bool // the server's leaving
	begun, both bool
}

func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	if !a.body.done.Load() && !a.both || a.last.Load() {
		a.Header().Set("Connection", "close")
	}
}

// WriteHeader implements http.ResponseWriter; an interim answer does not begin it.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK {
		a.begin()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom: net/http has a shared buffer for it.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.begin()
	return io.Copy(a.ResponseWriter, r)
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is for http.ResponseController.
func (a *answer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// EnableFullDuplex is for http.ResponseController: the body is read while it is answered.
func (a *answer) EnableFullDuplex() error {
	a.both = true
	return http.NewResponseController(a.ResponseWriter).EnableFullDuplex()
}

// SetReadDeadline is for http.ResponseController, and changes nothing: the body has its own deadline, and one that
// outlives the body would end the request while it is served.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
