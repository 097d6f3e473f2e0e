package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"recarga/topup"
)

func (s *Server) find(ctx context.Context, in *listInput) (*listOutput, error) {
	name := strings.TrimSpace(in.query.Get("q"))
	if name == "" {
		return nil, s.problem(ctx, "query", &topup.FieldError{Field: "q", Value: name,
			Allowed: "an id, a phone number, or the distributor's transaction id or reference"})
	}
	who := identityOf(ctx)
	caller := who.Caller
	if who.SeesAll() {
		caller = ""
	}
	found, err := s.cfg.Book.Find(ctx, caller, name)
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	return &listOutput{Body: shownPage(who, found, nil)}, nil
}

func opFind() huma.Operation {
	op := operation(http.MethodGet, "/v1/search", "findTopups", "Find orders by what somebody has at hand",
		"By id, phone number, or the distributor's transaction id or reference; 50 at most, `next_cursor` is null. A "+
			"caller's key finds its own orders; an operator's all.", 422, 503)
	op.Parameters = []*huma.Param{query("q", "The whole of it, not a part.",
		&huma.Schema{Type: huma.TypeString, Examples: []any{"TXN-1700000000000-abc"}})}
	return op
}
