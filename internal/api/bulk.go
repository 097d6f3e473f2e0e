package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/bulk"
	"recarga/internal/params"
	"recarga/producer"
	"recarga/topup"
)

type bulkRequest struct {
	Action topup.BulkKind `json:"action" enum:"resolve,cancel,redeliver" doc:"What is done to each."`
	// Filter chooses them.
	Filter string `json:"filter" minLength:"1" doc:"As the query of /v1/topups, or /v1/events." example:"state=unknown"`
	// Outcome and Force are those of a resolution.
	Outcome topup.ResolvedAs `json:"outcome,omitempty" enum:"succeeded,failed,resend" doc:"To resolve: what happened."`
	Force   bool             `json:"force,omitempty" doc:"To resolve: also while a worker may still be acting on them."`
	Reason  string           `json:"reason" minLength:"1" maxLength:"500" example:"line 4711 of the statement"`
	By      string           `json:"by,omitempty" maxLength:"100" example:"ana"`
	// Confirm is of the answer before.
	Confirm string `json:"confirm,omitempty" doc:"That of the answer to the same without it. Absent: nothing is done."`
}

// bulkFilter chooses what a filter, given as a query, matches now.
func (s *Server) bulkFilter(ctx context.Context, kind topup.BulkKind, text string) (set bulk.Set, err error) {
	query, err := url.ParseQuery(text)
	if err != nil {
		return set, &topup.FieldError{Field: "filter", Value: text, Allowed: "a query: " + err.Error()}
	}
	names := orderFilterNames()
	if kind == topup.BulkRedeliver {
		names = eventFilterNames
	}
	if wrong := params.Check(query, names...); len(wrong) > 0 {
		return set, topup.JoinFields(wrong)
	}
	if kind == topup.BulkRedeliver {
		f, err := eventFilter(query)
		if err != nil {
			return set, err
		}
		return bulk.ChooseEvents(ctx, s.cfg.Bulk.Book(), f)
	}
	f, err := s.parseFilter(ctx, keys.Of(ctx), query)
	if err != nil {
		return set, err
	}
	return bulk.ChooseOrders(ctx, s.cfg.Bulk.Book(), kind, f)
}

// orderFilterNames are the parameters that choose orders.
func orderFilterNames() (names []string) {
	for _, p := range filterParameters() {
		names = append(names, p.Name)
	}
	return names
}

// startBulk has an action done to what was shown. What would be done is answered first: whoever sends the confirm of
// that answer back means exactly those that it counted.
func (s *Server) startBulk(ctx context.Context, in *struct{ Body bulkRequest }) (out producer.BulkAnswer, err error) {
	b := in.Body
	ctx, by, err := keys.By(ctx, b.By, defaultOperator)
	if err != nil {
		return out, err
	}
	a := topup.BulkAction{Action: b.Action, Filter: b.Filter, Outcome: topup.NullString(b.Outcome), Forced: b.Force,
		Reason: b.Reason, By: by}
	if err := bulk.Check(a); err != nil {
		return out, err
	}
	set, err := s.bulkFilter(ctx, b.Action, b.Filter)
	if err != nil {
		return out, err
	}
	out = producer.BulkAnswer{Count: set.Count(), Amount: set.Amount(), Confirm: set.Digest()}
	for _, c := range set.Callers() {
		out.Callers = append(out.Callers, producer.BulkCaller(c))
	}
	if b.Confirm == "" || set.Count() == 0 {
		return out, nil
	}
	if b.Confirm != out.Confirm {
		return out, problem.New(problem.ChangedMeanwhile, "others match now, or what was counted has changed; nothing was "+
			"done: send it without confirm, and look again")
	}
	started, err := s.cfg.Bulk.Start(ctx, a, set)
	out.Started = &started
	return out, err
}

type bulkPage struct {
	// Data are the newest first, and NextCursor is where the next page begins; nil: there is none.
	Data       []topup.BulkAction `json:"data"`
	NextCursor *string            `json:"next_cursor"`
}

func (s *Server) listBulks(ctx context.Context, in *listInput) (page bulkPage, err error) {
	page.Data, err = s.cfg.Bulk.Actions(ctx, in.query.Get("cursor"), defaultLimit)
	if len(page.Data) == defaultLimit {
		page.NextCursor = &page.Data[defaultLimit-1].ID
	}
	return page, err
}

type bulkInput struct {
	// ID is the action's.
	ID string `path:"id"`
}

func (s *Server) getBulk(ctx context.Context, in *bulkInput) (topup.BulkAction, error) {
	a, err := s.cfg.Bulk.Action(ctx, in.ID)
	return a, noBulk(err)
}

type stopBulkInput struct {
	// ID is the action's.
	ID string `path:"id"`
	// Body is who stops it.
	Body struct {
		By string `json:"by,omitempty" maxLength:"100" example:"ana"`
	}
}

func (s *Server) stopBulk(ctx context.Context, in *stopBulkInput) (topup.BulkAction, error) {
	ctx, by, err := keys.By(ctx, in.Body.By, defaultOperator)
	if err != nil {
		return topup.BulkAction{}, err
	}
	a, err := s.cfg.Bulk.Stop(ctx, in.ID, by)
	return a, noBulk(err)
}

func noBulk(err error) error {
	if errors.Is(err, topup.ErrNotFound) {
		err = problem.New(problem.BulkNotFound, "there is no such bulk action")
	}
	return err
}

// onBulk adds what is done to many orders or events.
func (s *Server) onBulk(to openapi.Operations) {
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/bulk", "startBulk", 409), s.startBulk)
	op := openapi.New(http.MethodGet, "/v1/bulk", "listBulks")
	op.Parameters = openapi.Page("Bulk actions", defaultLimit, maxLimit)[1:]
	openapi.Add(to, op, s.listBulks)
	openapi.Add(to, openapi.New(http.MethodGet, "/v1/bulk/{id}", "getBulk", 404), s.getBulk)
	openapi.Add(to, openapi.NewWithBody(http.MethodPost, "/v1/bulk/{id}/stop", "stopBulk", 404), s.stopBulk)
}
