package e2e

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

const (
	productsBefore = `products:
  - product_id: TELCEL_DATOS_1
    description: Datos 1 GB
    price: 30
  - product_id: TELCEL_TAE
    min_amount: 10
    max_amount: 500
`
	// productsAfter has another price of the one, and the other no more.
	productsAfter = `products:
  - product_id: TELCEL_DATOS_1
    description: Datos 2 GB
    price: 35
  - product_id: ATT_TAE
    min_amount: 20.50
    max_amount: 100
`
)

// TestOrdersKeepTheirPriceRules: orders that were accepted under one catalogue are bought, tried again, repeated and
// shown under another, as they were accepted; new ones are judged by the new one.
func TestOrdersKeepTheirPriceRules(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	w.sells(t, productsBefore)
	file := filepath.Join(t.TempDir(), "products.yaml")
	w.env["RECARGA_CATALOG"] = file
	w.env["RECARGA_RETRY_INITIAL"], w.env["RECARGA_RETRY_MAX"] = "3s", "3s"
	write(t, file, productsBefore)
	before := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = before.apiURL
	datos := topup.Request{ID: "RETRIED", Phone: "5500001096", Product: "TELCEL_DATOS_1", Amount: topup.Pesos(30)}
	later := topup.Request{ID: "LATER", Phone: "5537686660", Product: "TELCEL_TAE", Amount: 1250}
	due := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	scheduled := topup.Request{ID: "SCHEDULED", Phone: "5537686661", Product: "TELCEL_TAE", Amount: topup.Pesos(500),
		ProcessAt: &due}
	for _, r := range []topup.Request{datos, later, scheduled} {
		place(t, before.client(), r)
	}
	settled(t, before.client(), "LATER")
	if out := w.run(t, "products"); out.status != 0 || !strings.Contains(out.stdout, "Datos 1 GB") {
		t.Errorf("products: %+v", out)
	}
	refusedBy(t, before.client(), topup.Request{ID: "NEW", Phone: "5537686660", Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(10)},
		"product_id", "TELCEL_DATOS_1, TELCEL_TAE")
	before.kill()

	write(t, file, productsAfter)
	after := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = after.apiURL
	c := after.client()
	for _, r := range []topup.Request{datos, later, scheduled} {
		o, replayed, err := c.Place(t.Context(), r)
		if err != nil || !replayed || o.Amount != r.Amount {
			t.Errorf("the repeat of %s: %v, replayed %t, %v", r.ID, o.Amount, replayed, err)
		}
	}
	other := datos
	other.Amount = topup.Pesos(35)
	if _, _, err := c.Place(t.Context(), other); !isProblem(err, http.StatusConflict) {
		t.Errorf("the same id at another price: %v", err)
	}
	d := settled(t, c, "RETRIED")
	if d.State != topup.StateSucceeded || d.Amount != topup.Pesos(30) {
		t.Errorf("RETRIED is %s for %s", d.State, d.Amount)
	}
	judge(t, d, w.charges()["RETRIED"])
	refusedBy(t, c, topup.Request{ID: "NEW-1", Phone: "5537686660", Product: "TELCEL_DATOS_1", Amount: topup.Pesos(30)},
		"amount", "35")
	refusedBy(t, c, topup.Request{ID: "NEW-2", Phone: "5537686660", Product: "TELCEL_TAE", Amount: topup.Pesos(10)},
		"product_id", "TELCEL_DATOS_1, ATT_TAE")
	refusedBy(t, c, topup.Request{ID: "NEW-3", Phone: "5537686660", Product: "ATT_TAE", Amount: topup.Pesos(20)},
		"amount", "20.50 to 100")
	if out := w.run(t, "list", "--product", "TELCEL_TAE"); out.status != 0 || !strings.Contains(out.stdout, "SCHEDULED") {
		t.Errorf("orders of a product that left: %+v", out)
	}
	if out := w.run(t, "list", "--product", "TELCEL_TEA"); out.status == 0 ||
		!strings.Contains(out.stderr, "TELCEL_TEA") {
		t.Errorf("orders of a product that never was: %+v", out)
	}
	rows := filepath.Join(t.TempDir(), "orders.csv")
	write(t, rows, "distributor_transaction_id,phone_number,product_id,amount\n"+
		"RETRIED,5500001096,TELCEL_DATOS_1,30\nFILE-1,5537686660,TELCEL_DATOS_1,30\nFILE-2,5537686660,NO_SUCH,10\n")
	out := w.run(t, "enqueue", "--file", rows)
	if out.status != 1 || !strings.Contains(out.stderr, "0 placed, 1 already there, 2 refused") {
		t.Errorf("a file: %+v", out)
	}
}

// TestCatalogOfAStart: a start with a file that cannot be used is refused with all that is wrong with it.
func TestCatalogOfAStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	file := filepath.Join(t.TempDir(), "products.yaml")
	w.env["RECARGA_CATALOG"] = file
	for content, want := range map[string][]string{
		"": {"RECARGA_CATALOG", "products"},
		"products:\n  - product_id: A_1\n    price: 0\n  - product_id: A 2\n    price: 5\n": {"RECARGA_CATALOG",
			file + ": line 3: A_1: price", "line 4: A 2: product_id"},
	} {
		write(t, file, content)
		for _, command := range []string{"serve", "api", "worker", "sandbox", "doctor"} {
			out := w.run(t, command)
			for _, text := range want {
				if out.status != 2 || !strings.Contains(out.stdout+out.stderr, text) {
					t.Errorf("%s does not say %q: %+v", command, text, out)
				}
			}
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if out := w.run(t, "serve"); out.status != 2 || !strings.Contains(out.stderr, "RECARGA_CATALOG") ||
		!strings.Contains(out.stderr, file) {
		t.Errorf("no file: %+v", out)
	}
}

// sells makes the vendor one of these products.
func (w *world) sells(t *testing.T, products string) {
	t.Helper()
	sold, err := sandbox.ReadProducts([]byte(products))
	if err != nil {
		t.Fatal(err)
	}
	w.vendor = sandbox.New(sandbox.DefaultConfig(), slog.New(slog.DiscardHandler), sandbox.Selling(sold))
	w.env["RECARGA_DISTRIBUTOR_URL"] = serve(t, w.vendor) + "/api/distributor"
	t.Cleanup(w.vendor.Close)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func isProblem(err error, status int) bool {
	var p *producer.Problem
	return errors.As(err, &p) && p.Status == status
}

func refusedBy(t *testing.T, c *producer.Client, r topup.Request, field, allowed string) {
	t.Helper()
	_, _, err := c.Place(t.Context(), r)
	var p *producer.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 ||
		p.Errors[0].Location != "body."+field ||
		!strings.Contains(p.Errors[0].Message, allowed) {
		t.Errorf("%s: %v; want %s refused, which must be %s", r.ID, err, field, allowed)
	}
}
