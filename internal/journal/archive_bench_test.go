package journal_test

import (
	"fmt"
	"testing"
	"time"

	"recarga/internal/journal/search"
)

// BenchmarkArchive moves orders, each with its attempt and its delivered event, to the archive. For each there is what
// an export of the same orders from the tables takes, its baseline.
func BenchmarkArchive(b *testing.B) {
	for name, open := range map[string]func(testing.TB) store{"sqlite": sqliteStore, "postgres": postgresStore} {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			const orders = 20_000
			var exporting, moving time.Duration
			var bytes, moved int64
			for i := range b.N {
				fill(b, s, i*orders, orders)
				start := time.Now()
				s.exported(b, search.Filter{Since: noon}, search.Parts{Attempts: true, Events: true})
				exporting += time.Since(start)
				start = time.Now()
				a, err := s.Archive(b.Context(), time.Now().Add(time.Hour), time.Now(), nil)
				must(b, err)
				moving += time.Since(start)
				bytes, moved = bytes+a.Bytes, moved+a.Orders
			}
			if moved != int64(b.N)*orders {
				b.Fatalf("%d orders left", moved)
			}
			b.ReportMetric(float64(moved)/moving.Seconds(), "orders/s")
			b.ReportMetric(moving.Seconds()/exporting.Seconds(), "x-export")
			b.ReportMetric(float64(bytes)/float64(moved), "file-bytes/order")
			b.ReportMetric(s.taken(b)/float64(moved), "id-bytes/order")
		})
	}
}

func fill(b *testing.B, s store, from, n int) {
	b.Helper()
	each(64, func(worker int) {
		for i := from + worker; i < from+n; i += 64 {
			if err := lifecycle(b, s.Journal, fmt.Sprintf("ORD-%08d", i), new(noLock)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// taken is how many bytes the ids of the orders that have left take.
func (s store) taken(tb testing.TB) (bytes float64) {
	tb.Helper()
	must(tb, s.db.QueryRow(s.sql.taken).Scan(&bytes))
	return bytes
}
