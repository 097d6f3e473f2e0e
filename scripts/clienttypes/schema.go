// Package clienttypes makes the types of the clients in Python and PHP from the API's document. Those of the client
// for Node are made by openapi-typescript, and its declarations by TypeScript.
package clienttypes

//go:generate go test -run "TestTypesAreOfTheDocument" . -update
//go:generate npm --prefix ../../clients/node run --silent generate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// roots are what a checkout sends and receives; what they refer to is made, too.
var roots = []string{request, "Order", "OrderDetails", problem}

// request is what clients build; all others are answers, and problem is that of a refusal.
const (
	request = "OrderRequest"
	problem = "Problem"
)

// model is an object of the API.
type model struct {
	name   string
	fields []field
}

// field is one of its properties. The required ones come first, as the arguments of a constructor must.
type field struct {
	name, doc          string
	required, nullable bool
	// kind is JSON's: string, integer, number, boolean, array (of elem), object (of strings), or "" for any; or
	// reference (to elem), or texts (an array of strings).
	kind string
	// elem names the model of a reference, or of an array's elements, and values are the only ones allowed.
	elem   string
	values []string
}

// schema is what this package understands of JSON Schema.
type schema struct {
	Type        json.RawMessage   `json:"type"`
	Description string            `json:"description"`
	Ref         string            `json:"$ref"`
	Enum        []*string         `json:"enum"`
	Items       *schema           `json:"items"`
	Properties  map[string]schema `json:"properties"`
	Required    []string          `json:"required"`
}

// models reads the document, and returns the models that the roots need, by name.
func models(document []byte) ([]model, error) {
	var doc struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	found := map[string]model{}
	for todo := slices.Clone(roots); len(todo) > 0; todo = todo[1:] {
		name := todo[0]
		if _, done := found[name]; done {
			continue
		}
		s, ok := doc.Components.Schemas[name]
		if !ok {
			return nil, fmt.Errorf("the document has no schema %s", name)
		}
		m, err := s.model(name)
		if err != nil {
			return nil, err
		}
		found[name] = m
		for _, f := range m.fields {
			if f.elem != "" {
				todo = append(todo, f.elem)
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b model) int { return strings.Compare(a.name, b.name) }), nil
}

func (s schema) model(name string) (model, error) {
	m := model{name: name}
	for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
		f, err := s.Properties[property].field()
		if err != nil {
			return m, fmt.Errorf("%s.%s: %w", name, property, err)
		}
		// An answer that is a problem may come from a proxy, too, which knows nothing of the document.
		f.name, f.required = property, name != problem && slices.Contains(s.Required, property)
		if name == request && property == "product_id" {
			f.values = nil // RECARGA_CATALOG may have others than the document
		}
		m.fields = append(m.fields, f)
	}
	slices.SortStableFunc(m.fields, func(a, b field) int {
		switch {
		case a.required == b.required:
			return 0
		case a.required:
			return -1
		}
		return 1
	})
	return m, nil
}

func (s schema) field() (field, error) {
	f := field{doc: strings.TrimSpace(s.Description)}
	kinds, err := s.kinds()
	if err != nil {
		return f, err
	}
	for _, kind := range kinds {
		switch {
		case kind == "null":
			f.nullable = true
		case f.kind != "":
			return f, fmt.Errorf("it may be %v, which no language here can say", kinds)
		default:
			f.kind = kind
		}
	}
	for _, value := range s.Enum {
		if value != nil {
			f.values = append(f.values, *value)
		}
	}
	if f.kind == "array" && s.Items != nil && string(s.Items.Type) == `"string"` {
		f.kind = "texts"
	}
	if f.kind == "array" {
		if s.Items == nil || !strings.HasPrefix(s.Items.Ref, refPrefix) {
			return f, fmt.Errorf("an array must be of a schema")
		}
		f.elem = strings.TrimPrefix(s.Items.Ref, refPrefix)
	}
	if s.Ref != "" {
		f.kind, f.elem = "reference", strings.TrimPrefix(s.Ref, refPrefix)
	}
	return f, nil
}

const refPrefix = "#/components/schemas/"

// kinds are the types that a value may have; JSON Schema writes one as a text.
func (s schema) kinds() ([]string, error) {
	if len(s.Type) == 0 {
		return nil, nil
	}
	var one string
	if json.Unmarshal(s.Type, &one) == nil {
		return []string{one}, nil
	}
	var many []string
	err := json.Unmarshal(s.Type, &many)
	return many, err
}
