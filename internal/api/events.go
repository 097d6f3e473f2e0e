package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/params"
	"recarga/producer"
	"recarga/topup"
)

// shownEvent is an event as an identity may see it.
func shownEvent(who keys.Identity, ev topup.Event) producer.Event {
	f := producer.Event{Event: shown(who, ev), OrderID: ev.OrderID, Caller: ev.Caller, State: ev.State,
		CreatedAt: ev.CreatedAt}
	if !ev.DueAt.IsZero() {
		f.DueAt = &ev.DueAt
	}
	return f
}

type eventPage struct {
	// Data are the events, the newest first; of a feed the oldest.
	Data []producer.Event `json:"data"`
	// NextCursor is where the next page begins; nil: there is none.
	NextCursor *string `json:"next_cursor"`
	// NextAfter is where a feed goes on; absent of a list.
	NextAfter string `json:"next_after,omitempty"`
}

func (s *Server) events(ctx context.Context, in *listInput) (page eventPage, err error) {
	who := keys.Of(ctx)
	if err := ownOnly(who, in.query.Get(topup.FieldCaller)); err != nil {
		return page, err
	}
	if in.query.Has(afterParameter) || in.query.Has(waitParameter) {
		return s.feed(ctx, who, in.query)
	}
	f, err := eventFilter(in.query)
	if !who.SeesAll() {
		f.Caller = who.Caller
	}
	list := listOfEvents(f)
	if err == nil {
		f.Cursor, err = s.cursors.open(list, f.Cursor)
	}
	if err != nil {
		return page, err
	}
	events, next, err := s.cfg.Book.Events(ctx, f)
	page = eventPage{Data: make([]producer.Event, len(events)), NextCursor: s.cursors.seal(list, next)}
	for i, ev := range events {
		page.Data[i] = shownEvent(who, ev)
	}
	return page, err
}

// eventFilterNames are the parameters that choose events.
var eventFilterNames = []string{"state", "caller", "type", "endpoint", "since", "until"}

// eventFilter reads a filter. The error joins a *topup.FieldError for each wrong parameter.
func eventFilter(query url.Values) (topup.EventFilter, error) {
	q := params.Reader{Values: query}
	f := topup.EventFilter{
		State: topup.EventState(params.Read(&q, "state", params.OneOf("state", "pending", "delivered", "exhausted",
			"kept"))),
		Caller: params.Read(&q, topup.FieldCaller, params.AsIs), Type: params.Read(&q, "type", eventType),
		Endpoint: params.Read(&q, "endpoint", params.AsIs),
		Since:    params.Read(&q, "since", params.Time("since")), Until: params.Read(&q, "until", params.Time("until")),
		Limit: params.Read(&q, "limit", limit), Cursor: params.Read(&q, "cursor", params.AsIs),
	}
	return f, q.Err()
}

type eventInput struct {
	// ID is the event's, its webhook-id.
	ID string `path:"id"`
}

func (s *Server) redeliver(ctx context.Context, in *eventInput) (producer.Event, error) {
	who := keys.Of(ctx)
	ev, err := s.cfg.Orders.Redeliver(ctx, in.ID, who.Actor())
	if errors.Is(err, topup.ErrNotFound) {
		err = problem.New(problem.EventNotFound, "there is no such event; its id is its webhook-id, not the order's")
	}
	return shownEvent(who, ev), err
}

// redeliverInput has no default: everything must be meant, and written as {}. A field that has lost its value is
// refused, since it would mean everything as well.
type redeliverInput struct {
	// RawBody is the request's body as it came, and Body what it says.
	RawBody []byte
	Body    redeliverRequest
}

// Resolve is called by huma with the request. It refuses what would be taken for an absent field.
func (in *redeliverInput) Resolve(huma.Context) (wrong []error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(in.RawBody, &given); err != nil {
		return []error{&huma.ErrorDetail{Location: "body", Message: "must be one JSON object: " + err.Error()}}
	}
	zero := map[string]bool{"since": in.Body.Since.IsZero(), "until": in.Body.Until.IsZero()}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if string(given[name]) == "null" || zero[strings.ToLower(name)] {
			wrong = append(wrong, &huma.ErrorDetail{Location: "body." + name, Message: "must be a value, or absent",
				Value: given[name]})
		}
	}
	return wrong
}

type redeliverRequest struct {
	State string `json:"state,omitempty" enum:"exhausted,pending,delivered,kept" doc:"How far they got."`
	// Caller is whose they are, Type what happened, and Endpoint where they go; empty: any.
	Caller   string          `json:"caller,omitempty" minLength:"1"`
	Type     eventTypeSchema `json:"type,omitempty"`
	Endpoint string          `json:"endpoint,omitempty" minLength:"1"`
	Since    time.Time       `json:"since,omitempty" doc:"Made at this time or later."`
	Until    time.Time       `json:"until,omitempty" doc:"Made before this time."`
	Limit    int             `json:"limit,omitempty" minimum:"0" maximum:"1000" doc:"Only so many, the newest; 0 is all."`
	Cursor   string          `json:"cursor,omitempty" doc:"With limit: the next_cursor of the answer before."`
}

type redeliveredEvents struct {
	Count      int     `json:"count" doc:"How many events are due again."`
	NextCursor *string `json:"next_cursor" doc:"With limit: where the rest begins; null when there is none."`
}

func (s *Server) redeliverAll(ctx context.Context, in *redeliverInput) (done redeliveredEvents, err error) {
	who := keys.Of(ctx)
	if err := ownOnly(who, in.Body.Caller); err != nil {
		return done, err
	}
	f := topup.EventFilter{
		State: topup.EventState(in.Body.State), Caller: in.Body.Caller, Type: topup.EventType(in.Body.Type),
		Since: in.Body.Since, Until: in.Body.Until,
		Endpoint: in.Body.Endpoint, Limit: in.Body.Limit, Cursor: in.Body.Cursor,
	}
	if !who.SeesAll() {
		f.Caller = who.Caller
	}
	list := listOfEvents(f)
	if f.Cursor, err = s.cursors.open(list, f.Cursor); err != nil {
		return done, err
	}
	count, next, err := s.cfg.Orders.RedeliverAll(ctx, f, who.Actor())
	return redeliveredEvents{count, s.cursors.seal(list, next)}, err
}

// ownOnly refuses a filter by caller to any key but the operator's.
func ownOnly(who keys.Identity, caller string) error {
	if who.SeesAll() || caller == "" || caller == who.Caller {
		return nil
	}
	return problem.Forbidden("the filter caller is for operators' keys; a caller's key sees its own events")
}

// eventType reads a type of a filter: also one that only the operator gets.
func eventType(s string) (topup.EventType, error) {
	if slices.Contains(eventTypes(), any(s)) {
		return topup.EventType(s), nil
	}
	return topup.ParseEventType(s)
}

// eventTypes are the types that a filter can choose.
func eventTypes() (types []any) {
	for _, one := range append(topup.EventTypes(), topup.OperatorEventTypes()...) {
		types = append(types, string(one))
	}
	return types
}

// eventTypeSchema is a type in a request's body.
type eventTypeSchema string

// Schema implements huma.SchemaProvider.
func (eventTypeSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: eventTypes()}
}

// onEvents adds the operations on events.
func (s *Server) onEvents(to openapi.Operations) {
	op := openapi.New(http.MethodGet, "/v1/events", "listEvents", 410)
	op.Parameters = append([]*huma.Param{
		openapi.Query("state", "Events that got this far.", openapi.Text("pending", "delivered", "exhausted", "kept")),
		openapi.Query("caller", "Events of this caller. For operators' keys only.", openapi.Text()),
		openapi.Query("type", "Events of this type.", openapi.Text(eventTypes()...)),
		openapi.Query("endpoint", "Events for this endpoint of their caller; `default` is the callback_url.",
			openapi.Text()),
		openapi.Query("since", "Events made at this time or later.", openapi.Time()),
		openapi.Query("until", "Events made before this time.", openapi.Time()),
	}, openapi.Page("Events", defaultLimit, maxLimit)...)
	op.Parameters = append(op.Parameters, openapi.Query(afterParameter, "As a feed: events behind this `next_after`; "+
		"empty: from the oldest on.", openapi.Text()),
		waitParam("With `after`: answer only once there is an event, or after this time: at most 60s."))
	openapi.Add(to, op, s.events)
	one := openapi.New(http.MethodPost, "/v1/events/{id}/redeliver", "redeliverEvent", 404, 503)
	one.Description = fmt.Sprintf(one.Description, producer.MaxRedeliveries)
	openapi.Add(to, one, s.redeliver)
	many := openapi.NewWithBody(http.MethodPost, "/v1/events/redeliver", "redeliverEvents")
	many.Description = fmt.Sprintf(many.Description, producer.MaxRedeliveries)
	openapi.Add(to, many, s.redeliverAll)
}
