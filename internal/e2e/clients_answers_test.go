package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/topup"
)

// script is a server that answers the requests for each order in turn, and keeps what came. After its last answer it
// repeats that one.
type script struct {
	mu      sync.Mutex
	answers map[string][]http.HandlerFunc
	came    map[string][]string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is cut short is no order that the script knows
	s.mu.Lock()
	var id string
	for known := range s.answers {
		if strings.Contains(string(body), `"`+known+`"`) || strings.HasPrefix(r.URL.Path+"/", "/v1/topups/"+known+"/") {
			id = known
		}
	}
	n := len(s.came[id])
	s.came[id] = append(s.came[id], fmt.Sprint(r.Method, r.URL, r.Header["Authorization"], r.Header["Content-Type"],
		string(body)))
	answers := s.answers[id]
	s.mu.Unlock()
	if len(answers) == 0 {
		http.Error(w, "no such order", http.StatusTeapot)
		return
	}
	answers[min(n, len(answers)-1)](w, r)
}

func (s *script) requests(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.came[id])
}

// in answers with an order in a state, as the API does.
func in(id, state string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
		}
		_, _ = io.WriteString(w, orderIn(id, state))
	}
}

func orderIn(id, state string) string {
	return fmt.Sprintf(`{"distributor_transaction_id":%q,"caller":"default","state":%q,"reason":null,"phone_number":`+
		`"5537686660","product_id":"MOVISTAR_TAE","amount":10.50,"currency":"MXN","operator":null,"priority":"normal",`+
		`"metadata":{},"attempt_count":0,"response_code":null,"response_message":null,"transaction_id":null,`+
		`"reference":null,"auth_code":null,"balance_after":null,"created_at":"2026-01-31T18:00:00Z",`+
		`"updated_at":"2026-01-31T18:00:00Z","process_at":null,"expires_at":null,"next_attempt_at":null,`+
		`"finished_at":null,"waits_for":null,"attempts":[],"events":[],"new_in_a_later_release":{"a":[1]}}`, id, state)
}

// tagged answers with the order WAIT-TAG and a tag, or 304 where the state is empty, to whoever has the tag before.
func tagged(tag, state string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"`+tag+`"`)
		known := r.Header.Get("If-None-Match")
		switch {
		case state == "" && known == `W/"`+tag+`"`:
			w.WriteHeader(http.StatusNotModified)
		case state != "" && known != `W/"`+tag+`"`:
			in("WAIT-TAG", state)(w, r)
		default:
			http.Error(w, "the tag is "+known, http.StatusTeapot)
		}
	}
}

// says answers with a status, a body, and header fields, name and value in turn.
func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// lostAnswer hangs up.
func lostAnswer(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cutAnswer hangs up in the middle of an answer.
func cutAnswer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000")
	in("CUT", "queued")(w, r)
	panic(http.ErrAbortHandler)
}

// silent does not answer until the client has gone.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// soon is a Retry-After between one and two seconds from now: dates have no fractions.
func soon(w http.ResponseWriter, r *http.Request) {
	says(503, "", "Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))(w, r)
}

// exchange is what a client has to do, the answers that it gets, and what it must make of them.
type exchange struct {
	id      string
	does    string // place, unless it says otherwise
	answers []http.HandlerFunc
	// state or error, with its status, is what the client returns, after so many requests and so long.
	state, err string
	status     int
	requests   int
	least      time.Duration
	// timeout of a wait, and attempt of each request, in seconds; 0 leaves the client's own.
	timeout, attempt float64
}

func exchanges() []exchange {
	many := func(all ...http.HandlerFunc) []http.HandlerFunc { return all }
	problem := `{"title":"Unprocessable Entity","status":422,"detail":"not allowed","errors":[{"location":"body.amount",` +
		`"message":"must be 10","value":"1"},{"location":"body.x","message":"is unknown"}]}`
	noWait := says(422, `{"title":"x","status":422,"errors":[{"location":"query.wait","message":"is not known"}]}`)
	all := []exchange{
		{id: "LOST", answers: many(lostAnswer, in("LOST", "queued")), state: "queued", requests: 2},
		{id: "CUT", answers: many(cutAnswer, in("CUT", "queued")), state: "queued", requests: 2},
		{id: "SILENT", answers: many(silent, in("SILENT", "queued")), state: "queued", least: time.Second, attempt: 1},
		{id: "SECONDS", answers: many(says(429, problem, "Retry-After", "1"), in("SECONDS", "queued")), state: "queued",
			requests: 2, least: time.Second},
		{id: "DATE", answers: many(soon, in("DATE", "queued")), state: "queued", requests: 2, least: time.Second},
		{id: "PAST", answers: many(says(503, "", "Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"), in("PAST", "queued")),
			state: "queued", requests: 2},
		{id: "NONSENSE", answers: many(says(503, "<html>", "Retry-After", "-5"), in("NONSENSE", "queued")),
			state: "queued", requests: 2},
		{id: "TOO-LATE", answers: many(says(503, "", "Retry-After", "86400")), err: "NoAnswer", requests: 1},
		{id: "HTML", answers: many(says(200, "<html>It works!</html>")), err: "Answer", requests: 1},
		{id: "HTML-404", answers: many(says(404, "<html>")), err: "Problem", status: 404, requests: 1},
		{id: "LIST", answers: many(says(200, "[]")), err: "Answer", requests: 1},
		{id: "EMPTY", answers: many(says(204, "")), err: "Answer", requests: 1},
		{id: "OTHER", answers: many(in("ANOTHER", "queued")), err: "Answer", requests: 1},
		{id: "NO-STATE", answers: many(in("NO-STATE", "")), err: "Answer", requests: 1},
		{id: "MOVED", answers: many(says(302, "", "Location", "/v1/topups/MOVED"), in("MOVED", "queued")), err: "Answer",
			requests: 1},
		{id: "WRONG", answers: many(says(422, problem)), err: "Problem", status: 422, requests: 1},
		{id: "ODD-PROBLEM", answers: many(says(409, `{"errors":[null,"x"],"detail":7,"title":[]}`)), err: "Problem",
			status: 409, requests: 1},
		{id: "KEY", answers: many(says(401, `{"title":"Unauthorized","status":401}`)), err: "Problem", status: 401,
			requests: 1},
		{id: "GET", does: "get", answers: many(lostAnswer, in("GET", "unknown")), state: "unknown", requests: 2},
		{id: "CANCEL", does: "cancel", answers: many(lostAnswer, in("CANCEL", "canceled")), state: "canceled",
			requests: 2},
		{id: "WAIT", does: "wait", answers: many(in("WAIT", "submitting"), lostAnswer, in("WAIT", "unknown")),
			state: "unknown", requests: 3},
		{id: "WAIT-TAG", does: "wait", answers: many(tagged("1", "queued"), tagged("1", ""), tagged("2", "submitting"),
			tagged("2", ""), tagged("3", "failed")), state: "failed", requests: 5},
		{id: "WAIT-HELD", does: "wait", answers: many(in("WAIT-HELD", "unknown")), state: "unknown", requests: 1},
		{id: "NOT-MODIFIED", does: "get", answers: many(says(304, "")), err: "Answer", requests: 1},
		{id: "WAIT-END", does: "wait", answers: many(in("WAIT-END", "queued")), err: "WaitTimeout", state: "queued",
			timeout: 1.5},
		{id: "WAIT-NEVER", does: "wait", answers: many(says(404, problem)), err: "Problem", status: 404, requests: 1},
	}
	for _, status := range []int{408, 425, 500, 502, 504} {
		id := "S" + strconv.Itoa(status)
		all = append(all, exchange{id: id, answers: many(says(status, "<html>"), in(id, "succeeded")), state: "succeeded",
			requests: 2})
	}
	// From a server that does not know it, no client asks for it again: this comes last.
	return append(all, exchange{id: "WAIT-OLD", does: "wait", state: "succeeded", requests: 4,
		answers: many(in("WAIT-OLD", "queued"), noWait, in("WAIT-OLD", "queued"), in("WAIT-OLD", "succeeded"))})
}

// TestAnswersToClients: what each client makes of each answer. What it repeats is the same request, byte for byte.
func TestAnswersToClients(t *testing.T) {
	t.Parallel()
	for _, l := range languages(t) {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			all := exchanges()
			s := &script{answers: map[string][]http.HandlerFunc{}, came: map[string][]string{}}
			for _, e := range all {
				s.answers[e.id] = e.answers
			}
			d := l.start(t)
			url := serve(t, s) + "/"
			d.connected(t, url)
			for _, e := range all {
				e.check(t, d, s, url)
			}
			refusesToBegin(t, d)
		})
	}
}

func (e exchange) check(t *testing.T, d *driver, s *script, url string) {
	t.Helper()
	if e.attempt > 0 {
		d.does(t, deed{"do": "client", "url": url, "key": apiKey, "attempt": e.attempt})
		defer d.connected(t, url)
	}
	what := deed{"do": "place", "order": orderOf(topup.ID(e.id), "5537686660")}
	if e.does != "" {
		what = deed{"do": e.does, "id": e.id}
	}
	if e.timeout > 0 {
		what["timeout"] = e.timeout
	}
	a := d.does(t, what)
	if a.Error != e.err || a.Status != e.status || a.State != e.state {
		t.Errorf("%s: %+v, want %s %d %s", e.id, a, e.err, e.status, e.state)
	}
	came := s.requests(e.id)
	if e.requests > 0 && len(came) != e.requests || a.elapsed < e.least {
		t.Errorf("%s: %d requests in %s, want %d in %s at least: %q", e.id, len(came), a.elapsed, e.requests, e.least, came)
	}
	for _, request := range came[1:] {
		if e.does != "wait" && request != came[0] {
			t.Errorf("%s: %q is repeated as %q", e.id, came[0], request)
		}
	}
	if e.does == "wait" && e.timeout == 0 {
		for i, request := range came {
			// The first request is answered at once: the order may have ended, or be held.
			asked := strings.Contains(request, "?wait=30s") || strings.Contains(request, "?wait=29s")
			if asked != (i == 1 || i > 1 && e.id != "WAIT-OLD") {
				t.Errorf("%s: the server is asked to wait, or not: %q", e.id, came)
			}
		}
	}
	if e.id == "WRONG" && !strings.Contains(a.Message, `amount "1" must be 10; x is unknown`) {
		t.Errorf("%s: %s", e.id, a.Message)
	}
}

// refusesToBegin: what can never work is refused before a request is made, and the text of no secret is shown.
func refusesToBegin(t *testing.T, d *driver) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it asked") }))
	defer server.Close()
	const secret = "sesame-0123"
	for _, what := range []deed{
		{"url": "", "key": secret}, {"url": "recarga.example", "key": secret}, {"url": "ftp://recarga.example", "key": secret},
		{"url": "https://", "key": secret}, {"url": "https://recarga.example\n", "key": secret},
		{"url": " https://recarga.example", "key": secret}, {"url": "https://recarga.example:x", "key": secret},
		{"url": "https://u:p@recarga.example", "key": secret}, {"url": "https://recarga.example/?a=b", "key": secret},
		{"url": "https://recarga.example/v1", "key": secret}, {"url": "https://recarga.example/v1/topups/", "key": secret},
		{"url": server.URL, "key": ""}, {"url": server.URL, "key": secret + "\n"}, {"url": server.URL, "key": " " + secret},
		{"url": server.URL, "key": secret + "ñ"}, {"url": server.URL, "key": "Bearer " + secret},
		{"url": server.URL, "key": secret, "attempt": -1}, {"url": server.URL, "key": secret, "total": -1},
	} {
		what["do"] = "client"
		if a := d.does(t, what); a.Error != "usage" || strings.Contains(a.Message, secret) {
			t.Errorf("%v: %+v", what, a)
		}
	}
	if a := d.does(t, deed{"do": "client", "url": server.URL, "key": secret}); a.Error != "" {
		t.Error(a.Message)
	}
	for _, id := range []string{"", ".", "..", "a/b", "A B", "ñ", "A\n", strings.Repeat("A", 65)} {
		for _, what := range []deed{
			{"do": "place", "order": orderOf(topup.ID(id), "5537686660")}, {"do": "get", "id": id},
			{"do": "cancel", "id": id}, {"do": "wait", "id": id},
		} {
			if a := d.does(t, what); a.Error != "usage" {
				t.Errorf("%v: %+v", what, a)
			}
		}
	}
	for _, secret := range []string{"", secret, "whsec_", "whsec_" + secret, "whsec_QUJD", "whsec_" + strings.Repeat("A", 32) +
		"\n"} {
		a := d.does(t, deed{"do": "verify", "secrets": []string{secret}, "body": "", "headers": deed{}})
		if a.Error != "usage" || len(secret) > 6 && strings.Contains(a.Message, secret[6:]) {
			t.Errorf("secret %q: %+v", secret, a)
		}
	}
}
