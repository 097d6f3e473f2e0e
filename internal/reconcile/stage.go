package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"recarga/internal/journal"
	"recarga/topup"
)

// stage is a statement on disk, so that one of any length fits, in any order. It is a database in a
// temporary file, without any safety: a reconciliation that is broken off starts anew.
type stage struct {
	db     *sql.DB
	folder string
	tx     *sql.Tx
	insert *sql.Stmt
	// first and last bound the times of the lines; charges sums them.
	first, last time.Time
	charges     Total
	lines       int64
	bad         int64
	// cut tells that a line was too long to be kept.
	cut bool
}

const stageTables = `
CREATE TABLE lines (
	line INTEGER PRIMARY KEY, id TEXT NOT NULL, given TEXT NOT NULL DEFAULT '', txn TEXT NOT NULL, ref TEXT NOT NULL, auth TEXT NOT NULL,
	phone TEXT NOT NULL, amount INTEGER, at INTEGER, day INTEGER NOT NULL, kind INTEGER NOT NULL, status TEXT NOT NULL
) STRICT;
-- Lines that cannot be read: what is wrong, and all they say.
CREATE TABLE bad (line INTEGER PRIMARY KEY, id TEXT NOT NULL, wrong TEXT NOT NULL, raw TEXT NOT NULL) STRICT;
-- Charges whose order is not known.
CREATE TABLE orphans (line INTEGER PRIMARY KEY, phone TEXT NOT NULL, amount INTEGER, at INTEGER) STRICT;
-- Orders that no charge names. line is one that says that they were not charged, 0 where there is none.
CREATE TABLE absent (
	n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, phone TEXT NOT NULL, amount INTEGER NOT NULL, txn TEXT NOT NULL,
	ref TEXT NOT NULL, attempts INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, line INTEGER NOT NULL, status TEXT NOT NULL
) STRICT;`

const (
	sqlLine   = `INSERT INTO lines (line, id, txn, ref, auth, phone, amount, at, day, kind, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlAbsent = `INSERT OR IGNORE INTO absent (id, state, phone, amount, txn, ref, attempts, since, until, line, status)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	lineColumns = `line, id, given, txn, ref, auth, phone, amount, at, day, kind, status`
)

// newStage makes the file in a folder of its own, in the system's for temporary files.
func newStage(ctx context.Context) (*stage, error) {
	folder, err := os.MkdirTemp("", "recarga-reconcile-")
	if err != nil {
		return nil, err
	}
	s := &stage{folder: folder}
	pragmas := url.Values{"_pragma": {"journal_mode(OFF)", "synchronous(OFF)", "locking_mode(EXCLUSIVE)", "temp_store(FILE)", "cache_size(-16384)"}}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(folder, "statement.db")}).EscapedPath(), RawQuery: pragmas.Encode()}
	if s.db, err = sql.Open("sqlite", name.String()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.db.SetMaxOpenConns(1)
	if _, err = s.db.ExecContext(ctx, stageTables); err == nil {
		s.tx, err = s.db.BeginTx(ctx, nil)
	}
	if err == nil {
		s.insert, err = s.tx.PrepareContext(ctx, sqlLine)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("temporary database: %w", err), s.close())
	}
	return s, nil
}

func (s *stage) close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

// add keeps a line. One that cannot be read is kept where it can be found by its id.
func (s *stage) add(ctx context.Context, l line, wrong error, raw []byte) error {
	s.lines++
	if wrong != nil {
		s.bad++
		if _, err := s.tx.ExecContext(ctx, "INSERT INTO bad VALUES (?, ?, ?, ?)", l.number, l.id, oneLine(wrong), string(raw)); err != nil {
			return err
		}
		if l.id == "" {
			return nil
		}
	}
	s.count(l)
	_, err := s.insert.ExecContext(ctx, l.number, l.id, l.transaction, l.reference, l.auth, l.phone, centavos(l.amount), micros(l.at), l.at.day, int(l.kind), l.status)
	return err
}

func (s *stage) count(l line) {
	if l.kind == charged {
		s.charges.Count++
		if l.amount != nil {
			s.charges.Amount += *l.amount
		}
	}
	if l.at.isZero() {
		return
	}
	if s.first.IsZero() || l.at.at.Before(s.first) {
		s.first = l.at.at
	}
	if last := l.at.last(); last.After(s.last) {
		s.last = last
	}
}

// end ends the adding.
func (s *stage) end(ctx context.Context) error {
	if _, err := s.tx.ExecContext(ctx, "CREATE INDEX lines_id ON lines (id, line)"); err != nil {
		return err
	}
	err := errors.Join(s.insert.Close(), s.tx.Commit())
	s.tx, s.insert = nil, nil
	return err
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func centavos(a *topup.Amount) any {
	if a == nil {
		return nil
	}
	return int64(*a)
}

func micros(m moment) any {
	if m.isZero() {
		return nil
	}
	return m.at.UnixMicro()
}

// rows runs a query and scans every row of it.
func rows[T any](ctx context.Context, s *stage, scan func(*sql.Rows) (T, error), q string, args ...any) (out []T, err error) {
	found, err := s.db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, found.Err()
}

func scanLine(r *sql.Rows) (l line, err error) {
	var amount, at sql.NullInt64
	err = r.Scan(&l.number, &l.id, &l.given, &l.transaction, &l.reference, &l.auth, &l.phone, &amount, &at, &l.at.day, &l.kind, &l.status)
	if amount.Valid {
		l.amount = new(topup.Amount(amount.Int64))
	}
	if at.Valid {
		l.at.at = time.UnixMicro(at.Int64).UTC()
	}
	return l, err
}

// page returns lines in the order of their ids, from behind a line on.
func (s *stage) page(ctx context.Context, after line, limit int) ([]line, error) {
	return rows(ctx, s, scanLine, "SELECT "+lineColumns+" FROM lines WHERE (id, line) > (?, ?) ORDER BY id, line LIMIT ?", after.id, after.number, limit)
}

// named returns those of the orders that a line names.
func (s *stage) named(ctx context.Context, orders []journal.Standing) (map[topup.ID]bool, error) {
	args := make([]any, len(orders))
	for i, o := range orders {
		args[i] = string(o.ID)
	}
	q := "SELECT DISTINCT id FROM lines WHERE id IN (?" + strings.Repeat(", ?", len(orders)-1) + ")"
	ids, err := rows(ctx, s, func(r *sql.Rows) (id topup.ID, err error) { return id, r.Scan(&id) }, q, args...)
	found := make(map[topup.ID]bool, len(ids))
	for _, id := range ids {
		found[id] = true
	}
	return found, err
}

// absence is an order that no charge names, with the line that says that it was not charged, if one does.
type absence struct {
	n int64
	journal.Standing
	line   int64
	status string
}

func (s *stage) addAbsent(ctx context.Context, list []absence) error {
	if len(list) == 0 {
		return nil
	}
	return s.all(ctx, sqlAbsent, len(list), func(i int) []any {
		a := list[i]
		return []any{
			string(a.ID), string(a.State), a.Phone.Digits(), int64(a.Amount), a.TransactionID, a.Reference, a.Attempts,
			a.From.UnixMicro(), a.Until.UnixMicro(), a.line, a.status,
		}
	})
}

// all runs one statement many times, in one transaction.
func (s *stage) all(ctx context.Context, q string, n int, args func(i int) []any) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	stmt, err := tx.PrepareContext(ctx, q)
	for i := 0; err == nil && i < n; i++ {
		_, err = stmt.ExecContext(ctx, args(i)...)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s *stage) absents(ctx context.Context, state topup.State, after int64, limit int) ([]absence, error) {
	return rows(ctx, s, func(r *sql.Rows) (a absence, err error) {
		var since, until int64
		err = r.Scan(&a.n, &a.ID, &a.State, &a.Phone, &a.Amount, &a.TransactionID, &a.Reference, &a.Attempts, &since, &until, &a.line, &a.status)
		a.From, a.Until = time.UnixMicro(since).UTC(), time.UnixMicro(until).UTC()
		return a, err
	}, `SELECT n, id, state, phone, amount, txn, ref, attempts, since, until, line, status FROM absent WHERE state = ? AND n > ? ORDER BY n LIMIT ?`,
		string(state), after, limit)
}

// claim is a line that has an order's transaction, or its reference and amount, and not its id.
type claim struct {
	line  int64
	given topup.ID
	order topup.ID
}

// CROSS JOIN keeps SQLite from another order of the tables than this one: lines are many, absents few.
const (
	sqlByTransaction = `SELECT l.line, l.id, a.id FROM lines l CROSS JOIN absent a ON a.txn = l.txn
WHERE l.txn <> '' AND l.line > ? ORDER BY l.line LIMIT ?`
	sqlByReference = `SELECT l.line, l.id, a.id FROM lines l CROSS JOIN absent a ON a.ref = l.ref AND (l.amount IS NULL OR l.amount = a.amount)
WHERE l.ref <> '' AND l.given = '' AND l.line > ? ORDER BY l.line LIMIT ?`
)

func (s *stage) claims(ctx context.Context, q string, after int64, limit int) ([]claim, error) {
	return rows(ctx, s, func(r *sql.Rows) (c claim, err error) { return c, r.Scan(&c.line, &c.given, &c.order) }, q, after, limit)
}

// adopt gives lines to the orders that they claim.
func (s *stage) adopt(ctx context.Context, list []claim) error {
	err := s.all(ctx, "UPDATE lines SET given = CASE WHEN id = '' THEN '-' ELSE id END, id = ? WHERE line = ?", len(list), func(i int) []any {
		return []any{string(list[i].order), list[i].line}
	})
	return err
}

// forget takes out the absent orders that lines have been given to.
func (s *stage) forget(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM absent WHERE id IN (SELECT id FROM lines WHERE given <> '')")
	return err
}

func (s *stage) addOrphans(ctx context.Context, list []line) error {
	if len(list) == 0 {
		return nil
	}
	return s.all(ctx, "INSERT OR IGNORE INTO orphans VALUES (?, ?, ?, ?)", len(list), func(i int) []any {
		return []any{list[i].number, list[i].phone, centavos(list[i].amount), micros(list[i].at)}
	})
}

// number runs a query for one number; 0 where it finds nothing.
func (s *stage) number(ctx context.Context, q string, args ...any) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, q, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// orphan is a line that charges what the order would have cost, for an order that is not known; 0 where
// there is none.
func (s *stage) orphan(ctx context.Context, a absence, margin time.Duration) (int64, error) {
	return s.number(ctx, `SELECT line FROM orphans WHERE phone IN ('', ?) AND (amount IS NULL OR amount = ?) AND (at IS NULL OR at BETWEEN ? AND ?) ORDER BY line LIMIT 1`,
		a.Phone.Digits(), int64(a.Amount), a.From.Add(-margin).UnixMicro(), a.Until.Add(margin).UnixMicro())
}

// mention is a line that cannot be read and holds the id; 0 where there is none.
func (s *stage) mention(ctx context.Context, id topup.ID) (int64, error) {
	if s.bad == 0 {
		return 0, nil
	}
	return s.number(ctx, "SELECT line FROM bad WHERE instr(raw, ?) > 0 ORDER BY line LIMIT 1", string(id))
}

type badLine struct {
	line      int64
	id, wrong string
}

func (s *stage) badLines(ctx context.Context, after int64, limit int) ([]badLine, error) {
	return rows(ctx, s, func(r *sql.Rows) (b badLine, err error) { return b, r.Scan(&b.line, &b.id, &b.wrong) },
		"SELECT line, id, wrong FROM bad WHERE line > ? ORDER BY line LIMIT ?", after, limit)
}
