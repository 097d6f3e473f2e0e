package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/reconcile"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// month is what a month of orders is made of: every order's phone, which is its fate.
type month struct {
	orders  []topup.Request
	unknown []topup.ID // to be settled by the statement
	altered []topup.ID // unknown as well; their lines have another amount
	twice   []topup.ID // charged twice, answered once
	failed  []topup.ID
	plain   []topup.ID
}

// monthOrders are all of them.
const monthOrders = 10_000

func newMonth() *month {
	m := &month{}
	add := func(to *[]topup.ID, n int, phones ...topup.Phone) {
		for i := range n {
			o := order(fmt.Sprintf("M-%05d", len(m.orders)), phones[i%len(phones)])
			m.orders = append(m.orders, o)
			*to = append(*to, o.ID)
		}
	}
	add(&m.unknown, 50, "5500000500", "5500000501", "5500000502", "5500000503", "5500000504", "5500000200", "5500000599")
	add(&m.altered, 2, "5500000501")
	add(&m.twice, 5, "5500000002")
	add(&m.failed, 20, "5500000051", "5500000014", "5500000083")
	add(&m.plain, 20, "5500000429") // few: each makes everybody wait for a second
	add(&m.plain, monthOrders-len(m.orders), "5537686660", "5512345678")
	lots := rand.New(rand.NewPCG(1, 2))
	lots.Shuffle(len(m.orders), func(i, j int) { m.orders[i], m.orders[j] = m.orders[j], m.orders[i] })
	return m
}

func (m *month) place(t *testing.T, c *producer.Client) {
	t.Helper()
	for some := range slices.Chunk(m.orders, producer.MaxBatch) {
		placed, err := c.PlaceMany(t.Context(), some)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range placed {
			if p.Err != nil {
				t.Fatal(p.Err)
			}
		}
	}
}

// unknowns counts the orders that are held as unknown.
func unknowns(t *testing.T, c *producer.Client) (n int) {
	t.Helper()
	for q := (producer.OrderFilter{State: topup.StateUnknown, Limit: 200}); ; {
		page, next, err := c.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n += len(page); next == "" {
			return n
		}
		q.Cursor = next
	}
}

// statement is the vendor's ledger as its statement, on which the test then works by hand.
type statement struct {
	head  []string
	lines [][]string
	// errors are what was done to it: class and order.
	errors map[string]int
}

func newStatement(t *testing.T, purchases []sandbox.Purchase) *statement {
	t.Helper()
	s := &statement{errors: map[string]int{}, head: []string{
		"date", "transaction_id", "distributor_transaction_id", "phone_number", "product_id", "amount", "currency",
		"reference", "auth_code", "response_code", "status",
	}}
	for _, p := range purchases {
		s.lines = append(s.lines, []string{
			p.ChargedAt.Format(time.RFC3339), p.TransactionID, p.DistributorTransactionID, p.PhoneNumber, p.ProductID,
			p.Amount.StringFixed(2),
			"MXN",
			p.Reference, p.AuthCode, "00", "Aprobado",
		})
	}
	return s
}

// of is the first line of an order.
func (s *statement) of(t *testing.T, id topup.ID) []string {
	t.Helper()
	i := s.index(id)
	if i < 0 {
		t.Fatalf("no line of %s", id)
	}
	return s.lines[i]
}

func (s *statement) index(id topup.ID) int {
	return slices.IndexFunc(s.lines, func(l []string) bool { return l[2] == string(id) })
}

func (s *statement) wrong(class reconcile.Class, id topup.ID) {
	s.errors[fmt.Sprintf("%s %s", class, id)]++
}

// spoil puts every kind of error in; ids gives orders that succeeded, one after the other.
func (s *statement) spoil(t *testing.T, m *month) {
	t.Helper()
	pull, stop := iter.Pull(slices.Values(m.plain))
	defer stop()
	next := func() topup.ID { id, _ := pull(); return id }
	for range 20 { // left out
		id := next()
		i := s.index(id)
		s.lines = slices.Delete(s.lines, i, i+1)
		s.wrong(reconcile.MissingThere, id)
	}
	for i := range 10 { // added
		id := fmt.Sprintf("STRANGER-%d", i)
		l := slices.Clone(s.of(t, next()))
		l[1], l[2], l[7] = "TXN-STRANGE-"+fmt.Sprint(i), id, "RRN-STRANGE-"+fmt.Sprint(i)
		s.lines = append(s.lines, l)
		s.wrong(reconcile.MissingHere, topup.ID(id))
	}
	for _, id := range m.failed[:5] { // charged, though declined
		l := slices.Clone(s.of(t, next()))
		l[1], l[2], l[7] = "TXN-FAILED-"+string(id), string(id), "RRN-FAILED-"+string(id)
		s.lines = append(s.lines, l)
		s.wrong(reconcile.MissingHere, id)
	}
	for range 10 { // altered
		id := next()
		s.of(t, id)[5] = "20.00"
		s.wrong(reconcile.AmountDiffers, id)
	}
	for range 5 { // doubled: the same charge again
		id := next()
		s.lines = append(s.lines, slices.Clone(s.of(t, id)))
		s.wrong(reconcile.RepeatedLine, id)
	}
	for range 5 { // doubled: another charge
		id := next()
		l := slices.Clone(s.of(t, id))
		l[1], l[7] = "TXN-AGAIN-"+string(id), "RRN-AGAIN-"+string(id)
		s.lines = append(s.lines, l)
		s.wrong(reconcile.ChargedTwice, id)
	}
	for range 10 { // reversed
		id := next()
		s.of(t, id)[10] = "Reversado"
		s.wrong(reconcile.NotCharged, id)
	}
	for range 3 { // another phone
		id := next()
		s.of(t, id)[3] = "5599887766"
		s.wrong(reconcile.PhoneDiffers, id)
	}
	for range 3 { // another transaction
		id := next()
		l := s.of(t, id)
		l[1], l[7] = "TXN-OTHER-"+string(id), "RRN-OTHER-"+string(id)
		s.wrong(reconcile.TransactionDiffers, id)
	}
	for range 4 { // not readable
		id := next()
		s.of(t, id)[5] = "ten"
		s.wrong(reconcile.BadLine, id)
	}
	for _, id := range m.altered {
		s.of(t, id)[5] = "11.00"
		s.wrong(reconcile.UnknownHeld, id)
	}
	for _, id := range m.twice {
		s.wrong(reconcile.ChargedTwice, id)
	}
	for range 5 { // without our id: found by the vendor's
		s.of(t, next())[2] = ""
	}
}

func (s *statement) write(t *testing.T) string {
	t.Helper()
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(s.lines), func(i, j int) { s.lines[i], s.lines[j] = s.lines[j], s.lines[i] })
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{s.head}, s.lines...)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "november.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reconciled is compared by recarga reconcile.
func (w *world) reconciled(t *testing.T, args ...string) (output, map[string]int, reconcile.Summary) {
	t.Helper()
	return w.compared(t, "reconcile", args...)
}

// compared runs a command that reads a statement, and returns its findings by class and order, and its summary.
func (w *world) compared(
	t *testing.T, command string, args ...string,
) (output, map[string]int, reconcile.Summary) {
	t.Helper()
	out := w.run(t, append([]string{command, "--json", "--by", "ana"}, args...)...)
	found := map[string]int{}
	var sum *reconcile.Summary
	for line := range strings.Lines(out.stdout) {
		var r reconcile.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if r.Finding != nil {
			found[fmt.Sprintf("%s %s", r.Finding.Class, r.Finding.ID)]++
		}
		if r.Summary != nil {
			sum = r.Summary
		}
	}
	if sum == nil {
		t.Fatalf("no summary: %+v", out)
	}
	return out, found, *sum
}

// TestReconcileAMonth sends the orders of a month through the program, fifty of them to every fate that leaves an
// order unknown, and reconciles with the vendor's ledger in which a person has put every kind of error.
// The fifty must be settled as the ledger knows, and every error must be named exactly once.
func TestReconcileAMonth(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for _, s := range []stack{stacks[0], stacks[2]} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			reconcileAMonth(t, s)
		})
	}
}

func reconcileAMonth(t *testing.T, s stack) {
	w := newWorld(t, nil)
	s.set(t, w.env)
	p := w.start(t, "serve")
	c := clientOf(p.apiURL, adminKey)
	w.env["RECARGA_API_URL"] = p.apiURL
	m, began := newMonth(), time.Now().Add(-time.Minute)
	m.place(t, c)
	testkit.Dwindles(t, func() (left int) {
		for _, o := range m.orders {
			if _, told := w.hooks.last(o.ID); !told {
				left++
			}
		}
		return left
	}, "all orders end")
	if n := unknowns(t, c); n != len(m.unknown)+len(m.altered) {
		t.Fatalf("%d orders are unknown", n)
	}
	charges := w.charges()
	book := newStatement(t, w.vendor.Purchases())
	book.spoil(t, m)
	file := book.write(t)
	args := []string{file, "--absent", "failed", "--margin", "0s"}
	covers := func() []string {
		return append(slices.Clone(args), "--covers", began.UTC().Format(time.RFC3339)+".."+
			time.Now().UTC().Format(time.RFC3339))
	}

	want := map[string]int{}
	for what, n := range book.errors {
		want[what] = n
	}
	for _, id := range m.unknown {
		class := reconcile.UnknownFound
		if charges[id] == 0 {
			class = reconcile.UnknownHeld // such a statement proves nothing by what it lacks
		}
		want[fmt.Sprintf("%s %s", class, id)]++
	}
	var dry map[string]int
	testkit.Eventually(t, patience, func() bool {
		_, dry, _ = w.reconciled(t, append(covers(), "--dry-run")...)
		return len(dry) >= len(want)
	}, "the last attempt is covered")
	if diff := cmp.Diff(want, dry); diff != "" {
		t.Errorf("dry run:\n%s", diff)
	}
	if n := unknowns(t, c); n != len(m.unknown)+len(m.altered) {
		t.Fatalf("a dry run settled %d", len(m.unknown)+len(m.altered)-n)
	}
	page := filepath.Join(t.TempDir(), "november.html")
	differences := filepath.Join(t.TempDir(), "differences.csv")
	out, found, sum := w.reconciled(t, append(covers(), "--report", page, "--csv", differences)...)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("findings:\n%s", diff)
	}
	if out.status != 1 || sum.Agrees {
		t.Errorf("status %d, %+v", out.status, sum)
	}
	for _, id := range m.unknown {
		d := get(t, c, id)
		judge(t, d, charges[id])
		if charges[id] == 0 {
			if d.State != topup.StateUnknown {
				t.Errorf("%s is %s: %+v", id, d.State, d.Resolutions)
			}
			continue
		}
		if !d.State.Final() || len(d.Resolutions) != 1 || d.Resolutions[0].By != "ana" ||
			!strings.Contains(d.Resolutions[0].Reason, sum.SHA256) {
			t.Errorf("%s is %s: %+v", id, d.State, d.Resolutions)
		}
		w.notified(t, d)
	}
	if diff := cmp.Diff(charges, w.charges()); diff != "" {
		t.Errorf("the vendor charged on:\n%s", diff)
	}
	for _, written := range []string{page, differences} {
		if text, err := os.ReadFile(written); err != nil || !bytes.Contains(text, []byte("STRANGER-1")) {
			t.Errorf("%s: %v", written, err)
		}
	}

	for what := range want {
		if strings.HasPrefix(what, string(reconcile.UnknownFound)) {
			delete(want, what)
		}
	}
	if _, again, _ := w.reconciled(t, covers()...); !cmp.Equal(want, again) {
		t.Errorf("the second time:\n%s", cmp.Diff(want, again))
	}
	if shown := w.run(t, append([]string{"reconcile", "--show", "2"}, covers()...)...); shown.status != 1 ||
		!strings.Contains(shown.stdout, "Charged, and not sold: 15 (") || !strings.Contains(shown.stdout, "… and 13 more") {
		t.Errorf("on the terminal: %+v", shown)
	}
	if none := w.run(t, "reconcile", differences, "--columns", "id=nothing"); none.status != 2 ||
		!strings.Contains(none.stderr, "a column of the table: class, ") {
		t.Errorf("no statement: %+v", none)
	}
}

// TestReconcileProvesAbsence: the vendor's whole statement settles orders that it does not charge, once it goes on
// beyond them.
func TestReconcileProvesAbsence(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	c := clientOf(p.apiURL, adminKey)
	w.env["RECARGA_API_URL"] = p.apiURL
	n := 0
	sell := func() {
		n++
		settled(t, c, place(t, c, order(fmt.Sprintf("SOLD-%d", n), "5537686660")).ID)
	}
	for range 5 {
		sell()
	}
	sold := time.Now()
	testkit.Eventually(t, patience, func() bool { return time.Since(sold) > 2*time.Second },
		"the statement's times distinguish them from what follows")
	unknown := []topup.ID{"CUT-BEFORE", "BROKEN"}
	for i, phone := range []topup.Phone{"5500000503", "5500000500"} {
		if d := settled(t, c, place(t, c, order(string(unknown[i]), phone)).ID); d.State != topup.StateUnknown {
			t.Fatalf("%s is %s", d.ID, d.State)
		}
	}
	args := func() []string {
		book := newStatement(t, w.vendor.Purchases())
		return []string{book.write(t), "--absent", "failed", "--margin", "0s"}
	}
	testkit.Eventually(t, patience, func() bool {
		sell()
		_, found, sum := w.reconciled(t, append(args(), "--dry-run")...)
		if held := found["unknown_held BROKEN"]; held == 0 && sum.Settled[topup.ResolvedFailed] == 0 && sum.Outside == 0 {
			t.Fatalf("%v, %+v", found, sum)
		}
		return sum.Settled[topup.ResolvedFailed] == int64(len(unknown))
	}, "the statement goes on beyond the attempts")
	if out, _, sum := w.reconciled(t, args()...); out.status != 0 || !sum.Agrees {
		t.Errorf("status %d: %+v", out.status, sum)
	}
	charges := w.charges()
	for _, id := range unknown {
		d := get(t, c, id)
		judge(t, d, charges[id])
		if d.State != topup.StateFailed || d.Reason != topup.ReasonResolved {
			t.Errorf("%s is %s, %s", id, d.State, d.Reason)
		}
		w.notified(t, d)
	}
}
