package journal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"recarga/internal/journal/journaltest"
	"recarga/internal/journal/search"
	"recarga/topup"
)

const many = journaltest.Many

// BenchmarkFind looks orders up among a million, as the console does. Its baseline, in the same run, is the
// search that has no index: how often slower that is, is the metric.
func BenchmarkFind(b *testing.B) { onBoth(b, benchmarkFind) }

// onBoth measures on a full journal of each engine.
func onBoth(b *testing.B, measure func(b *testing.B, s store, now time.Time)) {
	now := time.Now()
	b.Run("sqlite", func(b *testing.B) {
		url := journaltest.SQLite(b)
		journaltest.Fill(b, url, now)
		measure(b, newStore(b, url, "sqlite", strings.TrimPrefix(url, "sqlite:"), dialect{}), now)
	})
	b.Run("postgres", func(b *testing.B) {
		url := journaltest.Postgres(b).URL()
		journaltest.Fill(b, url, now)
		measure(b, newStore(b, url, "pgx", url, dialect{}), now)
	})
}

func benchmarkFind(b *testing.B, s store, _ time.Time) {
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
func BenchmarkOverview(b *testing.B) { onBoth(b, benchmarkOverview) }

func benchmarkOverview(b *testing.B, s store, now time.Time) {
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
