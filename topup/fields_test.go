package topup_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// everyField is a request in which no field is left out.
const everyField = `{"distributor_transaction_id":"ORD-1","caller":"shop","phone_number":"5537686660",
	"product_id":"MOVISTAR_TAE","amount":10,"operator":"MOVISTAR","callback_url":"https://shop.example/hook",
	"process_at":"2026-01-31T12:00:00Z","expires_at":"2026-02-01T00:00:00Z","priority":"high","metadata":{"cart":"7"}}`

// TestEveryFieldIsCarried: what a request says is read, is in the order, and is in what the queue carries of it.
func TestEveryFieldIsCarried(t *testing.T) {
	r, err := topup.ParseRequest([]byte(everyField))
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("everyField has no %s, or it is not read", v.Type().Field(i).Name)
		}
	}
	if diff := cmp.Diff(r, r.Order(time.Now()).Request()); diff != "" {
		t.Errorf("the order (-asked for +kept): %s", diff)
	}
}

// TestEveryFieldIsKnown: a field of a request is refused for its value, and not as one that there is none of.
func TestEveryFieldIsKnown(t *testing.T) {
	request := reflect.TypeFor[topup.Request]()
	for i := range request.NumField() {
		field, _, _ := strings.Cut(request.Field(i).Tag.Get("json"), ",")
		_, err := topup.ParseRequest([]byte(`{"` + field + `":true}`))
		known := false
		for _, e := range topup.FieldErrors(err) {
			known = known || e.Field == field && !strings.HasPrefix(e.Allowed, "absent")
		}
		if !known {
			t.Errorf("%s: %v", field, err)
		}
	}
}
