package commit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	postgresOldest = 120000
	// DefaultConnections is how many a process has at most, the writer's among them.
	DefaultConnections = 16
	// idleFor is for how long a connection is kept that nobody uses: another process may need it.
	idleFor = 10 * time.Second
	// slotWait is how long a read waits for a connection of a server that has none left.
	slotWait = 3 * time.Second
	// askTimeout bounds the question whether a connection's server still takes writes.
	askTimeout = time.Second
)

func openPostgres(ctx context.Context, databaseURL string, o options) (*Engine, error) {
	cfg, err := PostgresConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		Name: "postgres", hosts: newHosts(cfg, o.atRisk),
		begin: "BEGIN ISOLATION LEVEL READ COMMITTED", beginAlone: "BEGIN ISOLATION LEVEL REPEATABLE READ",
		ReadTx:  &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
		timeout: 10 * time.Second, busy: func(error) bool { return false },
		Transient: postgresTransient, refused: postgresRefused, answered: postgresAnswered, lost: postgresLost,
		numbered: true, atRisk: o.atRisk,
	}
	unasked := func(context.Context, stdlib.ShouldPingParams) bool { return false } // current asks
	db := sql.OpenDB(patient{stdlib.GetConnector(*cfg, stdlib.OptionBeforeConnect(e.stamp),
		stdlib.OptionResetSession(e.current), stdlib.OptionShouldPing(unasked))})
	reads := o.connections - 1 // one is the writer's
	db.SetMaxOpenConns(reads)
	db.SetMaxIdleConns(reads)
	db.SetConnMaxIdleTime(idleFor)
	e.Read, e.Write = db, db
	e.connect = func(ctx context.Context) (session, error) {
		s, err := newPostgresSession(ctx, e.hosts)
		if isFull(err) {
			db.SetMaxIdleConns(0) // our own reads may have the last ones
			db.SetMaxIdleConns(reads)
		}
		if err != nil {
			return nil, err
		}
		if err := e.prove(ctx, s); err != nil {
			s.discard()
			return nil, fmt.Errorf("connection: %w", err)
		}
		return s, nil
	}
	if err = e.checkServer(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres %s/%s: %w", cfg.Host, cfg.Database, err), e.Close())
	}
	if len(e.hosts.all) > 1 {
		e.background(func(ctx context.Context) { e.hosts.lookout(ctx, o.lookoutEvery) })
	}
	return e, nil
}

// patient waits for a connection where the server has none left: others give theirs back.
type patient struct{ driver.Connector }

// Connect implements driver.Connector.
func (p patient) Connect(ctx context.Context) (conn driver.Conn, err error) {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(20*time.Millisecond),
		backoff.WithMaxInterval(200*time.Millisecond), backoff.WithMaxElapsedTime(slotWait))
	err = backoff.Retry(func() (err error) {
		if conn, err = p.Connector.Connect(ctx); isFull(err) {
			return err
		}
		return backoff.Permanent(err)
	}, backoff.WithContext(pauses, ctx))
	return conn, err
}

// PostgresConfig is how the journal connects to PostgreSQL: each session is set up as makeDurable says.
func PostgresConfig(databaseURL string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	return cfg, makeDurable(cfg)
}

var sqlSet = sqls.Get("postgres/set")

// setUp sets a session's parameters.
func setUp(parameters map[string]string) func(context.Context, *pgconn.PgConn) error {
	return func(ctx context.Context, conn *pgconn.PgConn) error {
		var batch pgconn.Batch
		for _, name := range slices.Sorted(maps.Keys(parameters)) {
			batch.ExecParams(sqlSet, [][]byte{[]byte(name), []byte(parameters[name])}, nil, nil, nil)
		}
		return conn.ExecBatch(ctx, &batch).Close()
	}
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
	SetLater(cfg)
	return nil
}

// SetLater has the parameters of a session set when it is there. Poolers refuse those that they do not know if they
// come with the connection.
func SetLater(cfg *pgx.ConnConfig) {
	parameters := maps.Clone(cfg.RuntimeParams)
	for _, name := range []string{"application_name", "options", "replication"} { // these must come first
		delete(parameters, name)
	}
	maps.DeleteFunc(cfg.RuntimeParams, func(name, _ string) bool { _, later := parameters[name]; return later })
	cfg.AfterConnect = setUp(parameters)
}

// A connection of the pool keeps how many of the writer's had failed before it was made, when it was last seen to take
// writes, and which server it leads to.
const (
	replacedKey = "recarga.replaced"
	writableKey = "recarga.writable"
	identityKey = "recarga.identity"
)

// stamp has a connection of the pool made to the server that takes writes.
func (e *Engine) stamp(ctx context.Context, cfg *pgx.ConnConfig) error {
	replaced := e.replaced.Load()
	place, err := e.hosts.current(ctx)
	if err != nil {
		return err
	}
	primary := e.hosts.all[place]
	*cfg = *primary
	cfg.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := primary.AfterConnect(ctx, conn); err != nil {
			return err
		}
		server, err := identityOf(ctx, conn)
		if err == nil {
			err = e.hosts.admit(place, server)
		}
		data := conn.CustomData()
		data[replacedKey], data[writableKey], data[identityKey] = replaced, time.Now(), server
		return err
	}
	return nil
}

// current refuses a connection of the pool whose server may have been replaced: what is read there is old.
func (e *Engine) current(ctx context.Context, conn *pgx.Conn) error {
	data := conn.PgConn().CustomData()
	if server, _ := data[identityKey].(identity); data[replacedKey] != e.replaced.Load() || e.hosts.outdated(server) {
		return driver.ErrBadConn
	}
	if at, _ := data[writableKey].(time.Time); time.Since(at) > rested {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		if pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn.PgConn()) != nil {
			return driver.ErrBadConn
		}
		data[writableKey] = time.Now()
	}
	return nil
}

var sqlServerVersion = sqls.Get("postgres/server_version")

// checkServer refuses a pooler that shares sessions, and a server that is too old.
func (e *Engine) checkServer(ctx context.Context) error {
	conn, err := e.Read.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool
	err = conn.Raw(func(conn any) error {
		pooled, err := behindPooler(ctx, conn.(*stdlib.Conn).Conn().PgConn())
		if err == nil && pooled {
			_, err = e.hosts.checkPooler(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	var version int
	var text string
	if err := conn.QueryRowContext(ctx, sqlServerVersion).Scan(&version, &text); err != nil {
		return err
	}
	if version < postgresOldest {
		return fmt.Errorf("server is version %s; must be 12 or newer", text)
	}
	return nil
}

// prove refuses a writer's connection that may lose what it confirms: a failover, a pooler or an administrator may
// have changed what was so at the start.
func (e *Engine) prove(ctx context.Context, s *postgresSession) error {
	if err := e.checkDurability(ctx, s.conn.PgConn()); err != nil {
		return err
	}
	pooled, err := s.behindPooler(ctx)
	if err != nil || !pooled {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, slotWait+askTimeout)
	defer cancel()
	other, err := e.Read.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = other.Close() }() // it goes back to the pool
	return other.Raw(func(conn any) error {
		return shareSessions(ctx, s.conn.PgConn(), conn.(*stdlib.Conn).Conn().PgConn())
	})
}

var sqlDurability = sqls.Get("postgres/durability")

// checkDurability asks what the writer's connection really has, whatever it has asked for.
func (e *Engine) checkDurability(ctx context.Context, conn *pgconn.PgConn) error {
	has, err := row(conn.Exec(ctx, sqlDurability).ReadAll())
	if err != nil {
		return err
	}
	fsync, fullPages, synchronous, standbys := has[0], has[1], has[2], has[3] == "t"
	if synchronous == "off" {
		return errors.New("synchronous_commit is off, whatever a connection sets, so that a crash loses orders that were " +
			"accepted; a pooler before the server must keep what a session sets")
	}
	var risks []Risk
	if fsync == "off" {
		risks = append(risks, Risk{Text: "fsync is off: a crash of the machine destroys the book of record", Grave: true})
	}
	if fullPages == "off" {
		risks = append(risks, Risk{Text: "full_page_writes is off: a crash in the middle of a write leaves torn pages, " +
			"unless the file system prevents it"})
	}
	if standbys && slices.Contains([]string{"local", "remote_write"}, synchronous) {
		risks = append(risks, Risk{Text: "synchronous_commit is " + synchronous + ": a failover loses what was confirmed"})
	}
	e.noteRisks(risks)
	return nil
}

// postgresTransient: a lost connection or session, a server that restarts or has become a standby, or a
// transaction that got in another's way.
func postgresTransient(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return true
	}
	return slices.Contains([]string{"08", "40", "57"}, e.Code[:2]) || slices.Contains([]string{"25006", "25P03", "53300",
		"55P03"}, e.Code) || postgresForeign(err)
}

// postgresForeign: what the session has prepared is not there, or somebody else's is. A pooler has given it the
// session of another connection.
func postgresForeign(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains([]string{"26000", "42P05"}, e.Code)
}

// dividedByZero: see sqlCommit.
func dividedByZero(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "22012"
}

// isFull: the server has no connection left, for this user or at all.
func isFull(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "53300"
}

// postgresLost: the session's server was the primary, and no longer is; or the session is another one.
func postgresLost(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "25006" || postgresForeign(err) || errors.Is(err, ErrTransactionPooler)
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
