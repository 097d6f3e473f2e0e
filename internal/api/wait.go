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

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/longpoll"
	"recarga/internal/params"
	"recarga/topup"
)

const (
	waitParameter = "wait"
	// longestWait is the longest that a request may ask for: proxies on the way often end a request after a minute.
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
	known := in.IfNoneMatch != ""
	held := holdOf(ctx)
	var order topup.Details
	if held.over {
		order, err = ownOrder(keys.Of(ctx), held.order, held.err)
	} else {
		order, err = s.present(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	if !held.over && d > 0 && s.cfg.Waits != nil && !order.State.Final() &&
		(!known || matches(in.IfNoneMatch, tagOf(order))) {
		return &getOutput{Status: http.StatusNotModified}, s.await(ctx, held, order.Order, d)
	}
	out := &getOutput{Status: http.StatusOK, ETag: tagOf(order), CacheControl: "private, no-cache", Body: order}
	if known && matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	shown := []topup.Order{order.Order}
	if who := keys.Of(ctx); who.SeesAll() {
		err = s.conclude(ctx, who, shown)
		out.Body.Order = shown[0]
		if err == nil {
			out.Body.Actions, err = s.cfg.Book.Actions(ctx, id)
		}
	}
	return out, err
}

// present is an order as it now is, as who asks may see it.
func (s *Server) present(ctx context.Context, id topup.ID) (topup.Details, error) {
	d, err := s.cfg.Book.Details(ctx, id)
	return ownOrder(keys.Of(ctx), &d, err)
}

// ownOrder is an order that was read as who asks may see it.
func ownOrder(who keys.Identity, d *topup.Details, err error) (topup.Details, error) {
	if err == nil && d.Caller != who.Caller && !who.SeesAll() {
		err = topup.ErrNotFound // not 403: whether another caller's order exists is none of its business
	}
	if err != nil {
		return topup.Details{}, err
	}
	return shown(who, *d), nil
}

// await has the request wait until an order is not as it was seen.
func (s *Server) await(ctx context.Context, held *hold, seen topup.Order, d time.Duration) error {
	place, err := s.cfg.Waits.Order(sharerOf(keys.Of(ctx)), seen)
	if err != nil {
		return noPlace(err)
	}
	held.wait = func(ctx context.Context) { held.order, held.err = place.Wait(ctx, d) }
	return nil
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

// tagOf is the entity tag of an order as it is shown. It is a weak one: attempts, events and the conclusion
// are no part of it.
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

type holdKey struct{}

// hold is how a request waits: its handler asks for it, and what that answers is thrown away. Then the request waits,
// and is served again. So whoever's key has ended meanwhile is refused as well.
type hold struct {
	// began is when the request came, and aside whether it may wait.
	began time.Time
	aside bool
	// wait is what the handler asks for; nil: nothing.
	wait func(context.Context)
	// over: it has waited.
	over bool
	// waited is for how long, in all.
	waited time.Duration
	// order is what an order was when the wait ended, or err why that is not known.
	order *topup.Details
	err   error
	// place is where a request waits for events, until a time; more: there may be some.
	place *longpoll.Events
	until time.Time
	more  bool
}

// holdOf is the request's; one that nobody looks at where there is none.
func holdOf(ctx context.Context) *hold {
	if h, ok := ctx.Value(holdKey{}).(*hold); ok {
		return h
	}
	return &hold{}
}

func (h *hold) asked() bool { return h.wait != nil }

// serveHeld serves a request, again when it has waited.
func serveHeld(h *hold, next http.Handler, w http.ResponseWriter, r *http.Request) {
	serve := func() { next.ServeHTTP(w, r) }
	for h.run(serve); h.again(r.Context()); {
		h.run(serve)
	}
}

// run does something of a request. Of one that may wait it is done by a goroutine of its own: its connection's has
// then a stack that never grew, and of which there may be many.
func (h *hold) run(do func()) {
	if !h.aside {
		do()
		return
	}
	panicked := make(chan any)
	go func() {
		defer func() { panicked <- recover() }()
		do()
	}()
	if p := <-panicked; p != nil {
		panic(p)
	}
}

// again waits if the handler has asked for it, and reports whether the request is to be served again.
func (h *hold) again(ctx context.Context) bool {
	if !h.asked() {
		return false
	}
	began := time.Now()
	h.wait(ctx)
	h.waited += time.Since(began)
	h.wait, h.over = nil, true
	return true
}

// end gives the place back.
func (h *hold) end() {
	if h.place != nil {
		h.place.Leave()
	}
}

func opGet() huma.Operation {
	op := openapi.New(http.MethodGet, "/v1/topups/{id}", "getTopup", 404)
	op.Parameters = []*huma.Param{waitParam("Answer only once the order has changed, or after this time: at most 60s.")}
	op.Responses["304"] = &huma.Response{Description: "The order is still the one of If-None-Match."}
	return op
}
