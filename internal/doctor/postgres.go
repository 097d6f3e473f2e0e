package doctor

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"recarga/internal/journal/commit"
)

const (
	// The journal refuses PostgreSQL before 12; versions before 14 get no more fixes.
	postgresOldest, postgresSupported = 120000, 140000
	// Times in the book of record are the workers' own, so the server's clock is only a second opinion.
	postgresClockWarn = time.Second
)

type postgres struct {
	database
	config *pgx.ConnConfig
	// most is how many connections one process holds.
	most int
}

func newPostgres(cfg Config) part {
	p := &postgres{
		database: newDatabaseOf(cfg, "postgres"), most: cmp.Or(cfg.DatabaseMaxConnections, commit.DefaultConnections),
	}
	config, err := pgx.ParseConfig(cfg.DatabaseURL)
	if err != nil {
		p.err = errors.New("the URL cannot be parsed") // its text may hold a password
	} else {
		p.open(config)
	}
	return part{stages: []stage{{
		check("postgres reachable", p.ping),
	}, {
		check("postgres servers", p.servers),
		check("postgres pooler", p.pooler),
		check("postgres version", p.version),
		check("postgres writable", p.writable),
		check("postgres fsync", p.setting("fsync", "on")),
		check("postgres full_page_writes", p.setting("full_page_writes", "on")),
		check("postgres synchronous_commit", p.synchronous),
		check("postgres schema", p.schema),
		check("postgres rights", p.rights),
		check("postgres unknown orders", p.held),
		check("postgres pauses and limits", p.controls),
		check("postgres caller keys", p.keys),
		check("postgres sealed secrets", p.sealed),
		check("postgres clock", p.clock),
		check("postgres connections", p.connections),
	}}, close: p.close}
}

// open prepares connections as the journal's own.
func (p *postgres) open(config *pgx.ConnConfig) {
	if _, given := config.RuntimeParams["synchronous_commit"]; !given {
		config.RuntimeParams["synchronous_commit"] = "on"
	}
	config.RuntimeParams["application_name"] = "recarga doctor"
	if commit.Servers(config) > 1 && config.ValidateConnect == nil {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	commit.SetLater(config)
	p.config = config
	p.db = stdlib.OpenDB(*config)
	// Checks side by side need no more, and the server may be short of them.
	p.db.SetMaxOpenConns(2)
}

func (p *postgres) ping(ctx context.Context) Finding {
	if p.err != nil {
		return fail("%v", p.err)
	}
	where, err := value[string](ctx, p.db, sqls.Get("postgres/where"))
	if err != nil {
		return fail("%v", err)
	}
	return ok("%s", where)
}

// servers looks for former primaries among those of the URL.
func (p *postgres) servers(ctx context.Context) Finding {
	all := commit.Servers(p.config)
	if all == 1 {
		return ok("one")
	}
	former, err := commit.FormerPrimaries(ctx, p.config)
	if err != nil {
		return fail("%v", err)
	}
	found := cmp.Or(strings.Join(former, "; "), fmt.Sprintf("one of %d takes writes", all))
	return unless(len(former) == 0, Fail, "%s", found)
}

func (p *postgres) pooler(ctx context.Context) Finding {
	switch pooled, err := commit.CheckPooler(ctx, p.config); {
	case err != nil:
		return fail("%v", err)
	case pooled:
		return ok("a pooler, which keeps a session for each connection")
	default:
		return ok("none")
	}
}

var sqlRights = sqls.Get("postgres/rights")

// rights compares those of our user with what it takes to run; to migrate takes the tables' owner.
func (p *postgres) rights(ctx context.Context) Finding {
	var user, lacking string
	var superuser, migrates, versions bool
	err := p.db.QueryRowContext(ctx, sqlRights).Scan(&user, &superuser, &migrates, &lacking, &versions)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nothing() // no tables yet: the schema's check says so
	case err != nil:
		return fail("%v", err)
	case lacking != "":
		return fail("%s lacks %s", user, lacking)
	case superuser:
		return warn("%s is a superuser", user)
	case migrates:
		return ok("%s may run, and migrate", user)
	case versions:
		return warn("%s may change goose_db_version, and so have older tables taken for new ones", user).
			with(`let the owner of the tables take that right away: docs/postgresql.md, "Two roles", has the statement`)
	default:
		return ok("%s may run, and not migrate", user)
	}
}

func (p *postgres) version(ctx context.Context) Finding {
	number, err := value[int](ctx, p.db, sqls.Get("postgres/version"))
	if err != nil {
		return fail("%v", err)
	}
	return judgePostgresVersion(number)
}

// judgePostgresVersion judges a server_version_num.
func judgePostgresVersion(number int) Finding {
	f := unless(number >= postgresSupported, Warn, "%d.%d", number/10000, number%10000)
	if number < postgresOldest {
		f.Status = Fail
	}
	return f
}

func (p *postgres) writable(ctx context.Context) Finding {
	standby, err := value[bool](ctx, p.db, sqls.Get("postgres/standby"))
	if err != nil {
		return fail("%v", err)
	}
	if standby {
		return fail("it is a standby")
	}
	return p.setting("default_transaction_read_only", "off")(ctx)
}

// setting fails where a setting is none of the good values.
func (p *postgres) setting(name string, good ...string) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		got, err := value[string](ctx, p.db, "SHOW "+name)
		if err != nil {
			return fail("%v", err)
		}
		return unless(slices.Contains(good, got), Fail, "%s is %s", name, got)
	}
}

// synchronous checks what a connection like the journal's has, whatever the server's default is.
func (p *postgres) synchronous(ctx context.Context) Finding {
	f := p.setting("synchronous_commit", "on", "local", "remote_write", "remote_apply")(ctx)
	f.Found += " on our connections"
	return f
}

func (p *postgres) clock(ctx context.Context) Finding {
	if err := p.db.PingContext(ctx); err != nil { // the time of a connect is not the question's
		return fail("%v", err)
	}
	asked := time.Now()
	theirs, err := value[time.Time](ctx, p.db, sqls.Get("postgres/clock"))
	if err != nil {
		return fail("%v", err)
	}
	return clock(offset(theirs, asked, time.Now()), postgresClockWarn, 0)
}

var sqlConnections = sqls.Get("postgres/connections")

func (p *postgres) connections(ctx context.Context) Finding {
	var allowed, used int
	if err := p.db.QueryRowContext(ctx, sqlConnections).Scan(&allowed, &used); err != nil {
		return fail("%v", err)
	}
	f := unless(allowed-used >= p.most, Warn, "%d allowed, %d in use; one process takes up to %d", allowed, used, p.most)
	if allowed < p.most {
		f.Status = Fail
	}
	return f
}
