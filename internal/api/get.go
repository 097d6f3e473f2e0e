package api

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/journal/search"
	"recarga/topup"
)

// The limits of GET /v1/topups, in orders a page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

type detailsOutput struct {
	Body topup.Details
}

func (s *Server) get(ctx context.Context, in *orderInput) (*detailsOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, "path", err)
	}
	who := identityOf(ctx)
	d, err := s.cfg.Book.Details(ctx, id)
	if err == nil && d.Caller != who.Caller && !who.SeesAll() {
		err = topup.ErrNotFound // not 403: whether another caller's order exists is none of its business
	}
	if err != nil {
		return nil, s.problem(ctx, "path", err)
	}
	return &detailsOutput{Body: shown(who, d)}, nil
}

type listInput struct {
	query url.Values
}

// Resolve is called by huma with the request.
func (in *listInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.query = u.Query()
	return nil
}

type listOutput struct {
	Body orderPage
}

type orderPage struct {
	Data       []topup.Order `json:"data"`
	NextCursor *string       `json:"next_cursor"`
}

func (s *Server) list(ctx context.Context, in *listInput) (*listOutput, error) {
	who := identityOf(ctx)
	filter, err := s.parseFilter(ctx, who, in.query)
	list := listOfOrders(filter)
	if err == nil {
		filter.Cursor, err = s.cursors.open(list, filter.Cursor)
	}
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	orders, next, err := s.cfg.Book.List(ctx, filter)
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	return &listOutput{Body: shownPage(who, orders, s.cursors.seal(list, next))}, nil
}

// parseFilter reads the query of GET /v1/topups; an empty parameter is an absent one. The error
// joins a *topup.FieldError for each wrong parameter.
func (s *Server) parseFilter(ctx context.Context, who Identity, query url.Values) (search.Filter, error) {
	if !who.SeesAll() {
		if query.Get(topup.FieldCaller) != "" {
			return search.Filter{}, forbidden("the filter caller is for operators' keys; a caller's key sees its own orders")
		}
	}
	q := queryReader{values: query}
	f := search.Filter{
		State:         read(&q, "state", topup.ParseState),
		Caller:        read(&q, topup.FieldCaller, asIs),
		Phone:         read(&q, topup.FieldPhone, topup.ParsePhone),
		Product:       read(&q, topup.FieldProduct, asIs),
		Disputed:      read(&q, "disputed", oneOf("disputed", "true", "false")) == "true",
		TransactionID: read(&q, "transaction_id", asIs),
		Since:         read(&q, "since", timeOf("since")),
		Until:         read(&q, "until", timeOf("until")),
		Limit:         read(&q, "limit", limit),
		Cursor:        read(&q, "cursor", asIs),
	}
	if !who.SeesAll() {
		f.Caller = who.Caller
	}
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	err := search.ProductFilter(ctx, s.cfg.Catalog, s.cfg.Book.List, f.Caller, topup.FieldProduct, f.Product)
	return f, errors.Join(append(q.errs, err)...)
}

// queryReader reads parameters and collects what is wrong with them.
type queryReader struct {
	values url.Values
	errs   []error
}

func read[T any](q *queryReader, name string, parse func(string) (T, error)) T {
	var zero T
	given := q.values.Get(name) // checkQuery has refused one that comes twice
	if given == "" {
		return zero
	}
	value, err := parse(given)
	if err != nil {
		q.errs = append(q.errs, err)
		return zero
	}
	return value
}

func asIs(s string) (string, error) { return s, nil }

// timeOf reads RFC 3339. A plus sign that was not escaped has become a space on the way.
func timeOf(name string) func(string) (time.Time, error) {
	return func(s string) (time.Time, error) {
		t, err := time.Parse(time.RFC3339, strings.ReplaceAll(s, " ", "+"))
		if err != nil || t.IsZero() { // the zero time would mean that none is given
			return time.Time{}, &topup.FieldError{Field: name, Value: s,
				Allowed: "a time of RFC 3339, as in 2026-01-31T18:00:00Z"}
		}
		return t.UTC(), nil
	}
}

func limit(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		return 0, &topup.FieldError{Field: "limit", Value: s, Allowed: fmt.Sprintf("a number from 1 to %d", maxLimit)}
	}
	return n, nil
}

type productsOutput struct {
	Body productList
}

type productList struct {
	Data []topup.Product `json:"data"`
}

func (s *Server) products(context.Context, *struct{}) (*productsOutput, error) {
	return &productsOutput{Body: productList{Data: s.cfg.Catalog.Products()}}, nil
}
