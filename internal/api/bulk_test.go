package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/api"
	"recarga/internal/bulk"
	"recarga/producer"
	"recarga/topup"
)

// TestBulk: nothing is done before what was answered is confirmed, and then to exactly these.
func TestBulk(t *testing.T) {
	var runner *bulk.Runner
	s := serve(t, func(c *api.Config) { runner = c.Bulk })
	for i := range 3 {
		s.place(fmt.Sprint("B-", i)).want(http.StatusAccepted)
	}
	s.post(otherKey, "/v1/topups", order("OTHER")).want(http.StatusAccepted)
	ask := func(confirm string) (a producer.BulkAnswer) {
		t.Helper()
		body := fmt.Sprintf(`{"action":"cancel","filter":"state=queued&caller=shop","reason":"a flood","confirm":%q}`, confirm)
		decode(t, s.post(adminKey, "/v1/bulk", body).want(http.StatusOK).body, &a)
		return a
	}
	first := ask("")
	if first.Count != 3 || first.Started != nil || len(first.Callers) != 1 || first.Callers[0].Caller != "shop" ||
		first.Amount != topup.Pesos(30) {
		t.Errorf("asked: %+v", first)
	}
	s.place("B-3").want(http.StatusAccepted)
	s.post(adminKey, "/v1/bulk", `{"action":"cancel","filter":"state=queued&caller=shop","reason":"a flood","confirm":"`+
		first.Confirm+`"}`).want(http.StatusConflict)
	for _, body := range []string{
		`{"action":"cancel","filter":"caller=shop","reason":"x"}`,
		`{"action":"cancel","filter":"state=queued&calller=shop","reason":"x"}`,
		`{"action":"cancel","filter":"state=queued&limit=1","reason":"x"}`,
		`{"action":"cancel","filter":"%zz","reason":"x"}`,
		`{"action":"cancel","filter":"state=queued","reason":" "}`,
		`{"action":"resolve","filter":"state=unknown","reason":"x"}`,
		`{"action":"redeliver","filter":"phone_number=5537686660","reason":"x"}`,
		`{"action":"delete","filter":"state=queued","reason":"x"}`,
	} {
		s.post(adminKey, "/v1/bulk", body).want(http.StatusUnprocessableEntity)
	}
	s.post(shopKey, "/v1/bulk", bodies()["startBulk"]).want(http.StatusForbidden)
	started := ask(ask("").Confirm).Started
	if started == nil {
		t.Fatal("nothing was started")
	}
	if err := runner.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	var a topup.BulkAction
	decode(t, s.get(adminKey, "/v1/bulk/"+started.ID).want(http.StatusOK).body, &a)
	if a.State != topup.BulkDone || a.Done != 4 || a.Refused != 0 || a.Filter != "state=queued&caller=shop" {
		t.Errorf("done: %+v", a)
	}
	var page struct{ Data []topup.BulkAction }
	decode(t, s.get(adminKey, "/v1/bulk").want(http.StatusOK).body, &page)
	if len(page.Data) != 1 || page.Data[0].ID != a.ID {
		t.Errorf("listed: %+v", page)
	}
	if o := s.get(otherKey, "/v1/topups/OTHER").want(http.StatusOK).order(); o.State != topup.StateQueued {
		t.Errorf("another caller's order is %s", o.State)
	}
	s.get(adminKey, "/v1/bulk/none").want(http.StatusNotFound)
	s.post(adminKey, "/v1/bulk/none/stop", `{}`).want(http.StatusNotFound)
	s.post(adminKey, "/v1/bulk/"+a.ID+"/stop", `{}`).want(http.StatusOK)
}

// TestHold: an operator's word, not a caller's.
func TestHold(t *testing.T) {
	s := serve(t)
	s.place("ORD-1").want(http.StatusAccepted)
	const hold, release = "/v1/topups/ORD-1/hold", "/v1/topups/ORD-1/release"
	s.post(shopKey, hold, `{"reason":"why"}`).want(http.StatusForbidden)
	s.post(adminKey, hold, `{"reason":" "}`).want(http.StatusUnprocessableEntity)
	s.post(adminKey, "/v1/topups/NONE/hold", `{"reason":"why"}`).want(http.StatusNotFound)
	for range 2 {
		o := s.post(adminKey, hold, `{"reason":"a wrong number","by":"ana"}`).want(http.StatusOK).order()
		if o.State != topup.StateQueued || o.WaitsFor != "operator" {
			t.Errorf("held: %+v", o)
		}
	}
	var page struct{ Data []topup.Order }
	decode(t, s.get(adminKey, "/v1/topups?waits_for=operator").want(http.StatusOK).body, &page)
	if len(page.Data) != 1 || page.Data[0].ID != "ORD-1" {
		t.Errorf("waiting for an operator: %+v", page.Data)
	}
	if o := s.post(adminKey, release, `{"reason":"right"}`).want(http.StatusOK).order(); o.WaitsFor != "" {
		t.Errorf("released: %+v", o)
	}
	s.post(shopKey, "/v1/topups/ORD-1/cancel", "").want(http.StatusOK)
	s.post(adminKey, hold, `{"reason":"too late"}`).want(http.StatusConflict)
	var d topup.Details
	decode(t, s.get(adminKey, "/v1/topups/ORD-1").want(http.StatusOK).body, &d)
	var done []string
	for _, a := range d.Actions {
		done = append(done, strings.Join([]string{a.By, a.Role, a.Via, a.Action, string(a.On), string(a.Reason)}, " "))
	}
	if diff := cmp.Diff([]string{"ana admin api holdTopup ORD-1 a wrong number", "admin admin api releaseTopup ORD-1 right",
		"shop caller api cancelTopup ORD-1 "}, done); diff != "" {
		t.Error(diff)
	}
	if body := string(s.get(shopKey, "/v1/topups/ORD-1").want(http.StatusOK).body); strings.Contains(body, "actions") {
		t.Errorf("a caller sees who did what: %s", body)
	}
}
