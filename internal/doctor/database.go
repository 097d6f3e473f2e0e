package doctor

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
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
	version, err := value[int](ctx, d.db, sqlSchema)
	if err != nil {
		return fail("%v", err)
	}
	known, err := knownSchema(ctx)
	if err != nil {
		return warn("version %d; this program's is not known: %v", version, err).with("make %s writable for this user", os.TempDir())
	}
	return judgeSchema(version, known)
}

func judgeSchema(version, known int) Finding {
	switch {
	case version > known:
		return fail("version %d; this program knows %d", version, known)
	case version < known:
		return warn("version %d; this program knows %d: migrations are pending", version, known).
			with("start recarga serve, api or worker of this version, which migrates; doctor does not")
	default:
		return ok("version %d", version)
	}
}

// knownSchema is the version that this program gives to a new database, which is the same for both
// kinds. It is learned from one that is made for that and removed.
func knownSchema(ctx context.Context) (version int, err error) {
	folder, err := os.MkdirTemp("", "recarga-doctor-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "new.db")
	j, err := journal.Open(ctx, "sqlite:"+path)
	if err != nil {
		return 0, err
	}
	if err := j.Close(); err != nil {
		return 0, err
	}
	db, err := openReadOnly(path)
	if err != nil {
		return 0, err
	}
	version, err = value[int](ctx, db, sqlSchema)
	return version, errors.Join(err, db.Close())
}
