package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// held places an order and lets its attempt end unknown, at a deadline from now.
func (s *server) held(id string, deadline time.Duration) string {
	s.tb.Helper()
	s.place(id).want(http.StatusAccepted)
	return s.holds(id, deadline)
}

// holds lets the attempt of an order end unknown, at a deadline from now.
func (s *server) holds(id string, deadline time.Duration) string {
	s.tb.Helper()
	now := time.Now()
	o, err := s.journal.Begin(s.tb.Context(), topup.ID(id), 0, "worker", now.Add(deadline), now)
	if err == nil {
		_, _, err = s.journal.Finish(s.tb.Context(), topup.Settlement{ID: o.ID, Number: 1, State: topup.StateUnknown,
			Result: topup.Result{Outcome: topup.OutcomeUnknown, Error: "cut off"}}, now)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	return "/v1/topups/" + id + "/resolve"
}

func TestResolve(t *testing.T) {
	s := serve(t)
	early := s.held("EARLY", time.Hour)
	a := s.post(adminKey, early, `{"outcome":"failed","reason":"not in the statement"}`).want(http.StatusConflict)
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 3500 || wait > 3600 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	s.post(adminKey, early, `{"outcome":"resend","reason":"they say so","force":true}`).want(http.StatusOK)

	paid := s.held("PAID", time.Hour)
	o := s.post(adminKey, paid,
		`{"outcome":"succeeded","reason":"line 7","by":"ana","transaction_id":"TXN-7","reference":null,"auth_code":"A7"}`).want(http.StatusOK).order()
	if o.State != topup.StateSucceeded || o.TransactionID != "TXN-7" || o.AuthCode != "A7" || o.FinishedAt == nil {
		t.Errorf("%+v", o)
	}
	var d topup.Details
	decode(t, s.get(shopKey, "/v1/topups/PAID").want(http.StatusOK).body, &d)
	if len(d.Resolutions) != 1 || d.Resolutions[0].By+d.Resolutions[0].Reason != "" ||
		d.Resolutions[0].Outcome != topup.ResolvedSucceeded {
		t.Errorf("the shop sees %+v", d.Resolutions)
	}
	d = topup.Details{}
	decode(t, s.get(adminKey, "/v1/topups/PAID").want(http.StatusOK).body, &d)
	if len(d.Resolutions) != 1 || d.Resolutions[0].By != "ana" || d.Resolutions[0].Reason != "line 7" ||
		d.Resolutions[0].At.IsZero() {
		t.Errorf("resolutions %+v", d.Resolutions)
	}
	if n := len(d.Events); n != 2 || d.Events[1].Type != "topup.succeeded" || d.Events[1].Sequence != 2 {
		t.Errorf("events %+v", d.Events)
	}
	again := s.post(adminKey, paid,
		`{"outcome":"succeeded","reason":"line 7","by":"ana","transaction_id":"TXN-7","auth_code":"A7"}`).want(
		http.StatusOK).order()
	if diff := cmp.Diff(o, again); diff != "" {
		t.Error(diff)
	}
	s.post(adminKey, paid,
		`{"outcome":"succeeded","reason":"line 7","by":"eva","transaction_id":"TXN-7","auth_code":"A7"}`).want(
		http.StatusConflict)
	s.post(adminKey, paid, `{"outcome":"failed","reason":"again","force":true}`).want(http.StatusConflict)
	d = topup.Details{}
	decode(t, s.get(adminKey, "/v1/topups/PAID").want(http.StatusOK).body, &d)
	if len(d.Resolutions) != 1 || len(d.Events) != 2 {
		t.Errorf("after a repeat: resolutions %+v, events %+v", d.Resolutions, d.Events)
	}
}

func TestResolveRefused(t *testing.T) {
	s := serve(t)
	path := s.held("HELD", 0)
	fine := `{"outcome":"failed","reason":"why"}`
	s.post(shopKey, path, fine).want(http.StatusForbidden)
	s.post("nobody", path, fine).want(http.StatusUnauthorized)
	s.post(adminKey, "/v1/topups/NONE/resolve", fine).want(http.StatusNotFound)
	s.send("POST", path, fine, "Authorization", "Bearer "+adminKey, "Content-Type",
		"text/plain").want(http.StatusUnsupportedMediaType)
	for body, field := range map[string]string{
		`{"reason":"why"}`:                                     "body",
		`{"outcome":"paid","reason":"why"}`:                    "body.outcome",
		`{"outcome":"failed","reason":""}`:                     "body.reason",
		`{"outcome":"failed","reason":"   "}`:                  "body.reason",
		`{"outcome":"failed","reason":"why","reference":"R"}`:  "body.reference",
		`{"outcome":"failed","reason":"why","force":"yes"}`:    "body.force",
		`{"outcome":"failed","reason":"why","transaction":""}`: "body.transaction",
	} {
		if named := s.post(adminKey, path,
			body).want(http.StatusUnprocessableEntity).problem().named(); fmt.Sprint(named) != "["+field+"]" {
			t.Errorf("%s: %v, want %s", body, named, field)
		}
	}
	s.post(adminKey, path, `[]`).want(http.StatusBadRequest)
	s.post(adminKey, path, `{`).want(http.StatusBadRequest)
	s.post(adminKey, path, fine).want(http.StatusOK)
}
