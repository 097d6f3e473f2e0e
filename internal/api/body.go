package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/strictjson"
	"recarga/topup"
)

// checkBody reads the body of an operation whose input huma decodes, and refuses what topup.ParseRequest refuses of an
// order: encoding/json would take the last of two values, take names in any letter case, and put other characters in
// the place of those that it cannot read. An operation without a body refuses one: what it asks for would be ignored.
func (s *Server) checkBody(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	var err error
	switch {
	case op.Method == http.MethodGet, op.SkipValidateBody: // of an order: see topup.ParseRequest
	case op.RequestBody == nil:
		err = checkNoBody(ctx)
	case op.RequestBody.Content[openapi.TypeJSON] != nil:
		err = s.checkJSON(ctx, op.RequestBody.Content[openapi.TypeJSON].Schema)
	}
	if err != nil {
		problem.Refuse(ctx, s.problem(ctx.Context(), "body", err))
		return
	}
	next(ctx)
}

func checkNoBody(ctx huma.Context) error {
	r, _ := humago.Unwrap(ctx)
	if r.ContentLength == 0 {
		return nil
	}
	data, err := readBody(r)
	if text := string(bytes.TrimSpace(data)); err != nil || text == "" || text == "{}" {
		return err
	}
	return problem.New(problem.FieldsNotAllowed, "not allowed: body",
		&huma.ErrorDetail{Location: "body", Message: "must be absent: this call reads none"})
}

// checkJSON leaves the body to be read again.
func (s *Server) checkJSON(ctx huma.Context, schema *huma.Schema) error {
	r, _ := humago.Unwrap(ctx)
	data, err := readBody(r)
	if err != nil {
		return err
	}
	object, err := strictjson.Read(data)
	if err != nil {
		return fmt.Errorf("%w: %w", topup.ErrNotObject, err)
	}
	if wrong := s.wrongFields(object, schema); len(wrong) > 0 {
		return problem.NotAllowed(wrong)
	}
	r.Body = io.NopCloser(bytes.NewReader(strictjson.Trim(data)))
	return nil
}

// readBody reads a body of up to openapi.MaxBody bytes, if it comes in the time that internal/listen has for it.
func readBody(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, openapi.MaxBody+1))
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return nil, problem.New(problem.BodyTooSlow, "the body did not arrive in time")
	case err != nil:
		return nil, problem.New(problem.MalformedBody, "the body cannot be read: "+err.Error())
	case len(data) > openapi.MaxBody:
		return nil, problem.TooLarge(openapi.MaxBody)
	}
	return data, nil
}

// wrongFields judges an object by its schema, its names exactly.
func (s *Server) wrongFields(object strictjson.Object, schema *huma.Schema) (wrong []error) {
	for schema.Ref != "" {
		schema = s.schemas.SchemaFromRef(schema.Ref)
	}
	refused := func(f *topup.FieldError) {
		if len(wrong) < topup.MaxFaults { // the rest is not named
			wrong = append(wrong, problem.Detail("body", f))
		}
	}
	values := map[string]any{}
	var strange []string
	for _, name := range slices.Sorted(maps.Keys(object.Fields)) {
		raw := object.Fields[name]
		if schema.Properties[name] == nil {
			strange = append(strange, name)
			continue
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			refused(&topup.FieldError{Field: name, Value: string(raw), Allowed: "a number that is not so large"})
			continue
		}
		values[name] = value
		if strings.Contains(string(raw), nulEscape) && holdsNUL(value) {
			refused(&topup.FieldError{Field: name, Value: string(raw), Allowed: "text without NUL"})
		}
	}
	for _, path := range object.Repeated {
		if name, _, _ := strings.Cut(path, "."); schema.Properties[name] != nil {
			refused(topup.RepeatedField(path))
		}
	}
	wrong = append(wrong, s.schemaFaults(schema, values)...)
	for _, name := range strange {
		refused(topup.UnknownField(name, string(object.Fields[name]), maps.Keys(schema.Properties)))
	}
	return wrong
}

// nulEscape is the only way in which JSON can hold a NUL.
const nulEscape = `\u0000`

func holdsNUL(value any) bool {
	switch value := value.(type) {
	case string:
		return strings.ContainsRune(value, 0)
	case []any:
		return slices.ContainsFunc(value, holdsNUL)
	}
	return false
}

// schemaFaults are huma's, without the values that are too long to be sent back, or may be a phone number.
func (s *Server) schemaFaults(schema *huma.Schema, values map[string]any) (wrong []error) {
	var result huma.ValidateResult
	path := huma.NewPathBuffer(nil, 0)
	path.Push("body")
	huma.Validate(s.schemas, schema, path, huma.ModeWriteToServer, values, &result)
	for _, err := range result.Errors[:min(len(result.Errors), topup.MaxFaults)] {
		var fault *huma.ErrorDetail
		if !errors.As(err, &fault) {
			wrong = append(wrong, err)
			continue
		}
		switch value := fault.Value.(type) {
		case string:
			fault.Value = (&topup.FieldError{Value: value}).Safe()
		case map[string]any, []any:
			fault.Value = nil
		}
		wrong = append(wrong, fault)
	}
	return wrong
}
