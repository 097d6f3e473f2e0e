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
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"recarga/internal/journal"
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
	times exactness
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
func (s *stage) add(ctx context.Context, l line, wrong error, raw []byte) error {
	s.lines++
	if wrong != nil {
		s.bad++
		if _, err := s.tx.ExecContext(ctx, sqls.Get("insert_bad"), l.number, l.id, oneLine(wrong), string(raw)); err != nil {
			return err
		}
		if l.id == "" {
			return nil
		}
	}
	s.count(l)
	_, err := s.insert.ExecContext(ctx, l.number, l.id, l.transaction, l.reference, l.auth, l.phone, centavos(l.amount),
		micros(l.at), l.at.day, int(l.kind), l.status)
	return err
}

func (s *stage) count(l line) {
	if l.kind == charged {
		s.charges.Count++
		if l.amount != nil {
			s.charges.Amount += *l.amount
		}
		s.amounts, s.phones = s.amounts || l.amount != nil, s.phones || l.phone != ""
	}
	if l.at.isZero() {
		return
	}
	s.times.add(l.at)
	if s.first.IsZero() || l.at.at.Before(s.first) {
		s.first = l.at.at
	}
	if last := l.at.last(); last.After(s.last) {
		s.last = last
	}
}

// longDay is no less than any day that a date stands for.
const longDay = 25 * time.Hour

// exactness is how exactly times are notified.
type exactness struct {
	// day and minute say that a time is a date only, or has no seconds.
	day, minute bool
	// seconds, minutes and hours say that a time is no whole minute, no whole hour, no midnight.
	seconds, minutes, hours bool
}

func (e *exactness) add(m moment) {
	e.day, e.minute = e.day || m.day, e.minute || m.minute
	hour, minute, second := m.at.Clock()
	e.seconds = e.seconds || second != 0
	e.minutes = e.minutes || minute != 0 || second != 0
	e.hours = e.hours || hour != 0 || minute != 0 || second != 0
}

// unit is by how much a time may be off the one that it stands for: of the least exact of them. Where all of them are
// whole minutes, hours or days, whoever wrote them has rounded.
func (e *exactness) unit() time.Duration {
	switch {
	case e.day, !e.hours:
		return longDay
	case !e.minutes:
		return time.Hour
	case e.minute, !e.seconds:
		return time.Minute
	default:
		return time.Second
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

func micros(m moment) any {
	if m.isZero() {
		return nil
	}
	return m.at.UnixMicro()
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

func scanLine(r *sql.Rows) (l line, err error) {
	var amount, at sql.NullInt64
	err = r.Scan(&l.number, &l.id, &l.given, &l.transaction, &l.reference, &l.auth, &l.phone, &amount, &at, &l.at.day,
		&l.kind, &l.status)
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
	return rows(ctx, s, scanLine, sqls.Get("lines"), after.id, after.number, limit)
}

// named returns those of the orders that a line names.
func (s *stage) named(ctx context.Context, orders []journal.Standing) (map[topup.ID]bool, error) {
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
	n int64
	journal.Standing
	line   int64
	status string
}

func (s *stage) addAbsent(ctx context.Context, list []absence) error {
	if len(list) == 0 {
		return nil
	}
	return s.all(ctx, sqls.Get("insert_absent"), len(list), func(i int) []any {
		a := list[i]
		return []any{
			string(a.ID), string(a.State), a.Phone.Digits(), int64(
				a.Amount), a.TransactionID, a.Reference, a.AuthCode, a.Attempt, a.Approved,
			a.Attempts, a.From.UnixMicro(), a.Until.UnixMicro(), a.line, a.status, a.Held,
		}
	})
}

func (s *stage) addLater(ctx context.Context, list []pendingFinding) error {
	if len(list) == 0 {
		return nil
	}
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

// laterPage returns findings that wait, from behind the n-th on, and where the page ends.
func (s *stage) laterPage(ctx context.Context, after int64, limit int) (n int64, page []pendingFinding, err error) {
	page, err = rows(ctx, s, func(r *sql.Rows) (p pendingFinding, err error) {
		var text []byte
		if err := r.Scan(&n, &text); err != nil {
			return p, err
		}
		return p, json.Unmarshal(text, &p)
	}, sqls.Get("later"), after, limit)
	return n, page, err
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
		err = r.Scan(&a.n, &a.ID, &a.State, &a.Phone, &a.Amount, &a.TransactionID, &a.Reference, &a.AuthCode, &a.Attempt,
			&a.Approved,
			&a.Attempts, &since, &until, &a.line, &a.status, &a.Held)
		a.From, a.Until = time.UnixMicro(since).UTC(), time.UnixMicro(until).UTC()
		return a, err
	}, sqls.Get("absents"), string(state), after, limit)
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
	err := s.all(ctx, sqls.Get("adopt"), len(list), func(i int) []any {
		return []any{string(list[i].order), list[i].line}
	})
	return err
}

// forget takes out the absent orders that lines have been given to.
func (s *stage) forget(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, sqls.Get("forget"))
	return err
}

// unclaim keeps charges that no order accounts for.
func (s *stage) unclaim(ctx context.Context, list []line) error {
	if len(list) == 0 {
		return nil
	}
	return s.all(ctx, sqls.Get("unclaim"), len(list), func(i int) []any {
		l := list[i]
		var since, until any
		if !l.at.isZero() {
			since, until = l.at.at.UnixMicro(), l.at.last().UnixMicro()
		}
		return []any{l.number, l.phone, centavos(l.amount), since, until}
	})
}

// unclaimAll keeps every charge of an id.
func (s *stage) unclaimAll(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, sqls.Get("unclaim_all"), longDay.Microseconds(), id, int(charged))
	return err
}

// named is what the statement says of an order that we call succeeded.
type named int

const (
	namedDenied named = iota - 1 // it says that it was not charged
	namedNot                     // it lacks it
	namedAsElse                  // it charges it, and not as we know it
	namedToo                     // it charges it as we know it, and not only so
	namedAsOurs
)

// soldOrder is an order that we call succeeded.
type soldOrder struct {
	*journal.Standing
	named named
}

func (s *stage) addSold(ctx context.Context, list []soldOrder) error {
	if len(list) == 0 {
		return nil
	}
	return s.all(ctx, sqls.Get("insert_sold"), len(list), func(i int) []any {
		o := list[i]
		return []any{
			string(o.ID), o.From.UnixMicro(), o.Until.UnixMicro(), o.Approved, o.TransactionID, int(
				o.named), o.Phone.Digits(), int64(o.Amount),
		}
	})
}

// undecided says that a decision is to be made: there is an order that is unknown, or that the statement contradicts.
func (s *stage) undecided(ctx context.Context) (bool, error) {
	n, err := s.number(ctx, sqls.Get("undecided"))
	return n > 0, err
}

// addLacking adds the succeeded orders that no line names to the sold ones, and makes ready for decisions.
func (s *stage) addLacking(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, sqls.Get("add_lacking"))
	return err
}

// lacking counts the sold orders that the statement denies, and those of a period that it lacks, and names one.
func (s *stage) lacking(ctx context.Context, p Period) (n int64, one topup.ID, err error) {
	err = s.db.QueryRowContext(ctx, sqls.Get("lacking"),
		p.From.UnixMicro(), p.Until.UnixMicro()).Scan(&n, &one)
	return n, one, err
}

// neighbour is the n-th order that the distributor approved wholly before a time, or after it, and how long that may
// have been charged; found says that there are so many. but is an order that does not count.
func (s *stage) neighbour(ctx context.Context, before bool, at time.Time, n int,
	but topup.ID) (edge time.Time, shortest time.Duration, found bool, err error) {
	q := sqls.Get("sold_after")
	if before {
		q = sqls.Get("sold_before")
	}
	list, err := rows(ctx, s, func(r *sql.Rows) (e [2]int64, err error) { return e, r.Scan(&e[0], &e[1]) }, q,
		at.UnixMicro(), string(but), n)
	if err != nil || len(list) < n {
		return time.Time{}, 0, false, err
	}
	least := list[0][1]
	for _, e := range list {
		least = min(least, e[1])
	}
	return time.UnixMicro(list[n-1][0]), time.Duration(least) * time.Microsecond, true, nil
}

// gap is a sold order that can have been charged between two times and that the statement does not charge as we know
// it; empty where there is none. but is an order that does not count.
func (s *stage) gap(ctx context.Context, from, until time.Time, but topup.ID) (id topup.ID, err error) {
	err = s.db.QueryRowContext(ctx, sqls.Get("gap"),
		from.UnixMicro(), until.UnixMicro(), string(but)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// stray is a line of an unclaimed charge that can be one of the order: it is between the two times, or of its phone,
// or of a time or phone that the statement does not say; 0 where there is none.
func (s *stage) stray(ctx context.Context, a absence, from, until time.Time) (int64, error) {
	return s.number(ctx, sqls.Get("stray"),
		from.UnixMicro(), until.Add(longDay).UnixMicro(), until.UnixMicro(), a.Phone.Digits())
}

// candidates of an order are the unclaimed charges of its phone and amount between the two times.
func (s *stage) candidates(ctx context.Context, a absence, from, until time.Time, limit int) ([]Candidate, error) {
	return rows(ctx, s, func(r *sql.Rows) (c Candidate, err error) {
		var at int64
		err = r.Scan(&c.Line, &c.ID, &c.TransactionID, &c.Reference, &c.AuthCode, &at)
		c.Time = time.UnixMicro(at).UTC()
		return c, err
	}, sqls.Get("candidates"), a.Phone.Digits(), int64(a.Amount), from.UnixMicro(), until.UnixMicro(), limit)
}

// contested says whose else the charges of an order may be: of another order, in our book or on another line, that has
// the transaction of one of them; or of one that we call succeeded, of the same phone, amount and time, that no line
// charges as we know it; what the statement says of no charge is not compared. Empty where there is none. The charges
// are of any time between since and until.
func (s *stage) contested(ctx context.Context, o journal.Standing, since, until time.Time) (other string, err error) {
	err = s.db.QueryRowContext(ctx, sqls.Get("contested"), string(o.ID), int(charged), o.Phone.Digits(), int64(o.Amount),
		since.UnixMicro(), until.UnixMicro(),
		s.phones, s.amounts).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return other, err
}

// number runs a query for one number; 0 where it finds nothing.
func (s *stage) number(ctx context.Context, q string, args ...any) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, q, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// mention is a line that cannot be read and holds the id; 0 where there is none.
func (s *stage) mention(ctx context.Context, id topup.ID) (int64, error) {
	if s.bad == 0 {
		return 0, nil
	}
	return s.number(ctx, sqls.Get("mention"), string(id))
}

type badLine struct {
	line      int64
	id, wrong string
}

func (s *stage) badLines(ctx context.Context, after int64, limit int) ([]badLine, error) {
	return rows(ctx, s, func(r *sql.Rows) (b badLine, err error) { return b, r.Scan(&b.line, &b.id, &b.wrong) },
		sqls.Get("bad_lines"), after, limit)
}
