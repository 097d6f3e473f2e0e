package reconcile_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/reconcile"
	"recarga/topup"
)

// lostLine is a line of a charge at noon, as the vendor would write it.
func (s *shop) lostLine(change func(string) string) string {
	return change(s.charge("LOST", s.at(day/2)))
}

func same(l string) string { return l }

func replacing(old, now string) func(string) string {
	return func(l string) string { return strings.ReplaceAll(l, old, now) }
}

// TestRestored: what the statement says of an order that the restored book does not know. It is recorded only if the
// statement says all of it, and once.
func TestRestored(t *testing.T) {
	for _, c := range []struct {
		name string
		// make changes the shop and its statement.
		make func(*shop)
		// findings are their beginnings; the last of one that is held says why.
		findings []string
		why      string
		recorded bool
	}{
		{"whole", func(s *shop) { s.lines["LOST"] = s.lostLine(same) }, []string{"restored LOST"}, "", true},
		{"charged twice", func(s *shop) {
			s.extra = []string{s.lostLine(same), s.lostLine(replacing("TXN-LOST", "TXN-2"))}
		}, []string{"charged_twice LOST", "restored LOST"}, "", true},
		{"on two lines", func(s *shop) { s.extra = []string{s.lostLine(same), s.lostLine(same)} },
			[]string{"repeated_line LOST", "restored LOST"}, "", true},
		{"without a phone", func(s *shop) { s.lines["LOST"] = s.lostLine(replacing("5537686660", "")) },
			[]string{"missing_here LOST"}, "does not say its phone", false},
		{"of two phones", func(s *shop) {
			s.extra = []string{s.lostLine(same), s.lostLine(replacing("5537686660", "5537686661"))}
		}, []string{"missing_here LOST"}, "different phones or amounts", false},
		{"of two amounts", func(s *shop) {
			s.extra = []string{s.lostLine(same),
				s.lostLine(strings.NewReplacer("10.00", "20.00", "TXN-LOST", "TXN-2").Replace)}
		}, []string{"missing_here LOST"}, "different phones or amounts", false},
		{"with a line that cannot be read", func(s *shop) {
			s.extra = []string{s.lostLine(same), s.lostLine(replacing("10.00", "ten"))}
		}, []string{"bad_line LOST", "missing_here LOST"}, "cannot be read", false},
		{"charged and pending", func(s *shop) {
			s.extra = []string{s.lostLine(same), s.lostLine(replacing("Aprobado", "Pendiente"))}
		}, []string{"missing_here LOST"}, "pending", false},
		{"pending", func(s *shop) { s.lines["LOST"] = s.lostLine(replacing("Aprobado", "Pendiente")) },
			[]string{"missing_here LOST"}, "pending", false},
		{"charged and reversed, each for itself", func(s *shop) {
			s.extra = []string{s.lostLine(same), s.lostLine(strings.NewReplacer("TXN-LOST", "TXN-2", "Aprobado",
				"Reversado").Replace)}
		}, []string{"missing_here LOST"}, "reversed", false},
		{"reversed", func(s *shop) { s.lines["LOST"] = s.lostLine(replacing("Aprobado", "Reversado")) }, nil, "", false},
		{"declined", func(s *shop) { s.lines["LOST"] = s.lostLine(replacing("Aprobado", "Rechazado")) }, nil, "", false},
		{"with an id that no order has", func(s *shop) { s.lines["LOST"] = s.lostLine(replacing(",LOST,", ",LO ST,")) },
			[]string{"missing_here LO ST"}, "none that an order can have", false},
		{"with the transaction of a sold order", func(s *shop) {
			s.lines["LOST"] = s.lostLine(replacing("TXN-LOST", "TXN-DAY-003"))
		}, []string{"missing_here LOST"}, "may be that of DAY-003", false},
		{"with the transaction of another line", func(s *shop) {
			s.extra = []string{s.lostLine(same), s.lostLine(replacing(",LOST,", ",OTHER,"))}
		}, []string{"missing_here LOST", "missing_here OTHER"}, "may be that of line", false},
		{"in a statement of changed ids", func(s *shop) {
			s.lines["LOST"] = s.lostLine(same)
			s.edit("DAY-003", ",DAY-003,", ",ELSE-003,")
		}, []string{"missing_here LOST"}, "by another id", false},
		{"in a statement that contradicts", func(s *shop) {
			s.lines["LOST"] = s.lostLine(same)
			for _, id := range between(0, 24) {
				s.edit(id, "Aprobado", "Rechazado")
			}
		}, []string{"missing_here LOST"}, "contradicts more than it confirms", false},
		{"in a statement of another account", func(s *shop) {
			clear(s.lines)
			s.lines["LOST"] = s.lostLine(same)
		}, []string{"missing_here LOST"}, "no line is of an order of ours", false},
		{"with a column that is not understood", func(s *shop) {
			s.lines["LOST"] = s.lostLine(same)
			s.head = strings.Replace(s.head, "reference", "color", 1)
		}, []string{"missing_here LOST"}, "not all of the statement is understood", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			c.make(s)
			without := slices.DeleteFunc(s.only("restored=true&dry_run=true"), others)
			if _, err := s.journal.Order(t.Context(), "LOST"); !errors.Is(err, topup.ErrNotFound) {
				t.Errorf("a dry run recorded it: %v", err)
			}
			found := slices.DeleteFunc(s.only("restored=true"), others)
			begins := func(want, got string) bool { return strings.HasPrefix(got, want) }
			if all := strings.Join(found, "\n"); !slices.EqualFunc(c.findings, found, begins) || !strings.Contains(all, c.why) {
				t.Errorf("found %q, want %q, %q", found, c.findings, c.why)
			}
			if len(without) != len(found) {
				t.Errorf("a dry run found %q", without)
			}
			o, err := s.journal.Order(t.Context(), "LOST")
			if (err == nil) != c.recorded || c.recorded && (o.State != topup.StateSucceeded || !o.Unclaimed) {
				t.Errorf("%+v, %v", o, err)
			}
			if again := slices.DeleteFunc(s.only("restored=true"), others); slices.ContainsFunc(again, func(f string) bool {
				return strings.HasPrefix(f, "restored")
			}) {
				t.Errorf("again: %q", again)
			}
		})
	}
}

// only are the findings.
func (s *shop) only(query string) []string {
	s.t.Helper()
	found, _ := s.reconcile(query)
	return found
}

// others are findings of orders that the book sold.
func others(finding string) bool {
	return strings.Contains(finding, " DAY-") && !strings.Contains(finding, "LOST") && !strings.Contains(finding, "OTHER")
}

// TestRestoredAgrees: after a restore the book says what the statement says, by reconcile too, and the statement does
// not prove itself.
func TestRestoredAgrees(t *testing.T) {
	s := newShop(t)
	for i := range 200 { // more than the book has sold: these are no contradiction of it
		id := fmt.Sprintf("LOST-%03d", i)
		s.lines[id] = s.charge(id, s.at(24*time.Hour+time.Duration(i)*time.Minute))
	}
	_, sum := s.reconcile("restored=true")
	if !sum.Agrees || sum.Settled[topup.ResolvedRestored] != 200 || sum.Findings[reconcile.Restored] != 200 ||
		sum.Sold != sum.Charged {
		t.Errorf("%+v", sum)
	}
	for _, query := range []string{"restored=true", ""} {
		found, again := s.reconcile(query)
		if !again.Agrees || len(found) > 0 || again.Matched != sum.Matched+200 || len(again.Settled) > 0 {
			t.Errorf("%q again: %q, %+v", query, found, again)
		}
	}
	delete(s.lines, "LOST-100")
	if found, _ := s.reconcile(""); len(found) != 1 || !strings.HasPrefix(found[0], "missing_there LOST-100") {
		t.Errorf("of a statement that lacks one: %q", found)
	}
}

// TestRestoredOpen: an order that was open when the backup was made, and that was charged since, has succeeded, however
// many of its attempts the book lacks. Others stay as they are.
func TestRestoredOpen(t *testing.T) {
	later := func(s *shop, id string) { s.lines[id] = s.charge(id, s.at(40*time.Hour)) }
	for _, c := range []struct {
		name   string
		was    topup.State
		charge func(*shop, string)
		state  topup.State
		found  string
	}{
		{"queued", topup.StateQueued, later, topup.StateSucceeded, "unknown_found X"},
		{"retrying", topup.StateRetrying, later, topup.StateSucceeded, "unknown_found X"},
		{"unknown", topup.StateUnknown, later, topup.StateSucceeded, "unknown_found X"},
		{"under way", topup.StateSubmitting, later, topup.StateSubmitting, "missing_here X"},
		{"queued, and charged before it was placed", topup.StateQueued, func(s *shop, id string) {
			s.lines[id] = s.charge(id, s.at(-20*time.Hour))
		}, topup.StateUnknown, "unknown_held X"},
		{"queued, of another phone", topup.StateQueued, func(s *shop, id string) {
			later(s, id)
			s.edit(id, "5537686660", "5537686661")
		}, topup.StateUnknown, "unknown_held X"},
		{"queued, not charged", topup.StateQueued, func(*shop, string) {}, topup.StateQueued, ""},
		{"retrying, declined since", topup.StateRetrying, func(s *shop, id string) {
			later(s, id)
			s.edit(id, "Aprobado", "Rechazado")
		}, topup.StateRetrying, ""},
		{"failed", topup.StateFailed, later, topup.StateFailed, "missing_here X"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.order("X", c.was, s.at(day/2))
			s.order("BYSTANDER", topup.StateQueued, s.at(day/2))
			c.charge(s, "X")
			found, sum := s.reconcile("restored=true")
			if got := strings.Join(found, "\n"); !strings.HasPrefix(got, c.found) || (got == "") != (c.found == "") {
				t.Errorf("%q, want %q: %+v", found, c.found, sum)
			}
			if got := s.state("X"); got != c.state {
				t.Errorf("%s, want %s", got, c.state)
			}
			if got := s.state("BYSTANDER"); got != topup.StateQueued {
				t.Errorf("the bystander is %s", got)
			}
		})
	}
}

// TestRestoredSince: a charge of before the backup is none that the book has lost, unless the clocks may differ.
func TestRestoredSince(t *testing.T) {
	for made, want := range map[time.Duration]string{
		-2 * time.Hour: "restored LOST", 30 * time.Minute: "restored LOST", // by less than the margin
		2 * time.Hour: "missing_here LOST we know no such order; not recorded: charged before the backup",
	} {
		s := newShop(t)
		s.lines["LOST"] = s.lostLine(same)
		since := url.QueryEscape(s.at(day / 2).Add(made).Format(time.RFC3339))
		found := slices.DeleteFunc(s.only("restored=true&since="+since), others)
		if len(found) != 1 || !strings.HasPrefix(found[0], want) {
			t.Errorf("a backup %s after the charge: %q, want %q", made, found, want)
		}
		if _, err := s.journal.Order(t.Context(), "LOST"); (err == nil) != strings.HasPrefix(want, "restored") {
			t.Errorf("a backup %s after the charge: %v", made, err)
		}
	}
}

// TestRestoredOptions: what means nothing of the book is refused by its name.
func TestRestoredOptions(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ query, field, allowed string }{
		{"restored=true&covers=2026-11-01..2026-11-20", "covers", "left out with restored=true"},
		{"since=2026-11-20", "since", "only recarga restore-check"},
		{"restored=true&since=2026-11-29", "since", "not later than now"},
		{"restored=true&since=yesterday", "since", "RFC 3339"},
		{"restored=true&since=2026-11-20", "", ""},
		{"restored=true&since=2026-11-28T05:59:00-06:00", "", ""},
	} {
		q, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		o, err := reconcile.ParseOptions(q, now)
		fields := topup.FieldErrors(err)
		if c.field == "" && (err != nil || o.Since.IsZero()) ||
			c.field != "" && (len(fields) != 1 || fields[0].Field != c.field || !strings.Contains(fields[0].Allowed, c.allowed)) {
			t.Errorf("%s: %+v, %v", c.query, o.Since, err)
		}
	}
}

// TestRestoredSettlesNothingByAbsence: the book lacks what an absence would be compared with.
func TestRestoredSettlesNothingByAbsence(t *testing.T) {
	for _, absent := range []reconcile.Absent{reconcile.AbsentFailed, reconcile.AbsentResend} {
		q := url.Values{"restored": {"true"}, "absent": {string(absent)}}
		_, err := reconcile.ParseOptions(q, time.Now())
		if fields := topup.FieldErrors(err); len(fields) != 1 || fields[0].Field != "absent" {
			t.Errorf("%s: %v", absent, err)
		}
	}
	s := newShop(t)
	s.order("X", topup.StateUnknown, s.at(day/2))
	found, _ := s.reconcile("restored=true")
	if diff := cmp.Diff([]string{"unknown_held X no line charges it; held: absent=hold"}, found); diff != "" {
		t.Error(diff)
	}
}
