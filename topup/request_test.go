package topup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

const whole = `{"distributor_transaction_id":"ORD-1","phone_number":"+52 55 3768 6660","product_id":"MOVISTAR_TAE","amount":10.50,
	"operator":"MOVISTAR","callback_url":"https://shop.example/hook","process_at":"2026-01-31T12:00:00-06:00",
	"expires_at":"2026-02-01T00:00:00Z","metadata":{"cart":"7"}}`

func TestParseRequest(t *testing.T) {
	got, err := topup.ParseRequest([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	at, until := time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	want := topup.Request{
		ID: "ORD-1", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: 1050, Operator: "MOVISTAR",
		CallbackURL: "https://shop.example/hook", ProcessAt: &at, ExpiresAt: &until,
		Metadata: map[string]string{"cart": "7"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := topup.ParseRequest(again); err != nil || back.Fingerprint() != got.Fingerprint() {
		t.Errorf("what the queue carries reads back as %+v, %v", back, err)
	}
}

func TestParseRequestNamesEveryWrongField(t *testing.T) {
	_, err := topup.ParseRequest([]byte(`{"distributor_transaction_id":"a b","phone_number":123,"product_id":"X","amount":"10",
		"operator":"!","callback_url":"ftp://x","process_at":"tomorrow","expires_at":5,"metadata":{"a":1},"amuont":10}`))
	var fields []string
	for _, f := range topup.FieldErrors(err) {
		fields = append(fields, f.Field)
		if f.Allowed == "" {
			t.Errorf("%s: does not say what is allowed", f.Field)
		}
	}
	slices.Sort(fields)
	want := []string{"amount", "amuont", "callback_url", "distributor_transaction_id", "expires_at", "metadata",
		"operator", "phone_number", "process_at", "product_id"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestParseRequestRefuses(t *testing.T) {
	order := func(more string) string {
		return `{"distributor_transaction_id":"A","phone_number":"5537686660"` + more + `}`
	}
	cases := map[string]struct{ body, field string }{
		"range":          {order(`,"product_id":"MOVISTAR_TAE","amount":9.99`), "amount"},
		"fixed price":    {order(`,"product_id":"MOVISTAR_PAQUETE_16","amount":31`), "amount"},
		"three decimals": {order(`,"product_id":"MOVISTAR_TAE","amount":10.001`), "amount"},
		"negative":       {order(`,"product_id":"MOVISTAR_TAE","amount":-10`), "amount"},
		"no amount":      {order(`,"product_id":"MOVISTAR_TAE","amount":null`), "amount"},
		"price of none":  {order(`,"product_id":"MOVISTAR_TAE","amount":0`), "amount"},
		"twice within":   {order(`,"product_id":"MOVISTAR_TAE","amount":10,"metadata":{"a":"1","a":"2"}`), "metadata.a"},
		"letter case":    {order(`,"product_id":"MOVISTAR_TAE","amount":10,"Operator":"MOVISTAR"`), "Operator"},
		"given twice":    {order(`,"product_id":"MOVISTAR_TAE","amount":10,"amount":1000`), "amount"},
		"expires first": {order(`,"product_id":"MOVISTAR_TAE","amount":10,"process_at":"2026-02-01T00:00:00Z","expires_at":"2026-01-01T00:00:00Z"`),
			"expires_at"},
		"large metadata": {order(`,"product_id":"MOVISTAR_TAE","amount":10,"metadata":{"a":"` +
			strings.Repeat("x", topup.MaxMetadata) + `"}`), "metadata"},
		"NUL in metadata": {order(`,"product_id":"MOVISTAR_TAE","amount":10,"metadata":{"a":"\u0000"}`), "metadata"},
		"user in URL": {order(`,"product_id":"MOVISTAR_TAE","amount":10,"callback_url":"https://a:b@shop.example/"`),
			"callback_url"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := topup.ParseRequest([]byte(c.body))
			fields := topup.FieldErrors(err)
			if len(fields) != 1 || fields[0].Field != c.field {
				t.Errorf("got %v, want one error on %s", err, c.field)
			}
		})
	}
	for _, body := range []string{
		``, `[]`, `{`, `{"a":1} x`, `null`, `"x"`, `{"a" 1}`, "\xff\xfe{\x00}\x00", order(`,"operator":"` + "\xf1" +
			`"`), order(`,"metadata":{"a":"\ud800"}`),
	} {
		if _, err := topup.ParseRequest([]byte(body)); !errors.Is(err, topup.ErrNotObject) {
			t.Errorf("%s: %v, want ErrNotObject", body, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	base, err := topup.ParseRequest([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	same := base
	same.CallbackURL = "https://shop.example/other"
	if same.Fingerprint() != base.Fingerprint() {
		t.Error("callback_url counts as content")
	}
	later := base.ProcessAt.Add(time.Microsecond)
	for field, change := range map[string]func(*topup.Request){
		"caller": func(r *topup.Request) { r.Caller = "other" }, "phone": func(r *topup.Request) { r.Phone = "5537686661" },
		"product": func(r *topup.Request) { r.Product = "X" }, "amount": func(r *topup.Request) { r.Amount++ },
		"operator": func(r *topup.Request) { r.Operator = "" }, "process_at": func(
			r *topup.Request) {
			r.ProcessAt = &later
		},
		"expires_at": func(r *topup.Request) { r.ExpiresAt = nil }, "metadata": func(r *topup.Request) { r.Metadata = nil },
	} {
		other := base
		change(&other)
		if other.Fingerprint() == base.Fingerprint() {
			t.Errorf("another %s has the same fingerprint", field)
		}
	}
}

func TestCheckTimes(t *testing.T) {
	now := time.Now()
	r := topup.Request{ExpiresAt: &now}
	if err := r.CheckTimes(now); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("an order that expires now is accepted: %v", err)
	}
	if err := r.CheckTimes(now.Add(-time.Second)); err != nil {
		t.Error(err)
	}
}

func TestEventFreezesTheOrder(t *testing.T) {
	r, err := topup.ParseRequest([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := r.Order(now)
	if _, err := topup.NewEvent("evt_1", topup.EventTypeOf(o.State), o, 1, now); err == nil {
		t.Error("callers are notified of a queued order")
	}
	o.State, o.BalanceAfter = topup.StateSucceeded, new(json.Number)
	*o.BalanceAfter = "990.00"
	ev, err := topup.NewEvent("evt_1", topup.EventTypeOf(o.State), o, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"topup.succeeded","timestamp":"2026-01-01T00:00:00Z","data":{"sequence":1,"distributor_transaction_id":"ORD-1","caller":"","state":"succeeded","reason":null,` +
		`"phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10.50,"currency":"MXN","operator":"MOVISTAR","priority":"normal","metadata":{"cart":"7"},"attempt_count":0,` +
		`"response_code":null,"response_message":null,"transaction_id":null,"reference":null,"auth_code":null,"balance_after":990.00,` +
		`"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","process_at":"2026-01-31T18:00:00Z","expires_at":"2026-02-01T00:00:00Z",` +
		`"next_attempt_at":"2026-01-31T18:00:00Z","finished_at":null,"waits_for":null}}`
	if diff := cmp.Diff(want, string(ev.Body)); diff != "" {
		t.Error(diff)
	}
}

// TestWrongProductHidesNoWrongAmount: both are named, so that the second is not found out with the next try.
func TestWrongProductHidesNoWrongAmount(t *testing.T) {
	for _, amount := range []string{"0", "-10", "10.001"} {
		_, err := topup.ParseRequest([]byte(
			`{"distributor_transaction_id":"A","phone_number":"5537686660","product_id":"X","amount":` + amount + `}`))
		var fields []string
		for _, f := range topup.FieldErrors(err) {
			fields = append(fields, f.Field)
		}
		slices.Sort(fields)
		if diff := cmp.Diff([]string{"amount", "product_id"}, fields); diff != "" {
			t.Errorf("%s: %s", amount, diff)
		}
	}
}

// TestRequestID: where two readers could find different ids, there is none.
func TestRequestID(t *testing.T) {
	for data, want := range map[string]topup.ID{
		whole: "ORD-1", `{"distributor_transaction_id":"A","amount":"x","amount":1}`: "A",
		`{"distributor_transaction_id":"A","distributor_transaction_id":"B"}`: "",
		`{"Distributor_Transaction_ID":"A"}`:                                  "", `{"distributor_transaction_id":7}`: "",
		`{"distributor_transaction_id":".."}`: "", `{"distributor_transaction_id":"A"} x`: "",
	} {
		id, err := topup.RequestID([]byte(data))
		if id != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", data, id, err, want)
		}
		if r, _ := topup.ParseRequest([]byte(data)); r.ID != want {
			t.Errorf("%s is read with the id %q, want %q", data, r.ID, want)
		}
	}
}

// TestManyFaults: however much is wrong with a body, what is said of it is little and soon said, and it begins with
// the fields that an order has.
func TestManyFaults(t *testing.T) {
	var strange, repeated, names strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&strange, `"x%d":1,`, i)
		fmt.Fprintf(&names, `"k%d":"","k%d":"",`, i, i)
		repeated.WriteString(`"amount":10,"operator":"A",`)
	}
	for name, body := range map[string]string{
		"unknown":         `{` + strange.String() + strange.String() + `"amount":"10"}`,
		"repeated":        `{` + repeated.String() + `"amount":10}`,
		"repeated within": `{"amount":-1,"metadata":{` + names.String() + `"x":""}}`,
		"a long name":     `{"` + strings.Repeat("n", 60_000) + `":1,"amount":-1}`,
		"a long value":    `{"amount":-1,"operator":"` + strings.Repeat("n", 60_000) + `"}`,
		"many deep objects": `{"amount":-1,"metadata":` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000) +
			`}`,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := topup.ParseRequest([]byte(body))
			took := time.Since(start)
			fields := topup.FieldErrors(err)
			if len(fields) > topup.MaxFaults ||
				!slices.ContainsFunc(fields, func(f *topup.FieldError) bool { return f.Field == "amount" }) {
				t.Errorf("%d fields, and is amount among them? %v", len(fields), err)
			}
			if text := err.Error(); len(text) > 10_000 {
				t.Errorf("%d bytes say what is wrong with %d", len(text), len(body))
			}
			if took > time.Minute { // it would never end; how it grows is strictjson's to test
				t.Errorf("%d bytes take %s", len(body), took)
			}
		})
	}
	_, err := topup.ParseRequest([]byte(`{` + strange.String() + `"amount":10}`))
	if !strings.Contains(err.Error(), "and 3983 more") {
		t.Errorf("it is not said how many more there are: %v", err)
	}
}

// TestMetadataIsCountedAsItWasSent: 4096 bytes of JSON are accepted, whatever encoder writes them on their way to the
// next border, and one byte more is not.
func TestMetadataIsCountedAsItWasSent(t *testing.T) {
	parse := func(metadata string) (topup.Request, error) {
		return topup.ParseRequest([]byte(
			`{"distributor_transaction_id":"A","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10,"metadata":` + metadata + `}`))
	}
	for _, text := range []string{"x", "<", "&", "\u2028", "\u00f1", `\"`, `\\`, `\n`, `\u0001`, "\U0001f600"} {
		t.Run(text, func(t *testing.T) {
			empty := len(`{"a":"","b":"1"}`)
			n := (topup.MaxMetadata - empty) / len(text)
			padding := strings.Repeat("1", topup.MaxMetadata-empty-n*len(text))
			whole := `{"a":"` + strings.Repeat(text, n) + padding + `","b":"1"}`
			r, err := parse(whole)
			if len(whole) != topup.MaxMetadata || err != nil {
				t.Fatalf("%d bytes: %v", len(whole), err)
			}
			queued, err := json.Marshal(r) // encoding/json writes < as \u003c
			if err != nil {
				t.Fatal(err)
			}
			if again, err := topup.ParseRequest(queued); err != nil || again.Fingerprint() != r.Fingerprint() {
				t.Errorf("not accepted again from the queue: %v", err)
			}
			if _, err := parse(strings.Replace(whole, `"b"`, `"bb"`, 1)); len(topup.FieldErrors(err)) != 1 {
				t.Errorf("one byte more is accepted: %v", err)
			}
		})
	}
}
