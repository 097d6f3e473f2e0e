package commit

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrTransactionPooler: a pooler before PostgreSQL gives a connection another server session for each transaction.
// What a session has set, its locks and prepared statements, and with them the durability of its commits, would be
// somebody else's.
var ErrTransactionPooler = errors.New("a pooler before PostgreSQL shares sessions between connections; it must pool " +
	"sessions (PgBouncer: pool_mode = session), see docs/postgresql.md")

// poolerRounds is how often a pooler is asked: while others use it, chance may hide once what it does.
const poolerRounds = 5

// CheckPooler reports whether a pooler stands before PostgreSQL. It is ErrTransactionPooler where that does not keep a
// session for each connection.
func CheckPooler(ctx context.Context, cfg *pgx.ConnConfig) (pooled bool, err error) {
	return newHosts(cfg, func(Risk) {}).checkPooler(ctx)
}

func (h *hosts) checkPooler(ctx context.Context) (pooled bool, err error) {
	one, err := h.connect(ctx, plain)
	if err != nil {
		return false, err
	}
	defer func() { _ = one.conn.Close(ctx) }() // it only asked
	if pooled, err = behindPooler(ctx, one.conn.PgConn()); err != nil || !pooled {
		return false, err
	}
	other, err := h.connect(ctx, plain)
	if err != nil {
		return true, err
	}
	defer func() { _ = other.conn.Close(ctx) }() // it only asked
	return true, shareSessions(ctx, one.conn.PgConn(), other.conn.PgConn())
}

// behindPooler reports whether it is so, and notes the process that the session has.
func (p *postgresSession) behindPooler(ctx context.Context) (bool, error) {
	backend, err := backendOf(ctx, p.conn.PgConn())
	if err == nil {
		p.backend, err = strconv.ParseInt(backend, 10, 64)
	}
	return p.backend != int64(p.conn.PgConn().PID()), err
}

// behindPooler reports whether somebody else than the server has answered the connection.
func behindPooler(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	backend, err := backendOf(ctx, conn)
	return backend != strconv.FormatUint(uint64(conn.PID()), 10), err
}

// shareSessions is ErrTransactionPooler where two open connections are found to have, or to have had, one session. The
// second one asks twice: a pooler that goes round would give each its own otherwise.
func shareSessions(ctx context.Context, one, other *pgconn.PgConn) error {
	owners := map[string]*pgconn.PgConn{}
	sessions := map[*pgconn.PgConn]string{}
	for range poolerRounds {
		for _, conn := range []*pgconn.PgConn{one, other, other} {
			backend, err := backendOf(ctx, conn)
			if err != nil {
				return err
			}
			owner, owned := owners[backend]
			former, known := sessions[conn]
			if owned && owner != conn || known && former != backend {
				return ErrTransactionPooler
			}
			owners[backend], sessions[conn] = conn, backend
		}
	}
	return nil
}

var sqlBackend = sqls.Get("postgres/backend")

// backendOf is the server's process that runs the connection's statements.
func backendOf(ctx context.Context, conn *pgconn.PgConn) (string, error) {
	return single(conn.Exec(ctx, sqlBackend).ReadAll())
}

// unsupported reports whether a pooler refuses a parameter of the URL.
func unsupported(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && strings.HasPrefix(e.Message, "unsupported startup parameter")
}
