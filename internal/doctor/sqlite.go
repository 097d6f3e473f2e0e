package doctor

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

const (
	spaceWarn = 1 << 30
	spaceFail = 100 << 20
)

// sqlite is a file.
type sqlite struct {
	database
	path, folder string
}

func newSQLite(cfg Config) part {
	_, path, _ := strings.Cut(cfg.DatabaseURL, ":")
	s := &sqlite{database: newDatabaseOf(cfg, "sqlite")}
	s.path, s.err = filepath.Abs(strings.TrimPrefix(path, "//"))
	s.folder = filepath.Dir(s.path)
	return part{stages: []stage{{
		check("sqlite file", s.writable),
	}, {
		check("sqlite permissions", s.private),
		check("sqlite file system", s.local),
		check("sqlite disk space", s.space),
		check("sqlite journal mode", s.used(s.journalMode)),
	}, {
		check("sqlite integrity", s.used(s.integrity)),
	}, {
		check("sqlite schema", s.made),
		check("sqlite unknown orders", s.used(s.held)),
		check("sqlite pauses and limits", s.used(s.controls)),
		check("sqlite caller keys", s.used(s.keys)),
		check("sqlite sealed secrets", s.used(s.sealed)),
	}}, close: s.close}
}

// isImmutable reports whether nobody changes the file: it is proven that nobody uses it, and its log is empty.
func isImmutable(path string) bool {
	log, err := os.Stat(path + "-wal")
	return (errors.Is(err, fs.ErrNotExist) || err == nil && log.Size() == 0) && isUnused(path)
}

// openReadOnly opens a file without changing anything. SQLite must know an immutable one: it would otherwise leave the
// files of its shared memory behind. Of one that others change it would read a mixture.
func openReadOnly(path string, immutable bool) (*sql.DB, error) {
	query := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}}
	if immutable {
		query.Set("immutable", "1")
	}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	return sql.Open("sqlite", name.String())
}

// isNew reports whether the first start is yet to come.
func (s *sqlite) isNew() bool {
	file, err := os.Stat(s.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && file.Size() == 0
}

// used makes a check that does not apply before the first start.
func (s *sqlite) used(check func(context.Context) Finding) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		if s.isNew() {
			return nothing()
		}
		return check(ctx)
	}
}

// made is schema, of a file that may not be there yet.
func (s *sqlite) made(ctx context.Context) Finding {
	switch {
	case !s.isNew():
		return s.schema(ctx)
	case s.migrates:
		return nothing()
	default:
		return s.untabled()
	}
}

func (s *sqlite) writable(context.Context) Finding {
	if s.err != nil {
		return fail("%v", s.err)
	}
	if folder, err := os.Stat(s.folder); err != nil || !folder.IsDir() {
		return fail("folder %s does not exist", s.folder)
	}
	if err := mayWrite(s.folder); err != nil {
		return fail("folder %s is not writable: %v", s.folder, err)
	}
	switch err := mayWrite(s.path); {
	case errors.Is(err, fs.ErrNotExist):
		return ok("%s does not exist yet; the first start makes it", s.path)
	case err != nil:
		return fail("%s is not writable: %v", s.path, err)
	default:
		return ok("%s", s.path)
	}
}

func (s *sqlite) local(context.Context) Finding {
	kind, err := fileSystem(s.folder)
	if err != nil {
		return ok("cannot be found out: %v", err)
	}
	return judgeFileSystem(kind)
}

// judgeFileSystem knows those on which SQLite's WAL does not work.
func judgeFileSystem(kind string) Finding {
	remote := []string{"nfs", "cifs", "smb", "smb2", "fuse", "9p", "ceph", "afs"}
	if kind == "tmpfs" {
		return warn("tmpfs, which a reboot empties")
	}
	return unless(!slices.Contains(remote, kind), Fail, "%s", kind)
}

func (s *sqlite) space(context.Context) Finding {
	free, err := freeSpace(s.folder)
	if err != nil {
		return ok("cannot be found out: %v", err)
	}
	return judgeSpace(free)
}

func judgeSpace(free int64) Finding {
	f := unless(free >= spaceWarn, Warn, "%s free", size(free))
	if free < spaceFail {
		f.Status = Fail
	}
	return f
}

// journalMode reads the file's head, where bytes 18 and 19 are 2 in WAL mode
// (https://sqlite.org/fileformat.html): a connection may not know how others open it.
func (s *sqlite) journalMode(context.Context) Finding {
	file, err := os.Open(s.path)
	if err != nil {
		return fail("%v", err)
	}
	defer func() { _ = file.Close() }() // only read
	head := make([]byte, 20)
	if _, err := io.ReadFull(file, head); err != nil || !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return fail("%s is no SQLite database", s.path).with("name another file in RECARGA_DATABASE_URL")
	}
	if head[18] != 2 || head[19] != 2 {
		return warn("not WAL")
	}
	return ok("WAL; Recarga writes with synchronous=FULL")
}

func (s *sqlite) integrity(ctx context.Context) Finding {
	immutable := isImmutable(s.path)
	found := s.check(ctx, immutable)
	if immutable && !isImmutable(s.path) { // somebody has come meanwhile
		s.close()
		found = s.check(ctx, false)
	}
	return found
}

func (s *sqlite) check(ctx context.Context, immutable bool) Finding {
	if s.db, s.err = openReadOnly(s.path, immutable); s.err != nil {
		return fail("%v", s.err)
	}
	said, err := value[string](ctx, s.db, sqls.Get("sqlite/quick_check"))
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return warn("too large to check in this time").with("give doctor a longer --timeout")
	case err != nil:
		return fail("%v", err)
	default:
		return unless(said == "ok", Fail, "quick_check: %s", said)
	}
}
