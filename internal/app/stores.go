package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"recarga/internal/callers"
	"recarga/internal/config"
	"recarga/internal/controls"
	"recarga/internal/journal"
	"recarga/internal/queue"
	"recarga/producer"
)

const (
	// openTimeout bounds one try to open a database or Redis.
	openTimeout = 15 * time.Second
	// checkTimeout bounds one try to reach Redis.
	checkTimeout = 3 * time.Second
	// openPause is the longest wait between two tries.
	openPause = 2 * time.Second
	// sayEvery is how often a start that waits says what for.
	sayEvery = 30 * time.Second
)

// openStores opens the book of record and the queue, side by side, so that whichever is missing is named. It returns
// when the book is there; a worker waits for Redis in awaitQueue.
func (n *Node) openStores(ctx context.Context) (err error) {
	n.health.set("database", dependency{required: true, err: errors.New("not opened yet")})
	n.health.set("redis", dependency{required: n.roles.Worker, err: errors.New("not opened yet")})
	if n.queue, err = queue.OpenUnchecked(ctx, n.settings.RedisURL, n.log); err != nil {
		return fmt.Errorf("RECARGA_REDIS_URL: %w", err)
	}
	n.closeLast("queue", n.queue.Close)
	n.startChanges()
	if err := n.beAlone(); err != nil {
		return err
	}
	if n.roles.Worker {
		ctx = n.checkBeside(ctx)
	} else if err := n.checkLater(ctx); err != nil {
		return err
	}
	err = n.await(ctx, "database", "RECARGA_DATABASE_URL", journal.Unavailable, n.openJournal)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause // which may be that Redis is not to be used
	}
	if err != nil {
		return err
	}
	n.closeLast("journal", n.journal.Close)
	n.useStores()
	return nil
}

// useStores builds what only holds the stores.
func (n *Node) useStores() {
	n.onShutdown(n.metrics.ReadFrom(n.journal, n.settings.WebhookDisableAfter, n.log))
	n.queue.OnRejected(n.metrics.Rejected)
	n.book, n.waker = n.metrics.Journal(n.journal), n.metrics.Queue(n.queue)
	n.callers = callers.New(n.journal, n.settings.SealingKey(), n.settings.WebhookAllowPrivate,
		n.settings.FormerKeys()...)
	n.controls = controls.NewReader(n.journal.Controls, n.controlled, n.log)
	n.health.controlledBy(n.controls.Now)
	n.producer = producer.New(n.book, n.waker, n.log).WithQuotas(callers.NewQuotas(n.callers, n.journal))
	if n.queue.IsEmbedded() && (!n.roles.API || !n.roles.Worker) {
		n.log.Warn("the embedded queue is seen by this process alone; orders reach the worker by its sweep, seconds " +
			"later: set RECARGA_REDIS_URL")
	}
}

func (n *Node) openJournal(ctx context.Context) (err error) {
	n.journal, err = openBook(ctx, n.settings, n.migrated, journal.WithFirstTryGrace(0),
		journal.WithObserver(n.metrics.Committed), journal.WithChanges(n.changed), journal.WithRisks(n.atRisk),
		journal.WithCatalog(n.catalog),
		journal.WithTimeLimits(journal.TimeLimits{Untried: n.settings.ExpiresAfter, Tried: n.settings.RetryMaxElapsed}))
	if err == nil {
		n.health.set("database", dependency{required: true, ask: n.journal.Ping, risks: n.journal.Risks})
	}
	return err
}

func (n *Node) atRisk(r journal.Risk) {
	level := slog.LevelWarn
	if r.Grave {
		level = slog.LevelError
	}
	n.log.Log(context.Background(), level, "the database may lose what was confirmed", "setting", "RECARGA_DATABASE_URL",
		"risk", r.Text)
}

func (n *Node) migrated(m journal.Migration) {
	n.log.Info("migrated the database", "migration", m.Name)
}

// checkBeside asks Redis until it answers, beside the rest of the start, whose context it ends when Redis is not to be
// used.
func (n *Node) checkBeside(ctx context.Context) context.Context {
	ctx, end := context.WithCancelCause(ctx)
	n.checked = make(chan error, 1)
	n.background(func(shutdown context.Context) {
		defer context.AfterFunc(shutdown, func() { end(context.Canceled) })()
		err := n.await(ctx, "redis", "RECARGA_REDIS_URL", queue.Unavailable, n.checkQueue)
		if err != nil {
			end(err)
		}
		n.checked <- err
	})
	return ctx
}

// awaitQueue waits for Redis, which a worker needs. Orders whose time or whose attempt's time is over need none: if
// Redis is away, they end or are held meanwhile.
func (n *Node) awaitQueue(ctx context.Context) error {
	select {
	case err := <-n.checked:
		return err
	case <-time.After(checkTimeout):
	}
	ctx, stop := context.WithCancel(ctx)
	var sweeping sync.WaitGroup
	sweeping.Go(func() { n.worker.Sweep(ctx) })
	err := <-n.checked
	stop()
	sweeping.Wait()
	return err
}

// checkLater does not wait for Redis: the book of record alone accepts an order, and the workers' sweep enqueues it.
// An unsafe Redis ends the start, but not a process that has accepted orders without it: that only says so.
func (n *Node) checkLater(ctx context.Context) error {
	err := n.checkQueue(ctx)
	if err == nil {
		return nil
	}
	if !queue.Unavailable(err) && ctx.Err() == nil {
		return fmt.Errorf("RECARGA_REDIS_URL: %w", err)
	}
	n.background(func(ctx context.Context) {
		// ends with the process
		_ = n.await(ctx, "redis", "RECARGA_REDIS_URL", func(error) bool { return true }, n.checkQueue)
	})
	return nil
}

func (n *Node) checkQueue(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := n.queue.Check(ctx)
	if err == nil {
		n.health.set("redis", dependency{required: n.roles.Worker, ask: n.queue.Takes})
	}
	return err
}

// await opens a dependency, again as long as it is unavailable: whoever starts machines in any order need
// not start this one last. What no waiting fixes ends the start at once. That it waits for recarga migrate, it says
// once.
func (n *Node) await(
	ctx context.Context, name, setting string, unavailable func(error) bool, open func(context.Context) error,
) error {
	var said time.Time
	var outdated *journal.OutdatedError
	try := func() error {
		err := open(ctx)
		if err != nil && !unavailable(err) {
			return backoff.Permanent(fmt.Errorf("%s: %w", setting, err))
		}
		return err
	}
	waiting := func(err error, _ time.Duration) {
		n.health.set(name, dependency{required: name != "redis" || n.roles.Worker, err: err})
		switch again := outdated != nil; {
		case errors.As(err, &outdated):
			if !again {
				n.log.Warn("waiting for recarga migrate, as RECARGA_MIGRATE=false says", "dependency", name,
					"version", outdated.Version, "needed", outdated.Needed)
			}
		case time.Since(said) >= sayEvery:
			said = time.Now()
			n.log.Warn("waiting for a dependency to start", "dependency", name, "setting", setting, "error", err)
		}
	}
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(openPause), backoff.WithMaxElapsedTime(0))
	if err := backoff.RetryNotify(try, backoff.WithContext(pauses, ctx), waiting); err != nil {
		return err
	}
	if !said.IsZero() || outdated != nil {
		n.log.Info("the dependency has started", "dependency", name)
	}
	return nil
}

// OpenBook opens the book of record of the settings for a command, if it is there: to open a SQLite file would make
// it.
func OpenBook(ctx context.Context, s config.Settings) (*journal.Journal, error) {
	if path, isFile := s.DatabaseFile(); isFile {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	j, err := openBook(ctx, s, func(journal.Migration) {})
	if err != nil {
		return nil, fmt.Errorf("RECARGA_DATABASE_URL: %w", err)
	}
	return j, nil
}

// openBook opens the book of record of the settings, which say whether it migrates older tables before. That takes as
// long as it takes; to open the book does not.
func openBook(
	ctx context.Context, s config.Settings, migrated func(journal.Migration), more ...journal.Option,
) (*journal.Journal, error) {
	opts := append(more, journal.WithArchive(s.Archive()), journal.WithoutMigration(),
		journal.WithConnections(s.DatabaseMaxConnections))
	open := func() (*journal.Journal, error) {
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		return journal.Open(ctx, s.DatabaseURL, opts...)
	}
	j, err := open()
	if s.Migrate && errors.As(err, new(*journal.OutdatedError)) {
		if err = journal.Migrate(ctx, s.DatabaseURL, migrated); err == nil {
			return open()
		}
	}
	return j, err
}

// PendingMigrations are those that the tables of the book of record lack; nothing is changed, and no file made.
func PendingMigrations(ctx context.Context, s config.Settings) ([]journal.Migration, error) {
	if path, isFile := s.DatabaseFile(); isFile {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return journal.Migrations("sqlite"), nil
		}
	}
	err := journal.CheckTables(ctx, s.DatabaseURL)
	var older *journal.OutdatedError
	if errors.As(err, &older) {
		return older.Pending, nil
	}
	return nil, err
}
