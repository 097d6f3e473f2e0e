package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/longpoll"
	"recarga/internal/params"
	"recarga/topup"
)

const (
	waitParameter = "wait"
	// longestWait is the longest that a request may ask for: proxies on the way often end them after a minute.
	longestWait = 60 * time.Second
	// fullAfter is when somebody may come again who found no place to wait.
	fullAfter = "5"
)

// wait reads how long a request waits.
func wait(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > longestWait {
		return 0, &topup.FieldError{Field: waitParameter, Value: s, Allowed: "a duration from 0s to 60s, as in 30s"}
	}
	return d, nil
}

func waitParam(text string) *huma.Param {
	return openapi.Query(waitParameter, text, &huma.Schema{Type: huma.TypeString, Examples: []any{"30s"}})
}

type getInput struct {
	// ID is the order's.
	ID          string `path:"id"`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of what you have: 304 while it has not changed."`
	query       url.Values
}

// Resolve is called by huma with the request.
func (in *getInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.query = u.Query()
	return nil
}

type getOutput struct {
	Status int
	// ETag is weak: it stands for the order as it is shown, without its attempts and events.
	ETag         string `header:"ETag" doc:"Send it as If-None-Match."`
	CacheControl string `header:"Cache-Control" doc:"Always private, no-cache."`
	Body         topup.Details
}

// get answers with an order: once it is another one than its client has (If-None-Match) or, if that does not say, than
// it is now; at once where it is final; and at the end of the wait in any case.
func (s *Server) get(ctx context.Context, in *getInput) (*getOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	q := params.Reader{Values: in.query}
	d := params.Read(&q, waitParameter, wait)
	if err := q.Err(); err != nil {
		return nil, err
	}
	order, err := s.present(ctx, id)
	if err != nil {
		return nil, err
	}
	known := in.IfNoneMatch != ""
	if d > 0 && !order.State.Final() && (!known || matches(in.IfNoneMatch, tagOf(order))) {
		if order, err = s.changed(ctx, order, d); err != nil {
			return nil, err
		}
	}
	out := &getOutput{Status: http.StatusOK, ETag: tagOf(order), CacheControl: "private, no-cache", Body: order}
	if known && matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

// present is an order as it now is, as who asks may see it.
func (s *Server) present(ctx context.Context, id topup.ID) (topup.Details, error) {
	who := keys.Of(ctx)
	d, err := s.cfg.Book.Details(ctx, id)
	if err == nil && d.Caller != who.Caller && !who.SeesAll() {
		err = topup.ErrNotFound // not 403: whether another caller's order exists is none of its business
	}
	return shown(who, d), err
}

// changed waits until an order is not as it was seen.
func (s *Server) changed(ctx context.Context, seen topup.Details, d time.Duration) (topup.Details, error) {
	if s.cfg.Waits == nil {
		return seen, nil
	}
	who := keys.Of(ctx)
	place, err := s.cfg.Waits.Order(sharerOf(who), seen.Order)
	if err != nil {
		return seen, noPlace(err)
	}
	began := time.Now()
	now, err := place.Wait(ctx, d)
	noteWait(ctx, time.Since(began))
	if err == nil {
		err = s.stillAllowed(ctx)
	}
	if err != nil {
		return seen, err
	}
	return shown(who, *now), nil
}

// sharerOf names whose share of the places to wait a request takes: a caller's, or an operator's.
func sharerOf(who keys.Identity) string { return who.Operator + "/" + who.Actor().Caller }

// noPlace is the problem of somebody who finds no place to wait.
func noPlace(err error) error {
	code := problem.WaitsFull
	if errors.Is(err, longpoll.ErrShare) {
		code = problem.TooManyWaits
	}
	return problem.WithHeader(problem.New(code, err.Error()+"; ask without wait, or later"), "Retry-After", fullAfter)
}

// tagOf is the entity tag of an order as it is shown. It is a weak one: attempts and events are no part of it.
func tagOf(d topup.Details) string {
	text, _ := json.Marshal(d.Order) // it always can
	sum := sha256.Sum256(text)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// matches compares a tag with those of an If-None-Match, weakly: RFC 9110, section 13.1.2.
func matches(header, tag string) bool {
	opaque := func(tag string) string { return strings.TrimPrefix(strings.TrimSpace(tag), "W/") }
	return slices.ContainsFunc(strings.Split(header, ","), func(one string) bool {
		return opaque(one) == opaque(tag) || opaque(one) == "*"
	})
}

type keyKey struct{}

// withKey remembers the key of a request, which may end while that waits.
func withKey(ctx huma.Context, key string) huma.Context { return huma.WithValue(ctx, keyKey{}, key) }

// stillAllowed refuses somebody whose key has ended meanwhile.
func (s *Server) stillAllowed(ctx context.Context) error {
	key, _ := ctx.Value(keyKey{}).(string)
	now, err := s.identify(ctx, access.AtAPI, key)
	if before := keys.Of(ctx); err == nil && (now.Caller != before.Caller || now.Role < before.Role) {
		err = problem.Unauthorized(problem.KeyExpired, "the key was changed meanwhile")
	}
	return err
}

type waitedKey struct{}

// withWaited makes a place for noteWait.
func withWaited(ctx context.Context, waited *time.Duration) context.Context {
	return context.WithValue(ctx, waitedKey{}, waited)
}

// noteWait notes how long a request has waited because its client wants it to: that is no part of how long it took.
func noteWait(ctx context.Context, d time.Duration) {
	if waited, ok := ctx.Value(waitedKey{}).(*time.Duration); ok {
		*waited += d
	}
}

func opGet() huma.Operation {
	op := openapi.New(http.MethodGet, "/v1/topups/{id}", "getTopup", 404)
	op.Parameters = []*huma.Param{waitParam("Answer only once the order has changed, or after this time: at most 60s.")}
	op.Responses["304"] = &huma.Response{Description: "The order is still the one of If-None-Match."}
	return op
}
