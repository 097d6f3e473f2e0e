package commit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	postgresReads  = 12
	postgresOldest = 120000
)

func openPostgres(ctx context.Context, databaseURL string) (*Engine, error) {
	cfg, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if err := makeDurable(cfg); err != nil {
		return nil, err
	}
	e := &Engine{
		Name:    "postgres",
		connect: func(ctx context.Context) (session, error) { return newPostgresSession(ctx, cfg) },
		begin:   "BEGIN ISOLATION LEVEL READ COMMITTED", beginAlone: "BEGIN ISOLATION LEVEL REPEATABLE READ",
		ReadTx:  &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
		timeout: 10 * time.Second, busy: func(error) bool { return false },
		Transient: postgresTransient, refused: postgresRefused, answered: postgresAnswered, readOnly: postgresReadOnly,
		numbered: true,
	}
	unasked := func(context.Context, stdlib.ShouldPingParams) bool { return false } // current asks
	db := stdlib.OpenDB(*cfg, stdlib.OptionBeforeConnect(e.stamp), stdlib.OptionResetSession(e.current),
		stdlib.OptionShouldPing(unasked))
	db.SetMaxOpenConns(postgresReads)
	db.SetMaxIdleConns(postgresReads)
	e.Read, e.Write = db, db
	if err := e.checkVersion(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres %s/%s: %w", cfg.Host, cfg.Database, err), e.Close())
	}
	return e, nil
}

// makeDurable sets what every connection must have: commits that are on disk when they are answered,
// and locks that do not outlive a worker which is stopped in the middle of a transaction.
func makeDurable(cfg *pgx.ConnConfig) error {
	const setting = "synchronous_commit"
	given, ok := cfg.RuntimeParams[setting]
	switch {
	case !ok:
		cfg.RuntimeParams[setting] = "on"
	case !slices.Contains([]string{"on", "local", "remote_write", "remote_apply"}, given):
		return fmt.Errorf("database URL sets %s=%s, which loses orders that were accepted; remove it", setting, given)
	}
	for name, value := range map[string]string{"idle_in_transaction_session_timeout": "15s",
		"application_name": "recarga"} {
		if _, ok := cfg.RuntimeParams[name]; !ok {
			cfg.RuntimeParams[name] = value
		}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	if cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return nil
}

// A connection of the pool keeps how many of the writer's had failed before it was made, and when it was last seen to
// take writes.
const (
	replacedKey = "recarga.replaced"
	writableKey = "recarga.writable"
)

func (e *Engine) stamp(_ context.Context, cfg *pgx.ConnConfig) error {
	replaced := e.replaced.Load()
	cfg.AfterConnect = func(_ context.Context, conn *pgconn.PgConn) error {
		conn.CustomData()[replacedKey], conn.CustomData()[writableKey] = replaced, time.Now()
		return nil
	}
	return nil
}

// current refuses a connection of the pool whose server may have been replaced: what is read there is old.
func (e *Engine) current(ctx context.Context, conn *pgx.Conn) error {
	data := conn.PgConn().CustomData()
	if data[replacedKey] != e.replaced.Load() {
		return driver.ErrBadConn
	}
	if at, _ := data[writableKey].(time.Time); time.Since(at) > rested {
		if pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn.PgConn()) != nil {
			return driver.ErrBadConn
		}
		data[writableKey] = time.Now()
	}
	return nil
}

var sqlServerVersion = sqls.Get("postgres/server_version")

func (e *Engine) checkVersion(ctx context.Context) error {
	var version int
	var text string
	if err := e.Read.QueryRowContext(ctx, sqlServerVersion).Scan(&version, &text); err != nil {
		return err
	}
	if version < postgresOldest {
		return fmt.Errorf("server is version %s; must be 12 or newer", text)
	}
	return nil
}

// postgresTransient: a lost connection, a server that restarts or has become a standby, or a
// transaction that got in another's way.
func postgresTransient(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return true
	}
	return slices.Contains([]string{"08", "40", "57"}, e.Code[:2]) || slices.Contains([]string{"25006", "25P03", "53300",
		"55P03"}, e.Code)
}

// postgresReadOnly: it was the primary, and no longer is.
func postgresReadOnly(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "25006"
}

func postgresAnswered(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e)
}

// postgresRefused: the server itself undid the transaction. An administrator's shutdown (57P01) is no
// proof of that: it also ends the wait for a standby, after the commit.
func postgresRefused(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code[:2] == "23" || e.Code == "40001" || e.Code == "40P01")
}
