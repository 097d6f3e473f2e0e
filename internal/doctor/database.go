package doctor

import (
	"context"
	"database/sql"
	"strings"

	"recarga/internal/journal"
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

const (
	whySchema  = "an older program must not write into newer tables, and refuses to start"
	mendSchema = "run the newer recarga on all machines"

	whyHeld  = "each may have been charged, and waits for a person"
	mendHeld = "recarga list --state unknown, and for each: recarga get ID, ask the distributor, recarga resolve ID; or all by a statement: recarga reconcile"

	sqlHeld   = "SELECT COUNT(*) FROM orders WHERE state = 'unknown' AND finished_at IS NULL"
	sqlSchema = "SELECT MAX(version_id) FROM goose_db_version WHERE is_applied"
)

// schema compares the tables' version with the program's. To bring them up to date is not for a
// doctor: each start of serve, api or worker does so.
func (d *database) schema(ctx context.Context, tables string) Finding {
	exists, err := value[int](ctx, d.db, tables)
	if err != nil {
		return fail("%v", err)
	}
	if exists == 0 {
		return ok("no tables yet; the first start makes them")
	}
	version, err := value[int64](ctx, d.db, sqlSchema)
	known := journal.SchemaVersion()
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

// held counts the orders that wait for a person; tables as for schema.
func (d *database) held(ctx context.Context, tables string) Finding {
	if exists, err := value[int](ctx, d.db, tables); err != nil || exists == 0 {
		return nothing() // the schema's check says so
	}
	n, err := value[int](ctx, d.db, sqlHeld)
	if err != nil {
		return warn("%v", err)
	}
	return unless(n == 0, Warn, "%d held", n)
}
