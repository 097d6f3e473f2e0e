package producer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"recarga/producer"
	"recarga/topup"
)

// FuzzPlaceAnswer: whatever answers in the API's place, an order counts as placed only where the answer
// is one of success and is that order; and a refusal carries the status that came.
func FuzzPlaceAnswer(f *testing.F) {
	f.Add(202, []byte(`{"distributor_transaction_id":"P-1","state":"queued","amount":10}`))
	f.Add(202, []byte(`{"distributor_transaction_id":"P-2","state":"queued","amount":10}`))
	f.Add(204, []byte(nil))
	f.Add(200, []byte(`{}`))
	f.Add(302, []byte(`{"distributor_transaction_id":"P-1"}`))
	f.Add(422, []byte(`{"status":422,"errors":[{"location":"body.amount","message":"must be less"}]}`))
	f.Add(409, []byte(`<html>`))
	f.Add(503, []byte(`{"status":200}`))
	f.Add(200, []byte(`{"topup":{}}`))
	f.Add(200, []byte(`{"topup":{"distributor_transaction_id":"P-1"}}{"topup":{"distributor_transaction_id":"P-1"}}`))
	f.Add(200,
		[]byte(`{"distributor_transaction_id":"P-1","status":422,"error":{"status":422}}{"topup":{"distributor_transaction_id":"P-2"}}`))
	type answer struct {
		status int
		body   []byte
	}
	var next atomic.Pointer[answer]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := next.Load()
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	}))
	f.Cleanup(server.Close)
	c := newClient(f, server.URL, shopKey)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		status = 200 + int(uint(status-200)%400)
		next.Store(&answer{status, body})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // one try, or it may be placed
		defer cancel()
		o, _, err := c.Place(ctx, order("P-1"))
		var named struct {
			ID string `json:"distributor_transaction_id"`
		}
		ours := json.NewDecoder(bytes.NewReader(body)).Decode(&named) == nil && named.ID == "P-1"
		if err == nil && (status/100 != 2 || !ours || o.ID != "P-1") {
			t.Errorf("HTTP %d %q is order %+v", status, body, o)
		}
		if err != nil && o.ID != "" {
			t.Errorf("HTTP %d %q: %v, with order %+v", status, body, err, o)
		}
		var problem *producer.Problem
		if errors.As(err, &problem) && problem.Status != status {
			t.Errorf("HTTP %d %q is returned as %d", status, body, problem.Status)
		}
		checkPlaceMany(t, c, status, body)
	})
}

// checkPlaceMany: the same of many orders at once. Each has an answer of its own, or there is an error.
func checkPlaceMany(t *testing.T, c *producer.Client, status int, body []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	sent := []topup.Request{order("P-1"), order("P-2")}
	placed, err := c.PlaceMany(ctx, sent)
	if len(placed) > len(sent) || err == nil && len(placed) < len(sent) || len(placed) > 0 && status/100 != 2 {
		t.Fatalf("HTTP %d %q: %d answers, %v", status, body, len(placed), err)
	}
	for i, p := range placed {
		if refused := p.Err != nil; refused && p.Order.ID != "" || !refused && p.Order.ID != sent[i].ID {
			t.Errorf("HTTP %d %q: %s is %+v", status, body, sent[i].ID, p)
		}
	}
}
