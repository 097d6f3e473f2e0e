package distributor

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"recarga/topup"
)

const own = "ORD-1"

func body(fields ...string) string { return "{" + strings.Join(fields, ",") + "}" }

const (
	ownID   = `"distributor_transaction_id":"ORD-1"`
	otherID = `"distributor_transaction_id":"ORD-2"`
	success = `"success":true`
	failure = `"success":false`
)

func code(c string) string { return `"response_code":"` + c + `"` }

// TestClassifyEveryCell walks status × code × success × id, against the rules of the contract written
// down once more and in another way: as what must hold for each outcome.
func TestClassifyEveryCell(t *testing.T) {
	statuses := []int{200, 201, 302, 400, 401, 402, 403, 404, 429, 500, 502, 503, 504}
	codes := []string{"", "00", "05", "12", "13", "14", "51", "83", "91", "96", "99", "XX"}
	cells := 0
	for _, status := range statuses {
		for _, c := range codes {
			for _, flag := range []string{"", success, failure} {
				for _, id := range []string{"", ownID, otherID} {
					var fields []string
					for _, f := range []string{flag, id} {
						if f != "" {
							fields = append(fields, f)
						}
					}
					if c != "" {
						fields = append(fields, code(c))
					}
					text := body(fields...)
					got := classify(answer{status: status, body: []byte(text)}, own, topup.DefaultRetryCodes())
					if want := expected(status, c, flag, id); got.Outcome != want {
						t.Errorf("HTTP %d %s is %s (%s), want %s", status, text, got.Outcome, got.Error, want)
					}
					cells++
				}
			}
		}
	}
	t.Logf("%d cells", cells)
}

// gateway tells statuses that are not the vendor's own: something between answered.
func gateway(status int) bool {
	return status == 201 || status == 302 || status == 502 || status == 504
}

func expected(status int, c, flag, id string) topup.Outcome {
	if id == otherID {
		return topup.OutcomeUnknown
	}
	switch c {
	case "00":
		if status == 200 && flag == success && id == ownID {
			return topup.OutcomeApproved
		}
		return topup.OutcomeUnknown
	case "05", "12", "13", "14", "51", "83":
		if flag != success && !gateway(status) {
			return topup.OutcomeDeclined
		}
		return topup.OutcomeUnknown
	case "91", "96":
		if flag != success && !gateway(status) {
			return topup.OutcomeUnavailable
		}
		return topup.OutcomeUnknown
	case "":
		switch {
		case flag == success:
		case status == 401, status == 429:
			return topup.OutcomeNotSent
		case status == 402, status == 400 && flag == failure:
			return topup.OutcomeDeclined
		}
	}
	return topup.OutcomeUnknown
}

func TestClassifyBrokenAnswers(t *testing.T) {
	approved := body(success, ownID, code("00"))
	cut := errors.New("unexpected EOF")
	cases := []struct {
		name   string
		answer answer
		want   topup.Outcome
	}{
		{"approved", answer{status: 200, body: []byte(approved)}, topup.OutcomeApproved},
		{"cut short", answer{status: 200, body: []byte(approved), err: cut}, topup.OutcomeUnknown},
		{"401 cut short", answer{status: 401, err: cut}, topup.OutcomeUnknown},
		{"too large", answer{status: 200, body: []byte(approved), err: errTooLarge}, topup.OutcomeUnknown},
		{"no answer", answer{err: cut}, topup.OutcomeUnknown},
		{"empty", answer{status: 200}, topup.OutcomeUnknown},
		{"text", answer{status: 200, body: []byte("Aprobado")}, topup.OutcomeUnknown},
		{"HTML 502", answer{status: 502, body: []byte("<html>Bad Gateway</html>")}, topup.OutcomeUnknown},
		{"HTML 402", answer{status: 402, body: []byte("<html>")}, topup.OutcomeUnknown},
		{"HTML 429", answer{status: 429, body: []byte("<html>slow down</html>")}, topup.OutcomeNotSent},
		{"text 401", answer{status: 401, body: []byte("Unauthorized")}, topup.OutcomeNotSent},
		{"array", answer{status: 200, body: []byte("[" + approved + "]")}, topup.OutcomeUnknown},
		{"null", answer{status: 402, body: []byte("null")}, topup.OutcomeUnknown},
		{"something behind", answer{status: 200, body: []byte(approved + approved)}, topup.OutcomeUnknown},
		{"half an object", answer{status: 200, body: []byte(approved[:len(approved)-1])}, topup.OutcomeUnknown},
		{"code twice", answer{status: 200, body: []byte(body(success, ownID, code("51"), code("00")))}, topup.OutcomeUnknown},
		{"code a number", answer{status: 402, body: []byte(body(failure, `"response_code":51`))}, topup.OutcomeUnknown},
		{"success a text", answer{status: 200, body: []byte(body(`"success":"true"`, ownID, code("00")))}, topup.OutcomeUnknown},
		{"code null", answer{status: 402, body: []byte(body(failure, `"response_code":null`))}, topup.OutcomeDeclined},
		{"code with a space", answer{status: 200, body: []byte(body(failure, code("51 ")))}, topup.OutcomeUnknown},
		{"code once with a long s", answer{status: 200, body: []byte(body(success, ownID, code("51"), `"reſponse_code":"00"`))}, topup.OutcomeUnknown},
		{"a name once with the Kelvin sign", answer{status: 200, body: []byte(body(success, ownID, code("00"), `"risk":0,"risK":1`))}, topup.OutcomeUnknown},
		{"code in capitals of another name", answer{status: 200, body: []byte(body(success, ownID, `"RESPONSE_CODE":"51"`, code("00")))}, topup.OutcomeUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := classify(c.answer, own, topup.DefaultRetryCodes()); got.Outcome != c.want {
				t.Errorf("%s (%s), want %s", got.Outcome, got.Error, c.want)
			}
		})
	}
}

func TestClassifyACodeTakenOut(t *testing.T) {
	got := classify(answer{status: 500, body: []byte(body(failure, ownID, code("96")))}, own, []topup.Code{"91"})
	if got.Outcome != topup.OutcomeUnknown {
		t.Errorf("%s, want unknown", got.Outcome)
	}
}

func TestClassifyKeepsWhatTheVendorSays(t *testing.T) {
	text := body(success, ownID, code("00"), `"response_message":"Aprobado"`, `"transaction_id":"TXN-1"`, `"reference":"RRN-1"`, `"auth_code":"A1"`, `"balance_after":990.00`)
	got := classify(answer{status: 200, body: []byte(text)}, own, topup.DefaultRetryCodes())
	if got.Message != "Aprobado" || got.TransactionID != "TXN-1" || got.Reference != "RRN-1" || got.AuthCode != "A1" || got.BalanceAfter == nil || *got.BalanceAfter != "990.00" {
		t.Errorf("%+v", got)
	}
	declined := classify(answer{status: 402, body: []byte(body(failure, ownID, code("51"), `"error":"Insufficient balance"`))}, own, topup.DefaultRetryCodes())
	if declined.Message != "Insufficient balance" || declined.Code != "51" || declined.HTTPStatus != 402 {
		t.Errorf("%+v", declined)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", now.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		{"Retry-After", now.Add(-time.Minute).Format(http.TimeFormat), 0},
		{"Retry-After", "999999", time.Hour},
		{"Retry-After", "soon", 0},
		{"RateLimit-Reset", "30", 30 * time.Second},
		{"X-RateLimit-Reset", fmt.Sprint(now.Add(20 * time.Second).Unix()), 20 * time.Second},
		{"", "", 0},
	}
	for _, c := range cases {
		h := http.Header{}
		h.Set(c.name, c.value)
		if got := retryAfter(h, now); got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.name, c.value, got, c.want)
		}
	}
}
