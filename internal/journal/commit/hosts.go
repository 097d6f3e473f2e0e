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
	// compareFor is how long others may take to answer after the first server that takes writes: one of them may have
	// been promoted after it. At a start, when none has been seen, it is compareFirst.
	compareFor   = 200 * time.Millisecond
	compareFirst = 2 * time.Second
	// lookoutEvery is how often somebody looks for another primary while nothing seems to be wrong.
	lookoutEvery = 10 * time.Second
	// suspectAfter is for how long a transaction runs before somebody looks for another primary, and again every
	// lookEvery.
	suspectAfter = 500 * time.Millisecond
	lookEvery    = 250 * time.Millisecond
)

// hosts are the servers of a PostgreSQL URL. One of them takes writes, and after a failover another one.
type hosts struct {
	all []*pgx.ConnConfig
	// atRisk gets each former primary that is refused, once.
	atRisk func(Risk)

	mu sync.Mutex
	// primary is the place of the one that was last seen to take writes, which is serving; at compared the others were
	// asked, too.
	primary  int
	serving  identity
	compared time.Time
	// writer is the server that the writer is connected to.
	writer identity
	// newest is the highest timeline that was seen, by system.
	newest map[string]string
	// refused is what was said last of each.
	refused []string
	// open are the connections to each.
	open []map[net.Conn]bool
}

func newHosts(cfg *pgx.ConnConfig, atRisk func(Risk)) *hosts {
	h := &hosts{atRisk: atRisk, newest: map[string]string{}}
	ways := slices.Concat([]*pgconn.FallbackConfig{{Host: cfg.Host, Port: cfg.Port, TLSConfig: cfg.TLSConfig}},
		cfg.Fallbacks) // two of a server, where TLS is only preferred
	places := map[string]int{}
	for _, way := range ways {
		name := address(way.Host, way.Port)
		place, known := places[name]
		if known {
			h.all[place].Fallbacks = append(h.all[place].Fallbacks, way)
			continue
		}
		places[name] = len(h.all)
		one := cfg.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = way.Host, way.Port, way.TLSConfig, nil
		h.all = append(h.all, one)
		h.open, h.refused = append(h.open, map[net.Conn]bool{}), append(h.refused, "")
	}
	if len(h.all) > 1 {
		for place, one := range h.all {
			one.DialFunc = h.tracked(place, one.DialFunc)
		}
	}
	return h
}

func address(host string, port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }

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
func (h *hosts) found(r reached, compared time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	same := h.serving == r.identity // perhaps by another name
	h.primary, h.serving, h.compared = r.place, r.identity, compared
	if same {
		return
	}
	for i, open := range h.open {
		for conn := range open {
			if i != r.place {
				_ = conn.Close() // whoever uses it has an error
			}
		}
	}
}

func (h *hosts) latest() (place int, compared time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.primary, h.compared
}

// current is the place of the server that takes writes, asked unless that is known of this moment.
func (h *hosts) current(ctx context.Context) (place int, err error) {
	place, compared := h.latest()
	if len(h.all) > 1 && time.Since(compared) > rested {
		r, err := h.connect(ctx, plain)
		if err != nil {
			return 0, err
		}
		_ = r.conn.Close(ctx) // it has answered
		place = r.place
	}
	return place, nil
}

func plain(*pgx.ConnConfig) {}

// reached is what a try to connect came to.
type reached struct {
	place int
	conn  *pgx.Conn
	identity
	err error
}

// connect connects to the server that takes writes; of several, to the one that was promoted last. All are asked side
// by side: one that does not answer holds up nobody for long.
func (h *hosts) connect(ctx context.Context, adjust func(*pgx.ConnConfig)) (reached, error) {
	if len(h.all) == 1 {
		r := h.reach(ctx, 0, adjust)
		return r, r.err
	}
	wait, compared := h.comparison()
	trying, cancel := context.WithCancel(ctx)
	defer cancel()
	tries := make(chan reached, len(h.all))
	for place := range h.all {
		go func() { tries <- h.reach(trying, place, adjust) }()
	}
	var found []reached
	var errs []error
	for range h.all {
		r := <-tries
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		if found = append(found, r); len(found) == 1 {
			defer time.AfterFunc(wait, cancel).Stop()
		}
	}
	return h.choose(ctx, found, compared, errs)
}

// comparison is how long others may take to answer, and when they are, or were, asked.
func (h *hosts) comparison() (wait time.Duration, compared time.Time) {
	_, compared = h.latest()
	switch now := time.Now(); {
	case h.isNew():
		return compareFirst, now
	case now.Sub(compared) > rested:
		return compareFor, now
	default:
		return 0, compared
	}
}

// choose keeps the connection to the server that was promoted last, and closes the others.
func (h *hosts) choose(
	ctx context.Context, found []reached, compared time.Time, errs []error,
) (chosen reached, err error) {
	for _, r := range found {
		if err := h.admit(r.place, r.identity); err != nil {
			errs = append(errs, err)
		} else if chosen.conn == nil {
			chosen = r
			continue
		}
		_ = r.conn.Close(ctx) // it came second
	}
	if chosen.conn == nil {
		return reached{}, errors.Join(errs...)
	}
	h.found(chosen, compared)
	return chosen, nil
}

func (h *hosts) reach(ctx context.Context, place int, adjust func(*pgx.ConnConfig)) reached {
	cfg := h.all[place].Copy()
	adjust(cfg)
	r := reached{place: place}
	if r.conn, r.err = pgx.ConnectConfig(ctx, cfg); r.err != nil {
		return r
	}
	if r.identity, r.err = identityOf(ctx, r.conn.PgConn()); r.err == nil {
		r.err = h.admit(place, r.identity)
	}
	if r.err != nil {
		_ = r.conn.Close(ctx) // it has answered
	}
	return r
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
	others := make(chan reached, len(h.all))
	var asking sync.WaitGroup
	for place := range h.all {
		if place == primary {
			continue
		}
		asking.Go(func() {
			r := h.reach(ctx, place, plain)
			if r.err != nil {
				return
			}
			if h.succeeded(r.identity) {
				others <- r
				cancel()
			}
			_ = r.conn.Close(ctx) // it has answered
		})
	}
	asking.Wait()
	select {
	case r := <-others:
		h.found(r, time.Now())
		return true
	default:
		return false
	}
}

// lookout looks for another primary until ctx ends. Whoever was started while it could reach a former primary alone
// moves to the new one.
func (h *hosts) lookout(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.replaced(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// row is the one row of the last of several results.
func row(results []*pgconn.Result, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	last := results[len(results)-1]
	if last.Err != nil || len(last.Rows) != 1 {
		return nil, errors.Join(last.Err, errors.New("the server has not answered with one row"))
	}
	values := make([]string, len(last.Rows[0]))
	for i, value := range last.Rows[0] {
		values[i] = string(value)
	}
	return values, nil
}

// single is the first value of it.
func single(results []*pgconn.Result, err error) (string, error) {
	values, err := row(results, err)
	if err != nil {
		return "", err
	}
	return values[0], nil
}
