package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/producer"
	"recarga/topup"
)

// Events is what the journal knows of events.
type Events interface {
	// Event is one event, or topup.ErrNotFound.
	Event(ctx context.Context, id string) (topup.Event, error)
	// Events returns a page of events, newest first, and the cursor of the next one.
	Events(ctx context.Context, f topup.EventFilter) ([]topup.Event, string, error)
}

// eventFacts is an event as it is listed: with the order that it is about, and how far it got.
type eventFacts struct {
	topup.Event
	OrderID   topup.ID         `json:"distributor_transaction_id"`
	Caller    string           `json:"caller"`
	State     topup.EventState `json:"state"`
	CreatedAt time.Time        `json:"created_at"`
	// DueAt is when it will be tried (again).
	DueAt *time.Time `json:"due_at"`
}

func factsOf(ev topup.Event) eventFacts {
	f := eventFacts{Event: ev, OrderID: ev.OrderID, Caller: ev.Caller, State: ev.State, CreatedAt: ev.CreatedAt}
	if !ev.DueAt.IsZero() {
		f.DueAt = &ev.DueAt
	}
	return f
}

type eventOutput struct {
	Body eventFacts
}

type eventPage struct {
	Data       []eventFacts `json:"data"`
	NextCursor *string      `json:"next_cursor"`
}

type eventsOutput struct {
	Body eventPage
}

func (s *Server) events(ctx context.Context, in *listInput) (*eventsOutput, error) {
	who := identityOf(ctx)
	if err := ownOnly(who, in.query.Get(topup.FieldCaller)); err != nil {
		return nil, err
	}
	q := queryReader{values: in.query}
	f := topup.EventFilter{
		State:  topup.EventState(read(&q, "state", oneOf("state", "pending", "delivered", "exhausted"))),
		Caller: read(&q, topup.FieldCaller, asIs), Type: read(&q, "type", eventType),
		Endpoint: read(&q, "endpoint", asIs),
		Since:    read(&q, "since", timeOf("since")), Until: read(&q, "until", timeOf("until")),
		Limit: read(&q, "limit", limit), Cursor: read(&q, "cursor", asIs),
	}
	err := errors.Join(q.errs...)
	if !who.SeesAll() {
		f.Caller = who.Caller
	}
	list := listOfEvents(f)
	if err == nil {
		f.Cursor, err = s.cursors.open(list, f.Cursor)
	}
	var events []topup.Event
	var next string
	if err == nil {
		events, next, err = s.cfg.Events.Events(ctx, f)
	}
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	page := eventPage{Data: make([]eventFacts, len(events)), NextCursor: s.cursors.seal(list, next)}
	for i, ev := range events {
		page.Data[i] = shownEvent(who, ev)
	}
	return &eventsOutput{Body: page}, nil
}

type eventInput struct {
	ID string `path:"id"`
}

func (s *Server) redeliver(ctx context.Context, in *eventInput) (*eventOutput, error) {
	who := identityOf(ctx)
	ev, err := s.cfg.Orders.Redeliver(ctx, in.ID, who.actor())
	if err != nil {
		return nil, s.problem(ctx, "path", err)
	}
	return &eventOutput{Body: shownEvent(who, ev)}, nil
}

// replayInput has no default: everything must be meant, and written as {}. A field that has lost its value is refused,
// since it would mean everything as well.
type replayInput struct {
	RawBody []byte
	Body    replayRequest
}

// Resolve is called by huma with the request. It refuses what would be taken for an absent field.
func (in *replayInput) Resolve(huma.Context) (wrong []error) {
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

type replayRequest struct {
	State    string          `json:"state,omitempty" enum:"exhausted,pending,delivered" doc:"How far they got."`
	Caller   string          `json:"caller,omitempty" minLength:"1"`
	Type     eventTypeSchema `json:"type,omitempty"`
	Endpoint string          `json:"endpoint,omitempty" minLength:"1"`
	Since    time.Time       `json:"since,omitempty" doc:"Made at this time or later."`
	Until    time.Time       `json:"until,omitempty" doc:"Made before this time."`
	Limit    int             `json:"limit,omitempty" minimum:"0" maximum:"1000" doc:"Only so many, the newest; 0 is all."`
	Cursor   string          `json:"cursor,omitempty" doc:"With limit: the next_cursor of the answer before."`
}

type countOutput struct {
	Body struct {
		Count      int     `json:"count" doc:"How many events are due again."`
		NextCursor *string `json:"next_cursor" doc:"With limit: where the rest begins; null when there is none."`
	}
}

func (s *Server) redeliverAll(ctx context.Context, in *replayInput) (*countOutput, error) {
	who := identityOf(ctx)
	if err := ownOnly(who, in.Body.Caller); err != nil {
		return nil, err
	}
	f := topup.EventFilter{
		State: topup.EventState(in.Body.State), Caller: in.Body.Caller, Type: topup.EventType(in.Body.Type),
		Since: in.Body.Since, Until: in.Body.Until,
		Endpoint: in.Body.Endpoint, Limit: in.Body.Limit, Cursor: in.Body.Cursor,
	}
	if !who.SeesAll() {
		f.Caller = who.Caller
	}
	var out countOutput
	list := listOfEvents(f)
	var err error
	if f.Cursor, err = s.cursors.open(list, f.Cursor); err != nil {
		return nil, s.problem(ctx, "body", err)
	}
	count, next, err := s.cfg.Orders.RedeliverAll(ctx, f, who.actor())
	if err != nil {
		return nil, s.problem(ctx, "body", err)
	}
	out.Body.Count, out.Body.NextCursor = count, s.cursors.seal(list, next)
	return &out, nil
}

// ownOnly refuses a filter by caller to any key but the operator's.
func ownOnly(who Identity, caller string) error {
	if who.SeesAll() || caller == "" || caller == who.Caller {
		return nil
	}
	return forbidden("the filter caller is for operators' keys; a caller's key sees its own events")
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

func opEvents() huma.Operation {
	op := operation("GET", "/v1/events", "listEvents", "List events",
		"What callers are notified of, newest first, with every try. `state=exhausted` lists what no try is left for. A "+
			"caller's key sees its own; an operator's all.",
		403, 422, 503)
	op.Parameters = []*huma.Param{
		query("state", "Events that got this far.", textSchema("pending", "delivered", "exhausted")),
		query("caller", "Events of this caller. For operators' keys only.", textSchema()),
		query("type", "Events of this type.", textSchema(eventTypes()...)),
		query("endpoint", "Events for this endpoint of their caller; `default` is the callback_url.", textSchema()),
		query("since", "Events made at this time or later.", timeSchema()),
		query("until", "Events made before this time.", timeSchema()),
		query("limit", "Events a page.", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0),
			Maximum: new(float64(maxLimit)), Default: defaultLimit}),
		query("cursor", "The `next_cursor` of the page before.", textSchema()),
	}
	return op
}

func opRedeliver() huma.Operation {
	return operation("POST", "/v1/events/{id}/redeliver", "redeliverEvent", "Redeliver an event",
		"Makes the event due at once, from the start of its schedule, whatever became of it before. Its `webhook-id` and "+
			"its body stay the same. "+
			fmt.Sprintf("A caller may do so %d times a day (of UTC) with one event.", producer.MaxRedeliveries), 404, 429, 503)
}

func opRedeliverAll() huma.Operation {
	op := operation("POST", "/v1/events/redeliver", "redeliverEvents", "Redeliver many events",
		"All that the filter matches, not only a page; `{}` is everything. Answers when all are due again. After an error, "+
			"send it again: what was done stays. "+
			fmt.Sprintf("What its caller has redelivered %d times on this day is left out, and not counted.",
				producer.MaxRedeliveries),
		400, 403, 408, 413, 415, 503)
	return bodied(op)
}
