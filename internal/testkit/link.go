package testkit

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Link is a network between a program and a server, which a test can make slow, or break, in each of the ways in which
// networks do. What it does to the connections it does to those that are open and to new ones. It begins healthy.
type Link struct {
	addr string

	mu sync.Mutex
	// target is the server's address.
	target string
	state  linkState
	// changed closes when the state changes.
	changed chan struct{}
	open    map[net.Conn]bool
}

type linkState struct {
	// delay holds back everything that is carried, each way.
	delay time.Duration
	// stalled carries nothing, and closes nothing.
	stalled bool
	// mute carries what is asked, and hangs up instead of carrying an answer.
	mute bool
	// cut refuses connections.
	cut bool
}

// NewLink leads to target, host:port, until the test ends.
func NewLink(tb testing.TB, target string) *Link {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Link{
		target: target, addr: listener.Addr().String(), changed: make(chan struct{}), open: map[net.Conn]bool{},
	}
	ctx, end := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.join(ctx, client) })
		}
	})
	tb.Cleanup(func() {
		end()
		_ = listener.Close()
		l.Cut()
		all.Wait()
	})
	return l
}

// Addr is what the program connects to, host:port.
func (l *Link) Addr() string { return l.addr }

// Heal makes it a good network again. What a stall has held back arrives now.
func (l *Link) Heal() { l.become(linkState{}) }

// Slow delays everything, each way.
func (l *Link) Slow(delay time.Duration) { l.become(linkState{delay: delay}) }

// Stall lets connections be made, and carries nothing any more: they are half open.
func (l *Link) Stall() { l.become(linkState{stalled: true}) }

// Mute lets the server do what it is asked, and hangs up before each answer.
func (l *Link) Mute() { l.become(linkState{mute: true}) }

// Turn hangs up everywhere, and leads to another server from now on, as a name does after a failover.
func (l *Link) Turn(target string) {
	l.Cut()
	l.mu.Lock()
	l.target = target
	l.mu.Unlock()
	l.Heal()
}

// Cut hangs up everywhere, and refuses connections.
func (l *Link) Cut() {
	l.become(linkState{cut: true})
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.open {
		_ = conn.Close()
	}
}

func (l *Link) become(s linkState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Link) server() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.target
}

func (l *Link) now() (s linkState, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.changed
}

func (l *Link) note(conn net.Conn, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open {
		l.open[conn] = true
	} else {
		delete(l.open, conn)
	}
}

// join carries bytes both ways until either side ends.
func (l *Link) join(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	if s, _ := l.now(); s.cut {
		return
	}
	server, err := new(net.Dialer).DialContext(ctx, "tcp", l.server())
	if err != nil {
		return
	}
	var both sync.WaitGroup
	for _, way := range []struct {
		to, from net.Conn
		answers  bool
	}{{server, client, false}, {client, server, true}} {
		l.note(way.from, true)
		both.Go(func() {
			l.carry(ctx, way.to, way.from, way.answers)
			_, _ = client.Close(), server.Close()
			l.note(way.from, false)
		})
	}
	both.Wait()
}

func (l *Link) carry(ctx context.Context, to io.Writer, from io.Reader, answers bool) {
	for buffer := make([]byte, 64<<10); ; {
		n, err := from.Read(buffer)
		if err != nil || !l.pass(ctx, answers) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// pass returns when bytes may go on, and whether they may.
func (l *Link) pass(ctx context.Context, answers bool) bool {
	for {
		s, changed := l.now()
		switch {
		case s.cut || s.mute && answers:
			return false
		case s.stalled:
			select {
			case <-changed:
			case <-ctx.Done():
				return false
			}
		case s.delay > 0:
			late := time.NewTimer(s.delay)
			defer late.Stop()
			select {
			case <-late.C:
			case <-ctx.Done():
				return false
			}
			return true
		default:
			return true
		}
	}
}
