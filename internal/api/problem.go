package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// tooLarge is a body, or a line of a batch, over its limit of bytes.
type tooLarge int

func (e tooLarge) Error() string { return fmt.Sprintf("more than %d bytes", int(e)) }

// statusHungUp is what a request counts as whose client closed its connection: nobody reads it, and it is no fault of
// ours. nginx has the number.
const statusHungUp = 499

// problem turns an error into what is answered. in says where its fields are: body or query.
// What it does not know is a fault of ours, answered with 503: the request may be sent again.
func (s *Server) problem(ctx context.Context, in string, err error) error {
	var known huma.StatusError
	var transition *topup.TransitionError
	var early *topup.TooEarlyError
	var large tooLarge
	var many *access.TooManyError
	var over *topup.QuotaError
	fields := topup.FieldErrors(err)
	switch {
	case errors.As(err, &known):
		return err
	case len(fields) > 0:
		return invalid(in, fields)
	case errors.Is(err, topup.ErrNotObject):
		return huma.Error400BadRequest("the body is " + err.Error())
	case errors.Is(err, topup.ErrConflict):
		return huma.Error409Conflict("the id is taken by an order of other content; use a new distributor_transaction_id " +
			"for a new order")
	case errors.As(err, &early):
		return withHeader(huma.Error409Conflict(early.Error()), "Retry-After", seconds(time.Until(early.Until)))
	case errors.As(err, new(*topup.MovedOnError)), errors.Is(err, topup.ErrNotDisputed),
		errors.Is(err, topup.ErrArchived):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, topup.ErrLost):
		return huma.Error409Conflict("somebody else changed the order at this moment; get it again")
	case errors.As(err, &transition):
		return huma.Error409Conflict(transition.Error())
	case errors.Is(err, topup.ErrNotFound):
		return huma.Error404NotFound("there is no such order")
	case errors.As(err, &many):
		return withHeader(huma.Error429TooManyRequests(many.Error()), "Retry-After", seconds(many.Wait))
	case errors.As(err, &large):
		return huma.Error413RequestEntityTooLarge(err.Error())
	case errors.As(err, &over):
		wait := max(1, int(math.Ceil(over.After.Seconds())))
		return withHeader(huma.Error429TooManyRequests(over.Reason), "Retry-After", strconv.Itoa(wait))
	}
	if errors.Is(ctx.Err(), context.Canceled) { // and that is why
		s.log.DebugContext(ctx, "client hung up", "request", requestID(ctx), "error", err)
		return huma.NewError(statusHungUp, "the client closed its connection before it was answered")
	}
	s.log.ErrorContext(ctx, "request not served", "request", requestID(ctx), "error", err)
	return withHeader(huma.Error503ServiceUnavailable("the book of record cannot be reached; send the same request "+
		"again"), "Retry-After", "1")
}

// seconds is a wait as Retry-After has it.
func seconds(wait time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))) }

// invalid names every wrong field.
func invalid(in string, fields []*topup.FieldError) error {
	details := make([]error, min(len(fields), topup.MaxFaults))
	for i, f := range fields[:len(details)] {
		details[i] = detail(in, f)
	}
	return notAllowed(details)
}

// detail is a wrong field; its value is absent where the field is.
func detail(in string, f *topup.FieldError) error {
	if f.Field == idempotencyKey {
		in = "header"
	}
	d := &huma.ErrorDetail{Location: in + "." + f.Field, Message: f.Message()}
	if f.Value != "" {
		d.Value = f.Safe()
	}
	return d
}

// notAllowed is the problem of wrong fields. It names topup.MaxFaults of them at most, so that an answer stays short
// however much is wrong.
func notAllowed(details []error) error {
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
	return huma.Error422UnprocessableEntity(text, named...)
}

func unauthorized(detail string) error {
	return withHeader(huma.Error401Unauthorized(detail), "WWW-Authenticate", `Bearer realm="recarga"`)
}

func forbidden(detail string) error { return huma.Error403Forbidden(detail) }

func withHeader(err error, name, value string) error {
	return huma.ErrorWithHeaders(err, http.Header{name: {value}})
}

// refuse answers an operation's request with a problem.
func refuse(ctx huma.Context, err error) {
	_, w := humago.Unwrap(ctx)
	writeProblem(w, err)
}

// writeProblem answers with a problem made by this file. A header that is set already stays.
func writeProblem(w http.ResponseWriter, err error) {
	var headers huma.HeadersError
	if errors.As(err, &headers) {
		for name, values := range headers.GetHeaders() {
			if w.Header().Get(name) == "" {
				w.Header()[name] = values
			}
		}
	}
	model := modelOf(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(model.Status)
	_ = json.NewEncoder(w).Encode(model) // the client is gone when it fails
}

// modelOf is the problem's JSON.
func modelOf(err error) *huma.ErrorModel {
	var model *huma.ErrorModel
	if errors.As(err, &model) {
		return model
	}
	return &huma.ErrorModel{Status: http.StatusInternalServerError,
		Title: http.StatusText(http.StatusInternalServerError)}
}
