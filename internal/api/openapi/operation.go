// Package openapi describes the API's operations, and makes its OpenAPI document of them.
package openapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/access"
	"recarga/internal/api/problem"
	"recarga/topup"
)

// The media types of requests and answers.
const (
	TypeJSON    = "application/json"
	TypeLines   = "application/x-ndjson"
	TypeCSV     = "text/csv"
	typeProblem = "application/problem+json"
)

const (
	// MaxBody is the size limit of a request, and of a line of a batch, in bytes.
	MaxBody = 64 << 10
	// bodyPatience leaves the time of a body to internal/listen.
	bodyPatience = -1
)

// Operations registers operations, each with who may do it.
type Operations struct {
	huma.API
	// Log gets the faults that are ours.
	Log *slog.Logger
}

// answer is what huma makes a response of.
type answer[B any] struct {
	// Body is its JSON, or what writes it.
	Body B
}

// Add registers an operation that answers with a body.
func Add[I, B any](to Operations, op huma.Operation, handler func(context.Context, *I) (B, error)) {
	Register(to, op, func(ctx context.Context, in *I) (*answer[B], error) {
		body, err := handler(ctx, in)
		return &answer[B]{body}, err
	})
}

// Register registers an operation that answers with more than a body: O is an output as huma reads it. An error
// becomes a problem. An operation that access does not know is nobody's: the program must not start with it.
func Register[I, O any](to Operations, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	permission, known := access.Of(op.OperationID)
	if !known {
		panic("operation " + op.OperationID + " has no permission in internal/access")
	}
	if op.Summary == "" {
		panic("operation " + op.OperationID + " has no text in texts.yaml")
	}
	if !permission.Callers {
		op.Description = "For an operator's key with " + permission.Needs() + ". " + op.Description
	}
	in := "query"
	if op.Method != http.MethodGet {
		in = "body"
	}
	huma.Register(to.API, op, func(ctx context.Context, input *I) (*O, error) {
		out, err := handler(ctx, input)
		if err != nil {
			return nil, problem.Of(ctx, to.Log, in, err)
		}
		return out, nil
	})
}

// New describes an operation, with its texts of texts.yaml. problems are what it may answer beside the ones that every
// request can meet.
func New(method, path, id string, problems ...int) huma.Operation {
	responses := map[string]*huma.Response{}
	for _, status := range append(problems, 401, 403, 422, 429, 500, 503) {
		responses[strconv.Itoa(status)] = problemResponse(status)
	}
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Tags: []string{tagOf(id)},
		Summary: texts.Operations[id].Summary, Description: texts.Operations[id].Text,
		Responses: responses, Security: []map[string][]string{{"key": {}}},
		MaxBodyBytes: MaxBody + 1, BodyReadTimeout: bodyPatience, // huma refuses a body of exactly its limit
	}
}

// NewWithBody is New for an operation whose request is one JSON object, with the problems that this can have.
func NewWithBody(method, path, id string, problems ...int) huma.Operation {
	return New(method, path, id, append(problems, 400, 408, 413, 415)...)
}

func problemResponse(status int) *huma.Response {
	text := texts.Problems[status]
	example := problem.OfStatus(status, text)
	r := &huma.Response{
		Description: text,
		Content:     map[string]*huma.MediaType{typeProblem: {Schema: Ref("Problem"), Example: example}},
	}
	header := func(name, text string) {
		r.Headers = map[string]*huma.Param{name: {Description: text, Schema: Text()}}
	}
	switch status {
	case http.StatusUnauthorized:
		header("WWW-Authenticate", "How to authenticate.")
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusTooManyRequests:
		header("Retry-After", "Seconds to wait before the same request is sent again.")
	case http.StatusUnprocessableEntity:
		r.Content[typeProblem].Example = json.RawMessage(exampleProblem)
	}
	return r
}

// Response describes an answer of one media type.
func Response(text, kind string, schema *huma.Schema, example any) *huma.Response {
	return &huma.Response{Description: text,
		Content: map[string]*huma.MediaType{kind: {Schema: schema, Example: example}}}
}

// Lines are a text, of which each line is the JSON of a schema of that name.
func Lines(name string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "One " + name + " a line.",
		Extensions: map[string]any{"contentMediaType": TypeJSON, "contentSchema": Ref(name)}}
}

// Query describes a parameter.
func Query(name, text string, schema *huma.Schema) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: text, Schema: schema}
}

// Page are the parameters of a list whose pages have limit things (what) if the request does not say, and most at
// most.
func Page(what string, limit, most int) []*huma.Param {
	return []*huma.Param{
		Query("limit", what+" a page.", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0),
			Maximum: new(float64(most)), Default: limit}),
		Query("cursor", "The `next_cursor` of the page before.", Text()),
	}
}

// Text is any text, or one of the values.
func Text(values ...any) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Enum: values} }

// Or is a text with a default.
func Or(standard string, values ...any) *huma.Schema {
	s := Text(values...)
	s.Default = standard
	return s
}

// Flag is true or false, and false if it is absent.
func Flag() *huma.Schema { return &huma.Schema{Type: huma.TypeBoolean, Default: false} }

// Time is RFC 3339.
func Time() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "date-time"} }

// Moment is RFC 3339, or how long ago.
func Moment() *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{"2026-01-31T18:00:00Z", "1h"}}
}

// MomentText says what a Moment may be.
const MomentText = "RFC 3339; or a date, today or yesterday, in UTC; or how long ago, as in 30m, 1h, 2d."

// Ref is the schema of a name in the document.
func Ref(name string) *huma.Schema { return &huma.Schema{Ref: schemaPrefix + name} }

// Reason is why an order failed.
func Reason() *huma.Schema {
	s := Text()
	for _, reason := range topup.Reasons() {
		s.Enum = append(s.Enum, string(reason))
	}
	return s
}

// Waits is why an order waits.
func Waits() *huma.Schema {
	s := Text()
	for _, w := range topup.Waits() {
		s.Enum = append(s.Enum, string(w))
	}
	return s
}

// State is a state of an order.
func State() *huma.Schema {
	s := Text()
	for _, f := range topup.StateTable() {
		s.Enum = append(s.Enum, string(f.State))
	}
	return s
}
