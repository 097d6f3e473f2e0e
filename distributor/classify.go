package distributor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"recarga/topup"
)

// reply is the body of an answer. Success is nil where it is absent.
type reply struct {
	Success       *bool        `json:"success"`
	ID            *string      `json:"distributor_transaction_id"`
	Code          *topup.Code  `json:"response_code"`
	Message       string       `json:"response_message"`
	Error         string       `json:"error"`
	TransactionID string       `json:"transaction_id"`
	Reference     string       `json:"reference"`
	AuthCode      string       `json:"auth_code"`
	BalanceAfter  *json.Number `json:"balance_after"`
}

// classify decides what an answer to a purchase means: the body first, the status second, and unknown
// wherever they leave a doubt. sent is the id of the order.
func classify(a answer, sent topup.ID, retry []topup.Code) topup.Result {
	r := topup.Result{Outcome: topup.OutcomeUnknown, HTTPStatus: a.status}
	if a.err != nil {
		r.Error = clip("no whole answer: " + a.err.Error())
		return r
	}
	body, err := parse(a.body)
	if err != nil {
		return withoutBody(a, r, err)
	}
	r.TransactionID, r.Reference, r.AuthCode = clip(body.TransactionID), clip(body.Reference), clip(body.AuthCode)
	r.Message = clip(body.Message)
	if r.Message == "" {
		r.Message = clip(body.Error)
	}
	if body.BalanceAfter != nil {
		if _, err := decimal.NewFromString(body.BalanceAfter.String()); err == nil && len(*body.BalanceAfter) <= 40 {
			r.BalanceAfter = body.BalanceAfter
		}
	}
	if body.ID != nil && topup.ID(*body.ID) != sent {
		r.Error = "the answer names another order"
		return r
	}
	if body.Code == nil || *body.Code == "" {
		return withoutCode(a, body, r)
	}
	r.Code = topup.Code(clip(string(*body.Code)))
	return withCode(a, body, r, r.Code.Class(retry))
}

func withCode(a answer, body reply, r topup.Result, class topup.Outcome) topup.Result {
	success := body.Success != nil && *body.Success
	switch {
	case class == topup.OutcomeUnknown:
		r.Error = fmt.Sprintf("response code %q is not one that settles an order", r.Code)
	case class == topup.OutcomeApproved && (a.status != http.StatusOK || !success || body.ID == nil):
		r.Error = "the answer contradicts itself: code 00 without HTTP 200, success and our id"
	case class == topup.OutcomeApproved:
		r.Outcome = class
	case success:
		r.Error = fmt.Sprintf("the answer contradicts itself: success with code %s", r.Code)
	case a.status > 200 && a.status < 400 || a.status == http.StatusBadGateway || a.status == http.StatusGatewayTimeout:
		// Such a status is not the vendor's: something between may have answered for it.
		r.Error = fmt.Sprintf("code %s came with HTTP status %d", r.Code, a.status)
	default:
		r.Outcome = class
	}
	return r
}

// withoutCode: three statuses have one meaning each (document, "HTTP Status Codes"), unless the body
// says success.
func withoutCode(a answer, body reply, r topup.Result) topup.Result {
	failed := body.Success != nil && !*body.Success
	success := body.Success != nil && *body.Success
	switch {
	case success:
	case a.status == http.StatusUnauthorized || a.status == http.StatusTooManyRequests:
		return refused(a, r)
	case a.status == http.StatusPaymentRequired, a.status == http.StatusBadRequest && failed:
		r.Outcome = topup.OutcomeDeclined
		r.Error = fmt.Sprintf("refused with HTTP status %d and no code", a.status)
		return r
	}
	r.Error = fmt.Sprintf("HTTP status %d without a response code", a.status)
	return r
}

// withoutBody: a gateway in front of the vendor refuses in its own words.
func withoutBody(a answer, r topup.Result, err error) topup.Result {
	if a.status == http.StatusUnauthorized || a.status == http.StatusTooManyRequests {
		return refused(a, r)
	}
	r.Error = clip(fmt.Sprintf("HTTP status %d with an answer that is %v", a.status, err))
	return r
}

func refused(a answer, r topup.Result) topup.Result {
	r.Outcome = topup.OutcomeNotSent
	r.LoginAgain = a.status == http.StatusUnauthorized
	r.Error = "refused: the token is not good any more"
	if !r.LoginAgain {
		r.RetryAfter = retryAfter(a.header, time.Now())
		r.Error = "refused: too many requests"
		if r.LimitedOrder = limitsOne(a.body); r.LimitedOrder {
			r.Error = "refused: the limit of this number or customer is reached"
		}
	}
	return r
}

var errNotJSON = errors.New("not a JSON object of the documented form")

// parse reads one JSON object and nothing behind it, with no field given twice, in whatever letters:
// readers of JSON disagree on which one counts.
func parse(data []byte) (reply, error) {
	var body reply
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return body, errNotJSON
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		name, _ := key.(string)
		name = strings.ToLower(strings.ToUpper(name)) // as encoding/json folds names: ſ is an s, the Kelvin sign a k
		var value json.RawMessage
		if err != nil || seen[name] || d.Decode(&value) != nil {
			return body, errNotJSON
		}
		seen[name] = true
	}
	if _, err := d.Token(); err != nil {
		return body, errNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return body, errNotJSON
	}
	if err := json.Unmarshal(data, &body); err != nil {
		return body, errNotJSON
	}
	return body, nil
}
