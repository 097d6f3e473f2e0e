package topup

import (
	"maps"
	"regexp"
	"slices"
)

// Code is the distributor's response_code: two characters, such as "00".
type Code string

// The nine codes of the distributor's document, section "Response Codes".
const (
	CodeApproved           Code = "00"
	CodeNotAuthorized      Code = "05"
	CodeInvalidTransaction Code = "12"
	CodeInvalidAmount      Code = "13"
	CodeInvalidPackage     Code = "14"
	CodeInsufficientFunds  Code = "51"
	CodeInvalidPhone       Code = "83"
	CodeIssuerUnavailable  Code = "91"
	CodeSystemError        Code = "96"
)

var codeMessages = map[Code]string{
	CodeApproved:           "Aprobado",
	CodeNotAuthorized:      "No autorizado",
	CodeInvalidTransaction: "Transaccion invalida",
	CodeInvalidAmount:      "Monto invalido",
	CodeInvalidPackage:     "Paquete invalido",
	CodeInsufficientFunds:  "Fondos insuficientes",
	CodeInvalidPhone:       "DN invalido",
	CodeIssuerUnavailable:  "Emisor no disponible",
	CodeSystemError:        "Error de sistema",
}

var declineCodes = []Code{
	CodeNotAuthorized, CodeInvalidTransaction, CodeInvalidAmount, CodeInvalidPackage,
	CodeInsufficientFunds, CodeInvalidPhone,
}

// Codes are those of the distributor's document, in order.
func Codes() []Code { return slices.Sorted(maps.Keys(codeMessages)) }

var codePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,16}$`)

// ParseCode reads a code that somebody asks for: also one that is not in the distributor's document. Its error is a
// *FieldError.
func ParseCode(s string) (Code, error) {
	return matching("code", Code(s), codePattern, "a response code of the distributor, as in 91")
}

// Message is the vendor's text for the code, empty for a code its document does not have.
func (c Code) Message() string { return codeMessages[c] }

// MarshalJSON writes no code as null.
func (c Code) MarshalJSON() ([]byte, error) { return marshalNull(string(c)) }

// DefaultRetryCodes prove, by the distributor's document, that nothing was charged and that another
// try makes sense.
func DefaultRetryCodes() []Code { return []Code{CodeIssuerUnavailable, CodeSystemError} }

// Declines reports whether the code is a final refusal.
func (c Code) Declines() bool { return slices.Contains(declineCodes, c) }

// Outcome is what one attempt did, as far as it is known.
type Outcome string

// The outcomes of an attempt.
const (
	// OutcomeApproved: money moved.
	OutcomeApproved Outcome = "approved"
	// OutcomeDeclined: money did not move and never will for this order.
	OutcomeDeclined Outcome = "declined"
	// OutcomeUnavailable: money did not move, and another try makes sense.
	OutcomeUnavailable Outcome = "unavailable"
	// OutcomeNotSent: provably no byte of the request left, or the vendor refused to process it.
	OutcomeNotSent Outcome = "not_sent"
	// OutcomeUnknown: money may have moved.
	OutcomeUnknown Outcome = "unknown"
)

// MarshalJSON writes the outcome of an unfinished attempt as null.
func (o Outcome) MarshalJSON() ([]byte, error) { return marshalNull(string(o)) }

// Class is the outcome that a code alone stands for. retry are the codes that mean "unavailable"
// (RECARGA_RETRY_CODES); a code that is in neither list is unknown: it is never guessed.
func (c Code) Class(retry []Code) Outcome {
	switch {
	case c == CodeApproved:
		return OutcomeApproved
	case c.Declines():
		return OutcomeDeclined
	case slices.Contains(retry, c):
		return OutcomeUnavailable
	default:
		return OutcomeUnknown
	}
}
