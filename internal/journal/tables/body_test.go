package tables

import (
	"encoding/json"
	"testing"
	"time"

	"recarga/topup"
)

// TestBodyWordsStay: bodies that older programs stored must stay readable.
func TestBodyWordsStay(t *testing.T) {
	const body = `{"type":"topup.succeeded","timestamp":"2026-01-31T12:00:00Z","data":{"sequence":1,` +
		`"distributor_transaction_id":"ORD-1","caller":"shop","state":"succeeded","reason":null,` +
		`"phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10.50,"currency":"MXN",` +
		`"operator":"MOVISTAR","metadata":{"a":"\u0001"},"attempt_count":1,"response_code":"00",` +
		`"response_message":"Aprobado","transaction_id":"T","reference":"R","auth_code":"A",` +
		`"balance_after":990.00,"created_at":"2026-01-31T12:00:00Z","updated_at":"2026-01-31T12:00:00Z",` +
		`"process_at":null,"expires_at":null,"next_attempt_at":null,"finished_at":"2026-01-31T12:00:00Z"}}`
	const stored = "\x01\x1f\x022026-01-31T12:00:00Z\x031\x04ORD-1\x05shop\x06\x1f\x075537686660" +
		"\x0aMOVISTAR_TAE\x0b10.50\x0cMOVISTAR\x0e\"a\":\"\\u0001\"\x0f1\x1000\x12Aprobado\x13T\x14R\x15A\"" +
		"\x17990.00\x182026-01-31T12:00:00Z\x192026-01-31T12:00:00Z\x1a2026-01-31T12:00:00Z\"}}"
	if got := squeeze([]byte(body)); string(got) != stored {
		t.Errorf("squeezed:\n%q, want\n%q", got, stored)
	}
	if got := unsqueeze([]byte(stored)); string(got) != body {
		t.Errorf("unsqueezed:\n%s, want\n%s", got, body)
	}
}

// TestTryOfAnotherRelease: the release before reads a try with a response, and this one reads those of the release
// before.
func TestTryOfAnotherRelease(t *testing.T) {
	line, err := EncodeTry(topup.Try{At: time.Unix(1, 0), Response: &topup.TryResponse{Body: "busy"}})
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	var status int
	var former topup.Try
	if err := json.Unmarshal([]byte(line), &[]any{&at, &status, &former.DurationMS, &former.Error}); err != nil || at != 1e6 {
		t.Errorf("the release before reads %d of %s: %v", at, line, err)
	}
	tries, err := decodeTries("[1000000,503,7,\"\"]\n" + line)
	if err != nil || len(tries) != 2 || tries[0].Response != nil || tries[1].Response.Body != "busy" {
		t.Errorf("read %+v: %v", tries, err)
	}
}

func FuzzBody(f *testing.F) {
	f.Add("shop", "Aprobado", "cart", "7")
	f.Add(`","state":"`, "\x01\x1f", `{"type":"topup.`, "\u2028\xff")
	f.Fuzz(func(t *testing.T, caller, message, key, value string) {
		o := topup.Order{
			ID: "A", Caller: caller, State: topup.StateFailed, Reason: topup.ReasonDeclined,
			ResponseMessage: topup.NullString(message),
			Metadata:        map[string]string{key: value},
		}
		ev, err := topup.NewEvent("evt_1", topup.EventTypeOf(o.State), o, 1, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if got := unsqueeze(squeeze(ev.Body)); string(got) != string(ev.Body) || !json.Valid(got) {
			t.Errorf("%s\nbecomes %s", ev.Body, got)
		}
	})
}
