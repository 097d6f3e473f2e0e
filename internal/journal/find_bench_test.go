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
// thousand is held. $1 is now, in microseconds. Its first part is the engine's own: numbers from 1 on.
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
CASE WHEN i <= 10000 THEN %d - i * 360000 ELSE %d - 3600000000 - i * 31000000 END AS at FROM n) orders`

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
	s.exec(b, numbers+fmt.Sprintf(sqlMany, fingerprint, now.UnixMicro(), now.UnixMicro()),
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
	b.Run("overview", func(b *testing.B) {
		for b.Loop() {
			o, err := s.Overview(b.Context(), now)
			if err != nil || o.ByState[topup.StateUnknown] != many/1000 {
				b.Fatalf("%v, %v", o.ByState, err)
			}
		}
		against(b, baseline)
	})
}

// against says how often the baseline takes as long as one of these.
func against(b *testing.B, baseline time.Duration) {
	b.Helper()
	b.ReportMetric(float64(baseline)/(float64(b.Elapsed())/float64(b.N)), "scans/op")
}
