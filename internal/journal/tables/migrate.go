package tables

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"recarga/internal/journal/commit"
)

//go:embed migrations
var migrations embed.FS

// SchemaVersion is the version of the tables that Open makes, the same for both databases.
func SchemaVersion() (version int64) {
	files, _ := fs.ReadDir(migrations, "migrations/sqlite") // it is in the program
	for _, file := range files {
		if number, err := goose.NumericComponent(file.Name()); err == nil {
			version = max(version, number)
		}
	}
	return version
}

// provider runs the migrations of the engine.
func provider(e *commit.Engine) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+e.Name)
	if err != nil {
		return nil, err
	}
	dialect, opts := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if e.IsPostgres() {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return nil, err
		}
		dialect, opts = goose.DialectPostgres, append(opts, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(dialect, e.Write, files, opts...)
}

// migrate brings the database's tables up to date. Several processes may do so at once.
func migrate(ctx context.Context, e *commit.Engine) error {
	p, err := provider(e)
	if err != nil {
		return err
	}
	err = commit.RetryOpening(ctx, func() error {
		_, err := p.Up(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: tables: %w", e.Name, err)
	}
	return refuseNewer(ctx, p)
}

// refuseNewer: an older program would write rows that lack what the newer one relies on.
func refuseNewer(ctx context.Context, p *goose.Provider) error {
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("the database is of version %d, this program knows %d; run the newer recarga", current, target)
	}
	return nil
}
