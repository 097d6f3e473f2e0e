package distributor

import (
	"fmt"
	"net/http"
	"time"

	"recarga/topup"
)

// classify decides what an answer to a purchase means. The body decides first, by success, response_code
// and our id; the status second; and nothing else does. It is unknown wherever they leave a doubt: where
// two ways to read it come to different outcomes, too. sent is the id of the order.
//
// Its texts are the vendor's, as they came: see border.
func classify(a answer, sent topup.ID, retry []topup.Code) topup.Result {
	r := topup.Result{Outcome: topup.OutcomeUnknown, HTTPStatus: a.status}
	if a.err != nil {
		r.Error = "no whole answer: " + a.err.Error()
		return r
	}
	o, err := parseObject(a.body)
	if err != nil {
		return withoutBody(a, r, err)
	}
	r.Outcome, r.Error = decide(o, a.status, sent, retry)
	r.Code = codeOf(o)
	take(o, &r)
	if r.Outcome == topup.OutcomeNotSent {
		return refused(a, r)
	}
	return r
}

// decide is the outcome that all readings of an answer have in common.
func decide(o *object, status int, sent topup.ID, retry []topup.Code) (topup.Outcome, string) {
	var common topup.Outcome
	var why string
	for _, one := range readings(o, sent) {
		switch outcome, reason := one.outcome(status, retry); {
		case common == "" || outcome == common && why == "":
			common, why = outcome, reason
		case outcome != common:
			why = fmt.Sprintf("the answer can be read in two ways, as %s and as %s", common, outcome)
			return topup.OutcomeUnknown, why
		}
	}
	if common == "" {
		return topup.OutcomeUnknown, "the answer gives the fields that decide over and over"
	}
	return common, why
}

// codeOf is the code to show; empty where not all readings have it.
func codeOf(o *object) topup.Code {
	if codes := meanings(o.candidates("response_code"), codesOf); len(codes) == 1 {
		return codes[0]
	}
	return ""
}

// take adds what decides nothing: as it is written where it has a form to take, else not at all.
func take(o *object, r *topup.Result) {
	r.Message = o.text("response_message")
	if text := o.text("error"); r.Message == "" {
		r.Message = text
	}
	r.TransactionID, r.Reference, r.AuthCode = o.text("transaction_id"), o.text("reference"), o.text("auth_code")
	if value := o.value("balance_after"); value != nil {
		if n, ok := moneyOf(value); ok {
			r.BalanceAfter = &n
		} else {
			o.leaveOut("balance_after", "it is "+shown(value))
		}
	}
	r.Evidence = o.note()
}

// withoutBody: a gateway in front of the vendor refuses in its own words.
func withoutBody(a answer, r topup.Result, err error) topup.Result {
	if a.status == http.StatusUnauthorized || a.status == http.StatusTooManyRequests {
		return refused(a, r)
	}
	r.Error = fmt.Sprintf("HTTP status %d with an answer that is %v", a.status, err)
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
