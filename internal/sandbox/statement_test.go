package sandbox_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/testkit"
)

func (c *client) statement(query string) [][]string {
	c.t.Helper()
	a := c.get("/sandbox/statement.csv" + query)
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
		c.t.Fatalf("%d %v %s", a.status, err, a.body)
	}
	return rows
}

func TestStatement(t *testing.T) {
	c := overHTTP(t, nil)
	c.buy("ORD-1", plain)
	c.buy("ORD-2", "5500000051")
	c.buy("ORD-3", "5500000501")
	want := [][]string{{"date", "transaction_id", "distributor_transaction_id", "phone_number", "product_id", "amount",
		"currency", "reference", "auth_code", "response_code", "status"}}
	for _, p := range c.sandbox.Purchases() {
		want = append(want, []string{p.ChargedAt.Format(time.RFC3339), p.TransactionID, p.DistributorTransactionID,
			p.PhoneNumber,
			"MOVISTAR_TAE", "10.00", "MXN", p.Reference, p.AuthCode, "00", "Aprobado"})
	}
	if diff := cmp.Diff(want, c.statement("")); diff != "" || len(want) != 3 {
		t.Error(diff)
	}
}

// TestStatementLies: rows left out, altered and added, and the ledger untouched by it.
func TestStatementLies(t *testing.T) {
	c := overHTTP(t, nil)
	for i := range 3 {
		c.buy(fmt.Sprint("ORD-", i), plain)
	}
	c.configure(`{"statement_leave_out":["ORD-0"],
		"statement_alter":[{"distributor_transaction_id":"ORD-1","amount":"11.00","status":"Rechazado"}],
		"statement_add":[{"distributor_transaction_id":"GHOST","amount":"20.00"}]}`)
	var got []string
	for _, row := range c.statement("")[1:] {
		got = append(got, strings.Join([]string{row[2], row[3], row[5], row[10]}, " "))
	}
	want := []string{"ORD-1 5537686660 11.00 Rechazado", "ORD-2 5537686660 10.00 Aprobado", "GHOST  20.00 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c.wantCharges(3)
	c.configure(`{"statement_leave_out":[],"statement_alter":[],"statement_add":[]}`)
	if got := len(c.statement("")); got != 4 {
		t.Errorf("%d lines after the lies ended, want 4", got)
	}
}

func TestStatementMonth(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) { // starts at 2000-01-01 UTC
		c := inProcess(t, nil)
		c.buy("JANUARY", plain)
		time.Sleep(31 * 24 * time.Hour)
		c.login()
		c.buy("FEBRUARY", plain)
		for query, want := range map[string]string{"": "FEBRUARY", "?month=2000-01": "JANUARY",
			"?month=2000-02": "FEBRUARY"} {
			if rows := c.statement(query); len(rows) != 2 || rows[1][2] != want {
				t.Errorf("%q: %v, want %s", query, rows, want)
			}
		}
		if rows := c.statement("?month=2000-03"); len(rows) != 1 {
			t.Errorf("March: %v", rows)
		}
		if a := c.get("/sandbox/statement.csv?month=January"); a.status != 400 {
			t.Errorf("a bad month: %d", a.status)
		}
	})
}
