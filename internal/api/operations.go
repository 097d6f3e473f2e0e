package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
	typeLines   = "application/x-ndjson"
)

// bodyPatience leaves the time of a body to internal/listen.
const bodyPatience = -1

func opPlace() huma.Operation {
	op := operation(http.MethodPost, "/v1/topups", "placeTopup", "Place an order",
		"Records the order durably and answers. Send it again, the same, after any doubt: it is placed once. "+
			"The fields are those of the distributor's product_purchase, and some more.",
		400, 408, 409, 413, 415, 422, 429, 503)
	op.DefaultStatus = http.StatusAccepted
	op.MaxBodyBytes = maxBody + 1 // huma refuses a body of exactly its limit
	op.BodyReadTimeout = bodyPatience
	op.SkipValidateBody = true // topup.ParseRequest does it, exactly
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		typeJSON: {Schema: ref("OrderRequest")},
	}}
	op.Responses["202"] = orderResponse("The order is recorded.", exampleQueued(),
		map[string]*huma.Param{"Location": locationHeader()})
	op.Responses["200"] = orderResponse("The same order was placed before; this is how it stands now.",
		json.RawMessage(exampleOrder), map[string]*huma.Param{
			"Location": locationHeader(),
			"Idempotent-Replayed": {Description: "Always `true`.",
				Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}},
		})
	return op
}

func opBatch() huma.Operation {
	op := operation(http.MethodPost, "/v1/topups/batch", "placeTopups", "Place many orders",
		"NDJSON in, NDJSON out: a line of the request is the body of `POST /v1/topups` (64 KiB at most), a line of the "+
			"answer is a "+
			"BatchLine, in the order of the request. A wrong line never stops the others. Of two lines with one id the first "+
			"is the order. "+
			"A batch may be of any length and is answered while it is read, so read the answers while sending; a client that "+
			"cannot "+
			"should send no more than some 1,000 lines at once. A connection that is cut before the last answer leaves the "+
			"rest unsaid: "+
			"send the same batch again.",
		415)
	lines := func(text, example string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: text}, Example: example}
	}
	content := lines("One OrderRequest a line.", exampleRequestLines)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{typeLines: content,
		"application/ndjson": content}}
	op.Responses["200"] = &huma.Response{Description: "One BatchLine a line.", Content: map[string]*huma.MediaType{
		typeLines: lines("One BatchLine a line.", exampleBatchLines),
	}}
	return op
}

func opGet() huma.Operation {
	op := operation(http.MethodGet, "/v1/topups/{id}", "getTopup", "Get an order",
		"The order, its attempts at the distributor and the events for its caller. Another caller's order is not "+
			"found. A caller sees what concerns it; evidence, who decided and why, and what an error says of hosts are for "+
			"the operator.", 404, 503)
	return op
}

func opList() huma.Operation {
	op := operation(http.MethodGet, "/v1/topups", "listTopups", "List orders",
		"Newest first. Pass `next_cursor` as `cursor` for the next page, with the same key and filter; it is null on the "+
			"last one. A caller's key sees its own orders; an operator's all.",
		403, 422, 503)
	op.Parameters = append(filterParameters(),
		query("limit", "Orders a page.", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0),
			Maximum: new(float64(maxLimit)), Default: defaultLimit}),
		query("cursor", "The `next_cursor` of the page before.", textSchema()))
	return op
}

// filterParameters choose orders.
func filterParameters() []*huma.Param {
	return []*huma.Param{
		query("state", "Orders in this state.", stateSchema{}.Schema(nil)),
		query("caller", "Orders of this caller. For operators' keys only.", textSchema()),
		query("phone_number", "Orders for this number.", &huma.Schema{Type: huma.TypeString, Examples: []any{"5537686660"}}),
		query("product_id", "Orders for this product: of the catalogue, or one that left it and that an order has.",
			textSchema()),
		query("disputed", "Only orders whose final state later evidence contradicts.", &huma.Schema{Type: huma.TypeBoolean}),
		query("transaction_id", "Orders whose purchase has this id at the distributor.", textSchema()),
		query("since", "Orders placed at this time or later.", timeSchema()),
		query("until", "Orders placed before this time.", timeSchema()),
	}
}

func opCancel() huma.Operation {
	return operation(http.MethodPost, "/v1/topups/{id}/cancel", "cancelTopup", "Cancel an order",
		"Only while no attempt can have moved money: `queued` and `retrying`. Canceling a canceled order is no error.", 404,
		409, 503)
}

func opResolve() huma.Operation {
	op := operation(http.MethodPost, "/v1/topups/{id}/resolve", "resolveTopup", "Settle an order that is held",
		"Only from `unknown`. `failed` and `resend` are refused (409, with `Retry-After`) until no worker can still be "+
			"acting on the order's attempt, unless `force` is set. Who, when and why are kept with the order, and its caller "+
			"is notified. "+
			"After a lost answer the very same may be asked again: it answers 200 with the order as it now is, and does "+
			"nothing.",
		400, 403, 404, 408, 409, 413, 415, 503)
	return bodied(op)
}

func opCorrect() huma.Operation {
	op := operation(http.MethodPost, "/v1/topups/{id}/correct", "correctTopup", "Correct a final state that was wrong",
		"From `succeeded` to `failed`, and from `failed` or `canceled` to `succeeded`; it ends the order's dispute. "+
			"Who, when and why are kept with the order, and its caller gets `topup.corrected`. After a lost answer the very "+
			"same may be "+
			"asked again: it answers 200 with the order as it now is, and does nothing.",
		400, 403, 404, 408, 409, 413, 415, 503)
	return bodied(op)
}

func opUphold() huma.Operation {
	op := operation(http.MethodPost, "/v1/topups/{id}/dispute", "endDispute", "End a dispute",
		"The order's state is right, whatever the evidence that made it disputed. Where the state is wrong, correct "+
			"it instead. Nobody is notified.",
		400, 403, 404, 408, 409, 413, 415, 503)
	return bodied(op)
}

func opProducts() huma.Operation {
	return operation(http.MethodGet, "/v1/products", "listProducts", "List the products",
		"What can be bought, and for how much.")
}

func opBalance() huma.Operation {
	return operation(http.MethodGet, "/v1/balance", "getBalance", "Ask for the distributor's balance",
		fmt.Sprintf("What the distributor says it has left of our money. An answer is shown again for %s; `age_seconds` "+
			"is how old it is. "+
			"A balance is a hint: the distributor may keep it stale, and it is in another currency than the orders.",
			balanceFresh),
		502, 503)
}

// operation has the parts all operations share, and the problems they may answer beside the ones
// that every request can meet.
func operation(method, path, id, summary, text string, problems ...int) huma.Operation {
	responses := map[string]*huma.Response{}
	for _, status := range append(problems, 401, 403, 422, 429, 500) {
		responses[strconv.Itoa(status)] = problemResponse(status)
	}
	if method == http.MethodGet {
		responses["503"] = problemResponse(503)
	}
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Description: text, Tags: []string{"v1"},
		Responses: responses, Security: []map[string][]string{{"key": {}}},
	}
}

func problemResponse(status int) *huma.Response {
	text := problemTexts()[status]
	example := map[string]any{"title": http.StatusText(status), "status": status, "detail": text}
	r := &huma.Response{
		Description: text,
		Content:     map[string]*huma.MediaType{typeProblem: {Schema: ref("Problem"), Example: example}},
	}
	header := func(name, text string) {
		r.Headers = map[string]*huma.Param{name: {Description: text, Schema: textSchema()}}
	}
	switch status {
	case http.StatusUnauthorized:
		header("WWW-Authenticate", "How to authenticate.")
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusTooManyRequests:
		header("Retry-After", "Seconds to wait before the same request is sent again.")
	case http.StatusUnprocessableEntity:
		r.Content[typeProblem].Example = exampleProblem()
	}
	return r
}

func problemTexts() map[int]string {
	return map[int]string{
		400: "The body is not one JSON object.",
		401: "No key, or not a known one.",
		403: "The key may not do this.",
		404: "No such order, or another caller's.",
		408: "The body took too long to arrive.",
		409: "It contradicts what is recorded: the id is taken by other content, or money may already have moved.",
		413: "The body is larger than 64 KiB.",
		415: "The body is of another media type.",
		422: "Not allowed; `errors` names every wrong field.",
		429: "Too many, wait for `Retry-After`: wrong keys of one address, or more than a quota of the caller's allows " +
			"(`detail` names which; an order that was placed before is answered all the same).",
		500: "A fault of ours.",
		502: "The distributor did not answer.",
		503: "Not recorded, or not readable now; send the same request again.",
	}
}

func orderResponse(text string, example any, headers map[string]*huma.Param) *huma.Response {
	return &huma.Response{Description: text, Headers: headers, Content: map[string]*huma.MediaType{
		typeJSON: {Schema: ref("Order"), Example: example},
	}}
}

func locationHeader() *huma.Param {
	return &huma.Param{Description: "Path of the order.", Schema: textSchema()}
}

func query(name, text string, schema *huma.Schema) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: text, Schema: schema}
}

// textSchema is any text, or one of the values.
func textSchema(values ...any) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Enum: values} }

func timeSchema() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "date-time"} }

func ref(name string) *huma.Schema { return &huma.Schema{Ref: schemaPrefix + name} }
