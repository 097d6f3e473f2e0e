package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

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
				Description: "Mobile top-ups in Mexico, asynchronously: place an order, and a webhook reports what became of " +
					"it. Amounts are MXN, exact, with at most two decimals. Times are RFC 3339, in UTC. Errors are RFC 9457 " +
					"problems.",
			},
			Servers: []*huma.Server{{URL: "/"}},
			Tags:    []*huma.Tag{{Name: "v1", Description: "Orders, the catalogue and the balance."}},
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
		reflect.TypeFor[json.Number]():      {Type: huma.TypeNumber, Nullable: true},
	}
}

// schemaName gives a Go type its name in the document.
func schemaName(t reflect.Type, hint string) string {
	names := map[string]string{
		"huma.ErrorModel": "Problem", "huma.ErrorDetail": "WrongField",
		"topup.Request": "OrderRequest", "topup.Details": "OrderDetails", "producer.Event": "EventDetails",
		"reconcile.Result": "ReconciliationResult", "reconcile.Finding": "ReconciliationFinding",
		"reconcile.Summary": "ReconciliationSummary", "reconcile.Progress": "ReconciliationProgress",
		"reconcile.Total": "ReconciliationTotal", "reconcile.Period": "ReconciliationPeriod",
		// As clients that were generated know them.
		"api.balanceAnswer": "Balance", "api.redeliveredEvents": "CountOutputBody", "producer.Endpoint": "EndpointFacts",
		"admin.OperatorPage": "OperatorsOutputBody", "admin.SwitchedEndpoint": "SwitchedOutputBody",
		"producer.RotatedKey": "KeyOutputBody", "producer.RotatedSecret": "SecretOutputBody",
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return cmp.Or(names[t.String()], huma.DefaultSchemaNamer(t, hint))
}

func nullableEnum[T ~string](values ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Nullable: true}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	s.Enum = append(s.Enum, nil)
	return s
}

func productSchema(c topup.Catalog) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, p := range c.Products() {
		s.Enum = append(s.Enum, p.ID)
	}
	return s
}

// Document completes what huma knows of an API with what the Go types cannot say, and writes it. streamed are the
// types of the lines of answers.
func Document(api huma.API, catalog topup.Catalog, streamed ...reflect.Type) []byte {
	doc, fill := api.OpenAPI(), filler(catalog)
	schemas := doc.Components.Schemas
	for _, t := range append(streamed, reflect.TypeFor[topup.Request]()) {
		schemas.Schema(t, true, "")
	}
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
	annotate(schemas.Map()["OrderDetails"], "Order", fill)
	schemas.Map()["Order"].Examples = []any{json.RawMessage(ExampleOrder)}
	for _, p := range schemas.Map()["Problem"].Properties {
		p.Examples = nil // huma's own, of another API
	}
	schemas.Map()["Balance"].Properties["balance"].Nullable = false
	raw, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document has no JSON: %v", err)) // it is made of this package's own constants
	}
	var b bytes.Buffer
	_ = json.Indent(&b, raw, "", "  ") // it is JSON
	b.WriteByte('\n')
	return b.Bytes()
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
	for _, priority := range topup.Priorities() {
		p["priority"].Enum = append(p["priority"].Enum, string(priority))
	}
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
