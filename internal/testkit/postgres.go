//go:build unix

package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is one database of a PostgreSQL server.
type PostgresServer struct {
	cluster  *process
	database string
}

// PostgresCluster is a PostgreSQL server of one test, which the test may end and start.
type PostgresCluster struct {
	PostgresServer
	server
}

// Postgres makes an empty database and drops it with the test. Its server is shared by the tests of a
// binary and has fsync off: it may not be killed, and says nothing about speed.
func Postgres(tb testing.TB) *PostgresServer {
	tb.Helper()
	needPostgres(tb)
	cluster, err := sharedCluster()
	if err != nil {
		tb.Fatal(err)
	}
	p := &PostgresServer{cluster, "test_" + strings.ToLower(rand.Text())}
	if err := p.administer("CREATE DATABASE " + p.database); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.administer("DROP DATABASE " + p.database + " WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// PostgresOwn starts a server for this test alone, as durable as PostgreSQL is by default.
func PostgresOwn(tb testing.TB) *PostgresCluster {
	tb.Helper()
	needPostgres(tb)
	cluster, err := newCluster()
	if err != nil {
		tb.Fatal(err)
	}
	return &PostgresCluster{PostgresServer{cluster, "postgres"}, newServer(tb, cluster)}
}

// URL names the database, as RECARGA_DATABASE_URL does.
func (p *PostgresServer) URL() string { return p.url(p.database) }

func (p *PostgresServer) url(database string) string {
	return fmt.Sprintf("postgres://recarga@127.0.0.1:%d/%s?sslmode=disable", p.cluster.port, database)
}

// administer runs one statement in the server's own database.
func (p *PostgresServer) administer(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// sharedCluster lives as long as the test binary; the janitor ends it.
var sharedCluster = sync.OnceValues(func() (*process, error) {
	cluster, err := newCluster("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	if err != nil {
		return nil, err
	}
	return cluster, cluster.startAnywhere()
})

// newCluster makes a cluster, not started, from a copy of the template.
func newCluster(extraArgs ...string) (*process, error) {
	from, err := template()
	if err != nil {
		return nil, err
	}
	folder, err := newFolder("postgres", from.owner)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "data")
	if err := runAs(from.owner, folder, "cp", "-R", "-p", from.data, data); err != nil {
		return nil, err
	}
	return &process{
		folder: folder, program: filepath.Join(from.programs, "postgres"), owner: from.owner,
		ready: "database system is ready to accept connections",
		args: func(port int) []string {
			// No socket file: the path of a temporary folder can be too long for one.
			return append([]string{
				"-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
				"-c", "unix_socket_directories=", "-c", "max_connections=200",
			}, extraArgs...)
		},
	}, nil
}

// initialized is a cluster that has never run.
type initialized struct {
	programs string
	data     string
	owner    *syscall.Credential
}

// template is made once a binary: initdb takes a second, a copy of its work almost nothing.
var template = sync.OnceValues(func() (initialized, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return initialized{}, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return initialized{}, err
	}
	folder, err := newFolder("template", owner)
	if err != nil {
		return initialized{}, err
	}
	data := filepath.Join(folder, "data")
	return initialized{programs, data, owner}, runAs(owner, folder, filepath.Join(programs, "initdb"),
		"-D", data, "-U", "recarga", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C")
})

// postgresOwner is who runs PostgreSQL where root runs the tests: its programs refuse root.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func runAs(owner *syscall.Credential, folder, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.SysProcAttr = folder, &syscall.SysProcAttr{Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

func needPostgres(tb testing.TB) {
	tb.Helper()
	if _, err := postgresPrograms(); err != nil {
		missing(tb, "initdb not found: apt-get install postgresql, or run make test")
	}
}

// postgresPrograms is the folder of initdb and postgres. Debian and Red Hat keep them out of PATH, in
// one folder a version; of these the newest counts.
func postgresPrograms() (string, error) {
	found, err := exec.LookPath("initdb")
	if err == nil {
		return filepath.Dir(found), nil
	}
	newest := 0
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		paths, globErr := filepath.Glob(pattern)
		if globErr != nil {
			return "", globErr
		}
		for _, path := range paths {
			version, convErr := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(path))
			if convErr == nil && version > newest {
				newest, found, err = version, filepath.Dir(path), nil
			}
		}
	}
	return found, err
}
