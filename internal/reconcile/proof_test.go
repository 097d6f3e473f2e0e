package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal/search"
	"recarga/internal/reconcile"
	"recarga/topup"
)

// all changes every line.
func (s *shop) all(old, now string) {
	for id := range s.lines {
		s.lines[id] = strings.ReplaceAll(s.lines[id], old, now)
	}
}

// rewrite writes the times of all lines anew, in UTC.
func (s *shop) rewrite(clock string) {
	s.t.Helper()
	for id, l := range s.lines {
		at, rest, _ := strings.Cut(l, ",")
		was, err := time.Parse(s.clock, at)
		s.check(err)
		s.lines[id] = was.Format(clock) + "," + rest
	}
	s.clock = clock
}

// delivered marks every event of an order as delivered.
func (s *shop) delivered(id string) {
	s.t.Helper()
	d, err := s.journal.Details(s.t.Context(), topup.ID(id))
	s.check(err)
	for _, ev := range d.Events {
		s.check(s.journal.RecordTry(s.t.Context(), ev, topup.Try{At: s.dawn, Status: new(200)}, topup.EventDelivered,
			time.Time{}))
	}
}

// between are the orders of a part of the day, from one hour to another.
func between(from, until int) (ids []string) {
	for i := from * 6; i < until*6; i++ {
		ids = append(ids, fmt.Sprintf("DAY-%03d", i))
	}
	return ids
}

// TestAbsenceNeedsProof has a case for every statement that was once believed and did not prove what it seemed to. X
// was charged, at noon; the statement hides it. It must stay unknown, with the reason.
func TestAbsenceNeedsProof(t *testing.T) {
	unknown := func(s *shop) { s.order("X", topup.StateUnknown, s.at(day/2)) }
	wide := "&covers=%s"
	for _, c := range []struct {
		name, query string
		set         func(*shop)
		why         string
	}{
		{"an earlier statement charges it", "", func(s *shop) {
			s.order("X", topup.StateRetrying, s.at(day/2))
			_, _, err := s.journal.Hold(s.t.Context(), "X", topup.Hold{Evidence: "statement 1, line 7", By: "ana"}, s.at(day))
			s.check(err)
		}, "another statement charges it"},
		{"its neighbour is missing too", "", func(s *shop) { unknown(s); delete(s.lines, "DAY-072") },
			"it is not complete: it lacks or denies 1 orders"},
		{"an hour is missing", "", func(s *shop) {
			unknown(s)
			maps.DeleteFunc(s.lines, func(id, _ string) bool { return slices.Contains(between(12, 13), id) })
		}, "it is not complete: it lacks or denies 6 orders"},
		{"an hour of archived orders is missing", "", func(s *shop) {
			unknown(s)
			for id := range s.lines {
				s.delivered(id)
			}
			moved, err := s.journal.Archive(s.t.Context(), time.Now(), time.Now(), nil)
			if s.check(err); moved.Orders != 144 {
				s.t.Fatalf("%d orders are archived", moved.Orders)
			}
			maps.DeleteFunc(s.lines, func(id, _ string) bool { return slices.Contains(between(12, 13), id) })
		}, "it is not complete: it lacks or denies 6 orders"},
		{"its hour is missing, and all other hours are not covered", "&covers=%n", func(s *shop) {
			unknown(s)
			maps.DeleteFunc(s.lines, func(id, _ string) bool { return slices.Contains(between(9, 12), id) })
		}, "the statement does not charge DAY-0"},
		{"all is called declined", wide, func(s *shop) {
			unknown(s)
			s.lines["X"] = s.charge("X", s.at(day/2))
			s.all("Aprobado", "Rechazado")
		}, "the statement contradicts more than it confirms"},
		{"a few are called declined", "", func(s *shop) {
			unknown(s)
			s.lines["X"] = s.charge("X", s.at(day/2))
			for _, id := range []string{"X", "DAY-003", "DAY-080"} {
				s.edit(id, "Aprobado", "Rechazado")
			}
		}, "it is not complete: it lacks or denies 2 orders"},
		{"a few are called reversed", "", func(s *shop) {
			unknown(s)
			s.lines["X"] = s.charge("X", s.at(day/2))
			for _, id := range []string{"X", "DAY-003"} {
				s.edit(id, "Aprobado", "Reversado")
			}
		}, "it is not complete: it lacks or denies 1 orders"},
		{"a status that nobody knows", "", func(s *shop) {
			unknown(s)
			s.lines["X"] = s.charge("X", s.at(day/2))
			s.edit("X",
				"Aprobado", "1")
		},
			"line 146 says what cannot be read"},
		{"it stands under the id of an order that was sold", "", func(s *shop) {
			unknown(s)
			s.extra = []string{strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,", ",DAY-071,")}
		}, "the statement does not charge DAY-071"},
		{"it stands in the place of an order that was sold", "", func(s *shop) {
			unknown(s)
			s.lines["DAY-071"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,", ",DAY-071,")
		}, "it is not complete: it lacks or denies 1 orders that succeeded, such as DAY-071"},
		{"it stands in the place of an order that was sold, without the distributor's ids", "", func(s *shop) {
			unknown(s)
			s.head = "date,operator,distributor_transaction_id,phone_number,amount,product,status\n"
			s.lines["DAY-071"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,5537686660,", ",DAY-071,5512345678,")
		}, "the statement does not charge DAY-071"},
		{"it stands under the id of another order in doubt, and its line alone does not say the phone", "", func(s *shop) {
			unknown(s)
			s.order("D", topup.StateUnknown, s.at(day/2))
			s.extra = []string{strings.NewReplacer(",X,", ",D,", "5537686660",
				"55376*****").Replace(s.charge("X", s.at(day/2)))}
		}, "line 146, a charge that no order claims"},
		{"it stands before the header, and cannot be read", "", func(s *shop) {
			unknown(s)
			s.head = strings.ReplaceAll(s.charge("X", s.at(day/2)), "10.00", "ten") + head
		}, "line 1 says what cannot be read"},
		{"it stands under the id of an order that failed", "", func(s *shop) {
			unknown(s)
			s.order("F", topup.StateFailed, s.at(day/2))
			s.extra = []string{strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,", ",F,")}
		}, "line 146, a charge that no order claims"},
		{"it stands under the id of an order that was never sent", "", func(s *shop) {
			unknown(s)
			s.order("Q", topup.StateQueued, s.at(day/2))
			s.extra = []string{strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,", ",Q,")}
		}, "line 146, a charge that no order claims"},
		{"a margin of nothing, and the statement cuts its times off", "&margin=0s", func(s *shop) {
			s.order("X", topup.StateUnknown, s.at(day/2+500*time.Millisecond))
			s.extra = []string{strings.ReplaceAll(s.charge("Y", s.at(day/2-time.Second)), "5537686660", "5512345678")}
		}, "line 146, a charge that no order claims"},
		{"a margin of nothing, and minutes only", "&margin=0s&timezone=UTC", func(s *shop) {
			s.order("X", topup.StateUnknown, s.at(day/2+30*time.Second))
			s.rewrite("2006-01-02 15:04")
			s.extra = []string{strings.ReplaceAll(s.charge("Y", s.at(day/2-time.Second)), "5537686660", "5512345678")}
		}, "line 146, a charge that no order claims"},
		{"a margin of nothing, and minutes only in some lines", "&margin=0s&timezone=UTC", func(s *shop) {
			s.order("X", topup.StateUnknown, s.at(day/2+30*time.Second))
			y := s.charge("Y", s.at(day/2-time.Second))
			s.extra = []string{strings.NewReplacer(y[:len("2006-01-02T15:04:05Z")], s.at(day/2).Format("2006-01-02 15:04"),
				"5537686660", "5512345678").Replace(y)}
		}, "line 146, a charge that no order claims"},
		{"a margin of nothing, and whole hours", "&margin=0s&timezone=UTC" + wide, func(s *shop) {
			s.order("X", topup.StateUnknown, s.at(day/2+30*time.Minute))
			s.rewrite("2006-01-02 15:00:00")
			s.extra = []string{strings.ReplaceAll(s.charge("Y", s.at(day/2)), "5537686660", "5512345678")}
		}, "line 146, a charge that no order claims"},
		{"dates without times", "&timezone=UTC&margin=0s" + wide, func(s *shop) {
			for i := range 8 { // enough of them on the days before and after
				s.order(fmt.Sprintf("BEFORE-%d", i), topup.StateSucceeded, s.at(-48*time.Hour+time.Duration(i)*time.Minute))
				s.order(fmt.Sprintf("AFTER-%d", i), topup.StateSucceeded, s.at(42*time.Hour+time.Duration(i)*time.Minute))
			}
			unknown(s)
			s.rewrite("2006-01-02")
			s.extra = []string{strings.ReplaceAll(s.charge("Y", s.at(day/2)), "5537686660", "5512345678")}
		}, "a charge that no order claims"},
		{"more than a hundred lines of one id", "", func(s *shop) {
			unknown(s)
			for i := range 150 {
				other := strings.ReplaceAll(s.charge(fmt.Sprint("N", i), s.at(0)), fmt.Sprintf(",N%d,5537686660", i),
					",0,5512345678")
				if i == 120 {
					other = strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,", ",0,")
				}
				s.extra = append(s.extra, other)
			}
		}, "line 266, a charge that no order claims"},
		{"more lines of one id than are held in memory", "", func(s *shop) {
			unknown(s)
			for i := range 10_100 {
				other := strings.ReplaceAll(s.charge(fmt.Sprint("N", i), s.at(0)), fmt.Sprintf(",N%d,5537686660", i),
					",0,5512345678")
				if i == 10_050 {
					other = strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,", ",0,")
				}
				s.extra = append(s.extra, other)
			}
		}, "line 10196, a charge that no order claims"},
		{"a column that is not understood", "", func(s *shop) {
			unknown(s)
			s.head = strings.Replace(head, "status", "status,aplica_reverso", 1)
			s.all("Aprobado", "Aprobado,NO")
		}, "not all of the statement is understood"},
		{"ids that were changed on the way", "", func(s *shop) {
			unknown(s)
			s.edit("DAY-003", ",DAY-003,", ",day-3,")
		}, "calls an order of ours by another id"},
		{"its statement was settled with before", "", func(s *shop) {
			// All is in doubt in the afternoon, and the statement has every second charge of it.
			for i := range 20 {
				id := fmt.Sprintf("DOUBT-%02d", i)
				s.order(id, topup.StateUnknown, s.at(day+time.Duration(i)*10*time.Minute))
				if i%2 == 0 {
					s.lines[id] = s.charge(id, s.at(day+time.Duration(i)*10*time.Minute))
				}
			}
			s.order("X", topup.StateUnknown, s.at(day+100*time.Minute))
			s.reconcile("absent=failed&margin=1m")
		}, "fewer than 3 orders that the distributor approved lie after it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			c.set(s)
			query := strings.NewReplacer("%s", s.at(-72*time.Hour).Format(time.RFC3339)+".."+
				s.at(47*time.Hour).Format(time.RFC3339),
				"%n", s.at(day/2-time.Minute).Format(time.RFC3339)+".."+s.at(day).Format(time.RFC3339)).Replace("absent=failed" +
				c.query)
			if strings.HasSuffix(c.query, "%n") {
				query += "&margin=0s"
			}
			found, sum := s.reconcile(query)
			held := func(f string) bool {
				return strings.HasPrefix(f, "unknown_held X ") && strings.Contains(f, strings.Replace(c.why, "it is not",
					"the statement is not", 1))
			}
			if !slices.ContainsFunc(found, held) || s.state("X") != topup.StateUnknown ||
				sum.Settled[topup.ResolvedFailed] != 0 {
				t.Errorf("X is %s; want it held because %s\n%s", s.state("X"), c.why, strings.Join(found, "\n"))
			}
		})
	}
}

// meanwhile is a resolver before which X is sent again, after it was looked at.
type meanwhile struct {
	reconcile.Orders
	s *shop
}

func (m meanwhile) Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error) {
	if id == "X" {
		_, _, err := m.s.journal.Resolve(ctx, id, topup.Resolution{Outcome: topup.ResolvedResend, Reason: "r", By: "b"},
			m.s.at(day+time.Hour))
		m.s.check(err)
		m.s.attempt("X", 1, topup.StateUnknown, m.s.at(day+2*time.Hour))
	}
	return m.Orders.Resolve(ctx, id, r)
}

// TestAnotherAttempt: what is settled is the attempt that was looked at. An order that was sent again meanwhile is
// held.
func TestAnotherAttempt(t *testing.T) {
	for name, charged := range map[string]bool{"absent": false, "found": true} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.order("X", topup.StateUnknown, s.at(day/2))
			s.order("Y", topup.StateUnknown, s.at(day/2))
			if charged {
				s.lines["X"] = s.charge("X", s.at(day/2))
			}
			s.resolver = meanwhile{s.resolver, s}
			found, _ := s.reconcile("absent=failed")
			held := func(f string) bool {
				return strings.HasPrefix(f, "unknown_held X ") && strings.Contains(f,
					"the decision is about attempt 1, and the latest one is 2")
			}
			if s.state("X") != topup.StateUnknown || s.state("Y") != topup.StateFailed || !slices.ContainsFunc(found, held) {
				t.Errorf("X is %s, Y is %s\n%s", s.state("X"), s.state("Y"), strings.Join(found, "\n"))
			}
		})
	}
}

// TestFoundNeedsProof: a line that names an unknown order settles it only if it can be its charge, and nobody else's.
func TestFoundNeedsProof(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*shop)
		why  string
	}{
		{"of another time", func(s *shop) { s.lines["X"] = s.charge("X", s.at(day/4)) }, "charged, and the time differs"},
		{"of a phone that the line alone does not say", func(s *shop) {
			s.lines["X"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), "5537686660", "55376*****")
		}, "line 146 does not say the phone and the amount in MXN, as others do"},
		{"of an amount that the line alone does not say", func(s *shop) {
			s.head = strings.Replace(head, "reference", "currency", 1)
			for id, l := range s.lines {
				s.lines[id] = strings.ReplaceAll(l, "RRN-"+id, "MXN")
			}
			s.lines["X"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), "RRN-X", "USD")
		}, "line 146 does not say the phone and the amount in MXN, as others do"},
		{"the transaction of an order that was sold", func(s *shop) {
			s.lines["X"] = strings.ReplaceAll(s.charge("X", s.at(day/2)), "TXN-X", "TXN-DAY-072")
			s.edit("DAY-072", "TXN-DAY-072", "TXN-OTHER")
		}, "the charge may be that of DAY-072"},
		{"the transaction of another line", func(s *shop) {
			s.extra = []string{s.charge("X", s.at(day/2)), strings.ReplaceAll(s.charge("X", s.at(day/2)), ",X,", ",Z,")}
		}, "the charge may be that of line 147"},
		{"the only charge for an order that was sold", func(s *shop) {
			s.lines["X"] = s.charge("X", s.at(day/2))
			delete(s.lines, "DAY-072")
		}, "the charge may be that of DAY-072"},
		{"the only charge for an order that was sold, and is called declined", func(s *shop) {
			s.lines["X"] = s.charge("X", s.at(day/2))
			s.edit("DAY-072", "Aprobado", "Rechazado")
		}, "the charge may be that of DAY-072"},
		{"the only charge for an order that was sold, which has that of another", func(s *shop) {
			s.lines["X"] = s.charge("X", s.at(day/2))
			s.head = "date,operator,distributor_transaction_id,phone_number,amount,product,status\n"
			s.edit("DAY-072", s.at(day/2+time.Second).Format(s.clock), s.at(day/4).Format(s.clock))
		}, "the charge may be that of DAY-072"},
		{"the only charge for an order that was sold, at any time", func(s *shop) {
			s.lines["X"] = s.charge("X", s.at(day/2))
			delete(s.lines, "DAY-003")
			s.head = strings.Replace(head, "date", "operator", 1)
		}, "the charge may be that of DAY-003"},
		{"a column that is not understood", func(s *shop) {
			s.lines["X"] = s.charge("X", s.at(day/2))
			s.head = strings.Replace(head, "reference", "aplica_reverso", 1)
		}, "not all of the statement is understood"},
		{"a statement that calls the most declined", func(s *shop) {
			s.lines["X"] = s.charge("X", s.at(day/2))
			for _, id := range between(0, 13) {
				s.edit(id, "Aprobado", "Rechazado")
			}
		}, "the statement contradicts more than it confirms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.order("X", topup.StateUnknown, s.at(day/2))
			c.set(s)
			found, sum := s.reconcile("")
			held := func(f string) bool { return strings.HasPrefix(f, "unknown_held X ") && strings.Contains(f, c.why) }
			if s.state("X") != topup.StateUnknown || !slices.ContainsFunc(found, held) || sum.Agrees {
				t.Errorf("X is %s; want it held because %s\n%s", s.state("X"), c.why, strings.Join(found, "\n"))
			}
		})
	}
}

// TestDisputes: the final orders that a statement contradicts are marked, if the statement can contradict them.
func TestDisputes(t *testing.T) {
	one := []topup.ID{"DAY-072"}
	for _, c := range []struct {
		name, query string
		set         func(*shop)
		want        []topup.ID
	}{
		{"none", "", func(*shop) {}, nil},
		{"sold, and declined", "", func(s *shop) { s.edit("DAY-072", "Aprobado", "Rechazado") }, one},
		{"sold, and reversed", "", func(s *shop) { s.edit("DAY-072", "Aprobado", "Reversado") }, one},
		{"sold, and declined, and another is missing", "", func(s *shop) {
			s.edit("DAY-072", "Aprobado", "Rechazado")
			delete(s.lines, "DAY-003")
		}, nil},
		{"sold, and declined, at the end", "", func(s *shop) { s.edit("DAY-142", "Aprobado", "Rechazado") }, nil},
		{"sold, and declined, and a stranger", "", func(s *shop) {
			s.edit("DAY-072", "Aprobado", "Rechazado")
			s.extra = []string{s.charge("Y", s.at(day/2))}
		}, nil},
		{"sold, and reversed, dry run", "dry_run=true", func(s *shop) { s.edit("DAY-072", "Aprobado", "Reversado") }, nil},
		{"sold, and pending", "", func(s *shop) { s.edit("DAY-072", "Aprobado", "Pendiente") }, nil},
		{"sold, and another phone was declined", "", func(s *shop) {
			s.edit("DAY-072", "5537686660,10.00,RRN-DAY-072,Aprobado", "5512345678,10.00,RRN,Rechazado")
		}, nil},
		{"sold, and absent", "", func(s *shop) { delete(s.lines, "DAY-072") }, one},
		{"two sold, and absent", "", func(s *shop) { delete(s.lines, "DAY-072"); delete(s.lines, "DAY-003") }, nil},
		{"sold, and absent, and a stranger", "", func(s *shop) {
			delete(s.lines, "DAY-072")
			s.extra = []string{s.charge("Y", s.at(day/2))}
		}, nil},
		{"sold, and absent, at the end", "", func(s *shop) { delete(s.lines, "DAY-142") }, nil},
		{"failed, and charged", "", func(s *shop) {
			s.order("F", topup.StateFailed, s.at(day/2))
			s.lines["F"] = s.charge("F", s.at(day/2))
		}, []topup.ID{"F"}},
		{"failed, and another amount charged", "", func(s *shop) {
			s.order("F", topup.StateFailed, s.at(day/2))
			s.lines["F"] = strings.ReplaceAll(s.charge("F", s.at(day/2)), "10.00", "20.00")
		}, []topup.ID{"F"}},
		{"failed, and charged, by a statement that proves nothing else", "", func(s *shop) {
			s.order("F", topup.StateFailed, s.at(day/2))
			s.lines["F"] = s.charge("F", s.at(0))
			for _, id := range between(0, 13) {
				s.edit(id, "Aprobado", "Rechazado")
			}
		}, []topup.ID{"F"}},
		{"failed, and charged and taken back", "", func(s *shop) {
			s.order("F", topup.StateFailed, s.at(day/2))
			s.lines["F"] = s.charge("F", s.at(day/2))
			s.extra = []string{strings.ReplaceAll(s.lines["F"], "Aprobado", "Reversado")}
		}, nil},
		{"failed, and charged, and a column that is not understood", "", func(s *shop) {
			s.order("F", topup.StateFailed, s.at(day/2))
			s.lines["F"] = s.charge("F", s.at(day/2))
			s.head = strings.Replace(head, "reference", "aplica_reverso", 1)
		}, nil},
		{"retrying, and charged", "", func(s *shop) {
			s.order("R", topup.StateRetrying, s.at(day/2))
			s.lines["R"] = s.charge("R", s.at(day/2))
		}, nil},
		{"the most are declined", "", func(s *shop) {
			for _, id := range between(0, 13) {
				s.edit(id, "Aprobado", "Rechazado")
			}
		}, nil},
		{"a column that is not understood", "", func(s *shop) {
			s.edit("DAY-072", "Aprobado", "Reversado")
			s.head = strings.Replace(head, "reference", "aplica_reverso", 1)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			c.set(s)
			found, sum := s.reconcile(c.query + "&by=ana")
			var disputed []topup.ID
			for d, err := range s.journal.Export(t.Context(), search.Filter{Disputed: true}, search.Parts{Attempts: true}) {
				s.check(err)
				disputed = append(disputed, d.ID)
				if len(d.Disputes) != 1 || !strings.Contains(d.Disputes[0].Evidence, sum.SHA256) ||
					!strings.HasPrefix(d.Disputes[0].RaisedBy, "reconcile, run by ana") {
					t.Errorf("%s: %+v", d.ID, d.Disputes)
				}
			}
			if diff := cmp.Diff(c.want, disputed); diff != "" || sum.Disputed != int64(len(c.want)) {
				t.Errorf("%s\n%s", diff, strings.Join(found, "\n"))
			}
		})
	}
}

// TestMatching: without our ids, lines are matched by the authorisation code; a charge that no order claims is offered
// for an unknown order, and settles nothing.
func TestMatching(t *testing.T) {
	s := newShop(t)
	s.order("X", topup.StateUnknown, s.at(day/2))
	s.lines["X"] = s.charge("X", s.at(day/2))
	s.head = "date,pedido,phone_number,amount,auth_code,status\n"
	for id, l := range s.lines {
		f := strings.Split(l, ",")
		s.lines[id] = strings.Join([]string{f[0], "V" + id, f[3], f[4], strings.Replace(f[5], "RRN", "AUTH", 1), f[6]}, ",")
	}
	found, sum := s.reconcile("absent=failed")
	want := []string{
		"missing_here VX we know no such order",
		"unknown_held X no line charges it; a charge of the same phone, amount and time that no order claims: line 146 " +
			"(AUTH-X); " +
			"held: line 2 calls an order of ours by another id: the statement's ids cannot be relied on",
	}
	if diff := cmp.Diff(want, found); diff != "" || sum.Matched != 144 || s.state("X") != topup.StateUnknown {
		t.Errorf("%s\n%+v", diff, sum)
	}
}

// TestNoneOfOurIDs: a statement whose columns hold other ids says so once, and offers what could be ours.
func TestNoneOfOurIDs(t *testing.T) {
	s := newShop(t)
	s.order("X", topup.StateUnknown, s.at(day/2))
	clear(s.lines)
	s.head = "Fecha,Folio,Telefono,Monto,Estatus\n"
	s.extra = []string{
		s.at(day/2+time.Second).Format(time.RFC3339) + ",482913,5537686660,$ 10.00,Exitosa\n",
		s.at(day/2+time.Second).Format(time.RFC3339) + ",482914,5512345678,$ 10.00,Exitosa\n",
	}
	found, sum := s.reconcile("absent=failed")
	notes := slices.DeleteFunc(sum.Notes, func(n string) bool { return !strings.Contains(n, "Folio") })
	if len(notes) != 1 || !slices.ContainsFunc(found, func(f string) bool {
		return strings.HasPrefix(f, "unknown_held X no line charges it; a charge of the same phone, amount and time that "+
			"no order claims: line 2 (482913); held: ")
	}) {
		t.Errorf("%s\n%s", strings.Join(sum.Notes, "\n"), strings.Join(found, "\n"))
	}
}
