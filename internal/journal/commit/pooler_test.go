package commit

import (
	"testing"

	"recarga/internal/testkit"
)

// TestExchangedSession: nothing is committed in another session of the server than the one that was set up and proven.
func TestExchangedSession(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t)
	admin(t, server.URL(), commitsTable)
	c := started(t, server.URL())
	for _, first := range []bool{true, false} {
		if !first {
			c.writer.session.(*postgresSession).backend++ // as if a pooler had exchanged it
		}
		former := c.writer.session
		if _, err := c.write(); err != nil {
			t.Fatal(err)
		}
		if kept := c.writer.session == former; kept != first {
			t.Errorf("its own session: %t, and kept: %t", first, kept)
		}
	}
	if _, err := c.Read.Exec("DELETE FROM commits"); err != nil {
		t.Fatal(err)
	}
	c.writer.session.(*postgresSession).backend++
	if _, err := c.write(); err != nil {
		t.Fatal(err)
	}
	var commits int
	if err := c.Read.QueryRow("SELECT COUNT(*) FROM commits").Scan(&commits); err != nil || commits != 1 {
		t.Errorf("%d rows of a writer's first commit, %v", commits, err)
	}
}
