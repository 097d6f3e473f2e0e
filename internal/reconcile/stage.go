package reconcile

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"recarga/internal/journal/search"
	"recarga/internal/reconcile/statement"
	"recarga/internal/sqlfile"
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
	// amounts and phones say that a charge has one that can be compared.
	amounts, phones bool
	// times is how exactly the statement says times.
	times statement.Exactness
	// cut says that a line was too long to be kept.
	cut bool
}

//go:embed sql
var sqlFiles embed.FS

// sqls are the statements of the stage, by name.
var sqls = sqlfile.Load(sqlFiles, "sql")

// newStage makes the file in a folder of its own, in the system's for temporary files.
func newStage(ctx context.Context) (*stage, error) {
	folder, err := os.MkdirTemp("", "recarga-reconcile-")
	if err != nil {
		return nil, err
	}
	s := &stage{folder: folder}
	pragmas := url.Values{"_pragma": {"journal_mode(OFF)", "synchronous(OFF)", "locking_mode(EXCLUSIVE)",
		"temp_store(FILE)", "cache_size(-16384)"}}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(folder, "statement.db")}).EscapedPath(),
		RawQuery: pragmas.Encode()}
	if s.db, err = sql.Open("sqlite", name.String()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.db.SetMaxOpenConns(1)
	if _, err = s.db.ExecContext(ctx, sqls.Get("tables")); err == nil {
		s.tx, err = s.db.BeginTx(ctx, nil)
	}
	if err == nil {
		s.insert, err = s.tx.PrepareContext(ctx, sqls.Get("insert_line"))
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
func (s *stage) add(ctx context.Context, l statement.Line, wrong error, raw []byte) error {
	s.lines++
	if wrong != nil {
		s.bad++
		if _, err := s.tx.ExecContext(ctx, sqls.Get("insert_bad"), l.Number, l.ID, oneLine(wrong), string(raw)); err != nil {
			return err
		}
		if l.ID == "" {
			return nil
		}
	}
	s.count(l)
	_, err := s.insert.ExecContext(ctx, l.Number, l.ID, l.Transaction, l.Reference, l.AuthCode, l.Phone,
		centavos(l.Amount), micros(l.At), l.At.Day, int(l.Kind), l.Status)
	return err
}

func (s *stage) count(l statement.Line) {
	if l.Kind == statement.Charged {
		s.charges.Count++
		if l.Amount != nil {
			s.charges.Amount += *l.Amount
		}
		s.amounts, s.phones = s.amounts || l.Amount != nil, s.phones || l.Phone != ""
	}
	if l.At.IsZero() {
		return
	}
	s.times.Add(l.At)
	if s.first.IsZero() || l.At.At.Before(s.first) {
		s.first = l.At.At
	}
	if last := l.At.Last(); last.After(s.last) {
		s.last = last
	}
}

// end ends the adding.
func (s *stage) end(ctx context.Context) error {
	if _, err := s.tx.ExecContext(ctx, sqls.Get("index_lines")); err != nil {
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

func micros(m statement.Moment) any {
	if m.IsZero() {
		return nil
	}
	return m.At.UnixMicro()
}

// rows runs a query and scans every row of it.
func rows[T any](ctx context.Context, s *stage, scan func(*sql.Rows) (T, error), q string,
	args ...any) (out []T, err error) {
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

// each calls use with every row of a query that gives a page of rows from behind a place on. The stage has one
// connection: it can be asked for other things between the pages only.
func each[T any](
	ctx context.Context, s *stage, q string, scan func(*sql.Rows) (place int64, one T, err error), use func(T) error,
	args ...any,
) error {
	for after := int64(0); ; {
		page, err := rows(ctx, s, func(r *sql.Rows) (one T, err error) {
			after, one, err = scan(r)
			return one, err
		}, q, append(slices.Clone(args), after, pageSize)...)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, one := range page {
			if err := use(one); err != nil {
				return err
			}
		}
	}
}

func scanLine(r *sql.Rows) (l statement.Line, err error) {
	var amount, at sql.NullInt64
	err = r.Scan(&l.Number, &l.ID, &l.Given, &l.Transaction, &l.Reference, &l.AuthCode, &l.Phone, &amount, &at, &l.At.Day,
		&l.Kind, &l.Status)
	if amount.Valid {
		l.Amount = new(topup.Amount(amount.Int64))
	}
	if at.Valid {
		l.At.At = time.UnixMicro(at.Int64).UTC()
	}
	return l, err
}

// page returns lines in the order of their ids, from behind a line on.
func (s *stage) page(ctx context.Context, after statement.Line, limit int) ([]statement.Line, error) {
	return rows(ctx, s, scanLine, sqls.Get("lines"), after.ID, after.Number, limit)
}

// named returns those of the orders that a line names.
func (s *stage) named(ctx context.Context, orders []search.Standing) (map[topup.ID]bool, error) {
	wanted := make([]topup.ID, len(orders))
	for i, o := range orders {
		wanted[i] = o.ID
	}
	list, err := json.Marshal(wanted)
	if err != nil {
		return nil, err
	}
	ids, err := rows(ctx, s, func(r *sql.Rows) (id topup.ID, err error) { return id, r.Scan(&id) },
		sqls.Get("named"), string(list))
	found := make(map[topup.ID]bool, len(ids))
	for _, id := range ids {
		found[id] = true
	}
	return found, err
}

// absence is an order that no charge names, with the line that says that it was not charged, if one does.
type absence struct {
	search.Standing
	line   int64
	status string
}

func (s *stage) addAbsent(ctx context.Context, list []absence) error {
	return s.all(ctx, sqls.Get("insert_absent"), len(list), func(i int) []any {
		a := list[i]
		return []any{
			string(a.ID), string(a.State), a.Phone.Digits(), int64(a.Amount), a.TransactionID, a.Reference, a.AuthCode,
			a.Attempt, a.Approved,
			a.Attempts, a.From.UnixMicro(), a.Until.UnixMicro(), a.line, a.status, a.Held,
		}
	})
}

func (s *stage) addLater(ctx context.Context, list []pendingFinding) error {
	texts := make([]string, len(list))
	for i, p := range list {
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		texts[i] = string(text)
	}
	return s.all(ctx, sqls.Get("insert_later"), len(list), func(i int) []any { return []any{texts[i]} })
}

// scanLater reads a finding that waits.
func scanLater(r *sql.Rows) (n int64, p pendingFinding, err error) {
	var text []byte
	if err := r.Scan(&n, &text); err != nil {
		return n, p, err
	}
	return n, p, json.Unmarshal(text, &p)
}

// all runs one statement many times, in one transaction.
func (s *stage) all(ctx context.Context, q string, n int, args func(i int) []any) error {
	if n == 0 {
		return nil
	}
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

func scanAbsence(r *sql.Rows) (n int64, a absence, err error) {
	var since, until int64
	err = r.Scan(&n, &a.ID, &a.State, &a.Phone, &a.Amount, &a.TransactionID, &a.Reference, &a.AuthCode, &a.Attempt,
		&a.Approved, &a.Attempts, &since, &until, &a.line, &a.status, &a.Held)
	a.From, a.Until = time.UnixMicro(since).UTC(), time.UnixMicro(until).UTC()
	return n, a, err
}

// claim is a line that has an order's transaction, or else its reference or authorisation code, and not its id.
type claim struct {
	line  int64
	given topup.ID
	order topup.ID
}

var (
	sqlByTransaction = sqls.Get("by_transaction")
	sqlByReference   = sqls.Get("by_reference")
	sqlByAuthCode    = sqls.Get("by_auth_code")
)

// claims are those behind a line; slop is by how much the times may differ.
func (s *stage) claims(ctx context.Context, q string, after int64, limit int, slop time.Duration) ([]claim, error) {
	args := []any{after, limit}
	if q == sqlByAuthCode {
		args = append(args, slop.Microseconds())
	}
	return rows(ctx, s, func(r *sql.Rows) (c claim, err error) { return c, r.Scan(&c.line, &c.given, &c.order) }, q,
		args...)
}

// adopt gives lines to the orders that they claim.
func (s *stage) adopt(ctx context.Context, list []claim) error {
	return s.all(ctx, sqls.Get("adopt"), len(list), func(i int) []any {
		return []any{string(list[i].order), list[i].line}
	})
}

func (s *stage) exec(ctx context.Context, q string, args ...any) error {
	_, err := s.db.ExecContext(ctx, q, args...)
	return err
}

// unclaim keeps charges that no order accounts for.
func (s *stage) unclaim(ctx context.Context, list []statement.Line) error {
	return s.all(ctx, sqls.Get("unclaim"), len(list), func(i int) []any {
		l := list[i]
		var since, until any
		if !l.At.IsZero() {
			since, until = l.At.At.UnixMicro(), l.At.Last().UnixMicro()
		}
		return []any{l.Number, l.Phone, centavos(l.Amount), since, until}
	})
}

// one runs a query for one value; the zero value where it finds nothing.
func one[T any](ctx context.Context, s *stage, q string, args ...any) (value T, err error) {
	err = s.db.QueryRowContext(ctx, q, args...).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return value, err
}

// mention is a line that cannot be read and holds the id; 0 where there is none.
func (s *stage) mention(ctx context.Context, id topup.ID) (int64, error) {
	if s.bad == 0 {
		return 0, nil
	}
	return one[int64](ctx, s, sqls.Get("mention"), string(id))
}
