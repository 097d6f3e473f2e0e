package commit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// identity sets a server of PostgreSQL apart from others.
type identity struct {
	// started is when it was started, by its own clock.
	started string
	// system is the number of the cluster that it and its standbys are copies of, timeline its history's, eight
	// hexadecimal digits: each promotion begins a higher one. Empty: it does not say.
	system, timeline string
}

// succeeds reports whether a server that takes writes is one that was promoted after another. A former primary that
// was started again takes writes, too, and must never be taken for the new one.
func (i identity) succeeds(other identity) bool {
	if i.timeline != "" && i.system == other.system {
		return i.timeline > other.timeline
	}
	return i.started != other.started
}

// FormerPrimaryError: a server takes writes, although another one was promoted after it. What is written there is
// lost.
type FormerPrimaryError struct {
	// Address is host:port.
	Address string
	// Timeline is its own, Newest the highest that was seen; each promotion begins a higher one.
	Timeline, Newest int64
}

func (e *FormerPrimaryError) Error() string {
	return fmt.Sprintf("%s is a former primary that takes writes: its timeline is %d, and one of timeline %d has been "+
		"promoted since; stop it, see docs/postgresql.md", e.Address, e.Timeline, e.Newest)
}

// admit refuses a server that another one has succeeded, with a *FormerPrimaryError.
func (h *hosts) admit(place int, i identity) error {
	h.mu.Lock()
	newest := h.newest[i.system]
	if i.timeline >= newest {
		h.newest[i.system] = i.timeline
		h.mu.Unlock()
		return nil
	}
	said := h.refused[place] == newest
	h.refused[place] = newest
	h.mu.Unlock()
	err := &FormerPrimaryError{
		Address:  address(h.all[place].Host, h.all[place].Port),
		Timeline: number(i.timeline), Newest: number(newest),
	}
	if !said {
		h.atRisk(Risk{Text: err.Error()})
	}
	return err
}

// Servers is how many a URL of PostgreSQL names.
func Servers(cfg *pgx.ConnConfig) int { return len(newHosts(cfg, nil).all) }

// FormerPrimaries are the servers of a URL that take writes although another one that does was promoted after them, in
// words.
func FormerPrimaries(ctx context.Context, cfg *pgx.ConnConfig) (former []string, err error) {
	var mu sync.Mutex
	r, err := newHosts(cfg, func(r Risk) {
		mu.Lock()
		defer mu.Unlock()
		former = append(former, r.Text)
	}).connect(ctx, plain)
	if err == nil {
		_ = r.conn.Close(ctx) // it has answered
	}
	return former, err
}

// number is that of a timeline.
func number(timeline string) int64 {
	n, _ := strconv.ParseInt(timeline, 16, 64) // the server wrote it
	return n
}

// outdated reports whether a server has been succeeded by one that was seen.
func (h *hosts) outdated(i identity) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return i.timeline < h.newest[i.system]
}

// isNew reports whether no server has been seen.
func (h *hosts) isNew() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.newest) == 0
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
	if i.started, err = single(conn.Exec(ctx, sqlStarted).ReadAll()); err != nil {
		return i, err
	}
	values, err := row(conn.Exec(ctx, sqlTimeline).ReadAll())
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused): // not every hosted one says it
	case err != nil:
		return i, err
	default:
		i.system, i.timeline = values[0], values[1]
	}
	return i, nil
}
