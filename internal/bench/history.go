package bench

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"recarga/internal/journal"
	"recarga/topup"
)

// historyChunk is how many orders are copied in one transaction.
const historyChunk = 100_000

// startHistory measures on a journal that holds orders already. They are made once, for all rounds.
func startHistory(ctx context.Context, cfg Config, w *world) (*contender, error) {
	return startRecarga(ctx, cfg, w, true, past{file{historyPath(cfg)}}, nil)
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
	for from := 1; from <= orders; from += historyChunk {
		to := min(from+historyChunk-1, orders)
		if err := copyChunk(ctx, db, from, to, orders); err != nil {
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
	r := topup.Request{ID: "HISTORY", Caller: topup.DefaultCaller, Phone: "5537686660", Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(10), Operator: "MOVISTAR"}
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

func copyChunk(ctx context.Context, db *sql.DB, from, to, all int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, copies := range []string{sqls.Get("copy_orders"), sqls.Get("copy_attempts"), sqls.Get("copy_events")} {
		if _, err := tx.ExecContext(ctx, copies, from, to, all, time.Now().UnixMicro()); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}
