package listen

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// writeChunk is what is written at a time: a deadline is extended when it has gone.
const writeChunk = 32 << 10

// conn is a connection whose client must take what we write. It has net.Conn's methods only: io.ReaderFrom would let
// net/http write past it.
type conn struct {
	net.Conn
	table *table
	from  netip.Prefix
	// trusted is a proxy, spare one over the bound.
	trusted, spare bool
	credit         credit // for our answers
	limits         Limits
	// broken ones are not read any more: what comes is no request.
	broken atomic.Bool
	// waiting is since when we wait for the client in the middle of a request, in nanoseconds of the Unix time; 0: we do
	// not.
	waiting atomic.Int64

	// The table's.
	idle  bool
	since time.Time // of idle
	place *list.Element

	mu       sync.Mutex
	deadline time.Time // of net/http or a handler
}

// begin is called for each request.
func (c *conn) begin() { c.credit.reset(c.limits.Answer) }

// SetWriteDeadline sets one that comes before the client's own time has run out, if it does.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetLinger is net.TCPConn's, if this is one.
func (c *conn) SetLinger(seconds int) error {
	if tcp, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return tcp.SetLinger(seconds)
	}
	return nil
}

// Read implements net.Conn. Of a broken connection it fails.
func (c *conn) Read(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn, a chunk at a time.
func (c *conn) Write(p []byte) (n int, err error) {
	for first := true; first || n < len(p); first = false {
		moved, err := c.writeChunk(p[n:min(len(p), n+writeChunk)])
		n += moved
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_ = c.SetLinger(0) // what it has not taken by now is thrown away
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (c *conn) writeChunk(p []byte) (int, error) {
	began := time.Now()
	until := began.Add(c.credit.time())
	c.mu.Lock()
	if !c.deadline.IsZero() && c.deadline.Before(until) {
		until = c.deadline
	}
	err := c.Conn.SetWriteDeadline(until)
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	c.waiting.Store(began.UnixNano())
	n, err := c.Conn.Write(p)
	c.waiting.Store(0)
	now := time.Now()
	c.credit.spend(began, now, n)
	return n, err
}

// CloseWrite is net.TCPConn's, if this is one: net/http closes its half by it after the last answer.
func (c *conn) CloseWrite() error {
	if tcp, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return tcp.CloseWrite()
	}
	return nil
}

// Close forgets the connection.
func (c *conn) Close() error {
	c.table.remove(c)
	return c.Conn.Close()
}

// evict closes a connection for another one. What a client has not taken for a while is thrown away.
func (c *conn) evict() {
	if c.waiting.Load() > 0 {
		_ = c.SetLinger(0)
	}
	_ = c.Close() // its client may have gone
}

// credit is how long a client may still keep us waiting.
type credit struct {
	rate int // bytes that earn a second

	mu         sync.Mutex
	left, most time.Duration
	extended   time.Time
}

func newCredit(most time.Duration, rate int) credit {
	return credit{rate: rate, left: most, most: most}
}

func (k *credit) reset(most time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left, k.most = most, most
}

// extend is reset, unless there is more. What the client has kept us waiting before does not count.
func (k *credit) extend(d time.Duration, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.most, k.left, k.extended = max(k.most, d), max(k.left, d), now
}

func (k *credit) time() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.left
}

// spend takes what the client has kept us waiting, from began to now, and adds what the bytes that moved earn.
func (k *credit) spend(began, now time.Time, moved int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	waited := min(now.Sub(began), now.Sub(k.extended))
	k.left = min(k.most, k.left-waited+time.Duration(moved)*time.Second/time.Duration(k.rate))
}
