package commit

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// headStart is what the server that took writes last has before the others are asked.
	headStart = 200 * time.Millisecond
	// suspectAfter is for how long a transaction runs before somebody looks for another primary, and again every
	// lookEvery.
	suspectAfter = 500 * time.Millisecond
	lookEvery    = 250 * time.Millisecond
)

// hosts are the servers of a PostgreSQL URL. One of them takes writes, and after a failover another one.
type hosts struct {
	all []*pgx.ConnConfig

	mu sync.Mutex
	// primary is the place of the one that was last seen to take writes, at seen.
	primary int
	seen    time.Time
	// writer is the server that the writer is connected to.
	writer identity
	// open are the connections to each.
	open []map[net.Conn]bool
}

func newHosts(cfg *pgx.ConnConfig) *hosts {
	h := &hosts{}
	ways := slices.Concat([]*pgconn.FallbackConfig{{Host: cfg.Host, Port: cfg.Port, TLSConfig: cfg.TLSConfig}},
		cfg.Fallbacks) // two of a server, where TLS is only preferred
	places := map[string]int{}
	for _, way := range ways {
		name := net.JoinHostPort(way.Host, strconv.Itoa(int(way.Port)))
		place, known := places[name]
		if known {
			h.all[place].Fallbacks = append(h.all[place].Fallbacks, way)
			continue
		}
		places[name] = len(h.all)
		one := cfg.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = way.Host, way.Port, way.TLSConfig, nil
		h.all = append(h.all, one)
		h.open = append(h.open, map[net.Conn]bool{})
	}
	if len(h.all) > 1 {
		for place, one := range h.all {
			one.DialFunc = h.tracked(place, one.DialFunc)
		}
	}
	return h
}

// tracked notes the connections to a server, so that they can be closed when it is no longer the primary.
func (h *hosts) tracked(place int, dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.open[place][conn] = true
		return tracked{conn, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.open[place], conn)
		}}, nil
	}
}

type tracked struct {
	net.Conn
	forget func()
}

// Close closes the connection.
func (t tracked) Close() error {
	t.forget()
	return t.Conn.Close()
}

// found notes the server that takes writes. Where it is another one than before, nobody waits for the others any more.
func (h *hosts) found(place int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.primary, h.seen = place, time.Now()
	for i, open := range h.open {
		for conn := range open {
			if i != place {
				_ = conn.Close() // whoever uses it has an error
			}
		}
	}
}

func (h *hosts) latest() (place int, seen time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.primary, h.seen
}

// current is the server that takes writes, asked unless that is known of this moment.
func (h *hosts) current(ctx context.Context) (*pgx.ConnConfig, error) {
	place, seen := h.latest()
	if len(h.all) > 1 && time.Since(seen) > rested {
		conn, err := h.connect(ctx, func(*pgx.ConnConfig) {})
		if err != nil {
			return nil, err
		}
		_ = conn.Close(ctx) // it has answered
		place, _ = h.latest()
	}
	return h.all[place], nil
}

// reached is what a try to connect came to.
type reached struct {
	place int
	conn  *pgx.Conn
	err   error
}

// connect connects to the server that takes writes. All are tried side by side, but for a head start: one that does
// not answer holds up nobody.
func (h *hosts) connect(ctx context.Context, adjust func(*pgx.ConnConfig)) (*pgx.Conn, error) {
	first, _ := h.latest()
	if len(h.all) == 1 {
		r := h.reach(ctx, 0, adjust)
		return r.conn, r.err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tries, failed := make(chan reached, len(h.all)), make(chan struct{})
	for place := range h.all {
		go func() {
			if place != first {
				select {
				case <-failed:
				case <-time.After(headStart):
				case <-ctx.Done():
				}
			}
			r := h.reach(ctx, place, adjust)
			if place == first && r.err != nil {
				close(failed)
			}
			tries <- r
		}()
	}
	var won *pgx.Conn
	var errs []error
	for range h.all {
		switch r := <-tries; {
		case r.err != nil:
			errs = append(errs, r.err)
		case won != nil:
			_ = r.conn.Close(ctx) // it came second
		default:
			won = r.conn
			cancel()
			h.found(r.place)
		}
	}
	if won == nil {
		return nil, errors.Join(errs...)
	}
	return won, nil
}

func (h *hosts) reach(ctx context.Context, place int, adjust func(*pgx.ConnConfig)) reached {
	cfg := h.all[place].Copy()
	adjust(cfg)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	return reached{place, conn, err}
}

// watch looks for another primary while a transaction takes long, until stop is called. Where there is one, it closes
// the transaction's connection: the server at its other end has been replaced, and may never answer.
func (h *hosts) watch(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	timer := time.AfterFunc(suspectAfter, func() {
		defer close(done)
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		for !h.replaced(ctx) {
			select {
			case <-look.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		if !timer.Stop() {
			<-done
		}
	}
}

// replaced asks the other servers whether one of them takes writes. The same server may have several names.
func (h *hosts) replaced(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	primary, _ := h.latest()
	others := make(chan int, len(h.all))
	var asking sync.WaitGroup
	for place := range h.all {
		if place == primary {
			continue
		}
		asking.Go(func() {
			r := h.reach(ctx, place, func(*pgx.ConnConfig) {})
			if r.err != nil {
				return
			}
			if i, err := identityOf(ctx, r.conn.PgConn()); err == nil && h.succeeded(i) {
				others <- place
				cancel()
			}
			_ = r.conn.Close(ctx) // it has answered
		})
	}
	asking.Wait()
	select {
	case place := <-others:
		h.found(place)
		return true
	default:
		return false
	}
}

// identity sets a server apart from others.
type identity struct {
	// started is when it was started, by its own clock.
	started string
	// timeline is its history's, eight hexadecimal digits: each promotion begins a higher one. Empty: it does not say.
	timeline string
}

// succeeds reports whether a server that takes writes is one that was promoted after another. A former primary that
// was started again takes writes, too, and must never be taken for the new one.
func (i identity) succeeds(other identity) bool {
	if i.timeline != "" && other.timeline != "" {
		return i.timeline > other.timeline
	}
	return i.started != other.started
}

func (h *hosts) succeeded(by identity) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return by.succeeds(h.writer)
}

// entered notes which server the writer is connected to.
func (h *hosts) entered(i identity) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writer = i
}

var (
	sqlStarted  = sqls.Get("postgres/started")
	sqlTimeline = sqls.Get("postgres/timeline")
)

// identityOf asks a server that takes writes.
func identityOf(ctx context.Context, conn *pgconn.PgConn) (i identity, err error) {
	if i.started, err = single(conn.Exec(ctx, sqlStarted).ReadAll()); err == nil {
		i.timeline, _ = single(conn.Exec(ctx, sqlTimeline).ReadAll()) // not every hosted one says it
	}
	return i, err
}

// single is the one value of the last of several results.
func single(results []*pgconn.Result, err error) (string, error) {
	if err != nil {
		return "", err
	}
	last := results[len(results)-1]
	if last.Err != nil || len(last.Rows) != 1 {
		return "", errors.Join(last.Err, errors.New("the server has not answered with one row"))
	}
	return string(last.Rows[0][0]), nil
}
