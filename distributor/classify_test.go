package distributor

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	for _, c := range topup.Codes() {
		if !slices.Contains(codes, string(c)) {
			t.Errorf("code %s is not tried", c)
		}
	}
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

// gateway has statuses that are not the vendor's own: something between answered.
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
		{"code twice", answer{status: 200, body: []byte(body(success, ownID, code("51"), code("00")))},
			topup.OutcomeUnknown},
		{"code null", answer{status: 402, body: []byte(body(failure, `"response_code":null`))}, topup.OutcomeDeclined},
		{"code with a space", answer{status: 200, body: []byte(body(failure, code("51 ")))}, topup.OutcomeUnknown},
		{"code once with a long s", answer{status: 200,
			body: []byte(body(success, ownID, code("51"), `"reſponse_code":"00"`))}, topup.OutcomeUnknown},
		{"code in capitals of another name",
			answer{status: 200, body: []byte(body(success, ownID, `"RESPONSE_CODE":"51"`, code(
				"00")))}, topup.OutcomeUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := classify(c.answer, own, topup.DefaultRetryCodes()); got.Outcome != c.want {
				t.Errorf("%s (%s), want %s", got.Outcome, got.Error, c.want)
			}
		})
	}
}

// TestClassifyReadings: an answer means what all its readers agree on. Each fault is put into an approved
// answer (HTTP 200) and into a decline (HTTP 402, code 51).
func TestClassifyReadings(t *testing.T) {
	const (
		unknown, approved, declined = topup.OutcomeUnknown, topup.OutcomeApproved, topup.OutcomeDeclined
		keep                        = "" // the field as it should be
	)
	for _, c := range []struct {
		name, success, id, code, more string
		whenApproved, whenDeclined    topup.Outcome
	}{
		{"as documented", keep, keep, keep, ``, approved, declined},
		{"success a text", `"success":"%"`, keep, keep, ``, approved, declined},
		{"success in capitals", `"success":"TRUE"`, keep, keep, ``, unknown, unknown},
		{"success 1", `"success":1`, keep, keep, ``, unknown, unknown},
		{"success 0", `"success":0`, keep, keep, ``, unknown, declined},
		{"success null", `"success":null`, keep, keep, ``, unknown, declined},
		{"success an object", `"success":{"a":true}`, keep, keep, ``, unknown, unknown},
		{"success with a space", `"success":"true "`, keep, keep, ``, unknown, unknown},
		{"success twice, alike", `"success":%,"success":%`, keep, keep, ``, approved, declined},
		{"success twice", `"success":true,"success":false`, keep, keep, ``, unknown, unknown},
		{"success twice, the other way", `"success":false,"success":true`, keep, keep, ``, unknown, unknown},
		{"success in two cases", keep, keep, keep, `"SUCCESS":true`, approved, unknown},
		{"success in another case only", `"Success":%`, keep, keep, ``, unknown, declined},
		{"success with an escape", `"\u0073uccess":%`, keep, keep, ``, approved, declined},

		{"code a number of one digit", keep, keep, `"response_code":0`, ``, unknown, unknown},
		{"code a number", keep, keep, `"response_code":51`, ``, unknown, declined},
		{"code a float", keep, keep, `"response_code":51.0`, ``, unknown, unknown},
		{"code an exponent", keep, keep, `"response_code":5.1e1`, ``, unknown, unknown},
		{"code 0", keep, keep, `"response_code":"0"`, ``, unknown, unknown},
		{"code 000", keep, keep, `"response_code":"000"`, ``, unknown, unknown},
		{"code with a space", keep, keep, `"response_code":"% "`, ``, unknown, unknown},
		{"code with an invisible character", keep, keep, `"response_code":"%\u200b"`, ``, unknown, unknown},
		{"code in full-width digits", keep, keep, `"response_code":"\uff10\uff10"`, ``, unknown, unknown},
		{"code a list", keep, keep, `"response_code":["%"]`, ``, unknown, unknown},
		{"code false", keep, keep, `"response_code":false`, ``, unknown, unknown},
		{"code null", keep, keep, `"response_code":null`, ``, unknown, declined}, // 402 has one meaning
		{"code empty", keep, keep, `"response_code":""`, ``, unknown, declined},
		{"code also 91", keep, keep, keep, `"response_code":"91"`, unknown, unknown},
		{"code also 00 in capitals", keep, keep, keep, `"RESPONSE_CODE":"00"`, approved, unknown},
		{"code also 00 with a long s", keep, keep, keep, `"re\u017fponse_code":"00"`, approved, unknown},
		{"code over and over", keep, keep, keep, repeated(`"response_code":"%d"`, 2000), unknown, unknown},

		{"id in another case", keep, `"distributor_transaction_id":"ord-1"`, keep, ``, unknown, unknown},
		{"id with a space", keep, `"distributor_transaction_id":" ORD-1"`, keep, ``, unknown, unknown},
		{"id cut", keep, `"distributor_transaction_id":"ORD"`, keep, ``, unknown, unknown},
		{"id a number", keep, `"distributor_transaction_id":1`, keep, ``, unknown, unknown},
		{"id a list", keep, `"distributor_transaction_id":["ORD-1"]`, keep, ``, unknown, unknown},
		{"id empty", keep, `"distributor_transaction_id":""`, keep, ``, unknown, unknown},
		{"id null", keep, `"distributor_transaction_id":null`, keep, ``, unknown, declined},
		{"no id", keep, `"id":"ORD-1"`, keep, ``, unknown, declined},
		{"id twice", keep, keep, keep, `"distributor_transaction_id":"ORD-2"`, unknown, unknown},
		{"id twice, alike", keep, keep, keep, ownID, approved, declined},

		{"nested what decides", keep, keep, keep,
			`"data":{"success":1,"response_code":"96","distributor_transaction_id":"x"}`, approved, declined},
		{"a name twice", keep, keep, keep, `"reference":"1","reference":"2"`, approved, declined},
		{"a name with the Kelvin sign, too", keep, keep, keep, `"risk":0,"ris\u212a":1`, approved, declined},
		{"names that look like it", keep, keep, keep, `" success":false,"responseCode":"96","success\u0000":0,"":0`,
			approved, declined},
		{"numbers beyond all size", keep, keep, keep, `"balance_after":1e999999999,"reference":-1E-999999999`, approved,
			declined},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, a := range []struct {
				status     int
				flag, code string
				want       topup.Outcome
			}{{200, "true", "00", c.whenApproved}, {402, "false", "51", c.whenDeclined}} {
				fields := []string{
					strings.ReplaceAll(cmp.Or(c.success, `"success":%`), "%", a.flag), cmp.Or(c.id, ownID),
					strings.ReplaceAll(cmp.Or(c.code, `"response_code":"%"`), "%", a.code),
				}
				if c.more != "" {
					fields = append(fields, c.more)
				}
				text := body(fields...)
				for _, text := range []string{text, "\ufeff" + text, " \r\n" + text + "\n\n"} {
					got := classify(answer{status: a.status, body: []byte(text)}, own, topup.DefaultRetryCodes())
					if got.Outcome != a.want || (got.Outcome == unknown) && got.Error == "" {
						t.Errorf("HTTP %d %.300s is %s (%s), want %s", a.status, text, got.Outcome, got.Error, a.want)
					}
				}
			}
		})
	}
}

func repeated(format string, n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return strings.Join(all, ",")
}

// TestClassifyAnIDOfDigits: an id that looks like a number may be echoed as one, digit for digit.
func TestClassifyAnIDOfDigits(t *testing.T) {
	for _, c := range []struct {
		sent topup.ID
		echo string
		want topup.Outcome
	}{
		{"12345678901234567890123", `12345678901234567890123`, topup.OutcomeApproved},
		{"12345678901234567890123", `1.2345678901234568e22`, topup.OutcomeUnknown},
		{"12345678901234567890123", `12345678901234567000000`, topup.OutcomeUnknown},
		{"1e5", `1e5`, topup.OutcomeUnknown},
		{"100000", `1e5`, topup.OutcomeUnknown},
		{"7", `7.0`, topup.OutcomeUnknown},
		{"007", `7`, topup.OutcomeUnknown},
		{"-7", `-7`, topup.OutcomeUnknown},
	} {
		text := body(success, code("00"), `"distributor_transaction_id":`+c.echo)
		if got := classify(answer{status: 200, body: []byte(text)}, c.sent,
			topup.DefaultRetryCodes()); got.Outcome != c.want {
			t.Errorf("%s for %s is %s, want %s", c.echo, c.sent, got.Outcome, c.want)
		}
	}
}

// TestClassifyOtherCharsets: what decides is ASCII, so an answer in a charset that contains ASCII is read.
func TestClassifyOtherCharsets(t *testing.T) {
	plain := body(success, ownID, code("00"))
	latin1 := body(success, ownID, code("00"), "\"response_message\":\"Transacci\xf3n aprobada\"", "\"\xf1\":1")
	got := classify(answer{status: 200, body: []byte(latin1)}, own, topup.DefaultRetryCodes())
	if got.Outcome != topup.OutcomeApproved || got.Message != "Transacci\uFFFDn aprobada" {
		t.Errorf("%+v", got)
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "", "\ufeff\ufeff", "\ufeff \ufeff"} {
		text := mark + plain
		if !strings.HasPrefix(mark, "\ufeff") {
			text = mark + strings.Join(strings.Split(plain, ""), "\x00") + "\x00"
		}
		if got := classify(answer{status: 200, body: []byte(text)}, own,
			topup.DefaultRetryCodes()); got.Outcome != topup.OutcomeUnknown {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestClassifyACodeTakenOut(t *testing.T) {
	got := classify(answer{status: 500, body: []byte(body(failure, ownID, code("96")))}, own, []topup.Code{"91"})
	if got.Outcome != topup.OutcomeUnknown {
		t.Errorf("%s, want unknown", got.Outcome)
	}
}

func TestClassifyKeepsWhatTheVendorSays(t *testing.T) {
	text := body(success, ownID, code("00"), `"response_message":"Aprobado"`, `"transaction_id":"TXN-1"`,
		`"reference":"RRN-1"`, `"auth_code":"A1"`, `"balance_after":990.00`)
	got := classify(answer{status: 200, body: []byte(text)}, own, topup.DefaultRetryCodes())
	if got.Message != "Aprobado" || got.TransactionID != "TXN-1" || got.Reference != "RRN-1" || got.AuthCode != "A1" ||
		got.BalanceAfter == nil || *got.BalanceAfter != "990.00" {
		t.Errorf("%+v", got)
	}
	declined := classify(answer{status: 402, body: []byte(body(failure, ownID, code("51"),
		`"error":"Insufficient balance"`))}, own, topup.DefaultRetryCodes())
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
