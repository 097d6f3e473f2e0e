package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"recarga/topup"
)

// TestCorrect: a person's word on an order that is final, from the statement's contradiction to the end of the
// dispute.
func TestCorrect(t *testing.T) {
	s := serve(t)
	s.post(adminKey, s.held("WRONG", 0), `{"outcome":"failed","reason":"a guess","attempt":1}`).want(http.StatusOK)
	s.post(adminKey, s.held("RIGHT", 0), `{"outcome":"failed","reason":"a guess"}`).want(http.StatusOK)
	held := s.held("HELD", 0)
	for _, id := range []topup.ID{"WRONG", "RIGHT"} {
		if _, err := s.journal.Dispute(t.Context(), id, topup.Dispute{Evidence: "line 7 charges it", RaisedBy: "statement"},
			time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	disputed := func() (n int) {
		var page struct{ Data []topup.Order }
		decode(t, s.get(adminKey, "/v1/topups?disputed=true").want(http.StatusOK).body, &page)
		return len(page.Data)
	}
	if n := disputed(); n != 2 {
		t.Errorf("%d orders are listed as disputed", n)
	}
	correct, uphold := "/v1/topups/WRONG/correct", "/v1/topups/RIGHT/dispute"
	for _, c := range []struct {
		key, path, body string
		status          int
	}{
		{shopKey, correct, `{"outcome":"succeeded","reason":"why"}`, http.StatusForbidden},
		{shopKey, uphold, `{"outcome":"upheld","reason":"why"}`, http.StatusForbidden},
		{adminKey, "/v1/topups/NONE/correct", `{"outcome":"succeeded","reason":"why"}`, http.StatusNotFound},
		{adminKey, "/v1/topups/NONE/dispute", `{"outcome":"upheld","reason":"why"}`, http.StatusNotFound},
		{adminKey, "/v1/topups/HELD/correct", `{"outcome":"succeeded","reason":"why"}`, http.StatusConflict},
		{adminKey, "/v1/topups/HELD/dispute", `{"outcome":"upheld","reason":"why"}`, http.StatusConflict},
		{adminKey, held, `{"outcome":"succeeded","reason":"why","attempt":2}`, http.StatusConflict},
		{adminKey, correct, `{"outcome":"failed","reason":"why"}`, http.StatusConflict},
		{adminKey, correct, `{"outcome":"resend","reason":"why"}`, http.StatusUnprocessableEntity},
		{adminKey, correct, `{"outcome":"succeeded","reason":" "}`, http.StatusUnprocessableEntity},
		{adminKey, uphold, `{"outcome":"corrected","reason":"why"}`, http.StatusUnprocessableEntity},
	} {
		s.post(c.key, c.path, c.body).want(c.status)
	}
	for range 2 { // the second is the repeat after a lost answer
		o := s.post(adminKey, correct,
			`{"outcome":"succeeded","reason":"line 7","by":"ana","reference":"RRN-7"}`).want(http.StatusOK).order()
		if o.State != topup.StateSucceeded || o.Reference != "RRN-7" || o.DisputedAt != nil {
			t.Errorf("%+v", o)
		}
		if o := s.post(adminKey, uphold,
			`{"outcome":"upheld","reason":"cut off","by":"ana"}`).want(http.StatusOK).order(); o.State != topup.StateFailed ||
			o.DisputedAt != nil {
			t.Errorf("%+v", o)
		}
	}
	if n := disputed(); n != 0 {
		t.Errorf("%d orders are still disputed", n)
	}
	var operators, shops topup.Details
	decode(t, s.get(adminKey, "/v1/topups/WRONG").want(http.StatusOK).body, &operators)
	decode(t, s.get(shopKey, "/v1/topups/WRONG").want(http.StatusOK).body, &shops)
	if len(operators.Corrections) != 1 || len(operators.Disputes) != 1 ||
		operators.Disputes[0].Outcome != topup.DisputeCorrected {
		t.Errorf("the operator sees %+v, %+v", operators.Corrections, operators.Disputes)
	}
	if len(shops.Corrections) != 1 || shops.Corrections[0].By+shops.Corrections[0].Reason != "" ||
		len(shops.Disputes) != 0 {
		t.Errorf("the shop sees %+v, %+v", shops.Corrections, shops.Disputes)
	}
	last := shops.Events[len(shops.Events)-1]
	if got := fmt.Sprint(last.Type, last.Sequence); got != "topup.corrected3" {
		t.Errorf("the last event is %s", got)
	}
}
