package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/api/problem"
	"recarga/topup"
)

const schemaPrefix = "#/components/schemas/"

// Config is huma's. It leaves out what huma adds by itself: pages that load scripts from elsewhere, and a
// "$schema" in every answer.
func Config(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Recarga", Version: version,
				License: &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
				Description: "Mobile top-ups in Mexico, asynchronously: place an order, and a webhook reports what became of " +
					"it. Amounts are MXN, exact, with at most two decimals. Times are RFC 3339, in UTC. Errors are RFC 9457 " +
					"problems.",
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas: registry(),
				SecuritySchemes: map[string]*huma.SecurityScheme{"key": {
					Type: "http", Scheme: "bearer", Description: "The caller's API key, the admin key, or an operator's.",
				}},
			},
		},
		Formats:       map[string]huma.Format{TypeJSON: huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: TypeJSON,
	}
}

// registry knows the schemas of package topup's values, which write their JSON themselves. The
// objects' schemas are made from their Go types, so that they cannot differ from the answers.
func registry() huma.Registry {
	r := huma.NewMapRegistry(schemaPrefix, schemaName)
	written[topup.ID](r)
	written[topup.Phone](r)
	written[topup.Amount](r)
	written[topup.State](r)
	written[topup.Reason](r)
	written[topup.Outcome](r)
	written[topup.Code](r)
	written[topup.NullString](r)
	written[topup.Priority](r)
	written[topup.EventType](r)
	written[topup.EventState](r)
	written[topup.ResolvedAs](r)
	written[topup.Call](r)
	written[topup.BalanceChangeKind](r)
	written[json.Number](r)
	return r
}

// written has a type described by values.
func written[T any](r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[value[T]]())
}

// value stands for a type that writes its JSON itself.
type value[T any] struct{}

// Schema implements huma.SchemaProvider.
func (value[T]) Schema(huma.Registry) *huma.Schema { return values()[reflect.TypeFor[T]()] }

func values() map[reflect.Type]*huma.Schema {
	return map[reflect.Type]*huma.Schema{
		reflect.TypeFor[topup.ID]():     {Type: huma.TypeString, Pattern: topup.IDPattern, Examples: []any{"ORD-1"}},
		reflect.TypeFor[topup.Phone]():  {Type: huma.TypeString, Examples: []any{"5537686660"}},
		reflect.TypeFor[topup.Amount](): {Type: huma.TypeNumber, Examples: []any{10}},
		reflect.TypeFor[topup.State]():  State(),
		reflect.TypeFor[topup.Reason](): nullableEnum(topup.ReasonDeclined, topup.ReasonRetriesExhausted,
			topup.ReasonExpired, topup.ReasonInvalid, topup.ReasonResolved),
		reflect.TypeFor[topup.Outcome](): nullableEnum(topup.OutcomeApproved, topup.OutcomeDeclined,
			topup.OutcomeUnavailable, topup.OutcomeNotSent, topup.OutcomeUnknown),
		reflect.TypeFor[topup.Code]():       {Type: huma.TypeString, Nullable: true, Examples: []any{"00"}},
		reflect.TypeFor[topup.NullString](): {Type: huma.TypeString, Nullable: true},
		reflect.TypeFor[topup.Priority]():   enum(topup.Priorities()...),
		reflect.TypeFor[topup.EventType]():  enum(append(topup.EventTypes(), topup.OperatorEventTypes()...)...),
		reflect.TypeFor[topup.EventState](): enum(topup.EventPending, topup.EventDelivered,
			topup.EventExhausted, topup.EventKept),
		reflect.TypeFor[topup.ResolvedAs](): enum(topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend,
			topup.ResolvedHeld, topup.ResolvedRestored),
		reflect.TypeFor[topup.Call]():              enum(topup.Calls()...),
		reflect.TypeFor[topup.BalanceChangeKind](): enum(topup.BalanceDeposit, topup.BalanceDrift),
		reflect.TypeFor[json.Number]():             {Type: huma.TypeNumber, Nullable: true},
	}
}

// schemaName gives a Go type its name in the document.
func schemaName(t reflect.Type, hint string) string {
	names := map[string]string{
		"problem.Model": "Problem", "huma.ErrorDetail": "WrongField",
		"topup.Request": "OrderRequest", "topup.Details": "OrderDetails", "producer.Event": "EventDetails",
		"reconcile.Result": "ReconciliationResult", "reconcile.Finding": "ReconciliationFinding",
		"reconcile.Summary": "ReconciliationSummary", "reconcile.Progress": "ReconciliationProgress",
		"reconcile.Total": "ReconciliationTotal", "reconcile.Period": "ReconciliationPeriod",
		"api.balanceAnswer": "Balance",
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return cmp.Or(names[t.String()], huma.DefaultSchemaNamer(t, hint))
}

func enum[T ~string](values ...T) *huma.Schema {
	s := Text()
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

func nullableEnum[T ~string](values ...T) *huma.Schema {
	s := enum(values...)
	s.Nullable, s.Enum = true, append(s.Enum, nil)
	return s
}

func productSchema(c topup.Catalog) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, p := range c.Products() {
		s.Enum = append(s.Enum, p.ID)
	}
	return s
}

// Document completes what huma knows of an API with what the Go types cannot say, and returns what writes it, once.
// streamed are the types of the lines of answers.
func Document(api huma.API, catalog topup.Catalog, streamed ...reflect.Type) func() []byte {
	doc, fill := api.OpenAPI(), filler(catalog)
	schemas := doc.Components.Schemas
	for _, t := range append(streamed, reflect.TypeFor[topup.Request]()) {
		schemas.Schema(t, true, "")
	}
	doc.Webhooks = webhooks(schemas)
	for name, s := range schemas.Map() {
		if !strings.HasSuffix(name, "Request") {
			s.AdditionalProperties = nil // a client must not break when an answer gains a field
		}
		for _, p := range s.Properties {
			p.Nullable = p.Nullable && p.Items == nil // a list may be empty, never null
		}
		annotate(s, name, fill)
	}
	// huma adds this type for a raw body. Taken out here, it is refused as well: the API takes only
	// the types that are described.
	for _, path := range []string{"/v1/topups", "/v1/events/redeliver"} {
		delete(doc.Paths[path].Post.RequestBody.Content, "application/octet-stream")
	}
	describeRequest(schemas.Map()["OrderRequest"], catalog)
	for _, name := range []string{"Order", "OrderDetails", "WebhookOrder"} {
		schemas.Map()[name].Properties["waits_for"].Enum =
			nullableEnum(topup.Waits()...).Enum
	}
	for name, of := range map[string]string{"OrderDetails": "Order", "WebhookOrder": "Order", "EventDetails": "Event"} {
		annotate(schemas.Map()[name], of, fill)
	}
	schemas.Map()["Order"].Examples = []any{json.RawMessage(ExampleOrder)}
	for _, p := range schemas.Map()["Problem"].Properties {
		p.Examples = nil // huma's own, of another API
	}
	schemas.Map()["Balance"].Properties["balance"].Nullable = false
	for _, e := range problem.Codes {
		code := schemas.Map()["Problem"].Properties["code"]
		code.Enum = append(code.Enum, string(e.Code))
	}
	for _, tag := range texts.Tags {
		doc.Tags = append(doc.Tags, &huma.Tag{Name: tag.Name, Description: tag.Text})
	}
	doc.Tags = append(doc.Tags, &huma.Tag{Name: "webhooks", Description: "What is sent to your endpoint."})
	return sync.OnceValue(func() []byte { return ordered(doc) })
}

// ordered is the document with its paths in the order of the tags, as a reader meets them.
func ordered(doc *huma.OpenAPI) []byte {
	var paths bytes.Buffer
	for _, tag := range texts.Tags {
		for _, id := range tag.Operations {
			path := pathOf(doc, id)
			if path == "" || bytes.Contains(paths.Bytes(), []byte(strconv.Quote(path)+":")) {
				continue // of an API without it, or of an operation before
			}
			fmt.Fprintf(&paths, ",%q:%s", path, marshal(doc.Paths[path]))
		}
	}
	var parts struct {
		OpenAPI    json.RawMessage `json:"openapi"`
		Info       json.RawMessage `json:"info"`
		Servers    json.RawMessage `json:"servers"`
		Tags       json.RawMessage `json:"tags"`
		Paths      json.RawMessage `json:"paths"`
		Webhooks   json.RawMessage `json:"webhooks"`
		Components json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal(marshal(doc), &parts); err != nil {
		panic(err) // it has just been written
	}
	parts.Paths = json.RawMessage("{" + strings.TrimPrefix(paths.String(), ",") + "}")
	var b bytes.Buffer
	_ = json.Indent(&b, marshal(parts), "", "  ") // it is JSON
	b.WriteByte('\n')
	return b.Bytes()
}

func pathOf(doc *huma.OpenAPI, operation string) string {
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op != nil && op.OperationID == operation {
				return path
			}
		}
	}
	return ""
}

func marshal(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document has no JSON: %v", err)) // it is made of this package's own constants
	}
	return raw
}

// annotate describes the fields of a schema with the texts of an object.
func annotate(s *huma.Schema, object string, fill *strings.Replacer) {
	for name, text := range texts.Properties[object] {
		if p := s.Properties[name]; p != nil && p.Ref == "" {
			p.Description = fill.Replace(text)
		}
	}
}

// describeRequest: what is accepted is wider than what is recorded.
func describeRequest(s *huma.Schema, catalog topup.Catalog) {
	p := s.Properties
	p["phone_number"].Pattern = `^[+]?[0-9 ().\u00a0-]{10,32}$`
	product := productSchema(catalog)
	product.Description = p["product_id"].Description
	p["product_id"] = product
	p["amount"].Minimum, p["amount"].Maximum = amountRange(catalog)
	p["operator"].Pattern = `^[A-Za-z0-9][A-Za-z0-9 ._&-]{0,31}$`
	p["operator"].Examples = []any{"MOVISTAR"}
	p["callback_url"].Format = "uri"
	p["metadata"].Examples = []any{map[string]string{"cart": "1842"}}
	s.Examples = []any{json.RawMessage(exampleRequest)}
}

// amountRange is the lowest and the highest price of the catalogue, in MXN.
func amountRange(c topup.Catalog) (low, high *float64) {
	products := c.Products()
	least, most := products[0].Min, products[0].Max
	for _, p := range products {
		least, most = min(least, p.Min), max(most, p.Max)
	}
	return new(float64(least) / 100), new(float64(most) / 100)
}
