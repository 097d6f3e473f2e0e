package journal_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestStandbyKeepsWhatWasConfirmed: under load, a primary loses its synchronous standby, and every wait for it is
// canceled, or its connection ended. Everybody repeats, as the program does. Then the primary dies and the standby is
// promoted: it has all that was confirmed to anybody, and the same journal continues with it.
func TestStandbyKeepsWhatWasConfirmed(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for _, how := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			c := newPair(t)
			book := &confirmations{journal: c.journal}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var all sync.WaitGroup
			for worker := range 16 {
				all.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						book.life(ctx, fmt.Sprintf("ORD-%d-%d", worker, i))
					}
				})
			}
			eventually(t, "orders are bought", func() bool { return book.ended.Load() > 100 })

			c.replication.cut()
			steps := book.steps.Load()
			c.interrupted(t, how, func() bool { return book.steps.Load() >= steps+32 })
			pending := c.pending(t, book)

			c.primary.Kill()
			c.standby.Promote()
			ended := book.ended.Load()
			eventually(t, "orders are bought at the new primary", func() bool { return book.ended.Load() > ended+100 })
			stop()
			all.Wait()
			if missing := book.missing(t, c.journal); len(missing) > 0 {
				some := strings.Join(missing[:min(len(missing), 5)], "; ")
				t.Errorf("%d of %d confirmations are gone, such as %s", len(missing), len(book.facts), some)
			}
			if pending == 0 {
				t.Error("no event was read that the standby has not got: nothing is proven of them")
			}
		})
	}
}

// TestSwitchover: the primary is made read-only, and lives on, beside the standby that is promoted. Writes find the
// new one, and so do reads, also those of a process that writes nothing.
func TestSwitchover(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	c := newPair(t)
	_, _, err := c.journal.Accept(t.Context(), request("before"), noon)
	must(t, err)
	reader := open(t, c.url)
	each(8, func(int) {
		for _, j := range []*journal.Journal{c.journal, reader} {
			if _, err := j.Order(t.Context(), "before"); err != nil {
				t.Error(err)
			}
		}
	})
	for _, q := range []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"} {
		_, err := c.admin.ExecContext(t.Context(), q)
		must(t, err)
	}
	c.standby.Promote()
	eventually(t, "orders are accepted by the new primary", func() bool {
		_, _, err := c.journal.Accept(t.Context(), request("after"), noon)
		return err == nil
	})
	each(8, func(int) {
		for _, id := range []topup.ID{"before", "after"} {
			if _, err := c.journal.Order(t.Context(), id); err != nil {
				t.Errorf("read of the former primary: %v", err)
			}
		}
	})
	eventually(t, "the other process reads the new primary", func() bool {
		_, err := reader.Order(t.Context(), "after")
		return err == nil
	})
}

// pair is a primary and its synchronous standby, and the journal on whichever takes writes.
type pair struct {
	primary, standby *testkit.PostgresCluster
	replication      *wire
	url              string
	journal          *journal.Journal
	// admin is the primary's.
	admin *sql.DB
}

func newPair(t *testing.T) *pair {
	t.Helper()
	c := &pair{primary: testkit.PostgresOwn(t)}
	c.replication = newWire(t, c.primary.Addr())
	c.standby = c.primary.Standby(c.replication.addr)
	c.url = strings.Replace(c.primary.URL(), c.primary.Addr(), c.standby.Addr()+","+c.primary.Addr(), 1)
	c.journal = open(t, c.url)
	var err error
	c.admin, err = sql.Open("pgx", c.primary.URL()+"&synchronous_commit=local")
	must(t, err)
	t.Cleanup(func() { must(t, c.admin.Close()) })
	return c
}

// interrupted does so to every session that waits for the standby, until it is enough.
func (c *pair) interrupted(t *testing.T, how string, enough func() bool) {
	t.Helper()
	testkit.Eventually(t, 2*time.Minute, func() bool {
		_, err := c.admin.ExecContext(t.Context(), "SELECT "+how+"(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		must(t, err)
		return enough()
	}, "everybody was interrupted")
}

// pending reads, for their delivery, the events that the primary alone has, and returns how many there are.
func (c *pair) pending(t *testing.T, book *confirmations) (n int) {
	t.Helper()
	rows, err := c.admin.QueryContext(t.Context(), "SELECT id FROM events WHERE state = 'pending' LIMIT 5")
	must(t, err)
	defer func() { must(t, errors.Join(rows.Err(), rows.Close())) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for ; rows.Next(); n++ {
		var id []byte
		must(t, rows.Scan(&id))
		name := fmt.Sprintf("evt_%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
		_, err := c.journal.Event(ctx, name)
		book.note(err, name, func(j *journal.Journal) error { _, err := j.Event(context.Background(), name); return err })
	}
	return n
}

// confirmations is what was confirmed to people.
type confirmations struct {
	journal *journal.Journal
	// ended counts lives, steps what was confirmed or failed.
	ended, steps atomic.Int64

	mu    sync.Mutex
	facts []fact
}

// fact is that something is in the book.
type fact struct {
	name  string
	check func(*journal.Journal) error
}

// note keeps a fact, unless there was an error, and says whether there was none.
func (c *confirmations) note(err error, name string, check func(*journal.Journal) error) bool {
	c.steps.Add(1)
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts = append(c.facts, fact{name, check})
	return true
}

// missing are the facts that are none.
func (c *confirmations) missing(t *testing.T, j *journal.Journal) (missing []string) {
	t.Helper()
	for _, f := range c.facts {
		if err := f.check(j); err != nil {
			missing = append(missing, fmt.Sprintf("%s: %v", f.name, err))
		}
	}
	return missing
}

// life takes an order through its life, each step repeated until it is confirmed. It ends early where a step finds an
// attempt whose Begin stayed in doubt: nobody may send that one.
func (c *confirmations) life(ctx context.Context, id string) {
	var o topup.Order
	attempts := func(want int) func(*journal.Journal) error {
		return func(j *journal.Journal) error {
			o, err := j.Order(context.Background(), topup.ID(id))
			if err == nil && o.AttemptCount < want {
				err = fmt.Errorf("%d attempts", o.AttemptCount)
			}
			return err
		}
	}
	final := func(j *journal.Journal) error {
		o, err := j.Order(context.Background(), topup.ID(id))
		if err == nil && !o.State.Final() {
			err = errors.New(string(o.State))
		}
		return err
	}
	steps := []struct {
		name  string
		run   func() error
		check func(*journal.Journal) error
	}{
		{"accepted", func() (err error) { o, _, err = c.journal.Accept(ctx, request(id), noon); return err }, attempts(0)},
		{"begun", func() (err error) {
			begun, err := c.journal.Begin(ctx, topup.ID(id), 0, workerName, noon.Add(time.Minute), noon)
			if err == nil {
				o = begun
			}
			return err
		}, attempts(1)},
		{"finished", func() error {
			_, _, err := c.journal.Finish(ctx, settlement(o, topup.StateSucceeded), noon)
			return err
		}, final},
	}
	for _, step := range steps {
		for {
			err := step.run()
			if c.note(err, id+" "+step.name, step.check) {
				break
			}
			if ctx.Err() != nil || errors.Is(err, topup.ErrLost) {
				return
			}
		}
	}
	c.ended.Add(1)
}
