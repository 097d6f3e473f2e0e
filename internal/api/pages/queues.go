package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"recarga/topup"
)

// Queues are asynqmon's page and files at root, and the API behind them.
func Queues(queues http.Handler, root string) http.Handler {
	api, files := maskedErrors(queues), Local(queues)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || strings.HasPrefix(r.URL.Path, root+"/api/") {
			api.ServeHTTP(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// maskedErrors masks numbers in the tasks' error texts, for which asynqmon has no formatter.
func maskedErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := Record(next, r)
		answer.replace(maskErrorTexts(answer.body.Bytes()))
		if answer.status == http.StatusOK {
			answer.header.Set("Content-Type", "application/json")
		}
		answer.header.Set("Cache-Control", "no-store")
		answer.header.Set("X-Content-Type-Options", "nosniff")
		answer.header.Set("Referrer-Policy", "no-referrer")
		answer.writeTo(w)
	})
}

// maskErrorTexts masks the error texts in asynqmon's JSON. What is not JSON is an error itself.
func maskErrorTexts(body []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return []byte(topup.MaskPhones(string(body)))
	}
	masked, err := json.Marshal(maskTree(v))
	if err != nil {
		return nil
	}
	return masked
}

func maskTree(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = maskTree(v[i])
		}
	case map[string]any:
		for name, value := range v {
			if text, ok := value.(string); ok && name == "error_message" {
				v[name] = topup.MaskPhones(text)
				continue
			}
			v[name] = maskTree(value)
		}
	}
	return v
}

// shownFields of a payload say nothing of a person. The rest may hold anything and is masked.
var shownFields = []string{
	topup.FieldID, topup.FieldProduct, topup.FieldAmount, topup.FieldOperator, topup.FieldPriority, topup.FieldCaller,
	topup.FieldProcessAt, topup.FieldExpiresAt, "event_id",
}

const masked = "***"

// MaskPayload is a task's payload as it may be shown: the last four digits of the phone number, and
// of the metadata the names only.
func MaskPayload(payload []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return fmt.Sprintf("%d bytes that are not a JSON object", len(payload))
	}
	shown := make(map[string]any, len(fields))
	for name, value := range fields {
		shown[name] = maskField(name, value)
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return masked
	}
	return string(text)
}

func maskField(name string, value json.RawMessage) any {
	var metadata map[string]any
	switch {
	case slices.Contains(shownFields, name):
		return value
	case name == topup.FieldPhone:
		return topup.MaskPhone(strings.Trim(string(value), `"`))
	case name == topup.FieldMetadata && json.Unmarshal(value, &metadata) == nil:
		for key := range metadata {
			metadata[key] = masked
		}
		return metadata
	default:
		return masked
	}
}
