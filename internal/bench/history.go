package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"recarga/internal/journal"
	"recarga/topup"
)

// historyChunk is how many orders are copied in one transaction.
const historyChunk = 100_000

// startHistory measures on a journal that holds orders already. They are made once, for all rounds.
func startHistory(ctx context.Context, cfg Config, w *world) (*contender, error) {
	redis, err := newRedis()
	if err != nil {
		return nil, err
	}
	return startRecarga(ctx, cfg, w, redis, past{file{historyPath(cfg)}}, nil)
}

func historyPath(cfg Config) string { return filepath.Join(cfg.Folder, "history.db") }

// past is a file that stays, and whose size says nothing of this run's orders.
type past struct{ file }

func (past) sizes(context.Context) (map[string]float64, error) { return nil, nil }
func (past) close() error                                      { return nil }

// makeHistory takes one order through its life and copies it, with other ids, phone numbers and times.
func makeHistory(ctx context.Context, path string, orders int) (err error) {
	if err := exemplar(ctx, path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var queries []string
	for table, other := range historyColumns {
		query, err := copyQuery(ctx, db, table, other)
		if err != nil {
			return err
		}
		queries = append(queries, query)
	}
	for from := 1; from <= orders; from += historyChunk {
		to := min(from+historyChunk-1, orders)
		if err := copyChunk(ctx, db, queries, from, to, orders); err != nil {
			return err
		}
	}
	return nil
}

// exemplar is the order that is copied.
func exemplar(ctx context.Context, path string) (err error) {
	j, err := journal.Open(ctx, "sqlite:"+path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	now, status := time.Now(), 204
	r := topup.Request{ID: "HISTORY", Caller: topup.DefaultCaller, Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10), Operator: "MOVISTAR"}
	if _, _, err = j.Accept(ctx, r, now); err != nil {
		return err
	}
	if _, err = j.Begin(ctx, r.ID, 0, "history", now.Add(time.Minute), now); err != nil {
		return err
	}
	_, ev, err := j.Finish(ctx, topup.Settlement{ID: r.ID, Number: 1, State: topup.StateSucceeded, Result: topup.Result{
		Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", Message: "Aprobado",
		TransactionID: "TXN-1700000000000-abcdefghi", Reference: "RRN-123456789012", AuthCode: "ABC123",
	}}, now)
	if err != nil {
		return err
	}
	return j.RecordTry(ctx, *ev, topup.Try{At: now, Status: &status}, topup.EventDelivered, time.Time{})
}

// historyColumns are what each copy has of its own, given its number n.i of $3 and the time $4: orders of the last year, evenly.
var historyColumns = map[string]map[string]string{
	"orders": {
		"key": "1 + n.i", "id": "printf('HISTORY-%09d', n.i)", "phone": "printf('55%08d', n.i * 7919 % 100000000)",
		"created_at": historyTime, "updated_at": historyTime, "finished_at": historyTime,
	},
	"attempts": {"order_key": "1 + n.i", "nonce": "random()", "started_at": historyTime, "give_up_at": historyTime, "finished_at": historyTime},
	"events": {
		"order_key": "1 + n.i", "created_at": historyTime, "delivered_at": historyTime,
		// As a UUID of version 7: its time, and what makes it unique.
		"id": "unhex(printf('%012x70008%015x', (" + historyTime + ") / 1000, n.i))",
	},
}

const historyTime = "$4 - 31536000000000 / $3 * ($3 - n.i + 1)"

func copyQuery(ctx context.Context, db *sql.DB, table string, other map[string]string) (string, error) {
	var joined string
	if err := db.QueryRowContext(ctx, "SELECT group_concat(name) FROM pragma_table_info('"+table+"')").Scan(&joined); err != nil {
		return "", fmt.Errorf("columns of %s: %w", table, err)
	}
	columns := strings.Split(joined, ",")
	values := make([]string, len(columns))
	for i, column := range columns {
		values[i] = "t." + column
		if own, ok := other[column]; ok {
			values[i] = own
		}
	}
	return fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO %s (%s) SELECT %s FROM n, (SELECT * FROM %s ORDER BY 1 LIMIT 1) t`, table, joined, strings.Join(values, ", "), table), nil
}

func copyChunk(ctx context.Context, db *sql.DB, queries []string, from, to, all int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, query := range queries {
		if _, err := tx.ExecContext(ctx, query, from, to, all, time.Now().UnixMicro()); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}
