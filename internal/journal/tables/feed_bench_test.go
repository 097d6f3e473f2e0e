package tables

import (
	"testing"
	"time"

	"recarga/internal/journal/commit"
	"recarga/internal/testkit"
)

// BenchmarkFeedTrigger is what each event costs PostgreSQL without the trigger that gives it a place in its caller's
// feed, and with it: 5,000 of as many orders at a time, the two in turns on the same server.
func BenchmarkFeedTrigger(b *testing.B) {
	const events = 5000
	url := testkit.PostgresOwn(b).URL()
	if err := Migrate(b.Context(), url, func(Migration) {}); err != nil {
		b.Fatal(err)
	}
	e, err := commit.Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	exec := func(query string, args ...any) time.Duration {
		b.Helper()
		began := time.Now()
		if _, err := e.Write.ExecContext(b.Context(), query, args...); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	exec(`INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata, callback_url,
attempt_count, unknown_attempts, created_at, updated_at, finished_at)
SELECT 'ORD-' || n, 'shop', '\x01', 'succeeded', '5537686660', 'MOVISTAR_TAE', 1000, '', '', '', 1, 0, n, n, n
FROM generate_series(1, $1) n`, events)
	var took [2]time.Duration
	sequence := 0
	for b.Loop() {
		for i, change := range []string{"DISABLE", "ENABLE"} {
			sequence++
			exec("ALTER TABLE events " + change + " TRIGGER events_feed")
			took[i] += exec(`INSERT INTO events (order_key, sequence, id, type, state, body, created_at)
SELECT key, $1::int, decode(md5(id || $1::int), 'hex'), 'topup.succeeded', 'pending', decode(repeat('61', 300), 'hex'), 1
FROM orders`, sequence)
		}
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N*events) }
	b.ReportMetric(each(took[0]), "without-µs/event")
	b.ReportMetric(each(took[1]), "with-µs/event")
	b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
}
