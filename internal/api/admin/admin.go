// Package admin is the API's administration: the callers, where they are notified, and the operators.
package admin

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/callers"
	"recarga/internal/params"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

// Endpoints knows where callers are notified, also those of the settings.
type Endpoints interface {
	// Endpoints returns topup.ErrNotFound for a caller that is notified nowhere.
	Endpoints(ctx context.Context, caller string) ([]webhook.Endpoint, error)
}

// Health is which endpoints fail: the journal.
type Health interface {
	// EndpointsHealth has the endpoints that something is known against.
	EndpointsHealth(ctx context.Context) (map[topup.EndpointAddress]topup.EndpointHealth, error)
}

// Audit keeps what is done: the journal.
type Audit interface {
	// RecordAct writes an action that changes nothing of the book, before it is done.
	RecordAct(ctx context.Context) error
}

// Switch is the operations on endpoints: producer.Producer.
type Switch interface {
	// EnableEndpoint has events sent to an endpoint again.
	EnableEndpoint(ctx context.Context, e topup.DisabledEndpoint, who producer.Actor) error
	// DisableEndpoint has nothing more sent to an endpoint.
	DisableEndpoint(ctx context.Context, e topup.DisabledEndpoint, who producer.Actor) error
}

// Pinger tries endpoints out: webhook.Deliverer.
type Pinger interface {
	// Ping returns topup.ErrNotFound or webhook.ErrNoEndpoint, and a *topup.QuotaError where it is pinged too often.
	Ping(ctx context.Context, caller, endpoint string) (webhook.Pinged, error)
}

// Admin administers.
type Admin struct {
	// Registry has the callers.
	Registry *callers.Registry
	// Operators have the operators' keys.
	Operators *access.Operators
	// Endpoints are the callers' of the registry and of the settings.
	Endpoints Endpoints
	// Pinger tries them out.
	Pinger Pinger
	// Health is which endpoints fail.
	Health Health
	// Audit keeps what is done beside the book.
	Audit Audit
	// Switch switches endpoints on and off.
	Switch Switch
	// Log gets a line for each change.
	Log *slog.Logger
}

// Register adds the operations.
func (a Admin) Register(to openapi.Operations) {
	a.onCallers(to)
	a.onEndpoints(to)
	a.onOperators(to)
}

// add registers an operation whose errors have words of their own here: refused are they, where what is said of orders
// elsewhere is not meant.
func add[I, B any](
	to openapi.Operations, refused func(error) error, op huma.Operation, handler func(context.Context, *I) (B, error),
) {
	openapi.Add(to, op, func(ctx context.Context, in *I) (B, error) {
		body, err := handler(ctx, in)
		return body, refused(err)
	})
}

// query is a request's query, as huma gives it.
type query struct{ url.Values }

// Resolve is called by huma with the request.
func (q *query) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	q.Values = u.Query()
	return nil
}

// version is the version of what a change is made of; 0 where none is given. It is a query parameter where a change
// has no body, or one that is something else.
func (q query) version() (int64, error) {
	r := params.Reader{Values: q.Values}
	version := params.Read(&r, "version", parseVersion)
	return version, problem.In("query", r.Err())
}

func parseVersion(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		const allowed = "the caller's version that this is a change of, from 1, or absent"
		return 0, &topup.FieldError{Field: "version", Value: s, Allowed: allowed}
	}
	return n, nil
}

// rotation is how a key or a secret follows another. It comes in the query, so that a POST without a body does what
// most want.
func (q query) rotation(overlap time.Duration) (callers.Rotation, error) {
	r := params.Reader{Values: q.Values}
	how := callers.Rotation{Version: params.Read(&r, "version", parseVersion), Overlap: overlap}
	if q.Get("overlap") != "" {
		how.Overlap = params.Read(&r, "overlap", parseOverlap)
	}
	how.ExpiresAt = known(params.Read(&r, "expires_at", params.Time("expires_at")))
	return how, r.Err()
}

func parseOverlap(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		err = &topup.FieldError{Field: "overlap", Value: s, Allowed: "a duration, as in 24h"}
	}
	return d, err
}

// known is nil for the zero value.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// shown is a time as the database keeps it, also before it has been read from there.
func shown(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
