package reconcile_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/reconcile"
)

// million is how many orders and lines BenchmarkMillionLines has.
const million = 1_000_000

// sqlMillion makes orders that have succeeded, one a second, without going through their lives.
const sqlMillion = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)
INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata, callback_url, attempt_count, response_code, transaction_id,
reference, created_at, updated_at, finished_at)
SELECT printf('ORD-%08d', i), 'default', x'00', 'succeeded', '5537686660', 'MOVISTAR_TAE', 1000, '', '', '', 1, '00', printf('TXN-%08d', i), printf('RRN-%08d', i),
? + i * 1000000, ? + i * 1000000, ? + i * 1000000 + 500000 FROM n`

const sqlMillionAttempts = `INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at, finished_at, outcome)
SELECT key, 1, 'w', 0, created_at, created_at + 120000000, finished_at, 'approved' FROM orders`

// BenchmarkMillionLines reconciles a statement of a million lines, in no order, with as many orders, and
// reports the process's peak memory: of all, and of what was there before.
func BenchmarkMillionLines(b *testing.B) {
	path := filepath.Join(b.TempDir(), "recarga.db")
	start := time.Now().Add(-(million + 3600) * time.Second).UTC().Truncate(time.Second)
	j, err := journal.Open(b.Context(), "sqlite:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	fill(b, path, start)
	r := reconcile.New(j, nil, slog.New(slog.DiscardHandler))
	opts, err := reconcile.ParseOptions(url.Values{}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	before := peakMiB(b)
	for b.Loop() {
		s, err := reconcile.Read(b.Context(), &statement{start: start}, opts)
		if err != nil {
			b.Fatal(err)
		}
		var sum reconcile.Summary
		err = r.Run(context.Background(), s, func(r reconcile.Result) error {
			if r.Summary != nil {
				sum = *r.Summary
			}
			return nil
		})
		if err != nil || !sum.Agrees || sum.Matched != million {
			b.Fatalf("%v, %+v", err, sum)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(peakMiB(b), "peak-MiB")
	b.ReportMetric(before, "before-MiB")
}

func fill(b *testing.B, path string, start time.Time) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=busy_timeout(10000)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	at := start.UnixMicro()
	if _, err := db.ExecContext(b.Context(), sqlMillion, million, at, at, at); err != nil {
		b.Fatal(err)
	}
	if _, err := db.ExecContext(b.Context(), sqlMillionAttempts); err != nil {
		b.Fatal(err)
	}
}

// statement writes a line of every order, in no order.
type statement struct {
	start time.Time
	n     int
	rest  string
}

func (s *statement) Read(p []byte) (int, error) {
	if s.rest == "" {
		if s.n > million {
			return 0, io.EOF
		}
		s.rest = s.line()
		s.n++
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *statement) line() string {
	if s.n == 0 {
		return "date,transaction_id,distributor_transaction_id,phone_number,amount,reference,status\n"
	}
	i := s.n * 7919 % million // a prime that does not divide a million: every order once
	return fmt.Sprintf("%s,TXN-%08d,ORD-%08d,5537686660,10.00,RRN-%08d,Aprobado\n",
		s.start.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i, i, i)
}

// peakMiB is the most memory that the process has had.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatalf("the peak is read from /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal("/proc/self/status has no VmHWM")
	return 0
}
