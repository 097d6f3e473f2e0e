package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/topup"
)

type placeInput struct {
	Key string `header:"Idempotency-Key" doc:"Not needed: the order's id does it. Where sent, it must be that id."`
	// RawBody is the order, for topup.ParseRequest to read.
	RawBody []byte
}

type placeOutput struct {
	// Status is 200 for an order that had been placed before, and else 202.
	Status int
	// Location is the path of the order.
	Location string `header:"Location" hidden:"true"`
	// Replayed is "true" or absent.
	Replayed string `header:"Idempotent-Replayed" hidden:"true"`
	// Body is the order as it now is.
	Body topup.Order
}

func (s *Server) place(ctx context.Context, in *placeInput) (*placeOutput, error) {
	who := keys.Of(ctx)
	r, err := s.parse(who, in.RawBody, in.Key)
	if err != nil {
		return nil, err
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.String(topup.TraceOrder, string(r.ID)))
	o, replayed, err := s.cfg.Orders.Place(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &placeOutput{Status: placedStatus(replayed), Location: "/v1/topups/" + string(o.ID), Body: shown(who, o)}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

func placedStatus(replayed bool) int {
	if replayed {
		return http.StatusOK
	}
	return http.StatusAccepted
}

// parse reads a request for the owner of the key. Even with an error, the request's ID is there when
// it is a valid one. Whether the product is sold for the amount is for Orders to say, which know a repeat;
// it is said here of a request that is refused anyway, so that all that is wrong is said at once.
func (s *Server) parse(who keys.Identity, body []byte, key string) (topup.Request, error) {
	r, err := s.cfg.Catalog.Lenient().ParseRequest(body)
	if errors.Is(err, topup.ErrNotObject) {
		return r, err
	}
	more := errors.Join(checkCaller(who, r.Caller), checkCallback(who, r.CallbackURL), checkSameKey(key, r.ID))
	if err == nil && more != nil {
		err = s.cfg.Catalog.Check(r)
	}
	err = errors.Join(err, more)
	r.Caller = who.Caller
	return r, err
}

// checkSameKey: a repeat is known by the order's id alone, so another key would promise what is not kept. The key may
// be in quotes, as the header's draft standard has it.
func checkSameKey(key string, id topup.ID) error {
	if text := strings.TrimSuffix(strings.TrimPrefix(key, `"`), `"`); text == "" || text == string(id) || id == "" {
		return nil
	}
	return &topup.FieldError{Field: problem.IdempotencyKey, Value: key,
		Allowed: "absent, or the order's distributor_transaction_id"}
}

// checkCaller: an order belongs to the key's owner, whatever its body says.
func checkCaller(who keys.Identity, caller string) error {
	if caller == "" || caller == who.Caller {
		return nil
	}
	return &topup.FieldError{Field: topup.FieldCaller, Value: caller, Allowed: "absent, or the key's own caller " +
		who.Caller}
}

func checkCallback(who keys.Identity, callback string) error {
	return topup.CheckCallback(callback, append([]string{who.CallbackURL}, who.Endpoints...)...)
}

type orderInput struct {
	// ID is the order's.
	ID string `path:"id"`
}

func (s *Server) cancel(ctx context.Context, in *orderInput) (o topup.Order, err error) {
	id, err := pathID(in.ID)
	if err != nil {
		return o, err
	}
	who := keys.Of(ctx)
	o, err = s.cfg.Orders.Cancel(ctx, id, who.Actor())
	return shown(who, o), err
}

// pathID is the id in a path. One that no order can have is not found, like one that none has.
func pathID(s string) (topup.ID, error) {
	id, err := topup.ParseID(s)
	if err != nil {
		return "", topup.ErrNotFound
	}
	return id, nil
}

func opPlace() huma.Operation {
	op := openapi.NewWithBody(http.MethodPost, "/v1/topups", operationPlace, 409)
	op.DefaultStatus = http.StatusAccepted
	op.SkipValidateBody = true // topup.ParseRequest does it, exactly
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		openapi.TypeJSON: {Schema: openapi.Ref("OrderRequest")},
	}}
	location := &huma.Param{Description: "Path of the order.", Schema: openapi.Text()}
	placed := openapi.Response("The order is recorded.", openapi.TypeJSON, openapi.Ref("Order"), openapi.ExampleQueued())
	placed.Headers = map[string]*huma.Param{"Location": location}
	replayed := openapi.Response("The same order was placed before; this is how it stands now.", openapi.TypeJSON,
		openapi.Ref("Order"), json.RawMessage(openapi.ExampleOrder))
	replayed.Headers = map[string]*huma.Param{
		"Location": location, "Idempotent-Replayed": {Description: "Always `true`.", Schema: openapi.Text("true")},
	}
	op.Responses["202"], op.Responses["200"] = placed, replayed
	return op
}

const operationPlace = "placeTopup"
