// Package listen serves HTTP for all of this program, within bounds. It bounds how long a request's header, its body,
// our answer and the rest of a refused body may take, and how many connections there are, in total and from each
// address. Time counts only while we wait for the client, and data that moves adds more of it: a long export continues
// as long as somebody reads it, and a byte now and then adds nothing worth having.
package listen

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"recarga/internal/access"
)

const (
	// DefaultMaxConnections is the bound of a listener that has no other.
	DefaultMaxConnections = 1024
	// LongWait is how long the client of long work may keep us waiting: of a batch, an export, a statement. See Extend.
	LongWait = 20 * time.Second
	// LocalConnections bounds those to a server that stands in for somebody else on a developer's machine: all of them
	// are of one address, and may be as many as RECARGA_DISTRIBUTOR_CONCURRENCY.
	LocalConnections = 16_384
	// HealthPath is answered also where the bound of connections is reached.
	HealthPath = "/healthz"

	// maxHeader is net/http's bound of a request's header, in bytes; it adds 4 KiB.
	maxHeader = 32 << 10
	// retryAfter is when a client may try again that came when the bound was reached, in seconds.
	retryAfter = "5"
)

// Config is what a Server is made of. Only Handler is needed.
type Config struct {
	Handler http.Handler // of all requests
	// Health answers GET HealthPath, whatever Handler has there. Nil: Handler does.
	Health http.Handler
	// MaxConnections is how many connections there may be at a time. Defaults to DefaultMaxConnections.
	MaxConnections int
	// Share is how many of them may be of one address: an IPv4 address, or the /64 of an IPv6 address. Defaults to half
	// of MaxConnections.
	Share int
	// Trusted are the addresses of proxies. They have no share, since everybody comes from there.
	Trusted access.Proxies
	// Limits default to DefaultLimits.
	Limits Limits
	// BaseContext is the parent of every request's context. Nil: context.Background().
	BaseContext context.Context
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// Limits are how long we wait for a client.
type Limits struct {
	// Header is how long the header of a request may take, from the connection's beginning or the request's first byte.
	Header time.Duration
	// Idle is how long a connection may be kept without a request.
	Idle time.Duration
	// Body is how long we wait for a request's body in all. Each BodyRate bytes that come earn a second, up to Body.
	Body     time.Duration
	BodyRate int // bytes
	// Answer is how long we wait for the client to take our answer. Each AnswerRate bytes that it takes earn a second, up
	// to Answer.
	Answer     time.Duration
	AnswerRate int // bytes
	// Drain is how long the rest of a refused body may take, of which net/http reads 256 KiB: whoever is still sending
	// could not read the answer otherwise.
	Drain time.Duration
	// Stalled is how long a connection must have kept us waiting before one of an address with fewer may take its place.
	Stalled time.Duration
	// Fresh is how long a connection is not taken for an idle one: its request is on its way.
	Fresh time.Duration
}

// DefaultLimits have every stranger's connection closed within 30 seconds of its first request, or of its last
// whole one, unless Idle is longer: then that is what a connection lasts after an answer, if nobody needs its place.
func DefaultLimits() Limits {
	return Limits{
		Header: 8 * time.Second, Idle: 15 * time.Second, Drain: 2 * time.Second, Stalled: time.Second,
		Fresh: 250 * time.Millisecond,
		Body:  10 * time.Second, BodyRate: 8 << 10, Answer: 10 * time.Second, AnswerRate: 16 << 10,
	}
}

// Server serves HTTP on any number of listeners, which share its bound.
type Server struct {
	cfg   Config
	table *table
	http  *http.Server
	// leaving is set by Leave.
	leaving atomic.Bool
}

// New makes a Server.
func New(cfg Config) *Server {
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, DefaultMaxConnections)
	cfg.Share = cmp.Or(cfg.Share, (cfg.MaxConnections+1)/2)
	cfg.Limits = cmp.Or(cfg.Limits, DefaultLimits())
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.BaseContext == nil {
		cfg.BaseContext = context.Background()
	}
	s := &Server{cfg: cfg, table: newTable(cfg)}
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: cfg.Limits.Header, IdleTimeout: cfg.Limits.Idle,
		MaxHeaderBytes: maxHeader, ConnState: s.table.changed,
		BaseContext: func(net.Listener) context.Context { return cfg.BaseContext },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		// What net/http says concerns a stranger's request; a panic is logged by serve.
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers the listener's connections until Shutdown or Close, and then returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(&listener{l, s.table}) }

// ServeUntil serves until ctx ends. Then it calls stopping, and waits for the requests under way, but not longer than
// wait; those that take longer are cut off, and an error that is context.DeadlineExceeded.
func (s *Server) ServeUntil(ctx context.Context, on net.Listener, wait time.Duration, stopping func()) error {
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(on) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stopping()
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	err := s.Shutdown(waiting)
	_ = s.Close()
	if ended := <-ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// Local serves a handler on a free port of loopback, for a server that stands in for somebody else in this process.
// end ends it at once, and waits until it has ended.
func Local(ctx context.Context, h http.Handler) (url string, end func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := New(Config{
		Handler: h, MaxConnections: LocalConnections, Share: LocalConnections, Log: slog.New(slog.DiscardHandler),
	})
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(listener) }) // it says that it was closed
	return "http://" + listener.Addr().String(), func() { _ = s.Close(); done.Wait() }, nil
}

// Leave makes each answer from now on the last one of its connection, and says so in it (Connection: close). Whoever
// keeps connections moves to another server by and by. Until Shutdown none is closed otherwise: a request may be on
// its way.
func (s *Server) Leave() { s.leaving.Store(true) }

// Shutdown lets nothing more in, and waits for the requests under way until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close ends everything at once.
func (s *Server) Close() error { return s.http.Close() }

// listener lets connections in.
type listener struct {
	net.Listener
	table *table
}

// Accept implements net.Listener. It always finds room, if only to say that there is none.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		if !errors.Is(err, net.ErrClosed) { // as of too many open files; net/http tries again within a second
			l.table.log.Warn("connection not accepted", "error", err)
		}
		return nil, err
	}
	return l.table.admit(inner), nil
}

type (
	connKey struct{}
	bodyKey struct{}
)

// serve answers one request within the bounds.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*conn)
	c.begin()
	limits := &s.cfg.Limits
	b := &body{ReadCloser: r.Body, conn: c, left: r.ContentLength, credit: newCredit(limits.Body, limits.BodyRate)}
	b.done.Store(r.Body == nil || r.Body == http.NoBody)
	if !b.done.Load() {
		r.Body = b
	}
	a := &answer{ResponseWriter: w, body: b, last: &s.leaving}
	defer func() {
		// Also where the handler panics: net/http reads the rest of the body then, too.
		if !b.done.Load() {
			c.broken.Store(a.both)                              // its answer did not say that the connection ends
			_ = c.SetReadDeadline(time.Now().Add(limits.Drain)) // fails on a closed connection only
		}
	}()
	defer s.recovered(r)
	s.route(c, a, r.WithContext(context.WithValue(r.Context(), bodyKey{}, b)))
	a.begin()
}

// recovered logs a panic, and has the connection cut, so that half an answer is not taken for a whole one.
func (s *Server) recovered(r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		s.cfg.Log.ErrorContext(r.Context(), "request panicked", "panic", p, "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}

func (s *Server) route(c *conn, w http.ResponseWriter, r *http.Request) {
	healthy := r.URL.Path == HealthPath && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	if c.spare {
		w.Header().Set("Connection", "close")
	}
	switch {
	case healthy && s.cfg.Health != nil:
		s.cfg.Health.ServeHTTP(w, r)
	case c.spare && !healthy:
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"title":"Service Unavailable","status":503,"code":"busy",` +
			`"detail":"there are too many connections, of your address or of all; send the same request again"}` +
			"\n")) // the client may be gone
	default:
		s.cfg.Handler.ServeHTTP(w, r)
	}
}

// Extend lets a request's client keep us waiting for d in all from now on, instead of what is left of its time. It is
// for long work of somebody whose key is known, and called when that begins, and when it has moved by more than bytes:
// an order was placed. Outside of a Server it does nothing.
func Extend(ctx context.Context, d time.Duration) {
	if b, ok := ctx.Value(bodyKey{}).(*body); ok {
		b.extend(d)
		b.conn.credit.extend(d, time.Now())
	}
}
