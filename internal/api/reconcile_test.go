package api_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/api"
	"recarga/internal/reconcile"
	"recarga/producer"
	"recarga/topup"
)

const reconciliations = "/v1/reconciliations"

func reconciling(c *api.Config) {
	book := c.Book.(reconcile.Book)
	c.Reconciler = reconcile.New(book, c.Orders.(*producer.Producer), slog.New(slog.DiscardHandler))
}

func (s *server) reconcile(key, kind, query, body string) answer {
	s.tb.Helper()
	return s.send("POST", reconciliations+query, body, "Authorization", "Bearer "+key, "Content-Type", kind)
}

// TestReconciliation: findings and then the summary, a line each.
func TestReconciliation(t *testing.T) {
	s := serve(t, reconciling)
	s.place("ORD-1").want(http.StatusAccepted)
	a := s.reconcile(adminKey, "text/csv; charset=utf-8", "?name=a.csv&dry_run=true",
		"order_id,amount\nORD-1,10\nORD-2,10\nORD-3,x\n").want(http.StatusOK)
	if got := a.header.Get("Content-Type"); got != typeND {
		t.Errorf("Content-Type %s", got)
	}
	var found []string
	lines := bytes.Split(bytes.TrimSpace(a.body), []byte("\n"))
	for _, line := range lines[:len(lines)-1] {
		r, err := reconcile.ParseResult(line)
		if err == nil && r.Progress != nil {
			continue // the machine is slow
		}
		if err != nil || r.Finding == nil {
			t.Fatalf("%v: %s", err, line)
		}
		found = append(found, string(r.Finding.Class)+" "+string(r.Finding.ID)+" "+string(r.Finding.State))
	}
	if diff := cmp.Diff([]string{"bad_line ORD-3 ", "unknown_held ORD-1 queued", "missing_here ORD-2 "},
		found); diff != "" {
		t.Error(diff)
	}
	last, err := reconcile.ParseResult(lines[len(lines)-1])
	if err != nil || last.Summary == nil || last.Summary.Agrees || last.Summary.Lines != 3 ||
		last.Summary.Statement != "a.csv" || last.Summary.Charged.Amount != topup.Pesos(20) {
		t.Errorf("%v: %s", err, lines[len(lines)-1])
	}
}

// TestReconciliationRefused: who may not, and what is no statement, in problems that name everything wrong.
func TestReconciliationRefused(t *testing.T) {
	s := serve(t, reconciling)
	const good = "order_id\nORD-1\n"
	s.reconcile(shopKey, "text/csv", "", good).want(http.StatusForbidden)
	s.reconcile("nobody", "text/csv", "", good).want(http.StatusUnauthorized)
	s.reconcile(adminKey, typeJSON, "", good).want(http.StatusUnsupportedMediaType)
	for query, want := range map[string][]string{
		"?absent=maybe&margin=x&timezone=Nowhere": {"query.absent", "query.margin", "query.timezone"},
		"?dryrun=true": {"query.dryrun"},
	} {
		got := s.reconcile(adminKey, "text/csv", query, good).want(http.StatusUnprocessableEntity).problem().named()
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", query, diff)
		}
	}
	for body, want := range map[string]string{"": "body.statement", "amount\n10\n": "body.header",
		strings.Repeat("x", 70_000): "body.header"} {
		if got := s.reconcile(adminKey, "text/csv", "",
			body).want(http.StatusUnprocessableEntity).problem().named(); len(got) != 1 || got[0] != want {
			t.Errorf("%.10q: %s", body, got)
		}
	}
	without := serve(t)
	without.reconcile(adminKey, "text/csv", "", good).want(http.StatusServiceUnavailable)
}
