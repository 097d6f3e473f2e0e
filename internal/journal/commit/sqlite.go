package commit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cenkalti/backoff/v4"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
	zombiezen "zombiezen.com/go/sqlite"
)

// busyWait is short, because SQLite's own waits grow to 100 ms: a process that comes so rarely to ask
// for the lock would find another one, which commits without a pause, always before it. A Committer asks
// again at once, until its beginFor has passed.
const busyWait = 5 * time.Millisecond

// writePragmas: FULL makes a commit in WAL mode durable before it returns. A larger WAL lets more
// commits share the copying of a page into the database.
var writePragmas = []string{
	"journal_mode(WAL)", "synchronous(FULL)", fmt.Sprintf("busy_timeout(%d)", busyWait.Milliseconds()),
	"wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "cache_size(-65536)", "temp_store(MEMORY)",
}

var readPragmas = []string{"busy_timeout(10000)", "query_only(1)", "cache_size(-16384)"}

func openSQLite(ctx context.Context, path string) (*Engine, error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	write, err := sqliteDB(path, writePragmas, 1)
	if err != nil {
		return nil, err
	}
	read, err := sqliteDB(path, readPragmas, max(4, 2*runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	e := &Engine{
		Name: "sqlite", Write: write, Read: read,
		connect: func(context.Context) (session, error) { return newSQLiteSession(path) },
		begin:   "BEGIN IMMEDIATE", beginAlone: "BEGIN IMMEDIATE", ReadTx: &sql.TxOptions{ReadOnly: true},
		beginFor: 10 * time.Second, busy: sqliteBusy,
		Transient: func(error) bool { return false }, refused: sqliteBusy,
		answered: func(error) bool { return true }, lost: func(error) bool { return false },
	}
	if err := e.checkWAL(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite %s: %w", path, err), e.Close())
	}
	return e, nil
}

// createPrivate makes the file, which holds phone numbers, unreadable to others; SQLite gives the
// files it keeps beside it the same mode.
func createPrivate(path string) error {
	if path == "" || path == ":memory:" {
		return fmt.Errorf("sqlite:%s names no file; must be sqlite:PATH, as in sqlite:recarga.db", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("sqlite: folder %s does not exist; create it, or name another file: %w", filepath.Dir(path), err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("sqlite: this user may not write %s; change its owner or mode: %w", path, err)
	case err != nil:
		return fmt.Errorf("sqlite: %w", err)
	}
	return f.Close()
}

func sqliteDB(path string, pragmas []string, connections int) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("sqlite %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func (e *Engine) checkWAL(ctx context.Context) error {
	return RetryOpening(ctx, func() error {
		var mode string
		err := e.Write.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
		switch {
		case e.busy(err):
			return err
		case err == nil && mode != "wal":
			err = fmt.Errorf("journal mode is %s and cannot be wal; put the file on a local disk", mode)
		}
		return backoff.Permanent(err)
	})
}

func sqliteBusy(err error) bool {
	switch zombiezen.ErrCode(err).ToPrimary() {
	case zombiezen.ResultBusy, zombiezen.ResultLocked:
		return true
	}
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}
