// Package problem turns an error into what the API answers: an RFC 9457 problem (application/problem+json). An invalid
// request is answered with all of its faults at once.
package problem

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"recarga/internal/access"
	"recarga/topup"
)

// TooLarge is a body, or a line of a batch, over its limit of bytes.
type TooLarge int

// Error names the limit.
func (e TooLarge) Error() string { return fmt.Sprintf("more than %d bytes", int(e)) }

// IdempotencyKey is a header by which clients say which requests are the same one.
const IdempotencyKey = "Idempotency-Key"

type requestIDKey struct{}

// WithRequestID notes what ties the log lines of a request together; its client sees it as X-Request-Id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID is what WithRequestID noted.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// located is an error of which it is known where its fields are.
type located struct {
	error
	in string
}

// Unwrap is what went wrong there.
func (l located) Unwrap() error { return l.error }

// In says where the fields of an error are, where Of would take it for another place: body, query or path.
func In(in string, err error) error {
	if err == nil {
		return nil
	}
	return located{err, in}
}

// Of turns an error into what is answered. in says where its fields are, if In does not: body or query.
// What it does not know is a fault of ours, logged, and answered with 503: the request may be sent again.
func Of(ctx context.Context, log *slog.Logger, in string, err error) error {
	var at located
	if errors.As(err, &at) {
		in = at.in
	}
	var known huma.StatusError
	var transition *topup.TransitionError
	var early *topup.TooEarlyError
	var large TooLarge
	var many *access.TooManyError
	var over *topup.QuotaError
	fields := topup.FieldErrors(err)
	switch {
	case errors.As(err, &known):
		return err
	case len(fields) > 0:
		return Invalid(in, fields)
	case errors.Is(err, topup.ErrNotObject):
		return New(MalformedBody, "the body is "+err.Error())
	case errors.Is(err, topup.ErrConflict):
		return New(IDTaken, "the id is taken by an order of other content; use a new distributor_transaction_id "+
			"for a new order")
	case errors.As(err, &early):
		return WithHeader(New(TooEarly, early.Error()), "Retry-After", seconds(time.Until(early.Until)))
	case errors.As(err, new(*topup.MovedOnError)), errors.Is(err, topup.ErrNotDisputed),
		errors.Is(err, topup.ErrArchived):
		return New(WrongState, err.Error())
	case errors.Is(err, topup.ErrLost):
		return New(ChangedMeanwhile, "somebody else changed the order at this moment; get it again")
	case errors.As(err, &transition):
		return New(WrongState, transition.Error())
	case errors.Is(err, topup.ErrNotFound):
		return New(OrderNotFound, "there is no such order")
	case errors.As(err, &many):
		return WithHeader(New(TooManyTries, many.Error()), "Retry-After", seconds(many.Wait))
	case errors.As(err, &large):
		return New(BodyTooLarge, err.Error())
	case errors.As(err, &over):
		return WithHeader(New(LimitReached, over.Reason), "Retry-After", seconds(over.After))
	}
	if errors.Is(ctx.Err(), context.Canceled) { // and that is why
		log.DebugContext(ctx, "client hung up", "request", RequestID(ctx), "error", err)
		return New(ClientGone, "the client closed its connection before it was answered")
	}
	log.ErrorContext(ctx, "request not served", "request", RequestID(ctx), "error", err)
	return WithHeader(New(Unavailable, "the book of record cannot be reached; send the same request "+
		"again"), "Retry-After", "1")
}

// seconds is a wait as Retry-After has it.
func seconds(wait time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))) }

// Invalid names every wrong field.
func Invalid(in string, fields []*topup.FieldError) error {
	details := make([]error, min(len(fields), topup.MaxFaults))
	for i, f := range fields[:len(details)] {
		details[i] = Detail(in, f)
	}
	return NotAllowed(details)
}

// Detail is a wrong field; its value is absent where the field is.
func Detail(in string, f *topup.FieldError) error {
	if f.Field == IdempotencyKey {
		in = "header"
	}
	d := &huma.ErrorDetail{Location: in + "." + f.Field, Message: f.Message()}
	if f.Value != "" {
		d.Value = f.Safe()
	}
	return d
}

// NotAllowed is the problem of wrong fields. It names topup.MaxFaults of them at most, so that an answer stays short
// however much is wrong.
func NotAllowed(details []error) error {
	named := details[:min(len(details), topup.MaxFaults)]
	names := make([]string, len(named))
	for i, err := range named {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			_, names[i], _ = strings.Cut(d.Location, ".")
			names[i] = cmp.Or(names[i], d.Location)
		}
	}
	text := "not allowed: " + strings.Join(names, ", ")
	if len(named) == topup.MaxFaults {
		text += "; " + topup.MostNamed
	}
	return New(FieldsNotAllowed, text, named...)
}

// Unauthorized is 401: there is no key, or one that is not good.
func Unauthorized(code Code, detail string) error {
	return WithHeader(New(code, detail), "WWW-Authenticate", `Bearer realm="recarga"`)
}

// Forbidden is 403: this key may not do that.
func Forbidden(detail string) error { return New(NotPermitted, detail) }

// WithHeader adds a header to the answer that err becomes.
func WithHeader(err error, name, value string) error {
	return huma.ErrorWithHeaders(err, http.Header{name: {value}})
}

// Refuse answers an operation's request with a problem.
func Refuse(ctx huma.Context, err error) {
	_, w := humago.Unwrap(ctx)
	Write(w, err)
}

// Write answers with a problem made by this package. A header that is set already stays.
func Write(w http.ResponseWriter, err error) {
	var headers huma.HeadersError
	if errors.As(err, &headers) {
		for name, values := range headers.GetHeaders() {
			if w.Header().Get(name) == "" {
				w.Header()[name] = values
			}
		}
	}
	model := ModelOf(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(model.Status)
	_ = json.NewEncoder(w).Encode(model) // the client is gone when it fails
}

// Fault is 500: a fault of ours, as a panic.
func Fault() error {
	return New(InternalFault, "a fault of ours; it is in the log under the X-Request-Id")
}

// ModelOf is the problem's JSON.
func ModelOf(err error) *Model {
	var model *Model
	if !errors.As(err, &model) {
		_ = errors.As(New(InternalFault, ""), &model)
	}
	return model
}
