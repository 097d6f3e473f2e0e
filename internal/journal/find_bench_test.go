package journal_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"recarga/internal/journal/search"
	"recarga/internal/testkit"
	"recarga/topup"
)

// many is how many orders the journal holds in which is searched.
const many = 1_000_000

// sqlMany makes orders of a year, 10,000 of them in the last hour. Of these a tenth waits; of all, one in a
// thousand is held. The last number is the time between two of the older ones, in microseconds. Its first part is the
// engine's own: numbers from 1 on.
const sqlMany = `INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata,
callback_url, attempt_count, event_count, response_code, transaction_id, reference, created_at, updated_at,
finished_at, due_at)
SELECT 'ORD-' || i, CASE i %% 3 WHEN 0 THEN 'shop' ELSE 'kiosk' END, %s, state,
'55' || (30000000 + i / 10), 'MOVISTAR_TAE', 1000,
'MOVISTAR', '{}', '', 1, 1, '00', CASE state WHEN 'succeeded' THEN 'TXN-' || i ELSE '' END,
CASE state WHEN 'succeeded' THEN 'RRN-' || i ELSE '' END,
at, at, CASE state WHEN 'succeeded' THEN at + 2000000 END, CASE state WHEN 'queued' THEN at END
FROM (SELECT i, CASE WHEN i %% 1000 = 0 THEN 'unknown' WHEN i <= 10000 AND i %% 10 = 1 THEN 'queued'
ELSE 'succeeded' END AS state,
CASE WHEN i <= 10000 THEN %d - i * 360000 ELSE %d - 3600000000 - i * %d END AS at FROM n) orders`

// BenchmarkFind looks orders up among a million, as the console does. Its baseline, in the same run, is the
// search that has no index: how often slower that is, is the metric.
func BenchmarkFind(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		url := "sqlite:" + filepath.Join(b.TempDir(), "journal.db")
		path := url[len("sqlite:"):] + "?_pragma=synchronous(OFF)&_pragma=cache_size(-262144)"
		numbers := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, many)
		benchmarkFind(b, newStore(b, url, "sqlite", path, dialect{}), numbers, `x'00'`)
	})
	b.Run("postgres", func(b *testing.B) {
		url := testkit.Postgres(b).URL()
		numbers := fmt.Sprintf(`WITH n(i) AS (SELECT generate_series(1::bigint, %d)) `, many)
		benchmarkFind(b, newStore(b, url, "pgx", url, dialect{}), numbers, `'\x00'::bytea`)
	})
}

func benchmarkFind(b *testing.B, s store, numbers, fingerprint string) {
	now := time.Now()
	s.exec(b, numbers+fmt.Sprintf(sqlMany, fingerprint, now.UnixMicro(), now.UnixMicro(), 31_000_000),
		`INSERT INTO tallies (state, writer, orders) SELECT state, 0, COUNT(*) FROM orders
		WHERE finished_at IS NOT NULL GROUP BY state`, "ANALYZE")
	const i = 654_321
	scan := time.Now()
	var found int
	must(b, s.db.QueryRow(fmt.Sprintf(`SELECT COUNT(*) FROM orders WHERE transaction_id || '' = 'TXN-%d'`,
		i)).Scan(&found))
	baseline := time.Since(scan)
	for _, q := range []struct {
		name, text string
		want       int
	}{
		{"id", fmt.Sprintf("ORD-%d", i), 1}, {"transaction", fmt.Sprintf("TXN-%d", i), 1},
		{"reference", fmt.Sprintf("RRN-%d", i), 1},
		{"phone", fmt.Sprintf("55%d", 30_000_000+i/10), 10}, {"nothing", "TXN-0", 0},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				orders, err := s.Find(b.Context(), "", q.text)
				if err != nil || len(orders) != q.want {
					b.Fatalf("%d orders, %v", len(orders), err)
				}
			}
			against(b, baseline)
		})
	}
	for name, f := range map[string]search.Filter{
		"newest": {}, "unknown": {State: topup.StateUnknown}, "caller": {Caller: "shop"},
		"canceled": {State: topup.StateCanceled}, "failed of a caller": {State: topup.StateFailed, Caller: "shop"},
		"transaction": {TransactionID: fmt.Sprintf("TXN-%d", i)},
	} {
		b.Run("list/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.List(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
			against(b, baseline)
		})
	}
}

// BenchmarkOverview reads what the console's overview shows, and the lists that its figures lead to, of a million orders
// that were all placed within a week.
func BenchmarkOverview(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		url := "sqlite:" + filepath.Join(b.TempDir(), "journal.db")
		path := url[len("sqlite:"):] + "?_pragma=synchronous(OFF)&_pragma=cache_size(-262144)"
		numbers := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, many)
		benchmarkOverview(b, newStore(b, url, "sqlite", path, dialect{}), numbers, `x'00'`,
			`unhex(printf('%012x%020x', created_at / 1000, key))`, "ANALYZE")
	})
	b.Run("postgres", func(b *testing.B) {
		url := testkit.Postgres(b).URL()
		numbers := fmt.Sprintf(`WITH n(i) AS (SELECT generate_series(1::bigint, %d)) `, many)
		benchmarkOverview(b, newStore(b, url, "pgx", url, dialect{}), numbers, `'\x00'::bytea`,
			`decode(lpad(to_hex(created_at / 1000), 12, '0') || lpad(to_hex(key), 20, '0'), 'hex')`, "VACUUM ANALYZE")
	})
}

func benchmarkOverview(b *testing.B, s store, numbers, fingerprint, eventID, settle string) {
	now := time.Now()
	s.exec(b, numbers+fmt.Sprintf(sqlMany, fingerprint, now.UnixMicro(), now.UnixMicro(),
		7*24*time.Hour.Microseconds()/many),
		`INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at, finished_at, outcome)
		SELECT key, 1, 'worker', key, created_at, created_at + 120000000, finished_at, 'approved' FROM orders
		WHERE finished_at IS NOT NULL`,
		`INSERT INTO events (order_key, sequence, id, type, state, body, created_at, due_at, tries)
		SELECT key, 1, `+eventID+`, 'topup.succeeded', CASE WHEN key % 100 = 0 THEN 'pending' ELSE 'delivered' END,
		fingerprint, created_at, CASE WHEN key % 100 = 0 THEN created_at END, '[1,200,12,""]' FROM orders`,
		`INSERT INTO tallies (state, writer, orders) SELECT state, 0, COUNT(*) FROM orders
		WHERE finished_at IS NOT NULL GROUP BY state`,
		`INSERT INTO ended (span, at, state, writer, orders)
		SELECT 60, finished_at / 60000000 * 60, state, key % 16, COUNT(*) FROM orders WHERE finished_at IS NOT NULL
		GROUP BY 2, 3, 4`,
		`INSERT INTO ended (span, at, state, writer, orders)
		SELECT 3600, finished_at / 3600000000 * 3600, state, 16 + key % 16, COUNT(*) FROM orders
		WHERE finished_at IS NOT NULL GROUP BY 2, 3, 4`, settle)
	cheap := func(name string, read func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				must(b, read())
			}
			if each := b.Elapsed() / time.Duration(b.N); each > 100*time.Millisecond {
				b.Errorf("it takes %s", each)
			}
		})
	}
	for _, over := range search.Ranges() {
		cheap("overview/"+over.Name, func() error {
			o, err := s.Overview(b.Context(), now, over)
			if err == nil && (o.ByState[topup.StateUnknown] != many/1000 || len(o.Ended) == 0 || len(o.Tries) == 0) {
				err = fmt.Errorf("%v, %d, %d", o.ByState, len(o.Ended), len(o.Tries))
			}
			return err
		})
		since := over.Since(now)
		for name, f := range map[string]search.Filter{
			"succeeded": {State: topup.StateSucceeded, FinishedSince: since, FinishedUntil: now},
			"canceled":  {State: topup.StateCanceled, FinishedSince: since, FinishedUntil: now},
			"a bar":     {FinishedSince: since, FinishedUntil: since.Add(over.Bar)},
			"late bar":  {FinishedSince: now.Add(-2 * over.Bar), FinishedUntil: now.Add(-over.Bar)},
			"unknown":   {State: topup.StateUnknown, Since: since, Until: now},
		} {
			cheap("list/"+over.Name+"/"+name, func() error {
				_, _, err := s.List(b.Context(), f)
				return err
			})
		}
	}
	cheap("undelivered", func() error {
		_, err := s.OldestUndelivered(b.Context())
		return err
	})
}

// against says how often the baseline takes as long as one of these.
func against(b *testing.B, baseline time.Duration) {
	b.Helper()
	b.ReportMetric(float64(baseline)/(float64(b.Elapsed())/float64(b.N)), "scans/op")
}
