package commit

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/testkit"
)

// TestFormerPrimary: the primary dies, its standby is promoted, and the former primary is started again. It takes
// writes, and nobody uses it: neither a new connection of a process that has seen the other one, nor a new process, which
// says so. One that can reach nothing else cannot know it, and moves when it can reach the other one.
func TestFormerPrimary(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	former := testkit.PostgresOwn(t)
	admin(t, former.URL(), commitsTable)
	promoted := former.Standby(former.Addr())
	url := strings.Replace(former.URL(), former.Addr(), former.Addr()+","+promoted.Addr(), 1)
	open := started(t, url)
	open.uses(t, former)
	former.Kill()
	promoted.Promote()
	open.uses(t, promoted)

	former.Start()
	admin(t, former.URL(), "ALTER SYSTEM SET synchronous_standby_names = ''")
	admin(t, former.URL(), "SELECT pg_reload_conf()")
	// Everybody of the open journal must connect anew.
	admin(t, promoted.URL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recarga'")
	open.uses(t, promoted)
	other := started(t, url)
	other.uses(t, promoted)
	for name, s := range map[string]*client{"an open journal": open, "a new one": other} {
		if said := s.said(); len(said) != 1 || !strings.Contains(said[0], former.Addr()+" is a former primary") {
			t.Errorf("%s says: %q", name, said)
		}
	}

	promoted.Stop()
	for name, s := range map[string]*client{"an open journal": open, "a new one": other} {
		if _, err := s.write(); !errors.As(err, new(*FormerPrimaryError)) || !Unavailable(err) {
			t.Errorf("%s, of a change: %v", name, err)
		}
		testkit.Eventually(t, testkit.Patience, func() bool {
			_, err := s.read()
			return errors.As(err, new(*FormerPrimaryError))
		}, "%s refuses to read there", name)
	}
	unaware := started(t, url, func(o *options) { o.lookoutEvery = 20 * time.Millisecond })
	unaware.uses(t, former)
	promoted.Start()
	testkit.Eventually(t, testkit.Patience, func() bool {
		port, err := unaware.write()
		return err == nil && port == portOf(t, promoted)
	}, "it moves to the promoted one")
	for _, s := range []*client{open, other, unaware} {
		s.uses(t, promoted)
	}
}

const commitsTable = `CREATE TABLE commits (writer BIGINT PRIMARY KEY, number BIGINT NOT NULL,
	asked BIGINT NOT NULL DEFAULT 0, at BIGINT NOT NULL)`

// client is an engine with its writer.
type client struct {
	*Engine
	writer *Committer

	mu    sync.Mutex
	risks []string
}

// started opens the engine of a URL, which the test closes.
func started(t *testing.T, url string, opts ...Option) *client {
	t.Helper()
	c := &client{}
	e, err := Open(t.Context(), url, append(opts, WithRisks(func(r Risk) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.risks = append(c.risks, r.Text)
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Engine = e
	c.writer, err = Start(t.Context(), e, Config{
		Own: func(err error) bool { return err == nil }, Notes: func() any { return nil },
		Last: func(any) []*Statement { return nil }, Observe: func(Commit) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.writer.Stop)
	return c
}

// said are the risks that it has said.
func (c *client) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.risks)
}

const sqlPort = "SELECT current_setting('port')"

// write makes a commit, and returns the port of its server.
func (c *client) write() (port string, err error) {
	err = c.writer.Do(context.Background(), "", nil, func(t *Tx) error {
		_, err := t.Row(func(row Scanner) error { return row.Scan(&port) }, sqlPort)
		return err
	})
	return port, err
}

// read returns the port of the server that it reads from.
func (c *client) read() (port string, err error) {
	err = c.Read.QueryRow(sqlPort).Scan(&port)
	return port, err
}

// uses checks that it writes to a server, and reads from it on many connections.
func (c *client) uses(t *testing.T, server *testkit.PostgresCluster) {
	t.Helper()
	const reads = 8
	if port, err := c.write(); err != nil || port != portOf(t, server) {
		t.Errorf("a change goes to %s, %v; want %s", port, err, portOf(t, server))
	}
	var all sync.WaitGroup
	for range reads {
		all.Go(func() {
			if port, err := c.read(); err != nil || port != portOf(t, server) {
				t.Errorf("a read goes to %s, %v; want %s", port, err, portOf(t, server))
			}
		})
	}
	all.Wait()
}

func portOf(t *testing.T, server *testkit.PostgresCluster) string {
	t.Helper()
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Error(err)
	}
	return port
}
