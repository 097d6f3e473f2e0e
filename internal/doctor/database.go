package doctor

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
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
	// engine is sqlite or postgres.
	engine string
	// migrates: a start brings the tables up to date.
	migrates bool
}

func newDatabaseOf(cfg Config, engine string) database {
	return database{box: seal.New(cfg.SealingKeys()...), engine: engine, migrates: cfg.Migrate}
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
	sqlSet    = sqls.Get("controls")
)

// schema compares the tables' version with the program's. To bring them up to date is not for a doctor.
func (d *database) schema(ctx context.Context) Finding {
	var older *tables.OutdatedError
	var newer *tables.NewerError
	switch err := tables.Judge(ctx, d.db, d.engine); {
	case errors.As(err, &newer):
		return fail("version %d; this program knows %d", newer.Version, newer.Known)
	case errors.As(err, &older) && older.None:
		return d.untabled()
	case errors.As(err, &older):
		f := warn("version %d; this program knows %d: %d pending (recarga migrate --check)", older.Version, older.Needed,
			len(older.Pending))
		if !d.migrates {
			return f.with(migrateFirst)
		}
		return f.with("recarga migrate, or start recarga serve, api or worker of this version, which migrates")
	case err != nil:
		return fail("%v", err)
	default:
		return ok("version %d", tables.SchemaVersion())
	}
}

// untabled is what a database without tables comes to.
func (d *database) untabled() Finding {
	if d.migrates {
		return ok("no tables yet; the first start makes them")
	}
	return warn("no tables yet").with(migrateFirst)
}

const migrateFirst = "recarga migrate; until then serve, api and worker wait, as RECARGA_MIGRATE=false says"

// unanswered is what a question comes to that the database answered with an error. Tables of another version may lack
// what it asks for: then the schema's check says all that is known.
func (d *database) unanswered(ctx context.Context, err error) Finding {
	if cause := tables.Judge(ctx, d.db, d.engine); errors.As(cause, new(*tables.OutdatedError)) ||
		errors.As(cause, new(*tables.NewerError)) {
		return nothing()
	}
	return warn("%v", err)
}

// held counts the orders that wait for a person.
func (d *database) held(ctx context.Context) Finding {
	n, err := value[int](ctx, d.db, sqlHeld)
	if err != nil {
		return d.unanswered(ctx, err)
	}
	return unless(n == 0, Warn, "%d held", n)
}

// controls names what people have paused or limited.
func (d *database) controls(ctx context.Context) Finding {
	set, err := value[string](ctx, d.db, sqlSet)
	if err != nil {
		return d.unanswered(ctx, err)
	}
	return unless(set == "", Warn, "%s", cmp.Or(set, "none"))
}

// keys names the callers whose key has expired, or does so soon.
func (d *database) keys(ctx context.Context) Finding {
	now := time.Now()
	rows, err := d.db.QueryContext(ctx, sqlKeys, now.Add(callers.ExpiresSoon).UnixMicro())
	if err != nil {
		return d.unanswered(ctx, err)
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
	rows, err := d.db.QueryContext(ctx, sqlSealed)
	if err != nil {
		return d.unanswered(ctx, err)
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
