package doctor

import (
	"context"
	"database/sql"
	"embed"
	"slices"
	"strings"
	"time"

	"recarga/internal/callers"
	"recarga/internal/journal/tables"
	"recarga/internal/seal"
	"recarga/internal/sqlfile"
)

// newDatabase is the book of record, whichever it is.
func newDatabase(cfg Config) part {
	if strings.HasPrefix(cfg.DatabaseURL, "sqlite:") {
		return newSQLite(cfg)
	}
	return newPostgres(cfg)
}

// database is an open book of record, for reading.
type database struct {
	db  *sql.DB
	err error // of the URL
	box *seal.Box
	// tables is the query for how many tables say which version they are of.
	tables string
}

func (d *database) close() {
	if d.db != nil {
		_ = d.db.Close() // nothing was written
	}
}

// value reads one value.
func value[T any](ctx context.Context, db *sql.DB, query string) (v T, err error) {
	err = db.QueryRowContext(ctx, query).Scan(&v)
	return v, err
}

//go:embed sql
var sqlFiles embed.FS

// sqls are the questions to a database, by name.
var sqls = sqlfile.Load(sqlFiles, "sql")

var (
	sqlKeys   = sqls.Get("keys")
	sqlSealed = sqls.Get("sealed")
	sqlHeld   = sqls.Get("held")
	sqlSchema = sqls.Get("schema")
)

// schema compares the tables' version with the program's. To bring them up to date is not for a
// doctor: each start of serve, api or worker does so.
func (d *database) schema(ctx context.Context) Finding {
	exists, err := value[int](ctx, d.db, d.tables)
	if err != nil {
		return fail("%v", err)
	}
	if exists == 0 {
		return ok("no tables yet; the first start makes them")
	}
	version, err := value[int64](ctx, d.db, sqlSchema)
	known := tables.SchemaVersion()
	switch {
	case err != nil:
		return fail("%v", err)
	case version > known:
		return fail("version %d; this program knows %d", version, known)
	case version < known:
		return warn("version %d; this program knows %d: migrations are pending", version, known).
			with("start recarga serve, api or worker of this version, which migrates; doctor does not")
	default:
		return ok("version %d", version)
	}
}

// held counts the orders that wait for a person.
func (d *database) held(ctx context.Context) Finding {
	if exists, err := value[int](ctx, d.db, d.tables); err != nil || exists == 0 {
		return nothing() // the schema's check says so
	}
	n, err := value[int](ctx, d.db, sqlHeld)
	if err != nil {
		return warn("%v", err)
	}
	return unless(n == 0, Warn, "%d held", n)
}

// keys names the callers whose key has expired, or does so soon. Tables that are older have no such keys, and the
// schema's check says so.
func (d *database) keys(ctx context.Context) Finding {
	now := time.Now()
	rows, err := d.db.QueryContext(ctx, sqlKeys, now.Add(callers.ExpiresSoon).UnixMicro())
	if err != nil {
		return nothing()
	}
	defer func() { _ = rows.Close() }() // it only read
	var soon []string
	for rows.Next() {
		var name string
		var at int64
		if err := rows.Scan(&name, &at); err != nil {
			return warn("%v", err)
		}
		verb := " expires "
		if !time.UnixMicro(at).After(now) {
			verb = " has expired "
		}
		soon = append(soon, name+verb+time.UnixMicro(at).UTC().Format(time.DateOnly))
	}
	if err := rows.Err(); err != nil {
		return warn("%v", err)
	}
	if len(soon) == 0 {
		return ok("none expires within %d days", int(callers.ExpiresSoon.Hours()/24))
	}
	return warn("%s", strings.Join(soon, ", "))
}

// sealed counts the callers by the keys that their secrets are sealed with.
func (d *database) sealed(ctx context.Context) Finding {
	if exists, err := value[int](ctx, d.db, d.tables); err != nil || exists == 0 {
		return nothing() // the schema's check says so
	}
	rows, err := d.db.QueryContext(ctx, sqlSealed)
	if err != nil {
		return warn("%v", err)
	}
	defer func() { _ = rows.Close() }()
	all, former, unreadable := 0, 0, []string{}
	for rows.Next() {
		var name string
		var secrets []byte
		if err := rows.Scan(&name, &secrets); err != nil {
			return warn("%v", err)
		}
		all++
		switch current, err := callers.IsCurrent(d.box, name, secrets); {
		case err != nil:
			unreadable = append(unreadable, name)
		case !current:
			former++
		}
	}
	slices.Sort(unreadable)
	switch {
	case rows.Err() != nil:
		return warn("%v", rows.Err())
	case all == 0:
		return ok("no callers in the registry")
	case len(unreadable) > 0:
		return fail("no key opens those of %s", strings.Join(unreadable, ", ")).
			with("set RECARGA_ENCRYPTION_KEY_OLD to the key that sealed them, or: recarga caller rotate-secret NAME")
	default:
		return unless(former == 0, Warn, "of %d callers, %d are sealed with a former key", all, former)
	}
}
