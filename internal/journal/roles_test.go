package journal_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/topup"
)

//go:generate go test -run TestRolesDocument . -update

// TestRolesDocument: the statements of docs/postgresql.md are those that the tests run.
func TestRolesDocument(t *testing.T) {
	const path, end = "../../docs/postgresql.md", "<!-- end of roles -->"
	const begin = "<!-- roles: made by go generate ./internal/journal from internal/journal/journaltest/roles.sql -->\n"
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("%s has no place for the roles", path)
	}
	testkit.Generated(t, path, before+begin+"```sql\n"+journaltest.RolesSQL()+"```\n"+end+after)
}

// TestRunningRole: with the rights of the running role, orders live to their end and leave for the archive; the role
// that migrated made the tables. The running role can change nothing but rows.
func TestRunningRole(t *testing.T) {
	t.Parallel()
	owner, runner := journaltest.Roles(t, testkit.PostgresOwn(t))
	must(t, open(t, owner).Close())
	s := newStore(t, runner, "pgx", runner, dialect{})
	const orders = 20
	lifecycles(t, s.Journal, orders, 4, new(noLock))
	counts, err := s.CountByState(t.Context())
	must(t, err)
	if counts[topup.StateSucceeded] != orders {
		t.Errorf("%d of %d succeeded", counts[topup.StateSucceeded], orders)
	}
	later := noon.AddDate(10, 0, 0)
	moved, err := s.Archive(t.Context(), later, later, nil)
	if err != nil || moved.Orders != orders {
		t.Errorf("%d of %d orders have left for the archive: %v", moved.Orders, orders, err)
	}
	for _, change := range []string{
		"DROP TABLE orders", "TRUNCATE orders", "ALTER TABLE orders ADD extra INT", "CREATE TABLE extra (n INT)",
		"CREATE TEMP TABLE extra (n INT)", "CREATE TRIGGER extra BEFORE INSERT ON orders EXECUTE FUNCTION pg_typeof()",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)", "DELETE FROM goose_db_version",
		"UPDATE goose_db_version SET is_applied = false",
		"CREATE INDEX extra ON orders (phone)", "CREATE ROLE extra", "ALTER TABLE orders DISABLE TRIGGER ALL",
	} {
		conn, err := pgx.Connect(t.Context(), runner)
		must(t, err)
		_, err = conn.Exec(t.Context(), change)
		must(t, conn.Close(t.Context()))
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: %v; must be refused for lack of rights", change, err)
		}
	}
}
