package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"recarga/topup"
)

// answer is one way in which the vendor answers a purchase.
type answer struct {
	name string
	// charges: money moves.
	charges bool
	// lies: what it says of the money is not so.
	lies bool
	// before and after are bytes beside the answer itself, bare has no answer but those.
	before, after string
	bare          bool
	status        int
	header, body  string
	// wait is how long it asks to wait.
	wait time.Duration
	// means is what the vendor's document says of it, if it arrives whole.
	means topup.Outcome
}

const (
	approvedBody = `{"success":true,"transaction_id":"%TXN%","distributor_transaction_id":"%ID%",` +
		`"response_code":"00","response_message":"Aprobado","reference":"RRN-%TXN%","auth_code":"A1","balance_after":990.00}`
	refusedBody = `{"success":false,"error":"no","response_code":"%CODE%","distributor_transaction_id":"%ID%"}`
	html        = `<html><body><h1>502 Bad Gateway</h1></body></html>`
)

// kinds are the answers of a vendor that may do anything, by what they mean. The first of the first is the plain one.
func kinds() [][]answer {
	all := map[topup.Outcome][]answer{}
	for _, a := range slices.Concat(codes(), withoutCode()) {
		all[a.means] = append(all[a.means], a)
	}
	return [][]answer{approvals(), all[topup.OutcomeDeclined], all[topup.OutcomeUnavailable], all[topup.OutcomeNotSent],
		unknowable(), lies()}
}

func approvals() []answer {
	all := []answer{
		{name: "approved", body: approvedBody},
		{name: "approved, numbers as texts and texts as numbers",
			body: strings.NewReplacer(`"A1"`, `123456`, `990.00`, `"N/A"`, `"Aprobado"`, `["x"]`).Replace(approvedBody)},
		{name: "approved, after a byte order mark", body: "\uFEFF" + approvedBody},
		{name: "approved, and a second answer", body: approvedBody, after: "HTTP/1.1 402 X\r\nContent-Length: 0\r\n\r\n"},
		{name: "approved, after early hints", body: approvedBody, before: "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"},
	}
	for i := range all {
		all[i].charges, all[i].status, all[i].means = true, 200, topup.OutcomeApproved
	}
	return all
}

// lies are answers that the program can only believe.
func lies() []answer {
	return []answer{
		{name: "91, but charged", charges: true, lies: true, status: 500, body: withCode("91"),
			means: topup.OutcomeUnavailable},
		{name: "approved, but not charged", lies: true, status: 200, body: approvedBody, means: topup.OutcomeApproved},
		{name: "51, but charged", charges: true, lies: true, status: 402, body: withCode("51"),
			means: topup.OutcomeDeclined},
	}
}

// logins are ways to answer a login. Only the token decides.
var logins = []string{
	`{"success":true,"access_token":"%TOKEN%","expires_in":300}`,
	`{"success":true,"access_token":"%TOKEN%","expires_in":"300"}`,
	`{"success":true,"access_token":"%TOKEN%"}`,
	`{"success":true,"access_token":"%TOKEN%","expires_in":0}`,
	`{"success":true,"access_token":"%TOKEN%","expires_in":null,"scope":["x"]}`,
	`{"success":true,"access_token":"%TOKEN%","expires_in":"N/A","token_type":7}`,
	"\uFEFF" + `{"success":true,"access_token":"%TOKEN%","expires_in":3e2}`,
}

// unauthorized is the answer to a token that is not good.
var unauthorized = answer{name: "401", status: 401, body: `{"success":false,"error":"token"}`, means: topup.OutcomeNotSent}

func withCode(code topup.Code) string { return strings.Replace(refusedBody, "%CODE%", string(code), 1) }

// codes are the answers with each code of the vendor's document, and statuses that come with them.
func codes() (all []answer) {
	for _, code := range topup.Codes() {
		means, statuses := code.Class(topup.DefaultRetryCodes()), []int{400, 200}
		switch means {
		case topup.OutcomeApproved:
			continue
		case topup.OutcomeUnavailable:
			statuses = []int{500, 200}
		}
		for _, status := range statuses {
			all = append(all, answer{name: fmt.Sprintf("%s with HTTP %d", code, status), status: status, body: withCode(code),
				means: means})
		}
	}
	return all
}

func withoutCode() []answer {
	return []answer{
		{name: "402 without a code", status: 402, body: `{"success":false}`, means: topup.OutcomeDeclined},
		{name: "400 without a code", status: 400, body: `{"success":false}`, means: topup.OutcomeDeclined},
		unauthorized,
		{name: "429, come back in 5 s", status: 429, header: "Retry-After: 5\r\n", body: `{"error":"slow down"}`,
			wait: 5 * time.Second, means: topup.OutcomeNotSent},
		{name: "429, the day's limit of the number", status: 429, body: `{"daily_limit_mxn":100}`,
			means: topup.OutcomeNotSent},
	}
}

// unknowable are answers that leave it open whether money has moved: each once with, and once without a charge.
func unknowable() (all []answer) {
	other := strings.Replace(approvedBody, "%ID%", "OTHER", 1)
	for _, a := range []answer{
		{name: "code 99", status: 200, body: withCode("99")},
		{name: "success without a code", status: 200, body: `{"success":true,"distributor_transaction_id":"%ID%"}`},
		{name: "approved, of another order", status: 200, body: other},
		{name: "declined, of another order", status: 200, body: strings.Replace(withCode("51"), "%ID%", "OTHER", 1)},
		{name: "91, of another order", status: 500, body: strings.Replace(withCode("91"), "%ID%", "OTHER", 1)},
		{name: "success with code 51", status: 200, body: strings.Replace(withCode("51"), "false", "true", 1)},
		{name: "failure with code 00", status: 200, body: withCode("00")},
		{name: "00 with HTTP 500", status: 500, body: approvedBody},
		{name: "91 from a gateway", status: 504, body: withCode("91")},
		{name: "two codes", status: 200, body: strings.Replace(withCode("51"), "}", `,"response_code":"00"}`, 1)},
		{name: "500 without a code", status: 500, body: `{"success":false,"error":"internal"}`},
		{name: "HTML of a proxy", status: 502, body: html},
		{name: "HTML with HTTP 200", status: 200, body: html},
		{name: "an empty answer", status: 200},
		{name: "no JSON", status: 200, body: `Aprobado %ID%`},
		{name: "half a JSON", status: 200, body: `{"success":true,"response_code":"0`},
		{name: "a redirect", status: 307, header: "Location: /api/distributor/product_purchase\r\n"},
		{name: "101", bare: true, before: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
		{name: "an answer too large", status: 200, body: `{"x":"` + strings.Repeat("x", 70_000) + `"}`},
		{name: "less than its length", bare: true, before: "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + approvedBody},
	} {
		a.means = topup.OutcomeUnknown
		charged := a
		a.name += ", not charged"
		charged.name, charged.charges = charged.name+", charged", true
		all = append(all, a, charged)
	}
	return all
}

// text is the answer's bytes for an order.
func (a answer) text(id topup.ID, transaction string) string {
	fill := strings.NewReplacer("%ID%", string(id), "%TXN%", transaction)
	if a.bare {
		return fill.Replace(a.before)
	}
	body := fill.Replace(a.body)
	return fmt.Sprintf("%sHTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s%s",
		a.before, a.status, a.header, len(body), body, a.after)
}
