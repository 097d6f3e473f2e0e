package reconcile_test

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/archive"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/reconcile"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

var (
	seedFlag   = flag.Uint64("seed", 1, "of the random statements; 0: a new one")
	firstFlag  = flag.Uint64("first", 0, "the first of the rounds")
	roundsFlag = flag.Uint64("rounds", uint64(allRounds), "how many random statements there are")
)

// allRounds are the random statements, and sqlRounds those that are played with a journal in SQLite.
var (
	allRounds = testkit.Times(200, testkit.Some(10_000))
	sqlRounds = allRounds / 50
)

// parts are how many goroutines share the rounds.
const parts = 4

// story is one round: a book, a statement of it, and what was settled by it.
type story struct {
	w        *world
	book     reconcile.Book
	orders   reconcile.Orders
	f        *file
	text     []byte
	margin   time.Duration
	findings []string
	refused  error
	sum      reconcile.Summary
}

// round plays one round of a seed; the same again for the same numbers.
func round(t *testing.T, seed, n uint64, whole bool) *story {
	t.Helper()
	w := newWorld(rand.New(rand.NewPCG(seed, n)), dawn, "")
	s := &story{w: w, book: w, orders: w}
	s.play(t, whole)
	return s
}

// play writes the statement, spoils it unless it shall be whole, and reconciles.
func (s *story) play(t *testing.T, whole bool) {
	t.Helper()
	w := s.w
	s.f, s.margin = newFile(t, w), pick(w, time.Hour, 10*time.Minute, 0)
	s.f.options.Set("margin", s.margin.String())
	s.f.options.Set("absent", pick(w, "failed", "resend"))
	s.do(pick(w, styles()...))
	if whole && w.days {
		s.do(change{"dates", func(f *file) { f.times("2006-01-02") }})
	}
	if !whole {
		for range 1 + w.IntN(3) {
			if len(s.f.rows) > 0 {
				s.do(pick(w, spoils()...))
			}
		}
		if w.one(4) {
			s.f.options.Set("covers", w.start.Format(time.RFC3339)+".."+w.start.Add(240*time.Hour).Format(time.RFC3339))
		}
	}
	s.text = s.f.write()
	s.run(t)
}

func (s *story) do(c change) {
	s.f.done = append(s.f.done, c.name)
	c.do(s.f)
}

// run reconciles, now and then twice: what the first time settled must not prove anything to the second.
func (s *story) run(t *testing.T) {
	t.Helper()
	opts, err := reconcile.ParseOptions(s.f.options, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	for i := range pick(s.w, 1, 1, 1, 2) {
		read, err := reconcile.Read(t.Context(), bytes.NewReader(s.text), opts)
		if len(topup.FieldErrors(err)) > 0 {
			s.refused = err
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		err = reconcile.New(s.book, s.orders, quiet).Run(context.Background(), read,
			func(r reconcile.Result) error {
				if f := r.Finding; f != nil && i == 0 {
					s.findings = append(s.findings, fmt.Sprintf("%s %s %s", f.Class, f.ID, f.Detail))
				}
				if r.Summary != nil && i == 0 {
					s.sum = *r.Summary
				}
				return nil
			})
		if err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
		if err := read.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// wrong are the orders that were settled against the ledger, but for those of which nobody could know.
func (s *story) wrong() (list []*life) {
	slop := s.margin + 26*time.Hour // a date stands for a whole day, in any zone
	for _, o := range s.w.orders {
		switch {
		case o.settled == topup.ResolvedSucceeded && o.charges == 0 && !s.f.credible(o, slop),
			(o.settled == topup.ResolvedFailed || o.settled == topup.ResolvedResend) && o.charges > 0 && !s.f.deniable(o, slop):
			list = append(list, o)
		}
	}
	return list
}

func (s *story) String() string {
	return fmt.Sprintf("%s\n%s\n%v\n%+v\n%s\n%s", strings.Join(s.f.done, ", then: "), s.f.options.Encode(), s.refused,
		s.sum, strings.Join(s.findings, "\n"), s.text)
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat it with -seed %d", seed)
	return seed
}

// TestNeverWrong: whatever is done to a statement, no order is settled against the vendor's ledger. What is not tested
// is what nobody can see: see deniable and credible.
func TestNeverWrong(t *testing.T) {
	seed := seedOf(t)
	var settled [3]atomic.Int64
	decisions := []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend}
	t.Run("rounds", func(t *testing.T) {
		for part := range uint64(parts) {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for n := *firstFlag + part; n < *roundsFlag && !t.Failed(); n += parts {
					s := round(t, seed, n, false)
					for _, o := range s.w.orders {
						if i := slices.Index(decisions, o.settled); i >= 0 {
							settled[i].Add(1)
						}
					}
					for _, o := range s.wrong() {
						t.Errorf("repeat it with -seed %d -first %d -rounds %d: %s\n%s", seed, n, n+1, s.w.story(o), s)
					}
				}
			})
		}
	})
	for i, v := range decisions {
		if n := settled[i].Load(); n < int64(*roundsFlag)/50 {
			t.Errorf("only %d orders were settled as %s: the test tests nothing", n, v)
		}
	}
}

// TestNeverWrongOverSQLite plays rounds with one journal that has the books of all of them, the older half archived.
func TestNeverWrongOverSQLite(t *testing.T) {
	seed := seedOf(t)
	url := journaltest.SQLite(t)
	path := strings.TrimPrefix(url, "sqlite:")
	j, err := journal.Open(t.Context(), url, journal.WithArchive(archive.Folder(filepath.Join(t.TempDir(), "archive"))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	var worlds []*world
	start := func(n int) time.Time { return dawn.Add(-time.Duration(n) * 20 * 24 * time.Hour) }
	for n := range sqlRounds {
		w := newWorld(rand.New(rand.NewPCG(seed, uint64(n))), start(n), fmt.Sprintf("w%d.", n))
		worlds = append(worlds, w)
	}
	insert(t, path, worlds)
	moved, err := j.Archive(t.Context(), start(sqlRounds/2), dawn, nil)
	if err != nil || moved.Orders == 0 {
		t.Fatal(moved, err)
	}
	orders := producer.New(j, noWaker{}, slog.New(slog.DiscardHandler))
	settled := 0
	for n, w := range worlds {
		s := &story{w: w, book: j, orders: orders}
		s.play(t, n%4 == 0)
		for _, o := range w.unknown() {
			now, err := j.Order(t.Context(), o.ID)
			if err != nil {
				t.Fatal(err)
			}
			o.settled = map[topup.State]topup.ResolvedAs{
				topup.StateSucceeded: topup.ResolvedSucceeded, topup.StateFailed: topup.ResolvedFailed,
				topup.StateRetrying: topup.ResolvedResend,
			}[now.State]
			if o.settled != "" {
				settled++
			} else if n%4 == 0 && !w.odd {
				t.Errorf("round %d of seed %d, whole: %s\n%s", n, seed, w.story(o), s)
			}
		}
		for _, o := range s.wrong() {
			t.Errorf("round %d of seed %d: %s\n%s", n, seed, w.story(o), s)
		}
	}
	if settled < sqlRounds {
		t.Errorf("only %d orders were settled", settled)
	}
}

const (
	sqlOrder = `INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata, callback_url, attempt_count, unknown_attempts,
transaction_id, reference, auth_code, created_at, updated_at, finished_at) VALUES (?, 'shop', x'00', ?, ?, 'MOVISTAR_TAE', ?, '', '', '', ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlAttempt = `INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at, finished_at, outcome)
VALUES ((SELECT key FROM orders WHERE id = ?), ?, 'w', 0, ?, ?, ?, ?)`
)

// insert writes the orders of the worlds as their lives would have, without living them.
func insert(t *testing.T, path string, worlds []*world) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(q string, args ...any) {
		if _, err := tx.ExecContext(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range worlds {
		for _, o := range w.orders {
			var finished any
			if o.State.Final() {
				finished = o.Until.UnixMicro()
			}
			doubts := 0
			if o.State == topup.StateUnknown {
				doubts = o.Attempts
			}
			exec(sqlOrder, string(o.ID), string(o.State), o.Phone.Digits(), int64(o.Amount), o.Attempt, doubts, o.TransactionID,
				o.Reference, o.AuthCode,
				o.From.UnixMicro(), o.Until.UnixMicro(), finished)
			for i, a := range o.attempts {
				exec(sqlAttempt, string(o.ID), i+1, a.at.UnixMicro(), a.giveUp.UnixMicro(), a.finished.UnixMicro(),
					string(a.outcome))
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestWholeSettlesAll: a whole statement, however it is written, settles every order that is unknown, as the ledger
// knows.
func TestWholeSettlesAll(t *testing.T) {
	seed := seedOf(t)
	for n := range *roundsFlag / 10 {
		s := round(t, seed, n, true)
		for _, o := range s.w.orders {
			held := o.State == topup.StateUnknown && (o.charges > 0 || !s.w.odd)
			if held || o.settled == topup.ResolvedSucceeded && o.charges == 0 || o.settled != topup.ResolvedSucceeded &&
				o.settled != "" && o.charges > 0 {
				t.Fatalf("round %d of seed %d: %s\n%s", n, seed, s.w.story(o), s)
			}
		}
		if slices.ContainsFunc(s.findings, func(f string) bool { return strings.HasPrefix(f, "bad_line") }) {
			t.Fatalf("round %d of seed %d: %s", n, seed, s)
		}
	}
}
