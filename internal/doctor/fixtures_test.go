package doctor

import (
	"crypto/tls"
	"database/sql"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/queue"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/tasks"
)

// silence is an address that accepts connections and never says a word.
func silence(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	return listener.Addr().String()
}

// secured starts a server with a certificate that is valid for so long, and returns its URL.
func secured(t *testing.T, a *testkit.Authority, valid time.Duration) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{a.Certificate(valid)}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// vendor starts a sandbox and returns its URL.
func vendor(t *testing.T, change func(*sandbox.Config)) string {
	t.Helper()
	cfg := sandbox.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	s := sandbox.New(cfg, nil)
	server := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); server.Close() })
	return server.URL + "/api/distributor"
}

// served starts a Redis and a server of each queue, and returns the Redis's URL.
func served(t *testing.T) string {
	t.Helper()
	url := testkit.Redis(t).URL()
	q, err := queue.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustDo(t, q.Close()) })
	for _, name := range []string{tasks.QueueTopups, tasks.QueueWebhooks} {
		servers, err := q.Serve(queue.ServeConfig{Queue: name, Servers: 1, Concurrency: 1, ShutdownTimeout: time.Second},
			nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(servers.Shutdown)
	}
	inspector := asynq.NewInspectorFromRedisClient(q.Redis())
	testkit.Eventually(t, patience, func() bool {
		servers, err := inspector.Servers()
		return err == nil && len(servers) == 2
	}, "both servers are known to Redis")
	return url
}

// newSQLiteURL names a file that is not there yet.
func newSQLiteURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(testkit.DiskFolder(t), "recarga.db")
}

// usedSQLite is a book of record that another process has open.
func usedSQLite(t *testing.T) string {
	t.Helper()
	url := journaltest.SQLiteIn(t, testkit.DiskFolder(t))
	opened(t, url)
	return url
}

func usedPostgres(t *testing.T) string {
	t.Helper()
	owner, runner := journaltest.Roles(t, testkit.PostgresOwn(t))
	opened(t, owner)
	return runner
}

// closedSQLite is a book of record whose process has ended, and its file.
func closedSQLite(t *testing.T) (url, path string) {
	t.Helper()
	url = journaltest.SQLiteIn(t, testkit.DiskFolder(t))
	return url, url[len("sqlite:"):]
}

func opened(t *testing.T, url string) {
	t.Helper()
	j, err := journal.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustDo(t, j.Close()) })
}

// do runs statements in a database.
func do(t *testing.T, driver, source string, statements ...string) {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	mustDo(t, db.Close())
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// files lists what is beside a SQLite file, with sizes.
func files(t *testing.T, url string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(url[len("sqlite:"):]))
	mustDo(t, err)
	var all []string
	for _, e := range entries {
		info, err := e.Info()
		mustDo(t, err)
		all = append(all, fmt.Sprintf("%s %d %s", e.Name(), info.Size(), info.ModTime()))
	}
	return strings.Join(all, ", ")
}

// Checks are all checks there are, for both databases, in the order of their findings.
func Checks() (all []Check) {
	cfg := Config{Settings: config.Settings{
		ArchiveDir: "archive", RedisURL: "redis://redis", DistributorURL: "https://distributor",
		CallbackURL: "https://caller",
	}}
	for _, p := range []part{newSettings(cfg), newSQLite(cfg), newPostgres(cfg), newRedis(cfg), newDistributor(cfg),
		newCallback(cfg), newAuxiliaries(cfg)} {
		all = append(all, slices.Concat(p.stages...)...)
		p.close()
	}
	return all
}
