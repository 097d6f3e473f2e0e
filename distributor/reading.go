package distributor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"recarga/topup"
)

// reading is one way to read what decides in the answer to a purchase: nothing else in its body does.
type reading struct {
	success truth
	// code is empty where there is none.
	code topup.Code
	id   echo
}

// truth is what success says.
type truth int

const (
	silent truth = iota
	yes
	no
)

// echo is whose id an answer names.
type echo int

const (
	nobodys echo = iota
	ours
	anothers
)

// maxReadings bounds the ways that are tried: an answer of more has no meaning.
const maxReadings = 64

// readings are all ways in which a body can be read. Nil: there are too many.
func readings(o *object, sent topup.ID) []reading {
	successes := meanings(o.candidates("success"), truthsOf)
	codes := meanings(o.candidates("response_code"), codesOf)
	echoes := func(v json.RawMessage) []echo { return echoesOf(v, sent) }
	ids := meanings(o.candidates("distributor_transaction_id"), echoes)
	if len(successes)*len(codes)*len(ids) > maxReadings {
		return nil
	}
	var all []reading
	for _, success := range successes {
		for _, code := range codes {
			for _, id := range ids {
				all = append(all, reading{success, code, id})
			}
		}
	}
	return all
}

func meanings[T comparable](candidates []json.RawMessage, of func(json.RawMessage) []T) (all []T) {
	for _, value := range candidates {
		for _, one := range of(value) {
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	return all
}

func absent(value json.RawMessage) bool { return value == nil || string(value) == "null" }

// truthsOf: true, false, and these two words are plain. Of the rest only this is certain, that 0 is not true.
func truthsOf(value json.RawMessage) []truth {
	switch s, ok := textOf(value); {
	case absent(value):
		return []truth{silent}
	case string(value) == "true", ok && s == "true":
		return []truth{yes}
	case string(value) == "false", ok && s == "false":
		return []truth{no}
	case ok && (s == "" || s == "0" || strings.EqualFold(s, "false")):
		return []truth{no, silent}
	}
	return []truth{silent, yes, no}
}

// denies reports whether an answer plainly says that it is a failure.
func (o *object) denies() bool {
	plainlyNo := func(v json.RawMessage) bool { return slices.Equal(truthsOf(v), []truth{no}) }
	return slices.ContainsFunc(o.candidates("success"), plainlyNo)
}

// codesOf: 51 is plainly the code 51, while 0 is not plainly 00.
func codesOf(value json.RawMessage) []topup.Code {
	s, ok := textOf(value)
	switch {
	case ok:
		return []topup.Code{topup.Code(s)}
	case absent(value):
		return []topup.Code{""}
	}
	return []topup.Code{"", topup.Code(kindOf(value))}
}

func echoesOf(value json.RawMessage, sent topup.ID) []echo {
	s, ok := plain(value)
	switch {
	case absent(value):
		return []echo{nobodys}
	case ok && topup.ID(s) == sent:
		return []echo{ours}
	}
	return []echo{anothers}
}

// outcome is what an answer means if it is read so, and why where the code alone does not say it.
func (r reading) outcome(status int, retry []topup.Code) (topup.Outcome, string) {
	switch {
	case r.id == anothers:
		return topup.OutcomeUnknown, "the answer names another order"
	case r.code == "":
		return r.withoutCode(status)
	}
	class := r.code.Class(retry)
	switch {
	case class == topup.OutcomeUnknown:
		return class, fmt.Sprintf("response code %q is not one that settles an order", r.code)
	case class == topup.OutcomeApproved && (status != http.StatusOK || r.success != yes || r.id != ours):
		return topup.OutcomeUnknown, "the answer contradicts itself: code 00 without HTTP 200, success and our id"
	case class == topup.OutcomeApproved:
		return class, ""
	case r.success == yes:
		return topup.OutcomeUnknown, fmt.Sprintf("the answer contradicts itself: success with code %s", r.code)
	case status > 200 && status < 400 || status == http.StatusBadGateway || status == http.StatusGatewayTimeout:
		// Such a status is not the vendor's: something between may have answered for it.
		return topup.OutcomeUnknown, fmt.Sprintf("code %s came with HTTP status %d", r.code, status)
	}
	return class, ""
}

// withoutCode: three statuses have one meaning each (document, "HTTP Status Codes"), unless the body
// says success.
func (r reading) withoutCode(status int) (topup.Outcome, string) {
	switch {
	case r.success == yes:
	case status == http.StatusUnauthorized, status == http.StatusTooManyRequests:
		return topup.OutcomeNotSent, ""
	case status == http.StatusPaymentRequired, status == http.StatusBadRequest && r.success == no:
		return topup.OutcomeDeclined, fmt.Sprintf("refused with HTTP status %d and no code", status)
	}
	return topup.OutcomeUnknown, fmt.Sprintf("HTTP status %d without a response code", status)
}
