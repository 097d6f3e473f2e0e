package problem

import (
	_ "embed" // the codes
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/yamlfile"
)

// Code is what a program distinguishes a problem by. It never changes its meaning.
type Code string

// The codes; codes.yaml says what each means.
const (
	MalformedBody          Code = "malformed_body"
	KeyMissing             Code = "key_missing"
	KeyUnknown             Code = "key_unknown"
	KeyExpired             Code = "key_expired"
	NotPermitted           Code = "not_permitted"
	Disabled               Code = "disabled"
	OrderNotFound          Code = "order_not_found"
	EventNotFound          Code = "event_not_found"
	BulkNotFound           Code = "bulk_not_found"
	CallerNotFound         Code = "caller_not_found"
	EndpointNotFound       Code = "endpoint_not_found"
	OperatorNotFound       Code = "operator_not_found"
	PathNotFound           Code = "path_not_found"
	MethodNotAllowed       Code = "method_not_allowed"
	BodyTooSlow            Code = "body_too_slow"
	IDTaken                Code = "id_taken"
	WrongState             Code = "wrong_state"
	TooEarly               Code = "too_early"
	ChangedMeanwhile       Code = "changed_meanwhile"
	NameTaken              Code = "name_taken"
	EventsGone             Code = "events_gone"
	BodyTooLarge           Code = "too_large"
	UnsupportedMediaType   Code = "unsupported_media_type"
	FieldsNotAllowed       Code = "not_allowed"
	TooManyTries           Code = "too_many_tries"
	LimitReached           Code = "limit_reached"
	TooManyWaits           Code = "too_many_waits"
	WaitsFull              Code = "waits_full"
	ClientGone             Code = "client_gone"
	InternalFault          Code = "internal_fault"
	DistributorUnreachable Code = "distributor_unreachable"
	Unavailable            Code = "unavailable"
	NotHere                Code = "not_here"
	// Busy is answered by internal/listen, before the API is asked.
	Busy Code = "busy"
)

// Entry is what is said of a code.
type Entry struct {
	Code   Code
	Status int
	// When it is answered, and what its reader should Do.
	When, Do string
}

//go:embed codes.yaml
var codesFile []byte

// huma's own problems have codes, too.
func init() { huma.NewError = OfStatus }

// Codes are all of them, by their status.
var Codes = yamlfile.Read[[]Entry](codesFile)

// Model is a problem's JSON: RFC 9457, and a code.
type Model struct {
	huma.ErrorModel
	Code Code `json:"code" doc:"What a program distinguishes it by; it never changes its meaning."`
}

// New is a problem. detail says what is wrong with this request, and wrong are the fields that are.
func New(code Code, detail string, wrong ...error) huma.StatusError {
	for _, e := range Codes {
		if e.Code != code {
			continue
		}
		m := &Model{huma.ErrorModel{Status: e.Status, Title: http.StatusText(e.Status), Detail: detail}, code}
		for _, err := range wrong {
			m.Add(err)
		}
		return m
	}
	panic("no such code: " + code)
}

// OfStatus is a problem that huma found: the first code of its status, else a fault of ours.
func OfStatus(status int, detail string, wrong ...error) huma.StatusError {
	for _, e := range Codes {
		if e.Status == status {
			return New(e.Code, detail, wrong...)
		}
	}
	return New(InternalFault, detail, wrong...)
}
