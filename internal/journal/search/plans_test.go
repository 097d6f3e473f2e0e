package search

import (
	"context"
	"database/sql"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"recarga/internal/journal/commit"
	"recarga/internal/journal/tables"
	"recarga/internal/testkit"
	"recarga/topup"
)

// sqlMany makes orders of which few are open, failed, canceled or disputed. Before it come numbers from 1 on, as the
// engine makes them.
const sqlMany = `
INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata, callback_url,
    attempt_count, event_count, response_code, transaction_id, reference, created_at, updated_at, finished_at, due_at,
    disputed_at, reason)
SELECT 'ORD-' || i, 'shop-' || i % 100, FINGERPRINT, state, '55' || (30000000 + i / 10), 'MOVISTAR_TAE', 1000,
    'MOVISTAR', '{}', '', 1, 1, CASE state WHEN 'failed' THEN '51' ELSE '00' END, CASE state WHEN 'succeeded' THEN 'TXN-' || i ELSE '' END,
    CASE state WHEN 'succeeded' THEN 'RRN-' || i ELSE '' END, 1000000 * i, 1000000 * i,
    CASE WHEN state IN ('succeeded', 'failed', 'canceled') THEN 1000000 * i + 2000000 END,
    CASE state WHEN 'queued' THEN 1000000 * i END, CASE WHEN i % 1000 = 0 THEN 1000000 * i END,
    CASE state WHEN 'failed' THEN 'declined' ELSE '' END
FROM (SELECT i, CASE i % 400 WHEN 1 THEN 'unknown' WHEN 2 THEN 'queued' WHEN 3 THEN 'failed' WHEN 4 THEN 'canceled'
    ELSE 'succeeded' END AS state FROM n) orders`

// sqlEvents gives each order an event, of which few are exhausted.
const sqlEvents = `INSERT INTO events (order_key, sequence, id, type, state, body, created_at)
SELECT key, 1, RANDOM, 'topup.succeeded', CASE key % 400 WHEN 5 THEN 'exhausted' ELSE 'delivered' END, fingerprint,
    created_at
FROM orders`

// sqlAttempts gives each order an attempt.
const sqlAttempts = `INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at, finished_at, outcome)
SELECT key, 1, 'worker', 0, created_at, created_at, created_at + 1000000,
    CASE state WHEN 'unknown' THEN 'unknown' ELSE 'approved' END
FROM orders`

const (
	sqliteNumbers   = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)`
	postgresNumbers = `WITH n(i) AS (SELECT generate_series(1::bigint, 10000))`
)

// engine is a database, and how a plan is asked for there.
type engine struct {
	*Reader
	explain string         // before a statement
	index   *regexp.Regexp // of the plan's indexes
}

// onBoth runs a test on both engines, with many orders.
func onBoth(t *testing.T, run func(*testing.T, engine)) {
	open := func(t *testing.T, url string, fill ...string) *Reader {
		db, err := tables.Open(t.Context(), url, tables.Config{Observe: func(commit.Commit) {}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		for _, q := range fill {
			if _, err := db.Write.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		return New(db, nil)
	}
	t.Run("sqlite", func(t *testing.T) {
		r := open(t, "sqlite:"+filepath.Join(t.TempDir(), "recarga.db"),
			sqliteNumbers+strings.Replace(sqlMany, "FINGERPRINT", `x'00'`, 1),
			strings.Replace(sqlEvents, "RANDOM", "randomblob(16)", 1), sqlAttempts)
		run(t, engine{r, "EXPLAIN QUERY PLAN ", regexp.MustCompile(`USING (?:COVERING )?INDEX (\w+)`)})
	})
	t.Run("postgres", func(t *testing.T) {
		r := open(t, testkit.Postgres(t).URL(),
			postgresNumbers+strings.Replace(sqlMany, "FINGERPRINT", `'\x00'::bytea`, 1),
			strings.Replace(sqlEvents, "RANDOM", "decode(md5(key::text), 'hex')", 1),
			sqlAttempts, "ANALYZE")
		run(t, engine{r, "EXPLAIN ", regexp.MustCompile(`(?:using|Index Scan on) (\w+)`)})
	})
}

// plan is the indexes that a statement is planned by, and its words.
func (e engine) plan(ctx context.Context, t *testing.T, q string, args ...any) (indexes []string, text string) {
	t.Helper()
	rows, err := e.db.Read.QueryContext(ctx, e.explain+q, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, _ := rows.Columns()
	for rows.Next() {
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(any)
		}
		var line sql.NullString
		into[len(into)-1] = &line
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		text += line.String + "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, found := range e.index.FindAllStringSubmatch(text, -1) {
		indexes = append(indexes, found[1])
	}
	slices.Sort(indexes)
	return slices.Compact(indexes), text
}

// TestPlans: every list is planned by the index that is made for it, forwards and backwards, so that a page costs what
// is on it, however many orders there are.
func TestPlans(t *testing.T) {
	phone, err := topup.ParsePhone("5530000123")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(5000, 0)
	onBoth(t, func(t *testing.T, e engine) {
		for index, filters := range map[string][]Filter{
			"orders_created": {
				{}, {Since: at}, {Until: at}, {Since: at, Until: at.Add(time.Minute)}, {FinishedSince: at},
				{State: topup.StateSucceeded}, {Product: "MOVISTAR_TAE"}, {Code: topup.CodeApproved},
			},
			"orders_finished": {
				{FinishedSince: at, FinishedUntil: at.Add(time.Minute)},
				{FinishedSince: at, FinishedUntil: at.Add(time.Minute), State: topup.StateSucceeded},
			},
			"orders_caller":      {{Caller: "shop-1"}, {Caller: "shop-1", Since: at}},
			"orders_phone":       {{Phone: phone}, {Phone: phone, Caller: "shop-1", Code: "51", Reason: topup.ReasonDeclined}},
			"orders_transaction": {{TransactionID: "TXN-1234"}, {Caller: "shop-34", TransactionID: "TXN-1234"}},
			"orders_open":        {{State: topup.StateUnknown}, {State: topup.StateQueued, Caller: "shop-2"}, {State: topup.StateUnknown, Code: "91"}},
			"orders_ended":       {{State: topup.StateFailed}, {State: topup.StateCanceled}},
			"orders_disputed":    {{Disputed: true}, {Disputed: true, Caller: "shop-0"}, {Disputed: true, Code: "51"}},
			"orders_code": {
				{Code: "51"}, {Code: "51", Caller: "shop-3", Reason: topup.ReasonDeclined, State: topup.StateFailed, Since: at},
			},
			"orders_reason": {
				{Reason: topup.ReasonDeclined}, {Reason: topup.ReasonExpired, State: topup.StateFailed, Caller: "shop-3"},
				{Reason: topup.ReasonDeclined, Code: topup.CodeApproved},
			},
		} {
			for _, f := range filters {
				for name, q := range map[string]string{"newest": f.newest(e.db.Words), "oldest": f.oldest(e.db.Words)} {
					from := tables.Place{At: at.UnixMicro(), Key: 5000}
					got, text := e.plan(t.Context(), t, q, f.args(from, pageLength+1)...)
					if got = slices.DeleteFunc(got, isKey); !slices.Equal(got, []string{index}) {
						t.Errorf("%s of %+v is planned by %q, want %s:\n%s", name, f, got, index, text)
					}
				}
			}
		}
		got, text := e.plan(t.Context(), t, sqls.Get("find"), "TXN-1234", phone.Digits(), "")
		for _, index := range []string{"orders_phone", "orders_reference", "orders_transaction"} {
			if !slices.Contains(got, index) || strings.Contains(text, "SCAN orders") || strings.Contains(text, "Seq Scan") {
				t.Errorf("find is planned by %q, without %s:\n%s", got, index, text)
			}
		}
		now := at.UnixMicro()
		got, text = e.plan(t.Context(), t, sqls.Get("movements"), now, now+1e9, "ORD-1", 1, 101, 1e6, 1e6)
		for _, index := range []string{"orders_finished", "orders_doubtful", "orders_open"} {
			if !slices.Contains(got, index) {
				t.Errorf("movements are planned by %q, without %s:\n%s", got, index, text)
			}
		}
		got, text = e.plan(t.Context(), t, sqls.Get("readings"), now, now+1e6, now+2e6, now-1e9, now+1e9, 1e6)
		if !slices.Contains(got, "orders_finished") {
			t.Errorf("readings are planned by %q:\n%s", got, text)
		}
		exhausted := topup.EventFilter{State: topup.EventExhausted, Limit: pageLength}
		q, args, err := eventQuery(exhausted, uuid.Nil[:], uuid.Max[:])
		if err != nil {
			t.Fatal(err)
		}
		if got, text := e.plan(t.Context(), t, q, args...); !slices.Contains(got, "events_exhausted") {
			t.Errorf("exhausted events are planned by %q:\n%s", got, text)
		}
	})
}

// isKey: rows that an index led to are read by their key.
func isKey(index string) bool { return index == "orders_pkey" }

// TestOneStatementReadsAll is why lists are composed: an engine that plans a statement without its arguments cannot
// leave out a condition that is not asked for, and reads the orders one by one.
func TestOneStatementReadsAll(t *testing.T) {
	const fixed = `SELECT key FROM orders WHERE ($1 = '' OR caller = $1) AND ($2 = '' OR phone = $2)
		ORDER BY created_at DESC, key DESC LIMIT 51`
	onBoth(t, func(t *testing.T, e engine) {
		q, args := fixed, []any{"", "5530000123"}
		if e.db.IsPostgres() { // as it plans what has run often
			e.db.Read.SetMaxOpenConns(1)
			for _, q := range []string{"SET plan_cache_mode = force_generic_plan", "PREPARE fixed (text, text) AS " + fixed} {
				if _, err := e.db.Read.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			q, args = "EXECUTE fixed ('', '5530000123')", nil
		}
		if got, text := e.plan(t.Context(), t, q, args...); slices.Contains(got, "orders_phone") {
			t.Errorf("it is planned by the phone's index: lists need not be composed any more\n%s", text)
		}
	})
}
