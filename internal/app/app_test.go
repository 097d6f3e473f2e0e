package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

// settings are those of a process of its own, on free ports, beside a simulated distributor.
func settings(t *testing.T) config.Settings {
	t.Helper()
	vendor := sandbox.New(sandbox.DefaultConfig(), slog.New(slog.DiscardHandler))
	server := httptest.NewServer(vendor)
	t.Cleanup(func() { server.Close(); vendor.Close() })
	environ := []string{
		"RECARGA_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "recarga.db"),
		"RECARGA_DISTRIBUTOR_URL=" + server.URL + "/api/distributor",
		"RECARGA_DISTRIBUTOR_CUSTOMER_ID=demo", "RECARGA_DISTRIBUTOR_SECRET_KEY=demo",
		"RECARGA_HTTP_ADDR=127.0.0.1:0", "RECARGA_METRICS_ADDR=127.0.0.1:0", "RECARGA_API_KEY=a-key-of-the-shop",
	}
	s, err := config.Load(config.NeedsDistributor, config.Environment(func(name string) string {
		return config.Getenv(environ, name)
	}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var both = Roles{API: true, Worker: true}

func started(t *testing.T, s config.Settings, r Roles) (*Node, error) {
	t.Helper()
	return Start(t.Context(), s, topup.DefaultCatalog(), r, "test", slog.New(slog.DiscardHandler))
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// TestRoles: each role starts what it needs and nothing else, is ready then, and frees everything when it stops.
func TestRoles(t *testing.T) {
	for name, r := range map[string]Roles{"serve": both, "api": {API: true}, "worker": {Worker: true}} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			n, err := started(t, s, r)
			if err != nil {
				t.Fatal(err)
			}
			if status, body := get(t, n.MetricsURL+"/readyz"); status != http.StatusOK {
				t.Errorf("not ready after the start: %d %s", status, body)
			}
			if (n.APIURL != "") != r.API || (n.worker != nil) != r.Worker || (n.watchdog != nil) != r.Worker {
				t.Errorf("%+v has an API at %q, worker %t, watchdog %t", r, n.APIURL, n.worker != nil, n.watchdog != nil)
			}
			if status, body := get(t, n.APIURL+"/healthz"); r.API && status != http.StatusOK {
				t.Errorf("the API's /healthz: %d %s", status, body)
			}
			n.Shutdown()
			for _, url := range []string{n.APIURL, n.MetricsURL} {
				if url == "" {
					continue
				}
				if listener, err := net.Listen("tcp", strings.TrimPrefix(url, "http://")); err != nil {
					t.Errorf("still held after the shutdown: %v", err)
				} else {
					_ = listener.Close()
				}
			}
		})
	}
}

// TestFailedStart: a start that fails names the setting, and leaves nothing open.
func TestFailedStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := settings(t)
	s.HTTPAddr = taken.Addr().String()
	n, err := started(t, s, both)
	if err == nil || n != nil || !strings.Contains(err.Error(), "RECARGA_HTTP_ADDR") {
		t.Fatalf("started on an address that is taken: %v", err)
	}
	// The database is free again: another process takes it, and is ready.
	s.HTTPAddr = "127.0.0.1:0"
	if n, err = started(t, s, both); err != nil {
		t.Fatal(err)
	}
	n.Shutdown()
}

// TestReadyOnceOpened: a process whose database is not there yet lives, is not ready, says why, and ends when it must.
func TestReadyOnceOpened(t *testing.T) {
	s := settings(t)
	addr := fmt.Sprint("127.0.0.1:", testkit.FreePort(t))
	s.MetricsAddr, s.DatabaseURL = addr, fmt.Sprintf("postgres://u@127.0.0.1:%d/x", testkit.FreePort(t))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Start(ctx, s, topup.DefaultCatalog(), both, "test", slog.New(slog.DiscardHandler))
		ended <- err
	}()
	testkit.Eventually(t, 10*time.Second, func() bool {
		status, body := get(t, "http://"+addr+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "not ready: starting") &&
			strings.Contains(body, "database: ")
	}, "it says that it is not ready")
	if status, body := get(t, "http://"+addr+"/healthz"); status != http.StatusOK {
		t.Errorf("it does not live while it waits: %d %s", status, body)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the start ended with %v", err)
	}
}

// lines are those of a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

// with counts those that have a text.
func (l *lines) with(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// TestMigrateElsewhere: with RECARGA_MIGRATE=false a process leaves the database as it is, is not ready and says why,
// once in its log, and starts within its wait when another process has migrated.
func TestMigrateElsewhere(t *testing.T) {
	for name, url := range map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(t.TempDir(), "recarga.db"),
		"postgres": testkit.Postgres(t).URL(),
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			s.MetricsAddr, s.DatabaseURL, s.Migrate = fmt.Sprint("127.0.0.1:", testkit.FreePort(t)), url, false
			var said lines
			ready := make(chan *Node, 1)
			go func() {
				n, err := Start(t.Context(), s, topup.DefaultCatalog(), Roles{Worker: true}, "test",
					slog.New(slog.NewTextHandler(&said, nil)))
				if err != nil {
					t.Error(err)
				}
				ready <- n
			}()
			testkit.Eventually(t, testkit.Patience, func() bool {
				status, body := get(t, "http://"+s.MetricsAddr+"/readyz")
				return status == http.StatusServiceUnavailable && strings.Contains(body, "run recarga migrate")
			}, "it is not ready, and says why")
			pending, err := PendingMigrations(t.Context(), s)
			if err != nil || len(pending) != len(journal.Migrations(name)) {
				t.Errorf("while it waits, %d migrations are pending, %v", len(pending), err)
			}
			if err := journal.Migrate(t.Context(), url, func(journal.Migration) {}); err != nil {
				t.Fatal(err)
			}
			n := <-ready
			if n == nil {
				return
			}
			defer n.Shutdown()
			if status, body := get(t, n.MetricsURL+"/readyz"); status != http.StatusOK {
				t.Errorf("not ready after the migration: %d %s", status, body)
			}
			if times := said.with("waiting for recarga migrate"); times != 1 {
				t.Errorf("it said so %d times", times)
			}
		})
	}
}

// TestMigrateAtStart: by default a start migrates, and its log names each migration.
func TestMigrateAtStart(t *testing.T) {
	s := settings(t)
	var said lines
	n, err := Start(t.Context(), s, topup.DefaultCatalog(), both, "test", slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	n.Shutdown()
	if got, all := said.with("migrated the database"), len(journal.Migrations("sqlite")); got != all {
		t.Errorf("the log names %d migrations of %d", got, all)
	}
	if pending, err := PendingMigrations(t.Context(), s); len(pending) != 0 || err != nil {
		t.Errorf("after the start, %v are pending, %v", pending, err)
	}
}

// TestGraveRisk: a database that a crash would destroy is used, and nobody can overlook it.
func TestGraveRisk(t *testing.T) {
	s := settings(t)
	s.DatabaseURL = testkit.Postgres(t).URL() // fsync is off there
	var said lines
	n, err := Start(t.Context(), s, topup.DefaultCatalog(), both, "test", slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	status, ready := get(t, n.MetricsURL+"/readyz")
	_, verbose := get(t, n.MetricsURL+"/readyz?verbose")
	n.Shutdown()
	if status != http.StatusOK || !strings.HasPrefix(ready, "ready; database: fsync is off") {
		t.Errorf("/readyz: %d %s", status, ready)
	}
	if !strings.Contains(verbose, `"risks":["fsync is off: `) {
		t.Errorf("/readyz?verbose: %s", verbose)
	}
	for _, line := range []string{
		`level=ERROR msg="the database may lose what was confirmed" setting=RECARGA_DATABASE_URL risk="fsync is off`,
		`level=WARN msg="the database may lose what was confirmed" setting=RECARGA_DATABASE_URL risk="full_page_writes is off`,
	} {
		if times := said.with(line); times != 1 {
			t.Errorf("the log says %d times: %s", times, line)
		}
	}
}
