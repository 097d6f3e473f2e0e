//go:build unix

package journaltest

import (
	"context"
	_ "embed" // the statements
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"recarga/internal/testkit"
)

//go:embed roles.sql
var roles string

// RolesSQL is what docs/postgresql.md has an administrator run with psql: a role that migrates, and one that runs.
func RolesSQL() string { return roles }

// Roles makes the roles of docs/postgresql.md and their empty database on a server, and returns the URL of each.
func Roles(tb testing.TB, server *testkit.PostgresCluster) (owner, runner string) {
	tb.Helper()
	first, second, _ := strings.Cut(roles, "\\connect recarga\n")
	url := strings.Replace(server.URL(), "/postgres?", "/recarga?", 1)
	for _, statement := range strings.SplitAfter(first, ";") {
		run(tb, server.URL(), statement) // one by one: a database is made outside of transactions
	}
	run(tb, url, second)
	as := func(name string) string { return strings.Replace(url, "//recarga@", "//"+name+"@", 1) }
	return as("recarga_owner"), as("recarga_run")
}

func run(tb testing.TB, url, statements string) {
	tb.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }() // what it did is done
	if _, err := conn.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		tb.Fatalf("%s: %v", statements, err)
	}
}
