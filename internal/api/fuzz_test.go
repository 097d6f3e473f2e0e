package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// documented are the statuses that the API's own document has for an operation, without those of faults.
func (s *server) documented(path string) []int {
	s.tb.Helper()
	var document struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	decode(s.tb, s.get(shopKey, "/openapi.json").body, &document)
	var statuses []int
	for text := range document.Paths[path]["post"].Responses {
		if status, err := strconv.Atoi(text); err == nil && status < 500 {
			statuses = append(statuses, status)
		}
	}
	if len(statuses) < 3 {
		s.tb.Fatalf("%s is documented with %v", path, statuses)
	}
	return statuses
}

// stored is the order of an id in the book of record, if there is one.
func (s *server) stored(id topup.ID) (o topup.Order, found bool) {
	s.tb.Helper()
	o, err := s.journal.Order(s.tb.Context(), id)
	if err != nil && !errors.Is(err, topup.ErrNotFound) {
		s.tb.Fatal(err)
	}
	return o, err == nil
}

// FuzzPlaceTwice: any body of any type, sent twice to the real thing. What is accepted is in the book
// of record as it was written, and is the same order the second time; what is not names its fields.
func FuzzPlaceTwice(f *testing.F) {
	f.Add(typeJSON, []byte(order("A", `"operator":"MOVISTAR"`, `"metadata":{"k":"<ñ>"}`)))
	f.Add(typeJSON, []byte(order("A", `"callback_url":"https://shop.example/x"`)))
	f.Add("application/json; charset=utf-8", []byte(order("B", `"process_at":"2035-01-01T00:00:00.1234567+01:00"`,
		`"expires_at":"2036-01-01T00:00:00Z"`)))
	f.Add(typeJSON, []byte(order("C", `"expires_at":"2001-01-01T00:00:00Z"`)))
	f.Add(typeJSON, []byte(order("D", `"expires_at":"9999-12-31T23:59:59-23:59"`)))
	f.Add(typeJSON, []byte(order("E", `"amount":11`)))
	f.Add(typeJSON, []byte(order("G", `"caller":"x"`, `"callback_url":"http://["`)))
	f.Add(typeJSON, []byte(`[1]`))
	f.Add(typeJSON, []byte(`{"phone_number":5537686660,"":1}`))
	f.Add(typeJSON, []byte("{\"distributor_transaction_id\":\"\xff\"}"))
	f.Add(typeJSON, bytes.Repeat([]byte(" "), 65<<10))
	f.Add("text/plain", []byte(order("F")))
	f.Add("", []byte(nil))
	real := serve(f)
	statuses := real.documented("/v1/topups")
	f.Fuzz(func(t *testing.T, media string, body []byte) {
		s := *real
		s.tb = t
		id := idIn(body)
		before, there := s.stored(id)
		first, second := s.placeAny(media, body), s.placeAny(media, body)
		if !slices.Contains(statuses, first.status) || !json.Valid(first.body) {
			t.Fatalf("%q is answered with %d %s; documented are %v", body, first.status, first.body, statuses)
		}
		kind, _, _ := mime.ParseMediaType(sent(media))
		if (first.status == http.StatusUnsupportedMediaType) != (kind != typeJSON) {
			t.Errorf("%q is answered with %d", media, first.status)
		}
		after, found := s.stored(id)
		switch first.status {
		case http.StatusAccepted, http.StatusOK:
			if there != (first.status == http.StatusOK) || !found {
				t.Fatalf("%d; in the book before: %v, after: %v", first.status, there, found)
			}
			checkPlaced(t, body, first, second, after)
		case http.StatusUnprocessableEntity:
			checkNamed(t, first)
			fallthrough
		default:
			if second.status != first.status || there != found || !cmp.Equal(before, after) {
				t.Errorf("refused with %d, then %d; %s", first.status, second.status, cmp.Diff(before, after))
			}
		}
	})
}

// sent is a header's value without what a client refuses to send.
func sent(value string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, value))
}

func (s *server) placeAny(media string, body []byte) answer {
	s.tb.Helper()
	return s.send("POST", "/v1/topups", string(body), "Authorization", "Bearer "+shopKey, "Content-Type", sent(media))
}

func idIn(body []byte) topup.ID {
	var fields map[string]json.RawMessage
	var id topup.ID
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields[topup.FieldID], &id) != nil {
		return ""
	}
	return id
}

// checkPlaced: both answers are the order in the book, and that is what the body says.
func checkPlaced(t *testing.T, body []byte, first, second answer, stored topup.Order) {
	t.Helper()
	if second.status != http.StatusOK || second.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the second time: %d, Idempotent-Replayed %q", second.status, second.header.Get("Idempotent-Replayed"))
	}
	if first.header.Get("Location") != "/v1/topups/"+string(stored.ID) ||
		(first.header.Get("Idempotent-Replayed") == "true") != (first.status == http.StatusOK) {
		t.Errorf("%d with headers %v", first.status, first.header)
	}
	checkContent(t, body, stored)
	stored.CallbackURL, stored.EndsAt = "", nil // not shown
	if diff := cmp.Diff(stored, first.order()) + cmp.Diff(stored, second.order()); diff != "" {
		t.Error(diff)
	}
}

var notDigit = regexp.MustCompile(`\D`)

// checkContent reads the body without the product, and compares.
func checkContent(t *testing.T, body []byte, o topup.Order) {
	t.Helper()
	var all map[string]json.RawMessage
	decode(t, body, &all)
	text := func(name string) (s string) {
		if all[name] != nil {
			decode(t, all[name], &s)
		}
		return s
	}
	digits := notDigit.ReplaceAllString(text("phone_number"), "")
	written, _ := new(big.Rat).SetString(string(all["amount"]))
	kept, _ := new(big.Rat).SetString(o.Amount.String())
	if o.Caller != "shop" || o.Phone.Digits() != digits[len(digits)-10:] || o.Product != text("product_id") ||
		string(o.Operator) != text("operator") || written.Cmp(kept) != 0 {
		t.Errorf("%s is kept as %+v, %s", body, o, o.Amount)
	}
	metadata := map[string]string{}
	if len(all["metadata"]) > 0 && string(all["metadata"]) != "null" {
		decode(t, all["metadata"], &metadata)
	}
	if !cmp.Equal(metadata, o.Metadata) {
		t.Errorf("%s is kept with metadata %q", body, o.Metadata)
	}
	for name, kept := range map[string]*time.Time{"process_at": o.ProcessAt, "expires_at": o.ExpiresAt} {
		written, err := time.Parse(time.RFC3339, text(name))
		if (kept == nil) != (text(name) == "") || kept != nil &&
			(err != nil || !kept.Equal(written.Truncate(time.Microsecond))) {
			t.Errorf("%s %q is kept as %v", name, text(name), kept)
		}
	}
}

// checkNamed: a 422 names fields, each with what is allowed.
func checkNamed(t *testing.T, a answer) {
	t.Helper()
	p := a.problem()
	if len(p.Errors) == 0 {
		t.Errorf("no field is named: %s", a.body)
	}
	for _, e := range p.Errors {
		if !strings.HasPrefix(e.Location, "body.") || !strings.HasPrefix(e.Message, "must be ") {
			t.Errorf("field %q: %q", e.Location, e.Message)
		}
	}
}

// FuzzBatch: every line that is not blank has one answer, in its order, of a status that the order
// alone would have had; the answers say which orders are in the book.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(order("A") + "\n" + order("A") + "\n\n" + order("A", `"operator":"TELCEL"`) + "\r\n{"))
	f.Add([]byte("\n \n\t\r\n" + order("B", `"expires_at":"9999-12-31T23:59:59-23:59"`)))
	f.Add([]byte(order("C") + "\n" + strings.Repeat("x", 65<<10) + "\n" + order("D")))
	f.Add([]byte("\xef\xbb\xbf" + order("E") + "\n\x00\n\"a\nb\"\n"))
	f.Add(bytes.Repeat([]byte("{}\n"), 300))
	real := serve(f)
	statuses := real.documented("/v1/topups")
	f.Fuzz(func(t *testing.T, body []byte) {
		s := *real
		s.tb = t
		var want []int
		for i, text := range bytes.Split(body, []byte("\n")) {
			if len(bytes.TrimSpace(text)) > 0 {
				want = append(want, i+1)
			}
		}
		answers := lines(t, s.batch(shopKey, string(body)))
		var got []int
		for _, l := range answers {
			got = append(got, l.Line)
			if !slices.Contains(statuses, l.Status) {
				t.Errorf("line %d is answered with %d", l.Line, l.Status)
			}
			if l.Topup == nil {
				continue
			}
			if o, found := s.stored(l.Topup.ID); !found || l.ID == nil || *l.ID != string(o.ID) ||
				!o.CreatedAt.Equal(l.Topup.CreatedAt) {
				t.Errorf("line %d is placed as %+v; in the book: %v", l.Line, l.Topup, found)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("answers to lines %v of %v", got, want)
		}
		for i, again := range lines(t, s.batch(shopKey, string(body))) {
			if status := answers[i].Status; again.Status != status &&
				(status != http.StatusAccepted || again.Status != http.StatusOK) {
				t.Errorf("line %d is answered with %d, then with %d", again.Line, status, again.Status)
			}
		}
	})
}
