package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"recarga/internal/archive"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/reconcile"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noWaker: the queue is not what is tested here.
type noWaker struct{}

func (noWaker) EnqueueOrder(context.Context, topup.Request, time.Time) error { return nil }
func (noWaker) EnqueueEvent(context.Context, string, time.Time) error        { return nil }

// shop is a journal with a day of orders two days ago: one succeeded every ten minutes, and those of a test.
type shop struct {
	t       *testing.T
	journal *journal.Journal
	dawn    time.Time
	// lines are the statement's, by order; extra are lines beside them.
	lines map[string]string
	extra []string
	// head is the statement's; clock is how its times are written.
	head  string
	clock string
	// resolver settles orders.
	resolver reconcile.Orders
}

const head = "date,transaction_id,distributor_transaction_id,phone_number,amount,reference,status\n"

// aDay is a shop's day of orders, made once.
var aDay struct {
	sync.Once
	dawn  time.Time
	lines map[string]string
	// book is the journal's file.
	book []byte
}

func newShop(t *testing.T) *shop {
	t.Helper()
	aDay.Do(func() {
		url := journaltest.SQLite(t)
		s := shopIn(t, url)
		for i := range 24 * 6 {
			s.order(fmt.Sprintf("DAY-%03d", i), topup.StateSucceeded, s.at(time.Duration(i)*10*time.Minute))
		}
		s.check(s.journal.Close())
		var err error
		aDay.dawn, aDay.lines = s.dawn, s.lines
		aDay.book, err = os.ReadFile(strings.TrimPrefix(url, "sqlite:"))
		s.check(err)
	})
	path := filepath.Join(testkit.Memory(t), "recarga.db")
	if err := os.WriteFile(path, aDay.book, 0o600); err != nil {
		t.Fatal(err)
	}
	s := shopIn(t, "sqlite:"+path)
	s.dawn, s.lines = aDay.dawn, maps.Clone(aDay.lines)
	return s
}

func emptyShop(t *testing.T) *shop {
	t.Helper()
	return shopIn(t, journaltest.SQLite(t))
}

// shopIn is a shop with the journal of a database.
func shopIn(t *testing.T, url string) *shop {
	t.Helper()
	j, err := journal.Open(t.Context(), url, journal.WithArchive(archive.Folder(filepath.Join(t.TempDir(), "archive"))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return &shop{
		t: t, journal: j, dawn: time.Now().UTC().Truncate(24 * time.Hour).Add(
			-48 * time.Hour), lines: map[string]string{}, head: head,
		clock: time.RFC3339, resolver: producer.New(j, noWaker{}, slog.New(slog.DiscardHandler)),
	}
}

func (s *shop) at(d time.Duration) time.Time { return s.dawn.Add(d) }

func (s *shop) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// order brings an order into a state, by one attempt at the time; one that succeeded has its line.
func (s *shop) order(id string, state topup.State, at time.Time) {
	s.t.Helper()
	s.accept(id, "5537686660", topup.Pesos(10), at)
	if state == topup.StateSucceeded {
		s.lines[id] = s.charge(id, at)
	}
	if state != topup.StateQueued {
		s.attempt(id, 0, state, at)
	}
}

func (s *shop) accept(id string, phone topup.Phone, amount topup.Amount, at time.Time) {
	s.t.Helper()
	_, _, err := s.journal.Accept(s.t.Context(),
		topup.Request{ID: topup.ID(id), Caller: "shop", Phone: phone, Product: "MOVISTAR_TAE", Amount: amount}, at)
	s.check(err)
}

// attempt makes the next attempt of an order.
func (s *shop) attempt(id string, before int, state topup.State, at time.Time) {
	s.t.Helper()
	o, err := s.journal.Begin(s.t.Context(), topup.ID(id), before, "w", at.Add(2*time.Minute), at)
	s.check(err)
	if state == topup.StateSubmitting {
		return
	}
	settle := topup.Settlement{ID: o.ID, Number: o.AttemptCount, State: state}
	switch state {
	case topup.StateSucceeded:
		settle.Result = topup.Result{Outcome: topup.OutcomeApproved, Code: "00", TransactionID: "TXN-" + id,
			Reference: "RRN-" + id, AuthCode: "AUTH-" + id}
	case topup.StateFailed:
		settle.Reason, settle.Result = topup.ReasonDeclined, topup.Result{Outcome: topup.OutcomeDeclined, Code: "51"}
	case topup.StateRetrying:
		settle.Result = topup.Result{Outcome: topup.OutcomeUnavailable, Code: "91"}
	default:
		settle.Result = topup.Result{Outcome: topup.OutcomeUnknown}
	}
	_, _, err = s.journal.Finish(s.t.Context(), settle, at.Add(3*time.Second))
	s.check(err)
}

// charge is the statement's line of an order.
func (s *shop) charge(id string, at time.Time) string {
	return fmt.Sprintf("%s,TXN-%s,%s,5537686660,10.00,RRN-%s,Aprobado\n", at.Add(time.Second).Format(s.clock), id, id, id)
}

// edit changes the line of an order.
func (s *shop) edit(id, old, now string) {
	s.t.Helper()
	if !strings.Contains(s.lines[id], old) {
		s.t.Fatalf("%q is not in %q", old, s.lines[id])
	}
	s.lines[id] = strings.ReplaceAll(s.lines[id], old, now)
}

func (s *shop) statement() io.Reader {
	var b strings.Builder
	b.WriteString(s.head)
	for _, id := range slices.Sorted(maps.Keys(s.lines)) {
		b.WriteString(s.lines[id])
	}
	for _, l := range s.extra {
		b.WriteString(l)
	}
	return strings.NewReader(b.String())
}

// reconcile returns the findings as "class order detail", sorted, and the summary.
func (s *shop) reconcile(query string) ([]string, reconcile.Summary) {
	s.t.Helper()
	return s.reconcileText(s.statement(), query)
}

func (s *shop) reconcileText(statement io.Reader, query string) ([]string, reconcile.Summary) {
	s.t.Helper()
	q, err := url.ParseQuery(query)
	s.check(err)
	opts, err := reconcile.ParseOptions(q, time.Now())
	s.check(err)
	read, err := reconcile.Read(s.t.Context(), statement, opts)
	s.check(err)
	defer func() { s.check(read.Close()) }()
	quiet := slog.New(slog.DiscardHandler)
	var findings []string
	var sum *reconcile.Summary
	err = reconcile.New(s.journal, s.resolver, quiet).Run(s.t.Context(), read,
		func(r reconcile.Result) error {
			if f := r.Finding; f != nil {
				findings = append(findings, fmt.Sprintf("%s %s %s", f.Class, f.ID, f.Detail))
			}
			if r.Summary != nil {
				sum = r.Summary
			}
			return nil
		})
	s.check(err)
	if sum == nil {
		s.t.Fatal("no summary")
	}
	slices.Sort(findings)
	return findings, *sum
}

func (s *shop) state(id string) topup.State {
	s.t.Helper()
	o, err := s.journal.Order(s.t.Context(), topup.ID(id))
	s.check(err)
	return o.State
}

const day = 24 * time.Hour

// TestFindings has one case for everything that a statement and the book can differ in, and for every
// reason to settle an unknown order or to hold it. X is the order of each case, at noon.
func TestFindings(t *testing.T) {
	unknown := func(s *shop) { s.order("X", topup.StateUnknown, s.at(day/2)) }
	charged := func(s *shop) { unknown(s); s.lines["X"] = s.charge("X", s.at(day/2)) }
	absent := "absent=failed"
	held := "unknown_held X no line charges it; held: "
	for _, c := range []struct {
		name, query string
		set         func(*shop)
		want        []string // each the beginning of a finding
		state       topup.State
	}{
		{"all agree", "", func(s *shop) {}, nil, ""},
		{"unknown, found", "", charged, []string{"unknown_found X line 146: charged as TXN-X"}, topup.StateSucceeded},
		{"unknown, found, dry run", "dry_run=true", charged, []string{"unknown_found X line 146: charged as TXN-X"},
			topup.StateUnknown},
		{"unknown, another amount", "", func(s *shop) { charged(s); s.edit("X", "10.00", "20.00") },
			[]string{"unknown_held X charged, and the amount differs: 10 here, 20 there"}, topup.StateUnknown},
		{"unknown, another phone", "", func(s *shop) { charged(s); s.edit("X", "5537686660", "5512345678") },
			[]string{"unknown_held X charged, and the phone differs: 5537686660 here, 5512345678 there"}, topup.StateUnknown},
		{"unknown, charged twice", "", func(s *shop) {
			charged(s)
			s.extra = []string{strings.ReplaceAll(s.charge("X", s.at(day/2)), "-X", "-X2")}
		},
			[]string{"charged_twice X 2 charges", "unknown_found X line 146: charged as TXN-X"}, topup.StateSucceeded},
		{"unknown, charged twice, one of them returned", "", func(s *shop) {
			charged(s)
			again := strings.ReplaceAll(s.charge("X", s.at(day/2)), "TXN-X", "TXN-X2")
			s.extra = []string{again, strings.ReplaceAll(again, "Aprobado", "Reversado")}
		}, []string{"unknown_found X line 146: charged as TXN-X"}, topup.StateSucceeded},
		{"unknown, the line is there twice", "", func(s *shop) { charged(s); s.extra = []string{s.lines["X"]} },
			[]string{"repeated_line X 2 lines of one charge",
				"unknown_found X line 146: charged as TXN-X"}, topup.StateSucceeded},
		{"unknown, charged and reversed elsewhere", "", func(s *shop) {
			charged(s)
			s.extra = []string{strings.NewReplacer("TXN-X", "REV-X", "Aprobado", "Reversado").Replace(s.lines["X"])}
		}, []string{`unknown_held X charged in line 146; line 147 says "Reversado" (reversed)`}, topup.StateUnknown},
		{"unknown, pending", "absent=failed", func(s *shop) { charged(s); s.edit("X", "Aprobado", "Pendiente") },
			[]string{`unknown_held X line 146 says "Pendiente" (pending)`}, topup.StateUnknown},
		{"unknown, not readable", absent, func(s *shop) { charged(s); s.edit("X", "10.00", "ten") },
			[]string{"bad_line X amount: ", "unknown_held X line 146 says what cannot be read"}, topup.StateUnknown},

		{"absent, hold", "", unknown, []string{held + "absent=hold"}, topup.StateUnknown},
		{"absent, failed", absent, unknown, []string{"unknown_absent X no line charges it"}, topup.StateFailed},
		{"absent, resend", "absent=resend", unknown, []string{"unknown_absent X no line charges it"}, topup.StateRetrying},
		{"absent, dry run", absent + "&dry_run=true", unknown, []string{"unknown_absent X no line charges it"},
			topup.StateUnknown},
		{"declined", absent, func(s *shop) { charged(s); s.edit("X", "Aprobado", "Rechazado") },
			[]string{`unknown_absent X line 146 says "Rechazado" (declined)`}, topup.StateFailed},
		{"reversed, hold", "", func(s *shop) { charged(s); s.edit("X", "Aprobado", "Reversado") },
			[]string{`unknown_held X line 146 says "Reversado" (reversed); held: absent=hold`}, topup.StateUnknown},
		{"absent, two attempts", absent, func(s *shop) {
			unknown(s)
			_, _, err := s.journal.Resolve(s.t.Context(), "X",
				topup.Resolution{Outcome: topup.ResolvedResend, Reason: "r", By: "b"}, s.at(day/2+3*time.Minute))
			s.check(err)
			s.attempt("X", 1, topup.StateUnknown, s.at(day/2+4*time.Minute))
		}, []string{"unknown_absent X no line charges it"}, topup.StateFailed},
		{"absent, the second attempt is after the statement", absent, func(s *shop) {
			unknown(s)
			_, _, err := s.journal.Resolve(s.t.Context(), "X",
				topup.Resolution{Outcome: topup.ResolvedResend, Reason: "r", By: "b"}, s.at(day/2+3*time.Minute))
			s.check(err)
			s.attempt("X", 1, topup.StateUnknown, s.at(day+time.Hour))
		}, []string{held + "its attempts, from "}, topup.StateUnknown},
		{"absent, nearer the end than the margin", absent,
			func(s *shop) { s.order("X", topup.StateUnknown, s.at(day-40*time.Minute)) },
			[]string{held + "its attempts, from "}, topup.StateUnknown},
		{"absent, a smaller margin", absent + "&margin=5m",
			func(s *shop) { s.order("X", topup.StateUnknown, s.at(day-40*time.Minute)) },
			[]string{"unknown_absent X no line charges it"}, topup.StateFailed},
		{"absent, long after the statement", absent,
			func(s *shop) { s.order("X", topup.StateUnknown, s.at(day+6*time.Hour)) }, nil, topup.StateUnknown},
		{"absent, a stretched statement", absent, func(s *shop) {
			s.order("X", topup.StateUnknown, s.at(day+6*time.Hour))
			// a time that was misread
			s.edit("DAY-000", s.at(time.Second).Format(time.RFC3339), s.at(day+20*time.Hour).Format(time.RFC3339))
		}, nil, topup.StateUnknown},
		{"absent, another time zone", absent + "&covers=%s", func(s *shop) {
			unknown(s)
			for id, l := range s.lines {
				at, rest, _ := strings.Cut(l, ",")
				was, err := time.Parse(time.RFC3339, at)
				s.check(err)
				s.lines[id] = was.Add(-6*time.Hour).Format(time.RFC3339) + "," + rest
			}
		}, []string{held + "the statement's times are not those of our attempts"}, topup.StateUnknown},
		{"absent, a statement cut short", absent, func(s *shop) {
			unknown(s)
			delete(s.lines, "DAY-010")
			delete(s.lines, "DAY-011")
		}, []string{
			"missing_there DAY-010 no line names it", "missing_there DAY-011 no line names it",
			held + "the statement is not complete: it lacks or denies 2 orders that succeeded, such as DAY-010",
		}, topup.StateUnknown},
		{"absent, a bad line has its id", absent, func(s *shop) { unknown(s); s.extra = []string{"X,\n"} },
			[]string{"bad_line  2 values, the header has 7",
				held + "line 146, which cannot be read, has its id"}, topup.StateUnknown},
		{"absent, a bad line without its id", absent, func(s *shop) { unknown(s); s.extra = []string{"?,1440.00\n"} },
			[]string{"bad_line  2 values, the header has 7",
				held + "what cannot be read may be its charge: 1 lines"}, topup.StateUnknown},
		{"absent, a stranger may be its charge", absent,
			func(s *shop) { unknown(s); s.extra = []string{s.charge("Y", s.at(day/2))} },
			[]string{"missing_here Y we know no such order",
				"unknown_held X no line charges it; a charge of the same phone, amount and time " +
					"that no order claims: line 146 (TXN-Y); held: line 146, a charge that no order claims, may be its charge"},
			topup.StateUnknown},
		{"absent, a stranger's charge of another amount", absent, func(s *shop) {
			unknown(s)
			s.extra = []string{strings.ReplaceAll(s.charge("Y", s.at(day/2)), "10.00", "30.00")}
		}, []string{"missing_here Y we know no such order", held +
			"line 146, a charge that no order claims, may be its charge"}, topup.StateUnknown},
		{"absent, a stranger's charge of another phone and time", absent, func(s *shop) {
			unknown(s)
			s.extra = []string{strings.ReplaceAll(s.charge("Y", s.at(time.Hour)), "5537686660", "5512345678")}
		}, []string{"missing_here Y we know no such order", "unknown_absent X no line charges it"}, topup.StateFailed},
		{"absent, a stranger's charge of its phone at another time", absent,
			func(s *shop) { unknown(s); s.extra = []string{s.charge("Y", s.at(time.Hour))} },
			[]string{"missing_here Y we know no such order",
				held + "line 146, a charge that no order claims, may be its charge"}, topup.StateUnknown},
		{"absent, covered by hand, and nothing after it", absent + "&covers=%s",
			func(s *shop) { s.order("X", topup.StateUnknown, s.at(day-40*time.Minute)) },
			[]string{held + "fewer than 3 orders that the distributor approved lie after it"}, topup.StateUnknown},
		{"absent, in a smaller time than the statement's", absent + "&covers=%s", func(s *shop) {
			unknown(s)
			delete(s.lines, "DAY-143")
		}, []string{"missing_there DAY-143 ", held +
			"the statement is not complete: it lacks or denies 1 orders"}, topup.StateUnknown},

		{"failed, and charged", "", func(s *shop) {
			s.order("X", topup.StateFailed, s.at(day/2))
			s.lines["X"] = s.charge("X", s.at(day/2))
		}, []string{"missing_here X we call it failed, which says that no money moved"}, topup.StateFailed},
		{"retrying, and charged", "", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			s.lines["X"] = s.charge("X", s.at(day/2))
		}, []string{"unknown_found X we called it retrying; it is not sent again; line 146: charged as TXN-X"},
			topup.StateSucceeded},
		{"retrying, and charged, tried only", "dry_run=true", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			s.lines["X"] = s.charge("X", s.at(day/2))
		}, []string{"unknown_found X we called it retrying; it is not sent again; line 146: charged as TXN-X"},
			topup.StateRetrying},
		{"retrying, and charged with another amount", "", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			s.lines["X"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), ",10.00,", ",20.00,")
		}, []string{"unknown_held X we called it retrying; it is not sent again; charged, and the amount differs: 10 " +
			"here, 20 there"}, topup.StateUnknown},
		{"retrying, and charged at another time", "", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			s.lines["X"] = s.charge("X", s.at(3*day/4))
		}, []string{"unknown_held X we called it retrying; it is not sent again; charged, and the time differs"},
			topup.StateUnknown},
		{"retrying, and charged, and a column that is not understood", "", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			s.lines["X"] = s.charge("X", s.at(day/2))
			s.head = strings.Replace(head, "reference", "aplica_reverso", 1)
		}, []string{"missing_here X we call it retrying, which says that no money moved; not held: not all of the " +
			"statement is understood"}, topup.StateRetrying},
		{"retrying, and declined", "", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			s.lines["X"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), "Aprobado", "Rechazado")
		}, nil, topup.StateRetrying},
		{"queued, and charged", "", func(s *shop) {
			s.accept("X", "5537686660", topup.Pesos(10), s.at(day/2))
			s.lines["X"] = s.charge("X", s.at(day/2))
		}, []string{"unknown_held X we called it queued; it is not sent again; charged, and it was never sent, as far as " +
			"we know"}, topup.StateUnknown},
		{"under way again, and charged before", "", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			s.attempt("X", 1, topup.StateSubmitting, s.at(3*day/4))
			s.lines["X"] = s.charge("X", s.at(day/2))
		}, []string{"missing_here X an attempt is under way, and not all of this is its charge"}, topup.StateSubmitting},
		{"failed, and declined", "", func(s *shop) {
			s.order("X", topup.StateFailed, s.at(day/2))
			s.lines["X"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), "Aprobado", "Rechazado")
		}, nil, topup.StateFailed},
		{"under way, and charged", "", func(s *shop) {
			s.order("X", topup.StateSubmitting, s.at(day/2))
			s.lines["X"] = s.charge("X", s.at(day/2))
		}, nil, topup.StateSubmitting},
		{"a stranger", "", func(s *shop) {
			s.extra = []string{s.charge("Y", s.at(0)), strings.ReplaceAll(s.charge("Z", s.at(0)), "Aprobado", "Rechazado")}
		},
			[]string{"missing_here Y we know no such order"}, ""},
		{"an id that cannot be ours", "", func(s *shop) { s.extra = []string{s.charge("no id", s.at(0))} },
			[]string{"missing_here no id we know no such order"}, ""},
		{"sold, left out", "", func(s *shop) { delete(s.lines, "DAY-072") },
			[]string{"missing_there DAY-072 no line names it, nor its transaction"}, ""},
		{"sold, left out near the end", "", func(s *shop) { delete(s.lines, "DAY-142") },
			[]string{"missing_there DAY-142 no line names it, nor its transaction; it is near an end of what is covered"}, ""},
		{"sold, left out, and in a bad line", "", func(s *shop) { s.lines["DAY-072"] = "DAY-072\n" },
			[]string{"bad_line  1 values, the header has 7"}, ""},
		{"sold, named by the transaction", "", func(s *shop) { s.edit("DAY-072", ",DAY-072,", ",,") }, nil, ""},
		{"sold, named by the transaction, under another id", "", func(s *shop) {
			s.edit("DAY-072",
				",DAY-072,5537686660,10.00", ",OTHER,5537686660,20.00")
		},
			[]string{"amount_differs DAY-072 10 here, 20 there; the statement calls it OTHER"}, ""},
		{"sold, named by the reference", "", func(s *shop) { s.edit("DAY-072", "TXN-DAY-072,DAY-072,", ",,") }, nil, ""},
		{"sold, another order has its transaction", "", func(s *shop) { s.edit("DAY-072", ",DAY-072,", ",DAY-071,") },
			[]string{"charged_twice DAY-071 2 charges", "missing_there DAY-072 no line names it"}, ""},
		{"sold, reversed", "", func(s *shop) { s.edit("DAY-072", "Aprobado", "Reversado") },
			[]string{`not_charged DAY-072 line 74 says "Reversado" (reversed)`}, ""},
		{"sold, charged and reversed", "", func(s *shop) {
			s.extra = []string{strings.ReplaceAll(s.lines["DAY-072"],
				"Aprobado", "Cancelada")}
		},
			[]string{`not_charged DAY-072 line 146 says "Cancelada" (reversed)`}, ""},
		{"sold, declined once and charged", "", func(s *shop) {
			s.extra = []string{strings.NewReplacer("TXN-", "TXN-1-", "RRN-", "RRN-1-", "Aprobado",
				"Rechazado").Replace(s.lines["DAY-072"])}
		}, nil, ""},
		{"sold, charged twice and returned once", "", func(s *shop) {
			again := strings.ReplaceAll(s.lines["DAY-072"], "TXN-DAY", "TXN-2-DAY")
			s.extra = []string{strings.ReplaceAll(again, "Aprobado", "Devuelta"), again}
		}, nil, ""},
		{"sold, another transaction", "", func(s *shop) { s.edit("DAY-072", "TXN-DAY", "TXN-2-DAY") },
			[]string{"transaction_differs DAY-072 TXN-DAY-072 here, TXN-2-DAY-072 there"}, ""},
		{"sold, another amount and phone", "",
			func(s *shop) { s.edit("DAY-072", "5537686660,10.00", "+52 55 1234 5678,9.99") },
			[]string{"amount_differs DAY-072 10 here, 9.99 there", "phone_differs DAY-072 5537686660 here, 5512345678 there"},
			""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			c.set(s)
			query := strings.ReplaceAll(c.query, "%s", s.at(-time.Hour).Format(time.RFC3339)+".."+
				s.at(day+time.Hour).Format(time.RFC3339))
			got, sum := s.reconcile(query)
			begins := slices.EqualFunc(c.want, got, func(want, got string) bool { return strings.HasPrefix(got, want) })
			if !begins {
				t.Errorf("found %s\nwant  %s\n%+v", strings.Join(got, "\n      "), strings.Join(c.want, "\n      "), sum)
			}
			if c.state != "" && s.state("X") != c.state {
				t.Errorf("X is %s, want %s", s.state("X"), c.state)
			}
			if again, _ := s.reconcile(query); !sum.DryRun {
				left := slices.DeleteFunc(got, func(f string) bool {
					return strings.HasPrefix(f, "unknown_found") || strings.HasPrefix(f, "unknown_absent")
				})
				for i := range left { // what was held is unknown now
					left[i] = regexp.MustCompile(`we called it \w+; it is not sent again; `).ReplaceAllString(left[i], "")
				}
				if diff := cmp.Diff(left, again); diff != "" && len(left)+len(again) > 0 {
					t.Errorf("the second time:\n%s", diff)
				}
			}
		})
	}
}

// TestTotals: charged and sold are equal where all agree, once what was unknown is settled.
func TestTotals(t *testing.T) {
	s := newShop(t)
	s.order("X", topup.StateUnknown, s.at(day/2))
	s.lines["X"] = s.charge("X", s.at(day/2))
	_, sum := s.reconcile("name=a.csv&by=ana")
	want := reconcile.Total{Count: 145, Amount: topup.Pesos(1450)}
	if !sum.Agrees || sum.Charged != want || sum.Sold != want || sum.Matched != 144 ||
		sum.Settled[topup.ResolvedSucceeded] != 1 {
		t.Errorf("%+v", sum)
	}
	d, err := s.journal.Details(t.Context(), "X")
	s.check(err)
	r := d.Resolutions[0]
	if r.By != "ana" || r.Reason != `statement "a.csv" (sha256 `+sum.SHA256+`), line 146: charged as TXN-X` ||
		d.TransactionID != "TXN-X" || d.Reference != "RRN-X" {
		t.Errorf("%+v of %+v", r, d.Order)
	}
}

// TestBrokenOff: a statement whose transfer breaks settles nothing, and a reader of the results that goes
// away ends the reconciliation.
func TestBrokenOff(t *testing.T) {
	s := newShop(t)
	s.order("X", topup.StateUnknown, s.at(day/2))
	s.lines["X"] = s.charge("X", s.at(day/2))
	opts, err := reconcile.ParseOptions(nil, time.Now())
	s.check(err)
	gone := errors.New("gone")
	if _, err := reconcile.Read(t.Context(), io.MultiReader(s.statement(), broken{gone}), opts); !errors.Is(err, gone) {
		t.Errorf("the transfer breaks: %v", err)
	}
	read, err := reconcile.Read(t.Context(), s.statement(), opts)
	s.check(err)
	quiet := slog.New(slog.DiscardHandler)
	r := reconcile.New(s.journal, producer.New(s.journal, noWaker{}, quiet), quiet)
	if err := r.Run(t.Context(), read, func(reconcile.Result) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("the reader goes: %v", err)
	}
	s.check(read.Close())
	if got, sum := s.reconcile(""); s.state("X") != topup.StateSucceeded || len(got) > 1 {
		t.Errorf("repeated: %s, %+v", got, sum)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
