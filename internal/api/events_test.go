package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"recarga/topup"
)

// canceled places an order for the key's caller and cancels it, which makes an event; it returns its id.
func (s *server) canceled(key, id string) string {
	s.tb.Helper()
	s.post(key, "/v1/topups", order(id)).want(http.StatusAccepted)
	s.send("POST", "/v1/topups/"+id+"/cancel", "", "Authorization", "Bearer "+key).want(http.StatusOK)
	var d topup.Details
	decode(s.tb, s.get(key, "/v1/topups/"+id).want(http.StatusOK).body, &d)
	return d.Events[0].ID
}

func (s *server) exhaust(id string) {
	s.tb.Helper()
	ev, err := s.journal.Event(s.tb.Context(), id)
	if err == nil {
		try := topup.Try{At: time.Now(), Error: "dial tcp 10.0.0.7:443: connect: connection refused"}
		err = s.journal.RecordTry(s.tb.Context(), ev, try, topup.EventExhausted, time.Time{})
	}
	if err != nil {
		s.tb.Fatal(err)
	}
}

type listed struct {
	Data []struct {
		ID    string
		State string
		Order string `json:"distributor_transaction_id"`
		Tries []struct{ Error string }
	}
	NextCursor *string `json:"next_cursor"`
}

func (s *server) events(key, query string) (l listed) {
	s.tb.Helper()
	decode(s.tb, s.get(key, "/v1/events"+query).want(http.StatusOK).body, &l)
	return l
}

func TestRedeliver(t *testing.T) {
	s := serve(t)
	mine, given, other := s.canceled(shopKey, "MINE"), s.canceled(shopKey, "GIVEN-UP"), s.canceled(otherKey, "OTHER")
	s.exhaust(given)
	s.exhaust(other)
	if l := s.events(shopKey, "?state=exhausted"); len(l.Data) != 1 || l.Data[0].ID != given ||
		l.Data[0].Order != "GIVEN-UP" || l.Data[0].Tries[0].Error != "connection refused" {
		t.Errorf("exhausted: %+v", l)
	}
	for _, kind := range append(topup.EventTypes(), topup.OperatorEventTypes()...) { // each can be asked for
		s.get(adminKey, "/v1/events?type="+string(kind)).want(http.StatusOK)
	}
	if l := s.events(adminKey, "?limit=2&type=topup.canceled"); len(l.Data) != 2 || l.NextCursor == nil ||
		l.Data[0].ID != other {
		t.Errorf("all: %+v", l)
	} else if rest := s.events(adminKey, "?limit=2&type=topup.canceled&cursor="+*l.NextCursor); len(rest.Data) != 1 ||
		rest.Data[0].ID != mine || rest.NextCursor != nil {
		t.Errorf("the rest: %+v", rest)
	}
	s.post(otherKey, "/v1/events/"+given+"/redeliver", "").want(http.StatusNotFound)
	s.post(shopKey, "/v1/events/evt_none/redeliver", "").want(http.StatusNotFound)
	if a := s.post(shopKey, "/v1/events/"+given+"/redeliver", "").want(http.StatusOK); !strings.Contains(string(a.body),
		`"state":"pending"`) {
		t.Errorf("redelivered: %s", a.body)
	}
	for _, c := range []struct {
		key, filter string
		count       int
	}{
		{shopKey, `{"state":"exhausted"}`, 0},
		{adminKey, `{"state":"exhausted","caller":"shop"}`, 0},
		{adminKey, `{"state":"exhausted","since":"2020-01-01T00:00:00Z"}`, 1},
		{shopKey, `{}`, 2},
		{adminKey, `{"until":"2020-01-01T00:00:00Z"}`, 0},
		{adminKey, `{"type":"topup.canceled","limit":2}`, 2},
	} {
		if a := s.post(c.key, "/v1/events/redeliver", c.filter).want(http.StatusOK); !strings.Contains(string(a.body),
			fmt.Sprintf(`"count":%d`, c.count)) {
			t.Errorf("%s: %s, want %d", c.filter, a.body, c.count)
		}
	}
}

// TestRedeliveriesAreBounded: a caller redelivers one event a hundred times a day; the operator, and another event,
// more.
func TestRedeliveriesAreBounded(t *testing.T) {
	s := serve(t)
	often, other := s.canceled(shopKey, "OFTEN"), s.canceled(shopKey, "OTHER")
	for i := range 100 {
		if i%2 == 0 {
			s.post(shopKey, "/v1/events/"+often+"/redeliver", "").want(http.StatusOK)
			continue
		}
		s.post(shopKey, "/v1/events/redeliver", `{"state":"pending","limit":2}`).want(http.StatusOK)
	}
	a := s.post(shopKey, "/v1/events/"+often+"/redeliver", "").want(http.StatusTooManyRequests)
	if p := a.problem(); !strings.Contains(p.Detail, "100 times today") || a.header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q", a.body, a.header.Get("Retry-After"))
	}
	all := s.post(shopKey, "/v1/events/redeliver", `{}`).want(http.StatusOK)
	if !strings.Contains(string(all.body), `"count":1`) {
		t.Errorf("all of them: %s", all.body)
	}
	s.post(shopKey, "/v1/events/"+other+"/redeliver", "").want(http.StatusOK)
	s.post(adminKey, "/v1/events/"+often+"/redeliver", "").want(http.StatusOK)
	all = s.post(adminKey, "/v1/events/redeliver", `{}`).want(http.StatusOK)
	if !strings.Contains(string(all.body), `"count":2`) {
		t.Errorf("all of them, by the operator: %s", all.body)
	}
}

func TestRedeliverRefused(t *testing.T) {
	s := serve(t)
	s.post(shopKey, "/v1/events/redeliver", `{"caller":"other"}`).want(http.StatusForbidden)
	s.get(shopKey, "/v1/events?caller=other").want(http.StatusForbidden)
	for _, query := range []string{"?state=lost", "?type=x", "?since=yesterday", "?limit=0", "?cursor=x", "?order=1"} {
		s.get(shopKey, "/v1/events"+query).want(http.StatusUnprocessableEntity)
	}
	for _, body := range []string{
		`{"caller":""}`, `{"endpoint":""}`, `{"state":""}`, `{"type":""}`, `{"since":""}`,
		`{"since":"0001-01-01T00:00:00Z"}`, `{"until":"0001-01-01T00:00:00Z"}`,
		`{"caller":null}`, `{"state":null}`, `{"filter":{"state":"exhausted"}}`, `null`, `[]`, `""`,
	} {
		if a := s.post(adminKey, "/v1/events/redeliver", body); a.status != http.StatusUnprocessableEntity &&
			a.status != http.StatusBadRequest {
			t.Errorf("%s is answered %d: %s", body, a.status, a.body)
		}
	}
	for _, body := range []string{`{"state":"lost"}`, `{"since":"yesterday"}`, `{"order":"A"}`, `{"limit":-1}`,
		`{"cursor":"x","limit":1}`} {
		s.post(shopKey, "/v1/events/redeliver", body).want(http.StatusUnprocessableEntity)
	}
	s.post(shopKey, "/v1/events/redeliver", "").want(http.StatusBadRequest)
}
