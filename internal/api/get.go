package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/journal/search"
	"recarga/internal/params"
	"recarga/topup"
)

// The limits of GET /v1/topups, in orders a page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

type listInput struct {
	query url.Values
}

// Resolve is called by huma with the request.
func (in *listInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.query = u.Query()
	return nil
}

type orderPage struct {
	// Data are the orders, the newest first.
	Data []topup.Order `json:"data"`
	// NextCursor is where the next page begins; nil: there is none.
	NextCursor *string `json:"next_cursor"`
}

func (s *Server) list(ctx context.Context, in *listInput) (page orderPage, err error) {
	who := keys.Of(ctx)
	filter, err := s.parseFilter(ctx, who, in.query)
	list := listOfOrders(filter, in.query)
	if err == nil {
		filter.Cursor, err = s.cursors.open(list, filter.Cursor)
	}
	if err != nil {
		return page, err
	}
	orders, next, err := s.cfg.Book.List(ctx, filter)
	if err == nil {
		err = s.conclude(ctx, who, orders)
	}
	return shownPage(who, orders, s.cursors.seal(list, next)), err
}

// find looks for what somebody has at hand.
func (s *Server) find(ctx context.Context, in *listInput) (page orderPage, err error) {
	name := strings.TrimSpace(in.query.Get("q"))
	if name == "" {
		return page, &topup.FieldError{Field: "q", Value: name,
			Allowed: "an id, a phone number, or the distributor's transaction id or reference"}
	}
	who := keys.Of(ctx)
	found, err := s.cfg.Book.Find(ctx, who.Only(), name)
	if err == nil {
		err = s.conclude(ctx, who, found)
	}
	return shownPage(who, found, nil), err
}

// conclude adds to orders that are unknown what the evidence says of them, for the operator: it shows other orders.
func (s *Server) conclude(ctx context.Context, who keys.Identity, orders []topup.Order) error {
	if !who.SeesAll() {
		return nil
	}
	return s.cfg.Book.Conclude(ctx, orders)
}

// parseFilter reads the query of GET /v1/topups; an empty parameter is an absent one. The error
// joins a *topup.FieldError for each wrong parameter.
func (s *Server) parseFilter(ctx context.Context, who keys.Identity, query url.Values) (search.Filter, error) {
	if !who.SeesAll() && query.Get(topup.FieldCaller) != "" {
		return search.Filter{}, problem.Forbidden("the filter caller is for operators' keys; a caller's key sees its own " +
			"orders")
	}
	q, now := params.Reader{Values: query}, time.Now().UTC()
	f := search.Filter{
		State:         params.Read(&q, "state", topup.ParseState),
		Caller:        params.Read(&q, topup.FieldCaller, params.AsIs),
		Phone:         params.Read(&q, topup.FieldPhone, topup.ParsePhone),
		Product:       params.Read(&q, topup.FieldProduct, params.AsIs),
		Code:          params.Read(&q, "code", topup.ParseCode),
		Reason:        params.Read(&q, "reason", topup.ParseReason),
		Metadata:      params.Read(&q, "metadata", search.ParseLabel),
		WaitsFor:      params.Read(&q, "waits_for", topup.ParseWait),
		Disputed:      params.Read(&q, "disputed", params.Flag("disputed")),
		TransactionID: params.Read(&q, "transaction_id", params.AsIs),
		Since:         params.Read(&q, "since", params.Moment("since", now)),
		Until:         params.Read(&q, "until", params.Moment("until", now)),
		Limit:         params.Read(&q, "limit", limit),
		Cursor:        params.Read(&q, "cursor", params.AsIs),
	}
	if !who.SeesAll() {
		f.Caller = who.Caller
	}
	f.Limit = cmp.Or(f.Limit, defaultLimit)
	err := search.ProductFilter(ctx, s.cfg.Catalog, s.cfg.Book.List, f.Caller, topup.FieldProduct, f.Product)
	return f, errors.Join(q.Err(), err)
}

func limit(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		return 0, &topup.FieldError{Field: "limit", Value: s, Allowed: fmt.Sprintf("a number from 1 to %d", maxLimit)}
	}
	return n, nil
}

type productList struct {
	// Data is the whole catalogue.
	Data []topup.Product `json:"data"`
}

func (s *Server) products(context.Context, *struct{}) (productList, error) {
	return productList{Data: s.cfg.Catalog.Products()}, nil
}

// filterParameters choose orders.
func filterParameters() []*huma.Param {
	query, text := openapi.Query, openapi.Text()
	return []*huma.Param{
		query("state", "Orders in this state.", openapi.State()),
		query("caller", "Orders of this caller. For operators' keys only.", text),
		query("phone_number", "Orders for this number.",
			&huma.Schema{Type: huma.TypeString, Examples: []any{"5537686660"}}),
		query("product_id", "Orders for this product: of the catalogue, or one that left it and that an order has.",
			text),
		query("code", "Orders whose last attempt the distributor answered with this response code.",
			&huma.Schema{Type: huma.TypeString, Examples: []any{"91"}}),
		query("reason", "Orders that failed for this reason.", openapi.Reason()),
		query("metadata", "Orders of whose metadata this is a part, as `NAME=VALUE`.",
			&huma.Schema{Type: huma.TypeString, Examples: []any{"cart=62"}}),
		query("waits_for", "Orders that wait for this.", openapi.Waits()),
		query("disputed", "Only orders whose final state later evidence contradicts.",
			&huma.Schema{Type: huma.TypeBoolean}),
		query("transaction_id", "Orders whose purchase has this id at the distributor.", text),
		query("since", "Orders placed at this time or later. "+openapi.MomentText, openapi.Moment()),
		query("until", "Orders placed before this time, as in since.", openapi.Moment()),
	}
}

// onOrders adds what a checkout does with orders, one by one.
func (s *Server) onOrders(to openapi.Operations) {
	openapi.Register(to, opPlace(), s.place)
	openapi.Register(to, opGet(), s.get)
	op := openapi.New(http.MethodGet, "/v1/topups", "listTopups")
	op.Parameters = append(filterParameters(), openapi.Page("Orders", defaultLimit, maxLimit)...)
	openapi.Add(to, op, s.list)
	op = openapi.New(http.MethodGet, "/v1/search", "findTopups")
	op.Parameters = []*huma.Param{openapi.Query("q", "The whole of it, not a part.",
		&huma.Schema{Type: huma.TypeString, Examples: []any{"TXN-1700000000000-abc"}})}
	openapi.Add(to, op, s.find)
	openapi.Add(to, openapi.New(http.MethodPost, "/v1/topups/{id}/cancel", "cancelTopup", 404, 409, 503), s.cancel)
	openapi.Add(to, openapi.New(http.MethodGet, "/v1/products", "listProducts"), s.products)
	openapi.Add(to, opBalance(), s.getBalance)
}
