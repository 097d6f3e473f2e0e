package openapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/topup"
)

// WebhookOrder is the data of a webhook about an order: the order as it was then.
type WebhookOrder struct {
	Sequence int `json:"sequence" doc:"Rises by one per order, from 1: a lower one is older news."`
	topup.Order
}

// webhooks describes what is sent to callers, and to the operator, by the type of the event.
func webhooks(schemas huma.Registry) map[string]*huma.PathItem {
	all := map[string]*huma.PathItem{}
	for _, kind := range topup.EventTypes() {
		all[string(kind)] = webhook(schemas, kind, reflect.TypeFor[WebhookOrder]())
	}
	for kind, data := range map[topup.EventType]reflect.Type{
		topup.EventEndpointDisabled: reflect.TypeFor[topup.DisabledEndpoint](),
		topup.EventBalanceLow:       reflect.TypeFor[topup.LowBalance](),
		topup.EventBalanceDrift:     reflect.TypeFor[topup.DriftedBalance](),
	} {
		all[string(kind)] = webhook(schemas, kind, data)
	}
	return all
}

func webhook(schemas huma.Registry, kind topup.EventType, data reflect.Type) *huma.PathItem {
	text, known := texts.Webhooks[string(kind)]
	if !known {
		panic("webhook " + string(kind) + " has no text in texts.yaml")
	}
	header := func(name, text string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: text, Schema: Text()}
	}
	body := &huma.Schema{Type: huma.TypeObject, Required: []string{"type", "timestamp", "data"},
		Properties: map[string]*huma.Schema{
			"type": Text(string(kind)), "timestamp": Time(), "data": schemas.Schema(data, true, ""),
		}}
	return &huma.PathItem{Post: &huma.Operation{
		OperationID: "on." + string(kind), Summary: text, Tags: []string{"webhooks"}, Security: []map[string][]string{},
		Description: "Signed as the Standard Webhooks specification says. It comes at least once; repeats have the same " +
			"webhook-id and the same body.",
		Parameters: []*huma.Param{
			header("webhook-id", "The event's id, the same on every try."),
			header("webhook-timestamp", "When it is sent, in seconds since 1970."),
			header("webhook-signature", "`v1,` and the signature, for each secret in force."),
		},
		RequestBody: &huma.RequestBody{Required: true,
			Content: map[string]*huma.MediaType{TypeJSON: {Schema: body, Example: exampleEvent(kind)}}},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "It is delivered; the body does not matter."},
			"410": {Description: "The endpoint is gone: nothing more is sent to it."},
			"4XX": {Description: "It is tried again, for days."},
			"5XX": {Description: "It is tried again, for days."},
		},
	}}
}

// exampleEvent is such an event of the example's order; nil of one that concerns no order.
func exampleEvent(kind topup.EventType) any {
	var o topup.Order
	if err := json.Unmarshal([]byte(ExampleOrder), &o); err != nil {
		panic(fmt.Sprintf("the example of an order is none: %v", err))
	}
	if kind != topup.EventTypeOf(o.State) {
		return nil
	}
	ev, err := topup.NewEvent("msg_example", kind, o, 1, time.Date(2026, 1, 31, 18, 0, 2, 0, time.UTC))
	if err != nil {
		panic(err) // it is one of the types
	}
	return json.RawMessage(ev.Body)
}
