package journal_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"recarga/internal/archive"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/topup"
)

func TestMain(m *testing.M) {
	childProcess()
	goleak.VerifyTestMain(m)
}

const workerName = "5f0c1d0e-6f35-4b7e-a2a9-0d9b7d1f3c11"

// noon is the time of the tests, in which nothing depends on the clock.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)

// store is a journal with what a test needs to get at its database from outside.
type store struct {
	*journal.Journal
	url string
	db  *sql.DB
	sql dialect
	// folder of the archive.
	folder archive.Folder
	// commits that were made.
	commits *commits
}

// commits counts what a journal has committed.
type commits struct{ made, operations, largest atomic.Int64 }

func (c *commits) count(one journal.Commit) {
	if one.Err != nil {
		return
	}
	c.made.Add(1)
	c.operations.Add(int64(one.Operations))
	c.largest.Store(max(c.largest.Load(), int64(one.Operations))) // one goroutine commits
}

// dialect is what differs between the engines, for the tests.
type dialect struct {
	// refuse makes every insert of an event for the product fail.
	refuse []string
	// block keeps every writer out until the connection ends its transaction.
	block []string
	// waits counts the writers that wait for others; empty where nothing shows them.
	waits string
	// taken is how many bytes the archived ids take.
	taken string
	// broken makes a step fail, such as "DELETE ON orders", once it comes to an order's id; fixed ends that.
	broken func(step, id string) []string
	fixed  func(step string) []string
}

func sqliteStore(tb testing.TB) store {
	url := journaltest.SQLite(tb)
	return newStore(tb, url, "sqlite", strings.TrimPrefix(url, "sqlite:")+"?_pragma=busy_timeout(10000)", dialect{
		refuse: []string{`CREATE TRIGGER refuse BEFORE INSERT ON events
			WHEN (SELECT product FROM orders WHERE key = NEW.order_key) = 'MOVISTAR_PAQUETE_16'
			BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`},
		block: []string{"BEGIN IMMEDIATE"},
		taken: "SELECT SUM(pgsize) FROM dbstat WHERE name IN ('archived', 'archive_members')",
		broken: func(step, id string) []string {
			return []string{fmt.Sprintf(
				"CREATE TRIGGER broken BEFORE %s WHEN %s BEGIN SELECT RAISE(ABORT, 'broken by the test'); END",
				step, brokenWhen(step, id))}
		},
		fixed: func(string) []string { return []string{"DROP TRIGGER broken"} },
	})
}

func postgresStore(tb testing.TB) store {
	url := journaltest.Postgres(tb).URL()
	return newStore(tb, url, "pgx", url, dialect{
		refuse: []string{
			`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF (SELECT product FROM orders WHERE key = NEW.order_key) = 'MOVISTAR_PAQUETE_16' THEN
					RAISE EXCEPTION 'refused by the test'; END IF;
				RETURN NEW; END $$`,
			`CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()`,
		},
		block: []string{"BEGIN", "LOCK TABLE orders IN EXCLUSIVE MODE"},
		taken: "SELECT pg_total_relation_size('archived') + pg_total_relation_size('archive_members')",
		waits: "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' " +
			"AND datname = current_database()",
		broken: func(step, id string) []string {
			return []string{
				fmt.Sprintf(`CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					IF %s THEN RAISE EXCEPTION 'broken by the test'; END IF; RETURN COALESCE(NEW, OLD); END $$`,
					brokenWhen(step, id)),
				"CREATE TRIGGER broken BEFORE " + step + " FOR EACH ROW EXECUTE FUNCTION broken()",
			}
		},
		fixed: func(step string) []string {
			_, table, _ := strings.Cut(step, " ON ")
			return []string{"DROP TRIGGER broken ON " + table, "DROP FUNCTION broken()"}
		},
	})
}

// brokenWhen is the condition of a trigger for the step and the order.
func brokenWhen(step, id string) string {
	switch step {
	case "INSERT ON archive_members":
		return "(SELECT COUNT(*) FROM archive_members) > 0"
	case "INSERT ON archived":
		return "NEW.id = '" + id + "'"
	case "DELETE ON orders":
		return "OLD.id = '" + id + "'"
	default:
		return "OLD.order_key = (SELECT key FROM orders WHERE id = '" + id + "')"
	}
}

func newStore(tb testing.TB, url, driver, dsn string, d dialect) store {
	tb.Helper()
	s := store{url: url, sql: d, folder: archive.Folder(filepath.Join(tb.TempDir(), "archive")), commits: new(commits)}
	s.Journal = open(tb, url, journal.WithArchive(s.folder), journal.WithObserver(s.commits.count))
	var err error
	if s.db, err = sql.Open(driver, dsn); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { must(tb, s.db.Close()) })
	return s
}

func open(tb testing.TB, url string, opts ...journal.Option) *journal.Journal {
	tb.Helper()
	j, err := journal.Open(tb.Context(), url, append([]journal.Option{journal.WithTimeLimits(limits)}, opts...)...)
	must(tb, err)
	tb.Cleanup(func() { must(tb, j.Close()) })
	return j
}

func (s store) exec(tb testing.TB, statements ...string) {
	tb.Helper()
	for _, q := range statements {
		_, err := s.db.Exec(q)
		must(tb, err)
	}
}

// waiting waits until so many writers wait for others, where the database says so.
func (s store) waiting(tb testing.TB, n int) {
	tb.Helper()
	if s.sql.waits == "" {
		return
	}
	testkit.Eventually(tb, 20*time.Second, func() bool {
		var waits int
		must(tb, s.db.QueryRow(s.sql.waits).Scan(&waits))
		return waits == n
	}, "%d wait", n)
}

// blocked keeps every writer of the database out, until the function it returns is called.
func (s store) blocked(tb testing.TB) (release func()) {
	tb.Helper()
	_, release = s.holding(tb)
	return release
}

// holding keeps every writer out, but for the connection it returns.
func (s store) holding(tb testing.TB) (conn *sql.Conn, release func()) {
	tb.Helper()
	conn, err := s.db.Conn(tb.Context())
	must(tb, err)
	for _, q := range s.sql.block {
		_, err := conn.ExecContext(tb.Context(), q)
		must(tb, err)
	}
	return conn, func() {
		tb.Helper()
		_, err := conn.ExecContext(tb.Context(), "COMMIT")
		must(tb, errors.Join(err, conn.Close()))
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// each runs f on n goroutines at once, and waits for them.
func each(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// limits are how long the tests' orders wait; at timeIsUp it is over for all that were placed at noon.
var (
	limits   = journal.TimeLimits{Untried: 48 * time.Hour, Tried: 24 * time.Hour}
	timeIsUp = noon.Add(limits.Untried)
)

func request(id string) topup.Request {
	return topup.Request{ID: topup.ID(id), Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: 1050,
		Operator: "MOVISTAR"}
}

// settlement of the order's latest attempt that leads to the state.
func settlement(o topup.Order, s topup.State) topup.Settlement {
	balance := json.Number("990.00")
	out := topup.Settlement{ID: o.ID, Number: o.AttemptCount, State: s}
	switch s {
	case topup.StateSucceeded:
		out.Result = topup.Result{
			Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", Message: "Aprobado",
			TransactionID: "TXN-123456789", Reference: "RRN-123456", AuthCode: "ABC123", BalanceAfter: &balance,
		}
	case topup.StateFailed:
		out.Reason, out.Result = topup.ReasonDeclined, topup.Result{Outcome: topup.OutcomeDeclined, HTTPStatus: 402,
			Code: "51", Message: "Fondos insuficientes"}
	case topup.StateRetrying:
		next := noon.Add(time.Minute)
		out.NextAttemptAt, out.Result = &next, topup.Result{Outcome: topup.OutcomeUnavailable, HTTPStatus: 500, Code: "91",
			Message: "Emisor no disponible"}
	case topup.StateUnknown:
		out.Result = topup.Result{Outcome: topup.OutcomeUnknown, Error: "connection reset",
			Evidence: "request written, no answer"}
	}
	return out
}

// sale is an approval with receipts of its own.
func sale(s topup.Settlement, number int) topup.Settlement {
	mark := fmt.Sprint("-", number)
	s.Result.TransactionID += mark
	s.Result.Reference += mark
	s.Result.AuthCode += mark
	return s
}

// resent is the settlement of an unknown attempt that is to be sent again (RECARGA_ON_UNKNOWN=resend).
func resent(o topup.Order) topup.Settlement {
	s := settlement(o, topup.StateRetrying)
	s.Result = settlement(o, topup.StateUnknown).Result
	return s
}

func (s store) accept(tb testing.TB, id string) topup.Order {
	tb.Helper()
	o, _, err := s.Accept(tb.Context(), request(id), noon)
	must(tb, err)
	return o
}

func (s store) begin(tb testing.TB, o topup.Order) topup.Order {
	tb.Helper()
	o, err := s.Begin(tb.Context(), o.ID, o.AttemptCount, workerName, noon.Add(time.Minute), noon)
	must(tb, err)
	return o
}

func (s store) finish(tb testing.TB, settlement topup.Settlement) (topup.Order, *topup.Event) {
	tb.Helper()
	o, ev, err := s.Finish(tb.Context(), settlement, noon)
	must(tb, err)
	return o, ev
}

// inState brings a new order into a state.
func (s store) inState(tb testing.TB, id string, state topup.State) topup.Order {
	tb.Helper()
	o := s.accept(tb, id)
	switch state {
	case topup.StateQueued:
	case topup.StateSubmitting:
		o = s.begin(tb, o)
	case topup.StateCanceled:
		var err error
		o, _, err = s.Cancel(tb.Context(), o.ID, "", noon)
		must(tb, err)
	default:
		o, _ = s.finish(tb, settlement(s.begin(tb, o), state))
	}
	if o.State != state {
		tb.Fatalf("order is %s, want %s", o.State, state)
	}
	return o
}

// kind is an error's identity, for comparisons.
func kind(err error) string {
	var refused *topup.TransitionError
	var early *topup.TooEarlyError
	switch {
	case errors.As(err, &early):
		return "too early"
	case err == nil:
		return "ok"
	case errors.Is(err, topup.ErrNotDisputed):
		return "not disputed"
	case errors.Is(err, topup.ErrArchived):
		return "archived"
	case errors.Is(err, topup.ErrLost):
		return "lost"
	case errors.Is(err, topup.ErrConflict):
		return "conflict"
	case errors.Is(err, topup.ErrNotFound):
		return "not found"
	case errors.As(err, &refused):
		return "refused"
	default:
		return fmt.Sprint(err)
	}
}
