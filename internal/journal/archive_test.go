package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"recarga/internal/archive"
	"recarga/internal/journal"
	"recarga/internal/journal/archived"
	"recarga/internal/journal/search"
	"recarga/internal/testkit"
	"recarga/topup"
)

// archiveLock is what PostgreSQL gives to one mover of orders at a time.
const archiveLock = 0x7265636172676101

// tomorrow is when what is from noon may leave.
var tomorrow = noon.Add(24 * time.Hour)

// delivered ends the events of an order.
func (s store) delivered(tb testing.TB, id topup.ID) {
	tb.Helper()
	d, err := s.Details(tb.Context(), id)
	must(tb, err)
	status := 200
	for _, ev := range d.Events {
		if ev.State == topup.EventPending {
			must(tb, s.RecordTry(tb.Context(), ev, topup.Try{At: noon, Status: &status, DurationMS: 12}, topup.EventDelivered,
				time.Time{}))
		}
	}
}

// ended is an order without an event that is pending.
func (s store) ended(tb testing.TB, id string, state topup.State) topup.Order {
	tb.Helper()
	o := s.inState(tb, id, state)
	s.delivered(tb, o.ID)
	return o
}

func (s store) archived(tb testing.TB, want int64) {
	tb.Helper()
	got, err := s.Archive(tb.Context(), tomorrow, tomorrow, nil)
	must(tb, err)
	if got.Orders != want {
		tb.Errorf("%d orders left for the archive, want %d", got.Orders, want)
	}
}

// sound checks the archive, and returns how many orders are in it.
func (s store) sound(tb testing.TB) int64 {
	tb.Helper()
	c, err := s.CheckArchive(tb.Context())
	must(tb, err)
	for _, wrong := range c.Wrong {
		tb.Error(wrong)
	}
	return c.Orders
}

// rows are how many there are in a table.
func (s store) rows(tb testing.TB, table string) (n int64) {
	tb.Helper()
	must(tb, s.db.QueryRow("SELECT COUNT(*) FROM "+table).Scan(&n))
	return n
}

// testArchive: what has left reads as before, its id stays taken, and nothing can be done to it; what is open, held,
// or with a pending event stays.
func testArchive(t *testing.T, s store) {
	left := []topup.Order{
		s.ended(t, "BOUGHT", topup.StateSucceeded), s.ended(t, "DECLINED", topup.StateFailed),
		s.ended(t, "CANCELED", topup.StateCanceled),
	}
	held := s.inState(t, "SETTLED", topup.StateUnknown)
	_, _, err := s.Resolve(t.Context(), held.ID, topup.Resolution{Outcome: topup.ResolvedSucceeded,
		Reason: "in the statement", By: "ana"}, noon)
	must(t, err)
	s.delivered(t, held.ID)
	left = append(left, held)
	refused := request("INVALID")
	refused.Metadata = map[string]string{"cart": "1 <& 2"}
	_, err = s.AcceptInvalid(t.Context(), refused.Order(noon), "phone_number: wrong", noon)
	must(t, err)
	s.delivered(t, refused.ID)
	left = append(left, refused.Order(noon))
	stay := []topup.Order{s.inState(t, "NOT-DELIVERED", topup.StateSucceeded), s.inState(t, "HELD", topup.StateUnknown),
		s.accept(t, "OPEN"), s.inState(t, "AWAY", topup.StateSubmitting), s.ended(t, "DISPUTED", topup.StateSucceeded)}
	_, err = s.Dispute(t.Context(), "DISPUTED", topup.Dispute{Evidence: "line 9 calls it declined"}, noon)
	must(t, err)

	before := s.seen(t, left, stay)
	if n, err := s.CountLeaving(t.Context(), tomorrow); err != nil || n != int64(len(left)) {
		t.Errorf("%d orders can leave, %v", n, err)
	}
	s.archived(t, int64(len(left)))
	s.archived(t, 0)
	if diff := cmp.Diff(before, s.seen(t, left, stay), cmpopts.EquateEmpty(),
		cmpopts.IgnoreUnexported(search.Standing{})); diff != "" {
		t.Error(diff)
	}
	if n := s.sound(t); n != int64(len(left)) || s.rows(t, "orders") != int64(len(stay)) || s.rows(t, "events") != 3 ||
		s.rows(t, "attempts") != 4 || s.rows(t, "resolutions") != 0 {
		t.Errorf("%d orders in the archive; in the tables %d orders, %d events, %d attempts, %d resolutions",
			n, s.rows(t, "orders"), s.rows(t, "events"), s.rows(t, "attempts"), s.rows(t, "resolutions"))
	}
	s.cannotComeBack(t)
}

// view is all that can be seen of orders.
type view struct {
	Details   map[topup.ID]topup.Details
	Exports   [][]topup.Details
	Standings []search.Standing
	Counts    map[topup.State]int64
	Found     [][]topup.Order
}

func (s store) seen(t *testing.T, orders ...[]topup.Order) (v view) {
	t.Helper()
	v.Details = map[topup.ID]topup.Details{}
	var ids []topup.ID
	for _, o := range slices.Concat(orders...) {
		d, err := s.Details(t.Context(), o.ID)
		must(t, err)
		alone, err := s.Order(t.Context(), o.ID)
		must(t, err)
		if diff := cmp.Diff(d.Order, alone); diff != "" {
			t.Errorf("%s alone: %s", o.ID, diff)
		}
		found, err := s.Find(t.Context(), "shop", string(o.ID))
		must(t, err)
		v.Details[o.ID], v.Found, ids = d, append(v.Found, found), append(ids, o.ID)
	}
	for _, f := range []search.Filter{
		{}, {Caller: "shop"}, {Caller: "other"}, {State: topup.StateFailed}, {State: topup.StateSucceeded},
		{State: topup.StateUnknown}, {Metadata: search.Label{Name: "cart", Value: "62"}}, {Code: "51"}, {Code: "00"}, {Code: "91"}, {Reason: topup.ReasonDeclined},
		{Reason: topup.ReasonExpired}, {Phone: "5537686660"}, {Phone: "5500000000"},
		{Product: "MOVISTAR_TAE"}, {Product: "TELCEL_TAE"}, {TransactionID: "TXN-123456789"}, {TransactionID: "TXN"},
		{Since: noon}, {Since: noon.Add(time.Microsecond)}, {Until: noon}, {Until: noon.Add(time.Microsecond)},
		{FinishedSince: noon}, {FinishedSince: noon.Add(1000)}, {FinishedUntil: noon},
		{FinishedUntil: noon.Add(time.Microsecond)},
	} {
		v.Exports = append(v.Exports, sorted(s.exported(t, f, search.Parts{Attempts: true, Events: true})))
	}
	for _, parts := range []search.Parts{{}, {Attempts: true}, {Events: true}} {
		v.Exports = append(v.Exports, sorted(s.exported(t, search.Filter{}, parts)))
	}
	var err error
	v.Standings, err = s.Standings(t.Context(), append(ids, "NO-SUCH-ORDER"))
	must(t, err)
	slices.SortFunc(v.Standings, func(a, b search.Standing) int { return strings.Compare(string(a.ID), string(b.ID)) })
	v.Counts, err = s.CountByState(t.Context())
	must(t, err)
	return v
}

func sorted(all []topup.Details) []topup.Details {
	slices.SortFunc(all, func(a, b topup.Details) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}

// cannotComeBack: nothing makes the orders of testArchive anything else than what they were.
func (s store) cannotComeBack(t *testing.T) {
	t.Helper()
	other, elsewhere := request("BOUGHT"), request("BOUGHT")
	other.Amount, elsewhere.Caller = 2000, "other"
	expired := request("DECLINED")
	expired.ExpiresAt = new(noon.Add(-time.Hour))
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"the same", func() error { return s.repeated(t, request("BOUGHT"), topup.StateSucceeded) }, "ok"},
		{"the same, declined", func() error { return s.repeated(t, request("DECLINED"), topup.StateFailed) }, "ok"},
		{"other content", func() error { return s.repeated(t, other, "") }, "conflict"},
		{"other caller", func() error { return s.repeated(t, elsewhere, "") }, "conflict"},
		{"expired", func() error { return s.repeated(t, expired, "") }, "conflict"},
		{"invalid", func() error {
			_, err := s.AcceptInvalid(t.Context(), request("BOUGHT").Order(noon), "wrong", noon)
			return err
		}, "conflict"},
		{"begin", func() error {
			_, err := s.Begin(t.Context(), "DECLINED", 1, workerName, tomorrow, noon)
			return err
		}, "lost"},
		{"begin first", func() error {
			_, err := s.BeginFirst(t.Context(), "CANCELED", workerName, tomorrow, noon)
			return err
		}, "lost"},
		{"finish", func() error {
			_, _, err := s.Finish(t.Context(), settlement(topup.Order{ID: "SETTLED", AttemptCount: 1}, topup.StateFailed), noon)
			return err
		}, "lost"},
		{"cancel", func() error { _, _, err := s.Cancel(t.Context(), "BOUGHT", "", noon); return err }, "refused"},
		{"cancel again", func() error { _, _, err := s.Cancel(t.Context(), "CANCELED", "shop", noon); return err }, "ok"},
		{"cancel another's", func() error { _, _, err := s.Cancel(t.Context(), "CANCELED", "other", noon); return err },
			"not found"},
		{"resolve", func() error {
			_, _, err := s.Resolve(t.Context(), "SETTLED", topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "no",
				By: "ana", Forced: true}, noon)
			return err
		}, "refused"},
	} {
		if got := kind(c.do()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if n := s.rows(t, "orders"); n != 5 {
		t.Errorf("%d orders in the tables", n)
	}
}

func (s store) repeated(tb testing.TB, r topup.Request, want topup.State) error {
	tb.Helper()
	o, replayed, err := s.Accept(tb.Context(), r, noon)
	if err == nil && (!replayed || o.State != want) {
		tb.Errorf("%s is %s, replayed %t", o.ID, o.State, replayed)
	}
	return err
}

// testArchiveBrokenOff: whatever fails, each order is in the tables or in the archive, and the next time all is moved.
func testArchiveBrokenOff(t *testing.T, s store) {
	const orders = 200
	each(orders, func(i int) { s.ended(t, fmt.Sprintf("ORD-%04d", i), topup.StateCanceled) })
	for _, step := range []string{"INSERT ON archived", "DELETE ON events", "DELETE ON orders",
		"INSERT ON archive_members"} {
		t.Run(step, func(t *testing.T) {
			s.exec(t, s.sql.broken(step, "ORD-0150")...)
			moved, err := s.Archive(t.Context(), tomorrow, tomorrow, nil)
			if err == nil || !strings.Contains(err.Error(), "broken by the test") {
				t.Errorf("%+v, %v", moved, err)
			}
			s.exec(t, s.sql.fixed(step)...)
			if total := len(s.exported(t, search.Filter{}, search.Parts{})); total != orders {
				t.Errorf("%d orders are left", total)
			}
			if n := s.sound(t); n+s.rows(t, "orders") != orders {
				t.Errorf("%d in the archive, %d in the tables", n, s.rows(t, "orders"))
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	nowhere := open(t, s.url, journal.WithArchive(archive.Folder(file)))
	if _, err := nowhere.Archive(t.Context(), tomorrow, tomorrow, nil); err == nil {
		t.Error("the folder is a file: no error")
	}
	rest := s.rows(t, "orders")
	if rest == 0 {
		t.Error("nothing was broken off")
	}
	s.archived(t, rest)
	if n := s.sound(t); n != orders || s.rows(t, "orders") != 0 {
		t.Errorf("%d in the archive, %d in the tables", n, s.rows(t, "orders"))
	}
}

// testArchiveBesideChange: an order that somebody has redelivered stays.
func testArchiveBesideChange(t *testing.T, s store) {
	s.ended(t, "STAYS", topup.StateSucceeded)
	s.ended(t, "LEAVES", topup.StateSucceeded)
	conn, release := s.holding(t)
	_, err := conn.ExecContext(t.Context(),
		"UPDATE events SET state = 'pending', due_at = 1 WHERE order_key = (SELECT key FROM orders WHERE id = 'STAYS')")
	must(t, err)
	done := make(chan error)
	go func() {
		_, err := s.Archive(t.Context(), tomorrow, tomorrow, nil)
		done <- err
	}()
	testkit.Eventually(t, 20*time.Second, func() bool {
		names, err := s.folder.Files()
		return err == nil && len(names) == 1
	}, "the file is written")
	s.waiting(t, 1)
	release()
	must(t, <-done)
	if n := s.sound(t); n != 1 || s.rows(t, "orders") != 1 || s.rows(t, "events") != 1 {
		t.Errorf("%d in the archive; %d orders and %d events in the tables", n, s.rows(t, "orders"), s.rows(t, "events"))
	}
	if all := s.exported(t, search.Filter{}, search.Parts{}); len(all) != 2 {
		t.Errorf("%d orders in the export", len(all))
	}
	s.delivered(t, "STAYS")
	s.archived(t, 1)
	s.sound(t)
	if all := s.exported(t, search.Filter{}, search.Parts{}); len(all) != 2 {
		t.Errorf("%d orders in the export", len(all))
	}
}

// testArchiveBesideExport: an export has each order once, whenever it leaves.
func testArchiveBesideExport(t *testing.T, s store) {
	const orders = 620
	each(orders, func(i int) { s.ended(t, fmt.Sprintf("ORD-%04d", i), topup.StateCanceled) })
	s.exec(t, fmt.Sprintf("UPDATE orders SET created_at = %d + key %% 7", noon.Add(-48*time.Hour).UnixMicro()),
		fmt.Sprintf("UPDATE events SET created_at = %d", noon.Add(-48*time.Hour).UnixMicro()))
	for _, at := range []int{1, 492, 500, 503, 614} {
		var all []topup.ID
		for d, err := range s.Export(t.Context(), search.Filter{}, search.Parts{}) {
			must(t, err)
			if all = append(all, d.ID); len(all) == at {
				s.archiveSome(t, at)
			}
		}
		slices.Sort(all)
		if len(all) != orders || len(slices.Compact(all)) != orders {
			t.Errorf("archived after %d: %d orders in the export, %d different ones", at, len(all), len(slices.Compact(all)))
		}
	}
}

// archiveSome archives a tenth of the orders that there are.
func (s store) archiveSome(tb testing.TB, at int) {
	tb.Helper()
	s.exec(tb, fmt.Sprintf("UPDATE orders SET finished_at = %d WHERE id LIKE 'ORD-%%%d'",
		noon.Add(-24*time.Hour).UnixMicro(), at%10))
	moved, err := s.Archive(tb.Context(), noon, noon, nil)
	must(tb, err)
	if moved.Orders != 62 {
		tb.Errorf("%d orders left, want 62", moved.Orders)
	}
}

// testArchiveDamaged: a damaged file is found and named; an order of it is refused, not bought again.
func testArchiveDamaged(t *testing.T, s store) {
	s.ended(t, "BOUGHT", topup.StateSucceeded)
	s.archived(t, 1)
	names, err := s.folder.Files()
	must(t, err)
	path := filepath.Join(string(s.folder), names[0])
	content, err := os.ReadFile(path)
	must(t, err)
	damaged := slices.Clone(content)
	damaged[len(damaged)/2] ^= 4
	must(t, os.WriteFile(path, damaged, 0o600))
	c, err := s.CheckArchive(t.Context())
	must(t, err)
	if len(c.Wrong) == 0 || !strings.Contains(c.Wrong[0], names[0]) {
		t.Errorf("%+v", c)
	}
	if _, _, err := s.Accept(t.Context(), request("BOUGHT"), noon); err == nil ||
		!strings.Contains(err.Error(), names[0]) {
		t.Errorf("a repeat: %v", err)
	}
	must(t, os.Remove(path))
	if _, err := s.Details(t.Context(), "BOUGHT"); err == nil || !strings.Contains(err.Error(), names[0]) {
		t.Errorf("a missing file: %v", err)
	}
	must(t, os.WriteFile(path, content, 0o600))
	must(t, os.WriteFile(filepath.Join(string(s.folder), "orders-x.ndjson.gz"), content, 0o600))
	if c, err = s.CheckArchive(t.Context()); err != nil || len(c.Wrong) != 0 || len(c.Unused) != 1 || c.Orders != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	without := open(t, s.url)
	if _, _, err := without.Accept(t.Context(), request("BOUGHT"), noon); err == nil ||
		!strings.Contains(err.Error(), "no folder is set") {
		t.Errorf("without a folder: %v", err)
	}
	if n := s.rows(t, "orders"); n != 0 {
		t.Errorf("%d orders in the tables", n)
	}
}

// TestAcceptBesideArchive: PostgreSQL has an insert that began before an order of its id was archived wait for that,
// and then see neither the order nor that it has left. It must not become a second order.
func TestAcceptBesideArchive(t *testing.T) {
	s := postgresStore(t)
	s.ended(t, "BOUGHT", topup.StateSucceeded)
	s.exec(t, `CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM `+
		`pg_advisory_xact_lock(1); RETURN NULL; END $$`,
		`CREATE TRIGGER pause AFTER DELETE ON orders FOR EACH STATEMENT EXECUTE FUNCTION pause()`)
	conn, err := s.db.Conn(t.Context())
	must(t, err)
	defer func() { must(t, conn.Close()) }()
	_, err = conn.ExecContext(t.Context(), "SELECT pg_advisory_lock(1)")
	must(t, err)
	moved, accepted := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Archive(t.Context(), tomorrow, tomorrow, nil)
		moved <- err
	}()
	s.waiting(t, 1)
	go func() { accepted <- s.repeated(t, request("BOUGHT"), topup.StateSucceeded) }()
	s.waiting(t, 2)
	_, err = conn.ExecContext(t.Context(), "SELECT pg_advisory_unlock(1)")
	must(t, err)
	must(t, <-moved)
	must(t, <-accepted)
	if n := s.rows(t, "orders"); n != 0 {
		t.Errorf("%d orders in the tables", n)
	}
}

// TestArchiveAlone: in PostgreSQL, one process moves orders at a time, and a dead one keeps nobody waiting.
func TestArchiveAlone(t *testing.T) {
	s := postgresStore(t)
	conn, err := s.db.Conn(t.Context())
	must(t, err)
	var free bool
	must(t, conn.QueryRowContext(t.Context(), "SELECT pg_try_advisory_lock($1)", archiveLock).Scan(&free))
	if _, err := s.Archive(t.Context(), tomorrow, tomorrow, nil); !free ||
		kind(err) != "archive: "+archived.ErrArchiving.Error() {
		t.Errorf("beside another: %v", err)
	}
	_, err = conn.ExecContext(t.Context(), "SELECT pg_advisory_unlock_all()")
	must(t, err)
	must(t, conn.Close())
	s.ended(t, "BOUGHT", topup.StateSucceeded)
	s.archived(t, 1)
	s.archived(t, 0)
}
