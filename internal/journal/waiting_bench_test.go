package journal_test

import (
	"fmt"
	"testing"
)

// BenchmarkWaiting is one look at the orders that wait, of 120 callers and 11 products: one of each, or 100.
func BenchmarkWaiting(b *testing.B) {
	const callers, products, each = 120, 11, 64
	for name, open := range map[string]func(testing.TB) store{"sqlite": sqliteStore, "postgres": postgresStore} {
		none := map[string]string{"sqlite": "x''", "postgres": "''"}[name] // bytes
		for _, of := range []int{1, 100} {                                 // orders of each
			b.Run(fmt.Sprintf("%s/%d-each", name, of), func(b *testing.B) {
				s := open(b)
				s.exec(b, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)
					INSERT INTO orders (id, fingerprint, caller, state, phone, product, operator, metadata, callback_url, amount, priority, line,
						created_at, updated_at)
					SELECT 'ORD-' || i, %s, 'caller-' || (i %% %d), 'queued', '5537686660', 'PRODUCT-' || (i / %d %% %d), 'TELCEL', '{}', '', 100,
						1, 1, 1, 1 FROM n`, callers*products*of, none, callers, callers, products))
				s.exec(b, "ANALYZE")
				b.ResetTimer()
				for b.Loop() {
					all, err := s.Waiting(b.Context(), each)
					if err != nil || len(all) < callers*products {
						b.Fatalf("%d orders, %v", len(all), err)
					}
				}
			})
		}
	}
}
