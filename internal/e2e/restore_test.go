package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// TestRestoreCheck: a book is restored from a backup that is older than most of its orders. After restore-check the
// checkouts place all their orders again: none is charged twice, each is answered with its own order, and whoever was
// not notified is.
func TestRestoreCheck(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		restoreCheck(t, w, func() (restore string) {
			path := filepath.Join(testkit.Memory(t), "restored.db")
			copyFiles(t, strings.TrimPrefix(w.env["RECARGA_DATABASE_URL"], "sqlite:"), path)
			return "sqlite:" + path
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		w, book := newWorld(t, nil), journaltest.Postgres(t)
		w.env["RECARGA_DATABASE_URL"] = book.URL()
		restoreCheck(t, w, func() (restore string) { return book.Copy(t).URL() })
	})
}

// copyFiles copies a SQLite database whose processes have ended.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(from + suffix)
		if suffix != "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// restoring is a checkout and a kiosk whose book is lost.
type restoring struct {
	t *testing.T
	w *world
	// shop places the orders of the caller default, kiosk those of its own.
	shop, kiosk *producer.Client
	kioskKey    string
	// all are the orders that were placed and charged, and whose they are.
	all     []topup.Request
	kiosks  map[topup.ID]bool
	charges map[topup.ID]int
}

func restoreCheck(t *testing.T, w *world, backup func() (restored string)) {
	r := &restoring{t: t, w: w, kiosks: map[topup.ID]bool{}}
	p := r.serve("serve")
	added, err := clientOf(p.apiURL, adminKey).AddCaller(t.Context(), producer.NewCaller{Name: "kiosk"})
	if err != nil {
		t.Fatal(err)
	}
	r.kioskKey = added.APIKey
	r.connect(p)
	r.buy(r.shop, "SOLD-%d", 12)
	p.terminate()
	p = r.serve("api") // without a worker: these wait
	open := r.place(r.shop, "OPEN-%d", 3)
	r.place(r.shop, "BYSTANDER-%d", 1)
	r.all = r.all[:len(r.all)-1]
	bystander := get(t, r.shop, "BYSTANDER-0")
	if _, err := r.shop.Cancel(t.Context(), bystander.ID); err != nil {
		t.Fatal(err)
	}
	bystander = get(t, r.shop, bystander.ID)
	p.terminate()
	restored := backup()

	p = r.serve("serve") // the life that is lost
	for _, id := range open {
		settled(t, r.shop, id)
	}
	r.buy(r.shop, "LOST-%d", 20)
	for _, o := range r.buy(r.kiosk, "KIOSK-%d", 5) {
		r.kiosks[o] = true
	}
	r.all = append(r.all, order("LOST-UNKNOWN", "5500000501")) // charged, and nobody knows
	settled(t, r.shop, place(t, r.shop, r.all[len(r.all)-1]).ID)
	p.kill()
	r.charges = w.charges()

	w.env["RECARGA_DATABASE_URL"] = restored
	p = r.serve("api")
	r.check()
	p.terminate()
	r.serve("serve")
	r.repeat()
	if is := get(t, r.shop, bystander.ID); !cmp.Equal(is.Order, bystander.Order) {
		t.Errorf("the bystander: %s", cmp.Diff(bystander.Order, is.Order))
	}
}

// serve starts a process, and connects the checkouts with it.
func (r *restoring) serve(command string) *process {
	r.t.Helper()
	p := r.w.start(r.t, command)
	r.connect(p)
	return p
}

func (r *restoring) connect(p *process) {
	r.w.env["RECARGA_API_URL"] = p.apiURL
	r.shop = p.client()
	if r.kioskKey != "" { // it has been added
		r.kiosk = clientOf(p.apiURL, r.kioskKey)
	}
}

func (r *restoring) place(c *producer.Client, format string, n int) (ids []topup.ID) {
	r.t.Helper()
	for i := range n {
		o := order(fmt.Sprintf(format, i), phoneOf(i))
		o.Metadata = map[string]string{"till": fmt.Sprint(i)}
		r.all = append(r.all, o)
		ids = append(ids, place(r.t, c, o).ID)
	}
	return ids
}

// buy is place, until all are charged.
func (r *restoring) buy(c *producer.Client, format string, n int) []topup.ID {
	r.t.Helper()
	ids := r.place(c, format, n)
	for _, id := range ids {
		if d := settled(r.t, c, id); d.State != topup.StateSucceeded {
			r.t.Fatalf("%s is %s", id, d.State)
		}
	}
	return ids
}

// check runs the command: dry, in earnest, and again.
func (r *restoring) check() {
	r.t.Helper()
	statement := newStatement(r.t, r.w.vendor.Purchases()).write(r.t)
	want := map[topup.ResolvedAs]int64{topup.ResolvedRestored: 26, topup.ResolvedSucceeded: 3}
	out, _, sum := r.w.compared(r.t, "restore-check", statement, "--dry-run")
	if out.status != 1 || !cmp.Equal(sum.Settled, want) {
		r.t.Errorf("a dry run: status %d, %+v", out.status, sum)
	}
	out, found, sum := r.w.compared(r.t, "restore-check", statement)
	if out.status != 0 || !sum.Agrees || !cmp.Equal(sum.Settled, want) {
		r.t.Fatalf("status %d, %+v, %v", out.status, sum, found)
	}
	for _, command := range []string{"restore-check", "reconcile"} {
		if out, found, sum = r.w.compared(r.t, command, statement); out.status != 0 || len(found) > 0 || !sum.Agrees {
			r.t.Errorf("%s afterwards: status %d, %v, %+v", command, out.status, found, sum)
		}
	}
	d := get(r.t, clientOf(r.w.env["RECARGA_API_URL"], adminKey), "LOST-0")
	if d.Caller != "" || len(d.Events) > 0 || len(d.Resolutions) != 1 || d.Resolutions[0].By != "ana" ||
		!strings.Contains(d.Resolutions[0].Reason, sum.SHA256) {
		r.t.Errorf("%+v", d)
	}
}

// repeat places everything again, as checkouts do that do not know what became of it.
func (r *restoring) repeat() {
	r.t.Helper()
	for _, o := range r.all {
		c, other := r.shop, r.kiosk
		if r.kiosks[o.ID] {
			c, other = r.kiosk, r.shop
		}
		changed := o
		changed.Amount *= 2
		r.refused(c, changed)
		is, replayed, err := c.Place(r.t.Context(), o)
		if err != nil || !replayed || is.State != topup.StateSucceeded || is.TransactionID == "" ||
			!cmp.Equal(is.Metadata, get(r.t, c, o.ID).Metadata) || is.Metadata["till"] != o.Metadata["till"] {
			r.t.Errorf("%s again: %+v, %v", o.ID, is, err)
		}
		r.refused(other, o)
	}
	for _, o := range r.all {
		if strings.HasPrefix(string(o.ID), "LOST") {
			r.w.notified(r.t, get(r.t, r.shop, o.ID))
		}
	}
	r.buyNothing()
}

// refused places what an order is not.
func (r *restoring) refused(c *producer.Client, o topup.Request) {
	r.t.Helper()
	_, _, err := c.Place(r.t.Context(), o)
	var problem *producer.Problem
	if !errors.As(err, &problem) || problem.Status != 409 {
		r.t.Errorf("%s of another: %v", o.ID, err)
	}
}

// buyNothing: a new order is bought, and nothing else was.
func (r *restoring) buyNothing() {
	r.t.Helper()
	r.buy(r.shop, "NEW-%d", 1)
	r.charges["NEW-0"] = 1
	if diff := cmp.Diff(r.charges, r.w.charges()); diff != "" {
		r.t.Errorf("the vendor charged:\n%s", diff)
	}
}
