package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/api"
	"recarga/internal/testkit"
)

const openAPIDocument = "../../docs/openapi.json"

// TestOpenAPIDocument keeps docs/openapi.json equal to what is served.
func TestOpenAPIDocument(t *testing.T) {
	s := serve(t)
	served := s.send("GET", "/openapi.json", "").want(http.StatusOK).body
	testkit.Generated(t, openAPIDocument, string(served))
}

type document struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Paths      map[string]map[string]operation
	Components struct {
		Schemas         map[string]schema
		SecuritySchemes map[string]any
	}
}

type operation struct {
	OperationID string
	Summary     string
	Description string
	Parameters  []struct{ Name, In string }
	RequestBody *struct{ Content map[string]any }
	Security    []map[string][]string
	Responses   map[string]struct {
		Description string
		Content     map[string]any
	}
}

type schema struct {
	Properties map[string]any
	Required   []string
	Examples   []map[string]any
}

func parsed(t *testing.T) (document, []byte) {
	t.Helper()
	server := api.New(api.Config{Callers: twoShops()})
	var d document
	decode(t, server.OpenAPI(), &d)
	return d, server.OpenAPI()
}

// TestOpenAPIIsComplete: every operation names its answers, its key and itself.
func TestOpenAPIIsComplete(t *testing.T) {
	d, _ := parsed(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1.") || d.Info.Title == "" || d.Info.Version == "" ||
		d.Components.SecuritySchemes["key"] == nil {
		t.Errorf("header %+v", d.Info)
	}
	want := map[string]string{
		"get /v1/audit":            "200 401 403 422 429 500 503",
		"get /v1/controls":         "200 401 403 422 429 500 503",
		"post /v1/controls/pause":  "200 400 401 403 408 413 415 422 429 500 503",
		"post /v1/controls/resume": "200 400 401 403 408 413 415 422 429 500 503",
		"post /v1/controls/limit":  "200 400 401 403 408 413 415 422 429 500 503",
		"post /v1/topups":          "200 202 400 401 403 408 409 413 415 422 429 500 503",
		"post /v1/topups/batch":    "200 401 403 415 422 429 500 503",
		"get /v1/topups":           "200 401 403 422 429 500 503", "get /v1/topups/{id}": "200 304 401 403 404 422 429 500 503",
		"post /v1/topups/{id}/cancel": "200 401 403 404 409 422 429 500 503",
		"get /v1/products":            "200 401 403 422 429 500 503", "get /v1/balance": "200 401 403 422 429 500 502 503",
		"get /v1/events": "200 401 403 410 422 429 500 503", "post /v1/events/redeliver": "200 400 401 403 408 413 415 422 " +
			"429 500 503",
		"post /v1/events/{id}/redeliver":                       "200 401 403 404 422 429 500 503",
		"get /v1/callers":                                      "200 401 403 422 429 500 503",
		"post /v1/callers":                                     "201 400 401 403 408 409 413 415 422 429 500 503",
		"patch /v1/callers/{name}":                             "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"post /v1/callers/{name}/rotate-secret":                "200 401 403 404 409 422 429 500 503",
		"post /v1/callers/{name}/rotate-key":                   "200 401 403 404 409 422 429 500 503",
		"get /v1/search":                                       "200 401 403 422 429 500 503",
		"put /v1/callers/{name}/endpoints/{endpoint}":          "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"delete /v1/callers/{name}/endpoints/{endpoint}":       "200 401 403 404 409 422 429 500 503",
		"post /v1/callers/{name}/endpoints/{endpoint}/enable":  "200 401 403 404 422 429 500 503",
		"post /v1/callers/{name}/endpoints/{endpoint}/disable": "200 401 403 404 422 429 500 503",
		"post /v1/endpoints/{endpoint}/ping":                   "200 401 403 404 422 429 500 503",
		"post /v1/reconciliations":                             "200 401 403 415 422 429 500 503",
		"get /v1/export":                                       "200 401 403 422 429 500 503",
		"post /v1/topups/{id}/correct":                         "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"post /v1/topups/{id}/dispute":                         "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"post /v1/topups/{id}/hold":                            "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"post /v1/topups/{id}/release":                         "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"post /v1/bulk":                                        "200 400 401 403 408 409 413 415 422 429 500 503",
		"get /v1/bulk":                                         "200 401 403 422 429 500 503",
		"get /v1/bulk/{id}":                                    "200 401 403 404 422 429 500 503",
		"post /v1/bulk/{id}/stop":                              "200 400 401 403 404 408 413 415 422 429 500 503",
		"post /v1/topups/{id}/resolve":                         "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"get /v1/operators":                                    "200 401 403 422 429 500 503",
		"post /v1/operators":                                   "201 400 401 403 408 409 413 415 422 429 500 503",
		"patch /v1/operators/{name}":                           "200 400 401 403 404 408 409 413 415 422 429 500 503",
		"post /v1/operators/{name}/rotate-key":                 "200 401 403 404 409 422 429 500 503",
	}
	got, ids := map[string]string{}, map[string]bool{}
	for path, operations := range d.Paths {
		for method, op := range operations {
			got[method+" "+path] = strings.Join(slices.Sorted(maps.Keys(op.Responses)), " ")
			if ids[op.OperationID] || op.OperationID == "" || op.Summary == "" || len(op.Security) == 0 {
				t.Errorf("%s %s: %+v", method, path, op)
			}
			ids[op.OperationID] = true
			for part := range strings.SplitSeq(path, "/") {
				name, found := strings.CutPrefix(part, "{")
				named := func(p struct{ Name, In string }) bool { return p.Name+"}" == name && p.In == "path" }
				if found && !slices.ContainsFunc(op.Parameters, named) { // then it is not read either
					t.Errorf("%s %s does not know its %s", method, path, part)
				}
			}
			for status, r := range op.Responses {
				if r.Description == "" || len(r.Content) == 0 && status != "304" { // which has no body
					t.Errorf("%s %s %s says nothing", method, path, status)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOpenAPIReferencesResolve(t *testing.T) {
	d, raw := parsed(t)
	var tree any
	decode(t, raw, &tree)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if to, ok := v["$ref"].(string); ok {
				if name, found := strings.CutPrefix(to, "#/components/schemas/"); !found ||
					d.Components.Schemas[name].Properties == nil {
					t.Errorf("%s leads nowhere", to)
				}
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(tree)
}

// TestOpenAPIDescribesTheAnswers: what is answered has the fields that are described, and so have
// the examples.
func TestOpenAPIDescribesTheAnswers(t *testing.T) {
	d, _ := parsed(t)
	s := serve(t)
	var got, details map[string]any
	decode(t, s.place("ORD-1").want(http.StatusAccepted).body, &got)
	decode(t, s.get(shopKey, "/v1/topups/ORD-1").want(http.StatusOK).body, &details)
	for name, fields := range map[string]map[string]any{"Order": got, "OrderDetails": details} {
		for _, few := range []string{"resolutions", "corrections", "disputes", "actions", "disputed_at", "conclusion"} { // which few orders have
			delete(d.Components.Schemas[name].Properties, few)
		}
		described := slices.Sorted(maps.Keys(d.Components.Schemas[name].Properties))
		if diff := cmp.Diff(described, slices.Sorted(maps.Keys(fields))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	example := d.Components.Schemas["Order"].Examples[0]
	if diff := cmp.Diff(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(example))); diff != "" {
		t.Errorf("example: %s", diff)
	}
	request, err := json.Marshal(d.Components.Schemas["OrderRequest"].Examples[0])
	if err != nil {
		t.Fatal(err)
	}
	s.post(adminKey, "/v1/topups", strings.Replace(string(request), "ORD-1", "ORD-2", 1)).want(http.StatusAccepted)
}
