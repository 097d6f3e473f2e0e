package commit

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"recarga/internal/testkit"
)

// TestSilentPrimary: the primary answers no more, and closes no connection, and the standby is promoted. A change that
// waits for the first, and whoever connects, continue at the other one, long before their time is over: here it never
// is.
func TestSilentPrimary(t *testing.T) {
	t.Parallel()
	primary := testkit.PostgresOwn(t)
	admin(t, primary.URL(), commitsTable)
	standby, link := primary.Standby(primary.Addr()), testkit.NewLink(t, primary.Addr())
	both := link.Addr() + "," + standby.Addr()
	e, err := Open(t.Context(), strings.Replace(primary.URL(), primary.Addr(), both, 1)+"&connect_timeout=3600")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	e.timeout = time.Hour
	c, err := Start(t.Context(), e, Config{
		Own: func(err error) bool { return err == nil }, Notes: func() any { return nil },
		Last: func(any) []*Statement { return nil }, Observe: func(Commit) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	write := func() error {
		return c.Do(context.Background(), "", nil, func(t *Tx) error {
			_, err := t.Exec("SELECT 1")
			return err
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	reading, err := e.Read.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reading.Close() }() // its server has gone
	link.Stall()
	written, read := make(chan error, 1), make(chan error, 1)
	go func() { written <- write() }()
	go func() {
		_, err := reading.ExecContext(context.Background(), "SELECT 1")
		read <- err
	}()
	standby.Promote()
	began := time.Now()
	for name, ended := range map[string]chan error{"a change": written, "a read": read} {
		select {
		case err := <-ended:
			t.Logf("%s ended %s after the promotion: %v", name, time.Since(began).Round(time.Millisecond), err)
			if err != nil && name == "a change" || err == nil && name == "a read" {
				t.Errorf("%s: %v", name, err)
			}
		case <-testkit.Hung():
			t.Fatalf("%s waits for the former primary", name)
		}
	}
	var one int
	if err := e.Read.QueryRowContext(t.Context(), "SELECT 1").Scan(&one); err != nil {
		t.Errorf("a read of the new primary: %v", err)
	}
}

func admin(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
